//! Writing varints and what starts with one.

/// Appends `value` as a varint.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes of `value` as a varint.
pub(crate) const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// A signed integer as the unsigned one that is small when it is near 0.
pub(crate) const fn to_zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends a zigzag varint.
pub(crate) fn zigzag(out: &mut Vec<u8>, value: i64) {
    varint(out, to_zigzag(value));
}

/// Appends `value` with its length before it.
pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends text with its length before it, cut to `max` bytes at a character's border.
pub(crate) fn text(out: &mut Vec<u8>, value: &str, max: usize) {
    bytes(out, &value.as_bytes()[..value.floor_char_boundary(max)]);
}
