//! A small host: it takes what the gateway sends and answers with real frames, as the gateway's contract says. No WASM, no world.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

pub mod module;
mod world;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use evertick_gateway::{
    Account, Gateway, GatewayConfig, GatewayHandle, Metrics, MetricsSnapshot, ServerDescription, Unauthorized,
};
use evertick_protocol::{Audience, Frame, IngressBatch, TopicId, Viewpoint};
use evertick_schema::{Identity, SessionId};
use evertick_transport::Listener;
use module::{Said, bytes};
use tokio::sync::mpsc;
use world::{FIRST_CELL, World, entered};

/// Longer than anything here takes; only a hang gets there.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, Box::pin(future)).await.expect("it hangs")
}

/// The host's thread with its gateway.
pub struct Host {
    inner: Arc<Mutex<Inner>>,
    thread: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

struct Inner {
    world: World,
    gateway: Option<GatewayHandle>,
    inbox: mpsc::Receiver<IngressBatch>,
    paused: bool,
    stopped: bool,
    /// Frames that only unconfirmed sessions have got; `None` while nothing is held back.
    held: Option<Vec<Arc<Frame>>>,
}

impl Host {
    pub fn start(config: &GatewayConfig, listeners: Vec<Listener>) -> Self {
        Self::with_inbox(config, listeners, 1024)
    }

    pub fn with_inbox(config: &GatewayConfig, listeners: Vec<Listener>, inbox: usize) -> Self {
        let (sender, inbox) = mpsc::channel(inbox);
        let description = Arc::new(ServerDescription::new(&module::description(), 50_000));
        let metrics = Arc::new(Metrics::default());
        let gateway = Gateway::start(
            config,
            listeners,
            Arc::new(authenticate),
            description,
            sender,
            Arc::clone(&metrics),
        );
        let inner = Inner {
            world: World::new(),
            gateway: Some(gateway.unwrap()),
            inbox,
            paused: false,
            stopped: false,
            held: None,
        };
        let inner = Arc::new(Mutex::new(inner));
        let thread = std::thread::spawn({
            let inner = Arc::clone(&inner);
            move || {
                while !lock(&inner).turn() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self { inner, thread: Some(thread), metrics }
    }

    /// A client's end of a loopback.
    pub fn loopback(&self) -> Box<dyn evertick_transport::Connection> {
        Box::new(lock(&self.inner).gateway.as_ref().unwrap().loopback().unwrap())
    }

    /// While paused, nothing is taken from the inbox.
    pub fn pause(&self, paused: bool) {
        lock(&self.inner).paused = paused;
    }

    /// From now on, frames go to unconfirmed sessions only.
    pub fn hold(&self) {
        lock(&self.inner).held.get_or_insert_default();
    }

    /// Gives the frames that were held back to all others.
    pub fn release(&self) {
        let mut inner = lock(&self.inner);
        let held = inner.held.take().unwrap();
        let gateway = inner.gateway.as_ref().unwrap();
        held.iter().for_each(|frame| gateway.publish(frame, Audience::Confirmed));
    }

    /// Batches that wait in the inbox.
    pub fn inbox_len(&self) -> usize {
        lock(&self.inner).inbox.len()
    }

    /// Sends an event to everyone, in a frame of its own.
    pub fn shout(&self, text: &str) {
        let mut inner = lock(&self.inner);
        inner.world.said.push(bytes(&Said { text: text.to_owned() }));
        inner.publish();
    }

    /// Lets a session see so many cells, each with a title of so many bytes that can't be compressed by much.
    pub fn show_cells(&self, session: SessionId, cells: u32, bytes: usize) {
        let mut inner = lock(&self.inner);
        let mut state = 1_u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'A' + ((state >> 40) % 26) as u8)
        };
        inner.world.cells = (0..cells).map(|_| (0..bytes).map(|_| letter()).collect()).collect();
        let viewpoint = Viewpoint { space: 0, at: [0.0, 0.0], radius: 1e6 };
        let own = inner.world.own.entry(session).or_default();
        own.viewpoint = Some(viewpoint);
        own.entered.extend((0..cells).map(|cell| entered(TopicId(FIRST_CELL + cell))));
        inner.publish();
    }

    /// Changes the titles of all cells.
    pub fn change_cells(&self, title: &str) {
        let mut inner = lock(&self.inner);
        inner.world.cells.fill(title.to_owned());
        inner.world.cells_changed = true;
        inner.publish();
    }

    /// Publishes frames of which the shards lose some.
    pub fn overrun(&self, frames: usize) {
        let mut inner = lock(&self.inner);
        (0..frames).for_each(|_| inner.publish());
    }

    /// Ends a session from the host's side.
    pub fn dismiss(&self, session: SessionId, close: evertick_protocol::Close) {
        let mut inner = lock(&self.inner);
        inner.world.own.entry(session).or_default().close = Some(close);
        inner.publish();
    }

    /// The sessions that the host knows of.
    pub fn sessions(&self) -> BTreeSet<SessionId> {
        lock(&self.inner).world.sessions.clone()
    }

    /// The `seq`s of all calls, in the order they came.
    pub fn calls(&self) -> Vec<u32> {
        lock(&self.inner).world.calls.clone()
    }

    /// Ticks and reducers of all inputs, in the order they came.
    pub fn inputs(&self) -> Vec<(u64, u32)> {
        lock(&self.inner).world.inputs.clone()
    }

    /// The numbers of the queries that were ended.
    pub fn unsubscribed(&self) -> Vec<u32> {
        lock(&self.inner).world.unsubscribed.clone()
    }

    pub fn metrics(&self) -> MetricsSnapshot {
        self.metrics.snapshot()
    }

    /// Waits for something that comes about on other threads.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("never: {what}; {:?}", self.metrics()));
    }

    /// Drops the gateway's handle without a shutdown.
    pub fn drop_gateway(&self) {
        drop(lock(&self.inner).gateway.take());
    }

    /// Stops the gateway and the host; returns how many connections were cut off.
    pub fn shutdown(&self, within: Duration) -> usize {
        let gateway = lock(&self.inner).gateway.take().unwrap();
        let cut_off = gateway.shutdown(within);
        lock(&self.inner).stopped = true;
        cut_off
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        lock(&self.inner).stopped = true;
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap()
}

fn authenticate(token: &[u8]) -> Result<Account, Unauthorized> {
    if token == b"nobody" {
        return Err(Unauthorized("there is no such account".to_owned()));
    }
    let mut identity = [0; 32];
    identity.iter_mut().zip(token).for_each(|(to, from)| *to = *from);
    Ok(Account { identity: Identity(identity), roles: Arc::new([]) })
}

impl Inner {
    fn turn(&mut self) -> bool {
        if !self.paused {
            let mut any = false;
            while let Ok(mut batch) = self.inbox.try_recv() {
                any = true;
                while let Some(ingress) = batch.take() {
                    self.world.take(ingress);
                }
            }
            if any {
                self.publish();
            }
        }
        self.stopped
    }

    fn publish(&mut self) {
        let frame = Arc::new(self.world.frame());
        let audience = match &mut self.held {
            Some(held) => {
                held.push(Arc::clone(&frame));
                Audience::Unconfirmed
            }
            None => Audience::Everyone,
        };
        if let Some(gateway) = &self.gateway {
            gateway.publish(&frame, audience);
        }
    }
}
