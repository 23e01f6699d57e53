//! Numbers of topics.
//!
//! Cells that lie together have numbers that lie together, a block of 64 for each square of 8 by 8 cells. So what a session sees is in a few
//! blocks, and what a frame says of it stands in a few places.

use std::collections::VecDeque;

use evertick_protocol::TopicId;
use evertick_schema::{Duration, Timestamp};
use evertick_world::Cell;
use hashbrown::HashMap;

use crate::slots::Slots;
use crate::topic::{TOPICS_MAX, TopicKey};

/// Numbers of a block.
const BLOCK: u32 = 64;
/// The binary logarithm of the cells along a tile's side.
const TILE_SHIFT: u32 = BLOCK.ilog2() / 2;

/// Hands out numbers that rest before they are handed out again, for the same reason as [`Slots`].
#[derive(Debug)]
pub(crate) struct Numbers {
    rest: Duration,
    /// A number by [`BLOCK`].
    blocks: Slots,
    tiles: HashMap<TileKey, Tile>,
    /// For topics without a place, and those whose number in their tile rests. These count on from block to block.
    others: Slots,
    /// The blocks of these, in order, and where each is in there.
    other_blocks: Vec<u32>,
    places: HashMap<u32, u32>,
}

/// A square of cells: whether it is for their details, and the cell's numbers without the lowest bits.
type TileKey = (bool, Cell);

/// Cells of which one at least has a topic with a number of the block.
#[derive(Debug)]
struct Tile {
    block: u32,
    /// Which numbers are taken.
    taken: u64,
    /// Numbers that rest, and since when; the oldest first.
    resting: VecDeque<(Timestamp, u32)>,
}

impl Numbers {
    /// Numbers that rest so long.
    pub(crate) fn new(rest: Duration) -> Self {
        Self {
            rest,
            blocks: Slots::default(),
            tiles: HashMap::new(),
            others: Slots::default(),
            other_blocks: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// A number for a topic that has none; `None` while all are taken or rest.
    pub(crate) fn allocate(&mut self, key: &TopicKey, now: Timestamp) -> Option<TopicId> {
        if let Some((key, bit)) = tile_of(key) {
            if !self.tiles.contains_key(&key) {
                let tile = Tile { block: self.allocate_block(now)?, taken: 0, resting: VecDeque::new() };
                self.tiles.insert(key, tile);
            }
            let tile = self.tiles.get_mut(&key)?;
            while tile.resting.pop_front_if(|(freed, _)| now - *freed >= self.rest).is_some() {}
            if !tile.resting.iter().any(|(_, resting)| *resting == bit) {
                tile.taken |= 1 << bit;
                return Some(TopicId(tile.block * BLOCK + bit));
            }
        }
        let number = self.others.allocate(now, self.rest, TOPICS_MAX)?;
        let place = number / BLOCK;
        if place as usize >= self.other_blocks.len() {
            let block = self.allocate_block(now)?;
            self.other_blocks.push(block);
            self.places.insert(block, place);
        }
        Some(TopicId(self.other_blocks[place as usize] * BLOCK + number % BLOCK))
    }

    /// The topic of this key, which has that number, has ended.
    pub(crate) fn free(&mut self, key: &TopicKey, id: TopicId, now: Timestamp) {
        let (block, bit) = (id.0 / BLOCK, id.0 % BLOCK);
        if let Some(place) = self.places.get(&block) {
            return self.others.free(place * BLOCK + bit, now);
        }
        let Some((key, _)) = tile_of(key) else { return };
        let Some(tile) = self.tiles.get_mut(&key) else { return };
        tile.taken &= !(1 << bit);
        tile.resting.push_back((now, bit));
        if tile.taken == 0 {
            self.tiles.remove(&key);
            self.blocks.free(block, now);
        }
    }

    fn allocate_block(&mut self, now: Timestamp) -> Option<u32> {
        self.blocks.allocate(now, self.rest, TOPICS_MAX / BLOCK)
    }
}

/// In which tile a topic's cell is, and where in it.
fn tile_of(key: &TopicKey) -> Option<(TileKey, u32)> {
    let (is_detail, Cell { space, x, y }) = match key {
        TopicKey::Cell(cell) => (false, *cell),
        TopicKey::Detail(cell) => (true, *cell),
        _ => return None,
    };
    let low = |at: i32| at.cast_unsigned() & ((1 << TILE_SHIFT) - 1);
    let tile = Cell { space, x: x >> TILE_SHIFT, y: y >> TILE_SHIFT };
    Some(((is_detail, tile), low(y) << TILE_SHIFT | low(x)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn cell(x: i32, y: i32) -> TopicKey {
        TopicKey::Cell(Cell { space: 1, x, y })
    }

    #[test]
    fn cells_that_lie_together_share_a_block() {
        let mut numbers = Numbers::new(Duration::from_secs(2));
        let mut block = |key: TopicKey| numbers.allocate(&key, Timestamp(0)).unwrap().0 / BLOCK;
        assert_eq!([block(cell(0, 0)), block(cell(7, 7)), block(cell(3, 5))], [0, 0, 0]);
        assert_eq!([block(cell(-1, 0)), block(cell(-8, 7)), block(cell(8, 0))], [1, 1, 2]);
        assert_eq!(block(TopicKey::Detail(Cell { space: 1, x: 0, y: 0 })), 3);
        assert_eq!([block(TopicKey::Everyone), block(TopicKey::Group(1))], [4, 4]);
        assert_eq!(block(TopicKey::Cell(Cell { space: 2, x: 0, y: 0 })), 5);
    }

    proptest! {
        #[test]
        fn a_number_rests_before_it_is_another_topics(
            steps in prop::collection::vec((0..12i32, 0..1500i64, any::<bool>()), 1..300),
        ) {
            let rest = Duration::from_secs(2);
            let mut numbers = Numbers::new(rest);
            let (mut now, mut live) = (Timestamp(0), HashMap::new());
            let mut freed: HashMap<TopicId, Timestamp> = HashMap::new();
            for (what, passed, owners) in steps {
                now += Duration::from_millis(passed);
                let key = if owners { TopicKey::Group(what as u64) } else { cell(what * 3, 0) };
                if let Some(id) = live.remove(&key) {
                    numbers.free(&key, id, now);
                    freed.insert(id, now);
                    continue;
                }
                let id = numbers.allocate(&key, now).unwrap();
                prop_assert!(live.values().all(|live| *live != id));
                prop_assert!(freed.get(&id).is_none_or(|freed| now - *freed >= rest));
                live.insert(key, id);
            }
            for (key, id) in live.drain() {
                numbers.free(&key, id, now);
            }
            prop_assert!(numbers.tiles.is_empty());
        }
    }
}
