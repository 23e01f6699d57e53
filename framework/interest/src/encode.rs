//! Writing blocks and snapshots of topics.
//!
//! Hot: every changed row of an observed topic passes here once a frame. Nothing is allocated per row.

use std::ops::Range;

use bytes::Bytes;
use evertick_protocol::{
    BlockWriter, STATE_BYTES_MAX, Square, TopicFramesWriter, TopicId, TopicKind, WireSchema,
};
use evertick_schema::EntityId;
use evertick_world::{RowId, World};

use crate::movers::{Mover, Movers, OfColumn};
use crate::moving::{Change, Moving, parts, per_side};
use crate::reconcile::Changes;
use crate::rules::{Class, Rules};
use crate::topic::{Happened, Topic, TopicKey};

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
    moving: Vec<(u8, Mover)>,
    part: Movers,
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
            part: Movers::default(),
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
    /// What the topics say, so far.
    pub(crate) told: TopicFramesWriter,
    pub(crate) counts: Counts,
}

impl Encode<'_> {
    /// What `changes` and the changed rows say, in order; `None` if that is nothing.
    pub(crate) fn block(
        &mut self,
        id: TopicId,
        topic: &mut Topic,
        changes: &Changes,
        ordered: &[Change],
    ) -> Option<Bytes> {
        self.encoder.writer.begin(id, topic.version);
        self.encoder.writer.leave(&changes.left);
        self.enter(topic, changes.entered.iter().copied());
        let class = topic.key.class();
        for rows in ordered.chunk_by(|a, b| a.row.column() == b.row.column()) {
            self.changed_rows(class, rows);
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
    pub(crate) fn events(&mut self, id: TopicId, topic: &Topic) -> Option<Bytes> {
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

    /// All rows of a topic that move, `movers`, part by part; `square` is where it is, and `entity` who is at a slot.
    pub(crate) fn states(
        &mut self,
        (id, class): (TopicId, Class),
        moving: &Moving,
        movers: &Movers,
        square: impl FnOnce() -> Option<Square>,
        entity: impl Fn(u32) -> EntityId,
    ) {
        let parts_per_side = per_side(movers.len());
        self.told.states(id, parts_per_side);
        if parts_per_side == 1 {
            return self.part((id, class), moving, 0, (movers, 0..movers.len()));
        }
        let mut rows = std::mem::take(&mut self.encoder.moving);
        let mut part = std::mem::take(&mut self.encoder.part);
        parts(self.world, movers, parts_per_side, square(), entity, &mut rows);
        for rows in rows.chunk_by(|a, b| a.0 == b.0) {
            part.clear();
            rows.iter().for_each(|(_, row)| part.push(*row));
            self.part((id, class), moving, rows[0].0, (&part, 0..part.len()));
        }
        rows.clear();
        (self.encoder.moving, self.encoder.part) = (rows, part);
    }

    /// The state of one part; in several pieces if it is too long for one.
    fn part(
        &mut self,
        (id, class): (TopicId, Class),
        moving: &Moving,
        part: u8,
        (movers, rows): (&Movers, Range<usize>),
    ) {
        self.encoder.writer.begin_state(id);
        for rows in movers.columns(rows.clone()) {
            self.moving_rows((id, class), moving, rows);
        }
        if self.encoder.writer.len() > STATE_BYTES_MAX && rows.len() > 1 {
            let middle = rows.start.midpoint(rows.end);
            for rows in [rows.start..middle, middle..rows.end] {
                self.part((id, class), moving, part, (movers, rows));
            }
            return;
        }
        self.counts.states += 1;
        let count = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        self.told.written(part, count, &mut self.encoder.writer);
    }

    /// All that is known of a topic, for those who enter it.
    pub(crate) fn snapshot(&mut self, id: TopicId, topic: &Topic) -> Bytes {
        let class = topic.key.class();
        self.encoder.writer.begin_snapshot(id, topic.version, kind(topic.key));
        self.enter(topic, topic.roster.members().map(|(slot, _)| slot));
        for column in 0..self.rules.columns(class).len() as u16 {
            let members = topic.roster.members().filter(|(slot, _)| topic.roster.knows(*slot, column));
            self.write_rows(class, column, u64::MAX, members);
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

    /// Changed rows of one type, by slot.
    fn changed_rows(&mut self, class: Class, rows: &[Change]) {
        let column = rows[0].row.column();
        let row = self.world.row(self.rules.columns(class)[usize::from(column)].row);
        let sections = Sections::of(rows.iter().map(|change| change.mask), row.all_fields());
        for section in sections.masks() {
            let rows = rows.iter().filter(|change| sections.has(*section, change.mask));
            self.write_rows(class, column, *section, rows.map(|change| (change.row.slot(), change.entity)));
        }
    }

    /// Rows of one type that move, by slot.
    #[inline]
    fn moving_rows(&mut self, (id, class): (TopicId, Class), moving: &Moving, rows: OfColumn<'_>) {
        let wire = self.rules.columns(class)[usize::from(rows.column)].wire.into();
        let latest = self.rules.of_column(class, rows.column).latest;
        let all = moving.rows(latest.expect("a row that moves is of such a type"), id);
        self.counts.rows += rows.slots.len() as u64;
        let Encoder { schema, writer, slots, .. } = &mut *self.encoder;
        let mut section = |mask, slots: &[u32]| {
            writer.rows(schema, wire, mask, slots, |index| all.value(slots[index]));
        };
        let first = rows.fields[0];
        if rows.fields.iter().all(|fields| *fields == first) {
            return section(all.mask(first), rows.slots);
        }
        let masks = rows.fields.iter().map(|fields| all.mask(*fields));
        let sections = Sections::of(masks.clone(), schema.row(wire).all_fields);
        for mask in sections.masks() {
            slots.clear();
            let rows = rows.slots.iter().zip(masks.clone());
            slots.extend(rows.filter(|(_, of_row)| sections.has(*mask, *of_row)).map(|(slot, _)| *slot));
            section(*mask, slots);
        }
    }

    /// The fields in `mask` of rows of one type, by slot, ascending.
    fn write_rows(
        &mut self,
        class: Class,
        column: u16,
        mask: u64,
        rows: impl Iterator<Item = (u32, EntityId)>,
    ) {
        let of = self.rules.columns(class)[usize::from(column)];
        let Encoder { schema, writer, slots, .. } = &mut *self.encoder;
        slots.clear();
        self.rows.clear();
        for (slot, entity) in rows {
            slots.push(slot);
            let row = self.world.get(of.row, entity);
            self.rows.push(row.expect("a known row is in the world, once all deltas are absorbed"));
        }
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

/// Which ROWS sections rows of one type go to: one for each set of fields, or one for all.
struct Sections {
    masks: [u64; MASKS_MAX],
    count: usize,
    /// Whether all rows go to the only one.
    together: bool,
    fields: u64,
}

impl Sections {
    /// Of rows of a type with these fields, whose changed ones are in `masks`.
    #[inline]
    fn of(masks: impl Iterator<Item = u64>, fields: u64) -> Self {
        let mut sections = Self { masks: [0; MASKS_MAX], count: 0, together: false, fields };
        let mut union = 0;
        for mask in masks.map(|mask| mask & fields) {
            union |= mask;
            if sections.together || sections.masks().contains(&mask) {
                continue;
            }
            sections.together = sections.count == MASKS_MAX;
            if !sections.together {
                sections.masks[sections.count] = mask;
                sections.count += 1;
            }
        }
        if sections.together {
            (sections.masks[0], sections.count) = (union, 1);
        }
        sections
    }

    /// The fields of each.
    fn masks(&self) -> &[u64] {
        &self.masks[..self.count]
    }

    /// Whether a row goes there.
    #[inline]
    fn has(&self, section: u64, mask: u64) -> bool {
        self.together || mask & self.fields == section
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
