//! What a condition is about: a field of a row, or the entity itself.

use evertick_schema::{EntityId, FieldDef, Type};
use evertick_world::{RowId, World};
use sqlparser::ast::Ident;

use crate::catalog::{CatalogRow, some_of};
use crate::error::{At, QueryError};
use crate::key::{KeyRef, Kind, number};
use crate::text::ident_at;

/// The left side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operand {
    /// The id of the row's entity.
    Entity,
    /// A value in a row.
    Field(FieldPath),
}

/// The way to a value: through the options on the way, then an offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FieldPath {
    pub(crate) row: RowId,
    /// The field of the row that the way starts with.
    pub(crate) field: u16,
    /// Offsets of the options on the way, each from where the last one led.
    options: Box<[u32]>,
    at: u32,
    kind: Kind,
    /// Whether the value is all of the field, so that an index on the field is one on the value.
    pub(crate) whole: bool,
}

impl Operand {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Entity => Kind::Unsigned { size: 8, max: u64::MAX },
            Self::Field(path) => path.kind,
        }
    }

    pub(crate) fn may_be_null(&self) -> bool {
        matches!(self, Self::Field(path) if !path.options.is_empty())
    }

    /// The entity's value; `None` where an option on the way is empty, or the row is not there.
    pub(crate) fn read<'w>(&self, world: &'w World, entity: EntityId) -> Option<KeyRef<'w>> {
        match self {
            Self::Entity => Some(KeyRef::Number(entity.0)),
            Self::Field(path) => path.read(world.get(path.row, entity)?),
        }
    }
}

impl FieldPath {
    fn read<'row>(&self, row: &'row [u8]) -> Option<KeyRef<'row>> {
        let mut base = 0;
        for option in &self.options {
            let at = base + *option as usize;
            if number(row, at + 4, 4) == 0 {
                return None;
            }
            base = number(row, at, 4) as usize;
        }
        Some(self.kind.read(row, base + self.at as usize))
    }
}

/// An operand and the type that its constants are of, with its name for errors.
pub(crate) struct Found {
    pub(crate) operand: Operand,
    pub(crate) ty: Type,
    pub(crate) name: String,
    pub(crate) at: At,
}

/// Finds what `path` names among the query's row types.
pub(crate) fn resolve(rows: &[&CatalogRow], path: &[Ident]) -> Result<Found, QueryError> {
    let text = |from: &[Ident]| from.iter().map(|ident| ident.value.as_str()).collect::<Vec<_>>().join(".");
    let (at, name) = (ident_at(&path[0]), text(path));
    let mut ways: Vec<(&CatalogRow, &[Ident])> = Vec::new();
    for row in rows {
        if row.def.fields.iter().any(|field| field.name == path[0].value) {
            ways.push((row, path));
        }
        for prefix in 1..path.len() {
            let named = text(&path[..prefix]);
            if named == row.short_name() || named == row.name {
                ways.push((row, &path[prefix..]));
            }
        }
    }
    match ways.as_slice() {
        [(row, rest)] => walk(row, rest, name, at),
        [] if name == "entity" => Ok(entity(name, at)),
        [] => {
            let row = rows.iter().map(|row| row.short_name()).collect::<Vec<_>>().join(" or ");
            let known =
                some_of(rows.iter().flat_map(|row| row.def.fields.iter().map(|field| field.name.as_str())));
            Err(QueryError::UnknownField { at, row, name, known })
        }
        several => {
            let full = several.iter().map(|(row, rest)| format!("{}.{}", row.name, text(rest)));
            let candidates = full.collect::<Vec<_>>().join(" or ");
            Err(QueryError::Ambiguous { at, name, candidates })
        }
    }
}

fn entity(name: String, at: At) -> Found {
    Found { operand: Operand::Entity, ty: Type::EntityId, name, at }
}

/// Follows names through structs, options and vectors of a row.
fn walk(row: &CatalogRow, names: &[Ident], name: String, at: At) -> Result<Found, QueryError> {
    let position =
        |fields: &[FieldDef], name: &Ident| fields.iter().position(|field| field.name == name.value);
    let Some(field) = position(&row.def.fields, &names[0]) else {
        if names[0].value == "entity" && names.len() == 1 {
            return Ok(entity(name, at));
        }
        return Err(unknown(row.short_name(), &row.def.fields, &names[0]));
    };
    let mut ty = &row.def.fields[field].ty;
    let mut options = Vec::new();
    let mut offset = row.layout.fields[field].offset;
    let mut lane = None;
    for next in &names[1..] {
        ty = through_options(ty, &mut options, &mut offset);
        match ty {
            Type::Struct(of) => {
                let Some(inner) = position(&of.fields, next) else {
                    return Err(unknown(&of.name, &of.fields, next));
                };
                offset += of.fields[..inner].iter().map(|field| field.ty.size()).sum::<u32>();
                ty = &of.fields[inner].ty;
            }
            vector if lane.is_none() => {
                let lane_of = vector.vector_lane(&next.value);
                let (number, of) = lane_of.ok_or_else(|| no_parts(vector, next, &name))?;
                offset += of.size() * u32::from(number);
                lane = Some(of);
            }
            _ => return Err(no_parts(ty, next, &name)),
        }
        if lane.is_some() && !std::ptr::eq(next, &names[names.len() - 1]) {
            return Err(no_parts(ty, next, &name));
        }
    }
    let ty = match lane {
        Some(lane) => lane,
        None => through_options(ty, &mut options, &mut offset).clone(),
    };
    let whole = names.len() == 1 && options.is_empty();
    // What is no single value can still be there or not.
    let kind = Kind::of(&ty).unwrap_or(Kind::Unsigned { size: 0, max: 0 });
    let path =
        FieldPath { row: row.id, field: field as u16, options: options.into(), at: offset, kind, whole };
    Ok(Found { operand: Operand::Field(path), ty, name, at })
}

fn through_options<'ty>(mut ty: &'ty Type, options: &mut Vec<u32>, offset: &mut u32) -> &'ty Type {
    while let Type::Option(of) = ty {
        options.push(std::mem::take(offset));
        ty = of;
    }
    ty
}

fn unknown(row: &str, fields: &[FieldDef], name: &Ident) -> QueryError {
    let known = some_of(fields.iter().map(|field| field.name.as_str()));
    QueryError::UnknownField { at: ident_at(name), row: row.into(), name: name.value.clone(), known }
}

fn no_parts(ty: &Type, part: &Ident, name: &str) -> QueryError {
    let known = match ty.vector() {
        Some((_, 2)) => "x and y",
        Some((_, 3)) => "x, y and z",
        Some((_, 4)) => "x, y, z and w",
        _ => "no parts",
    };
    let row = format!("{name}, up to there {},", type_name(ty));
    QueryError::UnknownField { at: ident_at(part), row, name: part.value.clone(), known: known.into() }
}

/// A type in words.
pub(crate) fn type_name(ty: &Type) -> String {
    match ty {
        Type::Enum(of) => format!("the enum {}", of.name),
        Type::Struct(of) => format!("the struct {}", of.name),
        Type::Array(of, count) => format!("an array of {count} {}", type_name(of)),
        Type::List(of) => format!("a list of {}", type_name(of)),
        Type::Option(of) => format!("an option of {}", type_name(of)),
        plain => format!("{plain:?}").to_lowercase(),
    }
}
