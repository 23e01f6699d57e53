//! What a studio sets holds: with a whole server and a real client.

use std::time::{Duration, Instant};

use evertick::{Error, RunningServer};
use evertick_client::ConnectionState;
use glam::Vec2;
use market_module::{Driving, drive};

use crate::servers::market::{builder, connect, connect_again};
use crate::soon::until;

const BYTES_PER_SECOND: u32 = 8 * 1024;

/// Bytes that all clients were sent.
fn sent(server: &RunningServer) -> f64 {
    server.snapshot().gateway.bytes_out as f64
}

/// Two hundred carts are some 20 KB a second and more.
#[tokio::test]
async fn a_client_is_sent_no_more_than_its_budget() {
    let server = builder().websocket("127.0.0.1:0").bytes_per_second(BYTES_PER_SECOND).bytes_burst(4096);
    let server = server.calls_per_second(1000, 1000).start().unwrap();
    let client = connect(&server.urls()[0], "watcher").await;
    for index in 0..200 {
        let direction = Vec2::from_angle(index as f32);
        client.call(drive::call(direction, 1_000_000)).await.unwrap();
    }
    until(async || client.rows::<Driving>().unwrap().len() == 200).await;
    // What was ordered may have been beyond the budget; the debt is a second's bytes at most.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (from, before) = (Instant::now(), sent(&server));
    let skipped = server.snapshot().gateway.states_over_budget;
    tokio::time::sleep(Duration::from_secs(3)).await;
    until(async || server.snapshot().gateway.states_over_budget > skipped + 10).await;
    let bytes = sent(&server) - before;
    let budget = from.elapsed().as_secs_f64() * f64::from(BYTES_PER_SECOND) + 4096.0;
    // The last state of a frame may be a debt; answers to pings are not counted.
    assert!(bytes <= budget + 2048.0, "{bytes} of {budget}");
    assert!(bytes >= 1024.0, "the client is sent something: {bytes}");
}

#[tokio::test]
async fn a_session_is_kept_for_as_long_as_was_said() {
    let short = Duration::from_millis(300);
    let server = builder().websocket("127.0.0.1:0").resume_time(short).start().unwrap();
    let (client, way) = connect_again(&server.urls()[0], "player").await;
    way.lead_to("ws://127.0.0.1:1");
    way.cut();
    until(async || server.snapshot().gateway.parks_expired == 1).await;
    until(async || server.snapshot().gateway.sessions_open == 0).await;
    let counted = server.snapshot().gateway;
    assert_eq!((counted.resumes, counted.sessions_parked), (0, 0));
    until(async || server.snapshot().host.sessions == 0).await;
    // Its client is told so, and opens another.
    way.lead_to(&server.urls()[0]);
    until(async || client.statistics().new_sessions == 1 && client.state() == ConnectionState::Connected)
        .await;
    let counted = server.snapshot().gateway;
    assert_eq!((counted.resumes, counted.resumes_refused, counted.sessions_opened), (0, 1, 2));
}

#[tokio::test]
async fn what_is_out_of_bounds_does_not_start() {
    let refused = builder().websocket("127.0.0.1:0").resume_time(Duration::from_secs(86_400)).start();
    let Err(error @ Error::Setting { .. }) = refused else { panic!("a day is too long") };
    assert!(error.to_string().contains("gateway.limits.resume_time is 86400s"), "{error}");
}
