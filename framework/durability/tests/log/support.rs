//! Directories that go with their test, and logs in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use evertick_durability::{DirectoryStorage, Log, LogConfig, LogError, Scan, Storage};

/// A directory that is removed with its content.
pub(crate) struct TestDir(PathBuf);

impl TestDir {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("evertick-{name}-{}-{number}", std::process::id()));
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn storage(&self) -> Arc<DirectoryStorage> {
        Arc::new(DirectoryStorage::open(&self.0).unwrap())
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Small segments, and nothing that happens by itself soon.
pub(crate) fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 256 << 10,
        sync_interval: Duration::from_secs(3600),
        retry_interval: Duration::from_millis(5),
        ..LogConfig::default()
    }
}

/// Continues the log that is there.
pub(crate) fn start(storage: Arc<dyn Storage>, config: &LogConfig) -> Result<Log, LogError> {
    storage.lock().map_err(|_| LogError::Locked(storage.describe()))?;
    let end = Scan::open(&*storage)?.end().clone();
    Log::start(storage, config, end, b"preamble".to_vec(), Box::new(|_| {}))
}

/// All records that are there.
pub(crate) fn read(storage: &dyn Storage) -> Vec<(u64, Vec<u8>)> {
    let scan = Scan::open(storage).unwrap();
    let mut records = scan.records(scan.after_seq() + 1).unwrap();
    let mut found = Vec::new();
    while let Some(record) = records.next().unwrap() {
        found.push((record.seq, record.body.to_vec()));
    }
    found
}

/// Waits for something that is sure to happen; the limit only ends a test that fails.
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}
