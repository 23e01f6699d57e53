//! The compile-time proof that a flat row has no padding.

/// One field of a struct under proof.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The field's name.
    pub name: &'static str,
    /// Bytes of the Rust type.
    pub size: usize,
    /// Its alignment.
    pub align: usize,
    /// Bytes in a row.
    pub row_size: usize,
    /// Whether that is all there is.
    pub flat: bool,
}

/// What is wrong with a struct's layout, if anything; made by [`Padding::of`] at compile time.
#[derive(Debug)]
pub struct Padding {
    text: [u8; MESSAGE_MAX],
    len: usize,
}

const MESSAGE_MAX: usize = 2048;
const PARTS_MAX: usize = 64;

impl Padding {
    /// Checks the struct `name` of `size` bytes. Only flat structs can be wrong: others have no columns.
    pub const fn of(name: &str, size: usize, parts: &[Part]) -> Self {
        let fine = Self { text: [0; MESSAGE_MAX], len: 0 };
        if parts.len() > PARTS_MAX {
            return fine.say("`").say(name).say("` has more than 64 fields");
        }
        let (mut flat, mut sum, mut gaps, mut align) = (true, 0, false, 1);
        let mut index = 0;
        while index < parts.len() {
            let part = parts[index];
            flat &= part.flat;
            gaps |= sum % part.align != 0;
            sum += part.size;
            if part.align > align {
                align = part.align;
            }
            if part.flat && part.size != part.row_size {
                return fine
                    .say("`")
                    .say(part.name)
                    .say("` of `")
                    .say(name)
                    .say("` takes other bytes in memory than in a row: derive `Field` for its type");
            }
            index += 1;
        }
        let tail = (align - sum % align) % align;
        if !flat || (!gaps && tail == 0 && sum == size) {
            return fine;
        }
        let mut message = fine.say("`").say(name).say("` has padding, which rows may not have: ");
        if gaps {
            message = message.say("declare its fields in the order `").order(parts).say("`");
        }
        if tail > 0 {
            if gaps {
                message = message.say(" and ");
            }
            message = message.say("add `reserved: [u8; ").number(tail).say("]` at the end");
        }
        message
    }

    /// Whether there is nothing to say.
    pub const fn is_fine(&self) -> bool {
        self.len == 0
    }

    /// What to do.
    pub const fn message(&self) -> &str {
        match str::from_utf8(self.text.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "the struct has padding, which rows may not have",
        }
    }

    const fn say(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() && self.len < MESSAGE_MAX {
            self.text[self.len] = bytes[index];
            self.len += 1;
            index += 1;
        }
        self
    }

    const fn number(self, number: usize) -> Self {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        if number >= 10 {
            self.number(number / 10).say(DIGITS[number % 10])
        } else {
            self.say(DIGITS[number])
        }
    }

    /// The fields by falling alignment, otherwise as declared: as every type's size is a multiple of its
    /// alignment, that leaves no gaps.
    const fn order(mut self, parts: &[Part]) -> Self {
        let mut done = [false; PARTS_MAX];
        let mut placed = 0;
        while placed < parts.len() {
            let mut best = usize::MAX;
            let mut index = 0;
            while index < parts.len() {
                if !done[index] && (best == usize::MAX || parts[index].align > parts[best].align) {
                    best = index;
                }
                index += 1;
            }
            done[best] = true;
            if placed > 0 {
                self = self.say(", ");
            }
            self = self.say(parts[best].name);
            placed += 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn part(name: &'static str, size: usize, align: usize) -> Part {
        Part { name, size, align, row_size: size, flat: true }
    }

    #[test]
    fn a_struct_without_padding_is_fine() {
        assert!(Padding::of("Node", 8, &[part("kind", 4, 4), part("charges", 4, 4)]).is_fine());
        assert!(Padding::of("Marker", 0, &[]).is_fine());
    }

    #[test]
    fn the_message_names_the_order() {
        let padding = Padding::of("Node", 24, &[part("kind", 4, 4), part("at", 8, 8), part("charges", 4, 4)]);
        assert_eq!(
            padding.message(),
            "`Node` has padding, which rows may not have: declare its fields in the order `at, kind, charges`"
        );
    }

    #[test]
    fn the_message_names_what_to_add() {
        let padding = Padding::of("Node", 24, &[part("open", 1, 1), part("at", 16, 8)]);
        assert_eq!(
            padding.message(),
            "`Node` has padding, which rows may not have: declare its fields in the order `at, open` and add \
             `reserved: [u8; 7]` at the end"
        );
    }

    #[test]
    fn rows_with_variable_fields_may_have_any_order() {
        let text = Part { name: "text", size: 24, align: 8, row_size: 8, flat: false };
        assert!(Padding::of("Chat", 32, &[part("open", 1, 1), text]).is_fine());
    }
}
