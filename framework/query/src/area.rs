//! Conditions on where an entity is.

use evertick_schema::Type;
use evertick_world::{Cell, Place, RowId};

use crate::catalog::CatalogRow;
use crate::key::number;

/// Where in the rows of a spatial type the place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PlaceField {
    pub(crate) row: RowId,
    first: u32,
    second: u32,
    space: Option<u32>,
}

impl PlaceField {
    /// `None` when the row type is not spatial.
    pub(crate) fn of(row: &CatalogRow) -> Option<Self> {
        let spatial = row.def.spatial?;
        let at = row.layout.fields.get(usize::from(spatial.at))?;
        let across = if at.ty == Type::Vec3 { 8 } else { 4 };
        let space = spatial.space.map(|field| row.layout.fields[usize::from(field)].offset);
        Some(Self { row: row.id, first: at.offset, second: at.offset + across, space })
    }

    /// The place that a row says.
    pub(crate) fn read(&self, row: &[u8]) -> Place {
        let word = |at: u32| number(row, at as usize, 4) as u32;
        let at = [self.first, self.second].map(|at| f32::from_bits(word(at)));
        Place { space: self.space.map_or(0, word), at }
    }
}

/// A coordinate or length in metres, finite, as the bits of an `f64`; -0 is 0. So areas can be keys.
type Metres = u64;

/// A part of a coordinate space's plane, its border included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Area {
    space: u32,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Shape {
    Circle { center: [Metres; 2], radius: Metres },
    Rectangle { min: [Metres; 2], max: [Metres; 2] },
}

fn metres(value: f64) -> Metres {
    (value + 0.0).to_bits()
}

impl Area {
    /// What is at most `radius` from `center`. `None` unless all is finite and the radius not negative.
    pub(crate) fn circle(space: u32, center: [f64; 2], radius: f64) -> Option<Self> {
        let fits = center.iter().all(|at| at.is_finite()) && radius.is_finite() && radius >= 0.0;
        let shape = Shape::Circle { center: center.map(metres), radius: metres(radius) };
        fits.then_some(Self { space, shape })
    }

    /// What is between two corners. `None` unless all is finite and `min` not behind `max`.
    pub(crate) fn rectangle(space: u32, min: [f64; 2], max: [f64; 2]) -> Option<Self> {
        let fits = min.iter().zip(&max).all(|(min, max)| min.is_finite() && max.is_finite() && min <= max);
        fits.then_some(Self { space, shape: Shape::Rectangle { min: min.map(metres), max: max.map(metres) } })
    }

    /// Whether a place is inside; one that is not a number is not.
    pub(crate) fn contains(&self, place: Place) -> bool {
        let at = place.at.map(f64::from);
        let inside = match self.shape {
            Shape::Circle { center, radius } => {
                let [x, y] = [0, 1].map(|axis| at[axis] - f64::from_bits(center[axis]));
                let radius = f64::from_bits(radius);
                x * x + y * y <= radius * radius
            }
            Shape::Rectangle { min, max } => (0..2)
                .all(|axis| at[axis] >= f64::from_bits(min[axis]) && at[axis] <= f64::from_bits(max[axis])),
        };
        inside && place.space == self.space
    }

    /// A circle around all of the area, with room for rounding: its centre and its radius.
    pub(crate) fn reach(&self) -> (Place, f32) {
        let [min, max] = self.bounds();
        let center = [0, 1].map(|axis| ((min[axis] + max[axis]) / 2.0) as f32);
        let far = [0, 1].map(|axis| {
            let center = f64::from(center[axis]);
            (max[axis] - center).max(center - min[axis])
        });
        let radius = (far[0] * far[0] + far[1] * far[1]).sqrt();
        (Place { space: self.space, at: center }, (radius * (1.0 + 1e-6) + 1e-3) as f32)
    }

    /// The cells of side `size` that the area may touch, if there are at most `max`.
    pub(crate) fn cells(&self, size: f32, max: usize) -> Option<Vec<Cell>> {
        let [low, high] = self.bounds().map(|corner| corner.map(|at| line(at, size)));
        let sides = [0, 1].map(|axis| (i64::from(high[axis]) - i64::from(low[axis]) + 1) as usize);
        if sides[0].saturating_mul(sides[1]) > max {
            return None;
        }
        let space = self.space;
        let lines = low[1]..=high[1];
        Some(lines.flat_map(|y| (low[0]..=high[0]).map(move |x| Cell { space, x, y })).collect())
    }

    /// The corners of the rectangle around the area, a little larger than it, so that no rounding matters.
    fn bounds(&self) -> [[f64; 2]; 2] {
        match self.shape {
            Shape::Rectangle { min, max } => [min, max].map(|corner| corner.map(f64::from_bits)),
            Shape::Circle { center, radius } => {
                let radius = f64::from_bits(radius) * (1.0 + 1e-9);
                let slack = |at: f64| radius + at.abs() * 1e-9;
                let center = center.map(f64::from_bits);
                [center.map(|at| at - slack(at)), center.map(|at| at + slack(at))]
            }
        }
    }
}

/// The cell of side `size` that a place is in; beyond the numbers of cells, the last one.
pub(crate) fn cell_at(place: Place, size: f32) -> Cell {
    let [x, y] = place.at.map(|at| line(f64::from(at), size));
    Cell { space: place.space, x, y }
}

fn line(at: f64, size: f32) -> i32 {
    (at / f64::from(size)).floor() as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn areas() -> impl Strategy<Value = Area> {
        let at = -50.0f64..50.0;
        (any::<bool>(), at.clone(), at, 0.0f64..40.0, 0.0f64..40.0).prop_map(|(round, x, y, a, b)| {
            let area = match round {
                true => Area::circle(0, [x, y], a),
                false => Area::rectangle(0, [x, y], [x + a, y + b]),
            };
            area.expect("finite")
        })
    }

    proptest! {
        #[test]
        fn whatever_is_inside_is_in_a_cell_and_in_reach(area in areas(), x in -100.0f32..100.0, y in -100.0f32..100.0) {
            let place = Place { space: 0, at: [x, y] };
            if area.contains(place) {
                let cells = area.cells(16.0, 1000).expect("few");
                prop_assert!(cells.contains(&cell_at(place, 16.0)));
                let (center, radius) = area.reach();
                let [dx, dy] = [0, 1].map(|axis| center.at[axis] - place.at[axis]);
                prop_assert!(dx.hypot(dy) <= radius);
            }
            let elsewhere = Place { space: 1, ..place };
            prop_assert!(!area.contains(elsewhere));
        }
    }

    #[test]
    fn what_is_no_area_and_what_is_no_place() {
        assert_eq!(Area::circle(0, [0.0, 0.0], -1.0), None);
        assert_eq!(Area::circle(0, [f64::NAN, 0.0], 1.0), None);
        assert_eq!(Area::rectangle(0, [1.0, 0.0], [0.0, 1.0]), None);
        let all = Area::circle(0, [0.0, 0.0], 1e300).expect("finite");
        assert!(!all.contains(Place { space: 0, at: [f32::NAN, 0.0] }));
        assert_eq!(all.cells(1.0, 256), None);
    }
}
