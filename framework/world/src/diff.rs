//! Which fields of two rows differ.

use evertick_schema::{RowLayout, Type};

/// Bit i: field i of `new` is not what it is in `old`. Both are valid rows. The tails of variable fields count,
/// where they lie does not.
pub(crate) fn changed_fields(layout: &RowLayout, old: &[u8], new: &[u8]) -> u64 {
    let mut mask = 0;
    for (index, field) in layout.fields.iter().enumerate() {
        let same = if layout.flat || field.ty.is_flat() {
            same_bytes(field.of(old), field.of(new))
        } else {
            let at = field.offset as usize;
            same(&field.ty, old, at, new, at)
        };
        mask |= u64::from(!same) << index;
    }
    mask
}

/// Whether two byte strings are equal; those of usual lengths without calling anything.
#[inline]
pub(crate) fn same_bytes(old: &[u8], new: &[u8]) -> bool {
    fn as_array<const N: usize>(bytes: &[u8]) -> Option<&[u8; N]> {
        bytes.try_into().ok()
    }
    match old.len() {
        1 => as_array::<1>(old) == as_array(new),
        2 => as_array::<2>(old) == as_array(new),
        4 => as_array::<4>(old) == as_array(new),
        8 => as_array::<8>(old) == as_array(new),
        12 => as_array::<12>(old) == as_array(new),
        16 => as_array::<16>(old) == as_array(new),
        _ => old == new,
    }
}

fn same(ty: &Type, old: &[u8], old_at: usize, new: &[u8], new_at: usize) -> bool {
    match ty {
        Type::String => same_elements(&Type::U8, old, old_at, new, new_at),
        Type::List(of) | Type::Option(of) => same_elements(of, old, old_at, new, new_at),
        Type::Array(of, len) if !of.is_flat() => (0..*len).all(|index| {
            let offset = (index * of.size()) as usize;
            same(of, old, old_at + offset, new, new_at + offset)
        }),
        Type::Struct(of) if !ty.is_flat() => {
            let mut offset = 0;
            of.fields.iter().all(|field| {
                let at = offset;
                offset += field.ty.size() as usize;
                same(&field.ty, old, old_at + at, new, new_at + at)
            })
        }
        flat => {
            let size = flat.size() as usize;
            old[old_at..old_at + size] == new[new_at..new_at + size]
        }
    }
}

/// Compares what two `(offset, len)` point to.
fn same_elements(of: &Type, old: &[u8], old_at: usize, new: &[u8], new_at: usize) -> bool {
    let (old_start, old_len) = tail(old, old_at);
    let (new_start, new_len) = tail(new, new_at);
    if old_len != new_len {
        return false;
    }
    let stride = of.size() as usize;
    if of.is_flat() {
        let bytes = old_len * stride;
        return old[old_start..old_start + bytes] == new[new_start..new_start + bytes];
    }
    (0..old_len).all(|index| same(of, old, old_start + index * stride, new, new_start + index * stride))
}

fn tail(row: &[u8], at: usize) -> (usize, usize) {
    let word = |at: usize| u32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]) as usize;
    (word(at), word(at + 4))
}

#[cfg(test)]
mod tests {
    use evertick_schema::{Field, FieldDef, RowWriter};

    use super::*;

    fn row(number: u32, name: &str, words: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = RowWriter::new(&mut bytes, 20);
        number.write(&mut writer, 0);
        name.to_owned().write(&mut writer, 4);
        words.iter().map(ToString::to_string).collect::<Vec<String>>().write(&mut writer, 12);
        bytes
    }

    #[test]
    fn a_tail_that_only_moved_has_not_changed() {
        let layout = RowLayout::of(&[
            FieldDef::new("number", Type::U32),
            FieldDef::new("name", Type::String),
            FieldDef::new("words", Type::List(Box::new(Type::String))),
        ]);
        let old = row(1, "ab", &["x", "yz"]);
        let differ = |new: &[u8]| changed_fields(&layout, &old, new);
        assert_eq!(differ(&old), 0);
        assert_eq!(differ(&row(1, "abc", &["x", "yz"])), 0b010);
        assert_eq!(differ(&row(2, "ab", &["x", "zy"])), 0b101);
        assert_eq!(differ(&row(1, "ab", &["xy", "z"])), 0b100);
        assert_eq!(differ(&row(1, "", &[])), 0b110);
    }
}
