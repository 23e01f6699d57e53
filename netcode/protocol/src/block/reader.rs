//! Reading blocks.

use evertick_schema::{EntityId, ROW_BYTES_MAX};

use crate::block::column_read::ColumnData;
use crate::block::{ENTER, EVENTS, LEAVE, REMOVE, ROWS, SNAPSHOT, TopicKind};
use crate::error::ProtocolError;
use crate::frame::TopicId;
use crate::reader::Reader;
use crate::schema::{RowCodec, WireSchema};
use crate::slots;

/// Reads a block's sections, one after another, with buffers that are kept from block to block.
#[derive(Debug, Default)]
pub struct BlockReader<'a> {
    rest: Option<Reader<'a>>,
    slots: Vec<u32>,
    entities: Vec<EntityId>,
    columns: Vec<ColumnData<'a>>,
}

/// What a block starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// The topic.
    pub topic: TopicId,
    /// The roster's version after the block.
    pub version: u16,
    /// Of a snapshot, what the topic is about.
    pub snapshot: Option<TopicKind>,
}

/// One section of a block. Slots are ascending and below [`SLOTS_MAX`](crate::SLOTS_MAX).
#[derive(Debug)]
pub enum Section<'r, 'a> {
    /// Entities leave the topic.
    Leave {
        /// Their slots.
        slots: &'r [u32],
    },
    /// Entities enter the topic.
    Enter {
        /// Their slots.
        slots: &'r [u32],
        /// Who they are, one per slot; never [`EntityId::NONE`].
        entities: &'r [EntityId],
    },
    /// Rows are inserted or updated.
    Rows(RowsSection<'r, 'a>),
    /// Rows are removed.
    Remove {
        /// Their type.
        row: u32,
        /// Whose.
        slots: &'r [u32],
    },
    /// Events happen.
    Events(EventsSection<'a>),
}

/// Fields of rows of one type.
#[derive(Debug)]
pub struct RowsSection<'r, 'a> {
    /// The type's number.
    pub row: u32,
    /// Whose rows.
    pub slots: &'r [u32],
    /// Which fields.
    pub mask: u64,
    pub(crate) columns: &'r [ColumnData<'a>],
}

/// Events of one type.
#[derive(Debug)]
pub struct EventsSection<'a> {
    /// The type's number.
    pub row: u32,
    count: usize,
    events: Reader<'a>,
}

impl<'a> BlockReader<'a> {
    /// A reader without a block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts to read a block, whose length (the varint before it) has been taken off already.
    pub fn begin(&mut self, block: &'a [u8]) -> Result<BlockHead, ProtocolError> {
        let mut reader = Reader::new(block);
        let topic = TopicId(reader.varint_u32("a block's topic")?);
        let flags = reader.u8("a block's flags")?;
        let version = reader.u16("a block's roster version")?;
        let snapshot = match flags {
            0 => None,
            SNAPSHOT => Some(read_kind(&mut reader)?),
            _ => return Err(ProtocolError::Unknown { what: "block flags", value: flags.into() }),
        };
        self.rest = Some(reader);
        Ok(BlockHead { topic, version, snapshot })
    }

    /// Starts a state; its length has been taken off already. Returns its topic. Sections other than ROWS are for the caller to
    /// refuse.
    pub fn begin_state(&mut self, state: &'a [u8]) -> Result<TopicId, ProtocolError> {
        let mut reader = Reader::new(state);
        let topic = TopicId(reader.varint_u32("a state's topic")?);
        self.rest = Some(reader);
        Ok(topic)
    }

    /// The next section; `None` at the end. After an error there is no more.
    pub fn next_section(&mut self, schema: &WireSchema) -> Result<Option<Section<'_, 'a>>, ProtocolError> {
        let Some(mut reader) = self.rest.take() else { return Ok(None) };
        if reader.is_empty() {
            return Ok(None);
        }
        let tag = reader.u8("a section's tag")?;
        let row = match tag {
            LEAVE | ENTER => 0,
            ROWS | REMOVE | EVENTS => reader.varint_u32("a section's row type")?,
            _ => return Err(ProtocolError::Unknown { what: "block section", value: tag.into() }),
        };
        if tag == EVENTS {
            schema.find(row, true)?;
            let events = read_events(&mut reader, row)?;
            self.rest = Some(reader);
            return Ok(Some(Section::Events(events)));
        }
        slots::read(&mut reader, &mut self.slots)?;
        let mut mask = 0;
        match tag {
            ENTER => self.read_entities(&mut reader)?,
            ROWS => mask = self.read_columns(&mut reader, schema.find(row, false)?)?,
            REMOVE => drop(schema.find(row, false)?),
            _ => {}
        }
        self.rest = Some(reader);
        let slots = &self.slots[..];
        Ok(Some(match tag {
            LEAVE => Section::Leave { slots },
            ENTER => Section::Enter { slots, entities: &self.entities },
            ROWS => Section::Rows(RowsSection { row, slots, mask, columns: &self.columns }),
            _ => Section::Remove { row, slots },
        }))
    }

    fn read_entities(&mut self, reader: &mut Reader<'a>) -> Result<(), ProtocolError> {
        self.entities.clear();
        let mut id = 0u64;
        for _ in &self.slots {
            id = id.wrapping_add(reader.zigzag("an entity's id")? as u64);
            if id == 0 {
                return Err(ProtocolError::Malformed("entity ids"));
            }
            self.entities.push(EntityId(id));
        }
        Ok(())
    }

    fn read_columns(&mut self, reader: &mut Reader<'a>, codec: &RowCodec) -> Result<u64, ProtocolError> {
        let mask = reader.varint("a column mask")?;
        if mask & !codec.all_fields != 0 {
            return Err(ProtocolError::Unknown { what: "field in the column mask", value: mask });
        }
        self.columns.clear();
        for field in RowCodec::fields_of(mask) {
            let column = &codec.columns[field];
            self.columns.push(ColumnData::read(reader, column, field, self.slots.len())?);
        }
        Ok(mask)
    }
}

pub(crate) fn read_kind(reader: &mut Reader<'_>) -> Result<TopicKind, ProtocolError> {
    Ok(match reader.u8("a topic's kind")? {
        0 => TopicKind::Cell {
            space: reader.varint_u32("a cell's space")?,
            x: reader.zigzag_i32("a cell's x")?,
            y: reader.zigzag_i32("a cell's y")?,
        },
        1 => TopicKind::Owner,
        2 => TopicKind::Group(reader.varint("a group")?),
        3 => TopicKind::Everyone,
        4 => TopicKind::Detail {
            space: reader.varint_u32("a cell's space")?,
            x: reader.zigzag_i32("a cell's x")?,
            y: reader.zigzag_i32("a cell's y")?,
        },
        5 => TopicKind::Query,
        kind => return Err(ProtocolError::Unknown { what: "topic kind", value: kind.into() }),
    })
}

fn read_events<'a>(reader: &mut Reader<'a>, row: u32) -> Result<EventsSection<'a>, ProtocolError> {
    let count = reader.count(1, "events")?;
    let events = *reader;
    for _ in 0..count {
        reader.bytes(ROW_BYTES_MAX, "an event")?;
    }
    Ok(EventsSection { row, count, events })
}

impl<'a> EventsSection<'a> {
    /// The events' row bytes, in order. Not checked yet.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = self.events;
        (0..self.count).map_while(move |_| reader.bytes(ROW_BYTES_MAX, "an event").ok())
    }
}
