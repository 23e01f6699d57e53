//! The life of one connection: handshake, Hello, its session's messages, the end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use evertick_protocol::{
    ClientMessage, Close, CloseCode, Hello, PROTOCOL_VERSION, ProtocolError, Resume, ServerMessage,
    SessionSecret, Welcome,
};
use evertick_schema::{SchemaHash, SessionId};
use evertick_transport::{Connection, ConnectionExt, Lane, TransportError};

use crate::auth::Account;
use crate::messages::handle;
use crate::metrics::{Counted, Metrics};
use crate::resume;
use crate::session::{End, Line, Session, end_of};
use crate::shard::{Arrival, Common, Phase, Shard};

/// Messages of one session that are handled before other sessions get a turn.
const MESSAGES_PER_TURN_MAX: u32 = 32;

/// Takes up a connection and stays with it, and with its session, to their end.
pub(crate) async fn run(shard: Rc<Shard>, arrival: Arrival) {
    let metrics = &shard.common.metrics;
    let open = Counted::new(metrics, |metrics| &metrics.connections_open);
    let connection = match arrival {
        Arrival::Resumption(resumption) => return resume::take_over(&shard, resumption).await,
        Arrival::Connection(connection) => connection,
        Arrival::Incoming(incoming) => {
            let peer = incoming.peer();
            match unless_stopping(&shard, incoming.upgrade()).await {
                Some(Ok(connection)) => connection,
                Some(Err(error)) => {
                    if error.is_failure() {
                        metrics.handshakes_failed.add(1);
                        tracing::debug!(%peer, %error, "a connection failed in its handshake");
                    }
                    return;
                }
                None => return,
            }
        }
    };
    let mut line = Line::new(connection, open);
    match hello(&shard, line.connection.as_mut()).await {
        Ok((Asks::Open(account, unconfirmed), schema)) => {
            converse(&shard, line, account, schema, unconfirmed).await;
        }
        Ok((Asks::Resume(resume), schema)) => resume::hand_over(&shard, line, resume, schema).await,
        Err(end) => farewell(&shard.common, line, end).await,
    }
}

/// What a Hello asks for.
enum Asks {
    /// A session for this account, with unconfirmed frames or not.
    Open(Account, bool),
    /// That a session goes on.
    Resume(Resume),
}

/// Waits for the Hello and finds out who it is from. Whoever resumes a session proves it by its secret.
async fn hello(shard: &Shard, connection: &mut dyn Connection) -> Result<(Asks, SchemaHash), End> {
    let time_max = shard.common.limits.hello_time_max;
    let message = match tokio::time::timeout(time_max, unless_stopping(shard, connection.recv())).await {
        Ok(Some(message)) => message.map_err(end_of)?,
        Ok(None) => return Err(stopping()),
        Err(_) => return Err(End::close(CloseCode::Timeout, format!("no Hello within {time_max:?}"))),
    };
    count_in(&shard.common, &message);
    let hello = match ClientMessage::decode(&message).map_err(bad)? {
        ClientMessage::Hello(hello) => hello,
        _ => return Err(End::close(CloseCode::BadMessage, "the first message must be a Hello")),
    };
    let Hello { protocol, schema, unconfirmed, token, resume } = hello;
    if protocol != PROTOCOL_VERSION {
        let text = format!("the client speaks protocol {protocol}, this server {PROTOCOL_VERSION}");
        return Err(End::close(CloseCode::Unsupported, text));
    }
    if let Some(resume) = resume {
        return Ok((Asks::Resume(resume), schema));
    }
    match shard.common.auth.authenticate(token) {
        Ok(account) => Ok((Asks::Open(account, unconfirmed), schema)),
        Err(error) => {
            shard.common.metrics.unauthorized.add(1);
            Err(End::close(CloseCode::Unauthorized, error.to_string()))
        }
    }
}

/// Opens a session, serves it over one connection after the other, and sees it off.
async fn converse(shard: &Rc<Shard>, line: Line, account: Account, schema: SchemaHash, unconfirmed: bool) {
    let common = &shard.common;
    let mut secret = SessionSecret::default();
    if let Err(error) = getrandom::fill(&mut secret.0) {
        tracing::error!(%error, "the system gives no random bytes; no session can be opened");
        let end = End::close(CloseCode::Internal, "the server can't open sessions at present; try again");
        return farewell(common, line, end).await;
    }
    let id = SessionId(common.next_session.fetch_add(1, Ordering::Relaxed));
    let peer = line.connection.peer();
    let session = Session::new(id, (account.identity, secret), unconfirmed, line, common.limits);
    let session = Rc::new(RefCell::new(session));
    welcome(shard, &mut session.borrow_mut(), schema, false);
    // The session must stand here before the host hears of it, or its first frame would find nobody.
    let registered = Registered::new(shard, &session);
    let (told_host, end) = match announce(shard, id, &account).await {
        Ok(()) => {
            common.metrics.sessions_opened.add(1);
            tracing::debug!(session = id.0, identity = %account.identity, %peer, "a session opened");
            (true, serve_and_park(shard, &session).await)
        }
        Err(end) => (false, end),
    };
    tracing::debug!(session = id.0, ?end, "a session ends");
    drop(registered);
    if told_host {
        shard.outbox.close(id);
    }
    let (line, successor) = {
        let mut session = session.borrow_mut();
        (session.hang_up(), session.take_successor())
    };
    if let Some(resumption) = successor {
        tokio::task::spawn_local(resume::refuse(Arc::clone(common), *resumption));
    }
    match line {
        Some(line) => farewell(common, line, end).await,
        None => count_end(&common.metrics, &end),
    }
}

/// Serves the session until it is over, over whatever connection its client comes with.
async fn serve_and_park(shard: &Rc<Shard>, session: &RefCell<Session>) -> End {
    loop {
        let mut end = serve(shard, session).await;
        if let End::Gone(error) = end {
            if is_goodbye(&error) {
                return End::Gone(error);
            }
            end = resume::park(shard, session, error).await;
        }
        let End::Replaced(resumption) = end else { return end };
        resume::go_on(shard, session, *resumption);
    }
}

/// Whether a client that said no Bye left for good all the same.
fn is_goodbye(error: &TransportError) -> bool {
    matches!(error, TransportError::Closed(reason) if reason.code == Some(CloseCode::Normal as u16))
}

/// Answers a Hello; `resumed`: the session goes on.
pub(crate) fn welcome(shard: &Shard, session: &mut Session, schema: SchemaHash, resumed: bool) {
    let description = &shard.common.description;
    let clock = shard.clock(session.unconfirmed);
    let welcome = Welcome {
        protocol: PROTOCOL_VERSION,
        resumed,
        session: session.id,
        secret: session.secret,
        identity: session.identity,
        tick: clock.tick,
        tick_us: description.tick_us,
        time: clock.time,
        schema: description.hash,
        calls: session.seq,
        bytes_per_second: shard.common.limits.bytes_per_second,
        description: (schema != description.hash).then_some(&description.json),
    };
    session.tell(&ServerMessage::Welcome(welcome), &shard.common.metrics);
}

/// Tells the host of a new session; waits for room in its inbox.
async fn announce(shard: &Shard, session: SessionId, account: &Account) -> Result<(), End> {
    let open = shard.outbox.open(session, account.identity, account.roles.clone());
    let send = unless_stopping(shard, open);
    match tokio::time::timeout(shard.common.limits.hello_time_max, send).await {
        Ok(Some(Ok(()))) => Ok(()),
        Ok(_) => Err(stopping()),
        Err(_) => Err(End::close(CloseCode::Internal, "the server is too busy for a new session; try again")),
    }
}

/// Handles the session's messages until it is over.
async fn serve(shard: &Shard, session: &RefCell<Session>) -> End {
    loop {
        for _ in 0..MESSAGES_PER_TURN_MAX {
            let next = poll_fn(|context| session.borrow_mut().poll_next(context)).await;
            let handled = next.and_then(|message| handle(shard, &mut session.borrow_mut(), &message));
            if let Err(end) = handled {
                return end;
            }
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) fn bad(error: ProtocolError) -> End {
    End::close(CloseCode::BadMessage, error.to_string())
}

pub(crate) fn count_in(common: &Common, message: &Bytes) {
    common.metrics.messages_in.add(1);
    common.metrics.bytes_in.add(message.len() as u64);
}

/// Counts the end of a session, or of a connection that never became one.
fn count_end(metrics: &Metrics, end: &End) {
    let code = match end {
        End::Close(close) => usize::from(close.code as u16),
        End::Replaced(_) => usize::from(CloseCode::Replaced as u16),
        End::Gone(TransportError::Silent(_)) => usize::from(CloseCode::Timeout as u16),
        End::Gone(_) => 0,
    };
    metrics.closes[code].add(1);
}

/// Counts the end, and sees the connection off.
pub(crate) async fn farewell(common: &Common, line: Line, end: End) {
    count_end(&common.metrics, &end);
    let close = match end {
        End::Close(close) => Some(close),
        End::Gone(TransportError::Silent(_)) => {
            let message = "nothing was heard of the client for too long; connect again".to_owned();
            Some(Close { code: CloseCode::Timeout, message })
        }
        End::Gone(_) | End::Replaced(_) => None,
    };
    see_off(common, line, close).await;
}

/// Sends the last words, where there are any, and lets go of the connection.
pub(crate) async fn see_off(common: &Common, mut line: Line, close: Option<Close>) {
    let connection = &mut line.connection;
    let (mut code, mut reason) = (CloseCode::Normal, String::new());
    if let Some(close) = close {
        (code, reason) = (close.code, close.message.clone());
        let mut bytes = Vec::with_capacity(64);
        ServerMessage::Closed(close).encode(&mut bytes);
        connection.send(Lane::World, &[bytes.into()]);
    }
    connection.finish(code as u16, &reason, common.limits.linger).await;
}

pub(crate) fn stopping() -> End {
    End::close(CloseCode::Shutdown, "the server stops; connect again in a while")
}

/// `future`, or `None` when the gateway stops first.
pub(crate) async fn unless_stopping<T>(shard: &Shard, future: impl Future<Output = T>) -> Option<T> {
    let mut phase = shard.phase.clone();
    tokio::select! {
        biased;
        output = future => Some(output),
        _ = phase.wait_for(|phase| *phase != Phase::Running) => None,
    }
}

/// A session's place among those that frames are delivered to, and that clients may come back to.
struct Registered<'a> {
    shard: &'a Shard,
    id: SessionId,
    unconfirmed: bool,
    _open: Counted,
}

impl<'a> Registered<'a> {
    fn new(shard: &'a Shard, session: &Rc<RefCell<Session>>) -> Self {
        let (id, secret, unconfirmed) = {
            let session = session.borrow();
            (session.id, session.secret, session.unconfirmed)
        };
        shard.shared.unconfirmed.fetch_add(usize::from(unconfirmed), Ordering::Relaxed);
        shard.sessions.borrow_mut().insert(id, Rc::clone(session));
        shard.common.directory.add(id, secret, shard.number);
        let open = Counted::new(&shard.common.metrics, |metrics| &metrics.sessions_open);
        Self { shard, id, unconfirmed, _open: open }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shard.common.directory.remove(self.id);
        self.shard.sessions.borrow_mut().remove(self.id);
        self.shard.shared.unconfirmed.fetch_sub(usize::from(self.unconfirmed), Ordering::Relaxed);
    }
}
