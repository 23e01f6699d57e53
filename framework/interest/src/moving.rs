//! Rows on the move, and the state blocks that tell of them.
//!
//! A state has all rows of its part that move, with absolute values; so any of them may be lost, and a session may take as many
//! of them as it likes. What a row comes to rest at goes in order with the rest.
//!
//! Hot: all rows that move stand in one list, by topic, column and slot, and a tick makes the next list of it in one pass.

use evertick_protocol::{Square, TopicId};
use evertick_schema::EntityId;
use evertick_world::{Place, World};

use crate::topic::{Dirty, KnownRow};

/// A row that has not changed for so many ticks rests.
pub(crate) const REST_TICKS: u64 = 4;

/// The most rows of a part before a topic's state is cut into more of them, on average.
const PART_ROWS: usize = 24;

/// The most parts along a side of a cell.
const PARTS_PER_SIDE_MAX: u8 = 8;

/// Fields of a known row that have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) row: KnownRow,
    pub(crate) mask: u64,
    pub(crate) entity: EntityId,
    /// Of a row that moves: when it changed last.
    pub(crate) tick: u64,
}

/// The rows of all topics that move, with the fields that have changed since they began to, in order.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    /// Those without fields move no more.
    pub(crate) list: Vec<Change>,
    /// The next list, while it is made.
    pub(crate) next: Vec<Change>,
}

impl Moving {
    /// A topic has ended: nothing moves in it.
    pub(crate) fn forget(&mut self, topic: TopicId) {
        let start = self.list.partition_point(|change| change.row.topic() < topic);
        let rows = self.list[start..].iter_mut().take_while(|change| change.row.topic() == topic);
        rows.for_each(|change| change.mask = 0);
    }

    /// The next list becomes the list. Memory stays in proportion.
    pub(crate) fn turn(&mut self) {
        std::mem::swap(&mut self.list, &mut self.next);
        self.next.clear();
        self.next.shrink_to(2 * self.list.len());
    }
}

/// What of one topic goes on which lane.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Rows that move, in order.
    pub(crate) moving: Vec<Change>,
    /// What is told in order, and what came to rest; in order.
    pub(crate) ordered: Vec<Change>,
    /// Whether a row that moves has changed.
    pub(crate) moved: bool,
}

impl Lanes {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.moving.clear();
        self.ordered.clear();
        self.moved = false;
    }

    /// Parts the changed rows of a topic, sorted, by lane. `moving` are those that moved so far, sorted; the `entity` at a slot is that of a
    /// row that `known` says clients know. Rows that are sent whole (all fields are marked) move no more.
    ///
    /// Cost: a pass over both lists.
    #[inline]
    pub(crate) fn sort(
        &mut self,
        moving: &[Change],
        dirty: &[Dirty],
        tick: u64,
        is_latest: impl Fn(u16) -> bool,
        known: impl Fn(KnownRow) -> bool,
        entity: impl Fn(u32) -> EntityId,
    ) {
        self.clear();
        let mut moving = moving.iter();
        let mut next = moving.next();
        let mut rested = false;
        for row in dirty {
            while let Some(mover) = next.filter(|mover| mover.row < row.row) {
                rested |= self.keep(mover, tick, &known);
                next = moving.next();
            }
            let before = next.filter(|mover| mover.row == row.row);
            if before.is_some() {
                next = moving.next();
            }
            if !known(row.row) {
                continue;
            }
            let entity = before.map_or_else(|| entity(row.row.slot()), |before| before.entity);
            let change = Change { row: row.row, mask: row.mask, entity, tick };
            if row.mask != u64::MAX && is_latest(row.row.column()) {
                let mask = row.mask | before.map_or(0, |before| before.mask);
                self.moving.push(Change { mask, ..change });
                self.moved = true;
            } else {
                self.ordered.push(change);
            }
        }
        while let Some(mover) = next {
            rested |= self.keep(mover, tick, &known);
            next = moving.next();
        }
        if rested {
            self.ordered.sort_unstable();
        }
    }

    /// A row that moved and has not changed. Returns whether it rests.
    #[inline]
    fn keep(&mut self, mover: &Change, tick: u64, known: impl Fn(KnownRow) -> bool) -> bool {
        if mover.mask == 0 || !known(mover.row) {
            return false;
        }
        let rests = tick.saturating_sub(mover.tick) >= REST_TICKS;
        let lane = if rests { &mut self.ordered } else { &mut self.moving };
        lane.push(*mover);
        rests
    }
}

/// Appends the rows of a topic that is cut with the part that each is in, by part, column and slot.
pub(crate) fn parts(
    world: &World,
    moving: &[Change],
    per_side: u8,
    square: Option<Square>,
    out: &mut Vec<(u8, Change)>,
) {
    let count = usize::from(per_side) * usize::from(per_side);
    let rows_each = moving.len().div_ceil(count);
    out.extend(moving.iter().enumerate().map(|(index, change)| {
        let part = match square {
            Some(square) => {
                let place = world.place(change.entity);
                place.map_or(0, |place| part_of(place, square.min, square.size, per_side))
            }
            None => (index / rows_each) as u8,
        };
        (part, *change)
    }));
    if square.is_some() {
        out.sort_unstable();
    }
}

/// Into how many parts along a side a cell with so many moving rows is cut.
pub(crate) fn per_side(rows: usize) -> u8 {
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
    use super::*;

    const TOPIC: TopicId = TopicId(3);

    fn row(column: u16, slot: u32) -> KnownRow {
        KnownRow::new(TOPIC, column, slot)
    }

    fn dirty(column: u16, slot: u32, mask: u64) -> Dirty {
        Dirty { row: row(column, slot), mask }
    }

    /// What is sorted so far, of rows whose column 0 is on the latest lane; slot 9 is not known.
    fn sort(lanes: &mut Lanes, tick: u64, marks: &[Dirty]) {
        let moving = std::mem::take(&mut lanes.moving);
        let entity = |slot: u32| EntityId(u64::from(slot) + 100);
        lanes.sort(&moving, marks, tick, |column| column == 0, |row| row.slot() != 9, entity);
        let all = lanes.moving.iter().chain(&lanes.ordered);
        assert!(all.clone().all(|change| change.entity == entity(change.row.slot())));
    }

    fn rows(changes: &[Change]) -> Vec<Dirty> {
        changes.iter().map(|change| Dirty { row: change.row, mask: change.mask }).collect()
    }

    #[test]
    fn rows_move_rest_and_move_again() {
        let mut lanes = Lanes::default();
        // Column 1 goes in order, and so does what is sent whole.
        let whole = dirty(0, 2, u64::MAX);
        sort(&mut lanes, 1, &[dirty(0, 0, 1), dirty(0, 1, 2), whole, dirty(0, 9, 1), dirty(1, 0, 1)]);
        assert!(lanes.moved);
        assert_eq!(rows(&lanes.moving), [dirty(0, 0, 1), dirty(0, 1, 2)]);
        assert_eq!(rows(&lanes.ordered), [whole, dirty(1, 0, 1)]);

        // Fields gather while a row moves; others stay in the state.
        sort(&mut lanes, 3, &[dirty(0, 1, 4)]);
        assert_eq!(
            (rows(&lanes.moving), rows(&lanes.ordered)),
            (vec![dirty(0, 0, 1), dirty(0, 1, 6)], vec![])
        );

        // Without a change it is not moving, but still in the state until it rests.
        sort(&mut lanes, 5, &[dirty(1, 0, 1)]);
        assert!(!lanes.moved);
        assert_eq!(rows(&lanes.moving), [dirty(0, 1, 6)]);
        assert_eq!(rows(&lanes.ordered), [dirty(0, 0, 1), dirty(1, 0, 1)]);
        sort(&mut lanes, 6, &[dirty(0, 1, u64::MAX)]);
        assert_eq!((rows(&lanes.moving), rows(&lanes.ordered)), (vec![], vec![dirty(0, 1, u64::MAX)]));
    }

    #[test]
    fn rows_that_are_gone_do_not_come_to_rest() {
        let mut lanes = Lanes::default();
        let mover =
            |slot, mask| Change { row: row(0, slot), mask, entity: EntityId(100 + u64::from(slot)), tick: 1 };
        lanes.moving = vec![mover(0, 0), mover(1, 1), mover(9, 1)];
        sort(&mut lanes, 9, &[]);
        assert_eq!((rows(&lanes.moving), rows(&lanes.ordered)), (vec![], vec![dirty(0, 1, 1)]));
    }

    #[test]
    fn nothing_moves_in_a_topic_that_has_ended() {
        let of = |topic, mask| Change {
            row: KnownRow::new(TopicId(topic), 0, 0),
            mask,
            entity: EntityId(1),
            tick: 1,
        };
        let mut moving = Moving { list: vec![of(2, 1), of(3, 1), of(4, 1)], next: Vec::new() };
        moving.forget(TOPIC);
        moving.forget(TopicId(9));
        assert_eq!(moving.list, [of(2, 1), of(3, 0), of(4, 1)]);
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
