//! Walking one segment's groups.

use std::ops::Range;

use crate::log::damage::{Damage, DamageKind};
use crate::log::format::{
    BLOCK, Group, GroupHeader, Invalid, Kind, Payload, SegmentEnd, SegmentHeader, block_up,
};
use crate::log::names;
use crate::storage::{Storage, StorageFile};

/// How much is read at once while looking behind an illegible place.
const SEARCH_BYTES: usize = 1 << 20;

/// A segment that is being read.
pub(crate) struct SegmentReader {
    pub(crate) name: String,
    file: Box<dyn StorageFile>,
    pub(crate) header: SegmentHeader,
    /// Length of the file in bytes.
    pub(crate) len: u64,
    /// Where the next group begins.
    pub(crate) at: u64,
    chain: u32,
    /// The last record before [`Self::at`].
    pub(crate) last_seq: u64,
    /// The block with the present group's header and then its payload.
    buffer: Vec<u8>,
}

/// A place between two groups of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    at: u64,
    chain: u32,
    /// The last record before it.
    pub(crate) last_seq: u64,
}

/// What stands at a place in a segment.
pub(crate) enum Found {
    /// A whole group, which the reader has stepped over. Its payload is [`SegmentReader::payload`].
    Group(GroupHeader),
    /// Nothing that was ever confirmed. `torn` is how many bytes a group that was begun here has, if one was.
    End { torn: Option<u64> },
}

impl SegmentReader {
    /// Opens a segment and checks its header.
    pub(crate) fn open(storage: &dyn Storage, index: u64) -> Result<Self, Damage> {
        let name = names::segment(index);
        let damage = |kind| Damage { file: names::segment(index), offset: 0, kind, good_to: 0, next: None };
        let unreadable = |error: std::io::Error| DamageKind::Unreadable(error.to_string());
        let file = storage.open(&name).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => damage(DamageKind::MissingSegment(index)),
            _ => damage(unreadable(error)),
        })?;
        let (header, chain) = SegmentHeader::decode(index, |len| {
            let mut bytes = vec![0; len];
            let read = file.read_up_to(&mut bytes, 0).map_err(unreadable)?;
            bytes.truncate(read);
            Ok(bytes)
        })
        .map_err(damage)?;
        let len = file.len().map_err(|error| damage(unreadable(error)))?;
        let (at, last_seq) = (header.len(), header.after_seq);
        Ok(Self { name, file, header, len, at, chain, last_seq, buffer: Vec::new() })
    }

    /// Behind the groups that were read.
    pub(crate) fn place(&self) -> Place {
        Place { at: self.at, chain: self.chain, last_seq: self.last_seq }
    }

    /// What a successor would tell of this segment if it ended there.
    pub(crate) fn end_at(&self, place: Place) -> SegmentEnd {
        SegmentEnd { index: self.header.index, salt: self.header.salt, end: place.at, chain: place.chain }
    }

    /// What a successor would tell of this segment if it ended behind the groups that were read.
    pub(crate) fn end(&self) -> SegmentEnd {
        self.end_at(self.place())
    }

    /// Reads the group at a place again, and gives its records as they would be written.
    pub(crate) fn group_at(&mut self, place: Place) -> Result<Group, Damage> {
        let now = self.place();
        (self.at, self.chain, self.last_seq) = (place.at, place.chain, place.last_seq);
        let header = self.next_before(now.at)?;
        let mut records = Payload::new(&header);
        let mut group = Group::default();
        loop {
            match records.next(self.payload()) {
                Ok(Some((seq, body))) => group.push(seq, &self.payload()[body]),
                Ok(None) => return Ok(group),
                Err(why) => return Err(self.damage(DamageKind::Record(why))),
            }
        }
    }

    /// Whether this segment is the one that its successor means, and holds what that says.
    pub(crate) fn check_successor(&self, end: &SegmentEnd) -> Result<(), DamageKind> {
        if self.header.salt != end.salt {
            return Err(DamageKind::Header("its successor continues another segment of this number"));
        }
        if self.at == end.end && self.chain != end.chain {
            return Err(DamageKind::Group("its successor continues another row of groups"));
        }
        Ok(())
    }

    /// The records of the group that was found last.
    pub(crate) fn payload(&self) -> &[u8] {
        self.buffer.get(GroupHeader::LEN..).unwrap_or_default()
    }

    /// Reads a range of the file behind what the buffer holds; less where the file ends.
    fn read(&mut self, range: Range<u64>) -> Result<(), DamageKind> {
        let (len, start) = ((range.end - range.start) as usize, self.buffer.len());
        self.buffer.resize(start + len, 0);
        let read = self.file.read_up_to(&mut self.buffer[start..], range.start);
        let read = read.map_err(|error| DamageKind::Unreadable(error.to_string()))?;
        self.buffer.truncate(start + read);
        Ok(())
    }

    /// The group at [`Self::at`], whole and following the one before; or why there is none.
    fn group(&mut self) -> Result<Result<(GroupHeader, u32), Invalid>, DamageKind> {
        self.buffer.clear();
        self.read(self.at..self.at + BLOCK)?;
        let (header, chain) = match GroupHeader::decode(&self.buffer, self.header.salt, self.at) {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let end = GroupHeader::LEN + header.payload_len as usize;
        let blocks = block_up(end as u64);
        if self.at + blocks > self.len {
            return Ok(Err("a group is longer than the file"));
        }
        if blocks > self.buffer.len() as u64 {
            self.read(self.at + self.buffer.len() as u64..self.at + blocks)?;
        }
        if self.buffer.len() as u64 != blocks {
            return Ok(Err("the file became shorter"));
        }
        if self.buffer[end..].iter().any(|byte| *byte != 0) {
            return Ok(Err("a group's padding is not empty"));
        }
        self.buffer.truncate(end);
        if crc32c::crc32c(self.payload()) != header.payload_crc {
            return Ok(Err("the checksum of a group's records does not match"));
        }
        if header.previous != self.chain {
            return Ok(Err("a group does not follow the one before"));
        }
        let follows = match header.kind {
            Kind::Records => header.first_seq > self.last_seq,
            Kind::Mark | Kind::Seal => header.last_seq == self.last_seq && header.records == 0,
        };
        if !follows {
            return Ok(Err("a group's numbers do not follow those of the one before"));
        }
        Ok(Ok((header, chain)))
    }

    fn step(&mut self, header: &GroupHeader, chain: u32) {
        self.at = block_up(self.at + (GroupHeader::LEN as u64) + u64::from(header.payload_len));
        self.chain = chain;
        self.last_seq = header.last_seq;
    }

    fn damage(&self, kind: DamageKind) -> Damage {
        Damage { file: self.name.clone(), offset: self.at, kind, good_to: self.last_seq, next: None }
    }

    /// The next group of a segment that goes on to `end` for certain. There is one before `end`.
    pub(crate) fn next_before(&mut self, end: u64) -> Result<GroupHeader, Damage> {
        match self.group() {
            Err(kind) => Err(self.damage(kind)),
            Ok(Ok((header, chain))) => {
                self.step(&header, chain);
                if self.at > end {
                    return Err(self.damage(DamageKind::Group("a group goes on behind the segment's end")));
                }
                Ok(header)
            }
            Ok(Err(why)) => {
                let next = self.behind(end).map_err(|kind| self.damage(kind))?.map(|(_, seq)| seq);
                Err(Damage { next, ..self.damage(DamageKind::Group(why)) })
            }
        }
    }

    /// The next group of a segment that nothing follows, or its end.
    pub(crate) fn next_or_end(&mut self) -> Result<Found, Damage> {
        // A writer may be at work. What it wrote between two looks is then legible at the second one.
        let mut proof = None;
        loop {
            let why = match self.group().map_err(|kind| self.damage(kind))? {
                Ok((header, chain)) => {
                    self.step(&header, chain);
                    return Ok(Found::Group(header));
                }
                Err(why) => why,
            };
            if let Some(seq) = proof {
                return Err(Damage { next: Some(seq), ..self.damage(DamageKind::Group(why)) });
            }
            let torn = self.torn();
            self.len =
                self.file.len().map_err(|error| self.damage(DamageKind::Unreadable(error.to_string())))?;
            match self.behind(self.len).map_err(|kind| self.damage(kind))? {
                None => return Ok(Found::End { torn }),
                Some((_, seq)) => proof = Some(seq),
            }
        }
    }

    /// How long the group is of which the buffer holds at least the header.
    fn torn(&self) -> Option<u64> {
        if let Ok((header, _)) = GroupHeader::decode(&self.buffer, self.header.salt, self.at) {
            let end = self.at + GroupHeader::LEN as u64 + u64::from(header.payload_len);
            return Some(end.min(self.len.max(self.at)) - self.at);
        }
        // Not even the header is whole. A part of it tells at least that there was one.
        let salt = self.header.salt.to_le_bytes();
        let at = self.at.to_le_bytes();
        let begun = self.buffer.get(8..16) == Some(&salt) || self.buffer.get(16..24) == Some(&at);
        begun.then_some(self.buffer.len() as u64)
    }

    /// The place and the first record's number of the first legible group header between the present place and
    /// `end`.
    fn behind(&self, end: u64) -> Result<Option<(u64, u64)>, DamageKind> {
        let mut chunk = vec![0; SEARCH_BYTES];
        let mut at = self.at + BLOCK;
        while at < end {
            let len = SEARCH_BYTES.min((end - at) as usize);
            let read = self.file.read_up_to(&mut chunk[..len], at);
            let read = read.map_err(|error| DamageKind::Unreadable(error.to_string()))?;
            if read == 0 {
                break;
            }
            for (block, place) in chunk[..read].chunks(BLOCK as usize).zip((at..).step_by(BLOCK as usize)) {
                if let Ok((header, _)) = GroupHeader::decode(block, self.header.salt, place) {
                    return Ok(Some((place, header.first_seq)));
                }
            }
            at += SEARCH_BYTES as u64;
        }
        Ok(None)
    }
}
