//! Rows on the move, and the state blocks that tell of them.
//!
//! A state has all rows of its part that move, with absolute values; so any of them may be lost, and a session may take as many
//! of them as it likes. What a row comes to rest at goes in order with the rest.

use evertick_world::{Place, World};

use crate::roster::Roster;
use crate::topic::{Dirty, TopicKey};

/// A row that has not changed for so many ticks rests.
pub(crate) const REST_TICKS: u64 = 4;

/// The most rows of a part before a topic's state is cut into more of them, on average.
const PART_ROWS: usize = 24;

/// The most parts along a side of a cell.
const PARTS_PER_SIDE_MAX: u8 = 8;

/// A row that moves: the fields that have changed since it began to, and when the last change was.
#[derive(Clone, Copy, Debug)]
struct Mover {
    row: Dirty,
    tick: u64,
}

/// The rows of a topic that move, by column and slot.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    movers: Vec<Mover>,
    /// The next list, while it is made.
    next: Vec<Mover>,
}

impl Moving {
    pub(crate) fn is_empty(&self) -> bool {
        self.movers.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.movers.clear();
    }

    /// Takes the updates of rows on the latest lane out of `dirty`, which is merged, and puts in what came to rest; rows that are
    /// sent whole move no more. Returns whether anything has moved.
    ///
    /// Cost: a pass over both lists.
    pub(crate) fn absorb(
        &mut self,
        dirty: &mut Vec<Dirty>,
        roster: &Roster,
        tick: u64,
        is_latest: impl Fn(u16) -> bool,
    ) -> bool {
        self.next.clear();
        let mut moved = false;
        let mut movers = self.movers.iter().copied().peekable();
        let mut rested: Vec<Dirty> = Vec::new();
        let mut keep = |mover: Mover, next: &mut Vec<Mover>| {
            if !roster.knows(mover.row.slot, mover.row.column) {
                return;
            }
            if tick.saturating_sub(mover.tick) >= REST_TICKS {
                rested.push(mover.row);
            } else {
                next.push(mover);
            }
        };
        dirty.retain(|row| {
            let place = (row.column, row.slot);
            while let Some(mover) = movers.next_if(|mover| (mover.row.column, mover.row.slot) < place) {
                keep(mover, &mut self.next);
            }
            let known = movers.next_if(|mover| (mover.row.column, mover.row.slot) == place);
            let updated = row.mask != u64::MAX && is_latest(row.column);
            if updated && roster.knows(row.slot, row.column) {
                let before = known.map_or(0, |mover| mover.row.mask);
                self.next.push(Mover { row: Dirty { mask: row.mask | before, ..*row }, tick });
                moved = true;
            }
            !updated
        });
        movers.for_each(|mover| keep(mover, &mut self.next));
        std::mem::swap(&mut self.movers, &mut self.next);
        if !rested.is_empty() {
            dirty.append(&mut rested);
            dirty.sort_unstable();
        }
        moved
    }

    /// Appends all rows with the part that each is in, by part, column and slot; returns how many parts there are along a side.
    pub(crate) fn parts(
        &self,
        world: &World,
        key: TopicKey,
        roster: &Roster,
        out: &mut Vec<(u8, Dirty)>,
    ) -> u8 {
        let square = key.square(world.config().cell_size);
        let per_side = per_side(self.movers.len());
        if per_side == 1 {
            out.extend(self.movers.iter().map(|mover| (0, mover.row)));
            return 1;
        }
        let count = usize::from(per_side) * usize::from(per_side);
        let rows_each = self.movers.len().div_ceil(count);
        out.extend(self.movers.iter().enumerate().map(|(index, mover)| {
            let part = match square {
                Some(square) => {
                    let place = world.place(roster.entity(mover.row.slot));
                    place.map_or(0, |place| part_of(place, square.min, square.size, per_side))
                }
                None => (index / rows_each) as u8,
            };
            (part, mover.row)
        }));
        if square.is_some() {
            out.sort_unstable();
        }
        per_side
    }
}

/// Into how many parts along a side a cell with so many moving rows is cut.
fn per_side(rows: usize) -> u8 {
    let mut per_side = 1;
    while per_side < PARTS_PER_SIDE_MAX && rows > PART_ROWS * usize::from(per_side) * usize::from(per_side) {
        per_side *= 2;
    }
    per_side
}

/// The sub-square that a place is in; who is a little beyond the cell's border is in the nearest.
fn part_of(place: Place, min: [f32; 2], size: f32, per_side: u8) -> u8 {
    let of = |at: f32, min: f32| {
        let part = (at - min) / size * f32::from(per_side);
        // `as` saturates, and makes nothing of what is no number.
        (part as u8).min(per_side - 1)
    };
    of(place.at[1], min[1]) * per_side + of(place.at[0], min[0])
}

#[cfg(test)]
mod tests {
    use evertick_schema::{Duration, EntityId, Timestamp};

    use super::*;

    fn roster(entities: u64) -> Roster {
        let mut roster = Roster::new(2);
        for entity in 1..=entities {
            let slot = roster.enter(EntityId(entity), Timestamp(0), Duration::ZERO).expect("there is room");
            roster.set_known(slot, 0, true);
            roster.set_known(slot, 1, true);
        }
        roster
    }

    fn dirty(column: u16, slot: u32, mask: u64) -> Dirty {
        Dirty { column, slot, mask }
    }

    #[test]
    fn rows_move_rest_and_move_again() {
        let roster = roster(4);
        let mut moving = Moving::default();
        let mut absorb = |tick, mut marks: Vec<Dirty>| {
            let moved = moving.absorb(&mut marks, &roster, tick, |column| column == 0);
            let movers: Vec<_> = moving.movers.iter().map(|mover| mover.row).collect();
            (moved, movers, marks)
        };
        // Column 1 goes in order, and so does what is sent whole.
        let whole = dirty(0, 2, u64::MAX);
        let (moved, movers, marks) = absorb(1, vec![dirty(0, 0, 1), dirty(0, 1, 2), whole, dirty(1, 0, 1)]);
        assert!(moved);
        assert_eq!(movers, [dirty(0, 0, 1), dirty(0, 1, 2)]);
        assert_eq!(marks, [whole, dirty(1, 0, 1)]);

        // Fields gather while a row moves; others stay in the state.
        let (_, movers, marks) = absorb(3, vec![dirty(0, 1, 4)]);
        assert_eq!((movers, marks), (vec![dirty(0, 0, 1), dirty(0, 1, 6)], vec![]));

        // Without a change it is not moving, but still in the state until it rests.
        let (moved, movers, marks) = absorb(5, vec![]);
        assert_eq!((moved, movers, marks), (false, vec![dirty(0, 1, 6)], vec![dirty(0, 0, 1)]));
        let (_, movers, marks) = absorb(6, vec![dirty(0, 1, u64::MAX)]);
        assert_eq!((movers, marks), (vec![], vec![dirty(0, 1, u64::MAX)]), "sent whole, it rests");
    }

    #[test]
    fn rows_that_are_gone_do_not_come_to_rest() {
        let mut roster = roster(2);
        let mut moving = Moving::default();
        moving.absorb(&mut vec![dirty(0, 0, 1), dirty(0, 1, 1)], &roster, 1, |_| true);
        roster.leave(0, Timestamp(0));
        let mut marks = Vec::new();
        moving.absorb(&mut marks, &roster, 9, |_| true);
        assert_eq!(marks, [dirty(0, 1, 1)]);
        assert!(moving.is_empty());
    }

    #[test]
    fn dense_cells_are_cut() {
        assert_eq!([1, 24, 25, 96, 97, 384, 385, 100_000].map(per_side), [1, 1, 2, 2, 4, 4, 8, 8]);
        let part = |x, y, per_side| part_of(Place { space: 0, at: [x, y] }, [64.0, -64.0], 64.0, per_side);
        assert_eq!(part(64.0, -64.0, 4), 0);
        assert_eq!(part(127.0, -64.0, 4), 3);
        assert_eq!(part(65.0, -1.0, 4), 12);
        assert_eq!(part(60.0, 3.0, 4), 12, "beyond the border");
        assert_eq!(part(f32::NAN, f32::INFINITY, 2), 2);
    }
}
