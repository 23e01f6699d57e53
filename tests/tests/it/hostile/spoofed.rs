//! First packets of QUIC in the name of others, who never answer: what they are sent is little.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{dial, good_client_is_served, server};
use crate::soon::{SOON, until};

/// Addresses on this machine in whose name somebody asks. The server wants to see addresses proved when 64 are in their handshake.
const VICTIMS: usize = 100;

/// The first packets of clients, each of them another, to a server that says nothing.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let hash = "00".repeat(32);
    let url = format!("quic://{}#certificate={hash}", nobody.local_addr().unwrap());
    let mut firsts = HashMap::<SocketAddr, Vec<u8>>::new();
    let clients: Vec<_> = (0..count)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { drop(dial(&url).await) })
        })
        .collect();
    let mut packet = [0; 2048];
    while firsts.len() < count {
        let received = timeout(SOON, nobody.recv_from(&mut packet)).await;
        let (length, from) = received.expect("clients send").unwrap();
        firsts.entry(from).or_insert_with(|| packet[..length].to_vec());
    }
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    firsts.into_values().collect()
}

#[tokio::test]
async fn who_never_asked_is_sent_little() {
    let (server, [_, quic]) = server(Duration::from_secs(3));
    let address = quic.strip_prefix("quic://").unwrap().split('#').next().unwrap().to_owned();
    let mut victims = Vec::new();
    for (number, packet) in first_packets(VICTIMS).await.into_iter().enumerate() {
        let socket = UdpSocket::bind(format!("127.0.1.{}:0", number + 1)).await.unwrap();
        let sent = socket.send_to(&packet, &address).await.unwrap();
        victims.push((socket, sent));
    }
    good_client_is_served(&quic, "meanwhile").await;
    // Until the server has given all of them up.
    until(async || {
        let gateway = server.snapshot().gateway;
        gateway.handshakes_failed > 0 && gateway.connections_open == 0
    })
    .await;
    let (mut all_sent, mut all_got, mut asked_for_proof) = (0, 0, 0);
    for (socket, sent) in victims {
        let (mut got, mut packets, mut packet) = (0, 0, [0; 2048]);
        while let Ok(length) = socket.try_recv(&mut packet) {
            got += length;
            packets += 1;
        }
        // quinn lets the last packet go beyond what is allowed, which it must have been less than.
        assert!(sent >= 1200 && got < 3 * sent + 1200, "{got} bytes in {packets} packets for {sent}");
        asked_for_proof += usize::from(got > 0 && got < 200);
        (all_sent, all_got) = (all_sent + sent, all_got + got);
    }
    println!(
        "{all_got} bytes for {all_sent}; {asked_for_proof} of {VICTIMS} were asked to prove their address"
    );
    assert!(all_got > 0 && all_got <= 3 * all_sent, "{all_got} bytes for {all_sent}");
    assert!(asked_for_proof > 0, "nobody was asked to prove their address");
}
