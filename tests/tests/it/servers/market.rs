//! A server with the market in it, clients of it, and a way to it that can be cut.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evertick::{RunningServer, Server, ServerBuilder};
use evertick_client::{Client, ConnectOptions, Reconnect};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

pub(crate) fn builder() -> ServerBuilder {
    Server::builder().module_bytes("market", &*evertick_test_guests::wasm("market-module")).seed(7)
}

/// A running server and its address.
pub(crate) fn server() -> (RunningServer, String) {
    let server = builder().websocket("127.0.0.1:0").start().unwrap();
    let url = server.urls()[0].clone();
    (server, url)
}

fn token(name: &str) -> String {
    format!("the secret of {name}, long enough")
}

/// A client with an account of its own, which ends with its connection.
pub(crate) async fn connect(url: &str, name: &str) -> Client {
    let options = ConnectOptions { reconnect: None, ..ConnectOptions::new(token(name)) };
    Client::connect(url, options).await.unwrap()
}

/// A client that comes back, with a new session if need be, over a way that can be cut.
pub(crate) async fn connect_again(url: &str, name: &str) -> (Client, Way) {
    let way = Way::to(url).await;
    let reconnect = Some(Reconnect {
        new_session: true,
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
        ..Reconnect::default()
    });
    let options = ConnectOptions { reconnect, ..ConnectOptions::new(token(name)) };
    (Client::connect(&way.url, options).await.unwrap(), way)
}

/// Hands bytes on between clients and a server.
pub(crate) struct Way {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    target: String,
    connections: Vec<AbortHandle>,
}

impl Way {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url_of_way = format!("ws://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared { target: address(url), connections: Vec::new() }));
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((mut near, _)) = listener.accept().await {
                    let target = shared.lock().unwrap().target.clone();
                    let copying = tokio::spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(target).await {
                            let _cut = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                    shared.lock().unwrap().connections.push(copying.abort_handle());
                }
            }
        });
        Self { url: url_of_way, shared }
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.shared.lock().unwrap().connections.drain(..).for_each(|connection| connection.abort());
    }

    /// Connections from now on lead to this server.
    pub(crate) fn lead_to(&self, url: &str) {
        self.shared.lock().unwrap().target = address(url);
    }
}

fn address(url: &str) -> String {
    url.strip_prefix("ws://").unwrap().trim_end_matches('/').to_owned()
}

/// How often the client has come back, with its session or a new one.
pub(crate) fn returns(client: &Client) -> u64 {
    let statistics = client.statistics();
    statistics.resumes + statistics.new_sessions
}
