//! For tests: two network namespaces and a bad way between them: a TUN device in each, and threads that carry packets from one to the other.
//!
//! ```text
//!  thread, namespace    10.66.0.1 ── tun ══ delay ══► tun ── nft drops some ── 10.66.0.2    thread, namespace
//! ```
//!
//! A namespace is its thread's alone, so clients and server share a process and a clock, and each has the kernel's TCP and UDP. Delay is
//! done here because few kernels have netem; loss is nftables'. Jitter changes no order, as on most real ways.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::ioctl::{Setter, ioctl, opcode};
use rustix::thread::UnshareFlags;

/// Where the clients are.
pub const CLIENT: &str = "10.66.0.1";
/// Where the server is.
pub const SERVER: &str = "10.66.0.2";

/// What is wrong with the way, both ways.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// How long a packet takes.
    pub delay: Duration,
    /// Up to so much more or less.
    pub jitter: Duration,
    /// Packets of a hundred that are lost where they arrive.
    pub loss_percent: u32,
}

/// Packets on the way at a time; what is more is dropped, as routers do.
const PACKETS_MAX: usize = 4096;

const DEVICE: &str = "evertick0";

/// Moves this thread to a network of its own, with a device that leads to `peer`.
///
/// # Panics
///
/// Where that is not allowed: it takes root, and the programs `ip` and `nft`.
pub fn enter(address: &str, peer: &str, way: Way) -> File {
    let needs = "tests of real networks need root (CAP_SYS_ADMIN) and /dev/net/tun";
    // SAFETY: only `FILES` is dangerous.
    let moved = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) };
    moved.unwrap_or_else(|error| panic!("no network namespace is to be had: {error}; {needs}"));
    let tun = open_tun().unwrap_or_else(|error| panic!("no TUN device is to be had: {error}; {needs}"));
    run("ip", &["link", "set", "lo", "up"]);
    run("ip", &["address", "add", address, "peer", peer, "dev", DEVICE]);
    run("ip", &["link", "set", DEVICE, "up"]);
    run("nft", &["add", "table", "inet", "way"]);
    run("nft", &["add", "chain", "inet", "way", "arrivals", "{ type filter hook input priority 0; }"]);
    let loss = way.loss_percent.to_string();
    let rule = ["add", "rule", "inet", "way", "arrivals", "iifname", DEVICE];
    run("nft", &[&rule[..], &["numgen", "random", "mod", "100", "<", &loss, "counter", "drop"]].concat());
    tun
}

/// Packets that nftables has dropped in this thread's network.
///
/// # Panics
///
/// In a network that [`enter`] has not made.
pub fn dropped() -> u64 {
    let listed = Command::new("nft").args(["list", "table", "inet", "way"]).output();
    let text = listed.ok().and_then(|listed| String::from_utf8(listed.stdout).ok()).unwrap_or_default();
    let mut words = text.split_whitespace().skip_while(|word| *word != "packets");
    words.nth(1).and_then(|count| count.parse().ok()).expect("the table of `enter` has a counter")
}

/// Carries packets both ways between two devices of [`enter`] until the process ends.
pub fn connect(client: File, server: File, way: Way) {
    let (client, server) = (Arc::new(client), Arc::new(server));
    carry(Arc::clone(&client), Arc::clone(&server), way, 1);
    carry(server, client, way, 2);
}

fn carry(from: Arc<File>, to: Arc<File>, way: Way, seed: u64) {
    let (under_way, arriving) = sync_channel::<(Instant, Vec<u8>)>(PACKETS_MAX);
    thread::spawn(move || {
        let mut random = seed;
        let mut last = Instant::now();
        let mut packet = [0; 2048];
        // Reading fails only when the device is gone, and with it its packets.
        while let Ok(length) = (&*from).read(&mut packet) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let part = (random >> 40) as f64 / (1_u64 << 24) as f64;
            last = last.max(Instant::now() + way.delay - way.jitter + way.jitter.mul_f64(2.0 * part));
            let _full = under_way.try_send((last, packet[..length].to_vec()));
        }
    });
    thread::spawn(move || deliver(&arriving, &to));
}

fn deliver(arriving: &Receiver<(Instant, Vec<u8>)>, to: &File) {
    while let Ok((at, packet)) = arriving.recv() {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        let mut to = to;
        // A device whose queue is full drops it.
        let _dropped = to.write(&packet);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("can't run {program}: {error}; install iproute2 and nftables (`cargo xtask setup` does)")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
}

/// `struct ifreq`, as far as TUNSETIFF reads it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    unused: [u8; 22],
}

/// A new TUN device in this thread's network.
fn open_tun() -> std::io::Result<File> {
    const IFF_TUN: u16 = 1;
    /// Packets without a header of the device's own.
    const IFF_NO_PI: u16 = 0x1000;
    const TUNSETIFF: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);
    let tun = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: IFF_TUN | IFF_NO_PI, unused: [0; 22] };
    request.name[..DEVICE.len()].copy_from_slice(DEVICE.as_bytes());
    // SAFETY: TUNSETIFF reads a `struct ifreq`, 40 bytes, of which the name and the flags count; both are set.
    unsafe { ioctl(&tun, Setter::<TUNSETIFF, Request>::new(request)) }?;
    Ok(tun)
}
