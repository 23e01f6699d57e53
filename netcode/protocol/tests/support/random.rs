//! Rows with random values.

use evertick_schema::{FieldDef, RowWriter, Type, WireDef};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Small, near an end of the range, or anything.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.next() % 5,
            1 => (self.next() % 5).wrapping_neg(),
            2 => (1 << 63) ^ (self.next() % 300),
            _ => self.next(),
        }
    }

    /// A row of these fields. Quantized fields have values that can be quantized.
    pub fn row(&mut self, fields: &[FieldDef]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let size = fields.iter().map(|field| field.ty.size() as usize).sum();
        let mut row = RowWriter::new(&mut bytes, size);
        let mut at = 0;
        for field in fields {
            match &field.wire {
                Some(wire) => self.quantized(&mut row, &field.ty, wire, at),
                None => self.value(&mut row, &field.ty, at),
            }
            at += field.ty.size() as usize;
        }
        bytes
    }

    fn quantized(&mut self, row: &mut RowWriter<'_>, ty: &Type, wire: &WireDef, at: usize) {
        let reach = wire.bits.map_or(100_000.0, |bits| f64::from(1u32 << (bits - 1)) - 1.0) * wire.step;
        let value = |random: &mut Self| (random.next() as f64 / u64::MAX as f64 * 2.0 - 1.0) * reach;
        if *ty == Type::F64 {
            return row.put(at, &value(self).to_le_bytes());
        }
        for lane in 0..ty.size() as usize / 4 {
            row.put(at + lane * 4, &(value(self) as f32).to_le_bytes());
        }
    }

    fn value(&mut self, row: &mut RowWriter<'_>, ty: &Type, at: usize) {
        match ty {
            Type::Bool => row.put(at, &[self.below(2) as u8]),
            Type::Enum(of) => {
                let value = of.variants[self.below(of.variants.len())].value;
                row.put(at, &value.to_le_bytes()[..of.size as usize]);
            }
            Type::Array(of, len) => self.elements(row, of, at, *len as usize),
            Type::Struct(of) => {
                let mut at = at;
                for field in &of.fields {
                    self.value(row, &field.ty, at);
                    at += field.ty.size() as usize;
                }
            }
            Type::String => {
                let text: String =
                    (0..self.below(9)).map(|_| ['a', 'ß', '本', '🦀'][self.below(4)]).collect();
                let tail = row.tail(at, text.len(), text.len());
                row.put(tail, text.as_bytes());
            }
            Type::List(of) => {
                let len = self.below(5);
                let tail = row.tail(at, len, len * of.size() as usize);
                self.elements(row, of, tail, len);
            }
            Type::Option(of) => {
                let len = self.below(2);
                let tail = row.tail(at, len, len * of.size() as usize);
                self.elements(row, of, tail, len);
            }
            plain => match plain.lanes() {
                Some((_, lanes)) => {
                    let size = plain.size() as usize / usize::from(lanes);
                    for lane in 0..usize::from(lanes) {
                        row.put(at + lane * size, &self.number().to_le_bytes()[..size]);
                    }
                }
                None => (0..plain.size() as usize).for_each(|byte| row.put(at + byte, &[self.next() as u8])),
            },
        }
    }

    fn elements(&mut self, row: &mut RowWriter<'_>, of: &Type, at: usize, len: usize) {
        for index in 0..len {
            self.value(row, of, at + index * of.size() as usize);
        }
    }
}
