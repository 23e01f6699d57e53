//! A client that reads nothing.

use evertick_protocol::{ClientMessage, Hello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Says Hello over a WebSocket, calls a reducer and never reads again. The kernel takes little for it.
///
/// # Panics
/// When the server does not take the connection.
pub async fn silent(address: &str, token: &str, reducer: u32, args: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("the kernel has sockets");
    socket.set_recv_buffer_size(4096).expect("a buffer may be small");
    let address_of = address.parse().expect("an address and a port");
    let mut stream = socket.connect(address_of).await.expect("the server listens");
    let upgrade = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut answer = [0; 12];
    stream.write_all(upgrade.as_bytes()).await.expect("the server takes the request");
    stream.read_exact(&mut answer).await.expect("the server answers");
    assert_eq!(&answer, b"HTTP/1.1 101");
    let hello = ClientMessage::Hello(Hello::new(token.as_bytes()));
    for message in [hello, ClientMessage::Call { seq: 1, reducer, args }] {
        stream.write_all(&framed(&message)).await.expect("the server takes the message");
    }
    stream
}

/// A message of a client's end of a WebSocket. It is masked, with nothing.
fn framed(message: &ClientMessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    let mut frame = vec![0x82];
    match u8::try_from(bytes.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&bytes);
    frame
}
