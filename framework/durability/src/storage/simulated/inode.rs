//! One file's bytes: what readers see, what the platter holds, and what lies between.

use super::random::Random;

/// What a disk writes wholly or not at all, but for tearing.
pub(super) const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InodeId(pub(super) u64);

/// A change that is not synced yet.
#[derive(Clone, Debug)]
enum Pending {
    /// The sector's bytes as they stood in the cache after a write; shorter at the file's end.
    Sector {
        index: usize,
        bytes: Vec<u8>,
    },
    Len(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What reads return.
    pub(super) cached: Vec<u8>,
    /// What a power cut leaves, at least.
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

impl Inode {
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        for index in offset / SECTOR..end.div_ceil(SECTOR) {
            let sector = &self.cached[index * SECTOR..((index + 1) * SECTOR).min(self.cached.len())];
            self.pending.push(Pending::Sector { index, bytes: sector.to_vec() });
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.cached.resize(len, 0);
        self.pending.push(Pending::Len(len));
    }

    pub(super) fn sync(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            self.write_back(pending, None);
        }
    }

    /// A change reaches the platter; of a torn sector only so many bytes.
    fn write_back(&mut self, pending: Pending, torn: Option<usize>) {
        match pending {
            Pending::Len(len) => self.durable.resize(len, 0),
            Pending::Sector { index, mut bytes } => {
                bytes.truncate(torn.unwrap_or(SECTOR));
                let start = index * SECTOR;
                if self.durable.len() < start + bytes.len() {
                    self.durable.resize(start + bytes.len(), 0);
                }
                self.durable[start..start + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }

    /// Some of what is pending reaches the platter, the rest never will.
    pub(super) fn lose(&mut self, random: &mut Random) {
        // Everything, nothing, or a part: the extremes are common in practice and would be rare by sector.
        let kept = [0.0, 1.0, 0.5, 0.9, 0.1][random.below(5)];
        let torn = if random.chance(0.5) { 0.1 } else { 0.0 };
        for pending in std::mem::take(&mut self.pending) {
            if random.chance(kept) {
                let torn = random.chance(torn).then(|| random.below(SECTOR));
                self.write_back(pending, torn);
            }
        }
        // A file's length may be written before its bytes are.
        if self.durable.len() < self.cached.len() && random.chance(0.3) {
            self.durable.resize(self.cached.len(), 0);
        }
    }

    /// What a power cut leaves, as a file that has no past.
    pub(super) fn crash(mut self, random: &mut Random) -> Self {
        self.lose(random);
        Self { cached: self.durable.clone(), durable: self.durable, pending: Vec::new() }
    }

    /// Changes a byte in the cache and on the platter.
    pub(super) fn change(&mut self, offset: usize, change: &dyn Fn(&mut u8)) -> bool {
        for bytes in [&mut self.cached, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                change(byte);
            }
        }
        offset < self.cached.len()
    }
}
