//! What a recording keeps of a commit to be compared with a replay's.

use evertick_schema::EntityId;
use evertick_world::{Cell, Delta, Focus, Place, RowDelta, SessionWish, TimerOp};

use super::bytes::{put_signed, put_varint};
use super::write::put_timer;

/// Checksums of deltas, all of them: transient rows, events and wishes for sessions, too.
#[derive(Debug, Default)]
pub(crate) struct DeltaChecksum {
    buffer: Vec<u8>,
}

impl DeltaChecksum {
    /// CRC32C of everything that `delta` says. Cost: about that of copying it.
    pub(crate) fn of(&mut self, delta: &Delta) -> u32 {
        let mut out = std::mem::take(&mut self.buffer);
        out.clear();
        [delta.seq, delta.tick].iter().for_each(|number| put_varint(&mut out, *number));
        put_signed(&mut out, delta.time.0);
        put_entities(&mut out, &delta.spawned);
        put_entities(&mut out, &delta.despawned);
        put_varint(&mut out, delta.rows.len() as u64);
        delta.rows.iter().for_each(|rows| put_rows(&mut out, rows));
        put_varint(&mut out, delta.moved.len() as u64);
        for moved in &delta.moved {
            put_varint(&mut out, moved.entity.0);
            put_cell(&mut out, moved.from);
            put_cell(&mut out, moved.to);
        }
        put_varint(&mut out, delta.events.len() as u64);
        for event in &delta.events {
            put_varint(&mut out, u64::from(event.row.0));
            put_varint(&mut out, event.bytes.len() as u64);
            out.extend_from_slice(&event.bytes);
        }
        put_varint(&mut out, delta.sessions.len() as u64);
        for op in &delta.sessions {
            put_varint(&mut out, op.session.0);
            put_wish(&mut out, op.wish);
        }
        put_varint(&mut out, delta.timers.len() as u64);
        for op in &delta.timers {
            match op {
                TimerOp::Set(timer) => {
                    out.push(1);
                    put_timer(&mut out, timer);
                }
                TimerOp::Gone(id) => {
                    out.push(0);
                    put_varint(&mut out, id.0);
                }
            }
        }
        let checksum = crc32c::crc32c(&out);
        self.buffer = out;
        checksum
    }
}

fn put_entities(out: &mut Vec<u8>, entities: &[EntityId]) {
    put_varint(out, entities.len() as u64);
    entities.iter().for_each(|entity| out.extend_from_slice(&entity.0.to_le_bytes()));
}

fn put_rows(out: &mut Vec<u8>, rows: &RowDelta) {
    put_varint(out, u64::from(rows.row.0));
    for changes in [&rows.inserted, &rows.updated] {
        put_entities(out, changes.entities());
        changes.masks().iter().for_each(|mask| out.extend_from_slice(&mask.to_le_bytes()));
        put_varint(out, changes.bytes().len() as u64);
        out.extend_from_slice(changes.bytes());
        // Where rows of variable length end.
        changes.iter().for_each(|(_, _, row)| put_varint(out, row.len() as u64));
    }
    put_entities(out, &rows.removed);
}

fn put_cell(out: &mut Vec<u8>, cell: Option<Cell>) {
    let Some(Cell { space, x, y }) = cell else { return out.push(0) };
    out.push(1);
    put_varint(out, u64::from(space));
    put_signed(out, i64::from(x));
    put_signed(out, i64::from(y));
}

fn put_wish(out: &mut Vec<u8>, wish: SessionWish) {
    match wish {
        SessionWish::Focus(Focus::None) => out.push(0),
        SessionWish::Focus(Focus::Entity { entity, radius }) => {
            out.push(1);
            put_varint(out, entity.0);
            out.extend_from_slice(&radius.to_le_bytes());
        }
        SessionWish::Focus(Focus::Point { place: Place { space, at: [x, y] }, radius }) => {
            out.push(2);
            put_varint(out, u64::from(space));
            [x, y, radius].iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        }
        SessionWish::Join(group) => {
            out.push(3);
            put_varint(out, group);
        }
        SessionWish::Leave(group) => {
            out.push(4);
            put_varint(out, group);
        }
    }
}
