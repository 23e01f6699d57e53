//! Applying frames.

use std::borrow::Cow;

use evertick_schema::{EntityId, Timestamp, check_row};
use hashbrown::HashMap;

use crate::block::{BlockReader, EventsSection, RowsSection, Section, TopicKind};
use crate::error::ProtocolError;
use crate::frame::TopicId;
use crate::frame_parts::FrameParts;
use crate::limits::TOPICS_MAX;
use crate::replica::assemble::Assembler;
use crate::replica::states::StateScratch;
use crate::replica::store::Noting;
use crate::replica::{Changes, Replica, Seat, Topic};
use crate::schema::RowCodec;
use crate::server_message::FrameMessage;
use crate::snapshot::plain;

/// What a row takes besides its bytes, about.
const ROW_OVERHEAD: usize = 48;
/// What a slot takes, about.
const SLOT_BYTES: usize = 32;
/// What a row's second holder takes, and each further one at most, about.
const HOLDER_BYTES: usize = 64;

impl Replica {
    /// Applies a frame, its states included, as one change and fills `changes` with what it did. After an error the replica is
    /// [broken](Replica::broken) and `changes` is empty.
    ///
    /// Cost: the frame's bytes, plus a look-up per slot named and a copy of each row touched.
    pub fn apply(&mut self, message: FrameMessage<'_>, changes: &mut Changes) -> Result<(), ProtocolError> {
        changes.clear();
        if let Some(error) = &self.broken {
            return Err(ProtocolError::Broken(Box::new(error.clone())));
        }
        let applied = self.apply_parts(message, changes);
        self.removed.clear();
        if let Err(error) = &applied {
            changes.clear();
            self.broken = Some(error.clone());
        }
        applied
    }

    fn apply_parts(&mut self, message: FrameMessage<'_>, changes: &mut Changes) -> Result<(), ProtocolError> {
        let parts = FrameParts::read(message)?;
        let says_more = !parts.has_results_alone();
        let frame = parts.number as u32;
        self.applied = self.applied.wrapping_add(1);
        for topic in parts.left {
            self.drop_topic(topic, frame, changes);
        }
        let mut scratch = Scratch::default();
        for block in parts.entered {
            match plain(block)? {
                Cow::Borrowed(block) => self.apply_block((block, true), frame, &mut scratch, changes),
                Cow::Owned(block) => {
                    self.apply_block((&block, true), frame, &mut Scratch::default(), changes)
                }
            }?;
        }
        for block in parts.changed {
            self.apply_block((block, false), frame, &mut scratch, changes)?;
        }
        let mut scratch = StateScratch::default();
        for state in &parts.states {
            self.apply_one_state(state, parts.number, &mut scratch, changes)?;
        }
        if says_more {
            // A frame with results alone may have overtaken others, and says nothing of what they bring.
            self.number = self.number.max(parts.number);
            self.tick = self.tick.max(parts.tick);
            self.time = self.time.max(Timestamp(parts.time_us));
        }
        changes.number = parts.number;
        changes.tick = parts.tick;
        changes.time = Timestamp(parts.time_us);
        changes.results = parts.results;
        changes.queries = parts.queries;
        changes.settle(&self.stores);
        Ok(())
    }

    fn apply_block<'a>(
        &mut self,
        (block, snapshot): (&'a [u8], bool),
        frame: u32,
        scratch: &mut Scratch<'a>,
        changes: &mut Changes,
    ) -> Result<(), ProtocolError> {
        let head = scratch.reader.begin(block)?;
        if head.snapshot.is_some() != snapshot {
            return Err(ProtocolError::WrongBlock { topic: head.topic });
        }
        let mut topic = match head.snapshot {
            Some(kind) => {
                self.drop_topic(head.topic, frame, changes);
                if self.topics.len() >= TOPICS_MAX {
                    let value = self.topics.len() as u64 + 1;
                    return Err(ProtocolError::TooMuch { what: "topics", value, max: TOPICS_MAX as u64 });
                }
                Topic { kind, version: head.version, roster: HashMap::new(), types: Vec::new() }
            }
            None => self.topics.remove(&head.topic).ok_or(ProtocolError::UnknownTopic(head.topic))?,
        };
        let mut roster_changed = false;
        let Scratch { reader, places, assembler } = scratch;
        let mut target = Target { replica: self, id: head.topic, topic: &mut topic, frame, changes };
        while let Some(section) = reader.next_section(&target.replica.schema)? {
            roster_changed |= matches!(section, Section::Leave { .. } | Section::Enter { .. });
            match section {
                Section::Leave { slots } => target.leave(slots)?,
                Section::Enter { slots, entities } => target.enter(slots, entities)?,
                Section::Rows(rows) => target.rows(&rows, places, assembler)?,
                Section::Remove { row, slots } => target.remove(row, slots)?,
                Section::Events(events) => target.events(&events)?,
            }
        }
        if head.snapshot.is_none() {
            let want = topic.version.wrapping_add(u16::from(roster_changed));
            if head.version != want {
                return Err(ProtocolError::RosterVersion { topic: head.topic, want, got: head.version });
            }
            topic.version = want;
        }
        self.topics.insert(head.topic, topic);
        Ok(())
    }

    /// Forgets a topic, if it is known.
    fn drop_topic(&mut self, id: TopicId, frame: u32, changes: &mut Changes) {
        let Some(mut topic) = self.topics.remove(&id) else { return };
        let roster = std::mem::take(&mut topic.roster);
        let mut target = Target { replica: self, id, topic: &mut topic, frame, changes };
        for seat in roster.values() {
            target.forget(seat.entity);
        }
    }
}

/// Buffers that are kept from block to block.
#[derive(Default)]
struct Scratch<'a> {
    reader: BlockReader<'a>,
    places: Vec<u32>,
    assembler: Assembler,
}

/// The topic that a block is about, taken out of the replica while the block is applied.
struct Target<'t> {
    replica: &'t mut Replica,
    id: TopicId,
    topic: &'t mut Topic,
    /// The low bits of the frame's number.
    frame: u32,
    changes: &'t mut Changes,
}

impl Target<'_> {
    fn entity(&self, slot: u32) -> Result<EntityId, ProtocolError> {
        self.topic
            .roster
            .get(&slot)
            .map(|seat| seat.entity)
            .ok_or(ProtocolError::Slot { topic: self.id, slot })
    }

    fn leave(&mut self, slots: &[u32]) -> Result<(), ProtocolError> {
        for slot in slots {
            let entity = self.entity(*slot)?;
            self.topic.roster.remove(slot);
            self.forget(entity);
        }
        Ok(())
    }

    /// Lets go of the rows of an entity that has left. Those that other topics hold stay.
    fn forget(&mut self, entity: EntityId) {
        self.replica.bytes = self.replica.bytes.saturating_sub(SLOT_BYTES);
        for index in 0..self.topic.types.len() {
            self.release_row(self.topic.types[index], entity);
        }
    }

    fn release_row(&mut self, row: u32, entity: EntityId) {
        let replica = &mut *self.replica;
        let store = &mut replica.stores[row as usize];
        let Some(index) = store.find(entity).filter(|index| store.is_held(*index, self.id)) else { return };
        if self.topic.kind == TopicKind::Query {
            self.changes.result_of_query(self.id, row, entity);
        }
        if store.release(index, self.id) {
            replica.bytes = replica.bytes.saturating_sub(HOLDER_BYTES);
            return;
        }
        let (applied, removed) = (replica.applied, &mut replica.removed);
        let mut noting = Noting { changes: &mut *self.changes, applied, frame: self.frame, removed };
        let bytes = store.remove(index, &mut noting);
        replica.bytes = replica.bytes.saturating_sub(bytes + ROW_OVERHEAD);
    }

    fn enter(&mut self, slots: &[u32], entities: &[EntityId]) -> Result<(), ProtocolError> {
        self.hold(slots.len() * SLOT_BYTES)?;
        for (slot, entity) in slots.iter().zip(entities) {
            let seat = Seat { entity: *entity, since: self.frame };
            if self.topic.roster.insert(*slot, seat).is_some() {
                return Err(ProtocolError::Slot { topic: self.id, slot: *slot });
            }
        }
        Ok(())
    }

    fn remove(&mut self, row: u32, slots: &[u32]) -> Result<(), ProtocolError> {
        for slot in slots {
            let entity = self.entity(*slot)?;
            self.release_row(row, entity);
        }
        Ok(())
    }

    fn events(&mut self, events: &EventsSection<'_>) -> Result<(), ProtocolError> {
        let codec = self.replica.schema.row(events.row);
        for event in events.iter() {
            check(codec, event)?;
            self.changes.event(events.row, event);
        }
        Ok(())
    }

    fn rows(
        &mut self,
        section: &RowsSection<'_, '_>,
        places: &mut Vec<u32>,
        assembler: &mut Assembler,
    ) -> Result<(), ProtocolError> {
        self.place(section, places)?;
        let replica = &mut *self.replica;
        let codec = replica.schema.row(section.row);
        let store = &mut replica.stores[section.row as usize];
        if !codec.layout.flat {
            let grown = assembler.rows(codec, section, places, store)?;
            replica.bytes = replica.bytes.saturating_add_signed(grown);
            return self.hold(0);
        }
        let stride = codec.layout.size as usize;
        for column in section.columns {
            let place = |row: usize| places[row] as usize * stride;
            column.decode(&codec.columns[column.field], places.len(), store.flat_mut(), place)?;
        }
        if codec.layout.plain {
            return Ok(());
        }
        places.iter().try_for_each(|index| check(codec, store.row(*index)))
    }

    /// Finds the rows that a section is about, makes those that are new, and notes them all.
    fn place(&mut self, section: &RowsSection<'_, '_>, places: &mut Vec<u32>) -> Result<(), ProtocolError> {
        places.clear();
        let row = section.row;
        let codec = self.replica.schema.row(row);
        let whole = section.mask == codec.all_fields;
        let size = codec.layout.size as usize;
        if !self.topic.types.contains(&row) {
            self.topic.types.push(row);
        }
        for slot in section.slots {
            let entity = self.entity(*slot)?;
            let store = &self.replica.stores[row as usize];
            let found = store.find(entity);
            if !whole && found.is_none_or(|index| !store.is_held(index, self.id)) {
                let row = self.replica.schema.row(row).name.clone();
                return Err(ProtocolError::NoSuchRow { topic: self.id, row, entity });
            }
            if found.is_none() {
                self.hold(size + ROW_OVERHEAD)?;
            }
            if whole && self.topic.kind == TopicKind::Query {
                self.changes.result_of_query(self.id, row, entity);
            }
            let replica = &mut *self.replica;
            let store = &mut replica.stores[row as usize];
            let (applied, removed) = (replica.applied, &mut replica.removed);
            let mut noting = Noting { changes: &mut *self.changes, applied, frame: self.frame, removed };
            places.push(match found {
                Some(index) => {
                    store.touch(index, &mut noting);
                    if whole && store.hold(index, self.id) {
                        self.hold(HOLDER_BYTES)?;
                    }
                    index
                }
                None => store.insert(entity, self.id, &mut noting),
            });
        }
        Ok(())
    }

    /// Counts memory that is about to be taken.
    fn hold(&mut self, bytes: usize) -> Result<(), ProtocolError> {
        self.replica.bytes = self.replica.bytes.saturating_add(bytes);
        if self.replica.bytes > self.replica.bytes_max {
            return Err(ProtocolError::ReplicaFull { max: self.replica.bytes_max });
        }
        Ok(())
    }
}

pub(super) fn check(codec: &RowCodec, row: &[u8]) -> Result<(), ProtocolError> {
    check_row(&codec.layout, row).map_err(|error| ProtocolError::BadRow { row: codec.name.clone(), error })
}
