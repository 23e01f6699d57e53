//! Random numbers: deterministic, from the world's seed.

use std::fmt;

/// The multiplier of PCG's 128-bit generator.
const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

/// Where a stream of random numbers stands. The stream goes on from there, in any build.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RandomState(pub [u8; 32]);

impl fmt::Debug for RandomState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomState(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A stream of random numbers, the same for the same seed and number.
///
/// PCG XSL RR 128/64 (O'Neill 2014). It stands here, because the crate `rand_pcg` does not tell its state, and a
/// world goes on with its numbers after a restart; the tests hold it against that crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    state: u128,
    increment: u128,
}

impl Stream {
    /// Stream `number` of `seed`; streams of neighbouring numbers have nothing in common.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut state = seed ^ split_mix(number);
        let mut start = [0; 32];
        for word in start.as_chunks_mut::<8>().0 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            *word = split_mix(state).to_le_bytes();
        }
        Self::from_seed(start)
    }

    fn from_seed(seed: [u8; 32]) -> Self {
        let [state, increment] = halves(seed);
        let mut stream = Self { state: 0, increment: increment | 1 };
        stream.state = state.wrapping_add(stream.increment);
        stream.step();
        stream
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    #[inline]
    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> RandomState {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.state.to_le_bytes());
        bytes[16..].copy_from_slice(&self.increment.to_le_bytes());
        RandomState(bytes)
    }

    /// The stream that stands at `state`. Any bytes are a state.
    pub(crate) fn at(RandomState(bytes): RandomState) -> Self {
        let [state, increment] = halves(bytes);
        Self { state, increment: increment | 1 }
    }
}

fn halves(bytes: [u8; 32]) -> [u128; 2] {
    let half = |at: usize| bytes[at..].first_chunk().map_or(0, |half| u128::from_le_bytes(*half));
    [half(0), half(16)]
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn split_mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng, SeedableRng};
    use rand_pcg::Pcg64;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        for seed in [[0; 32], [0xff; 32], std::array::from_fn(|at| at as u8)] {
            let (mut stream, mut reference) = (Stream::from_seed(seed), Pcg64::from_seed(seed));
            assert!((0..1000).all(|_| stream.next() == reference.next_u64()));
        }
    }

    #[test]
    fn a_stream_goes_on_from_its_state() {
        let mut stream = Stream::new(3, 0);
        stream.next();
        let mut other = Stream::at(stream.state());
        assert_eq!((other.state(), other.next()), (stream.state(), stream.next()));
    }

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
