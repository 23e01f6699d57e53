//! Clients that read nothing, and clients that never stop talking.

use std::time::Duration;

use bytes::Bytes;
use evertick_protocol::{ClientMessage, CloseCode, Hello, Input, Inputs, Report, ServerMessage};
use evertick_schema::Call;
use evertick_transport::{ClientOptions, ConnectionExt, Lane, connect};
use futures_util::FutureExt;
use glam::Vec2;
use scene_module::players::look;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Reducers by number, as the server's description has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reducers {
    pub(crate) look: u32,
    pub(crate) churn: u32,
}

fn encoded(message: &ClientMessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// Enters a world in which much happens, and never reads again.
pub(crate) async fn silent(address: &str, number: usize, reducers: Reducers) -> TcpStream {
    let mut args = Vec::new();
    look::call(Vec2::ZERO, 256.0, 0).encode(&mut args);
    let token = format!("the secret of silent {number}, long enough");
    evertick_tests::silent::silent(address, &token, reducers.look, &args).await
}

/// Of what there is too much.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flood {
    Calls,
    CallsAgain,
    Pings,
    Inputs,
    Queries,
    Reports,
}

pub(crate) const FLOODS: [Flood; 6] =
    [Flood::Calls, Flood::CallsAgain, Flood::Pings, Flood::Inputs, Flood::Queries, Flood::Reports];

/// Messages in one, and such messages at most.
const AT_ONCE: u32 = 64;
const BATCHES_MAX: u32 = 2_000;

fn batch(flood: Flood, batch: u32, reducers: Reducers) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut args = Vec::new();
    scene_module::props::churn::call(0, 0).encode(&mut args);
    for index in 1..=AT_ONCE {
        let call = |seq| ClientMessage::Call { seq, reducer: reducers.churn, args: &args };
        let mut buffer = Vec::new();
        let number = u64::from(batch * AT_ONCE + index);
        let message = match flood {
            Flood::Calls => call(number as u32),
            Flood::CallsAgain => call(1),
            Flood::Pings => ClientMessage::Ping { client_us: number, results: 0 },
            Flood::Inputs => {
                let input = [Input { tick: number, reducer: 0, args: &[] }];
                ClientMessage::Input(Inputs::new(&input, &mut buffer))
            }
            Flood::Queries => ClientMessage::Subscribe { query: index, text: "SELECT * FROM Offer" },
            Flood::Reports => ClientMessage::Report(Report::default()),
        };
        message.encode(&mut bytes);
    }
    bytes
}

/// Talks until it is told to stop; says as what.
pub(crate) async fn flood(url: &str, number: usize, flood: Flood, reducers: Reducers) -> Option<CloseCode> {
    let mut connection = connect(url, &ClientOptions::default()).await.unwrap();
    let token = format!("the secret of flooder {number}, long enough");
    let hello = encoded(&ClientMessage::Hello(Hello::new(token.as_bytes())));
    connection.send(Lane::Control, &[hello.into()]);
    for number in 0..BATCHES_MAX {
        connection.send(Lane::Control, &[Bytes::from(batch(flood, number, reducers))]);
        // The server may close while we still send.
        let _not_all = timeout(Duration::from_millis(50), connection.flush()).await;
        while let Some(message) = connection.recv().now_or_never() {
            match message.ok()? {
                message if message[0] == 0x84 => return Some(close_code(&message)),
                _ => {}
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{flood:?} went on for ever");
}

fn close_code(message: &[u8]) -> CloseCode {
    match ServerMessage::decode(message).unwrap() {
        ServerMessage::Closed(close) => close.code,
        other => panic!("{other:?}"),
    }
}
