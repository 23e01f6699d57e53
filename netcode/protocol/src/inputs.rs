//! Inputs: what a player does at certain ticks, of which only the newest matters.

use crate::error::ProtocolError;
use crate::limits::{INPUT_BYTES_MAX, INPUTS_MAX};
use crate::put;
use crate::reader::Reader;

/// The inputs of an Input message, newest first. They have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs<'a> {
    tick: u64,
    count: usize,
    entries: &'a [u8],
}

/// What a player does at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    /// The tick it is for.
    pub tick: u64,
    /// The input reducer's number in the description.
    pub reducer: u32,
    /// Its arguments as row bytes, at most [`INPUT_BYTES_MAX`].
    pub args: &'a [u8],
}

impl<'a> Inputs<'a> {
    /// Puts inputs, at least one and at most [`INPUTS_MAX`], newest first, into `buffer`, which it clears.
    ///
    /// # Panics
    /// When there are none or too many, or their ticks ascend.
    pub fn new(inputs: &[Input<'_>], buffer: &'a mut Vec<u8>) -> Self {
        assert!((1..=INPUTS_MAX).contains(&inputs.len()), "{} inputs in one message", inputs.len());
        assert!(inputs.is_sorted_by(|a, b| a.tick >= b.tick), "inputs go newest first");
        let tick = inputs.first().map_or(0, |input| input.tick);
        buffer.clear();
        for input in inputs {
            put::varint(buffer, tick - input.tick);
            put::varint(buffer, input.reducer.into());
            put::bytes(buffer, input.args);
        }
        Self { tick, count: inputs.len(), entries: buffer }
    }

    /// The tick of the newest.
    pub const fn tick(&self) -> u64 {
        self.tick
    }

    /// The inputs, newest first.
    pub fn iter(&self) -> impl Iterator<Item = Input<'a>> + use<'a> {
        let (mut reader, tick) = (Reader::new(self.entries), self.tick);
        (0..self.count).map_while(move |_| read_entry(&mut reader, tick).ok())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put::varint(out, self.tick);
        put::varint(out, self.count as u64);
        out.extend_from_slice(self.entries);
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let tick = reader.varint("Input.tick")?;
        let count = reader.count(3, "Input.entries")?;
        if !(1..=INPUTS_MAX).contains(&count) {
            let max = INPUTS_MAX as u64;
            return Err(ProtocolError::TooMuch {
                what: "Input.entries, at least 1",
                value: count as u64,
                max,
            });
        }
        let start = *reader;
        let mut newest = tick;
        for index in 0..count {
            let entry = read_entry(reader, tick)?;
            if entry.tick > newest || (index == 0 && entry.tick != tick) {
                return Err(ProtocolError::Malformed("the ticks of inputs"));
            }
            newest = entry.tick;
        }
        Ok(Self { tick, count, entries: &start.rest()[..start.len() - reader.len()] })
    }
}

fn read_entry<'a>(reader: &mut Reader<'a>, newest: u64) -> Result<Input<'a>, ProtocolError> {
    let back = reader.varint("an input's tick")?;
    Ok(Input {
        tick: newest.checked_sub(back).ok_or(ProtocolError::Malformed("the ticks of inputs"))?,
        reducer: reader.varint_u32("an input's reducer")?,
        args: reader.bytes(INPUT_BYTES_MAX, "an input's arguments")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Inputs<'_>, ProtocolError> {
        Inputs::read(&mut Reader::new(bytes))
    }

    #[test]
    fn inputs_go_newest_first() {
        let inputs = [
            Input { tick: 300, reducer: 2, args: b"now" },
            Input { tick: 300, reducer: 5, args: b"" },
            Input { tick: 299, reducer: 2, args: b"before" },
        ];
        let (mut buffer, mut bytes) = (Vec::new(), Vec::new());
        let message = Inputs::new(&inputs, &mut buffer);
        assert_eq!((message.tick(), message.iter().collect::<Vec<_>>()), (300, inputs.to_vec()));
        message.encode(&mut bytes);
        assert_eq!(read(&bytes), Ok(message));

        // An older one first, a newer one later, one before the world began, none, too many.
        let ticks = Err(ProtocolError::Malformed("the ticks of inputs"));
        assert_eq!(read(&[9, 1, 1, 0, 0]), ticks);
        assert_eq!(read(&[9, 3, 0, 0, 0, 2, 0, 0, 1, 0, 0]), ticks);
        assert_eq!(read(&[1, 2, 0, 0, 0, 2, 0, 0]), ticks);
        for count in [0, 17] {
            let bytes = [&[9, count][..], &[0; 51]].concat();
            assert!(matches!(read(&bytes), Err(ProtocolError::TooMuch { .. })), "{count}");
        }
    }
}
