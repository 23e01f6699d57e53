//! Finds the rows of a column that a guest changed.
//!
//! The guest worked on a copy of the column. This compares the copy with the original and keeps what differs:
//! which rows, which fields of them, and their new bytes. Nothing is written to the column here: that comes
//! later, and only when all of the run went well ([`crate::sweep`]). So a run that fails has changed nothing,
//! and until then the old bytes are still there for indexes to look at.
//!
//! Hot path: nothing is allocated but the growth of the kept vectors. Rows are taken in chunks of 64, one bit
//! of a `u64` each: first one memory comparison of the whole chunk, then a loop per field that the compiler
//! unrolls and vectorises for the field's size. All of it is safe Rust, compiled a second time with AVX2
//! enabled, which is chosen at run time.

/// Rows that are looked at together: one bit of a `u64` each.
pub(crate) const CHUNK: usize = 64;

/// What the comparison needs to know of a row type: where its fields lie.
#[derive(Clone, Debug)]
pub(crate) struct RowShape {
    stride: usize,
    /// Start and size of each field.
    fields: Vec<(usize, usize)>,
}

impl RowShape {
    /// The shape of rows whose fields have these sizes, one behind the other; at most 64 of them.
    pub(crate) fn new(sizes: impl IntoIterator<Item = usize>) -> Self {
        let mut stride = 0;
        let mut fields = Vec::new();
        for size in sizes {
            fields.push((stride, size));
            stride += size;
        }
        assert!(fields.len() <= 64, "a field mask is a u64");
        Self { stride, fields }
    }

    /// Bytes per row.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }
}

/// The changed rows of one column.
#[derive(Debug, Default)]
pub(crate) struct ChangedRows {
    /// Bit i of word w set: row 64 w + i has changed. Trailing words may be missing.
    pub(crate) dirty: Vec<u64>,
    /// Per changed row the changed fields.
    pub(crate) masks: Masks,
    /// The changed rows' new bytes, one behind the other.
    pub(crate) bytes: Vec<u8>,
}

impl ChangedRows {
    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.dirty.clear();
        self.masks.clear();
        self.bytes.clear();
    }
}

/// A mask per changed row, bit i for field i, never 0. Where a system works alike on all rows, so are their masks, and one
/// stands for all.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    len: usize,
    /// All of them together.
    any: u64,
    /// Each by itself, once they differ.
    each: Vec<u64>,
}

impl Masks {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All of them together.
    pub(crate) fn any(&self) -> u64 {
        self.any
    }

    /// Those from `at` on, at most [`CHUNK`] of them, which are put into `room` if they stand nowhere.
    #[inline]
    pub(crate) fn slice<'m>(&'m self, at: usize, count: usize, room: &'m mut [u64; CHUNK]) -> &'m [u64] {
        if !self.each.is_empty() {
            return &self.each[at..at + count];
        }
        *room = [self.any; CHUNK];
        &room[..count]
    }

    #[inline]
    fn push(&mut self, mask: u64, count: usize) {
        let alike = self.each.is_empty() && (self.len == 0 || self.any == mask);
        if !alike {
            self.each.resize(self.len, self.any);
            self.each.resize(self.len + count, mask);
        }
        self.any |= mask;
        self.len += count;
    }

    fn clear(&mut self) {
        (self.len, self.any) = (0, 0);
        self.each.clear();
    }
}

/// Puts into `out` the rows of `new` that differ from those of `old`. Both are whole rows, equally many.
pub(crate) fn changed_rows(shape: &RowShape, old: &[u8], new: &[u8], out: &mut ChangedRows) {
    assert_eq!(old.len(), new.len(), "the copy of a column has the column's length");
    out.clear();
    if shape.stride == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2, which is all that the function asks for.
        unsafe { changed_rows_avx2(shape, old, new, out) };
        return;
    }
    changed_rows_portable(shape, old, new, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn changed_rows_avx2(shape: &RowShape, old: &[u8], new: &[u8], out: &mut ChangedRows) {
    changed_rows_portable(shape, old, new, out);
}

#[inline(always)]
pub(crate) fn changed_rows_portable(shape: &RowShape, old: &[u8], new: &[u8], out: &mut ChangedRows) {
    let chunk_bytes = CHUNK * shape.stride;
    for (old, new) in old.chunks(chunk_bytes).zip(new.chunks(chunk_bytes)) {
        let dirty = if old == new { 0 } else { keep_chunk(shape, old, new, out) };
        out.dirty.push(dirty);
    }
}

/// Appends masks and bytes of the chunk's changed rows; returns which they are.
#[inline(always)]
fn keep_chunk(shape: &RowShape, old: &[u8], new: &[u8], out: &mut ChangedRows) -> u64 {
    let mut by_field = [0u64; 64];
    let mut dirty = 0;
    for (bits, &(start, size)) in by_field.iter_mut().zip(&shape.fields) {
        *bits = differing_rows(shape.stride, start, size, old, new);
        dirty |= *bits;
    }
    keep_masks(&by_field[..shape.fields.len()], dirty, out);
    match shape.stride {
        _ if dirty == u64::MAX => out.bytes.extend_from_slice(new),
        4 => keep_rows::<4>(dirty, new, out),
        8 => keep_rows::<8>(dirty, new, out),
        12 => keep_rows::<12>(dirty, new, out),
        16 => keep_rows::<16>(dirty, new, out),
        stride => {
            for row in ones(dirty) {
                out.bytes.extend_from_slice(&new[row * stride..(row + 1) * stride]);
            }
        }
    }
    dirty
}

/// Appends the rows of `dirty`.
#[inline(always)]
fn keep_rows<const STRIDE: usize>(dirty: u64, new: &[u8], out: &mut ChangedRows) {
    let (new, _) = new.as_chunks::<STRIDE>();
    let mut kept = [[0; STRIDE]; CHUNK];
    for (kept, row) in kept.iter_mut().zip(ones(dirty)) {
        *kept = new[row];
    }
    out.bytes.extend_from_slice(kept[..dirty.count_ones() as usize].as_flattened());
}

/// Appends one mask per row of `dirty`. Where a system works alike on all rows, so are their masks.
#[inline(always)]
fn keep_masks(by_field: &[u64], dirty: u64, out: &mut ChangedRows) {
    let mut all = 0;
    let mut alike = true;
    for (index, bits) in by_field.iter().enumerate() {
        all |= u64::from(*bits != 0) << index;
        alike &= *bits == 0 || *bits == dirty;
    }
    if alike {
        out.masks.push(all, dirty.count_ones() as usize);
        return;
    }
    for row in ones(dirty) {
        let bit = |mask, (index, bits): (usize, &u64)| mask | (bits >> row & 1) << index;
        out.masks.push(by_field.iter().enumerate().fold(0, bit), 1);
    }
}

/// Bit i set: in row i of the chunk the `size` bytes at `start` differ.
#[inline(always)]
fn differing_rows(stride: usize, start: usize, size: usize, old: &[u8], new: &[u8]) -> u64 {
    match size {
        1 => differing_fixed::<1>(stride, start, old, new),
        2 => differing_fixed::<2>(stride, start, old, new),
        4 => differing_fixed::<4>(stride, start, old, new),
        8 => differing_fixed::<8>(stride, start, old, new),
        12 => differing_fixed::<12>(stride, start, old, new),
        16 => differing_fixed::<16>(stride, start, old, new),
        _ => differing(stride, start, size, old, new),
    }
}

#[inline(always)]
fn differing_fixed<const SIZE: usize>(stride: usize, start: usize, old: &[u8], new: &[u8]) -> u64 {
    let mut bits = 0;
    if stride == SIZE {
        let rows = old.as_chunks::<SIZE>().0.iter().zip(new.as_chunks::<SIZE>().0);
        for (index, (old, new)) in rows.enumerate() {
            bits |= u64::from(old != new) << index;
        }
    } else {
        let rows = old.chunks_exact(stride).zip(new.chunks_exact(stride));
        for (index, (old, new)) in rows.enumerate() {
            bits |=
                u64::from(old[start..].first_chunk::<SIZE>() != new[start..].first_chunk::<SIZE>()) << index;
        }
    }
    bits
}

fn differing(stride: usize, start: usize, size: usize, old: &[u8], new: &[u8]) -> u64 {
    let rows = old.chunks_exact(stride).zip(new.chunks_exact(stride)).enumerate();
    rows.fold(0, |bits, (index, (old, new))| {
        bits | u64::from(old[start..start + size] != new[start..start + size]) << index
    })
}

/// The numbers of the bits that are set, ascending.
#[inline(always)]
pub(crate) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = bits.trailing_zeros() as usize;
        (bits != 0).then(|| {
            bits &= bits - 1;
            bit
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The obvious way: byte by byte.
    fn plain(sizes: &[usize], old: &[u8], new: &[u8]) -> (Vec<usize>, Vec<u64>, Vec<u8>) {
        let stride: usize = sizes.iter().sum();
        let (mut rows, mut masks, mut bytes) = (vec![], vec![], vec![]);
        for row in 0..old.len() / stride {
            let mut at = row * stride;
            let mut mask = 0;
            for (field, size) in sizes.iter().enumerate() {
                mask |= u64::from((at..at + size).any(|byte| old[byte] != new[byte])) << field;
                at += size;
            }
            if mask != 0 {
                rows.push(row);
                masks.push(mask);
                bytes.extend_from_slice(&new[row * stride..at]);
            }
        }
        (rows, masks, bytes)
    }

    fn masks_of(changed: &ChangedRows) -> Vec<u64> {
        let mut room = [0; CHUNK];
        (0..changed.masks.len()).map(|at| changed.masks.slice(at, 1, &mut room)[0]).collect()
    }

    fn rows_of(changed: &ChangedRows) -> Vec<usize> {
        let words = changed.dirty.iter().enumerate();
        words.flat_map(|(word, bits)| ones(*bits).map(move |bit| word * CHUNK + bit)).collect()
    }

    /// Field sizes, so many rows, and changes as (row, byte, value).
    fn columns() -> impl Strategy<Value = (Vec<usize>, Vec<u8>, Vec<u8>)> {
        let size = prop_oneof![1usize..9, Just(12), Just(16), Just(32), 1usize..70];
        (prop::collection::vec(size, 1..6), 0usize..300, any::<u8>()).prop_flat_map(|(sizes, rows, fill)| {
            let len = sizes.iter().sum::<usize>() * rows;
            let change = (any::<prop::sample::Index>(), any::<u8>());
            let some = prop::collection::vec(change, 0..60);
            (Just((sizes, len, fill)), some, any::<bool>()).prop_map(|((sizes, len, fill), some, all)| {
                let old = vec![fill; len];
                let mut new = if all { vec![fill ^ 0x55; len] } else { old.clone() };
                for (at, value) in some {
                    if len > 0 {
                        new[at.index(len)] = value;
                    }
                }
                (sizes, old, new)
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn finds_what_a_byte_compare_finds((sizes, old, new) in columns()) {
            let shape = RowShape::new(sizes.iter().copied());
            let (rows, masks, bytes) = plain(&sizes, &old, &new);
            let mut changed = ChangedRows::default();
            changed_rows(&shape, &old, &new, &mut changed);
            prop_assert_eq!(&rows_of(&changed), &rows);
            prop_assert_eq!(masks_of(&changed), &masks[..]);
            prop_assert_eq!(changed.masks.any(), masks.iter().fold(0, |any, mask| any | mask));
            prop_assert_eq!(&changed.bytes, &bytes);

            changed.clear();
            changed_rows_portable(&shape, &old, &new, &mut changed);
            prop_assert_eq!((rows_of(&changed), masks_of(&changed), changed.bytes), (rows, masks, bytes));
        }
    }
}
