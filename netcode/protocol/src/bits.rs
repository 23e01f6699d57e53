//! Numbers of a fixed width, packed least significant bit first.

/// The bits of a word that are set, by number, the lowest first.
///
/// ```
/// assert_eq!(evertick_protocol::set_bits(0b1001).collect::<Vec<_>>(), [0, 3]);
/// ```
#[inline]
pub fn set_bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}

/// Bytes of `count` numbers of `width` bits.
pub(crate) const fn bytes_of(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Appends how much more than `low` each of `values` is, which is below 2^`width`; `width` is 32 at most.
#[inline(always)]
pub(crate) fn pack<T: Copy + Into<i64>>(out: &mut Vec<u8>, width: u32, values: &[T], low: i64) {
    match width {
        0 => {}
        1..=14 => pack_groups::<4, _>(out, width, values, low),
        15..=28 => pack_groups::<2, _>(out, width, values, low),
        _ => pack_groups::<1, _>(out, width, values, low),
    }
}

/// The same, so many at once; together they have 56 bits at most.
#[inline(always)]
fn pack_groups<const GROUP: usize, T: Copy + Into<i64>>(
    out: &mut Vec<u8>,
    width: u32,
    values: &[T],
    low: i64,
) {
    let (start, len) = (out.len(), bytes_of(values.len(), width));
    // Written are eight bytes at a time.
    out.resize(start + len + size_of::<u64>(), 0);
    let mut bits = Bits { rest: &mut out[start..], pending: 0, filled: 0 };
    let more = |value: T| value.into().wrapping_sub(low) as u64;
    let (groups, few) = values.as_chunks::<GROUP>();
    for group in groups {
        let mut word = 0;
        for (number, value) in group.iter().enumerate() {
            word |= more(*value) << (width * number as u32);
        }
        bits.put(word, width * GROUP as u32);
    }
    for value in few {
        bits.put(more(*value), width);
    }
    out.truncate(start + len);
}

/// Where numbers are packed to.
struct Bits<'a> {
    rest: &'a mut [u8],
    /// Bits that are not a whole byte yet: so many.
    pending: u64,
    filled: u32,
}

impl Bits<'_> {
    /// Appends the `count` bits of `word`, 56 at most.
    #[inline(always)]
    fn put(&mut self, word: u64, count: u32) {
        self.pending |= word << self.filled;
        self.filled += count;
        if let Some(to) = self.rest.first_chunk_mut() {
            *to = self.pending.to_le_bytes();
        }
        let bytes = self.filled / 8;
        self.rest = std::mem::take(&mut self.rest).get_mut(bytes as usize..).unwrap_or_default();
        self.pending >>= bytes * 8;
        self.filled %= 8;
    }
}

/// Calls `each` with the first `count` numbers of `width` bits in `bytes`; those that are not there are 0.
#[inline]
pub(crate) fn unpack(bytes: &[u8], width: u32, count: usize, mut each: impl FnMut(usize, u64)) {
    let mask = (1u64 << width) - 1;
    for index in 0..count {
        let bit = index * width as usize;
        let window = match bytes.get(bit / 8..).and_then(|rest| rest.first_chunk()) {
            Some(window) => u64::from_le_bytes(*window),
            None => last_window(bytes, bit / 8),
        };
        each(index, window >> (bit % 8) & mask);
    }
}

/// The fewer than eight bytes from `at` on.
#[cold]
fn last_window(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |window, byte| window << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(
            width in 0u32..=32,
            low in any::<i64>(),
            values in prop::collection::vec(any::<u32>(), 0..70),
        ) {
            let mask = (1i64 << width) - 1;
            let values: Vec<_> = values.iter().map(|value| low.wrapping_add(i64::from(*value) & mask)).collect();
            let mut out = vec![7];
            pack(&mut out, width, &values, low);
            prop_assert_eq!(out.len(), 1 + bytes_of(values.len(), width));
            prop_assert_eq!(out[0], 7);
            let mut back = Vec::new();
            unpack(&out[1..], width, values.len(), |_, value| back.push(low.wrapping_add(value as i64)));
            prop_assert_eq!(back, values);
        }
    }
}
