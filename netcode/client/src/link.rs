//! The task behind a client: the connection's only owner.
//!
//! Commands come in over a bounded channel and are taken only while the connection takes what is sent, so a server that
//! does not read makes callers wait instead of filling memory. Calls are kept until their results are there: when the connection is
//! lost ([`come_back`](super::come_back)), those that the server has not taken are sent again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evertick_protocol::{CallOutcome, Changes, ClientMessage, CloseCode, ProtocolError, ServerMessage};
use evertick_transport::{Connection, ConnectionExt, Lane, TransportError};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::connect::Way;
use crate::error::{ConnectionState, Disconnected};
use crate::queries::Request;
use crate::shared::Shared;

/// Commands that wait for the task.
pub(crate) const COMMANDS_WAITING_MAX: usize = 256;

/// Bytes that wait for the server; with more, no commands are taken.
const OUTGOING_BYTES_MAX: usize = 256 * 1024;

/// Calls without an answer, and the bytes of their arguments; with more, no commands are taken.
const CALLS_UNANSWERED_MAX: usize = 1024;
const CALLS_UNANSWERED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Calls made in the same turn go in one message, until it has so many bytes. A single call may be longer.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Pings that wait for their pong.
const PINGS_WAITING_MAX: usize = 64;

/// The server keeps results until a Ping says that they are here: so many are not left to the next one, if the last was so long ago.
const RESULTS_UNACKNOWLEDGED_MAX: u64 = 128;
const PING_TIME_MIN: Duration = Duration::from_millis(200);

/// How often the server is told how the client gets along.
const REPORT_TIME: Duration = Duration::from_secs(2);

/// How long the server may take to see the client off.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);

/// What became of a call: its outcome, or why none is known.
pub(crate) type Answer = Result<CallOutcome, Disconnected>;

/// What a handle asks of the task.
#[derive(Debug)]
pub(crate) enum Command {
    Call { reducer: u32, args: Vec<u8>, answer: oneshot::Sender<Answer> },
    Ping { answer: oneshot::Sender<Duration> },
    Close,
}

/// A call without an answer yet.
pub(crate) struct Waiting {
    reducer: u32,
    args: Vec<u8>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

pub(crate) struct Link {
    pub(crate) connection: Box<dyn Connection>,
    /// Whether the connection is there; while it is not, nothing is sent.
    pub(crate) connected: bool,
    pub(crate) way: Option<Arc<Way>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Receiver<Command>,
    ping_interval: Duration,
    /// By `seq`.
    pub(crate) calls: BTreeMap<u32, Waiting>,
    /// Bytes of their arguments.
    pub(crate) calls_bytes: usize,
    /// Messages that are still to be handed to the connection, as one.
    pub(crate) outgoing: Vec<u8>,
    /// Of the last call.
    pub(crate) seq: u32,
    pings: Vec<oneshot::Sender<Duration>>,
    pinged: Instant,
    acknowledged: u64,
    changes: Changes,
}

impl Link {
    /// `seq` is the number of the last call that the session has taken.
    pub(crate) fn new(
        connection: Box<dyn Connection>,
        way: Option<Arc<Way>>,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        ping_interval: Duration,
        seq: u32,
    ) -> Self {
        Self {
            connection,
            connected: true,
            way,
            shared,
            commands,
            ping_interval,
            calls: BTreeMap::new(),
            calls_bytes: 0,
            outgoing: Vec::new(),
            seq,
            pings: Vec::new(),
            pinged: Instant::now(),
            acknowledged: 0,
            changes: Changes::new(),
        }
    }

    /// Serves the session to its end, and tells everyone why it ended. `early` came with the Welcome.
    pub(crate) async fn run(mut self, early: Vec<(Lane, Bytes)>) {
        let unwatched = EndIfLost(Arc::clone(&self.shared));
        let mut served = self.receive_all(early);
        let why = loop {
            let why = match served {
                Ok(()) => self.serve().await,
                Err(why) => why,
            };
            self.connected = self.connected && matches!(why, Disconnected::ByClient);
            served = match self.comes_back(&why) {
                true => match Box::pin(self.come_back(why)).await {
                    Ok(early) => self.receive_all(early),
                    Err(why) => break why,
                },
                false => break why,
            };
        };
        let why = if self.connected { self.say_goodbye().await } else { why };
        tracing::debug!(%why, "the session is over");
        let Self { mut connection, shared, calls, pings, commands, .. } = self;
        // First the reason, then the waiting callers, who find their answers dropped and look the reason up.
        shared.state.send_replace(ConnectionState::Closed(why));
        drop(unwatched);
        drop((calls, pings, commands));
        connection.finish(CloseCode::Normal as u16, "", GOODBYE_TIME_MAX).await;
    }

    async fn serve(&mut self) -> Disconnected {
        let shared = Arc::clone(&self.shared);
        let mut ping_timer = interval(self.ping_interval.max(Duration::from_millis(1)));
        let mut report_timer = interval_at(Instant::now() + REPORT_TIME, REPORT_TIME);
        ping_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        report_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let takes_more = self.connection.queued().bytes < OUTGOING_BYTES_MAX;
            tokio::select! {
                message = self.connection.recv() => match message {
                    Ok(message) => {
                        if let Err(why) = self.receive(self.connection.last_lane(), &message) {
                            return why;
                        }
                    }
                    Err(error) => return lost(error),
                },
                command = self.commands.recv(), if takes_more && self.takes_calls() => {
                    if self.obey_all(command) {
                        return Disconnected::ByClient;
                    }
                }
                () = shared.inputs.notified(), if takes_more => self.send_inputs(),
                () = shared.requests.notified(), if takes_more => self.send_queries(),
                _ = ping_timer.tick(), if takes_more => self.ping(),
                _ = report_timer.tick(), if takes_more => self.report(),
            }
        }
    }

    pub(crate) fn takes_calls(&self) -> bool {
        self.calls.len() < CALLS_UNANSWERED_MAX && self.calls_bytes < CALLS_UNANSWERED_BYTES_MAX
    }

    /// Does what `first` and the commands that wait behind it ask for. Returns whether the client leaves.
    fn obey_all(&mut self, first: Option<Command>) -> bool {
        let mut next = first;
        let leaves = loop {
            match next {
                None | Some(Command::Close) => break true,
                Some(command) => self.obey(command),
            }
            if self.outgoing.len() >= MESSAGE_BYTES_MAX || !self.takes_calls() {
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

    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::Call { reducer, args, answer } => {
                self.seq = self.seq.wrapping_add(1);
                self.calls_bytes += args.len();
                // Calls whose caller gave up are still answered; the answer then finds nobody.
                self.calls.insert(self.seq, Waiting { reducer, args, answer });
                self.write_call(self.seq);
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

    /// Writes a call that waits for its answer, if there is a connection.
    pub(crate) fn write_call(&mut self, seq: u32) {
        let Some(Waiting { reducer, args, .. }) = self.calls.get(&seq).filter(|_| self.connected) else {
            return;
        };
        let mut call = Vec::with_capacity(args.len() + 16);
        ClientMessage::Call { seq, reducer: *reducer, args }.encode(&mut call);
        if self.outgoing.len() + call.len() > MESSAGE_BYTES_MAX {
            self.hand_over();
        }
        self.outgoing.append(&mut call);
    }

    pub(crate) fn ping(&mut self) {
        let client_us = u64::try_from(self.shared.now().as_micros()).unwrap_or(u64::MAX);
        let results = self.shared.resume().results;
        (self.acknowledged, self.pinged) = (results, Instant::now());
        self.send(&ClientMessage::Ping { client_us, results });
    }

    fn report(&mut self) {
        let jitter = self.shared.timing().jitter();
        let number = self.shared.read(|view| view.replica.number()).max(self.changes.number);
        let report = self.shared.tally.report(number, jitter);
        self.send(&ClientMessage::Report(report));
    }

    fn send_queries(&mut self) {
        for request in self.shared.queries.requests() {
            match &request {
                Request::Subscribe { number, text } => ClientMessage::Subscribe { query: *number, text },
                Request::Unsubscribe(query) => ClientMessage::Unsubscribe { query: *query },
            }
            .encode(&mut self.outgoing);
            if self.outgoing.len() >= MESSAGE_BYTES_MAX {
                self.hand_over();
            }
        }
        self.hand_over();
    }

    /// By datagram, with those of the last ticks again; in order and only the new ones where there are no datagrams.
    fn send_inputs(&mut self) {
        let mut timing = self.shared.timing();
        let datagrams = self.connection.datagrams();
        let fits = |message: &Vec<u8>| datagrams.is_some_and(|room| message.len() <= room.bytes_max);
        let (lane, message) = match timing.message(true).filter(fits) {
            Some(message) => (Lane::Latest, Some(message)),
            None => (Lane::Control, timing.message(false)),
        };
        timing.sent();
        drop(timing);
        if let Some(message) = message {
            self.shared.tally.sent(message.len());
            self.connection.send(lane, &[message.into()]);
        }
    }

    fn send(&mut self, message: &ClientMessage<'_>) {
        if self.connected {
            message.encode(&mut self.outgoing);
            self.hand_over();
        }
    }

    /// Hands what is outgoing to the connection, which writes it with the next `recv`.
    pub(crate) fn hand_over(&mut self) {
        if !self.outgoing.is_empty() {
            self.shared.tally.sent(self.outgoing.len());
            self.connection.send(Lane::Control, &[std::mem::take(&mut self.outgoing).into()]);
        }
    }

    fn receive_all(&mut self, messages: Vec<(Lane, Bytes)>) -> Result<(), Disconnected> {
        messages.iter().try_for_each(|(lane, message)| self.receive(*lane, message))
    }

    fn receive(&mut self, lane: Lane, message: &Bytes) -> Result<(), Disconnected> {
        self.shared.tally.message(lane, message.len());
        match ServerMessage::decode(message) {
            Ok(ServerMessage::Frame(frame)) => {
                for reply in self.shared.apply(frame, &mut self.changes)? {
                    if let Some(call) = self.calls.remove(&reply.seq) {
                        self.calls_bytes -= call.args.len();
                        let _caller_gave_up = call.answer.send(Ok(reply.result));
                    }
                }
                let results = self.shared.resume().results;
                if results - self.acknowledged.min(results) >= RESULTS_UNACKNOWLEDGED_MAX
                    && self.pinged.elapsed() >= PING_TIME_MIN
                {
                    self.ping();
                }
            }
            Ok(ServerMessage::State(state)) => self.shared.apply_state(state, &mut self.changes)?,
            Ok(ServerMessage::Pong(pong)) => {
                let sent = Duration::from_micros(pong.client_us);
                let round_trip = self.shared.now().saturating_sub(sent);
                self.shared.tally.pong(&pong, round_trip);
                self.shared.timing().pong(&pong, round_trip);
                for answer in self.pings.drain(..) {
                    let _caller_gave_up = answer.send(round_trip);
                }
            }
            Ok(ServerMessage::Closed(close)) => return Err(Disconnected::ByServer(close)),
            Ok(ServerMessage::Welcome(_)) => return Err(ProtocolError::Malformed("two Welcomes").into()),
            // What is damaged on the latest lane is lost, as it may be anyway.
            Err(error) if lane == Lane::Latest => tracing::debug!(%error, "a datagram was dropped"),
            Err(error) => return Err(error.into()),
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
        self.0.state.send_if_modified(|state| {
            let lost = state.closed().is_none();
            if lost {
                *state =
                    ConnectionState::Closed(Disconnected::Lost("the client's task was stopped".to_owned()));
            }
            lost
        });
    }
}

/// What the end of a connection means for a session.
pub(crate) fn lost(error: TransportError) -> Disconnected {
    Disconnected::Lost(error.to_string())
}
