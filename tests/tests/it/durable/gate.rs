//! A disk whose syncs are held back, or fail, when a test says so.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use evertick_durability::{Storage, StorageFile};

/// What the disk does with writes and syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What it is told.
    Works,
    /// Syncs come to no end.
    Hangs,
    /// Writes and syncs fail.
    Fails,
}

/// A storage behind a gate; clones are the same.
#[derive(Clone)]
pub(crate) struct Gate {
    inner: Arc<dyn Storage>,
    mode: Arc<(Mutex<Mode>, Condvar)>,
}

impl Gate {
    pub(crate) fn new(inner: impl Storage) -> Self {
        Self { inner: Arc::new(inner), mode: Arc::new((Mutex::new(Mode::Works), Condvar::new())) }
    }

    /// What the disk does from now on; syncs that hang go on with it.
    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.0.lock().unwrap() = mode;
        self.mode.1.notify_all();
    }

    /// Waits while it hangs.
    fn pass(&self) -> io::Result<()> {
        let mode = self.mode.0.lock().unwrap();
        match *self.mode.1.wait_while(mode, |mode| *mode == Mode::Hangs).unwrap() {
            Mode::Fails => Err(io::Error::other("the test's disk is broken")),
            _ => Ok(()),
        }
    }

    fn file(&self, inner: io::Result<Box<dyn StorageFile>>) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(File { inner: inner?, gate: self.clone() }))
    }
}

impl Storage for Gate {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.pass()?;
        self.file(self.inner.create(name))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.file(self.inner.open(name))
    }

    fn open_writable(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.file(self.inner.open_writable(name))
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.inner.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.pass()?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.pass()?;
        self.inner.sync_dir()
    }

    fn lock(&self) -> io::Result<()> {
        self.inner.lock()
    }

    fn unique(&self) -> u64 {
        self.inner.unique()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

struct File {
    inner: Box<dyn StorageFile>,
    gate: Gate,
}

impl StorageFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.gate.pass()?;
        self.inner.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.gate.pass()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass()?;
        self.inner.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.gate.pass()?;
        self.inner.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
}
