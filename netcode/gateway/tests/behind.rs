//! Sessions that can't be sent all that they see: the rest is sent later, and in the end they have everything.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod host;

use std::time::Duration;

use common::{Over, Raw, serve, with_limits};
use evertick_protocol::{ClientMessage, CloseCode};
use host::module::{self, Spawn};
use host::soon;

suite!(Loopback over_loopback, WebSocket over_websocket, Quic over_quic: [
    snapshots_beyond_the_budget_come_later
]);

suite!(Loopback slow_over_loopback, WebSocket slow_over_websocket: [
    who_reads_slowly_falls_behind_and_catches_up
]);

/// More than the budget takes at once.
async fn snapshots_beyond_the_budget_come_later(over: Over) {
    let limits = with_limits(|limits| (limits.bytes_per_second, limits.bytes_burst) = (20_000, 4_000));
    let host = serve(over, &limits);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Spawn::NUMBER, &[]).await;
    host.show_cells(client.session, 40, 1000);
    host.until("topics are behind", |host| host.metrics().topics_behind > 20).await;
    while client.replica.len(module::TITLE) < 1 + 40 {
        host.shout("time passes");
        client.take().await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let metrics = host.metrics();
    assert!(metrics.resyncs >= metrics.topics_behind, "{metrics:?}");
}

async fn who_reads_slowly_falls_behind_and_catches_up(over: Over) {
    let limits = with_limits(|limits| {
        (limits.outgoing_bytes_soft, limits.outgoing_bytes_behind) = (20_000, 60_000);
        (limits.bytes_per_second, limits.outgoing_messages_max) = (0, 100_000);
        limits.outgoing_bytes_max = 64 << 20;
    });
    let host = serve(over, &limits);
    let mut client = Raw::open(host.connection().await, b"ann").await;
    client.ask(1, Spawn::NUMBER, &[]).await;
    host.show_cells(client.session, 10, 1000);
    while client.replica.len(module::TITLE) < 1 + 10 {
        client.take().await.unwrap();
    }
    // Nobody reads; the kernel takes some of it.
    let mut shouts = 0;
    while host.metrics().topics_behind < 10 {
        host.shout(&"x".repeat(50_000));
        shouts += 1;
        assert!(shouts < 2000, "it never falls behind");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Cells go on, and the client is not told of it before it has read the rest.
    host.change_cells("new");
    while client.events < shouts {
        client.take().await.unwrap();
    }
    let changed = |client: &Raw| {
        let titles = client.replica.rows(module::TITLE);
        titles.filter(|(_, row)| row.windows(3).any(|part| part == b"new")).count()
    };
    let catches_up = async {
        while changed(&client) < 10 {
            host.shout("time passes");
            client.take().await.unwrap();
        }
    };
    soon(catches_up).await;
    assert_eq!(host.metrics().closes[CloseCode::TooSlow as usize], 0);
    common::send(&mut *client.connection, &ClientMessage::Bye).await;
    client.until_closed().await;
}
