//! The records of a log, one after the other.

use super::{SegmentInfo, SegmentReader};
use crate::log::damage::{Damage, DamageKind};
use crate::log::format::Payload;
use crate::storage::Storage;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number.
    pub seq: u64,
    /// What the caller wrote.
    pub body: &'a [u8],
}

/// The records of a log from one number on, in order. Each group is checked before any of its records is given out;
/// one group is in memory at a time.
pub struct Records<'a> {
    storage: &'a dyn Storage,
    segments: std::vec::IntoIter<SegmentInfo>,
    from: u64,
    /// The segment that is read, and where the log says it ends.
    reader: Option<(SegmentReader, u64)>,
    payload: Payload,
    last_seq: u64,
}

impl<'a> Records<'a> {
    /// `segments` are those of the log, in order.
    pub(super) fn new(storage: &'a dyn Storage, mut segments: Vec<SegmentInfo>, from: u64) -> Self {
        let before = segments.iter().take_while(|segment| segment.after_seq < from).count();
        segments.drain(..before.saturating_sub(1));
        let last_seq = segments.first().map_or(0, |segment| segment.after_seq);
        Self {
            storage,
            segments: segments.into_iter(),
            from,
            reader: None,
            payload: Payload::default(),
            last_seq,
        }
    }

    /// The next record; none at the end of the log.
    ///
    /// # Errors
    /// What is damaged, and where. What was given out before is good.
    #[allow(clippy::should_implement_trait, reason = "a record borrows the reader's buffer")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Damage> {
        loop {
            if let Some((seq, body)) = self.next_in_group()? {
                self.last_seq = seq;
                if seq < self.from {
                    continue;
                }
                let (reader, _) = self.reader.as_ref().expect("a record was found in it");
                return Ok(Some(Record { seq, body: &reader.payload()[body] }));
            }
            if !self.next_group()? {
                return Ok(None);
            }
        }
    }

    /// What the caller of [`Log::start`](crate::log::Log::start) wanted to stand in each segment, of the one with
    /// the record given out last; empty before the first one.
    pub fn preamble(&self) -> &[u8] {
        self.reader.as_ref().map_or(&[], |(reader, _)| &reader.header.preamble)
    }

    /// Where reading is: the segment's number, and the place in it in bytes.
    pub fn position(&self) -> (u64, u64) {
        self.reader.as_ref().map_or((0, 0), |(reader, _)| (reader.header.index, reader.at))
    }

    fn next_in_group(&mut self) -> Result<Option<(u64, std::ops::Range<usize>)>, Damage> {
        let Some((reader, _)) = &self.reader else { return Ok(None) };
        self.payload.next(reader.payload()).map_err(|why| Damage {
            file: reader.name.clone(),
            offset: reader.at,
            kind: DamageKind::Record(why),
            good_to: self.last_seq,
            next: None,
        })
    }

    /// Steps to the next group with records. False at the end.
    fn next_group(&mut self) -> Result<bool, Damage> {
        loop {
            if let Some((reader, end)) = &mut self.reader
                && reader.at < *end
            {
                let header = reader.next_before(*end)?;
                self.payload = Payload::new(&header);
                return Ok(true);
            }
            let Some(segment) = self.segments.next() else { return Ok(false) };
            let reader = SegmentReader::open(self.storage, segment.index)
                .map_err(|damage| Damage { good_to: self.last_seq, ..damage })?;
            let follows =
                self.reader.as_ref().is_none_or(|(before, _)| reader.header.previous == Some(before.end()));
            if !follows || reader.header.after_seq != self.last_seq {
                return Err(Damage {
                    file: reader.name,
                    offset: 0,
                    kind: DamageKind::Header("it does not follow the segment before"),
                    good_to: self.last_seq,
                    next: None,
                });
            }
            self.payload = Payload::default();
            self.reader = Some((reader, segment.end));
        }
    }
}
