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

/// Appends `values`, each below 2^`width`; `width` is 32 at most.
#[inline]
pub(crate) fn pack(out: &mut Vec<u8>, width: u32, values: impl Iterator<Item = u64>) {
    if width == 0 {
        return;
    }
    let mut pending = 0u64;
    let mut filled = 0;
    for value in values {
        pending |= value << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(pending as u32).to_le_bytes());
            pending >>= 32;
            filled -= 32;
        }
    }
    // All eight, of which the rest is taken back: that is cheaper than a copy of unknown length.
    let len = out.len() + filled.div_ceil(8) as usize;
    out.extend_from_slice(&pending.to_le_bytes());
    out.truncate(len);
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
        fn round_trip(width in 0u32..=32, values in prop::collection::vec(any::<u32>(), 0..70)) {
            let values: Vec<u64> = values.iter().map(|value| u64::from(*value) & ((1 << width) - 1)).collect();
            let mut out = Vec::new();
            pack(&mut out, width, values.iter().copied());
            prop_assert_eq!(out.len(), bytes_of(values.len(), width));
            let mut back = Vec::new();
            unpack(&out, width, values.len(), |_, value| back.push(value));
            prop_assert_eq!(back, values);
        }
    }
}
