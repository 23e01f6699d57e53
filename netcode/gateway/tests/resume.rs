//! Sessions go on over another connection: exactly once, whatever was under way, and for nobody else.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod host;

use std::time::Duration;

use common::{Over, Raw, send, serve, turned_away, with_limits};
use evertick_gateway::GatewayConfig;
use evertick_protocol::{CallOutcome, ClientMessage, CloseCode, Hello, Resume, SessionSecret};
use evertick_schema::{EntityId, SessionId};
use evertick_transport::{ConnectionExt, Lane};
use host::module::{self, Increment, Look, Spawn, result};
use host::soon;

suite!(Loopback over_loopback, WebSocket over_websocket, Quic over_quic: [
    a_lost_connection_is_followed_by_another,
    calls_run_once_however_often_the_connection_is_cut,
    results_that_were_not_acknowledged_come_again_and_no_others,
    what_is_gone_meanwhile_is_told,
    a_second_connection_replaces_the_first,
    a_page_that_is_loaded_anew_goes_on,
    who_has_no_such_session_is_told_so,
    a_session_is_kept_for_a_while_only,
    only_so_many_sessions_are_parked,
    the_host_can_end_a_parked_session,
    call_numbers_have_no_gaps
]);

fn resume_hello(resume: Resume) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientMessage::Hello(Hello { resume: Some(resume), ..Hello::new(b"whoever") }).encode(&mut bytes);
    bytes
}

async fn a_lost_connection_is_followed_by_another(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Spawn::NUMBER, &[]).await;
    let session = client.session;
    for round in 1..=5 {
        client.cut();
        host.until("it is parked", |host| host.metrics().sessions_parked == 1).await;
        assert_eq!(host.sessions().len(), 1, "the host hears nothing of it");
        // The world goes on meanwhile.
        let mut other = Raw::open(host.connection().await, b"bob").await;
        other.ask(1, Increment::NUMBER, &result(&EntityId(2))).await;
        let welcome = client.resume(host.connection().await).await.unwrap();
        assert_eq!((welcome, client.session), (round, session));
        client.ask(round + 1, Spawn::NUMBER, &[]).await;
        assert_eq!(client.replica.get(module::SCORE, EntityId(2)), Some(&round.to_le_bytes()[..]));
        send(&mut *other.connection, &ClientMessage::Bye).await;
        other.until_closed().await;
        host.until("the other is gone", |host| host.sessions().len() == 1).await;
    }
    let metrics = host.metrics();
    assert_eq!((metrics.resumes, metrics.resumes_refused, metrics.sessions_parked), (5, 0, 0));
    assert_eq!(metrics.sessions_open, 1);
}

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Before calls are sent, before they are taken, before their results are there, before these are acknowledged.
async fn calls_run_once_however_often_the_connection_is_cut(over: Over) {
    let limits = with_limits(|limits| (limits.calls_per_second, limits.calls_burst) = (100_000, 100_000));
    let host = serve(over, &limits);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    let mut chance = Chance(over as u64 + 7);
    let (mut said, mut cuts) = (0_u32, 0);
    while cuts < 120 {
        let more = chance.below(4) as u32;
        client.increments(said + 1..said + more + 1).await;
        said += more;
        if chance.below(3) == 0 {
            let results = client.results.len() as u64;
            send(&mut *client.connection, &ClientMessage::Ping { client_us: 0, results }).await;
        }
        let some = client.results.len() + chance.below(3) as usize;
        client.until_results(some.min(said as usize)).await;
        if chance.below(2) == 0 {
            client.cut();
            cuts += 1;
            let taken = client.resume(host.connection().await).await.unwrap();
            assert!(taken <= said);
            client.increments(taken + 1..said + 1).await;
        }
    }
    client.until_results(said as usize).await;
    let expected: Vec<_> = (1..=said).map(|count| (count, CallOutcome::Ok(result(&count)))).collect();
    assert_eq!(client.results, expected, "each once, in order");
    assert_eq!(host.calls(), (1..=said).collect::<Vec<_>>());
    assert_eq!(client.replica.get(module::SCORE, EntityId(1)), Some(&said.to_le_bytes()[..]));
    assert_eq!((host.metrics().resumes, host.metrics().sessions_opened), (120, 1));
}

async fn results_that_were_not_acknowledged_come_again_and_no_others(over: Over) {
    let limits = with_limits(|limits| (limits.calls_per_second, limits.calls_burst) = (100_000, 100_000));
    let host = serve(over, &limits);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.increments(1..11).await;
    client.until_results(10).await;
    let got = std::mem::take(&mut client.results);
    // As if it had seen four only; and it has acknowledged three, and numbers that were never sent.
    for results in [3, 0] {
        send(&mut *client.connection, &ClientMessage::Ping { client_us: 0, results }).await;
    }
    client.call(11, 77, &[]).await;
    client.until_results(1).await;
    client.results = got[..4].to_vec();
    client.resume(host.connection().await).await.unwrap();
    client.until_results(11).await;
    assert_eq!(client.results[..10], got[..]);
    assert_eq!(client.results[10].0, 11);
    // Two were acknowledged, so they are not kept any more.
    client.results.truncate(2);
    let close = client.resume(host.connection().await).await.unwrap_err();
    assert_eq!(close.code, CloseCode::Expired);
    // Nor has it ever got so many.
    client.results.resize(99, got[0].clone());
    assert_eq!(client.resume(host.connection().await).await.unwrap_err().code, CloseCode::Expired);
    assert_eq!((host.metrics().resumes, host.metrics().resumes_refused), (1, 2));
}

async fn what_is_gone_meanwhile_is_told(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Look::NUMBER, &[1]).await;
    assert_eq!(client.replica.len(module::SECRET), 1);
    // The call runs; nobody is there to hear of it.
    client.call(2, Look::NUMBER, &[0]).await;
    host.until("the call ran", |host| host.calls().len() == 2).await;
    client.cut();
    client.resume(host.connection().await).await.unwrap();
    client.until_results(2).await;
    assert_eq!(client.replica.len(module::SECRET), 0);
    assert_eq!(client.replica.len(module::SCORE), 1);
    // And what has come.
    client.call(3, Look::NUMBER, &[1]).await;
    host.until("the call ran", |host| host.calls().len() == 3).await;
    client.cut();
    client.resume(host.connection().await).await.unwrap();
    client.until_results(3).await;
    assert_eq!(client.replica.len(module::SECRET), 1);
}

async fn a_second_connection_replaces_the_first(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut first = Raw::open(host.connection().await, b"ann").await;
    let mut second = first.beside(host.connection().await);
    second.resume_over().await.unwrap();
    assert_eq!(first.until_closed().await.code, CloseCode::Replaced);
    second.ask(1, Spawn::NUMBER, &[]).await;
    assert_eq!(host.metrics().closes[CloseCode::Replaced as usize], 1);
    assert_eq!((host.metrics().sessions_open, host.sessions().len()), (1, 1));
}

async fn a_page_that_is_loaded_anew_goes_on(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Spawn::NUMBER, &[]).await;
    let mut anew = client.beside(host.connection().await);
    client.cut();
    drop(client);
    assert_eq!(anew.resume_over().await.unwrap(), 1);
    anew.ask(2, Look::NUMBER, &[1]).await;
    assert_eq!((anew.replica.len(module::SCORE), anew.replica.len(module::SECRET)), (2, 1));
}

async fn who_has_no_such_session_is_told_so(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    let good = client.ticket();
    let mut secret = good.secret;
    secret.0[15] ^= 1;
    let bad = [
        Resume { session: SessionId(999), ..good },
        Resume { secret, ..good },
        Resume { secret: SessionSecret::default(), ..good },
        Resume { results: u64::MAX, ..good },
    ];
    for resume in bad {
        assert_eq!(turned_away(&host, &resume_hello(resume)).await.code, CloseCode::Expired);
    }
    let mut cut_short = resume_hello(good);
    cut_short.truncate(cut_short.len() - 5);
    assert_eq!(turned_away(&host, &cut_short).await.code, CloseCode::BadMessage);
    assert_eq!(host.metrics().resumes_refused, 4);
    // The session knows nothing of it.
    client.ask(1, Spawn::NUMBER, &[]).await;
    send(&mut *client.connection, &ClientMessage::Bye).await;
    assert_eq!(client.until_closed().await.code, CloseCode::Normal);
    host.until("it is over", |host| host.sessions().is_empty()).await;
    assert_eq!(turned_away(&host, &resume_hello(good)).await.code, CloseCode::Expired);
    // Two sessions have different secrets.
    let [one, other] = [
        Raw::open(host.connection().await, b"ann").await.ticket(),
        Raw::open(host.connection().await, b"ann").await.ticket(),
    ];
    assert!(one.secret != other.secret && one.secret != SessionSecret::default());
}

async fn a_session_is_kept_for_a_while_only(over: Over) {
    let host = serve(over, &with_limits(|limits| limits.resume_time = Duration::from_millis(30)));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows it", |host| host.sessions().len() == 1).await;
    client.cut();
    host.until("the host hears that it is over", |host| host.sessions().is_empty()).await;
    assert_eq!(client.resume(host.connection().await).await.unwrap_err().code, CloseCode::Expired);
    assert_eq!((host.metrics().sessions_parked, host.metrics().closes[0]), (0, 1));
}

async fn only_so_many_sessions_are_parked(over: Over) {
    let host = serve(over, &GatewayConfig { parked_sessions_max: 1, ..with_limits(|_| {}) });
    let mut first = Raw::open(host.connection().await, b"ann").await;
    let mut second = Raw::open(host.connection().await, b"bob").await;
    host.until("both are known", |host| host.sessions().len() == 2).await;
    first.cut();
    host.until("one is parked", |host| host.metrics().sessions_parked == 1).await;
    second.cut();
    host.until("the other is over", |host| host.sessions().len() == 1).await;
    assert_eq!(host.metrics().parks_refused, 1);
    assert_eq!(second.resume(host.connection().await).await.unwrap_err().code, CloseCode::Expired);
    first.resume(host.connection().await).await.unwrap();
    assert_eq!(host.metrics().sessions_parked, 0);
}

async fn the_host_can_end_a_parked_session(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows it", |host| host.sessions().len() == 1).await;
    client.cut();
    host.until("it is parked", |host| host.metrics().sessions_parked == 1).await;
    let close = evertick_protocol::Close { code: CloseCode::Unauthorized, message: "banned".to_owned() };
    host.dismiss(client.session, close);
    host.until("it is over", |host| host.sessions().is_empty()).await;
    assert_eq!(client.resume(host.connection().await).await.unwrap_err().code, CloseCode::Expired);
    assert_eq!(host.metrics().closes[CloseCode::Unauthorized as usize], 1);
    // So does a gateway that stops, and it does not wait for those that are parked.
    let mut client = Raw::open(host.connection().await, b"ann").await;
    host.until("the host knows it", |host| host.sessions().len() == 1).await;
    client.cut();
    host.until("it is parked", |host| host.metrics().sessions_parked == 1).await;
    host.shutdown(Duration::from_secs(20));
    assert_eq!(host.metrics().sessions_open, 0);
    assert_eq!(host.metrics().closes[CloseCode::Shutdown as usize], 1);
}

async fn call_numbers_have_no_gaps(over: Over) {
    let host = serve(over, &with_limits(|_| {}));
    let mut client = Raw::open(host.connection().await, b"ann").await;
    for seq in [0, 1, 2, 1, 2, 0] {
        client.call(seq, Spawn::NUMBER, &[]).await;
    }
    client.ask(3, Spawn::NUMBER, &[]).await;
    assert_eq!(client.results.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((host.calls(), host.metrics().calls_doubled), (vec![1, 2, 3], 4));
    let mut bytes = Vec::new();
    ClientMessage::Call { seq: 5, reducer: Spawn::NUMBER, args: &[] }.encode(&mut bytes);
    client.connection.send(Lane::Control, &[bytes.into()]);
    soon(client.connection.flush()).await.unwrap();
    let close = client.until_closed().await;
    assert_eq!(close.code, CloseCode::BadMessage);
    assert!(close.message.contains("call 5 came after call 3"), "{}", close.message);
    assert_eq!(client.resume(host.connection().await).await.unwrap_err().code, CloseCode::Expired);
}
