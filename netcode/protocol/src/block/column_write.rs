//! Writing one field of many rows, in the encoding that is smallest.
//!
//! Hot: every changed row passes here in every frame. Nothing is allocated per row.

use evertick_schema::Lane;

use crate::block::{OPAQUE, PACKED, RAW, VARINT, WIDTH_MAX, tail};
use crate::put::{to_zigzag, varint_len};
use crate::quantizer::Quantizer;
use crate::schema::{Column, ColumnKind, integer};
use crate::{bits, put};

/// What `u64` lanes are xored with so that they sort as `i64`.
const SIGN: u64 = 1 << 63;

/// Appends field number `field` of `count` rows, which is above 0. `keys` is scratch.
pub(crate) fn write<'row>(
    out: &mut Vec<u8>,
    keys: &mut Vec<i64>,
    columns: &[Column],
    field: usize,
    count: usize,
    row: &impl Fn(usize) -> &'row [u8],
) {
    let column = &columns[field];
    keys.clear();
    match &column.kind {
        ColumnKind::Raw => raw(out, column, count, row),
        ColumnKind::Variable { .. } => opaque(out, columns, field, count, row),
        ColumnKind::Integers { lane, lanes } => {
            let (size, _) = integer(*lane);
            for index in 0..*lanes {
                gather_integers(keys, *lane, column.offset + index * size, count, row);
            }
            numbers(out, keys, column, count, row, Form::of(*lane));
        }
        ColumnKind::Quantized { wide, lanes, quantizer } => {
            let start = out.len();
            out.push(PACKED);
            let fit = (0..*lanes).all(|index| {
                let at = column.offset + index * if *wide { 8 } else { 4 };
                let range = gather_multiples(keys, *wide, quantizer, at, count, row);
                range.is_some_and(|range| {
                    pack_lane(out, keys, range, Form::Multiple);
                    true
                })
            });
            if !fit {
                out.truncate(start);
                raw(out, column, count, row);
            }
        }
    }
}

fn raw<'row>(out: &mut Vec<u8>, column: &Column, count: usize, row: &impl Fn(usize) -> &'row [u8]) {
    out.push(RAW);
    out.reserve(count * column.size);
    for index in 0..count {
        out.extend_from_slice(&row(index)[column.offset..column.offset + column.size]);
    }
}

fn opaque<'row>(
    out: &mut Vec<u8>,
    columns: &[Column],
    field: usize,
    count: usize,
    row: &impl Fn(usize) -> &'row [u8],
) {
    out.push(OPAQUE);
    for index in 0..count {
        tail::write(out, columns, field, row(index));
    }
}

#[inline]
fn lane_at<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
    *row[at..].first_chunk().expect("the caller hands whole rows of the type")
}

fn gather_integers<'row>(
    keys: &mut Vec<i64>,
    lane: Lane,
    at: usize,
    count: usize,
    row: &impl Fn(usize) -> &'row [u8],
) {
    let rows = (0..count).map(row);
    match lane {
        Lane::U8 => keys.extend(rows.map(|row| i64::from(row[at]))),
        Lane::I8 => keys.extend(rows.map(|row| i64::from(row[at] as i8))),
        Lane::U16 => keys.extend(rows.map(|row| i64::from(u16::from_le_bytes(lane_at(row, at))))),
        Lane::I16 => keys.extend(rows.map(|row| i64::from(i16::from_le_bytes(lane_at(row, at))))),
        Lane::U32 | Lane::F32 => keys.extend(rows.map(|row| i64::from(u32::from_le_bytes(lane_at(row, at))))),
        Lane::I32 => keys.extend(rows.map(|row| i64::from(i32::from_le_bytes(lane_at(row, at))))),
        Lane::U64 | Lane::F64 => {
            keys.extend(rows.map(|row| (u64::from_le_bytes(lane_at(row, at)) ^ SIGN) as i64));
        }
        Lane::I64 => keys.extend(rows.map(|row| i64::from_le_bytes(lane_at(row, at)))),
    }
}

/// Replaces `keys` by one lane's multiples, and returns the smallest and the largest; `None` when not all values can be quantized.
#[inline]
fn gather_multiples<'row>(
    keys: &mut Vec<i64>,
    wide: bool,
    quantizer: &Quantizer,
    at: usize,
    count: usize,
    row: &impl Fn(usize) -> &'row [u8],
) -> Option<(i64, i64)> {
    let (mut low, mut high, mut fit) = (i64::MAX, i64::MIN, true);
    let mut quantize = |value| {
        let multiple = quantizer.quantize(value);
        fit &= multiple.is_some();
        let multiple = multiple.unwrap_or(0);
        (low, high) = (low.min(multiple), high.max(multiple));
        multiple
    };
    let rows = (0..count).map(row);
    keys.clear();
    if wide {
        keys.extend(rows.map(|row| quantize(f64::from_le_bytes(lane_at(row, at)))));
    } else {
        keys.extend(rows.map(|row| quantize(f32::from_le_bytes(lane_at(row, at)).into())));
    }
    fit.then_some((low, high))
}

/// What the keys of a column stand for.
#[derive(Clone, Copy)]
enum Form {
    Signed,
    Unsigned,
    /// u64, with the top bit turned over.
    Wide,
    /// Quantized floats, signed. Never sent as varints.
    Multiple,
}

impl Form {
    fn of(lane: Lane) -> Self {
        match lane {
            Lane::U64 | Lane::F64 => Self::Wide,
            _ if integer(lane).1 => Self::Signed,
            _ => Self::Unsigned,
        }
    }

    /// What goes into a varint.
    #[inline]
    fn varint(self, key: i64) -> u64 {
        match self {
            Self::Signed | Self::Multiple => to_zigzag(key),
            Self::Unsigned => key as u64,
            Self::Wide => key as u64 ^ SIGN,
        }
    }
}

/// Writes `keys`, lane after lane, or the rows' own bytes if that is smaller. Multiples are not written so but always packed: what
/// a client is shown must not depend on how many rows happen to change together.
fn numbers<'row>(
    out: &mut Vec<u8>,
    keys: &[i64],
    column: &Column,
    count: usize,
    row: &impl Fn(usize) -> &'row [u8],
    form: Form,
) {
    let varint: usize = keys.iter().map(|key| varint_len(form.varint(*key))).sum();
    let cost = packed_cost(keys, count, form).unwrap_or(usize::MAX);
    if column.size * count <= cost.min(varint) {
        raw(out, column, count, row);
    } else if varint < cost {
        out.push(VARINT);
        keys.iter().for_each(|key| put::varint(out, form.varint(*key)));
    } else {
        out.push(PACKED);
        keys.chunks_exact(count).for_each(|lane| pack_lane(out, lane, range_of(lane), form));
    }
}

/// Writes one lane's keys, the smallest and the largest of which are these, by their differences to the smallest.
#[inline]
fn pack_lane(out: &mut Vec<u8>, keys: &[i64], (low, high): (i64, i64), form: Form) {
    let width = width_of(low, high);
    out.push(width as u8);
    put::varint(out, form.varint(low));
    bits::pack(out, width, keys.iter().map(|key| key.wrapping_sub(low) as u64));
}

/// Bytes of a packed column; `None` when differences are too large for one.
fn packed_cost(keys: &[i64], count: usize, form: Form) -> Option<usize> {
    keys.chunks_exact(count).try_fold(0, |sum, lane| {
        let (low, high) = range_of(lane);
        let width = width_of(low, high);
        let cost = 1 + varint_len(form.varint(low)) + bits::bytes_of(count, width);
        (width <= WIDTH_MAX).then_some(sum + cost)
    })
}

/// The smallest and the largest of `keys`.
fn range_of(keys: &[i64]) -> (i64, i64) {
    let first = keys.first().copied().unwrap_or(0);
    keys.iter().fold((first, first), |(low, high), key| (low.min(*key), high.max(*key)))
}

/// The bits of the largest difference to the smallest.
#[inline]
fn width_of(low: i64, high: i64) -> u32 {
    64 - (high.wrapping_sub(low) as u64).leading_zeros()
}
