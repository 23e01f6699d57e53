//! The in-memory connection keeps the same promises as a socket.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use bytes::Bytes;
use evertick_transport::{Connection, ConnectionExt, Lane, Limits, TransportError, loopback};

fn pair() -> (impl Connection, impl Connection) {
    loopback(&Limits::SERVER, &Limits::CLIENT)
}

#[tokio::test]
async fn carries_messages_and_the_end() {
    let (mut server, mut client) = pair();
    client.send(Lane::Control, &[Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
    client.send(Lane::Control, &[]);
    client.flush().await.unwrap();
    assert_eq!(server.recv().await.unwrap(), b"ab".as_slice());
    assert!(server.recv().await.unwrap().is_empty());

    server.send(Lane::Control, &[Bytes::from_static(b"bye")]);
    server.finish(8, "done", Duration::from_secs(5)).await;
    drop(server);
    assert_eq!(client.recv().await.unwrap(), b"bye".as_slice());
    let error = client.recv().await.unwrap_err();
    assert_eq!(error.to_string(), "the peer closed the connection with code 8: done");
    client.send(Lane::Control, &[Bytes::from_static(b"late")]);
    assert!(matches!(client.flush().await, Err(TransportError::Lost(_))));
}

#[tokio::test]
async fn waits_for_a_reader_and_goes_on() {
    let (mut server, mut client) = pair();
    let block = Bytes::from(vec![0; 50_000]);
    (0..10).for_each(|_| server.send(Lane::Control, std::slice::from_ref(&block)));
    let reading = async {
        for _ in 0..10 {
            assert_eq!(client.recv().await.unwrap().len(), block.len());
        }
    };
    let (flushed, ()) = tokio::join!(server.flush(), reading);
    flushed.unwrap();
    assert_eq!(server.queued().messages, 0);
}

#[tokio::test]
async fn refuses_what_is_too_large() {
    let (mut server, mut client) = pair();
    client.send(Lane::Control, &[vec![0; Limits::SERVER.message_bytes_max + 1].into()]);
    client.flush().await.unwrap();
    assert!(matches!(server.recv().await, Err(TransportError::TooLarge { .. })));
}

#[tokio::test]
async fn a_dropped_end_is_a_closed_one() {
    let (server, mut client) = pair();
    drop(server);
    assert!(matches!(client.recv().await, Err(TransportError::Closed(_))));
}
