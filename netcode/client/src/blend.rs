//! Rows between rows: for pictures between ticks, and corrections that are not seen as jumps.

use evertick_schema::{FieldDef, RowLayout, Type};

/// The numbers of a row type that lie between others: floats and vectors of them. All else is as in the newer row.
#[derive(Clone, Debug)]
pub(crate) struct Blend {
    lanes: Vec<Lane>,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    offset: usize,
    double: bool,
    /// The circumference, of angles and other numbers that come back to where they began.
    wrap: Option<f64>,
}

impl Blend {
    pub(crate) fn new(fields: &[FieldDef]) -> Self {
        let layout = RowLayout::of(fields);
        let lanes = fields.iter().zip(&layout.fields).flat_map(|(field, place)| {
            let wrap = field.wire.as_ref().and_then(|wire| wire.wrap);
            let (count, double) = match field.ty {
                Type::F32 => (1, false),
                Type::Vec2 => (2, false),
                Type::Vec3 => (3, false),
                Type::Vec4 => (4, false),
                Type::F64 => (1, true),
                _ => (0, false),
            };
            let offset = place.offset as usize;
            (0..count).map(move |lane| Lane { offset: offset + lane * 4, double, wrap })
        });
        Self { lanes: lanes.collect() }
    }

    /// `part` of the way from one row to another, as the bytes of a row.
    pub(crate) fn between(&self, from: &[u8], to: &[u8], part: f64) -> Vec<u8> {
        let mut row = to.to_vec();
        for lane in &self.lanes {
            let start = lane.read(from);
            lane.write(&mut row, start + lane.way(start, lane.read(to)) * part);
        }
        row
    }

    /// How far it is from `to` back to `from`, by lane.
    pub(crate) fn difference(&self, from: &[u8], to: &[u8]) -> Vec<f64> {
        self.lanes.iter().map(|lane| lane.way(lane.read(to), lane.read(from))).collect()
    }

    /// A row moved by a share of a difference.
    pub(crate) fn moved(&self, row: &[u8], off: &[f64], share: f64) -> Vec<u8> {
        let mut moved = row.to_vec();
        for (lane, off) in self.lanes.iter().zip(off) {
            lane.write(&mut moved, lane.read(row) + off * share);
        }
        moved
    }

    /// The length of a difference, over all lanes.
    pub(crate) fn size(difference: &[f64]) -> f64 {
        difference.iter().map(|off| off * off).sum::<f64>().sqrt()
    }
}

impl Lane {
    /// A number that is not there, which no valid row has, is 0.
    fn read(&self, row: &[u8]) -> f64 {
        let bytes = row.get(self.offset..).unwrap_or_default();
        if self.double {
            bytes.first_chunk().map_or(0.0, |bytes| f64::from_le_bytes(*bytes))
        } else {
            bytes.first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes).into())
        }
    }

    fn write(&self, row: &mut [u8], value: f64) {
        let bytes = row.get_mut(self.offset..).unwrap_or_default();
        if self.double {
            bytes.first_chunk_mut().into_iter().for_each(|bytes| *bytes = value.to_le_bytes());
        } else {
            bytes.first_chunk_mut().into_iter().for_each(|bytes| *bytes = (value as f32).to_le_bytes());
        }
    }

    fn way(&self, from: f64, to: f64) -> f64 {
        let way = to - from;
        self.wrap.map_or(way, |wrap| way - (way / wrap).round() * wrap)
    }
}

#[cfg(test)]
mod tests {
    use evertick_schema::WireDef;
    use proptest::prelude::*;

    use super::*;

    fn row(x: f32, heading: f32, kind: u32) -> Vec<u8> {
        [x.to_le_bytes(), heading.to_le_bytes(), kind.to_le_bytes()].concat()
    }

    fn blend() -> Blend {
        let mut heading = FieldDef::new("heading", Type::F32);
        heading.wire = Some(WireDef { step: 0.1, bits: None, wrap: Some(6.0) });
        Blend::new(&[FieldDef::new("x", Type::F32), heading, FieldDef::new("kind", Type::U32)])
    }

    #[test]
    fn numbers_are_mixed_angles_go_the_short_way_and_the_rest_is_the_newer() {
        let blend = blend();
        assert_eq!(blend.between(&row(1.0, 5.5, 1), &row(3.0, 0.5, 2), 0.25), row(1.5, 5.75, 2));
        let off = blend.difference(&row(1.0, 5.5, 1), &row(3.0, 0.5, 2));
        assert_eq!(off, [-2.0, -1.0]);
        assert_eq!(blend.moved(&row(3.0, 0.5, 2), &off, 0.5), row(2.0, 0.0, 2));
        assert_eq!(blend.between(&[], &[], 0.5), Vec::<u8>::new());
    }

    proptest! {
        #[test]
        fn what_is_between_is_between(from in -1e6f32..1e6, to in -1e6f32..1e6, part in 0.0f64..1.0) {
            let between = blend().between(&row(from, 0.0, 0), &row(to, 0.0, 0), part);
            let x = f32::from_le_bytes(*between.first_chunk().unwrap());
            prop_assert!(x >= from.min(to) && x <= from.max(to));
        }
    }
}
