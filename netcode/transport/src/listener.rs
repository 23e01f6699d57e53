//! The server's side: listening, accepting, upgrading.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_websockets::ServerBuilder;

use crate::connection::{Connection, Peer};
use crate::error::{AcceptError, ListenError, TurnedAway};
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
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self { tls: None, limits: Limits::SERVER, connections_max: 10_000, send_buffer_bytes: 128 * 1024 }
    }
}

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

/// The pause after the system refused to accept (out of file descriptors, most likely).
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A bound TCP listener for WebSocket clients.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
    options: Arc<ListenerOptions>,
    slots: Arc<Semaphore>,
}

impl Listener {
    /// Binds `address` (`host:port`; port 0 lets the system choose). Needs no runtime.
    pub fn bind(address: &str, options: ListenerOptions) -> Result<Self, ListenError> {
        let error = |error| ListenError::Bind { address: address.to_owned(), error };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
        for candidate in address.to_socket_addrs().map_err(error)? {
            match listen(candidate, &options) {
                Ok((socket, address)) => {
                    return Ok(Self {
                        socket,
                        address,
                        slots: Arc::new(Semaphore::new(options.connections_max.min(Semaphore::MAX_PERMITS))),
                        options: Arc::new(options),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(error(last))
    }

    /// Where it listens, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address for clients: `ws://` or `wss://`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.options.tls.is_some() { "wss" } else { "ws" }, self.address)
    }

    /// Starts accepting, on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O.
    pub fn into_acceptor(self) -> io::Result<Acceptor> {
        Ok(Acceptor { socket: TcpListener::from_std(self.socket)?, options: self.options, slots: self.slots })
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

/// A listener on a runtime.
#[derive(Debug)]
pub struct Acceptor {
    socket: TcpListener,
    options: Arc<ListenerOptions>,
    slots: Arc<Semaphore>,
}

impl Acceptor {
    /// The next connection, not yet shaken hands with, or [`TurnedAway`] when it is beyond `connections_max`. Safe to cancel.
    pub async fn accept(&self) -> Result<Incoming, TurnedAway> {
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
            match Incoming::new(stream, peer, Arc::clone(&self.options), permit) {
                Ok(incoming) => return Ok(incoming),
                Err(error) => tracing::debug!(%peer, %error, "a connection broke at once"),
            }
        }
    }
}

/// An accepted TCP connection before its handshake. It is bound to no runtime, so another thread may go on with it.
#[derive(Debug)]
pub struct Incoming {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    options: Arc<ListenerOptions>,
    permit: OwnedSemaphorePermit,
}

impl Incoming {
    fn new(
        stream: TcpStream,
        peer: SocketAddr,
        options: Arc<ListenerOptions>,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream: stream.into_std()?, peer, options, permit })
    }

    /// Who connects.
    pub fn peer(&self) -> Peer {
        Peer::Socket(self.peer)
    }

    /// Does TLS, where the listener has it, and the WebSocket upgrade, on the current runtime. A request that is no upgrade is answered
    /// with a line of text and is an error here.
    pub async fn upgrade(self) -> Result<Box<dyn Connection>, AcceptError> {
        let time_max = self.options.limits.handshake_time_max;
        match tokio::time::timeout(time_max, Box::pin(self.shake_hands())).await {
            Ok(result) => result,
            Err(_) => Err(AcceptError::Timeout(time_max)),
        }
    }

    async fn shake_hands(self) -> Result<Box<dyn Connection>, AcceptError> {
        let stream = TcpStream::from_std(self.stream)?;
        let peer = Peer::Socket(self.peer);
        match &self.options.tls {
            None => upgrade(stream, peer, &self.options.limits, self.permit).await,
            Some(config) => {
                let accept = TlsAcceptor::from(Arc::clone(config)).accept(stream);
                let stream = accept.await.map_err(AcceptError::Tls)?;
                upgrade(stream, peer, &self.options.limits, self.permit).await
            }
        }
    }
}

async fn upgrade<S>(
    mut stream: S,
    peer: Peer,
    limits: &Limits,
    permit: OwnedSemaphorePermit,
) -> Result<Box<dyn Connection>, AcceptError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (request, read) = http::read_request(&mut stream).await?;
    if let Request::Other { status } = request {
        http::respond(&mut stream, status).await?;
        return Err(AcceptError::NotUpgrade { status });
    }
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
