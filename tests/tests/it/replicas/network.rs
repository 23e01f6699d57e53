//! A way to a server that is bad in all ways at once, and worse on command.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use evertick_client::{Client, ConnectOptions, Reconnect};
use evertick_transport::{
    ClientOptions, Conditions, Connection, Datagrams, Lane, Peer, Queued, Signals, TransportError, connect,
    simulate,
};

/// What a test does to the connections of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way(Arc<Mutex<Trouble>>);

#[derive(Default)]
struct Trouble {
    stalled: bool,
    /// The connection with this number, and all before, are cut.
    cut: u64,
    /// Whether the server is told of the cut.
    silently: bool,
    connections: u64,
    waiting: Vec<Waker>,
    /// Connections that nobody uses and nobody ends.
    forgotten: Vec<Box<dyn Connection>>,
}

impl std::fmt::Debug for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trouble")
            .field("stalled", &self.stalled)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

impl Way {
    /// A client that comes back over this way whenever it is cut.
    pub(crate) async fn client(&self, url: &str, name: &str, conditions: Conditions) -> Client {
        let (way, url) = (self.clone(), url.to_owned());
        let dial = move || {
            let (way, url) = (way.clone(), url.clone());
            async move {
                let connection = connect(&url, &ClientOptions::default()).await?;
                let number = {
                    let mut trouble = way.0.lock().unwrap();
                    trouble.connections += 1;
                    trouble.connections
                };
                let seed = conditions.seed.wrapping_add(number << 32);
                let connection = Some(simulate(connection, Conditions { seed, ..conditions }));
                Ok(Box::new(Troubled { connection, way, number }) as Box<dyn Connection>)
            }
        };
        let reconnect = Reconnect {
            backoff_min: Duration::from_millis(5),
            backoff_max: Duration::from_millis(100),
            ..Reconnect::default()
        };
        let token = format!("the secret of {name}, long enough");
        let options = ConnectOptions {
            reconnect: Some(reconnect),
            // As patient as the tests.
            hello_time_max: Duration::from_secs(60),
            ..ConnectOptions::new(token)
        };
        Client::connect_with(dial, options).await.unwrap()
    }

    /// The client reads nothing, or goes on.
    pub(crate) fn stall(&self, stalled: bool) {
        self.change(|trouble| trouble.stalled = stalled);
    }

    /// Cuts what there is. `silently`: the server is not told, and thinks that somebody is there.
    pub(crate) fn cut(&self, silently: bool) {
        self.change(|trouble| (trouble.cut, trouble.silently) = (trouble.connections, silently));
    }

    fn change(&self, change: impl FnOnce(&mut Trouble)) {
        let mut trouble = self.0.lock().unwrap();
        change(&mut trouble);
        trouble.waiting.drain(..).for_each(Waker::wake);
    }
}

struct Troubled {
    /// `None` once it is cut.
    connection: Option<Box<dyn Connection>>,
    way: Way,
    number: u64,
}

impl Troubled {
    /// What is behind, unless it is cut; waits while it is stalled.
    fn behind(&mut self, context: &mut Context<'_>) -> Poll<Option<&mut Box<dyn Connection>>> {
        let mut trouble = self.way.0.lock().unwrap();
        if trouble.cut >= self.number {
            let cut = self.connection.take();
            if trouble.silently {
                trouble.forgotten.extend(cut);
            }
            return Poll::Ready(None);
        }
        if !trouble.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            trouble.waiting.push(context.waker().clone());
        }
        if trouble.stalled { Poll::Pending } else { Poll::Ready(self.connection.as_mut()) }
    }
}

fn lost() -> TransportError {
    TransportError::Lost(std::io::ErrorKind::ConnectionReset.into())
}

impl Connection for Troubled {
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        match self.behind(context) {
            Poll::Ready(Some(connection)) => connection.poll_recv(context),
            Poll::Ready(None) => Poll::Ready(Err(lost())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn last_lane(&self) -> Lane {
        self.connection.as_ref().map_or(Lane::Control, |connection| connection.last_lane())
    }

    fn send(&mut self, lane: Lane, parts: &[Bytes]) {
        if let Some(connection) = &mut self.connection {
            connection.send(lane, parts);
        }
    }

    fn datagrams(&self) -> Option<Datagrams> {
        self.connection.as_ref()?.datagrams()
    }

    fn signals(&self) -> Signals {
        self.connection.as_ref().map_or_else(Signals::default, |connection| connection.signals())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.behind(context) {
            Poll::Ready(Some(connection)) => connection.poll_flush(context),
            Poll::Ready(None) => Poll::Ready(Err(lost())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn queued(&self) -> Queued {
        self.connection.as_ref().map_or_else(Queued::default, |connection| connection.queued())
    }

    fn close(&mut self, code: u16, reason: &str) {
        if let Some(connection) = &mut self.connection {
            connection.close(code, reason);
        }
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.behind(context) {
            Poll::Ready(Some(connection)) => connection.poll_finish(context),
            Poll::Ready(None) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    fn peer(&self) -> Peer {
        self.connection.as_ref().map_or(Peer::Loopback, |connection| connection.peer())
    }
}
