//! A WebTransport client as a browser is one, with an implementation of its own of what runs on the stream.
//!
//! A task carries messages between the session and a loopback, whose other end is the client that the suites see.

use bytes::{Buf, Bytes, BytesMut};
use evertick_transport::{Connection, ConnectionExt, Lane, Limits, Loopback, TransportError, Url, loopback};
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
    tokio::spawn(carry(session, writer, reader, ours));
    Box::new(theirs)
}

async fn carry(session: Session, mut writer: SendStream, mut reader: RecvStream, mut client: Loopback) {
    let mut arrived = BytesMut::new();
    let mut part = [0; 4096];
    loop {
        tokio::select! {
            outgoing = client.recv() => match outgoing {
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
                    while let Ok(Some(_)) = reader.read(&mut part).await {}
                    session.close(0, b"");
                    return;
                }
                Err(_) => break,
            },
            incoming = reader.read(&mut part) => match incoming {
                Ok(Some(count)) => {
                    arrived.extend_from_slice(&part[..count]);
                    if let Some((code, reason)) = deliver(&mut arrived, &mut client) {
                        client.close(code, &reason);
                        let _reader_gone = client.flush().await;
                        session.close(0, b"");
                        return;
                    }
                    // What the client does not read, the server is to notice.
                    if client.flush().await.is_err() {
                        break;
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
        }
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
