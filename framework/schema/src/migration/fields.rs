//! Planning the fields of a row or struct.

use super::convert::{Fields, Source, Step};
use super::names;
use super::value::{Shown, Value};
use crate::types::FieldDef;

/// What a plan has found so far: lines of changes, and reasons why there can't be one.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) changes: Vec<String>,
    pub(super) problems: Vec<String>,
}

impl Notes {
    pub(super) fn change(&mut self, line: String) {
        self.changes.push(line);
    }

    pub(super) fn problem(&mut self, line: String) {
        self.problems.push(line);
    }
}

/// The old field of each new one, by position.
pub(super) fn sources(old: &[FieldDef], new: &[FieldDef]) -> Vec<Option<usize>> {
    names::sources(
        old.iter().map(|field| field.name.as_str()),
        new.iter().map(|field| (field.name.as_str(), field.was.as_deref())),
    )
}

/// Plans the way from fields `old` to fields `new`; `None` when something is impossible, which is noted.
pub(super) fn plan(place: &str, old: &[FieldDef], new: &[FieldDef], notes: &mut Notes) -> Option<Fields> {
    let sources = sources(old, new);
    let offsets = offsets(old);
    let mut possible = true;
    let mut steps = Vec::with_capacity(new.len());
    let mut to = 0;
    for (field, source) in new.iter().zip(&sources) {
        let place = format!("{place}.{}", field.name);
        let step = match (source, &field.default) {
            (Some(source), _) => {
                let before = &old[*source];
                if before.name != field.name {
                    notes.change(format!("~ {place}: was called {}", before.name));
                }
                let value = Value::plan(&place, &before.ty, &field.ty, notes);
                value.map(|value| Step { to, source: Source::Field(offsets[*source]), value })
            }
            (None, Some(default)) => {
                notes.change(format!("+ {place}: new, {} by default", shown(field, default)));
                let source = Source::Default(default.clone());
                Some(Step { to, source, value: Value::same(&field.ty) })
            }
            (None, None) => {
                notes.problem(format!(
                    "{place}: is new and has no default; add `#[default(..)]`, or `#[was(\"..\")]` when it had another name"
                ));
                None
            }
        };
        possible &= step.is_some();
        steps.extend(step);
        to += field.ty.size() as usize;
    }
    for (position, field) in old.iter().enumerate() {
        if !sources.contains(&Some(position)) {
            notes.change(format!("- {place}.{}: removed, its values are dropped", field.name));
        }
    }
    let kept: Vec<_> = sources.iter().flatten().collect();
    if !kept.is_sorted() {
        notes.change(format!("~ {place}: its fields stand in another order"));
    }
    let from = old.iter().fold(0, |sum, field| sum + field.ty.size() as usize);
    possible.then_some(Fields { from, to, steps })
}

/// Whether arguments stored for the old parameters are arguments of the new ones, byte for byte.
pub(super) fn same_arguments(old: &[FieldDef], new: &[FieldDef]) -> bool {
    let same = |(old, new): (&FieldDef, &FieldDef)| {
        let value = Value::plan("", &old.ty, &new.ty, &mut Notes::default());
        old.name == new.name && value.is_some_and(|value| value.is_same())
    };
    old.len() == new.len() && old.iter().zip(new).all(same)
}

/// Where each field lies, counted from the first.
fn offsets(fields: &[FieldDef]) -> Vec<usize> {
    let offsets = fields.iter().scan(0, |at, field| {
        let offset = *at;
        *at += field.ty.size() as usize;
        Some(offset)
    });
    offsets.collect()
}

/// A default as an author would write it, where that is short.
fn shown(field: &FieldDef, default: &[u8]) -> String {
    use crate::types::Type;
    let mut wide = [0; 8];
    let len = default.len().min(8);
    wide[..len].copy_from_slice(&default[..len]);
    let unsigned = u64::from_le_bytes(wide);
    match &field.ty {
        Type::Bool => (unsigned != 0).to_string(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => unsigned.to_string(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 if len > 0 => {
            let unused = 64 - 8 * len as u32;
            ((unsigned.cast_signed() << unused) >> unused).to_string()
        }
        Type::F32 => format!("{:?}", f32::from_bits(unsigned as u32)),
        Type::F64 => format!("{:?}", f64::from_bits(unsigned)),
        Type::Enum(of) => match of.variants.iter().find(|variant| u64::from(variant.value) == unsigned) {
            Some(variant) => variant.name.clone(),
            None => unsigned.to_string(),
        },
        Type::String => format!("{:?}", String::from_utf8_lossy(default.get(8..).unwrap_or_default())),
        Type::List(_) if unsigned == 0 => "empty".to_owned(),
        Type::Option(_) if unsigned == 0 => "none".to_owned(),
        other => format!("a {}", Shown(other)),
    }
}
