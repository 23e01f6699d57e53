//! Names, files and chance.

use std::collections::BTreeMap;
use std::io;

use super::Faults;
use super::inode::{Inode, InodeId};
use super::random::Random;

/// A change of names that is not synced yet.
#[derive(Clone, Debug)]
enum NameChange {
    Link { name: String, inode: InodeId },
    Rename { from: String, to: String, inode: InodeId },
    Unlink { name: String },
}

#[derive(Debug)]
pub(super) struct Disk {
    random: Random,
    pub(super) faults: Faults,
    pub(super) operations: u64,
    pub(super) is_off: bool,
    inodes: BTreeMap<InodeId, Inode>,
    names: BTreeMap<String, InodeId>,
    durable_names: BTreeMap<String, InodeId>,
    pending_names: Vec<NameChange>,
    locked_by: Option<u64>,
    last_id: u64,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            faults: Faults::default(),
            operations: 0,
            is_off: false,
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            locked_by: None,
            last_id: 0,
        }
    }

    pub(super) fn unique(&mut self) -> u64 {
        self.random.next()
    }

    fn operation(&mut self) -> io::Result<()> {
        self.operations += 1;
        if let Some(left) = &mut self.faults.power_off_after {
            self.is_off |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn directory_operation(&mut self) -> io::Result<()> {
        self.operation()?;
        if self.random.chance(self.faults.directory_error) {
            return Err(io::Error::other("simulated failure of a directory operation"));
        }
        Ok(())
    }

    fn inode(&mut self, id: InodeId) -> &mut Inode {
        self.inodes.get_mut(&id).expect("files are kept while the disk lives")
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<InodeId> {
        self.directory_operation()?;
        if let Some(&inode) = self.names.get(name) {
            self.inode(inode).set_len(0);
            return Ok(inode);
        }
        self.last_id += 1;
        let inode = InodeId(self.last_id);
        self.inodes.insert(inode, Inode::default());
        self.names.insert(name.to_owned(), inode);
        self.pending_names.push(NameChange::Link { name: name.to_owned(), inode });
        Ok(inode)
    }

    pub(super) fn open(&mut self, name: &str) -> io::Result<InodeId> {
        self.operation()?;
        self.find(name)
    }

    fn find(&self, name: &str) -> io::Result<InodeId> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.operation()?;
        let files = self.names.iter();
        Ok(files.map(|(name, inode)| (name.clone(), self.inodes[inode].cached.len() as u64)).collect())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.directory_operation()?;
        let inode = self.find(from)?;
        self.names.remove(from);
        self.names.insert(to.to_owned(), inode);
        self.pending_names.push(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.directory_operation()?;
        self.find(name)?;
        self.names.remove(name);
        self.pending_names.push(NameChange::Unlink { name: name.to_owned() });
        Ok(())
    }

    pub(super) fn sync_dir(&mut self) -> io::Result<()> {
        self.operation()?;
        if self.random.chance(self.faults.directory_error) {
            // A journal's beginning may have been written. The rest stays to be written.
            let done = self.random.below(self.pending_names.len() + 1);
            let done: Vec<_> = self.pending_names.drain(..done).collect();
            done.iter().for_each(|change| apply(&mut self.durable_names, change));
            return Err(io::Error::other("simulated failure to sync the directory"));
        }
        self.pending_names.clear();
        self.durable_names.clone_from(&self.names);
        Ok(())
    }

    pub(super) fn lock(&mut self, process: u64) -> io::Result<()> {
        self.operation()?;
        match self.locked_by {
            Some(holder) if holder != process => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the simulated disk is in use by another process",
            )),
            _ => {
                self.locked_by = Some(process);
                Ok(())
            }
        }
    }

    pub(super) fn unlock(&mut self, process: u64) {
        if self.locked_by == Some(process) {
            self.locked_by = None;
        }
    }

    pub(super) fn read_at(&mut self, inode: InodeId, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.operation()?;
        let cached = &self.inode(inode).cached;
        let start = cached.len().min(offset as usize);
        let read = buffer.len().min(cached.len() - start);
        buffer[..read].copy_from_slice(&cached[start..start + read]);
        Ok(read)
    }

    pub(super) fn write_at(&mut self, inode: InodeId, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = offset as usize;
        if let Err(error) = self.operation() {
            // The write during which the power goes is like one that was not synced.
            if self.faults.power_off_after.take().is_some() {
                self.inode(inode).write(bytes, offset);
            }
            return Err(error);
        }
        let mut bytes = bytes;
        let failed = self.random.chance(self.faults.write_error);
        if failed || self.random.chance(self.faults.short_write) {
            bytes = &bytes[..self.random.below(bytes.len())];
        }
        let growth = (offset + bytes.len()).saturating_sub(self.inode(inode).cached.len()) as u64;
        let room = self.room();
        let full = growth > room;
        if full {
            let fits = self.inode(inode).cached.len() + room as usize;
            bytes = &bytes[..fits.saturating_sub(offset).min(bytes.len())];
        }
        self.inode(inode).write(bytes, offset);
        match (failed, full && bytes.is_empty()) {
            (true, _) => Err(io::Error::other("simulated failure to write")),
            (_, true) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(bytes.len()),
        }
    }

    /// How many bytes still fit.
    fn room(&self) -> u64 {
        let Some(capacity) = self.faults.capacity_bytes else { return u64::MAX >> 1 };
        let used: usize = self.names.values().map(|inode| self.inodes[inode].cached.len()).sum();
        capacity.saturating_sub(used as u64)
    }

    pub(super) fn set_len(&mut self, inode: InodeId, len: u64) -> io::Result<()> {
        self.operation()?;
        if (len as usize).saturating_sub(self.inode(inode).cached.len()) as u64 > self.room() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inode(inode).set_len(len as usize);
        Ok(())
    }

    pub(super) fn sync(&mut self, inode: InodeId) -> io::Result<()> {
        self.operation()?;
        if self.random.chance(self.faults.sync_error) {
            let Self { inodes, random, .. } = self;
            inodes.get_mut(&inode).expect("files are kept while the disk lives").lose(random);
            return Err(io::Error::other("simulated failure to sync"));
        }
        self.inode(inode).sync();
        Ok(())
    }

    pub(super) fn len(&mut self, inode: InodeId) -> io::Result<u64> {
        self.operation()?;
        Ok(self.inode(inode).cached.len() as u64)
    }

    pub(super) fn change(
        &mut self,
        name: &str,
        offset: u64,
        change: impl Fn(&mut u8) + 'static,
    ) -> io::Result<()> {
        let inode = self.find(name)?;
        if self.inode(inode).change(offset as usize, &change) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// What is left after a power cut. This disk is off from now on.
    pub(super) fn crash(&mut self) -> Self {
        self.is_off = true;
        let mut random = Random::new(self.random.next());
        let mut names = self.durable_names.clone();
        if random.chance(0.5) {
            let done = random.below(self.pending_names.len() + 1);
            self.pending_names[..done].iter().for_each(|change| apply(&mut names, change));
        } else {
            self.pending_names
                .iter()
                .filter(|_| random.chance(0.5))
                .for_each(|change| apply(&mut names, change));
        }
        let inodes = names.values().map(|id| (*id, self.inodes[id].clone().crash(&mut random))).collect();
        Self {
            durable_names: names.clone(),
            names,
            inodes,
            last_id: self.last_id,
            ..Self::new(random.next())
        }
    }

    /// What is left after the process was ended. This disk is off from now on.
    pub(super) fn kill(&mut self) -> Self {
        self.is_off = true;
        Self {
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            pending_names: self.pending_names.clone(),
            inodes: self.inodes.clone(),
            last_id: self.last_id,
            ..Self::new(self.random.next())
        }
    }
}

fn apply(names: &mut BTreeMap<String, InodeId>, change: &NameChange) {
    match change {
        NameChange::Link { name, inode } => {
            names.insert(name.clone(), *inode);
        }
        NameChange::Rename { from, to, inode } => {
            if names.get(from) == Some(inode) {
                names.remove(from);
            }
            names.insert(to.clone(), *inode);
        }
        NameChange::Unlink { name } => {
            names.remove(name);
        }
    }
}
