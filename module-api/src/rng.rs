//! Random numbers.

use std::ops::Range;

/// Random numbers, reproducible from the world's seed: the same world with the same inputs draws the same.
///
/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), seeded by the host
/// once per call or run; about a nanosecond per number. Good for games, not for secrets.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// Draws from `seed` on.
    pub const fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any `u64`.
    pub const fn u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Any `u32`.
    pub const fn u32(&mut self) -> u32 {
        (self.u64() >> 32) as u32
    }

    /// From 0 up to, not including, 1; in steps of 2⁻²⁴.
    pub const fn f32(&mut self) -> f32 {
        (self.u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// From `range.start` up to, not including, `range.end`; `range.start` when the range is empty.
    pub const fn between(&mut self, range: Range<f32>) -> f32 {
        range.start + (range.end - range.start) * self.f32()
    }

    /// From 0 up to, not including, `end`; 0 when `end` is 0. The bias is below 2⁻³².
    pub const fn below(&mut self, end: u32) -> u32 {
        ((self.u32() as u64 * end as u64) >> 32) as u32
    }

    /// From `range.start` up to, not including, `range.end`; `range.start` when the range is empty.
    pub const fn range(&mut self, range: Range<i32>) -> i32 {
        let span = range.end as i64 - range.start as i64;
        let span = if span < 0 { 0 } else { span };
        (range.start as i64 + self.below(span as u32) as i64) as i32
    }

    /// True with probability `chance`.
    pub const fn chance(&mut self, chance: f32) -> bool {
        self.f32() < chance
    }

    /// One of `items`; `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let end = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.get(self.below(end) as usize)
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            let end = u32::try_from(index + 1).unwrap_or(u32::MAX);
            items.swap(index, self.below(end) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut one, mut two) = (Rng::from_seed(7), Rng::from_seed(7));
        assert!((0..100).all(|_| one.u64() == two.u64()));
    }

    #[test]
    fn the_first_numbers_are_those_of_the_paper() {
        assert_eq!(Rng::from_seed(1_234_567).u64(), 6_457_827_717_110_365_317);
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges, reason = "that is the case under test")]
    fn ranges_hold() {
        let mut rng = Rng::from_seed(1);
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&rng.f32()));
            assert!((-3..9).contains(&rng.range(-3..9)));
            assert!(rng.below(5) < 5);
        }
        assert_eq!(rng.range(5..5), 5);
        assert_eq!(rng.range(5..-5), 5);
        assert!((i32::MIN..i32::MAX).contains(&rng.range(i32::MIN..i32::MAX)));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.pick::<u8>(&[]), None);
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Rng::from_seed(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
