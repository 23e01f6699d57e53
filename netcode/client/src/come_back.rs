//! Coming back after the connection was lost.

use std::sync::Arc;

use bytes::Bytes;
use evertick_protocol::{CloseCode, Resume};
use evertick_transport::{Connection, Lane};
use tokio::time::{Instant, sleep};

use crate::connect::{Greeting, is_expired};
use crate::error::{ConnectError, ConnectionState, Disconnected};
use crate::link::{Command, Link};
use crate::reconnect::{Reconnect, Retries};

impl Link {
    /// Whether the end of a connection may be the beginning of another.
    pub(crate) fn comes_back(&self, why: &Disconnected) -> bool {
        let Some(reconnect) = self.reconnect() else { return false };
        match why {
            Disconnected::Lost(_) => true,
            // The session is over, and the reason one that goes by.
            Disconnected::ByServer(close) => {
                reconnect.new_session && matches!(close.code, CloseCode::Shutdown | CloseCode::Timeout)
            }
            Disconnected::ByClient | Disconnected::Protocol(_) => false,
        }
    }

    fn reconnect(&self) -> Option<Reconnect> {
        self.way.as_ref()?.options.reconnect
    }

    /// Tries to go on with the session, or with a new one if that is wanted. Returns what came with the Welcome, or why the client
    /// ends. Calls that are made meanwhile wait.
    pub(crate) async fn come_back(&mut self, why: Disconnected) -> Result<Vec<(Lane, Bytes)>, Disconnected> {
        let (Some(way), Some(reconnect)) = (self.way.clone(), self.reconnect()) else { return Err(why) };
        tracing::debug!(%why, "connecting again");
        self.shared.state.send_replace(ConnectionState::Reconnecting);
        self.outgoing.clear();
        let schema = self.shared.types.module.hash();
        let since = Instant::now();
        let mut retries = Retries::new(reconnect);
        let mut resumable = matches!(why, Disconnected::Lost(_));
        loop {
            resumable &= retries.resumable(since.elapsed());
            if !resumable && !reconnect.new_session {
                return Err(why);
            }
            let resume: Option<Resume> = resumable.then(|| self.shared.resume());
            let (way, delay) = (Arc::clone(&way), retries.delay());
            let mut attempt = Box::pin(async move {
                sleep(delay).await;
                way.go(schema, resume).await
            });
            let outcome = loop {
                let takes_calls = self.takes_calls();
                tokio::select! {
                    outcome = &mut attempt => break outcome,
                    command = self.commands.recv(), if takes_calls => match command {
                        None | Some(Command::Close) => return Err(Disconnected::ByClient),
                        Some(command) => self.obey(command),
                    },
                }
            };
            match outcome {
                Ok((connection, greeting)) if greeting.resumed => return Ok(self.go_on(connection, greeting)),
                Ok((connection, greeting)) if reconnect.new_session => {
                    return self.start_anew(connection, greeting, &why);
                }
                Ok(_) => return Err(why),
                Err(error) if is_expired(&error) && resumable && reconnect.new_session => resumable = false,
                Err(ConnectError::Refused(Disconnected::ByServer(close))) if is_final(close.code) => {
                    return Err(Disconnected::ByServer(close));
                }
                Err(error) => tracing::debug!(%error, "not connected yet"),
            }
        }
    }

    /// The session goes on: calls that the server has not taken are sent again.
    fn go_on(&mut self, connection: Box<dyn Connection>, greeting: Greeting) -> Vec<(Lane, Bytes)> {
        let results = self.shared.resume().results;
        self.shared.set_resume(greeting.session, greeting.secret, results);
        self.connect_over(connection, greeting.tick, true);
        let missed: Vec<u32> = self.calls.keys().copied().filter(|seq| *seq > greeting.calls).collect();
        missed.into_iter().for_each(|seq| self.write_call(seq));
        self.hand_over();
        greeting.early
    }

    /// A new session: nobody knows what became of calls, and the replica begins empty.
    fn start_anew(
        &mut self,
        connection: Box<dyn Connection>,
        greeting: Greeting,
        why: &Disconnected,
    ) -> Result<Vec<(Lane, Bytes)>, Disconnected> {
        let changed = || Disconnected::Lost("the server runs another module now; connect again".to_owned());
        if greeting.schema != self.shared.types.module.hash() || greeting.tick_us != self.shared.tick_us {
            return Err(changed());
        }
        self.shared.start_anew().map_err(|_| changed())?;
        self.shared.set_resume(greeting.session, greeting.secret, 0);
        (self.seq, self.calls_bytes) = (greeting.calls, 0);
        for (_, call) in std::mem::take(&mut self.calls) {
            let _caller_gave_up = call.answer.send(Err(why.clone()));
        }
        self.connect_over(connection, greeting.tick, false);
        Ok(greeting.early)
    }

    fn connect_over(&mut self, connection: Box<dyn Connection>, tick: u64, resumed: bool) {
        self.connection = connection;
        self.connected = true;
        let mut timing = self.shared.timing();
        timing.reconnected(resumed);
        self.shared.queries.ask_again();
        self.shared.requests.notify_one();
        timing.observe(tick, self.shared.now());
        drop(timing);
        self.shared.tally.came_back(resumed);
        self.shared.state.send_replace(ConnectionState::Connected);
    }
}

/// Whether trying again would end the same way.
fn is_final(code: CloseCode) -> bool {
    use CloseCode::{BadMessage, Expired, Normal, TooLarge, Unauthorized, Unsupported};
    matches!(code, Unauthorized | Unsupported | BadMessage | TooLarge | Normal | Expired)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use evertick_protocol::{
        CallOutcome, ClientMessage, Close, PROTOCOL_VERSION, ServerMessage, SessionSecret, Welcome,
    };
    use evertick_schema::{ABI_VERSION, Identity, ModuleDescription, SessionId, Timestamp};
    use evertick_transport::{ConnectionExt, Limits, Loopback, loopback};

    use super::*;
    use crate::shared::lock;
    use crate::{Client, ConnectOptions};

    const SECRET: SessionSecret = SessionSecret([7; 16]);

    /// A session as its server keeps it: each call's argument, in the order in which they ran, is its result as well.
    #[derive(Default)]
    struct Kept {
        session: u64,
        ran: Vec<u8>,
        /// One in so many messages is lost with its connection; none if this is 0.
        odds: u64,
        state: u64,
        cuts: u32,
        /// The server does not know the session any more.
        forgotten: bool,
    }

    impl Kept {
        fn cuts(&mut self) -> bool {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let cut = self.odds > 0 && (self.state >> 33).is_multiple_of(self.odds);
            self.cuts += u32::from(cut);
            cut
        }
    }

    fn module() -> ModuleDescription {
        let (rows, reducers, systems, predictions) = Default::default();
        ModuleDescription { abi: ABI_VERSION, name: "none".to_owned(), rows, reducers, systems, predictions }
    }

    /// A frame with one result.
    fn result(seq: u8, value: u8) -> Vec<u8> {
        [&[0x82, 1, 1][..], &[0; 8], &[0, 0, 0, 0, 1, seq, 0, 1, value, 0]].concat()
    }

    /// Serves a connection, which is cut before or after something is done.
    async fn serve(kept: Arc<Mutex<Kept>>, mut connection: Loopback) {
        let hello = connection.recv().await.unwrap();
        let Ok(ClientMessage::Hello(hello)) = ClientMessage::decode(&hello) else { panic!() };
        let mut answers = Vec::new();
        {
            let mut kept = lock(&kept);
            let resumed = hello.resume.filter(|resume| resume.session.0 == kept.session && !kept.forgotten);
            if let (Some(_), None) = (hello.resume, resumed) {
                let close = Close { code: CloseCode::Expired, message: "unknown".to_owned() };
                let mut bytes = Vec::new();
                ServerMessage::Closed(close).encode(&mut bytes);
                answers.push(bytes);
            } else {
                if resumed.is_none() {
                    let session = kept.session + 1;
                    *kept = Kept { session, ..Kept::default() };
                }
                let json = module().to_json();
                let welcome = Welcome {
                    protocol: PROTOCOL_VERSION,
                    resumed: resumed.is_some(),
                    session: SessionId(kept.session),
                    secret: SECRET,
                    identity: Identity::NONE,
                    tick: 1,
                    tick_us: 50_000,
                    time: Timestamp(0),
                    schema: module().hash(),
                    calls: kept.ran.len() as u32,
                    bytes_per_second: 0,
                    description: Some(&json),
                };
                let mut bytes = Vec::new();
                ServerMessage::Welcome(welcome).encode(&mut bytes);
                answers.push(bytes);
                let known = resumed.map_or(0, |resume| {
                    assert_eq!(resume.secret, SECRET);
                    resume.results as usize
                });
                answers.extend((known..kept.ran.len()).map(|at| result(at as u8 + 1, kept.ran[at])));
            }
        }
        loop {
            for answer in answers.drain(..) {
                if lock(&kept).cuts() {
                    return;
                }
                connection.send(Lane::World, &[answer.into()]);
                if connection.flush().await.is_err() {
                    return;
                }
            }
            let Ok(message) = connection.recv().await else { return };
            if lock(&kept).cuts() {
                return;
            }
            for message in ClientMessage::decode_all(&message) {
                if let Ok(ClientMessage::Call { seq, args, .. }) = message {
                    let ran = &mut lock(&kept).ran;
                    if seq as usize == ran.len() + 1 {
                        ran.push(args[0]);
                        answers.push(result(seq as u8, args[0]));
                    } else {
                        assert!(seq as usize <= ran.len(), "call {seq} came without those before it");
                    }
                }
            }
        }
    }

    async fn connect(kept: &Arc<Mutex<Kept>>, new_session: bool) -> Client {
        let kept = Arc::clone(kept);
        let dial = move || {
            let (server, client) = loopback(&Limits::SERVER, &Limits::CLIENT);
            tokio::spawn(serve(Arc::clone(&kept), server));
            async move { Ok(Box::new(client) as Box<dyn Connection>) }
        };
        let backoff = Duration::from_millis(1);
        let reconnect = Some(Reconnect {
            backoff_min: backoff,
            backoff_max: backoff,
            new_session,
            ..Reconnect::default()
        });
        Client::connect_with(dial, ConnectOptions { reconnect, ..ConnectOptions::default() }).await.unwrap()
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), Box::pin(future)).await.expect("it hangs")
    }

    async fn call_all(client: &Client, values: std::ops::Range<u8>) {
        for value in values {
            let outcome = soon(client.call_raw(0, vec![value])).await;
            assert_eq!(outcome, Ok(CallOutcome::Ok(vec![value].into())));
        }
    }

    #[tokio::test]
    async fn calls_run_once_however_often_the_connection_is_cut() {
        let kept = Arc::default();
        let client = connect(&kept, false).await;
        lock(&kept).odds = 3;
        call_all(&client, 0..120).await;
        let ran = lock(&kept).ran.clone();
        assert_eq!(ran, (0..120).collect::<Vec<_>>());
        let (cuts, resumes) = (lock(&kept).cuts, client.statistics().resumes);
        assert!(cuts >= 100 && resumes > 0, "{cuts} cuts, {resumes} resumes");
        assert_eq!(client.session(), SessionId(1));
        assert_eq!(client.ticket().to_string(), format!("1.{}.120", "07".repeat(16)));
    }

    #[tokio::test]
    async fn a_session_that_is_gone_is_followed_by_a_new_one_or_is_the_end() {
        for new_session in [true, false] {
            let kept = Arc::default();
            let client = connect(&kept, new_session).await;
            call_all(&client, 0..3).await;
            {
                let mut kept = lock(&kept);
                (kept.forgotten, kept.odds) = (true, 1);
            }
            let call = tokio::spawn({
                let client = client.clone();
                async move { client.call_raw(0, vec![3]).await }
            });
            assert_eq!(
                soon(client.state_changed(&ConnectionState::Connected)).await,
                ConnectionState::Reconnecting
            );
            lock(&kept).odds = 0;
            let why = soon(call).await.unwrap().unwrap_err();
            if new_session {
                assert!(matches!(why, Disconnected::Lost(_)), "{why}");
                soon(client.state_changed(&ConnectionState::Reconnecting)).await;
                assert_eq!((client.session(), client.statistics().new_sessions), (SessionId(2), 1));
                call_all(&client, 0..3).await;
            } else {
                let expired = Close { code: CloseCode::Expired, message: "unknown".to_owned() };
                assert_eq!(why, Disconnected::ByServer(expired));
                assert_eq!(client.disconnected(), Some(why));
            }
        }
    }
}
