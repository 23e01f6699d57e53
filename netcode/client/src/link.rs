//! The task behind a client: the connection's only owner.
//!
//! Commands come in over a bounded channel and are taken only while the connection takes what is sent, so a server that
//! does not read makes callers wait instead of filling memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evertick_protocol::{CallOutcome, Changes, ClientMessage, CloseCode, ProtocolError, ServerMessage};
use evertick_transport::{Connection, ConnectionExt, Lane, TransportError};
use hashbrown::HashMap;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::error::Disconnected;
use crate::shared::Shared;

/// Commands that wait for the task.
pub(crate) const COMMANDS_WAITING_MAX: usize = 256;

/// Bytes that wait for the server; with more, no commands are taken.
const OUTGOING_BYTES_MAX: usize = 256 * 1024;

/// Calls made in the same turn go in one message, until it has so many bytes. A single call may be longer.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Pings that wait for their pong.
const PINGS_WAITING_MAX: usize = 64;

/// How long the server may take to see the client off.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);

/// What a handle asks of the task.
#[derive(Debug)]
pub(crate) enum Command {
    Call { reducer: u32, args: Vec<u8>, answer: oneshot::Sender<CallOutcome> },
    Ping { answer: oneshot::Sender<Duration> },
    Close,
}

pub(crate) struct Link {
    connection: Box<dyn Connection>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    ping_interval: Duration,
    calls: HashMap<u32, oneshot::Sender<CallOutcome>>,
    /// Messages that are still to be handed to the connection, as one.
    outgoing: Vec<u8>,
    seq: u32,
    pings: Vec<oneshot::Sender<Duration>>,
    epoch: Instant,
    changes: Changes,
}

impl Link {
    pub(crate) fn new(
        connection: Box<dyn Connection>,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        ping_interval: Duration,
    ) -> Self {
        Self {
            connection,
            shared,
            commands,
            ping_interval,
            calls: HashMap::new(),
            outgoing: Vec::new(),
            seq: 0,
            pings: Vec::new(),
            epoch: Instant::now(),
            changes: Changes::new(),
        }
    }

    /// Serves the session to its end, and tells everyone why it ended.
    pub(crate) async fn run(mut self) {
        let unwatched = EndIfLost(Arc::clone(&self.shared));
        let why = match self.serve().await {
            Disconnected::ByClient => self.say_goodbye().await,
            why => why,
        };
        tracing::debug!(%why, "the session is over");
        let Self { mut connection, shared, calls, pings, commands, .. } = self;
        // First the reason, then the waiting callers, who find their answers dropped and look the reason up.
        shared.closed.send_replace(Some(why));
        drop(unwatched);
        drop((calls, pings, commands));
        connection.finish(CloseCode::Normal as u16, "", GOODBYE_TIME_MAX).await;
    }

    async fn serve(&mut self) -> Disconnected {
        let mut ping_timer = tokio::time::interval(self.ping_interval.max(Duration::from_millis(1)));
        ping_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let takes_more = self.connection.queued().bytes < OUTGOING_BYTES_MAX;
            tokio::select! {
                message = self.connection.recv() => match message {
                    Ok(message) => {
                        if let Err(why) = self.receive(&message) {
                            return why;
                        }
                    }
                    Err(error) => return lost(error),
                },
                command = self.commands.recv(), if takes_more => {
                    if self.obey_all(command) {
                        return Disconnected::ByClient;
                    }
                }
                _ = ping_timer.tick(), if takes_more => self.ping(),
            }
        }
    }

    /// Does what `first` and the commands that wait behind it ask for. Returns whether the client leaves.
    fn obey_all(&mut self, first: Option<Command>) -> bool {
        let mut next = first;
        let leaves = loop {
            match next {
                None | Some(Command::Close) => break true,
                Some(command) => self.obey(command),
            }
            if self.outgoing.len() >= MESSAGE_BYTES_MAX {
                break false;
            }
            next = match self.commands.try_recv() {
                Ok(command) => Some(command),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => None,
            };
        };
        self.hand_over();
        leaves
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Call { reducer, args, answer } => {
                self.seq = self.seq.wrapping_add(1);
                // Calls whose caller gave up are still answered; the answer then finds nobody.
                self.calls.insert(self.seq, answer);
                if self.outgoing.len() + args.len() > MESSAGE_BYTES_MAX {
                    self.hand_over();
                }
                ClientMessage::Call { seq: self.seq, reducer, args: &args }.encode(&mut self.outgoing);
            }
            Command::Ping { answer } => {
                if self.pings.len() < PINGS_WAITING_MAX {
                    self.pings.push(answer);
                }
                self.ping();
            }
            Command::Close => {}
        }
    }

    fn ping(&mut self) {
        let client_us = u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.send(&ClientMessage::Ping { client_us, results: 0 });
    }

    fn send(&mut self, message: &ClientMessage<'_>) {
        message.encode(&mut self.outgoing);
        self.hand_over();
    }

    /// Hands what is outgoing to the connection, which writes it with the next `recv`.
    fn hand_over(&mut self) {
        if !self.outgoing.is_empty() {
            self.connection.send(Lane::Control, &[std::mem::take(&mut self.outgoing).into()]);
        }
    }

    fn receive(&mut self, message: &Bytes) -> Result<(), Disconnected> {
        self.shared.tally.message(message.len());
        match ServerMessage::decode(message)? {
            ServerMessage::Frame(frame) => {
                for reply in self.shared.apply(frame, &mut self.changes)? {
                    if let Some(answer) = self.calls.remove(&reply.seq) {
                        let _caller_gave_up = answer.send(reply.result);
                    }
                }
            }
            ServerMessage::Pong(pong) => {
                let sent = Duration::from_micros(pong.client_us);
                let round_trip = self.epoch.elapsed().saturating_sub(sent);
                self.shared.tally.pong(&pong, round_trip);
                for answer in self.pings.drain(..) {
                    let _caller_gave_up = answer.send(round_trip);
                }
            }
            ServerMessage::Closed(close) => return Err(Disconnected::ByServer(close)),
            ServerMessage::State(_) => {}
            ServerMessage::Welcome(_) => return Err(ProtocolError::Malformed("two Welcomes").into()),
        }
        Ok(())
    }

    /// Tells the server, and waits a while for its last words.
    async fn say_goodbye(&mut self) -> Disconnected {
        self.send(&ClientMessage::Bye);
        let last_words = async {
            while let Ok(message) = self.connection.recv().await {
                if matches!(ServerMessage::decode(&message), Ok(ServerMessage::Closed(_))) {
                    break;
                }
            }
        };
        // A server that says nothing in that time is left without its words.
        let _silent = tokio::time::timeout(GOODBYE_TIME_MAX, last_words).await;
        Disconnected::ByClient
    }
}

/// Ends the session when its task does, be it by a panic in a callback or with the runtime: nobody shall wait for a task
/// that is gone.
struct EndIfLost(Arc<Shared>);

impl Drop for EndIfLost {
    fn drop(&mut self) {
        self.0.closed.send_if_modified(|why| {
            let lost = why.is_none();
            why.get_or_insert_with(|| Disconnected::Lost("the client's task was stopped".to_owned()));
            lost
        });
    }
}

/// What the end of a connection means for a session.
pub(crate) fn lost(error: TransportError) -> Disconnected {
    Disconnected::Lost(error.to_string())
}
