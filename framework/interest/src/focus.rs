//! Which cells a focus selects.

use evertick_world::{Cell, Place};

use crate::topic::TopicKey;

/// What one session looks at: the selected cells and what they were selected from.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Selected cells, sorted.
    pub(crate) cells: Vec<Cell>,
    /// Those of which it sees the details, sorted.
    pub(crate) details: Vec<Cell>,
    /// Where the focus was when the cells were last selected, and the focused entity's own cell.
    pub(crate) from: Option<(Place, Option<Cell>)>,
}

/// How much is seen of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// All but details, as far as the radius goes.
    All,
    /// Details, in the near ring.
    Details,
}

impl Ring {
    pub(crate) fn topic(self, cell: Cell) -> TopicKey {
        match self {
            Self::All => TopicKey::Cell(cell),
            Self::Details => TopicKey::Detail(cell),
        }
    }
}

impl View {
    /// The cells that are seen so, sorted.
    pub(crate) fn ring(&mut self, ring: Ring) -> &mut Vec<Cell> {
        match ring {
            Ring::All => &mut self.cells,
            Ring::Details => &mut self.details,
        }
    }

    /// The topics in view.
    pub(crate) fn topics(&self) -> impl Iterator<Item = TopicKey> + '_ {
        let all = self.cells.iter().map(|cell| Ring::All.topic(*cell));
        all.chain(self.details.iter().map(|cell| Ring::Details.topic(*cell)))
    }

    /// Whether a focus now at `place` (its entity in cell `home`) needs its cells selected anew: it was
    /// elsewhere by more than an eighth of a cell, or its entity changed cell.
    pub(crate) fn is_stale(&self, place: Place, home: Option<Cell>, cell_size: f32) -> bool {
        self.from.is_none_or(|(from, was)| was != home || is_far(from, place, cell_size))
    }
}

/// Whether a place is so far from where cells were selected that they are to be selected anew.
#[inline]
pub(crate) fn is_far(from: Place, place: Place, cell_size: f32) -> bool {
    let far = cell_size / 8.0;
    let (x, y) = (place.at[0] - from.at[0], place.at[1] - from.at[1]);
    from.space != place.space || x * x + y * y > far * far
}

/// The cells of a view at `place`: those whose nearest point is at most `radius` away, those of `current`
/// (sorted) at most half a cell further, and `home`, however far. Sorted, into `out`.
///
/// Cost: the cells of a square of `2 × radius + cell_size` a side.
pub(crate) fn select(
    place: Place,
    radius: f32,
    cell_size: f32,
    home: Option<Cell>,
    current: &[Cell],
    out: &mut Vec<Cell>,
) {
    out.clear();
    let size = f64::from(cell_size);
    let (x, y) = (f64::from(place.at[0]), f64::from(place.at[1]));
    let inner = f64::from(radius);
    let outer = inner + size / 2.0;
    // `as` saturates, so a focus at the end of the number range sees the last cells there.
    let cells = |at: f64| ((at - outer) / size).floor() as i32..=((at + outer) / size).floor() as i32;
    for cell_x in cells(x) {
        let gap_x = gap(x, cell_x, size);
        for cell_y in cells(y) {
            let cell = Cell { space: place.space, x: cell_x, y: cell_y };
            let gap_y = gap(y, cell_y, size);
            // Squared: places are f32, so their squares are far from an f64's largest.
            let gap = gap_x * gap_x + gap_y * gap_y;
            if gap <= inner * inner || (gap <= outer * outer && current.binary_search(&cell).is_ok()) {
                out.push(cell);
            }
        }
    }
    out.extend(home.filter(|home| !out.contains(home)));
    out.sort_unstable();
}

/// How far `at` is from the stretch of cell number `cell` on one axis.
fn gap(at: f64, cell: i32, size: f64) -> f64 {
    let low = f64::from(cell) * size;
    (low - at).max(at - (low + size)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: f32 = 64.0;

    fn cells(at: [f32; 2], radius: f32, current: &[Cell]) -> Vec<Cell> {
        let mut out = Vec::new();
        select(Place { space: 1, at }, radius, CELL, None, current, &mut out);
        out
    }

    fn cell(x: i32, y: i32) -> Cell {
        Cell { space: 1, x, y }
    }

    #[test]
    fn a_cell_is_entered_when_its_nearest_point_is_inside_the_radius() {
        assert_eq!(cells([32.0, 32.0], 31.9, &[]), [cell(0, 0)]);
        assert_eq!(
            cells([32.0, 32.0], 32.0, &[]),
            [cell(-1, 0), cell(0, -1), cell(0, 0), cell(0, 1), cell(1, 0)]
        );
        assert_eq!(cells([32.0, 32.0], 45.3, &[]).len(), 9, "the corners are 45.25 away");
    }

    #[test]
    fn a_cell_is_left_half_a_cell_later() {
        let seen = cells([32.0, 32.0], 32.0, &[]);
        assert!(cells([63.9, 32.0], 32.0, &seen).contains(&cell(-1, 0)), "31.9 beyond the radius");
        assert!(!cells([64.1, 32.0], 32.0, &seen).contains(&cell(-1, 0)), "32.1 beyond the radius");
        assert!(!cells([40.0, 32.0], 32.0, &[]).contains(&cell(-1, 0)), "never seen, 8 beyond");
    }

    #[test]
    fn another_space_shares_no_cells() {
        let elsewhere = [Cell { space: 2, x: -1, y: 0 }];
        assert_eq!(cells([40.0, 32.0], 31.0, &elsewhere), [cell(0, 0), cell(1, 0)]);
    }

    #[test]
    fn the_entitys_own_cell_is_always_seen() {
        let mut out = Vec::new();
        let place = Place { space: 1, at: [66.0, 32.0] };
        select(place, 0.0, CELL, Some(cell(0, 0)), &[], &mut out);
        assert_eq!(out, [cell(0, 0), cell(1, 0)]);
    }

    #[test]
    fn the_ends_of_the_number_range_are_no_trap() {
        assert_eq!(cells([f32::MAX, f32::MIN], 64.0, &[]).len(), 0);
        assert!(cells([1e9, -1e9], 64.0, &[]).len() <= 16);
    }

    #[test]
    fn a_view_is_stale_after_an_eighth_of_a_cell() {
        let place = |x| Place { space: 0, at: [x, 0.0] };
        let view = View { from: Some((place(0.0), None)), ..View::default() };
        assert!(!view.is_stale(place(8.0), None, CELL));
        assert!(view.is_stale(place(8.1), None, CELL));
        assert!(view.is_stale(place(0.0), Some(cell(0, 0)), CELL));
        assert!(view.is_stale(Place { space: 1, at: [0.0; 2] }, None, CELL));
    }
}
