//! The server's side of WebSockets: TCP, TLS where there is some, the HTTP upgrade.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_websockets::ServerBuilder;

use crate::connection::{Connection, Peer};
use crate::discovery::Discovery;
use crate::error::{AcceptError, TurnedAway};
use crate::http::{self, Request, Rewound};
use crate::limits::Limits;
use crate::tls::ServerConfig;
use crate::websocket::{Role, WebSocket};
use crate::wire::Wire;

/// How a listener listens.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// With a configuration, every connection is TLS; without, none is.
    pub tls: Option<Arc<ServerConfig>>,
    /// Bounds of each connection.
    pub limits: Limits,
    /// Connections at the same time, those in their handshake included. More are turned away with HTTP 503.
    pub connections_max: usize,
    /// The kernel's send buffer per connection in bytes: small, so that a client that doesn't keep up is seen soon.
    pub send_buffer_bytes: usize,
    /// The server's other ways in, for whoever asks for `/evertick.json`.
    pub discovery: Discovery,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            tls: None,
            limits: Limits::SERVER,
            connections_max: 10_000,
            send_buffer_bytes: 128 * 1024,
            discovery: Discovery::default(),
        }
    }
}

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

/// The pause after the system refused to accept (out of file descriptors, most likely).
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A bound TCP listener for WebSocket clients.
#[derive(Debug)]
pub(crate) struct TcpPort {
    socket: std::net::TcpListener,
    options: Arc<ListenerOptions>,
    slots: Arc<Semaphore>,
    pub(crate) address: SocketAddr,
}

impl TcpPort {
    pub(crate) fn bind(candidate: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        let (socket, address) = listen(candidate, &options)?;
        let slots = Arc::new(Semaphore::new(options.connections_max.min(Semaphore::MAX_PERMITS)));
        Ok(Self { socket, options: Arc::new(options), slots, address })
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.options.tls.is_some() { "wss" } else { "ws" }, self.address)
    }

    pub(crate) fn into_acceptor(self) -> io::Result<TcpAcceptor> {
        Ok(TcpAcceptor {
            socket: TcpListener::from_std(self.socket)?,
            options: self.options,
            slots: self.slots,
        })
    }
}

fn listen(address: SocketAddr, options: &ListenerOptions) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    #[cfg(unix)] // elsewhere it would let two servers share a port
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(options.send_buffer_bytes)?; // accepted sockets inherit it
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let socket = std::net::TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// A TCP listener on a runtime.
#[derive(Debug)]
pub(crate) struct TcpAcceptor {
    socket: TcpListener,
    options: Arc<ListenerOptions>,
    slots: Arc<Semaphore>,
}

impl TcpAcceptor {
    pub(crate) async fn accept(&self) -> Result<TcpIncoming, TurnedAway> {
        loop {
            let (stream, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() else {
                if self.options.tls.is_none() {
                    // Best effort: a fresh socket has room for a line.
                    let _too_late = stream.try_write(http::response(503).as_bytes());
                }
                return Err(TurnedAway { peer });
            };
            match TcpIncoming::new(stream, peer, Arc::clone(&self.options), permit) {
                Ok(incoming) => return Ok(incoming),
                Err(error) => tracing::debug!(%peer, %error, "a connection broke at once"),
            }
        }
    }
}

/// An accepted TCP connection before its handshake. It is bound to no runtime.
#[derive(Debug)]
pub(crate) struct TcpIncoming {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    options: Arc<ListenerOptions>,
    permit: OwnedSemaphorePermit,
}

impl TcpIncoming {
    fn new(
        stream: TcpStream,
        peer: SocketAddr,
        options: Arc<ListenerOptions>,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream: stream.into_std()?, peer, options, permit })
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::Socket(self.peer)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// TLS, where the listener has it, and the WebSocket upgrade. A request that is no upgrade is answered here.
    pub(crate) async fn shake_hands(self) -> Result<Box<dyn Connection>, AcceptError> {
        let stream = TcpStream::from_std(self.stream)?;
        let peer = Peer::Socket(self.peer);
        match &self.options.tls {
            None => upgrade(stream, peer, &self.options, self.permit).await,
            Some(config) => {
                let accept = TlsAcceptor::from(Arc::clone(config)).accept(stream);
                let stream = accept.await.map_err(AcceptError::Tls)?;
                upgrade(stream, peer, &self.options, self.permit).await
            }
        }
    }
}

async fn upgrade<S>(
    mut stream: S,
    peer: Peer,
    options: &ListenerOptions,
    permit: OwnedSemaphorePermit,
) -> Result<Box<dyn Connection>, AcceptError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (request, read) = http::read_request(&mut stream).await?;
    match request {
        Request::Upgrade => {}
        Request::Discovery => {
            http::answer(&mut stream, &http::document(&options.discovery.to_json())).await?;
            return Err(AcceptError::NotUpgrade { status: 200 });
        }
        Request::Other { status } => {
            http::answer(&mut stream, &http::response(status)).await?;
            return Err(AcceptError::NotUpgrade { status });
        }
    }
    let limits = &options.limits;
    let builder = ServerBuilder::new().limits(websocket_limits(limits));
    let (_, mut stream) = builder
        .accept(Wire::new(Rewound::new(read, stream)))
        .await
        .map_err(|error| AcceptError::Upgrade(error.to_string()))?;
    std::future::poll_fn(|context| stream.get_mut().poll_drain(context)).await?;
    Ok(Box::new(WebSocket::new(stream, Role::Server, peer, limits, Some(permit))))
}

pub(crate) fn websocket_limits(limits: &Limits) -> tokio_websockets::Limits {
    tokio_websockets::Limits::default().max_payload_len(Some(limits.message_bytes_max))
}
