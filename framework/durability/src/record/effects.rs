//! Changed rows in a record: of each type what came, what changed and what went.
//!
//! Entities are differences, each to the one before. Of a flat row that changed only the changed fields are written; of one
//! of variable length, all of it.

use evertick_schema::{EntityId, StorageClass};
use evertick_world::{Changes, Delta, RowDelta, RowId};

use super::bytes::{Input, Malformed, put_blob, put_signed, put_varint};
use super::{RowShape, Section, Shapes, Visit};

/// How the masks of changed fields are written.
const ONE_MASK: u8 = 0;
const OWN_MASKS: u8 = 1;

/// What of a commit is to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// There is something for a record.
    pub(crate) any: bool,
    /// There is something that clients may see only when it is on the disk.
    pub(crate) durable: bool,
}

/// What of a commit's rows and timers is to be stored. Cost: some nanoseconds per changed row type.
pub(crate) fn stored(shapes: &Shapes, delta: &Delta) -> Stored {
    let mut stored = Stored { any: !delta.timers.is_empty(), durable: !delta.timers.is_empty() };
    for rows in &delta.rows {
        let came_or_went = !rows.inserted.is_empty() || !rows.removed.is_empty();
        match shapes.get(rows.row).map(|shape| shape.class) {
            Some(StorageClass::Durable) => stored = Stored { any: true, durable: true },
            Some(StorageClass::Checkpoint { .. }) => stored.any |= came_or_went,
            Some(StorageClass::Transient) | None => {}
        }
    }
    stored
}

/// Appends the section of one row type's changes, if there is anything to store.
pub(crate) fn put_rows(out: &mut Vec<u8>, shapes: &Shapes, rows: &RowDelta, spans: &mut Vec<(usize, usize)>) {
    let Some(shape) = shapes.get(rows.row) else { return };
    let updated = match shape.class {
        StorageClass::Durable => Some(&rows.updated),
        StorageClass::Checkpoint { .. } => None,
        StorageClass::Transient => return,
    };
    let updated = updated.filter(|updated| !updated.is_empty());
    if rows.inserted.is_empty() && rows.removed.is_empty() && updated.is_none() {
        return;
    }
    head(out, rows.row, [rows.inserted.len(), updated.map_or(0, Changes::len), rows.removed.len()]);
    put_entities(out, rows.inserted.entities());
    if shape.stride.is_some() {
        out.extend_from_slice(rows.inserted.bytes());
    } else {
        rows.inserted.iter().for_each(|(_, _, row)| put_blob(out, row));
    }
    match (updated, shape.stride) {
        (Some(updated), Some(stride)) => put_fields(out, shape, stride, updated, spans),
        (Some(updated), None) => {
            put_entities(out, updated.entities());
            updated.iter().for_each(|(_, _, row)| put_blob(out, row));
        }
        (None, _) => {}
    }
    put_entities(out, &rows.removed);
}

fn head(out: &mut Vec<u8>, row: RowId, counts: [usize; 3]) {
    out.push(Section::Rows.tag());
    put_varint(out, u64::from(row.0));
    counts.iter().for_each(|count| put_varint(out, *count as u64));
}

fn put_entities(out: &mut Vec<u8>, entities: &[EntityId]) {
    let mut last = 0;
    for entity in entities {
        put_signed(out, entity.0.wrapping_sub(last) as i64);
        last = entity.0;
    }
}

fn put_fields(
    out: &mut Vec<u8>,
    shape: &RowShape,
    stride: usize,
    updated: &Changes,
    spans: &mut Vec<(usize, usize)>,
) {
    let masks = updated.masks();
    let rows = updated.bytes().chunks_exact(stride.max(1));
    if masks.iter().all(|mask| *mask == masks[0]) {
        out.push(ONE_MASK);
        put_varint(out, masks[0]);
        put_entities(out, updated.entities());
        shape.spans(masks[0], spans);
        for row in rows {
            spans.iter().for_each(|&(start, end)| out.extend_from_slice(&row[start..end]));
        }
        return;
    }
    out.push(OWN_MASKS);
    put_entities(out, updated.entities());
    for (mask, row) in masks.iter().zip(rows) {
        put_varint(out, *mask);
        shape.spans(*mask, spans);
        spans.iter().for_each(|&(start, end)| out.extend_from_slice(&row[start..end]));
    }
}

/// Whole rows of one type that are gathered for a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct PutBuffer {
    entities: Vec<EntityId>,
    bytes: Vec<u8>,
}

impl PutBuffer {
    pub(crate) fn push(&mut self, shape: &RowShape, entity: EntityId, row: &[u8]) {
        self.entities.push(entity);
        match shape.stride {
            Some(_) => self.bytes.extend_from_slice(row),
            None => put_blob(&mut self.bytes, row),
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.entities.len()
    }

    /// Bytes of the rows.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + 8 * self.entities.len()
    }

    /// Appends the section and forgets the rows.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, row: RowId) {
        head(out, row, [self.entities.len(), 0, 0]);
        put_entities(out, &self.entities);
        out.extend_from_slice(&self.bytes);
        self.entities.clear();
        self.bytes.clear();
    }
}

/// Reads the section behind its tag.
pub(super) fn read_rows<V: Visit>(
    input: &mut Input<'_>,
    shapes: &Shapes,
    visit: &mut V,
) -> Result<(), V::Error> {
    let row = RowId(input.small()?);
    let Some(shape) = shapes.get(row) else {
        return Ok(input.malformed("a row type that the module does not have")?);
    };
    let (inserted, updated, removed) = (input.count()?, input.count()?, input.count()?);
    let mut entities = Entities::skip(input, inserted)?;
    for _ in 0..inserted {
        visit.put(row, entities.next()?, read_row(input, shape)?)?;
    }
    if updated > 0 {
        match shape.stride {
            Some(_) => read_fields(input, shape, (row, updated), visit)?,
            None => {
                let mut entities = Entities::skip(input, updated)?;
                for _ in 0..updated {
                    visit.put(row, entities.next()?, read_row(input, shape)?)?;
                }
            }
        }
    }
    let mut entities = Entities::skip(input, removed)?;
    (0..removed).try_for_each(|_| visit.remove(row, entities.next()?))
}

fn read_fields<V: Visit>(
    input: &mut Input<'_>,
    shape: &RowShape,
    (row, count): (RowId, usize),
    visit: &mut V,
) -> Result<(), V::Error> {
    let common = match input.byte()? {
        ONE_MASK => Some(input.varint()?),
        OWN_MASKS => None,
        _ => return Ok(input.malformed("an unknown form of masks")?),
    };
    let mut entities = Entities::skip(input, count)?;
    for _ in 0..count {
        let mask = match common {
            Some(mask) => mask,
            None => input.varint()?,
        };
        let Some(len) = shape.masked_len(mask) else {
            return Ok(input.malformed("a field that the row type does not have")?);
        };
        visit.patch(row, entities.next()?, mask, input.take(len)?)?;
    }
    Ok(())
}

fn read_row<'a>(input: &mut Input<'a>, shape: &RowShape) -> Result<&'a [u8], Malformed> {
    match shape.stride {
        Some(stride) => input.take(stride),
        None => input.blob(),
    }
}

/// Entities that stand before what belongs to them.
struct Entities<'a> {
    input: Input<'a>,
    last: u64,
}

impl<'a> Entities<'a> {
    /// Moves `input` behind `count` entities, to be read beside it.
    fn skip(input: &mut Input<'a>, count: usize) -> Result<Self, Malformed> {
        let entities = Self { input: *input, last: 0 };
        (0..count).try_for_each(|_| input.varint().map(drop))?;
        Ok(entities)
    }

    fn next(&mut self) -> Result<EntityId, Malformed> {
        self.last = self.last.wrapping_add(self.input.signed()? as u64);
        Ok(EntityId(self.last))
    }
}
