//! A WebTransport client as a browser is one, with an implementation of its own of what runs on the stream.
//!
//! A task carries messages between the session and a loopback, whose other end is the client that the suites see: all lanes.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use evertick_transport::{
    Connection, ConnectionExt, Datagrams, Lane, Limits, Loopback, Peer, Queued, Signals, TransportError, Url,
    loopback,
};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use web_transport_quinn::{ClientBuilder, RecvStream, SendStream, Session, SessionError, WebTransportError};

/// Opens a WebTransport session with the listener's self-signed certificate.
pub(crate) async fn session(url: &str) -> Session {
    let url: Url = url.parse().unwrap();
    let hash = url.certificate.unwrap().0.to_vec();
    let client = ClientBuilder::new().with_server_certificate_hashes(vec![hash]).unwrap();
    let address = format!("https://{}:{}/", url.host, url.port);
    client.connect(url::Url::parse(&address).unwrap()).await.unwrap()
}

pub(crate) async fn connect(url: &str, limits: Limits) -> Box<dyn Connection> {
    let session = session(url).await;
    let (mut writer, reader) = session.open_bi().await.unwrap();
    writer.write_all(&[0]).await.unwrap();
    let (ours, theirs) = loopback(&Limits { message_bytes_max: usize::MAX, ..limits }, &limits);
    tokio::spawn(carry(session.clone(), writer, reader, ours));
    Box::new(Browser { session, ordered: theirs })
}

/// The client's end: datagrams go to the session, everything else to the task that carries it.
struct Browser {
    session: Session,
    ordered: Loopback,
}

impl Connection for Browser {
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransportError>> {
        self.ordered.poll_recv(context)
    }

    fn send(&mut self, lane: Lane, parts: &[Bytes]) {
        let all = parts.concat();
        if lane != Lane::Latest || self.session.send_datagram(all.into()).is_err() {
            self.ordered.send(lane, parts);
        }
    }

    fn datagrams(&self) -> Option<Datagrams> {
        Some(Datagrams {
            bytes_max: self.session.max_datagram_size(),
            room: self.session.datagram_send_buffer_space(),
        })
    }

    fn signals(&self) -> Signals {
        Signals::default()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.ordered.poll_flush(context)
    }

    fn queued(&self) -> Queued {
        self.ordered.queued()
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.ordered.close(code, reason);
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.ordered.poll_finish(context)
    }

    fn peer(&self) -> Peer {
        Peer::Socket(self.session.remote_address())
    }
}

/// Passes on what comes on a stream; `None` is the end of the world.
async fn carry_stream(mut stream: RecvStream, to: mpsc::Sender<(u8, Option<Bytes>)>) {
    let mut kind = [0];
    stream.read_exact(&mut kind).await.unwrap();
    let [kind] = kind;
    if kind == 2 {
        let message = stream.read_to_end(1_000_000).await.unwrap();
        let _client_gone = to.send((2, Some(message.into()))).await;
        return;
    }
    assert_eq!(kind, 1, "a kind of stream that does not exist");
    loop {
        let chunk = stream.read_chunk(4096, true).await.ok().flatten().map(|chunk| chunk.bytes);
        let ended = chunk.is_none();
        if to.send((1, chunk)).await.is_err() || ended {
            return;
        }
    }
}

async fn carry(session: Session, mut writer: SendStream, mut reader: RecvStream, mut client: Loopback) {
    let (mut arrived, mut world) = (BytesMut::new(), BytesMut::new());
    let mut part = [0; 4096];
    let (to, mut streams) = mpsc::channel(1);
    let (mut greeted, mut world_open) = (false, false);
    let mut end = None;
    loop {
        if end.is_some() && !world_open {
            break;
        }
        tokio::select! {
            outgoing = client.recv(), if end.is_none() => match outgoing {
                Ok(message) => {
                    let mut framed = prefix(message.len());
                    framed.extend_from_slice(&message);
                    if writer.write_all(&framed).await.is_err() {
                        break;
                    }
                }
                Err(TransportError::Closed(reason)) => {
                    let mut last = vec![0];
                    last.extend(reason.code.unwrap_or(0).to_le_bytes());
                    last.push(reason.reason.len() as u8);
                    last.extend(reason.reason.as_bytes());
                    let _server_gone = writer.write_all(&last).await;
                    let _server_gone = writer.finish();
                    drop(streams);
                    while let Ok(Some(_)) = reader.read(&mut part).await {}
                    session.close(0, b"");
                    return;
                }
                Err(_) => break,
            },
            incoming = reader.read(&mut part), if end.is_none() => match incoming {
                Ok(Some(count)) => {
                    arrived.extend_from_slice(&part[..count]);
                    end = deliver(&mut arrived, &mut client);
                    greeted = true;
                    if end.is_some() {
                        // The world is there, if there is one.
                        while let Some(Ok(stream)) = session.accept_uni().now_or_never() {
                            world_open = true;
                            tokio::spawn(carry_stream(stream, to.clone()));
                        }
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    if let SessionError::WebTransportError(WebTransportError::Closed(code, reason)) = session.closed().await {
                        client.close(code as u16, &reason);
                        let _reader_gone = client.flush().await;
                    }
                    return;
                }
            },
            stream = session.accept_uni(), if greeted && end.is_none() => {
                let Ok(stream) = stream else { continue };
                tokio::spawn(carry_stream(stream, to.clone()));
            }
            Some((kind, bytes)) = streams.recv() => match (kind, bytes) {
                (2, Some(message)) => client.send(Lane::Latest, &[message]),
                (_, Some(chunk)) => {
                    world_open = true;
                    world.extend_from_slice(&chunk);
                    assert!(deliver(&mut world, &mut client).is_none(), "an end in the world");
                }
                (_, None) => world_open = false,
            },
            Ok(datagram) = session.read_datagram(), if greeted && end.is_none() => {
                client.send(Lane::Latest, &[datagram]);
            }
        }
        // What the client does not read, the server is to notice.
        if client.flush().await.is_err() {
            break;
        }
    }
    if let Some((code, reason)) = end {
        client.close(code, &reason);
        let _reader_gone = client.flush().await;
    }
    session.close(0, b"");
}

fn prefix(length: usize) -> Vec<u8> {
    let mut value = length + 1;
    let mut out = Vec::new();
    while value >= 128 {
        out.push((value % 128) as u8 | 128);
        value /= 128;
    }
    out.push(value as u8);
    out
}

/// Passes whole messages on; the code and reason of the end, when it is there.
fn deliver(arrived: &mut BytesMut, client: &mut Loopback) -> Option<(u16, String)> {
    loop {
        let mut value = 0_usize;
        let mut bytes = 0;
        loop {
            let byte = *arrived.get(bytes)?;
            value |= usize::from(byte & 127) << (7 * bytes);
            bytes += 1;
            if byte < 128 {
                break;
            }
        }
        if value == 0 {
            let length = usize::from(*arrived.get(3)?);
            let reason = arrived.get(4..4 + length)?;
            return Some((
                u16::from_le_bytes([arrived[1], arrived[2]]),
                String::from_utf8_lossy(reason).into_owned(),
            ));
        }
        if arrived.len() < bytes + value - 1 {
            return None;
        }
        arrived.advance(bytes);
        client.send(Lane::Control, &[Bytes::from(arrived.split_to(value - 1).to_vec())]);
    }
}
