//! What the log costs on a disk: `cargo run --release -p evertick-durability --example log_cost -- DIR`.
//!
//! First the disk alone: write and `fdatasync` at a file's end, over zeroes, and over old bytes. Then the log: the time
//! until a lone record is confirmed, what an append costs the world's thread, and the log beside a snapshot.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evertick_durability::{
    DirectoryStorage, Log, LogConfig, LogEnd, SnapshotThread, Storage, StorageFile, SyncTimes,
};

const SYNCS: usize = 400;
const FILE_BYTES: u64 = 16 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("name a directory on the disk to measure")?)
        .join(format!("log-cost-{}", std::process::id()));
    let measured = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    measured
}

fn measure(dir: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let storage = DirectoryStorage::open(dir)?;
    for bytes in [200, 4096] {
        let file = storage.create("growing")?;
        report(&format!("fdatasync, {bytes} B at the end of a growing file"), syncs(&*file, bytes)?);
        let file = storage.create("zeroes")?;
        fill(&*file, 0)?;
        report(&format!("fdatasync, {bytes} B over zeroes"), syncs(&*file, bytes)?);
        let file = storage.create("recycled")?;
        fill(&*file, 0x5a)?;
        report(&format!("fdatasync, {bytes} B over old bytes"), syncs(&*file, bytes)?);
    }
    lone_records(dir)?;
    appends(dir, false)?;
    appends(dir, true)?;
    beside_a_snapshot(dir)
}

fn fill(file: &dyn StorageFile, byte: u8) -> std::io::Result<()> {
    let bytes = vec![byte; 1 << 20];
    for at in (0..FILE_BYTES).step_by(bytes.len()) {
        file.write_all_at(&bytes, at)?;
    }
    file.sync_all()
}

fn syncs(file: &dyn StorageFile, bytes: usize) -> std::io::Result<Vec<Duration>> {
    let bytes = vec![7; bytes];
    let write = |number: usize| {
        let begun = Instant::now();
        file.write_all_at(&bytes, (number * bytes.len()) as u64)?;
        file.sync_data()?;
        Ok(begun.elapsed())
    };
    (0..SYNCS).map(write).collect()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!("{what:<52} p10 {:6.0} µs   p50 {:6.0} µs   p99 {:6.0} µs", at(0.1), at(0.5), at(0.99));
}

fn start(
    dir: &std::path::Path,
    name: &str,
    on_synced: Box<dyn FnMut(u64) + Send>,
) -> Result<(Arc<DirectoryStorage>, Log), Box<dyn Error>> {
    let storage = Arc::new(DirectoryStorage::open(dir.join(name))?);
    let config = LogConfig::default();
    let log = Log::start(storage.clone(), &config, LogEnd::empty_after(0), Vec::new(), on_synced)?;
    Ok((storage, log))
}

/// One record at a time, the next when the last is confirmed.
fn lone_records(dir: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let (confirm, confirmed) = std::sync::mpsc::sync_channel(1);
    let (_, mut log) = start(dir, "lone", Box::new(move |seq| confirm.send(seq).unwrap_or_default()))?;
    let mut times = Vec::new();
    for seq in 1..=SYNCS as u64 {
        let begun = Instant::now();
        log.append(seq, &[1; 100], true)?;
        confirmed.recv()?;
        times.push(begun.elapsed());
    }
    report("log: a lone record, until its confirmation is here", times);
    let times = log.stats().sync_times;
    println!("log: of that the write and sync: p50 {} µs", times.quantile_us(0.5));
    log.close()?;
    Ok(())
}

/// Records as fast as the world's thread can append them.
fn appends(dir: &std::path::Path, sync: bool) -> Result<(), Box<dyn Error>> {
    const RECORDS: u64 = 400_000;
    let name = if sync { "awaited" } else { "unawaited" };
    let (_, mut log) = start(dir, name, Box::new(|_| {}))?;
    let begun = Instant::now();
    for seq in 1..=RECORDS {
        log.append(seq, &[1; 64], sync)?;
    }
    let appended = begun.elapsed();
    while log.synced() < RECORDS {
        std::thread::yield_now();
    }
    let stats = log.stats();
    println!(
        "log: append of 64 B, {name}: {:.0} ns; all synced after {:?}, {} groups, {:.1} B per record",
        appended.as_secs_f64() * 1e9 / RECORDS as f64,
        begun.elapsed(),
        stats.groups,
        stats.bytes as f64 / RECORDS as f64
    );
    log.close()?;
    Ok(())
}

/// Lone records alone, and while 512 MB of a snapshot are written.
fn beside_a_snapshot(dir: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let (storage, mut log) = start(dir, "beside", Box::new(|_| {}))?;
    let mut seq = 0;
    let mut lone = |log: &mut Log| -> Result<(), Box<dyn Error>> {
        seq += 1;
        log.append(seq, &[1; 100], true)?;
        while log.synced() < seq {
            std::thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    };
    for _ in 0..SYNCS {
        lone(&mut log)?;
    }
    let alone = log.stats().sync_times;
    let begun = Instant::now();
    let mut snapshot = SnapshotThread::start(storage, 1, Vec::new())?;
    let mut left = 2048;
    while left > 0 {
        let mut chunk = snapshot.buffer();
        chunk.resize(256 << 10, left as u8);
        left -= i32::from(snapshot.try_chunk(chunk).is_ok());
        lone(&mut log)?;
    }
    let took = begun.elapsed();
    let _ = snapshot.try_finish(1);
    let both = log.stats().sync_times.since(&alone);
    let show =
        |times: &SyncTimes| format!("p50 {} µs, p99 {} µs", times.quantile_us(0.5), times.quantile_us(0.99));
    println!("log: sync alone: {}; beside a snapshot of 512 MB in {took:?}: {}", show(&alone), show(&both));
    log.close()?;
    Ok(())
}
