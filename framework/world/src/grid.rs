//! The space grid: which entities are in which cell.
//!
//! A uniform grid that is kept up to date as places change. An entity keeps its cell until it is a margin
//! beyond the border, so that one that walks along a border does not change cell all the time. The cell is
//! therefore state of its own, not a function of the place: undo and replicas set it, they do not compute it.
//!
//! Entities are known here by bevy's index, 4 bytes instead of 8. Memory: 8 bytes per entity of the world,
//! and 4 to 8 per entity with a place. Cells without entities do not exist.

use bevy_ecs::entity::EntityIndex;
use hashbrown::HashMap;

use crate::place::{Cell, Place};

/// No cell, in a [`Slot`].
const NOWHERE: u32 = u32::MAX;

/// Where an entity is in the grid.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Which of [`Grid::cells`], or [`NOWHERE`].
    cell: u32,
    /// Where among the cell's entities.
    at: u32,
}

#[derive(Debug)]
struct CellData {
    cell: Cell,
    entities: Vec<EntityIndex>,
}

/// Where entities stay in a cell.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: [f32; 2],
    high: [f32; 2],
    space: u32,
}

impl Bounds {
    #[inline]
    fn hold(&self, Place { space, at: [x, y] }: Place) -> bool {
        let ([low_x, low_y], [high_x, high_y]) = (self.low, self.high);
        // Without branches: a place within is the rule.
        (x >= low_x) & (x < high_x) & (y >= low_y) & (y < high_y) & (space == self.space)
    }
}

/// The grid.
#[derive(Debug)]
pub(crate) struct Grid {
    size: f32,
    margin: f32,
    /// By bevy's index.
    slots: Vec<Slot>,
    cells: Vec<CellData>,
    /// Of `cells`, apart from them because a sweep looks at nothing else.
    bounds: Vec<Bounds>,
    by_cell: HashMap<Cell, u32>,
    /// Places of `cells` that are free.
    free: Vec<u32>,
}

impl Grid {
    /// A grid of cells of `size` metres; sizes and margins that make no sense are replaced by ones that do.
    pub(crate) fn new(size: f32, margin: f32) -> Self {
        let size = if size.is_finite() && size > 0.0 { size } else { 64.0 };
        let margin = if margin.is_finite() { margin.clamp(0.0, size) } else { 0.0 };
        Self {
            size,
            margin,
            slots: vec![],
            cells: vec![],
            bounds: vec![],
            by_cell: HashMap::new(),
            free: vec![],
        }
    }

    /// The cell that `place` is in, whatever was before. A coordinate that is not a number counts as 0.
    #[inline]
    pub(crate) fn cell_at(&self, place: Place) -> Cell {
        // A cast saturates: far out there is one last cell.
        let line = |at: f32| (at / self.size).floor() as i32;
        Cell { space: place.space, x: line(place.at[0]), y: line(place.at[1]) }
    }

    pub(crate) fn cell_of(&self, entity: EntityIndex) -> Option<Cell> {
        let slot = self.slots.get(entity.index() as usize)?;
        Some(self.cells.get(slot.cell as usize)?.cell)
    }

    /// Whether an entity that is in the grid stays in its cell when it is at `place`.
    #[inline]
    pub(crate) fn holds(&self, entity: EntityIndex, place: Place) -> bool {
        self.bounds[self.slots[entity.index() as usize].cell as usize].hold(place)
    }

    /// Tells the grid that an entity that is in it is now at `place`. If that changes its cell, returns the
    /// one it was in.
    #[inline]
    pub(crate) fn moved(&mut self, entity: EntityIndex, place: Place) -> Option<Cell> {
        if self.holds(entity, place) {
            return None;
        }
        let slot = self.slots[entity.index() as usize];
        let from = self.cells[slot.cell as usize].cell;
        let to = self.cell_at(place);
        if to == from {
            return None;
        }
        self.put(entity, to);
        Some(from)
    }

    /// Puts an entity into `cell`, out of the one it may be in.
    pub(crate) fn put(&mut self, entity: EntityIndex, cell: Cell) {
        self.remove(entity);
        let index = entity.index() as usize;
        if index >= self.slots.len() {
            self.slots.resize(index + 1, Slot { cell: NOWHERE, at: 0 });
        }
        let number = match self.by_cell.get(&cell) {
            Some(number) => *number,
            None => self.open(cell),
        };
        let entities = &mut self.cells[number as usize].entities;
        self.slots[index] = Slot { cell: number, at: entities.len() as u32 };
        entities.push(entity);
    }

    /// Takes an entity out; returns the cell it was in.
    pub(crate) fn remove(&mut self, entity: EntityIndex) -> Option<Cell> {
        let slot = self.slots.get_mut(entity.index() as usize)?;
        let Slot { cell: number, at } = std::mem::replace(slot, Slot { cell: NOWHERE, at: 0 });
        let data = self.cells.get_mut(number as usize)?;
        let cell = data.cell;
        data.entities.swap_remove(at as usize);
        match data.entities.get(at as usize) {
            Some(last) => self.slots[last.index() as usize].at = at,
            None if data.entities.is_empty() => {
                self.by_cell.remove(&cell);
                self.free.push(number);
            }
            None => {}
        }
        Some(cell)
    }

    /// The entities in `cell`, in no order that means anything.
    pub(crate) fn entities(&self, cell: Cell) -> &[EntityIndex] {
        match self.by_cell.get(&cell) {
            Some(number) => &self.cells[*number as usize].entities,
            None => &[],
        }
    }

    /// Calls `visit` with the entities of all cells that may hold some within `radius` of `place`. Cost: the
    /// smaller of the cells in the circle and those that exist.
    pub(crate) fn visit(&self, place: Place, radius: f32, mut visit: impl FnMut(&[EntityIndex])) {
        let reach = radius + self.margin;
        let corner = |sign: f32| Place { space: place.space, at: place.at.map(|at| at + sign * reach) };
        let (low, high) = (self.cell_at(corner(-1.0)), self.cell_at(corner(1.0)));
        let count = |low: i32, high: i32| u64::from(high.abs_diff(low)) + 1;
        if count(low.x, high.x).saturating_mul(count(low.y, high.y)) <= self.by_cell.len() as u64 {
            for x in low.x..=high.x {
                for y in low.y..=high.y {
                    visit(self.entities(Cell { space: place.space, x, y }));
                }
            }
            return;
        }
        let within = |cell: Cell| {
            cell.space == place.space
                && (low.x..=high.x).contains(&cell.x)
                && (low.y..=high.y).contains(&cell.y)
        };
        for data in self.cells.iter().filter(|data| within(data.cell)) {
            visit(&data.entities);
        }
    }

    /// The cells with the entities in them.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (Cell, &[EntityIndex])> {
        let occupied = self.cells.iter().filter(|data| !data.entities.is_empty());
        occupied.map(|data| (data.cell, &data.entities[..]))
    }

    /// Whether an entity at `place` may be in `cell`.
    pub(crate) fn may_hold(&self, cell: Cell, place: Place) -> bool {
        self.bounds_of(cell).hold(place) || self.cell_at(place) == cell
    }

    fn bounds_of(&self, Cell { space, x, y }: Cell) -> Bounds {
        let low = |line: i32| line as f32 * self.size - self.margin;
        let high = |line: i32| (line as f32 + 1.0) * self.size + self.margin;
        Bounds { low: [low(x), low(y)], high: [high(x), high(y)], space }
    }

    /// Makes an empty cell; returns its place in `cells`.
    fn open(&mut self, cell: Cell) -> u32 {
        let bounds = self.bounds_of(cell);
        let number = match self.free.pop() {
            Some(number) => {
                self.cells[number as usize].cell = cell;
                self.bounds[number as usize] = bounds;
                number
            }
            None => {
                self.cells.push(CellData { cell, entities: Vec::new() });
                self.bounds.push(bounds);
                (self.cells.len() - 1) as u32
            }
        };
        self.by_cell.insert(cell, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(index: u32) -> EntityIndex {
        EntityIndex::from_raw_u32(index).expect("a small index")
    }

    fn at(x: f32, y: f32) -> Place {
        Place { space: 0, at: [x, y] }
    }

    fn cell(x: i32, y: i32) -> Cell {
        Cell { space: 0, x, y }
    }

    #[test]
    fn an_entity_changes_cell_only_beyond_the_margin() {
        let mut grid = Grid::new(10.0, 2.0);
        grid.put(entity(3), grid.cell_at(at(9.0, 5.0)));
        assert_eq!(grid.moved(entity(3), at(11.9, 5.0)), None);
        assert_eq!(grid.moved(entity(3), at(12.0, 5.0)), Some(cell(0, 0)));
        assert_eq!(grid.moved(entity(3), at(8.1, 5.0)), None, "the same margin on the way back");
        assert_eq!(grid.moved(entity(3), at(7.9, -2.1)), Some(cell(1, 0)));
        assert_eq!(grid.cell_of(entity(3)), Some(cell(0, -1)));
        let other = Place { space: 1, at: [7.9, -2.1] };
        assert_eq!(grid.moved(entity(3), other), Some(cell(0, -1)));
        assert_eq!(grid.remove(entity(3)), Some(Cell { space: 1, x: 0, y: -1 }));
        assert_eq!(grid.remove(entity(3)), None);
        assert!(grid.by_cell.is_empty());
    }

    #[test]
    fn strange_numbers_have_a_cell() {
        let mut grid = Grid::new(64.0, 4.0);
        for (index, place) in
            [at(f32::NAN, 1.0), at(f32::INFINITY, -f32::INFINITY), at(3e38, -3e38)].iter().enumerate()
        {
            let entity = entity(index as u32);
            grid.put(entity, grid.cell_at(*place));
            assert_eq!(grid.moved(entity, *place), None);
            assert!(grid.may_hold(grid.cell_of(entity).expect("it was put"), *place));
        }
        let mut seen = 0;
        grid.visit(at(0.0, 0.0), f32::INFINITY, |entities| seen += entities.len());
        assert_eq!(seen, 3);
        grid.visit(at(f32::NAN, 0.0), 1.0, |_| ());
    }
}
