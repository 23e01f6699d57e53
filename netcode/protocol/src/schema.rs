//! How each row type's fields travel, worked out once from the description.

use evertick_schema::{
    FIELDS_MAX, FieldDef, Lane, ROW_BYTES_MAX, RowDef, RowKind, RowLayout, TYPE_DEPTH_MAX, Type,
};

use crate::bits::set_bits;
use crate::error::{ProtocolError, SchemaError};
use crate::quantizer::Quantizer;

/// The codecs of a module's row types, by their number on the wire.
#[derive(Clone, Debug)]
pub struct WireSchema {
    rows: Vec<RowCodec>,
}

/// The codec of one row type.
#[derive(Clone, Debug)]
pub struct RowCodec {
    /// The row type's name in the description.
    pub name: String,
    /// Where its fields lie.
    pub layout: RowLayout,
    /// Whether it is an event, which is sent but not kept.
    pub event: bool,
    /// The mask that has all fields.
    pub all_fields: u64,
    pub(crate) columns: Vec<Column>,
}

/// How one field travels.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// In the row's fixed part.
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) kind: ColumnKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnKind {
    /// As it is.
    Raw,
    /// Numbers that may be packed.
    Integers { lane: Lane, lanes: usize },
    /// Floats that are sent as multiples of a step. `wide`: f64.
    Quantized { wide: bool, lanes: usize, quantizer: Quantizer },
    /// Length and tail.
    Variable { ty: Type },
}

impl WireSchema {
    /// Works out the codecs of `rows`, whose order is their numbers on the wire.
    pub fn new<'def>(rows: impl IntoIterator<Item = &'def RowDef>) -> Result<Self, SchemaError> {
        let rows = rows.into_iter().map(RowCodec::new).collect::<Result<_, _>>()?;
        Ok(Self { rows })
    }

    /// The row types, by number.
    pub fn rows(&self) -> &[RowCodec] {
        &self.rows
    }

    /// The row type of this number.
    ///
    /// # Panics
    /// When there is none: the number must come from the same description.
    pub fn row(&self, row: u32) -> &RowCodec {
        &self.rows[row as usize]
    }

    /// The row type of a number from the wire.
    pub(crate) fn find(&self, row: u32, event: bool) -> Result<&RowCodec, ProtocolError> {
        self.rows.get(row as usize).filter(|codec| codec.event == event).ok_or(ProtocolError::Unknown {
            what: if event { "event type" } else { "row type" },
            value: row.into(),
        })
    }
}

impl RowCodec {
    fn new(def: &RowDef) -> Result<Self, SchemaError> {
        let layout = RowLayout::of(&def.fields);
        let deep = def.fields.iter().any(|field| field.ty.depth() > TYPE_DEPTH_MAX);
        if def.fields.len() > FIELDS_MAX || deep || layout.size as usize > ROW_BYTES_MAX {
            return Err(SchemaError(format!("{}: too many fields, too deep a type or too large", def.name)));
        }
        let columns = def
            .fields
            .iter()
            .zip(&layout.fields)
            .map(|(field, place)| Column {
                offset: place.offset as usize,
                size: place.size as usize,
                kind: ColumnKind::of(field),
            })
            .collect();
        Ok(Self {
            name: def.name.clone(),
            event: def.kind == RowKind::Event,
            all_fields: u64::MAX.checked_shr(64 - def.fields.len() as u32).unwrap_or(0),
            layout,
            columns,
        })
    }

    /// The field numbers that `mask` has.
    pub(crate) fn fields_of(mask: u64) -> impl Iterator<Item = usize> {
        set_bits(mask).map(|field| field as usize)
    }

    /// Makes a valid row what a client is shown of it: quantized fields become their nearest multiples.
    /// (A column with a value that can't be quantized travels as it is, so that neighbours in its block may be
    /// more exact than this.)
    pub fn quantize(&self, row: &mut [u8]) {
        for column in &self.columns {
            if let ColumnKind::Quantized { wide, quantizer, .. } = &column.kind {
                let field = &mut row[column.offset..column.offset + column.size];
                quantize_field(field, *wide, quantizer);
            }
        }
    }
}

fn quantize_field(field: &mut [u8], wide: bool, quantizer: &Quantizer) {
    let size = if wide { 8 } else { 4 };
    let lanes = || field.chunks_exact(size).map(|lane| quantizer.quantize(read_float(lane, wide)));
    if lanes().any(|multiple| multiple.is_none()) {
        return;
    }
    let multiples: Vec<i64> = lanes().flatten().collect();
    for (lane, multiple) in field.chunks_exact_mut(size).zip(multiples) {
        let value = quantizer.dequantize(multiple);
        if wide {
            lane.copy_from_slice(&value.to_le_bytes());
        } else {
            lane.copy_from_slice(&(value as f32).to_le_bytes());
        }
    }
}

/// The float that `lane` holds, of 8 bytes if `wide`, else of 4.
fn read_float(lane: &[u8], wide: bool) -> f64 {
    match (wide, lane.first_chunk::<8>(), lane.first_chunk::<4>()) {
        (true, Some(bytes), _) => f64::from_le_bytes(*bytes),
        (false, _, Some(bytes)) => f32::from_le_bytes(*bytes).into(),
        _ => f64::NAN,
    }
}

impl ColumnKind {
    fn of(field: &FieldDef) -> Self {
        if !field.ty.is_flat() {
            return Self::Variable { ty: field.ty.clone() };
        }
        let (lane, lanes) = match &field.ty {
            Type::Bool => (Lane::U8, 1),
            Type::Enum(of) => match of.size {
                1 => (Lane::U8, 1),
                2 => (Lane::U16, 1),
                _ => (Lane::U32, 1),
            },
            ty => match ty.lanes() {
                Some((lane, lanes)) => (lane, usize::from(lanes)),
                None => return Self::Raw,
            },
        };
        if !matches!(lane, Lane::F32 | Lane::F64) {
            return Self::Integers { lane, lanes };
        }
        match field.wire.as_ref().and_then(Quantizer::new) {
            Some(quantizer) => Self::Quantized { wide: lane == Lane::F64, lanes, quantizer },
            None => Self::Raw,
        }
    }
}

/// Bytes of a lane, and whether it is signed.
pub(crate) const fn integer(lane: Lane) -> (usize, bool) {
    match lane {
        Lane::U8 => (1, false),
        Lane::I8 => (1, true),
        Lane::U16 => (2, false),
        Lane::I16 => (2, true),
        Lane::U32 | Lane::F32 => (4, false),
        Lane::I32 => (4, true),
        Lane::U64 | Lane::F64 => (8, false),
        Lane::I64 => (8, true),
    }
}
