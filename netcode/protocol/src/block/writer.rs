//! Writing blocks.

use bytes::Bytes;
use evertick_schema::EntityId;

use crate::block::{ENTER, EVENTS, LEAVE, REMOVE, ROWS, SNAPSHOT, TopicKind, column_write};
use crate::frame::TopicId;
use crate::schema::{RowCodec, WireSchema};
use crate::{put, slots};

/// Writes one block after another, with buffers that are kept.
///
/// ```
/// use evertick_protocol::{BlockWriter, TopicId, TopicKind, WireSchema};
/// use evertick_schema::{EntityId, owner_row};
///
/// let schema = WireSchema::new([&owner_row()])?;
/// let mut writer = BlockWriter::new();
/// writer.begin_snapshot(TopicId(7), 0, TopicKind::Owner);
/// writer.enter(&[(0, EntityId(12))]);
/// writer.rows(&schema, 0, schema.row(0).all_fields, &[0], |_| &[9; 32]);
/// let block = writer.finish();
/// assert_eq!(block.len(), 48);
/// # Ok::<(), evertick_protocol::SchemaError>(())
/// ```
#[derive(Debug, Default)]
pub struct BlockWriter {
    body: Vec<u8>,
    /// Where the roster version is in `body`.
    version_at: usize,
    version: u16,
    kind: Kind,
    roster_changed: bool,
    /// Where the sections start in `body`.
    sections_at: usize,
    scratch: column_write::Scratch,
    slots: Vec<u32>,
}

/// What is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Changes,
    Snapshot,
    State,
}

impl BlockWriter {
    /// A writer without a block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a block of changes. `version` is the roster's version so far; [`finish`](Self::finish) leaves
    /// the version to go on with in [`version`](Self::version).
    pub fn begin(&mut self, topic: TopicId, version: u16) {
        self.head(topic, version, 0);
        self.kind = Kind::Changes;
        self.sections_at = self.body.len();
    }

    /// Starts a snapshot, which replaces all that is known of the topic. `version` is the roster's version
    /// after the block of changes of the same frame, if there is one.
    pub fn begin_snapshot(&mut self, topic: TopicId, version: u16, kind: TopicKind) {
        self.head(topic, version, SNAPSHOT);
        self.kind = Kind::Snapshot;
        match kind {
            TopicKind::Cell { space, x, y } => self.cell(0, space, x, y),
            TopicKind::Owner => self.body.push(1),
            TopicKind::Group(group) => {
                self.body.push(2);
                put::varint(&mut self.body, group);
            }
            TopicKind::Everyone => self.body.push(3),
            TopicKind::Detail { space, x, y } => self.cell(4, space, x, y),
            TopicKind::Query => self.body.push(5),
        }
        self.sections_at = self.body.len();
    }

    /// Starts a state, which has [rows](Self::rows) only: absolute values of rows that the topic holds already. It must fit
    /// the bound of a [`StatePart`](crate::StatePart); see [`len`](Self::len).
    pub fn begin_state(&mut self, topic: TopicId) {
        self.body.clear();
        self.kind = Kind::State;
        put::varint(&mut self.body, topic.0.into());
        self.sections_at = self.body.len();
    }

    /// Bytes of what [`finish`](Self::finish) would make now.
    pub fn len(&self) -> usize {
        put::varint_len(self.body.len() as u64) + self.body.len()
    }

    fn cell(&mut self, kind: u8, space: u32, x: i32, y: i32) {
        self.body.push(kind);
        put::varint(&mut self.body, space.into());
        put::zigzag(&mut self.body, x.into());
        put::zigzag(&mut self.body, y.into());
    }

    fn head(&mut self, topic: TopicId, version: u16, flags: u8) {
        self.body.clear();
        self.roster_changed = false;
        self.version = version;
        put::varint(&mut self.body, topic.0.into());
        self.body.push(flags);
        self.version_at = self.body.len();
        self.body.extend_from_slice(&version.to_le_bytes());
    }

    /// The roster's version after the block so far.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Whether the block says nothing yet.
    pub fn is_empty(&self) -> bool {
        self.body.len() == self.sections_at
    }

    /// Entities leave, with all their rows of this topic. `slots` are ascending.
    pub fn leave(&mut self, slots: &[u32]) {
        if slots.is_empty() {
            return;
        }
        self.change_roster();
        self.body.push(LEAVE);
        slots::write(&mut self.body, slots);
    }

    /// Entities enter, into free slots; ascending by slot.
    pub fn enter(&mut self, entries: &[(u32, EntityId)]) {
        if entries.is_empty() {
            return;
        }
        self.change_roster();
        self.body.push(ENTER);
        self.slots.clear();
        self.slots.extend(entries.iter().map(|(slot, _)| *slot));
        slots::write(&mut self.body, &self.slots);
        let mut previous = 0;
        for (_, entity) in entries {
            put::zigzag(&mut self.body, entity.0.wrapping_sub(previous) as i64);
            previous = entity.0;
        }
    }

    fn change_roster(&mut self) {
        debug_assert!(self.kind != Kind::State, "a state changes no roster");
        if self.kind == Kind::Changes && !self.roster_changed {
            self.version = self.version.wrapping_add(1);
            self.body[self.version_at..self.version_at + 2].copy_from_slice(&self.version.to_le_bytes());
        }
        self.roster_changed = true;
    }

    /// Values of the fields in `mask` of rows of type number `row`; with all fields of the type it inserts
    /// rows too. `value(i)` is the whole row in `slots[i]`, which are ascending; it is asked once per lane of each
    /// field. Cost: a few nanoseconds per number.
    ///
    /// # Panics
    /// When a row is shorter than its type's fixed part, or `row` is not of the schema.
    pub fn rows<'row>(
        &mut self,
        schema: &WireSchema,
        row: u32,
        mask: u64,
        slots: &[u32],
        value: impl Fn(usize) -> &'row [u8],
    ) {
        if slots.is_empty() {
            return;
        }
        let codec = schema.row(row);
        let mask = mask & codec.all_fields;
        self.body.push(ROWS);
        put::varint(&mut self.body, row.into());
        slots::write(&mut self.body, slots);
        put::varint(&mut self.body, mask);
        for field in RowCodec::fields_of(mask) {
            column_write::write(
                &mut self.body,
                &mut self.scratch,
                &codec.columns,
                field,
                slots.len(),
                &value,
            );
        }
    }

    /// Entities lose their rows of type number `row`. `slots` are ascending.
    pub fn remove(&mut self, row: u32, slots: &[u32]) {
        if slots.is_empty() {
            return;
        }
        self.body.push(REMOVE);
        put::varint(&mut self.body, row.into());
        slots::write(&mut self.body, slots);
    }

    /// Events of type number `row`, in order, as row bytes.
    pub fn events<'event>(&mut self, row: u32, events: impl ExactSizeIterator<Item = &'event [u8]>) {
        if events.len() == 0 {
            return;
        }
        self.body.push(EVENTS);
        put::varint(&mut self.body, row.into());
        put::varint(&mut self.body, events.len() as u64);
        events.for_each(|event| put::bytes(&mut self.body, event));
    }

    /// Ends the block and appends it to `out`. The writer is ready for the next.
    pub fn finish_into(&mut self, out: &mut Vec<u8>) {
        put::bytes(out, &self.body);
        self.body.clear();
        self.sections_at = 0;
    }

    /// Ends the block: its bytes, in one allocation. The writer is ready for the next.
    pub fn finish(&mut self) -> Bytes {
        let mut block = Vec::with_capacity(put::varint_len(self.body.len() as u64) + self.body.len());
        self.finish_into(&mut block);
        block.into()
    }
}
