//! Where entities are: places in coordinate spaces, cells of the grid, and how a row says its place.

use evertick_schema::{RowDef, RowLayout, Type};

/// A square of a coordinate space; its number times the cell size is its corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The coordinate space.
    pub space: u32,
    /// The column, counted along the first axis.
    pub x: i32,
    /// The line, counted along the second axis: y of a `Vec2`, z of a `Vec3`.
    pub y: i32,
}

/// A point on the plane of a coordinate space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The coordinate space.
    pub space: u32,
    /// Metres along the two axes of the plane.
    pub at: [f32; 2],
}

/// Where in a spatial row type's rows the place is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceField {
    first: usize,
    second: usize,
    space: Option<usize>,
    /// The mask of the fields that the place follows from.
    pub(crate) mask: u64,
}

impl PlaceField {
    /// `None` when the row type is not spatial, or the fields are not what a place needs.
    pub(crate) fn new(def: &RowDef, layout: &RowLayout) -> Option<Self> {
        let spatial = def.spatial?;
        let at = layout.fields.get(usize::from(spatial.at))?;
        let first = at.offset as usize;
        let second = match at.ty {
            Type::Vec2 => first + 4,
            Type::Vec3 => first + 8,
            _ => return None,
        };
        let space = match spatial.space {
            None => None,
            Some(field) => {
                let field = layout.fields.get(usize::from(field)).filter(|field| field.ty == Type::U32)?;
                Some(field.offset as usize)
            }
        };
        let mask = 1 << spatial.at | spatial.space.map_or(0, |field| 1 << field);
        Some(Self { first, second, space, mask })
    }

    /// The place that `row`, a valid row, says.
    // Called by pointer, it would write two floats that the grid reads as one: that stall costs more than all
    // the rest.
    #[inline(always)]
    pub(crate) fn of(&self, row: &[u8]) -> Place {
        let word = |at: usize| match row[at..].first_chunk() {
            Some(word) => u32::from_le_bytes(*word),
            None => unreachable!("a valid row holds its fixed part"),
        };
        Place {
            space: self.space.map_or(0, word),
            at: [f32::from_bits(word(self.first)), f32::from_bits(word(self.second))],
        }
    }
}
