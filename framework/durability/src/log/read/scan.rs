//! Which segments make up the log, and where it ends.

use std::collections::BTreeMap;

use super::records::Records;
use super::{Found, SegmentReader, Unbroken};
use crate::log::damage::{Damage, DamageKind};
use crate::log::format::{Group, Kind, SegmentEnd};
use crate::log::names;
use crate::storage::Storage;

/// The end of a log of which a write was under way when the process or the power went. Nobody was told that it was
/// safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's file.
    pub file: String,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes, as far as that can be told.
    pub bytes: u64,
}

impl std::fmt::Display for TornTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, offset, bytes } = self;
        write!(
            f,
            "{file} ends at byte {offset} within a write of {bytes} bytes that was never finished. It is cut: nothing \
             in it was confirmed to anybody"
        )
    }
}

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub index: u64,
    /// Its records have higher numbers.
    pub after_seq: u64,
    /// Behind its last group, in bytes.
    pub end: u64,
    /// Length of its file, in bytes.
    pub file_bytes: u64,
}

/// Where a log ends: what it takes to continue it.
#[derive(Clone, Debug, Default)]
pub struct LogEnd {
    /// The last segment, up to the last group that was synced for certain. None in a log without any.
    pub(crate) previous: Option<SegmentEnd>,
    /// The last record in there.
    pub(crate) proven_seq: u64,
    /// A group behind that, of which nothing proves that it was synced.
    pub(crate) unproven: Option<Group>,
    /// The last record.
    pub(crate) last_seq: u64,
    /// Above the numbers of all segments.
    pub(crate) next_index: u64,
    /// Segments of the log in order.
    pub(crate) segments: Vec<SegmentInfo>,
    /// Segments that no longer belong to it.
    pub(crate) abandoned: Vec<u64>,
}

impl LogEnd {
    /// That of an empty log whose first record will have a number above `seq`.
    pub fn empty_after(seq: u64) -> Self {
        Self { proven_seq: seq, last_seq: seq, next_index: 1, ..Self::default() }
    }

    /// The number of the last record; 0 when there never was one.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }
}

/// A log as it was found.
pub struct Scan<'a> {
    storage: &'a dyn Storage,
    end: LogEnd,
    preamble: Vec<u8>,
    torn: Option<TornTail>,
}

impl<'a> Scan<'a> {
    /// Finds the segments and the end of the log: reads all headers, and the last segment wholly. The others'
    /// records are checked as [`Self::records`] comes to them. Changes nothing. A server may be writing meanwhile;
    /// what it writes from now on is not seen.
    ///
    /// # Errors
    /// What is damaged, and where.
    pub fn open(storage: &'a dyn Storage) -> Result<Self, Damage> {
        Self::find(storage).map_err(|damage| match damage.good_to {
            0 => {
                let index = names::segment_index(&damage.file).unwrap_or(0);
                Damage { good_to: Unbroken::find(storage).good_to(index), ..damage }
            }
            _ => damage,
        })
    }

    fn find(storage: &'a dyn Storage) -> Result<Self, Damage> {
        let files = segment_files(storage)?;
        let Some((&highest, &file_bytes)) = files.last_key_value() else {
            return Ok(Self { storage, end: LogEnd::empty_after(0), preamble: Vec::new(), torn: None });
        };
        let mut last = SegmentReader::open(storage, highest)?;
        let mut segments = chain(storage, &files, &last)?;

        let end = LastSegment::read(&mut last)?;
        let after_seq = last.header.after_seq;
        segments.push(SegmentInfo { index: highest, after_seq, end: last.at, file_bytes });
        let is_part = |index: &u64| segments.iter().any(|segment| segment.index == *index);
        let abandoned = files.into_keys().filter(|index| !is_part(index)).collect();
        let log_end = LogEnd {
            previous: Some(end.proven),
            proven_seq: end.proven_seq,
            unproven: end.unproven,
            last_seq: last.last_seq,
            next_index: highest + 1,
            segments,
            abandoned,
        };
        Ok(Self { storage, end: log_end, preamble: last.header.preamble, torn: end.torn })
    }

    /// Where the log ends.
    pub fn end(&self) -> &LogEnd {
        &self.end
    }

    /// The number of the last record; 0 when there never was one.
    pub fn last_seq(&self) -> u64 {
        self.end.last_seq
    }

    /// The log holds the records with numbers above this one.
    pub fn after_seq(&self) -> u64 {
        self.end.segments.first().map_or(self.end.last_seq, |segment| segment.after_seq)
    }

    /// Its segments in order.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.end.segments
    }

    /// What the caller of [`Log::start`](crate::log::Log::start) wanted to stand in each segment, of the last one;
    /// empty without any.
    pub fn preamble(&self) -> &[u8] {
        &self.preamble
    }

    /// The write that was under way at the end, if one was.
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// The records with numbers from `seq` on.
    ///
    /// # Errors
    /// When the log begins later.
    pub fn records(&self, seq: u64) -> Result<Records<'a>, Damage> {
        if let Some(first) = self.end.segments.first()
            && seq <= first.after_seq
        {
            return Err(Damage {
                file: names::segment(first.index),
                offset: 0,
                kind: DamageKind::MissingRecords { from: seq, to: first.after_seq },
                good_to: 0,
                next: Some(first.after_seq + 1),
            });
        }
        Ok(Records::new(self.storage, self.end.segments.clone(), seq))
    }
}

/// How the last segment of a log ends.
struct LastSegment {
    proven: SegmentEnd,
    proven_seq: u64,
    unproven: Option<Group>,
    torn: Option<TornTail>,
}

impl LastSegment {
    /// Reads the segment to its end.
    fn read(last: &mut SegmentReader) -> Result<Self, Damage> {
        // A segment gets its name when its first group is synced.
        last.next_before(u64::MAX)?;
        let (mut proven, mut unproven_from) = (last.end(), None);
        let mut proven_seq = last.last_seq;
        let torn = loop {
            let place = last.place();
            match last.next_or_end()? {
                Found::Group(header) => {
                    // What stands before it was synced when it was written. A mark itself need not be kept.
                    (proven, proven_seq) = (last.end_at(place), place.last_seq);
                    unproven_from = (header.kind == Kind::Records).then_some(place);
                    if header.kind == Kind::Seal {
                        return Err(Damage {
                            file: names::segment(last.header.index + 1),
                            offset: 0,
                            kind: DamageKind::MissingSegment(last.header.index + 1),
                            good_to: last.last_seq,
                            next: None,
                        });
                    }
                }
                Found::End { torn } => break torn,
            }
        };
        let torn = torn.map(|bytes| TornTail { file: last.name.clone(), offset: last.at, bytes });
        let unproven = match unproven_from {
            Some(place) => Some(last.group_at(place)?),
            None => None,
        };
        Ok(Self { proven, proven_seq, unproven, torn })
    }
}

/// Numbers and lengths of all segments' files.
pub(crate) fn segment_files(storage: &dyn Storage) -> Result<BTreeMap<u64, u64>, Damage> {
    let files = storage.list().map_err(|error| Damage {
        file: storage.describe(),
        offset: 0,
        kind: DamageKind::Unreadable(error.to_string()),
        good_to: 0,
        next: None,
    })?;
    Ok(files.iter().filter_map(|(name, len)| Some((names::segment_index(name)?, *len))).collect())
}

/// The segments before `last`, in order, each as its successor names it.
fn chain(
    storage: &dyn Storage,
    files: &BTreeMap<u64, u64>,
    last: &SegmentReader,
) -> Result<Vec<SegmentInfo>, Damage> {
    let at_header =
        |index, kind| Damage { file: names::segment(index), offset: 0, kind, good_to: 0, next: None };
    let mut segments = Vec::new();
    let mut index = last.header.index;
    let mut previous = last.header.previous.clone();
    while let Some(end) = previous {
        // So this ends.
        if end.index >= index {
            return Err(at_header(index, DamageKind::Header("it names a later segment as the one before")));
        }
        let Some(&file_bytes) = files.get(&end.index) else {
            // Segments are removed from the oldest on, so where one was removed there are none before.
            if files.keys().next().is_some_and(|lowest| *lowest < end.index) {
                let kind = DamageKind::MissingSegment(end.index);
                return Err(at_header(end.index, kind));
            }
            break;
        };
        index = end.index;
        let reader = SegmentReader::open(storage, index)?;
        reader.check_successor(&end).map_err(|kind| at_header(index, kind))?;
        segments.push(SegmentInfo { index, after_seq: reader.header.after_seq, end: end.end, file_bytes });
        previous = reader.header.previous;
    }
    segments.reverse();
    Ok(segments)
}
