//! Random numbers: deterministic, from the world's seed.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// A stream of random numbers. The same seed and number give the same stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream(Pcg64);

impl Stream {
    /// Stream `number` of `seed`; streams of neighbouring numbers have nothing in common.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut state = seed ^ split_mix(number);
        let mut start = [0; 32];
        for word in start.as_chunks_mut::<8>().0 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            *word = split_mix(state).to_le_bytes();
        }
        Self(Pcg64::from_seed(start))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn split_mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_differ() {
        let take = |seed, number| {
            let mut stream = Stream::new(seed, number);
            [stream.next(), stream.next()]
        };
        assert_eq!(take(1, 1), take(1, 1));
        let all = [take(1, 0), take(1, 1), take(1, 2), take(2, 1), take(2, 0)];
        for (index, stream) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other[0] != stream[0] && other[1] != stream[1]));
        }
    }
}
