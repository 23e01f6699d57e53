//! Reading one field of many rows.

use evertick_schema::{Lane, ROW_BYTES_MAX};

use crate::bits;
use crate::block::{ALONE, OPAQUE, PACKED, RAW, Tail, VARINT, WIDTH_MAX};
use crate::error::ProtocolError;
use crate::quantizer::Quantizer;
use crate::reader::Reader;
use crate::schema::{Column, ColumnKind, integer};

/// The most lanes of a field.
const LANES_MAX: usize = 4;

/// One field's values, delimited but not decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnData<'a> {
    /// The field's number.
    pub(crate) field: usize,
    data: Data<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Data<'a> {
    Raw(&'a [u8]),
    Packed([PackedLane<'a>; LANES_MAX]),
    Varint(&'a [u8]),
    Opaque(&'a [u8]),
}

#[derive(Clone, Copy, Debug, Default)]
struct PackedLane<'a> {
    width: u32,
    /// Of unsigned lanes the bits of the u64.
    base: i64,
    bits: &'a [u8],
}

impl<'a> ColumnData<'a> {
    /// Delimits the values of `count` rows.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        column: &Column,
        field: usize,
        count: usize,
    ) -> Result<Self, ProtocolError> {
        let encoding = reader.u8("a column's encoding")?;
        let unknown = ProtocolError::Unknown { what: "column encoding", value: encoding.into() };
        let data = match (encoding, &column.kind) {
            (OPAQUE, ColumnKind::Variable { .. }) => Data::Opaque(skip_opaque(reader, count)?),
            (_, ColumnKind::Variable { .. }) => return Err(unknown),
            (RAW, _) => Data::Raw(reader.take(count.saturating_mul(column.size), "a raw column")?),
            (PACKED, ColumnKind::Integers { lane, lanes }) => {
                Data::Packed(read_lanes(reader, *lanes, count, |reader| read_base(reader, *lane))?)
            }
            (PACKED, ColumnKind::Quantized { lanes, .. }) => {
                let base = |reader: &mut Reader<'a>| reader.zigzag_i32("a column's base").map(i64::from);
                Data::Packed(read_lanes(reader, *lanes, count, base)?)
            }
            (VARINT, ColumnKind::Integers { lane, lanes }) => {
                Data::Varint(skip_varints(reader, *lane, lanes * count)?)
            }
            _ => return Err(unknown),
        };
        Ok(Self { field, data })
    }

    /// Decodes a flat column: value `i` goes to `out[place(i) + offset ..]`, which must be there.
    pub(crate) fn decode(
        &self,
        column: &Column,
        count: usize,
        out: &mut [u8],
        place: impl Fn(usize) -> usize,
    ) -> Result<(), ProtocolError> {
        let at = |index| place(index) + column.offset;
        match (&self.data, &column.kind) {
            (Data::Raw(bytes), _) => {
                for index in 0..count {
                    let value = &bytes[index * column.size..(index + 1) * column.size];
                    out[at(index)..at(index) + column.size].copy_from_slice(value);
                }
                Ok(())
            }
            (Data::Packed(packed), ColumnKind::Integers { lane, lanes }) => {
                let (size, _) = integer(*lane);
                for (index, packed) in packed[..*lanes].iter().enumerate() {
                    unpack_integers(*packed, *lane, count, out, |row| at(row) + index * size)?;
                }
                Ok(())
            }
            (Data::Packed(packed), ColumnKind::Quantized { wide, lanes, quantizer }) => {
                let size = if *wide { 8 } else { 4 };
                for (index, packed) in packed[..*lanes].iter().enumerate() {
                    unpack_floats(*packed, *wide, quantizer, count, out, |row| at(row) + index * size);
                }
                Ok(())
            }
            (Data::Varint(bytes), ColumnKind::Integers { lane, lanes }) => {
                let (size, signed) = integer(*lane);
                let mut reader = Reader::new(bytes);
                for index in 0..*lanes {
                    for row in 0..count {
                        let value = read_integer(&mut reader, signed)?;
                        store(out, at(row) + index * size, size, value);
                    }
                }
                Ok(())
            }
            _ => Err(ProtocolError::Malformed("the encoding of a column")),
        }
    }

    /// The values of a variable column.
    pub(crate) fn tails(&self) -> impl Iterator<Item = Tail<'a>> + use<'a> {
        let mut reader = Reader::new(if let Data::Opaque(bytes) = self.data { bytes } else { &[] });
        std::iter::from_fn(move || read_opaque(&mut reader).ok())
    }
}

fn read_opaque<'a>(reader: &mut Reader<'a>) -> Result<Tail<'a>, ProtocolError> {
    let len = reader.varint_u32("a variable value's length")? as usize;
    let bytes = if len == 0 { &[] } else { reader.bytes(ROW_BYTES_MAX, "a variable value")? };
    Ok(Tail { len, bytes, start: ALONE })
}

fn skip_opaque<'a>(reader: &mut Reader<'a>, count: usize) -> Result<&'a [u8], ProtocolError> {
    let start = *reader;
    for _ in 0..count {
        read_opaque(reader)?;
    }
    Ok(consumed(start, reader))
}

fn skip_varints<'a>(reader: &mut Reader<'a>, lane: Lane, count: usize) -> Result<&'a [u8], ProtocolError> {
    let start = *reader;
    for _ in 0..count {
        read_base(reader, lane)?;
    }
    Ok(consumed(start, reader))
}

fn consumed<'a>(start: Reader<'a>, now: &Reader<'a>) -> &'a [u8] {
    &start.rest()[..start.len() - now.len()]
}

fn read_lanes<'a>(
    reader: &mut Reader<'a>,
    lanes: usize,
    count: usize,
    base: impl Fn(&mut Reader<'a>) -> Result<i64, ProtocolError>,
) -> Result<[PackedLane<'a>; LANES_MAX], ProtocolError> {
    let mut packed = [PackedLane::default(); LANES_MAX];
    for lane in &mut packed[..lanes] {
        let width = u32::from(reader.u8("a column's width")?);
        if width > WIDTH_MAX {
            let max = WIDTH_MAX.into();
            return Err(ProtocolError::TooMuch { what: "a column's width", value: width.into(), max });
        }
        let base = base(reader)?;
        let bits = reader.take(bits::bytes_of(count, width), "a packed column")?;
        let last = (count * width as usize) % 8;
        if last > 0 && bits.last().is_some_and(|byte| byte >> last != 0) {
            return Err(ProtocolError::Malformed("the bits behind a packed column"));
        }
        *lane = PackedLane { width, base, bits };
    }
    Ok(packed)
}

/// An integer as 64 bits, sign-extended if `signed`.
fn read_integer(reader: &mut Reader<'_>, signed: bool) -> Result<u64, ProtocolError> {
    if signed { Ok(reader.zigzag("a column's number")? as u64) } else { reader.varint("a column's number") }
}

/// An integer in the range of `lane`.
fn read_base(reader: &mut Reader<'_>, lane: Lane) -> Result<i64, ProtocolError> {
    let (size, signed) = integer(lane);
    let value = read_integer(reader, signed)?;
    let unused = 64 - 8 * size as u32;
    let fits = if signed {
        ((value as i64) << unused) >> unused == value as i64
    } else {
        (value << unused) >> unused == value
    };
    if fits { Ok(value as i64) } else { Err(ProtocolError::Malformed("the numbers of a column")) }
}

/// How far above `base` the lane's range reaches.
fn headroom(base: i64, lane: Lane) -> u64 {
    let (size, signed) = integer(lane);
    let max = u64::MAX >> (64 - 8 * size as u32) >> u32::from(signed);
    max.wrapping_sub(base as u64)
}

fn unpack_integers(
    packed: PackedLane<'_>,
    lane: Lane,
    count: usize,
    out: &mut [u8],
    at: impl Fn(usize) -> usize,
) -> Result<(), ProtocolError> {
    let headroom = headroom(packed.base, lane);
    let (size, _) = integer(lane);
    let mut fits = true;
    bits::unpack(packed.bits, packed.width, count, |row, above| {
        fits &= above <= headroom;
        store(out, at(row), size, (packed.base as u64).wrapping_add(above));
    });
    if fits { Ok(()) } else { Err(ProtocolError::Malformed("the numbers of a column")) }
}

fn unpack_floats(
    packed: PackedLane<'_>,
    wide: bool,
    quantizer: &Quantizer,
    count: usize,
    out: &mut [u8],
    at: impl Fn(usize) -> usize,
) {
    bits::unpack(packed.bits, packed.width, count, |row, above| {
        let value = quantizer.dequantize(packed.base + above as i64);
        if wide {
            store(out, at(row), 8, value.to_bits());
        } else {
            store(out, at(row), 4, (value as f32).to_bits().into());
        }
    });
}

#[inline]
fn store(out: &mut [u8], at: usize, size: usize, value: u64) {
    out[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
}
