//! What every connection promises, over every transport.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Over, PATIENCE, fill, pair, soon};
use evertick_transport::{Connection, ConnectionExt, Lane, Limits, TransportError};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

type End = Box<dyn Connection>;

/// Makes each of the functions a test over each transport.
macro_rules! suite {
    ($($over:ident $name:ident),*: $tests:tt) => { $(suite!(@one $over $name $tests);)* };
    (@one $over:ident $name:ident [$($test:ident),*]) => {
        mod $name {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                super::$test(Over::$over).await;
            })*
        }
    };
}

suite!(
    Loopback over_loopback, WebSocket over_websocket, Wss over_wss, Quic over_quic, WebTransport over_webtransport,
    BadLoopback over_bad_loopback, BadWebSocket over_bad_websocket, BadWss over_bad_wss, BadQuic over_bad_quic,
    BadWebTransport over_bad_webtransport: [
        messages_and_the_end_arrive,
        all_that_was_sent_before_the_end_arrives,
        an_oversize_message_is_an_error_and_the_last_words_still_arrive,
        what_a_peer_does_not_read_stays_queued,
        both_may_talk_at_once,
        both_may_end_at_once,
        a_dropped_end_is_noticed,
        nothing_follows_the_end,
        any_messages_arrive_as_they_were,
        order_holds_within_a_lane,
        the_world_is_seen_to_its_end,
        the_latest_arrives
    ]
);

async fn messages_and_the_end_arrive(over: Over) {
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    let big = Bytes::from(vec![7_u8; 300_000]);
    let small = Bytes::from_static(b"small");
    server.send(Lane::Control, &[small.clone(), big.clone(), Bytes::new(), small.clone()]);
    server.send(Lane::Control, &[]);
    assert_eq!(server.queued().messages, 2);
    client.send(Lane::Control, &[small.clone(), small.clone()]);
    let at_server = async {
        server.flush().await.unwrap();
        server.recv().await.unwrap()
    };
    let at_client = async {
        client.flush().await.unwrap();
        (client.recv().await.unwrap(), client.recv().await.unwrap())
    };
    let (call, (frame, empty)) = soon(async { tokio::join!(at_server, at_client) }).await;
    assert_eq!(call, b"smallsmall".as_slice());
    assert_eq!(frame, [small.as_ref(), &big, &small].concat());
    assert!(empty.is_empty());
    assert_eq!(server.queued(), Default::default());

    let last_words = Bytes::from_static(b"last");
    server.send(Lane::Control, std::slice::from_ref(&last_words));
    let closing = server.finish(8, "the server stops", PATIENCE);
    let reading = async {
        assert_eq!(client.recv().await.unwrap(), last_words);
        let error = client.recv().await.unwrap_err();
        drop(client);
        error
    };
    let ((), error) = soon(async { tokio::join!(closing, reading) }).await;
    assert_eq!(error.to_string(), "the peer closed the connection with code 8: the server stops");
}

async fn all_that_was_sent_before_the_end_arrives(over: Over) {
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    let message = Bytes::from(vec![3; 60_000]);
    (0..50).for_each(|_| client.send(Lane::Control, std::slice::from_ref(&message)));
    let at_server = async {
        for _ in 0..50 {
            assert_eq!(server.recv().await.unwrap().len(), message.len());
        }
        let end = server.recv().await.unwrap_err();
        server.finish(1, "", PATIENCE).await;
        end
    };
    let (end, ()) = soon(async { tokio::join!(at_server, client.finish(5, "é", PATIENCE)) }).await;
    assert_eq!(end.to_string(), "the peer closed the connection with code 5: é");
}

async fn an_oversize_message_is_an_error_and_the_last_words_still_arrive(over: Over) {
    let limits = Limits { message_bytes_max: 1000, ..Limits::SERVER };
    let (mut server, mut client) = pair(over, limits, Limits::CLIENT).await;
    client.send(Lane::Control, &[vec![0; 1000].into()]);
    client.send(Lane::Control, &[vec![0; 200_000].into()]);
    let at_client = async move {
        let _broken_or_done = client.flush().await;
        let words = client.recv().await.unwrap();
        let _end = client.recv().await.unwrap_err();
        words
    };
    let at_server = async {
        assert_eq!(server.recv().await.unwrap().len(), 1000);
        let error = server.recv().await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { bytes_max: 1000 }), "{error}");
        server.send(Lane::Control, &[Bytes::from_static(b"too large")]);
        server.finish(3, "too large", PATIENCE).await;
    };
    let (words, ()) = soon(async { tokio::join!(at_client, at_server) }).await;
    assert_eq!(words, b"too large".as_slice());
}

async fn what_a_peer_does_not_read_stays_queued(over: Over) {
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    server.send(Lane::Control, &[]);
    let (greeting, _) = soon(async { tokio::join!(client.recv(), server.flush()) }).await;
    greeting.unwrap();
    let block = Bytes::from(vec![1; 100_000]);
    let sent = fill(&mut *server, &block).await;
    assert!(server.queued().bytes > 900_000);

    let reading = async {
        for _ in 0..sent {
            assert_eq!(client.recv().await.unwrap().len(), block.len());
        }
    };
    let ((), flushed) = soon(async { tokio::join!(reading, server.flush()) }).await;
    flushed.unwrap();
    assert_eq!(server.queued(), Default::default());
}

async fn both_may_talk_at_once(over: Over) {
    async fn talk(mut end: End) -> End {
        let mut heard = 0;
        for number in 0..2000_u32 {
            end.send(Lane::Control, &[Bytes::copy_from_slice(&number.to_le_bytes()), vec![0; 700].into()]);
            while heard < 2000 && end.queued().bytes > 64 * 1024 {
                // Reading writes too, or both would wait for each other for ever.
                let message = end.recv().await.unwrap();
                assert_eq!(message[..4], u32::to_le_bytes(heard));
                heard += 1;
            }
        }
        while heard < 2000 {
            assert_eq!(end.recv().await.unwrap()[..4], heard.to_le_bytes());
            heard += 1;
        }
        end.flush().await.unwrap();
        end
    }
    let (server, client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    let (server, client) = (tokio::spawn(talk(server)), tokio::spawn(talk(client)));
    let (server, client) = soon(async { tokio::join!(server, client) }).await;
    assert_eq!((server.unwrap().queued(), client.unwrap().queued()), Default::default());
}

async fn both_may_end_at_once(over: Over) {
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    let last = async { tokio::join!(server.finish(1, "", PATIENCE), client.finish(1, "", PATIENCE)) };
    soon(last).await;
}

async fn a_dropped_end_is_noticed(over: Over) {
    let (server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    drop(server);
    let error = soon(client.recv()).await.unwrap_err();
    assert!(matches!(error, TransportError::Closed(_) | TransportError::Lost(_)), "{error}");

    let (mut server, client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    drop(client);
    let error = soon(server.recv()).await.unwrap_err();
    assert!(matches!(error, TransportError::Closed(_) | TransportError::Lost(_)), "{error}");
    soon(server.finish(1, "", PATIENCE)).await;
}

async fn nothing_follows_the_end(over: Over) {
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    server.close(4, "first");
    server.close(5, "second");
    server.send(Lane::Control, &[Bytes::from_static(b"late")]);
    let reading = async {
        let error = client.recv().await.unwrap_err();
        assert!(client.recv().await.is_err(), "nothing comes after the end");
        client.finish(1, "", PATIENCE).await;
        error
    };
    let ((), error) = soon(async { tokio::join!(server.finish(6, "third", PATIENCE), reading) }).await;
    assert_eq!(error.to_string(), "the peer closed the connection with code 4: first");
}

async fn any_messages_arrive_as_they_were(over: Over) {
    let part = prop_oneof![0_usize..4, 500..520_usize, 0..5000_usize];
    let message = prop::collection::vec(part, 0..5);
    let messages = prop::collection::vec(message, 1..20);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    for _ in 0..16 {
        let messages = messages.new_tree(&mut runner).unwrap().current();
        soon(exchange(&messages, &mut server, &mut client)).await;
        soon(exchange(&messages, &mut client, &mut server)).await;
    }
}

/// Sends messages whose parts have these lengths, and compares.
async fn exchange(messages: &[Vec<usize>], from: &mut End, to: &mut End) {
    let messages: Vec<Vec<Bytes>> = messages
        .iter()
        .enumerate()
        .map(|(number, parts)| parts.iter().map(|length| vec![number as u8; *length].into()).collect())
        .collect();
    messages.iter().for_each(|parts| from.send(Lane::Control, parts));
    let reading = async {
        for parts in &messages {
            assert_eq!(to.recv().await.unwrap(), parts.concat());
        }
    };
    let (flushed, ()) = tokio::join!(from.flush(), reading);
    flushed.unwrap();
}

/// A message of a lane with a number.
fn numbered(lane: u8, number: u32, length: usize) -> Bytes {
    let mut message = vec![lane; 5 + length];
    message[1..5].copy_from_slice(&number.to_le_bytes());
    message.into()
}

fn number(message: &Bytes) -> u32 {
    u32::from_le_bytes(message[1..5].try_into().unwrap())
}

async fn order_holds_within_a_lane(over: Over) {
    const MESSAGES: u32 = 300;
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    let sending = async {
        for number in 0..MESSAGES {
            server.send(Lane::Control, &[numbered(0, number, 300)]);
            server.send(Lane::World, &[numbered(1, number, 2000)]);
            server.send(Lane::Latest, &[numbered(2, number, 400)]);
            if number % 16 == 0 {
                server.flush().await.unwrap();
            }
        }
        server.flush().await.unwrap();
        server
    };
    let reading = async {
        let mut seen = [0; 2];
        while seen != [MESSAGES; 2] {
            let message = client.recv().await.unwrap();
            match message[0] {
                2 => assert!(number(&message) < MESSAGES && message.len() == 405),
                lane => {
                    assert_eq!(number(&message), seen[usize::from(lane)]);
                    seen[usize::from(lane)] += 1;
                }
            }
        }
    };
    let (mut server, ()) = soon(async { tokio::join!(sending, reading) }).await;
    // A client has no world, and yet it may say so.
    (0..20).for_each(|number| client.send(Lane::World, &[numbered(1, number, 0)]));
    for want in 0..20 {
        let (message, _) = soon(async { tokio::join!(server.recv(), client.flush()) }).await;
        assert_eq!(number(&message.unwrap()), want);
    }
}

async fn the_world_is_seen_to_its_end(over: Over) {
    // Who is refused hears nothing but the last words.
    for greetings in [1, 0] {
        let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
        (0..greetings).for_each(|_| server.send(Lane::Control, &[numbered(0, 0, 0)]));
        (0..40).for_each(|number| server.send(Lane::World, &[numbered(1, number, 10_000)]));
        let reading = async {
            for want in 0..greetings {
                let message = client.recv().await.unwrap();
                assert_eq!((message[0], number(&message)), (0, want));
            }
            for want in 0..40 {
                let message = client.recv().await.unwrap();
                assert_eq!((message[0], number(&message)), (1, want));
            }
            let end = client.recv().await.unwrap_err();
            client.finish(1, "", PATIENCE).await;
            end
        };
        let (end, ()) = soon(async { tokio::join!(reading, server.finish(9, "why", PATIENCE)) }).await;
        assert_eq!(end.to_string(), "the peer closed the connection with code 9: why");
    }
}

async fn the_latest_arrives(over: Over) {
    let (mut server, mut client) = pair(over, Limits::SERVER, Limits::CLIENT).await;
    // Before a greeting, nothing is seen.
    for end in [&mut server, &mut client] {
        end.send(Lane::Control, &[numbered(0, 0, 0)]);
        soon(end.flush()).await.unwrap();
    }
    assert_eq!(soon(server.recv()).await.unwrap()[0], 0);
    assert_eq!(soon(client.recv()).await.unwrap()[0], 0);
    let datagrams = server.datagrams();
    let by_datagram = matches!(over, Over::Quic | Over::WebTransport | Over::BadQuic | Over::BadWebTransport);
    assert_eq!(datagrams.is_some(), by_datagram);
    if let Some(datagrams) = datagrams {
        assert!((1000..1500).contains(&datagrams.bytes_max) && datagrams.room > 10_000, "{datagrams:?}");
        assert!(server.signals().round_trip.is_some() && server.signals().congestion_window.is_some());
    }
    let fits = datagrams.map_or(1000, |datagrams| datagrams.bytes_max - 5);
    for (number, length) in [0, fits, fits + 1, 20_000].into_iter().enumerate() {
        let message = numbered(2, number as u32, length);
        latest(&mut server, &mut client, &message).await;
        latest(&mut client, &mut server, &message).await;
    }
    assert_eq!(server.queued(), Default::default());
    assert_eq!(server.signals().latest_dropped, 0);
}

/// Sends on the latest lane until it is there: a datagram may get lost.
async fn latest(from: &mut End, to: &mut End, message: &Bytes) {
    let (head, tail) = message.split_at(2);
    let parts = [Bytes::copy_from_slice(head), Bytes::copy_from_slice(tail)];
    let arriving = async {
        loop {
            from.send(Lane::Latest, &parts);
            from.flush().await.unwrap();
            match tokio::time::timeout(Duration::from_secs(2), to.recv()).await {
                Ok(arrived) if arrived.as_ref().unwrap() == message => return,
                Ok(_late) => {}
                Err(_lost) => {}
            }
        }
    };
    soon(arriving).await;
}
