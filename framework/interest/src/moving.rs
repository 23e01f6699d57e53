//! Rows on the move, and the state blocks that tell of them.
//!
//! A state has all rows of its part that move, with absolute values; so any of them may be lost, and a session may take as many
//! of them as it likes. What a row comes to rest at goes in order with the rest.
//!
//! Hot: a row that moves has a place by topic and slot, in arrays for all topics, where each change leaves what the row is then. So nothing
//! is sorted and nothing is looked up in the world, and a frame reads the rows of a topic one behind the other.

use evertick_protocol::{Square, TopicId};
use evertick_schema::EntityId;
use evertick_world::{Place, World};

use crate::movers::{Mover, Movers};
use crate::row_states::{RowStates, TopicRows};
use crate::rules::Latest;
use crate::topic::{Dirty, KnownRow};
use crate::topic_set::TopicSet;

/// A topic in which no more rows move is not cut.
const WHOLE_ROWS: usize = 48;
/// The most rows of a part of one that is, on average.
const PART_ROWS: usize = 24;

/// The most parts along a side of a cell.
const PARTS_PER_SIDE_MAX: u8 = 8;

/// The rows of all topics that move, with the fields that have changed since they began to.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    /// By [`Latest::number`].
    types: Vec<RowStates>,
    /// Topics that may have rows that move.
    active: TopicSet,
    /// Topics in which such a row has changed since the last frame.
    changed: TopicSet,
    /// Deltas since the last frame.
    deltas: usize,
}

/// Fields of a known row that are told in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) row: KnownRow,
    pub(crate) mask: u64,
    pub(crate) entity: EntityId,
}

impl Moving {
    /// Nothing moves yet; the rows of each type have so many bytes.
    pub(crate) fn new(row_bytes: impl IntoIterator<Item = usize>) -> Self {
        Self { types: row_bytes.into_iter().map(RowStates::new).collect(), ..Self::default() }
    }

    /// Another delta's changes follow.
    pub(crate) const fn begin_delta(&mut self) {
        self.deltas += 1;
    }

    /// There are topics of this number and below.
    pub(crate) fn reach(&mut self, topic: TopicId) {
        let topics = topic.0 as usize + 1;
        self.types.iter_mut().for_each(|rows| rows.reach(topics));
        self.active.reach(topic);
        self.changed.reach(topic);
    }

    /// A topic has ended, or all who see it get a snapshot: nothing moves in it.
    pub(crate) fn forget(&mut self, topic: TopicId) {
        self.types.iter_mut().for_each(|rows| rows.abandon(topic));
        self.active.remove(topic);
        self.changed.remove(topic);
    }

    /// Fields of the row at that slot have changed; it is `row` now.
    #[inline]
    pub(crate) fn mark(&mut self, number: u16, at: (TopicId, u32), mask: u64, row: &[u8]) {
        self.changed.insert(at.0);
        self.types[usize::from(number)].mark(at, mask, row);
    }

    /// The same of many rows that are somewhere, each of them once in a delta.
    #[inline]
    pub(crate) fn mark_all<'r>(
        &mut self,
        number: u16,
        marks: impl Iterator<Item = (Option<(TopicId, u32)>, u64, &'r [u8])>,
    ) {
        let rows = &mut self.types[usize::from(number)];
        let is_first = self.deltas == 1;
        for (at, mask, row) in marks {
            let Some(at) = at else { continue };
            self.changed.insert(at.0);
            if is_first {
                rows.mark_first(at, mask, row);
            } else {
                rows.mark(at, mask, row);
            }
        }
    }

    /// The row at that slot does not move any more: it is gone, or sent whole.
    pub(crate) fn stop(&mut self, number: u16, topic: TopicId, slot: u32) {
        self.types[usize::from(number)].stop(topic, slot);
    }

    /// Nothing has changed since the last frame.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.changed.is_empty()
    }

    /// The topics that a frame looks at: those with changes, and in a new tick all in which rows move.
    pub(crate) fn to_tell(&self, is_new_tick: bool) -> TopicSet {
        let mut topics = self.changed.clone();
        if is_new_tick {
            topics.union(&self.active);
        }
        topics
    }

    /// Ends a frame: what has changed is told.
    pub(crate) fn end_frame(&mut self) {
        self.deltas = 0;
        self.changed.clear();
        self.types.iter_mut().for_each(RowStates::close_up);
    }

    /// The rows of a type and a topic.
    #[inline]
    pub(crate) fn rows(&self, number: u16, topic: TopicId) -> TopicRows<'_> {
        self.types[usize::from(number)].rows(topic)
    }
}

/// What of one topic goes on which lane.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Rows that move.
    pub(crate) moving: Movers,
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

    /// Parts the rows of a topic, of which `latest` may move, by lane: those that move, and those in `dirty`, which are sorted, and come to rest. Rows that clients do
    /// not know any more are dropped: `known` says which they know, and without it they know all. The `entity` at a slot is that of a row that they know.
    ///
    /// Cost: a pass over the topic's slots of each row type of which anything moves, and over `dirty`.
    #[inline]
    pub(crate) fn sort(
        &mut self,
        moving: &mut Moving,
        (id, tick): (TopicId, u64),
        latest: &[Latest],
        dirty: &[Dirty],
        known: Option<impl Fn(KnownRow) -> bool>,
        entity: impl Fn(u32) -> EntityId,
    ) {
        self.clear();
        for Latest { number, column } in latest.iter().copied() {
            let rows = &mut moving.types[usize::from(number)];
            let row = |slot| KnownRow::new(id, column, slot);
            let known = known.as_ref().map(|known| move |slot| known(row(slot)));
            let moves = self.moving.extend(column, |slots, fields| {
                rows.each((id, tick as u8), known, (slots, fields), |slot, mask| {
                    self.ordered.push(Change { row: row(slot), mask, entity: entity(slot) });
                });
            });
            if !moves {
                rows.abandon(id);
            }
        }
        self.moved = !self.moving.is_empty() && moving.changed.has(id);
        moving.active.set(id, !self.moving.is_empty());
        let rested = !self.ordered.is_empty();
        let changes = dirty.iter().filter(|dirty| known.as_ref().is_none_or(|known| known(dirty.row)));
        self.ordered.extend(changes.map(|dirty| {
            let entity = entity(dirty.row.slot());
            Change { row: dirty.row, mask: dirty.mask, entity }
        }));
        if rested {
            self.ordered.sort_unstable();
        }
    }
}

/// Appends the rows of a topic that is cut with the part that each is in, by part, column and slot; `entity` is who is at a slot.
pub(crate) fn parts(
    world: &World,
    movers: &Movers,
    per_side: u8,
    square: Option<Square>,
    entity: impl Fn(u32) -> EntityId,
    out: &mut Vec<(u8, Mover)>,
) {
    let count = usize::from(per_side) * usize::from(per_side);
    let rows_each = movers.len().div_ceil(count);
    out.extend(movers.iter().enumerate().map(|(index, mover)| {
        let part = match square {
            Some(square) => {
                let place = world.place(entity(mover.slot));
                place.map_or(0, |place| part_of(place, square.min, square.size, per_side))
            }
            None => (index / rows_each) as u8,
        };
        (part, mover)
    }));
    if square.is_some() {
        out.sort_unstable();
    }
}

/// Into how many parts along a side a cell with so many moving rows is cut.
pub(crate) fn per_side(rows: usize) -> u8 {
    if rows <= WHOLE_ROWS {
        return 1;
    }
    let mut per_side = 2;
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
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const TOPIC: TopicId = TopicId(3);

    fn row(column: u16, slot: u32) -> KnownRow {
        KnownRow::new(TOPIC, column, slot)
    }

    fn dirty(column: u16, slot: u32, mask: u64) -> Dirty {
        Dirty { row: row(column, slot), mask }
    }

    fn entity(slot: u32) -> EntityId {
        EntityId(u64::from(slot) + 100)
    }

    /// Rows whose column 0 is on the latest lane; slot 9 is not known.
    struct Stage {
        moving: Moving,
        lanes: Lanes,
    }

    impl Stage {
        fn new() -> Self {
            let mut moving = Moving::new([1]);
            moving.reach(TopicId(9));
            Self { moving, lanes: Lanes::default() }
        }

        /// What is sorted in a tick with these marks.
        fn sort(&mut self, tick: u64, marks: &[(u32, u64)], dirty: &[Dirty]) {
            let Self { moving, lanes } = self;
            moving.begin_delta();
            for (slot, mask) in marks {
                moving.mark(0, (TOPIC, *slot), *mask, &[*slot as u8]);
            }
            let latest = [Latest { number: 0, column: 0 }];
            lanes.sort(moving, (TOPIC, tick), &latest, dirty, Some(|row: KnownRow| row.slot() != 9), entity);
            moving.end_frame();
            let rows = moving.rows(0, TOPIC);
            assert!(lanes.moving.iter().all(|mover| rows.value(mover.slot) == [mover.slot as u8]));
            assert!(lanes.ordered.iter().all(|change| change.entity == entity(change.row.slot())));
        }

        fn moving(&self) -> Vec<(u32, u64)> {
            let rows = self.moving.rows(0, TOPIC);
            self.lanes.moving.iter().map(|mover| (mover.slot, rows.mask(mover.fields))).collect()
        }

        fn ordered(&self) -> Vec<Dirty> {
            let ordered = self.lanes.ordered.iter();
            ordered.map(|change| Dirty { row: change.row, mask: change.mask }).collect()
        }
    }

    #[test]
    fn rows_move_rest_and_move_again() {
        let mut stage = Stage::new();
        let whole = dirty(0, 2, u64::MAX);
        // What is sent whole, and column 1, go in order.
        stage.sort(1, &[(1, 2), (0, 1), (9, 1)], &[whole, dirty(1, 0, 1), dirty(1, 9, 1)]);
        assert!(stage.lanes.moved);
        assert_eq!(stage.moving(), [(0, 1), (1, 2)]);
        assert_eq!(stage.ordered(), [whole, dirty(1, 0, 1)]);

        // Fields gather while a row moves; others stay in the state.
        stage.sort(3, &[(1, 4)], &[]);
        assert_eq!((stage.moving(), stage.ordered()), (vec![(0, 1), (1, 6)], vec![]));

        // Without a change it is not moving, but still in the state until it rests.
        stage.sort(5, &[], &[dirty(1, 0, 1)]);
        assert!(!stage.lanes.moved);
        assert_eq!(stage.moving(), [(1, 6)]);
        assert_eq!(stage.ordered(), [dirty(0, 0, 1), dirty(1, 0, 1)]);
        assert_eq!(stage.moving.to_tell(true).iter().collect::<Vec<_>>(), [TOPIC]);
        stage.sort(7, &[], &[]);
        assert_eq!((stage.moving(), stage.ordered()), (vec![], vec![dirty(0, 1, 6)]));
        assert!(stage.moving.to_tell(true).is_empty());
    }

    #[test]
    fn rows_that_are_gone_or_sent_whole_do_not_come_to_rest() {
        let mut stage = Stage::new();
        stage.sort(1, &[(0, 1), (1, 1), (9, 1), (70, 1)], &[]);
        stage.moving.stop(0, TOPIC, 0);
        stage.moving.stop(0, TOPIC, 5000);
        assert_eq!(stage.moving.to_tell(false).iter().count(), 0);
        stage.sort(9, &[], &[]);
        assert_eq!((stage.moving(), stage.ordered()), (vec![], vec![dirty(0, 1, 1), dirty(0, 70, 1)]));
    }

    #[test]
    fn nothing_moves_in_a_topic_that_has_ended() {
        let mut moving = Moving::new([1, 3]);
        moving.reach(TopicId(70));
        assert!(moving.is_unchanged());
        for topic in [2, 3, 70] {
            moving.mark(0, (TopicId(topic), 0), 1, &[7]);
        }
        moving.forget(TOPIC);
        moving.forget(TopicId(9));
        assert!(!moving.is_unchanged());
        assert_eq!(moving.to_tell(false).iter().collect::<Vec<_>>(), [TopicId(2), TopicId(70)]);
        let none = |_: u32, _: u64| unreachable!();
        moving.types[0].each((TOPIC, 0), None::<fn(u32) -> bool>, (&mut Vec::new(), &mut Vec::new()), none);
    }

    proptest! {
        #[test]
        fn they_are_a_map(
            ticks in prop::collection::vec(
                (
                    prop::collection::btree_map((0..40u32, 0..8u32), 1..64u64, 0..40),
                    prop::collection::vec((0..40u32, prop_oneof![0..6u32, 0..300u32], 1..64u64, 0..12u8), 0..40),
                ),
                0..40,
            ),
        ) {
            let (mut moving, mut lanes, mut model) = (Moving::new([1]), Lanes::default(), BTreeMap::new());
            moving.reach(TopicId(39));
            for (tick, (first, then)) in (250..).zip(ticks) {
                let mut moved = BTreeSet::new();
                let mark = |model: &mut BTreeMap<_, _>, moved: &mut BTreeSet<_>, topic, slot, mask, value: u8| {
                    moved.insert(topic);
                    let row = model.entry((topic, slot)).or_insert((0, tick, value));
                    *row = (row.0 | mask, tick, value);
                };
                moving.begin_delta();
                for ((topic, slot), mask) in &first {
                    mark(&mut model, &mut moved, *topic, *slot, *mask, 1);
                }
                let marks = first.iter().map(|((topic, slot), mask)| (Some((TopicId(*topic), *slot)), *mask, &[1][..]));
                moving.mark_all(0, marks);
                for (value, (topic, slot, mask_now, what)) in (2..).zip(then) {
                    match what {
                        0 => {
                            moving.forget(TopicId(topic));
                            moved.remove(&topic);
                            model.retain(|(of, _), _| *of != topic);
                        }
                        1 => {
                            moving.stop(0, TopicId(topic), slot);
                            model.remove(&(topic, slot));
                        }
                        _ => {
                            moving.begin_delta();
                            moving.mark_all(0, std::iter::once((Some((TopicId(topic), slot)), mask_now, &[value][..])));
                            mark(&mut model, &mut moved, topic, slot, mask_now, value);
                        }
                    }
                }
                let frame: Vec<_> = moving.to_tell(true).iter().collect();
                prop_assert!(model.keys().all(|(topic, _)| frame.contains(&TopicId(*topic))));
                for topic in frame {
                    let latest = [Latest { number: 0, column: 0 }];
                    let known = (tick % 2 == 0).then_some(|_: KnownRow| true);
                    lanes.sort(&mut moving, (topic, tick), &latest, &[], known, entity);
                    let rows = |rests: bool| {
                        let all = model.range((topic.0, 0)..(topic.0 + 1, 0));
                        all.filter(move |(_, (_, changed, _))| (tick - changed >= 4) == rests)
                    };
                    let all = moving.rows(0, topic);
                    let moves = lanes.moving.iter().map(|mover| (mover.slot, all.mask(mover.fields), all.value(mover.slot).to_vec()));
                    let wanted = rows(false).map(|((_, slot), (mask, _, value))| (*slot, *mask, vec![*value]));
                    prop_assert_eq!(moves.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
                    let rest = rows(true).map(|((_, slot), (mask, ..))| {
                        Change { row: KnownRow::new(topic, 0, *slot), mask: *mask, entity: entity(*slot) }
                    });
                    prop_assert_eq!(&lanes.ordered, &rest.collect::<Vec<_>>());
                    prop_assert_eq!(lanes.moved, moved.contains(&topic.0) && !lanes.moving.is_empty());
                }
                moving.end_frame();
                model.retain(|_, (_, changed, _)| tick - *changed < 4);
            }
        }
    }

    #[test]
    fn more_sets_of_fields_than_have_numbers_are_sent_with_more_fields() {
        let mut stage = Stage::new();
        let marks: Vec<_> = (0..300).map(|slot| (slot + 10, u64::from(slot) + 1)).collect();
        stage.sort(1, &marks, &[]);
        assert_eq!(stage.moving()[..254], marks[..254]);
        assert!(stage.moving()[254..].iter().all(|(_, mask)| *mask == u64::MAX));
        assert_eq!(stage.moving().len(), 300);
    }

    #[test]
    fn dense_cells_are_cut() {
        assert_eq!([1, 48, 49, 96, 97, 384, 385, 100_000].map(per_side), [1, 1, 2, 2, 4, 4, 8, 8]);
        let part = |x, y, per_side| part_of(Place { space: 0, at: [x, y] }, [64.0, -64.0], 64.0, per_side);
        assert_eq!(part(64.0, -64.0, 4), 0);
        assert_eq!(part(127.0, -64.0, 4), 3);
        assert_eq!(part(65.0, -1.0, 4), 12);
        assert_eq!(part(60.0, 3.0, 4), 12, "beyond the border");
        assert_eq!(part(f32::NAN, f32::INFINITY, 2), 2);
    }
}
