//! Writing blocks and snapshots of topics.
//!
//! Hot: every changed row of an observed topic passes here once a frame. Nothing is allocated per row.

use bytes::Bytes;
use evertick_protocol::{
    BlockWriter, Blocks, STATE_BYTES_MAX, TopicFramesWriter, TopicId, TopicKind, WireSchema,
};
use evertick_schema::EntityId;
use evertick_world::{RowId, World};

use crate::reconcile::Changes;
use crate::rules::{Class, Rules};
use crate::topic::{Dirty, Happened, Topic, TopicKey};

/// The most ROWS sections of one row type in a block. Beyond that all its rows are sent with the union of
/// their fields.
const MASKS_MAX: usize = 4;

/// What writing needs from frame to frame.
#[derive(Debug)]
pub(crate) struct Encoder {
    schema: WireSchema,
    writer: BlockWriter,
    slots: Vec<u32>,
    members: Vec<(u32, EntityId)>,
    /// Rows that move, with their parts; and those of one part.
    moving: Vec<(u8, Dirty)>,
    part: Vec<Dirty>,
}

impl Encoder {
    /// A writer of rows of `wire_rows`.
    pub(crate) fn new(world: &World, wire_rows: &[RowId]) -> Self {
        let schema = WireSchema::new(wire_rows.iter().map(|id| &world.row(*id).def));
        Self {
            schema: schema.expect("row types are registered from a checked description"),
            writer: BlockWriter::new(),
            slots: Vec::new(),
            members: Vec::new(),
            moving: Vec::new(),
            part: Vec::new(),
        }
    }

    /// Starts a frame of `world`, whose events are in `events`.
    pub(crate) fn begin<'frame>(
        &'frame mut self,
        world: &'frame World,
        rules: &'frame Rules,
        events: &'frame [u8],
    ) -> Encode<'frame> {
        Encode {
            encoder: self,
            world,
            rules,
            events,
            rows: Vec::new(),
            state: Vec::new(),
            told: TopicFramesWriter::new(),
            counts: Counts::default(),
        }
    }
}

/// What has been encoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) blocks: u64,
    pub(crate) states: u64,
    pub(crate) snapshots: u64,
    pub(crate) rows: u64,
}

/// Writes the blocks of one frame.
pub(crate) struct Encode<'frame> {
    encoder: &'frame mut Encoder,
    world: &'frame World,
    rules: &'frame Rules,
    events: &'frame [u8],
    rows: Vec<&'frame [u8]>,
    state: Vec<u8>,
    /// What the topics say, so far.
    pub(crate) told: TopicFramesWriter,
    pub(crate) counts: Counts,
}

impl Encode<'_> {
    /// What a frame has to say of a topic to those who know it, newcomers with a kept snapshot included.
    pub(crate) fn topic(&mut self, id: TopicId, topic: &mut Topic, changes: &Changes, tick: u64) {
        let mut told = Blocks::default();
        if !changes.left.is_empty() || !changes.removed.is_empty() {
            // Whoever is elsewhere now would be shown there with what the snapshot says.
            topic.cache = None;
        }
        let mut marks = std::mem::take(&mut topic.dirty);
        if topic.newcomers == topic.subscribers && topic.cache.is_none() {
            // All are about to get everything as it is.
            topic.moving.clear();
        } else {
            let (class, rules) = (topic.key.class(), self.rules);
            let dirty = marks.merge();
            let is_latest = |column| rules.of_column(class, column).latest;
            let moved = topic.moving.absorb(dirty, &topic.roster, tick, is_latest);
            told.ordered = self.block(id, topic, changes, dirty);
            if moved {
                self.states(id, topic);
            }
            if let Some((block, cache)) = told.ordered.as_ref().zip(topic.cache.as_mut())
                && !cache.follow(block)
            {
                topic.cache = None;
            }
        }
        marks.clear();
        topic.dirty = marks;
        told.events = self.events(id, topic);
        self.told.blocks(id, told);
    }

    /// What `changes` and the dirty rows say, in order; `None` if that is nothing.
    fn block(&mut self, id: TopicId, topic: &mut Topic, changes: &Changes, dirty: &[Dirty]) -> Option<Bytes> {
        self.encoder.writer.begin(id, topic.version);
        self.encoder.writer.leave(&changes.left);
        self.enter(topic, changes.entered.iter().copied());
        let class = topic.key.class();
        for rows in dirty.chunk_by(|a, b| a.column == b.column) {
            self.dirty_rows(class, topic, rows);
        }
        for removed in changes.removed.chunk_by(|a, b| a.0 == b.0) {
            let Encoder { writer, slots, .. } = &mut *self.encoder;
            slots.clear();
            slots.extend(removed.iter().map(|(_, slot)| *slot));
            writer.remove(self.rules.columns(class)[usize::from(removed[0].0)].wire.into(), slots);
        }
        topic.version = self.encoder.writer.version();
        self.finish()
    }

    /// What happened, in a block of its own: whoever enters later is not told.
    fn events(&mut self, id: TopicId, topic: &Topic) -> Option<Bytes> {
        if topic.events.is_empty() {
            return None;
        }
        self.encoder.writer.begin(id, topic.version);
        self.write_events(&topic.events);
        self.finish()
    }

    /// The block that was begun, if it says anything.
    fn finish(&mut self) -> Option<Bytes> {
        (!self.encoder.writer.is_empty()).then(|| {
            self.counts.blocks += 1;
            self.encoder.writer.finish()
        })
    }

    /// All rows that move, part by part.
    fn states(&mut self, id: TopicId, topic: &Topic) {
        let mut rows = std::mem::take(&mut self.encoder.moving);
        let parts_per_side = topic.moving.parts(self.world, topic.key, &topic.roster, &mut rows);
        self.told.states(id, parts_per_side);
        for part in rows.chunk_by(|a, b| a.0 == b.0) {
            self.part(id, topic, part);
        }
        rows.clear();
        self.encoder.moving = rows;
    }

    /// The state of one part; in several pieces if it is too long for one.
    fn part(&mut self, id: TopicId, topic: &Topic, rows: &[(u8, Dirty)]) {
        let mut dirty = std::mem::take(&mut self.encoder.part);
        dirty.clear();
        dirty.extend(rows.iter().map(|(_, row)| *row));
        self.encoder.writer.begin_state(id);
        for rows in dirty.chunk_by(|a, b| a.column == b.column) {
            self.dirty_rows(topic.key.class(), topic, rows);
        }
        self.encoder.part = dirty;
        if self.encoder.writer.len() > STATE_BYTES_MAX && rows.len() > 1 {
            let (one, other) = rows.split_at(rows.len() / 2);
            self.part(id, topic, one);
            self.part(id, topic, other);
            return;
        }
        self.counts.states += 1;
        let count = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        self.state.clear();
        self.encoder.writer.finish_into(&mut self.state);
        self.told.state(rows[0].0, count, &self.state);
    }

    /// All that is known of a topic, for those who enter it.
    pub(crate) fn snapshot(&mut self, id: TopicId, topic: &Topic) -> Bytes {
        let class = topic.key.class();
        self.encoder.writer.begin_snapshot(id, topic.version, kind(topic.key));
        self.enter(topic, topic.roster.members().map(|(slot, _)| slot));
        for column in 0..self.rules.columns(class).len() as u16 {
            self.write_rows(class, topic, column, u64::MAX, |topic, slots| {
                let members = topic.roster.members().map(|(slot, _)| slot);
                slots.extend(members.filter(|slot| topic.roster.knows(*slot, column)));
            });
        }
        self.counts.snapshots += 1;
        self.encoder.writer.finish()
    }

    fn enter(&mut self, topic: &Topic, slots: impl Iterator<Item = u32>) {
        let Encoder { writer, members, .. } = &mut *self.encoder;
        members.clear();
        members.extend(slots.map(|slot| (slot, topic.roster.entity(slot))));
        writer.enter(members);
    }

    /// Dirty rows of one type, by slot: a section for each set of fields, or one for all.
    fn dirty_rows(&mut self, class: Class, topic: &Topic, rows: &[Dirty]) {
        let column = rows[0].column;
        let fields = self.world.row(self.rules.of_column(class, column).row).all_fields();
        let mut masks = [0; MASKS_MAX];
        let mut count = 0;
        let mut union = 0;
        for mask in rows.iter().map(|dirty| dirty.mask & fields) {
            union |= mask;
            if !masks[..count.min(MASKS_MAX)].contains(&mask) {
                if count < MASKS_MAX {
                    masks[count] = mask;
                }
                count += 1;
            }
        }
        let together = count > MASKS_MAX;
        let masks = if together { std::slice::from_ref(&union) } else { &masks[..count] };
        for mask in masks {
            self.write_rows(class, topic, column, *mask, |topic, slots| {
                let same = |dirty: &&Dirty| together || dirty.mask & fields == *mask;
                // A row that went after it had changed is no longer known, nor is what its slot was.
                let known = |dirty: &&Dirty| topic.roster.knows(dirty.slot, column);
                slots.extend(rows.iter().filter(same).filter(known).map(|dirty| dirty.slot));
            });
        }
    }

    /// The fields in `mask` of rows of one type, in the slots that `choose` appends, ascending.
    fn write_rows(
        &mut self,
        class: Class,
        topic: &Topic,
        column: u16,
        mask: u64,
        choose: impl FnOnce(&Topic, &mut Vec<u32>),
    ) {
        let of = self.rules.columns(class)[usize::from(column)];
        let Encoder { schema, writer, slots, .. } = &mut *self.encoder;
        slots.clear();
        choose(topic, slots);
        self.rows.clear();
        self.rows.extend(slots.iter().map(|slot| {
            let row = self.world.get(of.row, topic.roster.entity(*slot));
            row.expect("a known row is in the world, once all deltas are absorbed")
        }));
        writer.rows(schema, of.wire.into(), mask, slots, |index| self.rows[index]);
        self.counts.rows += slots.len() as u64;
    }

    /// Events in their order: a section for each run of one type.
    fn write_events(&mut self, events: &[Happened]) {
        for run in events.chunk_by(|a, b| a.wire == b.wire) {
            let rows = run.iter().map(|event| &self.events[event.start..event.end]);
            self.encoder.writer.events(run[0].wire.into(), rows);
        }
    }
}

fn kind(key: TopicKey) -> TopicKind {
    match key {
        TopicKey::Cell(cell) => TopicKind::Cell { space: cell.space, x: cell.x, y: cell.y },
        TopicKey::Detail(cell) => TopicKind::Detail { space: cell.space, x: cell.x, y: cell.y },
        TopicKey::Owner(_) => TopicKind::Owner,
        TopicKey::Group(group) => TopicKind::Group(group),
        TopicKey::Everyone => TopicKind::Everyone,
        TopicKey::Query { .. } => TopicKind::Query,
    }
}
