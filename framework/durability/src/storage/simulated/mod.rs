//! A disk in memory that fails on purpose, the same way for the same seed. For tests and tools.
//!
//! It does all that a real one may do, and nothing else:
//!
//! * What was written and not synced is, after a power cut ([`SimulatedStorage::crash`]), there or not, sector by
//!   sector (512 bytes), in any combination; a sector may hold the beginning of the new and the rest of the old.
//! * Names that were made, changed or removed since the last `sync_dir` are so or not: the first few of them, or any
//!   of them.
//! * A write may write a part; a write, a sync or a rename may fail ([`Faults`]). After a failed `sync_data` the
//!   unsynced bytes can still be read, but some are never written any more, and the next `sync_data` says nothing
//!   of it: this is what Linux does.
//! * It may be full.
//! * The power may go at any operation ([`Faults::power_off_after`]): from then on each one fails, until `crash`
//!   shows what is left.
//! * Somebody may flip a bit, cut or remove a file ([`SimulatedStorage::flip_bit`], [`Storage::remove`]).

mod disk;
mod inode;
mod random;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::Disk;
use inode::InodeId;
#[cfg(test)]
pub(crate) use random::Random;

use super::{Storage, StorageFile};

/// How often things fail: each a probability from 0 to 1.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A write writes only a part, and says so.
    pub short_write: f64,
    /// A write fails; a part of it may have happened.
    pub write_error: f64,
    /// `sync_data` or `sync_all` fails.
    pub sync_error: f64,
    /// Making, renaming or removing a file or `sync_dir` fails.
    pub directory_error: f64,
    /// Beyond so many bytes in all files, writes fail with [`io::ErrorKind::StorageFull`].
    pub capacity_bytes: Option<u64>,
    /// After so many further operations the power goes.
    pub power_off_after: Option<u64>,
}

/// A disk in memory. Clones are handles of one process; see [`Self::another_process`].
#[derive(Clone, Debug)]
pub struct SimulatedStorage {
    process: Arc<Process>,
}

/// Who holds the lock: given back when the last handle goes.
#[derive(Debug)]
struct Process {
    disk: Arc<Mutex<Disk>>,
    id: u64,
}

impl Drop for Process {
    fn drop(&mut self) {
        lock(&self.disk).unlock(self.id);
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedStorage {
    /// An empty disk on which nothing fails. All that is left to chance follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::of(Disk::new(seed))
    }

    fn of(mut disk: Disk) -> Self {
        let id = disk.unique();
        Self { process: Arc::new(Process { disk: Arc::new(Mutex::new(disk)), id }) }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.process.disk)
    }

    /// A handle of another process on the same disk.
    #[must_use]
    pub fn another_process(&self) -> Self {
        let id = self.disk().unique();
        Self { process: Arc::new(Process { disk: Arc::clone(&self.process.disk), id }) }
    }

    /// From now on things fail so often.
    pub fn set_faults(&self, faults: Faults) {
        self.disk().faults = faults;
    }

    /// Cuts the power: what the disk then holds, without faults, as a disk of its own. Through old handles
    /// everything fails.
    #[must_use]
    pub fn crash(&self) -> Self {
        Self::of(self.disk().crash())
    }

    /// Ends the process only (`kill -9`): the system keeps what was written, synced or not. Through old handles
    /// everything fails. The new disk has no faults.
    #[must_use]
    pub fn kill(&self) -> Self {
        Self::of(self.disk().kill())
    }

    /// Flips one bit of a file, for good.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] without such a file, [`io::ErrorKind::UnexpectedEof`] beyond its end.
    pub fn flip_bit(&self, name: &str, offset: u64, bit: u8) -> io::Result<()> {
        self.disk().change(name, offset, move |byte| *byte ^= 1 << (bit % 8))
    }

    /// Sets one byte of a file, for good.
    ///
    /// # Errors
    /// As [`Self::flip_bit`].
    pub fn set_byte(&self, name: &str, offset: u64, to: u8) -> io::Result<()> {
        self.disk().change(name, offset, move |byte| *byte = to)
    }

    /// How many operations there have been.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.disk().is_off
    }
}

impl Storage for SimulatedStorage {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let inode = self.disk().create(name)?;
        Ok(self.file(inode, true))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let inode = self.disk().open(name)?;
        Ok(self.file(inode, false))
    }

    fn open_writable(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let inode = self.disk().open(name)?;
        Ok(self.file(inode, true))
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.disk().list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk().rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk().remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk().sync_dir()
    }

    fn lock(&self) -> io::Result<()> {
        self.disk().lock(self.process.id)
    }

    fn unique(&self) -> u64 {
        self.disk().unique()
    }

    fn describe(&self) -> String {
        "a simulated disk".to_owned()
    }
}

impl SimulatedStorage {
    fn file(&self, inode: InodeId, writable: bool) -> Box<dyn StorageFile> {
        Box::new(SimulatedFile { disk: Arc::clone(&self.process.disk), inode, writable })
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    inode: InodeId,
    writable: bool,
}

impl SimulatedFile {
    fn writing(&self) -> io::Result<MutexGuard<'_, Disk>> {
        if self.writable { Ok(lock(&self.disk)) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl StorageFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        lock(&self.disk).read_at(self.inode, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.writing()?.write_at(self.inode, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writing()?.set_len(self.inode, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        lock(&self.disk).sync(self.inode)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        lock(&self.disk).len(self.inode)
    }
}
