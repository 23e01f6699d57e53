//! The simulated network, seen from its ends.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Over, PATIENCE, fill, pair, soon};
use evertick_transport::{Conditions, Connection, ConnectionExt, Lane, Limits, loopback, simulate};
use tokio::time::Instant;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A loopback with the network before its second end.
fn ends(conditions: Conditions) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let (near, far) = loopback(&Limits::SERVER, &Limits::CLIENT);
    (Box::new(near), simulate(Box::new(far), conditions))
}

/// When each of the messages arrived, which were sent every 10 ms.
async fn times(
    from: &mut Box<dyn Connection>,
    to: &mut Box<dyn Connection>,
    messages: u8,
) -> Vec<(u8, Duration)> {
    let start = Instant::now();
    let sending = async {
        for number in 0..messages {
            from.send(Lane::World, &[Bytes::copy_from_slice(&[number])]);
            // Receiving writes too, and nothing comes.
            assert!(tokio::time::timeout(ms(10), from.recv()).await.is_err());
        }
        from.flush().await.unwrap();
    };
    let receiving = async {
        let mut arrived = Vec::new();
        while arrived.len() < usize::from(messages) {
            arrived.push((to.recv().await.unwrap()[0], start.elapsed()));
        }
        arrived
    };
    tokio::join!(sending, receiving).1
}

#[tokio::test(start_paused = true)]
async fn messages_take_their_time_both_ways() {
    let (mut near, mut far) = ends(Conditions { latency: ms(100), ..Conditions::default() });
    let want: Vec<_> = (0..20).map(|number: u8| (number, ms(100 + 10 * u64::from(number)))).collect();
    assert_eq!(times(&mut near, &mut far, 20).await, want);
    assert_eq!(times(&mut far, &mut near, 20).await, want);
    // So does the end.
    let start = Instant::now();
    far.send(Lane::Control, &[Bytes::from_static(b"last words")]);
    let reading = async {
        assert_eq!(near.recv().await.unwrap(), b"last words".as_slice());
        let end = near.recv().await.unwrap_err();
        (end.to_string(), start.elapsed())
    };
    let (end, ()) = tokio::join!(reading, far.finish(3, "done", PATIENCE));
    assert_eq!(end, ("the peer closed the connection with code 3: done".to_owned(), ms(100)));
}

#[tokio::test(start_paused = true)]
async fn the_seed_decides() {
    let conditions =
        Conditions { latency: ms(20), jitter: ms(30), loss: 0.2, burst: 2.0, ..Conditions::default() };
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let (mut near, mut far) = ends(Conditions { seed, ..conditions });
        seen.push((times(&mut near, &mut far, 50).await, times(&mut far, &mut near, 50).await));
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    let (there, back) = &seen[0];
    assert_ne!(there, back);
    for arrived in [there, back] {
        assert!(arrived.iter().map(|(number, _)| *number).eq(0..50), "the order does not hold");
        assert!(
            arrived.iter().any(|(number, at)| *at > ms(10 * u64::from(*number) + 60)),
            "nothing was lost"
        );
    }
}

#[tokio::test]
async fn the_latest_lane_feels_all_of_it() {
    let (mut server, client) = pair(Over::Quic, Limits::SERVER, Limits::CLIENT).await;
    let conditions = Conditions {
        latency: ms(5),
        jitter: ms(2),
        loss: 0.2,
        duplicate: 0.2,
        reorder: 0.2,
        ..Conditions::default()
    };
    let mut client = simulate(client, conditions);
    server.send(Lane::Control, &[Bytes::from_static(&[255])]);
    let sending = async {
        for number in 0..200_u8 {
            server.send(Lane::Latest, &[Bytes::copy_from_slice(&[number])]);
            server.flush().await.unwrap();
            tokio::time::sleep(ms(1)).await;
        }
        server.finish(1, "", PATIENCE).await;
    };
    let receiving = async {
        let mut arrived = Vec::new();
        while let Ok(message) = client.recv().await {
            assert_eq!(client.last_lane(), if message[0] == 255 { Lane::Control } else { Lane::Latest });
            arrived.push(message[0]);
        }
        client.finish(1, "", PATIENCE).await;
        arrived
    };
    let ((), arrived) = soon(async { tokio::join!(sending, receiving) }).await;
    assert_eq!(arrived[0], 255, "something came before the greeting");
    let times = |number: u8| arrived.iter().filter(|arrived| **arrived == number).count();
    assert!((0..200).any(|number| times(number) == 0), "nothing was lost");
    assert!((0..200).any(|number| times(number) == 2), "nothing came twice");
    assert!(!arrived[1..].is_sorted(), "nothing was overtaken");
}

#[tokio::test]
async fn a_network_that_is_full_holds_back_the_sender() {
    let (mut server, client) = pair(Over::WebSocket, Limits::SERVER, Limits::CLIENT).await;
    let mut client =
        simulate(client, Conditions { latency: Duration::from_hours(1), ..Conditions::default() });
    let block = Bytes::from(vec![1; 100_000]);
    // The client reads all the time, and nothing arrives.
    tokio::select! {
        arrived = client.recv() => panic!("{arrived:?}"),
        _ = fill(&mut *server, &block) => {}
    }
    // The other way, what is under way is the sender's to see.
    (0..5).for_each(|_| client.send(Lane::Control, std::slice::from_ref(&block)));
    assert_eq!((client.queued().messages, client.queued().bytes), (5, 500_000));
}
