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

/// Numbers on their way; kept for their room.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    floats: Vec<f64>,
    multiples: Vec<i32>,
    keys: Vec<i64>,
}

/// Appends field number `field` of `count` rows, which is above 0.
pub(crate) fn write<'row>(
    out: &mut Vec<u8>,
    Scratch { floats, multiples, keys }: &mut Scratch,
    columns: &[Column],
    field: usize,
    count: usize,
    row: &impl Fn(usize) -> &'row [u8],
) {
    let column = &columns[field];
    match &column.kind {
        ColumnKind::Raw => raw(out, column, count, row),
        ColumnKind::Variable { .. } => opaque(out, columns, field, count, row),
        ColumnKind::Integers { lane, lanes } => {
            let (size, _) = integer(*lane);
            keys.clear();
            for index in 0..*lanes {
                gather_integers(keys, *lane, column.offset + index * size, count, row);
            }
            numbers(out, keys, column, count, row, Form::of(*lane));
        }
        ColumnKind::Quantized { wide, lanes, quantizer } => {
            if *wide {
                gather_floats(
                    floats,
                    *lanes,
                    count,
                    |index| &row(index)[column.offset..],
                    f64::from_le_bytes,
                );
            } else {
                let float = |bytes| f32::from_le_bytes(bytes).into();
                gather_floats(floats, *lanes, count, |index| &row(index)[column.offset..], float);
            }
            if !quantized(out, multiples, floats, count, quantizer) {
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

/// Replaces `floats` by those, of so many bytes each, that the first bytes of `field` are, lane after lane.
#[inline]
fn gather_floats<'row, const BYTES: usize>(
    floats: &mut Vec<f64>,
    lanes: usize,
    count: usize,
    field: impl Fn(usize) -> &'row [u8],
    float: impl Fn([u8; BYTES]) -> f64,
) {
    floats.resize(lanes * count, 0.0);
    let mut rest = &mut floats[..];
    for lane in (0..lanes).step_by(2) {
        let at = lane * BYTES;
        let (one, behind) = rest.split_at_mut(count);
        if lane + 1 == lanes {
            for (index, one) in one.iter_mut().enumerate() {
                *one = float(lane_at(field(index), at));
            }
            break;
        }
        // Two at once: it takes longer to find a row than to take a lane.
        let (other, behind) = behind.split_at_mut(count);
        for (index, (one, other)) in one.iter_mut().zip(other).enumerate() {
            let field = field(index);
            (*one, *other) = (float(lane_at(field, at)), float(lane_at(field, at + BYTES)));
        }
        rest = behind;
    }
}

/// Writes `floats`, lane after lane of `count` rows, as multiples, which `multiples` is scratch for; or nothing, and returns `false`, when
/// some can't be quantized.
fn quantized(
    out: &mut Vec<u8>,
    multiples: &mut Vec<i32>,
    floats: &[f64],
    count: usize,
    quantizer: &Quantizer,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi2") {
        // SAFETY: the CPU has AVX2 and BMI2, which is all that the function asks for.
        return unsafe { quantized_avx2(out, multiples, floats, count, quantizer) };
    }
    quantized_portable(out, multiples, floats, count, quantizer)
}

/// The same, many numbers at once.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn quantized_avx2(
    out: &mut Vec<u8>,
    multiples: &mut Vec<i32>,
    floats: &[f64],
    count: usize,
    quantizer: &Quantizer,
) -> bool {
    quantized_portable(out, multiples, floats, count, quantizer)
}

#[inline(always)]
fn quantized_portable(
    out: &mut Vec<u8>,
    multiples: &mut Vec<i32>,
    floats: &[f64],
    count: usize,
    quantizer: &Quantizer,
) -> bool {
    multiples.clear();
    let fit = quantizer.quantize_all(floats, multiples);
    if fit {
        pack_lanes(out, multiples, count, Form::Multiple);
    }
    fit
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
        pack_lanes(out, keys, count, form);
    }
}

/// Writes `keys`, lane after lane, by their differences to the smallest of each.
#[inline(always)]
fn pack_lanes<T: Copy + Default + Ord + Into<i64>>(out: &mut Vec<u8>, keys: &[T], count: usize, form: Form) {
    out.push(PACKED);
    for lane in keys.chunks_exact(count) {
        let (low, high) = range_of(lane);
        let width = width_of(low, high);
        out.push(width as u8);
        put::varint(out, form.varint(low));
        bits::pack(out, width, lane, low);
    }
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
#[inline(always)]
fn range_of<T: Copy + Default + Ord + Into<i64>>(keys: &[T]) -> (i64, i64) {
    let first = keys.first().copied().unwrap_or_default();
    // Not both in one pass, of which the compiler makes jumps.
    let low = keys.iter().fold(first, |low, key| low.min(*key));
    let high = keys.iter().fold(first, |high, key| high.max(*key));
    (low.into(), high.into())
}

/// The bits of the largest difference to the smallest.
#[inline]
fn width_of(low: i64, high: i64) -> u32 {
    64 - (high.wrapping_sub(low) as u64).leading_zeros()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use evertick_schema::WireDef;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_processor_writes_the_same(
            floats in prop::collection::vec(prop_oneof![-50.0..50.0, -3e4..3e4, Just(f64::NAN)], 1..120),
            step in prop_oneof![Just(0.01), Just(0.5)],
            lanes in 1..4usize,
        ) {
            let quantizer = Quantizer::new(&WireDef { step, bits: None, wrap: None }).unwrap();
            let count = floats.len().div_ceil(lanes);
            let floats: Vec<_> = floats.iter().copied().cycle().take(count * lanes).collect();
            let (mut one, mut other, mut multiples) = (vec![1], vec![1], Vec::new());
            let fits = quantized(&mut one, &mut multiples, &floats, count, &quantizer);
            prop_assert_eq!(fits, quantized_portable(&mut other, &mut multiples, &floats, count, &quantizer));
            prop_assert_eq!(one, other);
        }
    }
}
