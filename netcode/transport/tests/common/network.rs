//! A network between a client and a server: a UDP forwarder that counts, drops and moves.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::sync::Notify;

/// What passes, and what has passed.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Packets from the client that still pass; the rest is dropped.
    pub(crate) client_packets_max: Mutex<Option<usize>>,
    /// Of the packets from the server, every so manieth is lost; 0 is none.
    pub(crate) lost_every: AtomicUsize,
    /// Nothing passes, either way.
    pub(crate) cut: AtomicBool,
    pub(crate) bytes_to_server: AtomicUsize,
    pub(crate) bytes_from_server: AtomicUsize,
    /// The first byte of each packet from the server.
    pub(crate) from_server: Mutex<Vec<u8>>,
    moves: Notify,
}

impl Traffic {
    /// From now on the server sees the client at another address, as after a change of networks.
    pub(crate) fn change_address(&self) {
        self.moves.notify_one();
    }
}

/// Starts a forwarder to `server`; clients talk to the address that is returned.
pub(crate) async fn between(server: SocketAddr) -> (SocketAddr, Arc<Traffic>) {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    let traffic = Arc::new(Traffic::default());
    tokio::spawn(forward(front, server, Arc::clone(&traffic)));
    (address, traffic)
}

async fn forward(front: UdpSocket, server: SocketAddr, traffic: Arc<Traffic>) {
    let mut back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut client = None;
    let (mut there, mut here) = ([0; 2048], [0; 2048]);
    loop {
        tokio::select! {
            received = front.recv_from(&mut there) => {
                let Ok((count, from)) = received else { continue };
                client = Some(from);
                if traffic.cut.load(Ordering::Relaxed) || !may_pass(&traffic.client_packets_max) {
                    continue;
                }
                traffic.bytes_to_server.fetch_add(count, Ordering::Relaxed);
                back.send_to(&there[..count], server).await.unwrap();
            }
            received = back.recv_from(&mut here) => {
                let (Ok((count, _)), Some(client)) = (received, client) else { continue };
                traffic.bytes_from_server.fetch_add(count, Ordering::Relaxed);
                let packets = {
                    let mut from_server = traffic.from_server.lock().unwrap();
                    from_server.push(here[0]);
                    from_server.len()
                };
                let lost_every = traffic.lost_every.load(Ordering::Relaxed);
                let lost = lost_every > 0 && packets % lost_every == 0;
                if !lost && !traffic.cut.load(Ordering::Relaxed) {
                    front.send_to(&here[..count], client).await.unwrap();
                }
            }
            () = traffic.moves.notified() => back = UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        }
    }
}

fn may_pass(packets_max: &Mutex<Option<usize>>) -> bool {
    match &mut *packets_max.lock().unwrap() {
        None => true,
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
    }
}
