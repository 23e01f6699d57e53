//! A small host: it takes what the gateway sends and answers with real frames, as the gateway's contract says. No WASM, no world.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

pub mod module;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use evertick_gateway::{
    Account, Gateway, GatewayConfig, GatewayHandle, Metrics, MetricsSnapshot, ServerDescription, Unauthorized,
};
use evertick_protocol::{
    Audience, BlockWriter, CallOutcome, CallReply, Entered, FailCode, Frame, Ingress, IngressBatch,
    QueryOutcome, QueryReply, ResyncTopics, SessionFrame, Snapshot, Square, TopicFrame, TopicId, TopicKind,
    Viewpoint, WireSchema,
};
use evertick_schema::{EntityId, Identity, Refusal, SessionId, Timestamp};
use evertick_transport::Listener;
use module::{
    IncrementRefusal, SAID, SCORE, SECRET, Said, Score, Secret, TITLE, Title, argument, bytes, result,
};
use tokio::sync::mpsc;

/// Longer than anything here takes; only a hang gets there.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, Box::pin(future)).await.expect("it hangs")
}

const EVERYONE: TopicId = TopicId(1);
const SECRETS: TopicId = TopicId(2);
/// Cells are topics from here on, in a row.
const FIRST_CELL: u32 = 100;
const SECRET_ENTITY: EntityId = EntityId(1000);

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

/// Scores and titles that everyone sees, a secret that those see who look.
struct World {
    schema: WireSchema,
    writer: BlockWriter,
    tick: u64,
    version: u16,
    sessions: BTreeSet<SessionId>,
    calls: Vec<u32>,
    /// Ticks and reducers of all inputs, in the order they came.
    inputs: Vec<(u64, u32)>,
    unsubscribed: Vec<u32>,
    /// By slot; entity is slot + 1.
    scores: Vec<u32>,
    changed: BTreeSet<u32>,
    /// Slots that are in the roster already.
    known: u32,
    said: Vec<Vec<u8>>,
    own: BTreeMap<SessionId, SessionFrame>,
    looking: BTreeSet<SessionId>,
    /// The titles of what is in each cell.
    cells: Vec<String>,
    cells_changed: bool,
}

impl World {
    fn new() -> Self {
        Self {
            schema: WireSchema::new(&module::description().rows).unwrap(),
            writer: BlockWriter::new(),
            tick: 0,
            version: 0,
            sessions: BTreeSet::new(),
            calls: Vec::new(),
            inputs: Vec::new(),
            unsubscribed: Vec::new(),
            scores: vec![0],
            changed: BTreeSet::new(),
            known: 1,
            said: Vec::new(),
            own: BTreeMap::new(),
            looking: BTreeSet::new(),
            cells: Vec::new(),
            cells_changed: false,
        }
    }

    fn take(&mut self, ingress: Ingress<'_>) {
        match ingress {
            Ingress::Open { session, .. } => {
                assert!(self.sessions.insert(session), "a session opens once");
                self.own.entry(session).or_default().entered.push(entered(EVERYONE));
            }
            Ingress::Call { session, seq, reducer, args } => {
                assert!(self.sessions.contains(&session), "calls come between open and close");
                self.calls.push(seq);
                let result = self.call(session, reducer, args);
                self.own.entry(session).or_default().results.push(CallReply { seq, result });
            }
            Ingress::Close { session } => {
                assert!(self.sessions.remove(&session), "an open session closes once");
                self.looking.remove(&session);
                self.own.remove(&session);
            }
            Ingress::Input { session, reducer, tick, .. } => {
                assert!(self.sessions.contains(&session), "inputs come between open and close");
                self.inputs.push((tick, reducer));
            }
            Ingress::Subscribe { session, query, text } => {
                let outcome = QueryOutcome::Explained { plan: text.to_owned() };
                self.own.entry(session).or_default().queries.push(QueryReply { query, outcome });
            }
            Ingress::Unsubscribe { query, .. } => self.unsubscribed.push(query),
            Ingress::Resync { session, topics } => {
                assert!(self.sessions.contains(&session), "a session that is there is resynced");
                let wanted = |topic: &TopicId| match topics {
                    ResyncTopics::All => true,
                    ResyncTopics::Some(topics) => topics.contains(topic),
                };
                let secrets = self.looking.contains(&session).then_some(SECRETS);
                let cells = (0..self.cells.len() as u32).map(|cell| TopicId(FIRST_CELL + cell));
                let again = [EVERYONE].into_iter().chain(secrets).chain(cells).filter(wanted).map(entered);
                self.own.entry(session).or_default().entered.extend(again);
            }
        }
    }

    fn call(&mut self, session: SessionId, reducer: u32, args: &[u8]) -> CallOutcome {
        match reducer {
            module::Spawn::NUMBER => {
                self.scores.push(0);
                CallOutcome::Ok(result(&EntityId(self.scores.len() as u64)))
            }
            module::Increment::NUMBER => {
                let entity = argument::<EntityId>(args).unwrap();
                let slot = entity.0.wrapping_sub(1);
                match self.scores.get_mut(slot as usize) {
                    Some(score) => {
                        *score += 1;
                        self.changed.insert(slot as u32);
                        CallOutcome::Ok(result(score))
                    }
                    None => {
                        let refusal = IncrementRefusal::NoSuch { entity }.encode();
                        let fields = refusal.fields.into();
                        CallOutcome::Refused { variant: refusal.variant, message: refusal.message, fields }
                    }
                }
            }
            module::Say::NUMBER => {
                self.said.push(bytes(&Said { text: argument(args).unwrap() }));
                CallOutcome::Ok(Bytes::new())
            }
            module::Look::NUMBER => {
                let own = self.own.entry(session).or_default();
                if argument::<bool>(args).unwrap() {
                    self.looking.insert(session);
                    own.entered.push(entered(SECRETS));
                } else if self.looking.remove(&session) {
                    own.left.push(SECRETS);
                }
                CallOutcome::Ok(Bytes::new())
            }
            module::Crash::NUMBER => {
                CallOutcome::Failed { code: FailCode::Internal, message: "it trapped".to_owned(), id: 7 }
            }
            _ => CallOutcome::Failed {
                code: FailCode::UnknownReducer,
                message: "no such reducer".to_owned(),
                id: 0,
            },
        }
    }

    fn frame(&mut self) -> Frame {
        self.tick += 1;
        let scores: Vec<_> = self.scores.iter().map(|value| bytes(&Score { value: *value })).collect();
        let title = bytes(&Title { text: "the first".to_owned() });
        let mut frame = Frame {
            number: self.tick,
            tick: self.tick,
            time: Timestamp(self.tick as i64 * 50_000),
            seq: self.tick,
            tick_cost_us: 123,
            ..Frame::default()
        };

        self.writer.begin(EVERYONE, self.version);
        let new: Vec<u32> = (self.known..scores.len() as u32).collect();
        let entries: Vec<_> = new.iter().map(|slot| (*slot, EntityId(u64::from(*slot) + 1))).collect();
        self.writer.enter(&entries);
        self.changed.extend(new);
        let changed: Vec<u32> = std::mem::take(&mut self.changed).into_iter().collect();
        self.writer.rows(&self.schema, SCORE, u64::MAX, &changed, |index| &scores[changed[index] as usize]);
        let said = std::mem::take(&mut self.said);
        self.writer.events(SAID, said.iter().map(Vec::as_slice));
        self.known = scores.len() as u32;
        self.version = self.writer.version();
        if !self.writer.is_empty() {
            let said = TopicFrame { ordered: Some(self.writer.finish()), ..TopicFrame::default() };
            frame.topics.insert(EVERYONE, said);
        }

        let slots: Vec<u32> = (0..scores.len() as u32).collect();
        self.writer.begin_snapshot(EVERYONE, self.version, TopicKind::Everyone);
        let entries: Vec<_> = slots.iter().map(|slot| (*slot, EntityId(u64::from(*slot) + 1))).collect();
        self.writer.enter(&entries);
        self.writer.rows(&self.schema, SCORE, u64::MAX, &slots, |index| &scores[index]);
        self.writer.rows(&self.schema, TITLE, u64::MAX, &[0], |_| &title);
        let everyone = Arc::new(Snapshot::new(self.writer.finish()));

        let secret = bytes(&Secret { value: 42 });
        self.writer.begin_snapshot(SECRETS, 0, TopicKind::Group(9));
        self.writer.enter(&[(0, SECRET_ENTITY)]);
        self.writer.rows(&self.schema, SECRET, u64::MAX, &[0], |_| &secret);
        let secrets = Arc::new(Snapshot::new(self.writer.finish()));

        let (mut cells, changed) = (Vec::new(), std::mem::take(&mut self.cells_changed));
        for (cell, title) in (0..).zip(&self.cells) {
            let (topic, title) = (TopicId(FIRST_CELL + cell), bytes(&Title { text: title.clone() }));
            self.writer.begin_snapshot(topic, 0, TopicKind::Cell { space: 0, x: cell as i32, y: 0 });
            self.writer.enter(&[(0, EntityId(2000 + u64::from(cell)))]);
            self.writer.rows(&self.schema, TITLE, u64::MAX, &[0], |_| &title);
            cells.push(Arc::new(Snapshot::new(self.writer.finish())));
            if changed {
                self.writer.begin(topic, 0);
                self.writer.rows(&self.schema, TITLE, u64::MAX, &[0], |_| &title);
                let said = TopicFrame { ordered: Some(self.writer.finish()), ..TopicFrame::default() };
                frame.topics.insert(topic, said);
            }
        }

        for (session, mut own) in std::mem::take(&mut self.own) {
            for Entered { topic, snapshot, .. } in &mut own.entered {
                *snapshot = Arc::clone(match topic.0.checked_sub(FIRST_CELL) {
                    Some(cell) => &cells[cell as usize],
                    None if *topic == EVERYONE => &everyone,
                    None => &secrets,
                });
            }
            frame.sessions.insert(session, own);
        }
        frame
    }
}

/// A topic that a session enters with the next frame, which has its snapshot.
fn entered(topic: TopicId) -> Entered {
    let cell = topic.0.checked_sub(FIRST_CELL);
    let square = cell.map(|cell| Square { space: 0, min: [cell as f32 * 10.0, 0.0], size: 10.0 });
    Entered { topic, square, snapshot: Arc::new(Snapshot::new(Bytes::new())), followed: Vec::new() }
}
