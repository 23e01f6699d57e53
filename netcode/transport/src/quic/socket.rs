//! The one socket that all connections of a QUIC port share.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use socket2::{Domain, Socket, Type};

/// The kernel's buffers. A frame goes to everybody at once; the kernel may give less.
const KERNEL_BYTES: usize = 4 * 1024 * 1024;

/// Packets that a connection hands to the kernel at once. quinn keeps room for so many in each connection, for ever: its own 10 would be
/// a third of what an idle session has on the heap. A frame of a session is rarely more than two.
const PACKETS_AT_ONCE_MAX: usize = 2;

/// Binds a UDP port; also says which, when the system chose.
pub(super) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?; // `[::]` is for IPv4 too
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    // The kernel has a limit of its own, and less than asked for still works.
    let _less = (socket.set_recv_buffer_size(KERNEL_BYTES), socket.set_send_buffer_size(KERNEL_BYTES));
    let socket = UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// The current runtime's socket, which takes fewer packets at once.
pub(super) struct SharedSocket(Arc<dyn AsyncUdpSocket>);

impl SharedSocket {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        TokioRuntime.wrap_udp_socket(socket).map(Self)
    }
}

impl fmt::Debug for SharedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsyncUdpSocket for SharedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.0).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_recv(context, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.0.max_transmit_segments().min(PACKETS_AT_ONCE_MAX)
    }

    fn max_receive_segments(&self) -> usize {
        self.0.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}
