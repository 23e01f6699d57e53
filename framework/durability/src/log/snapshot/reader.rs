//! Reading a snapshot.

use super::format::{CHUNK_HEADER, END, FOOTER, Footer, HEADER, Header, SnapshotInfo, VERSION, chunk_crc};
use crate::log::damage::{Damage, DamageKind};
use crate::log::error::{Doing, LogError};
use crate::log::format::{Invalid, Numbers};
use crate::log::names;
use crate::storage::{Storage, StorageFile};

/// How much is read ahead.
const BUFFER_BYTES: usize = 1 << 20;

/// A snapshot that is being read.
pub struct SnapshotReader {
    name: String,
    file: Box<dyn StorageFile>,
    info: SnapshotInfo,
    preamble: Vec<u8>,
    footer: Footer,
    /// Bytes of the file from [`Self::at`] on; the first `used` of them were given out.
    buffer: Vec<u8>,
    used: usize,
    at: u64,
    chain: u32,
    chunks: u64,
}

impl SnapshotReader {
    /// The `seq` of all snapshots, oldest first. They were not looked into.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn list(storage: &dyn Storage) -> Result<Vec<u64>, LogError> {
        let files = storage.list().doing("listing", &storage.describe())?;
        let mut snapshots: Vec<u64> =
            files.iter().filter_map(|(name, _)| names::snapshot_seq(name)).collect();
        snapshots.sort_unstable();
        Ok(snapshots)
    }

    /// Removes a snapshot that is not needed any more.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove(storage: &dyn Storage, seq: u64) -> Result<(), LogError> {
        let name = names::snapshot(seq);
        storage.remove(&name).doing("removing", &name)?;
        storage.sync_dir().doing("syncing", &storage.describe())
    }

    /// Opens one; its beginning and end are checked.
    ///
    /// # Errors
    /// What is damaged, and where.
    pub fn open(storage: &dyn Storage, seq: u64) -> Result<Self, Damage> {
        let name = names::snapshot(seq);
        let damage =
            |offset, kind| Damage { file: names::snapshot(seq), offset, kind, good_to: 0, next: None };
        let unreadable = |error: std::io::Error| damage(0, DamageKind::Unreadable(error.to_string()));
        let file = storage.open(&name).map_err(unreadable)?;
        let file_bytes = file.len().map_err(unreadable)?;
        let invalid = |offset, why: Invalid| damage(offset, DamageKind::Snapshot(why));

        let mut bytes = [0; HEADER];
        let read = file.read_up_to(&mut bytes, 0).map_err(unreadable)?;
        if read < HEADER || file_bytes < (HEADER + FOOTER) as u64 {
            return Err(invalid(0, "the file is too short"));
        }
        let (header, version, chain) = Header::decode(&bytes).map_err(|why| invalid(0, why))?;
        if version != VERSION {
            return Err(damage(0, DamageKind::Version(version)));
        }
        if header.seq != seq {
            return Err(invalid(0, "the file has the name of another snapshot"));
        }
        let end = file_bytes - FOOTER as u64;
        let at = HEADER as u64 + u64::from(header.preamble_len);
        if at > end {
            return Err(invalid(0, "the file ends within its preamble"));
        }
        let mut preamble = vec![0; header.preamble_len as usize];
        let read = file.read_up_to(&mut preamble, HEADER as u64).map_err(unreadable)?;
        if read < preamble.len() || crc32c::crc32c(&preamble) != header.preamble_crc {
            return Err(invalid(HEADER as u64, "the checksum of its preamble does not match"));
        }

        let mut bytes = [0; FOOTER];
        let read = file.read_up_to(&mut bytes, end).map_err(unreadable)?;
        if read < FOOTER {
            return Err(invalid(end, "the file became shorter"));
        }
        let footer = Footer::decode(&bytes).map_err(|why| invalid(end, why))?;
        if footer.salt != header.salt || footer.file_bytes != file_bytes {
            return Err(invalid(end, "its end is that of another snapshot, or a part is missing"));
        }
        let info = SnapshotInfo { seq, needs_seq: footer.needs_seq, chunks: footer.chunks, file_bytes };
        Ok(Self { name, file, info, preamble, footer, buffer: Vec::new(), used: 0, at, chain, chunks: 0 })
    }

    /// What is known of it.
    pub fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    /// What the writer wanted to stand before the chunks.
    pub fn preamble(&self) -> &[u8] {
        &self.preamble
    }

    /// How many of its bytes were read.
    pub fn position(&self) -> u64 {
        self.at + self.used as u64
    }

    /// The next chunk; none when all were read, and the whole file was checked.
    ///
    /// # Errors
    /// What is damaged, and where. The chunks before are good.
    #[allow(clippy::should_implement_trait, reason = "a chunk borrows the reader's buffer")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Damage> {
        let left = self.info.file_bytes - FOOTER as u64 - self.position();
        if left == 0 {
            if self.chunks != self.footer.chunks || self.chain != self.footer.chain {
                return Err(self.damage("its chunks are not those that its end tells of"));
            }
            return Ok(None);
        }
        if left < CHUNK_HEADER as u64 || !self.fill(CHUNK_HEADER)? {
            return Err(self.damage("it ends within a chunk"));
        }
        let mut numbers = Numbers(&self.buffer[self.used..self.used + CHUNK_HEADER]);
        let (len, crc) = (numbers.u32(), numbers.u32());
        if len == END || u64::from(len) + CHUNK_HEADER as u64 > left {
            return Err(self.damage("a chunk's length is not what it was"));
        }
        let len = len as usize;
        if !self.fill(CHUNK_HEADER + len)? {
            return Err(self.damage("it ends within a chunk"));
        }
        let start = self.used + CHUNK_HEADER;
        let chain = chunk_crc(self.chain, &self.buffer[start..start + len]);
        if chain != crc {
            return Err(self.damage("the checksum of a chunk does not match"));
        }
        self.chain = chain;
        self.chunks += 1;
        self.used = start + len;
        Ok(Some(&self.buffer[start..start + len]))
    }

    /// Sees to it that the buffer holds so many unused bytes. False when the file has not as many.
    fn fill(&mut self, len: usize) -> Result<bool, Damage> {
        if self.buffer.len() - self.used >= len {
            return Ok(true);
        }
        self.buffer.drain(..self.used);
        self.at += self.used as u64;
        self.used = 0;
        let have = self.buffer.len();
        self.buffer.resize(len.max(BUFFER_BYTES), 0);
        let read = self.file.read_up_to(&mut self.buffer[have..], self.at + have as u64);
        let read = read
            .map_err(|error| Damage { kind: DamageKind::Unreadable(error.to_string()), ..self.damage("") })?;
        self.buffer.truncate(have + read);
        Ok(self.buffer.len() >= len)
    }

    fn damage(&self, why: Invalid) -> Damage {
        Damage {
            file: self.name.clone(),
            offset: self.position(),
            kind: DamageKind::Snapshot(why),
            good_to: 0,
            next: None,
        }
    }
}
