//! The server's side: one UDP port, native clients and browsers.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use socket2::{Domain, Socket, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use web_transport_quinn::{Request, Session};

use super::arriving::Side;
use super::config::{QuicCertificate, QuicOptions, Spoken, server_config};
use super::connection::QuicConnection;
use super::framing::CONTROL;
use crate::certificate::self_signed;
use crate::connection::{Connection, Peer};
use crate::discovery::QuicOffer;
use crate::error::{AcceptError, ListenError, TlsError, TurnedAway};
use crate::limits::Limits;

/// The kernel's buffers of the one socket that all connections share. A frame goes to everybody at once; the kernel may give less.
const SOCKET_BYTES: usize = 4 * 1024 * 1024;

/// The pause before a certificate that could not be made is tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(60);

/// A bound UDP port.
#[derive(Debug)]
pub(crate) struct QuicListener {
    socket: UdpSocket,
    config: quinn::ServerConfig,
    options: Arc<QuicOptions>,
    offer: QuicOffer,
    pub(crate) address: SocketAddr,
}

impl QuicListener {
    pub(crate) fn bind(candidate: SocketAddr, options: QuicOptions) -> Result<Self, ListenError> {
        let error = |error| ListenError::Bind { address: candidate.to_string(), error };
        let (socket, address) = bind(candidate).map_err(error)?;
        let (tls, hash) = match &options.certificate {
            QuicCertificate::Signed(tls) => (Arc::clone(tls), None),
            QuicCertificate::SelfSigned { .. } => {
                let (tls, hash) = self_signed()?;
                (tls, Some(hash))
            }
        };
        let config = server_config(&tls, &options.limits)?;
        let offer = QuicOffer::new(address.port(), hash);
        Ok(Self { socket, config, options: Arc::new(options), offer, address })
    }

    pub(crate) fn offer(&self) -> &QuicOffer {
        &self.offer
    }

    pub(crate) fn into_acceptor(self) -> io::Result<QuicAcceptor> {
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint =
            quinn::Endpoint::new(quinn::EndpointConfig::default(), Some(self.config), self.socket, runtime)?;
        let renewed_after = match self.options.certificate {
            QuicCertificate::Signed(_) => None,
            QuicCertificate::SelfSigned { renewed_after } => Some(renewed_after),
        };
        Ok(QuicAcceptor {
            endpoint,
            slots: Arc::new(Semaphore::new(self.options.connections_max.min(Semaphore::MAX_PERMITS))),
            options: self.options,
            handshakes: Arc::default(),
            renewal: renewed_after.map(|every| Renewal { every, at: Instant::now() + every }),
            offer: self.offer,
        })
    }
}

/// A socket with large buffers, and where it is.
pub(super) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?; // `[::]` is for IPv4 too
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    // The kernel has a limit of its own, and less than asked for still works.
    let _less = (socket.set_recv_buffer_size(SOCKET_BYTES), socket.set_send_buffer_size(SOCKET_BYTES));
    let socket = UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// A QUIC listener on a runtime.
#[derive(Debug)]
pub(crate) struct QuicAcceptor {
    endpoint: quinn::Endpoint,
    options: Arc<QuicOptions>,
    slots: Arc<Semaphore>,
    handshakes: Arc<AtomicUsize>,
    renewal: Option<Renewal>,
    offer: QuicOffer,
}

/// When the self-signed certificate is made anew.
#[derive(Debug)]
struct Renewal {
    every: Duration,
    at: Instant,
}

impl QuicAcceptor {
    pub(crate) async fn accept(&mut self) -> Result<QuicIncoming, TurnedAway> {
        loop {
            let renewal = self.renewal.as_ref().map(|renewal| renewal.at);
            let incoming = tokio::select! {
                incoming = self.endpoint.accept() => incoming,
                () = sleep_until(renewal) => {
                    self.renew();
                    continue;
                }
            };
            let Some(incoming) = incoming else {
                // The endpoint's task is gone, and with it the runtime; nobody comes any more.
                std::future::pending::<()>().await;
                continue;
            };
            let peer = incoming.remote_address();
            let busy = self.handshakes.load(Ordering::Relaxed) >= self.options.unvalidated_handshakes_max;
            if busy && !incoming.remote_address_validated() && incoming.may_retry() {
                if let Err(error) = incoming.retry() {
                    tracing::debug!(%peer, %error, "can't ask a client to validate its address");
                }
                continue;
            }
            let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() else {
                incoming.refuse();
                return Err(TurnedAway { peer });
            };
            let handshake = Handshake::new(&self.handshakes);
            let options = Arc::clone(&self.options);
            return Ok(QuicIncoming { incoming, options, permit, _handshake: handshake });
        }
    }

    fn renew(&mut self) {
        let Some(renewal) = &mut self.renewal else { return };
        let renewed = self_signed()
            .and_then(|(tls, hash)| Ok::<_, TlsError>((server_config(&tls, &self.options.limits)?, hash)));
        match renewed {
            Ok((config, hash)) => {
                self.endpoint.set_server_config(Some(config));
                self.offer.renew(hash);
                renewal.at = Instant::now() + renewal.every;
                tracing::info!(port = self.offer.port(), certificate = %hash, "a new certificate for development");
            }
            Err(error) => {
                renewal.at = Instant::now() + RENEWAL_RETRY;
                tracing::warn!(%error, "can't renew the certificate for development; the old one is used on");
            }
        }
    }

    pub(crate) fn endpoint(&self) -> &quinn::Endpoint {
        &self.endpoint
    }
}

impl Drop for QuicAcceptor {
    /// Connections go on without their acceptor; new ones are refused.
    fn drop(&mut self) {
        self.endpoint.set_server_config(None);
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Counts a handshake for as long as it lives.
#[derive(Debug)]
struct Handshake(Arc<AtomicUsize>);

impl Handshake {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client's first packet.
#[derive(Debug)]
pub(crate) struct QuicIncoming {
    incoming: quinn::Incoming,
    options: Arc<QuicOptions>,
    permit: OwnedSemaphorePermit,
    _handshake: Handshake,
}

impl QuicIncoming {
    pub(crate) fn peer(&self) -> Peer {
        Peer::Socket(self.incoming.remote_address())
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// QUIC's handshake, for browsers WebTransport's, and the start of the stream with the messages.
    pub(crate) async fn shake_hands(self) -> Result<Box<dyn Connection>, AcceptError> {
        let mut connecting = self.incoming.accept().map_err(failed)?;
        let data = connecting.handshake_data().await.map_err(failed)?;
        let alpn = data.downcast::<HandshakeData>().ok().and_then(|data| data.protocol);
        let spoken = alpn.as_deref().and_then(Spoken::of);
        let connection = connecting.await.map_err(failed)?;
        // Without this a connection that fails below would live on in the browser until its own patience ends.
        let guard = CloseOnDrop(Some(connection.clone()));
        let session = match spoken {
            Some(Spoken::Native) => Session::raw(connection),
            Some(Spoken::WebTransport) => {
                Request::accept(connection).await.map_err(failed)?.ok().await.map_err(failed)?
            }
            None => return Err(failed("the client named no protocol (ALPN)")),
        };
        let (writer, mut reader) = session.accept_bi().await.map_err(failed)?;
        let mut kind = [0];
        reader.read_exact(&mut kind).await.map_err(failed)?;
        if kind[0] != CONTROL {
            return Err(failed(format!("the first stream is of kind {}, not {CONTROL}", kind[0])));
        }
        guard.disarm();
        let streams = (writer, reader);
        let permit = Some(self.permit);
        Ok(Box::new(QuicConnection::new(Side::Server, session, streams, &self.options.limits, None, permit)))
    }
}

/// Ends a connection whose handshake failed or took too long.
struct CloseOnDrop(Option<quinn::Connection>);

impl CloseOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.close(quinn::VarInt::from_u32(0), b"the handshake failed");
        }
    }
}

fn failed(error: impl std::fmt::Display) -> AcceptError {
    AcceptError::Quic(error.to_string())
}
