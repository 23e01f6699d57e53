//! From places in a module's code to function, file and line.
//!
//! A trap that players can bring about must be cheap, or it is a way to stop the world: so the DWARF is parsed
//! once, when the first fault needs it, and a frame's text is kept.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use addr2line::Context;
use gimli::{Dwarf, EndianArcSlice, LittleEndian, SectionId};
use hashbrown::HashMap;

use crate::memory::Cut;

/// The most frames whose text is kept; past it, all are forgotten and found anew.
const FRAMES_KEPT_MAX: usize = 4096;

/// Kinds of sections of a module.
const CUSTOM: u8 = 0;
const CODE: u8 = 10;

/// Bytes in front of a module's first section.
const PREAMBLE_BYTES: usize = 8;

type Reader = EndianArcSlice<LittleEndian>;

/// A module's debug information.
pub(crate) struct Symbols {
    /// The `.debug_*` sections, by name.
    sections: HashMap<String, Arc<[u8]>>,
    /// Where the contents of the code section start: DWARF counts from there.
    code_offset: usize,
    parsed: Mutex<Parsed>,
}

#[derive(Default)]
struct Parsed {
    /// `Some(None)`: there is nothing to parse, or it can't be.
    context: Option<Option<Context<Reader>>>,
    frames: HashMap<usize, Box<str>>,
}

impl Symbols {
    /// Takes the debug information out of a module. Its cost is that of copying it.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        let mut symbols = Self { sections: HashMap::new(), code_offset: 0, parsed: Mutex::default() };
        let mut rest = Cut(wasm.get(PREAMBLE_BYTES..).unwrap_or_default());
        while let Some((kind, contents)) = section(&mut rest) {
            match kind {
                CODE => symbols.code_offset = wasm.len() - rest.0.len() - contents.len(),
                CUSTOM => {
                    let mut contents = Cut(contents);
                    let name = leb128(&mut contents).and_then(|len| contents.bytes(len));
                    if let Some(Ok(name)) = name.map(str::from_utf8)
                        && name.starts_with(".debug_")
                    {
                        symbols.sections.insert(name.to_owned(), contents.0.into());
                    }
                }
                _ => {}
            }
        }
        symbols
    }

    /// Appends the lines of the frame at `offset` of the module, in function `function`: one for the function,
    /// and before it one for each that is inlined there.
    pub(crate) fn frame(&self, offset: Option<usize>, function: Option<&str>, out: &mut String) {
        let name = function.unwrap_or("<unnamed>");
        let Some(offset) = offset else {
            out.push_str(name);
            out.push('\n');
            return;
        };
        // Whoever panicked while holding it has left it whole: it only grows.
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        let Parsed { context, frames } = &mut *parsed;
        if frames.len() == FRAMES_KEPT_MAX && !frames.contains_key(&offset) {
            frames.clear();
        }
        let text = frames.entry(offset).or_insert_with(|| {
            let context = context.get_or_insert_with(|| self.parse()).as_ref();
            let address =
                offset.checked_sub(self.code_offset).and_then(|address| u64::try_from(address).ok());
            let found =
                address.zip(context).and_then(|(address, context)| lines(context, address, name).ok());
            match found {
                Some(lines) if !lines.is_empty() => lines.into(),
                _ => format!("{name} at {offset:#x} of the module\n").into(),
            }
        });
        out.push_str(text);
    }

    fn parse(&self) -> Option<Context<Reader>> {
        if self.sections.is_empty() {
            return None;
        }
        let load = |id: SectionId| -> Result<Reader, gimli::Error> {
            let section = self.sections.get(id.name()).cloned().unwrap_or_default();
            Ok(EndianArcSlice::new(section, LittleEndian))
        };
        Context::from_dwarf(Dwarf::load(load).ok()?).ok()
    }
}

/// `function at file:line` for each function at `address`, innermost first.
fn lines(context: &Context<Reader>, address: u64, fallback: &str) -> Result<String, gimli::Error> {
    let mut text = String::new();
    let mut frames = context.find_frames(address).skip_all_loads()?;
    while let Some(frame) = frames.next()? {
        let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
        let name = name.as_deref().unwrap_or(fallback);
        // `{:#}` leaves out the hash that tells equal names of different crates apart.
        let _ = write!(text, "{:#}", rustc_demangle::demangle(name));
        if let Some(location) = frame.location
            && let (Some(file), Some(line)) = (location.file, location.line)
        {
            let _ = write!(text, " at {file}:{line}");
        }
        text.push('\n');
    }
    Ok(text)
}

/// The next section's kind and contents.
fn section<'m>(rest: &mut Cut<'m>) -> Option<(u8, &'m [u8])> {
    let kind = rest.u8()?;
    let len = leb128(rest)?;
    Some((kind, rest.bytes(len)?))
}

/// An unsigned LEB128 number of at most 32 bits.
fn leb128(rest: &mut Cut<'_>) -> Option<u32> {
    let mut number = 0u32;
    for shift in (0..35).step_by(7) {
        let byte = rest.u8()?;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_they_say() {
        assert_eq!(leb128(&mut Cut(&[0x7f])), Some(127));
        assert_eq!(leb128(&mut Cut(&[0xe5, 0x8e, 0x26])), Some(624_485));
        assert_eq!(leb128(&mut Cut(&[0xff, 0xff, 0xff, 0xff, 0x0f])), Some(u32::MAX));
        assert_eq!(leb128(&mut Cut(&[0x80, 0x80])), None);
        assert_eq!(leb128(&mut Cut(&[0x80; 9])), None);
    }

    #[test]
    fn a_module_without_debug_information_has_names_and_offsets() {
        for wasm in
            [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x01\0\0\0\x0a\xff\xff", b"\0asm\x01\0\0\0\0\x01\x7f"]
        {
            let symbols = Symbols::of(wasm);
            let mut text = String::new();
            symbols.frame(Some(0x20), Some("act"), &mut text);
            symbols.frame(None, None, &mut text);
            assert_eq!(text, "act at 0x20 of the module\n<unnamed>\n");
        }
    }

    #[test]
    fn broken_debug_information_is_like_none() {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        for name in [".debug_info", ".debug_abbrev", ".debug_line"] {
            let contents = [&[name.len() as u8], name.as_bytes(), &[0xff; 40]].concat();
            wasm.extend([0, contents.len() as u8]);
            wasm.extend(contents);
        }
        let mut text = String::new();
        Symbols::of(&wasm).frame(Some(0x20), Some("act"), &mut text);
        assert_eq!(text, "act at 0x20 of the module\n");
    }
}
