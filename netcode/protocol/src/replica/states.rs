//! Applying states: values that come in any order, of which only the newest matters.

use evertick_schema::check_row;

use crate::block::{BlockReader, RowsSection, Section};
use crate::error::ProtocolError;
use crate::frame::TopicId;
use crate::limits::SERVER_MESSAGE_BYTES_MAX;
use crate::reader::Reader;
use crate::replica::store::Noting;
use crate::replica::{Changes, Replica, after};
use crate::server_message::StateMessage;

/// What has become of states, for statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateStats {
    /// State messages that were applied, as far as their rows were wanted.
    pub messages_applied: u64,
    /// State messages that were too far from the newest frame, either way.
    pub messages_stale: u64,
    /// State messages that were not well-formed.
    pub messages_malformed: u64,
    /// Rows that took their value, those of frames' states included.
    pub rows_applied: u64,
    /// Rows that did not: not known (any more), not held by the topic, or newer here.
    pub rows_skipped: u64,
}

impl Replica {
    /// Applies a message of the latest lane and fills `changes` with what it did; rows are only ever updated. What the replica does
    /// not know, or has newer, is skipped. The time in `changes` is that of the newest frame.
    ///
    /// After an error the message is dropped, its earlier states maybe applied and then in `changes`. The replica is as good as
    /// before, unless the error is [`ProtocolError::Broken`].
    ///
    /// Cost: the message's bytes, plus a look-up and a copy for each row named.
    pub fn apply_state(
        &mut self,
        message: StateMessage<'_>,
        changes: &mut Changes,
    ) -> Result<(), ProtocolError> {
        changes.clear();
        if let Some(error) = &self.broken {
            return Err(ProtocolError::Broken(Box::new(error.clone())));
        }
        (changes.number, changes.tick, changes.time) = (message.number, message.tick, self.time);
        if message.tick.abs_diff(self.tick) > self.state_ticks_max {
            self.state_stats.messages_stale += 1;
            return Ok(());
        }
        self.applied = self.applied.wrapping_add(1);
        let applied = self.apply_states(message, changes);
        changes.settle(&self.stores);
        match applied {
            Ok(()) => self.state_stats.messages_applied += 1,
            Err(_) => self.state_stats.messages_malformed += 1,
        }
        applied
    }

    fn apply_states(
        &mut self,
        message: StateMessage<'_>,
        changes: &mut Changes,
    ) -> Result<(), ProtocolError> {
        let mut scratch = StateScratch::default();
        let mut states = Reader::new(message.states);
        loop {
            let state = states.bytes(SERVER_MESSAGE_BYTES_MAX, "a state")?;
            self.apply_one_state(state, message.number, &mut scratch, changes)?;
            if states.is_empty() {
                return Ok(());
            }
        }
    }

    /// Applies one state of frame `number`, without its length.
    pub(super) fn apply_one_state<'a>(
        &mut self,
        state: &'a [u8],
        number: u64,
        scratch: &mut StateScratch<'a>,
        changes: &mut Changes,
    ) -> Result<(), ProtocolError> {
        let StateScratch { reader, rows } = scratch;
        let topic = reader.begin_state(state)?;
        if !self.topics.contains_key(&topic) {
            return Ok(()); // not yet, or not any more
        }
        while let Some(section) = reader.next_section(&self.schema)? {
            let Section::Rows(section) = section else {
                return Err(ProtocolError::Malformed("the sections of a state, which may have ROWS only,"));
            };
            self.apply_values(topic, &section, number as u32, rows, changes)?;
        }
        Ok(())
    }

    /// Writes the values of rows that are there, held by the topic and not newer. A section is checked as a whole before its
    /// first row is written, so that rows are always valid.
    fn apply_values(
        &mut self,
        topic: TopicId,
        section: &RowsSection<'_, '_>,
        number: u32,
        scratch: &mut RowScratch,
        changes: &mut Changes,
    ) -> Result<(), ProtocolError> {
        let codec = self.schema.row(section.row);
        if !codec.layout.flat {
            return Err(ProtocolError::Malformed("a state's rows, which may not have tails,"));
        }
        let stride = codec.layout.size as usize;
        let store = &mut self.stores[section.row as usize];
        let roster = &self.topics[&topic].roster;
        let RowScratch { places, rows, values } = scratch;
        places.clear();
        rows.clear();
        values.clear();
        for slot in section.slots {
            let wanted = roster.get(slot).filter(|seat| !after(seat.since, number)).and_then(|seat| {
                let held =
                    |index: &u32| store.is_held(*index, topic) && !after(store.written(*index), number);
                store.find(seat.entity).filter(held)
            });
            places.push(match wanted {
                Some(index) => {
                    values.extend_from_slice(store.row(index));
                    rows.push(index);
                    rows.len() as u32 - 1
                }
                None => SKIPPED,
            });
            if values.len() > self.bytes_max {
                return Err(ProtocolError::ReplicaFull { max: self.bytes_max });
            }
        }
        // Values that nobody wants are decoded all the same, to one place behind all others.
        values.resize((rows.len() + 1) * stride, 0);
        let place = |row: usize| (places[row] as usize).min(rows.len()) * stride;
        for column in section.columns {
            column.decode(&codec.columns[column.field], places.len(), values, place)?;
        }
        let values = values.chunks_exact(stride.max(1)).take(rows.len());
        if !codec.layout.plain {
            for value in values.clone() {
                check_row(&codec.layout, value)
                    .map_err(|error| ProtocolError::BadRow { row: codec.name.clone(), error })?;
            }
        }
        let mut noting = Noting { changes, applied: self.applied, frame: number, removed: &mut self.removed };
        for (index, value) in rows.iter().zip(values) {
            store.touch(*index, &mut noting);
            let start = *index as usize * stride;
            store.flat_mut()[start..start + stride].copy_from_slice(value);
        }
        self.state_stats.rows_applied += rows.len() as u64;
        self.state_stats.rows_skipped += (places.len() - rows.len()) as u64;
        Ok(())
    }
}

/// The place of a row that is skipped.
const SKIPPED: u32 = u32::MAX;

/// Buffers that are kept from state to state.
#[derive(Default)]
pub(super) struct StateScratch<'a> {
    reader: BlockReader<'a>,
    rows: RowScratch,
}

/// Buffers that are kept from section to section.
#[derive(Default)]
struct RowScratch {
    /// For each slot of the section, which of `rows` it is.
    places: Vec<u32>,
    /// Where the rows that are to be written are in their store.
    rows: Vec<u32>,
    /// What they are to be.
    values: Vec<u8>,
}
