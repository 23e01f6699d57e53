//! Ascending slots, as gaps or as a bitmap.

use crate::error::ProtocolError;
use crate::limits::SLOTS_MAX;
use crate::put;
use crate::reader::Reader;

const GAPS: u64 = 0;
const BITMAP: u64 = 1;

/// Appends `slots`, which must be ascending, in the smaller form.
pub(crate) fn write(out: &mut Vec<u8>, slots: &[u32]) {
    debug_assert!(slots.is_sorted_by(|a, b| a < b), "slots must be ascending: {slots:?}");
    let head = slots.len() as u64 * 2;
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return put::varint(out, head + GAPS);
    };
    let bitmap = (last.wrapping_sub(*first) / 8) as usize + 1;
    let bitmap_cost = put::varint_len(bitmap as u64) + bitmap;
    // The first slot costs the same in both forms; every gap takes a byte at least.
    let gaps_cost = || slots.windows(2).map(|pair| put::varint_len(gap(pair[0], pair[1]))).sum::<usize>();
    if bitmap_cost < slots.len() || bitmap_cost < gaps_cost() {
        put::varint(out, head + BITMAP);
        put::varint(out, u64::from(*first));
        put::varint(out, bitmap as u64);
        let len = out.len() + bitmap;
        let (mut word, mut word_first) = (0u64, *first);
        for slot in slots {
            while slot - word_first >= u64::BITS {
                out.extend_from_slice(&word.to_le_bytes());
                (word, word_first) = (0, word_first + u64::BITS);
            }
            word |= 1 << (slot - word_first);
        }
        // All eight, of which the rest is taken back: that is cheaper than a copy of unknown length.
        out.extend_from_slice(&word.to_le_bytes());
        out.truncate(len);
    } else {
        put::varint(out, head + GAPS);
        put::varint(out, u64::from(*first));
        for pair in slots.windows(2) {
            put::varint(out, gap(pair[0], pair[1]));
        }
    }
}

/// The slots between two neighbours.
fn gap(before: u32, slot: u32) -> u64 {
    u64::from(slot.wrapping_sub(before).wrapping_sub(1))
}

/// Replaces `slots` by what the reader has. They are ascending and below [`SLOTS_MAX`].
pub(crate) fn read(reader: &mut Reader<'_>, slots: &mut Vec<u32>) -> Result<(), ProtocolError> {
    slots.clear();
    let head = reader.varint("slots")?;
    let count = head / 2;
    if count > SLOTS_MAX.into() {
        return Err(ProtocolError::TooMuch { what: "slots", value: count, max: SLOTS_MAX.into() });
    }
    if head % 2 == BITMAP {
        return read_bitmap(reader, count as usize, slots);
    }
    if count as usize > reader.len() {
        return Err(ProtocolError::Truncated("slots"));
    }
    slots.reserve(count as usize);
    let mut next = 0u64;
    for _ in 0..count {
        let slot = next.saturating_add(reader.varint("slots")?);
        slots.push(below_max(slot)?);
        next = slot + 1;
    }
    Ok(())
}

fn read_bitmap(reader: &mut Reader<'_>, count: usize, slots: &mut Vec<u32>) -> Result<(), ProtocolError> {
    let first = below_max(reader.varint("slots")?)?;
    let bytes = reader.bytes(SLOTS_MAX as usize / 8 + 1, "slots")?;
    if bytes.iter().map(|byte| byte.count_ones() as usize).sum::<usize>() != count {
        return Err(ProtocolError::Malformed("the bits of a slot bitmap"));
    }
    slots.reserve(count);
    for (index, byte) in bytes.iter().enumerate() {
        let mut bits = *byte;
        while bits != 0 {
            let slot = u64::from(first) + index as u64 * 8 + u64::from(bits.trailing_zeros());
            slots.push(below_max(slot)?);
            bits &= bits - 1;
        }
    }
    Ok(())
}

fn below_max(slot: u64) -> Result<u32, ProtocolError> {
    if slot >= SLOTS_MAX.into() {
        return Err(ProtocolError::TooMuch { what: "a slot", value: slot, max: u64::from(SLOTS_MAX) - 1 });
    }
    Ok(slot as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn bytes(slots: &[u32]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, slots);
        out
    }

    #[test]
    fn the_smaller_form_is_taken() {
        assert_eq!(bytes(&[]), [0]);
        assert_eq!(bytes(&[300]), [2, 0xac, 2]);
        assert_eq!(bytes(&[3, 5, 200]), [6, 3, 1, 0xc2, 1]);
        assert_eq!(bytes(&(8..24).collect::<Vec<_>>()), [33, 8, 2, 0xff, 0xff]);
    }

    #[test]
    fn slots_stay_below_their_limit() {
        let mut slots = Vec::new();
        for far in [&[2, 0x80, 0x80, 0x40][..], &[3, 0xff, 0xff, 0x3f, 1, 2], &[4, 0xff, 0xff, 0x3f, 0]] {
            let error = read(&mut Reader::new(far), &mut slots).unwrap_err();
            assert!(matches!(error, ProtocolError::TooMuch { what: "a slot", .. }), "{error}");
        }
        assert_eq!(
            read(&mut Reader::new(&[5, 0, 1, 1]), &mut slots),
            Err(ProtocolError::Malformed("the bits of a slot bitmap"))
        );
    }

    proptest! {
        #[test]
        fn round_trip(slots in prop::collection::btree_set(prop_oneof![0u32..200, 0..SLOTS_MAX], 0..100)) {
            let slots: Vec<u32> = slots.into_iter().collect();
            let mut back = vec![7];
            let encoded = bytes(&slots);
            let mut reader = Reader::new(&encoded);
            read(&mut reader, &mut back).unwrap();
            prop_assert!(reader.is_empty());
            prop_assert_eq!(back, slots);
        }
    }
}
