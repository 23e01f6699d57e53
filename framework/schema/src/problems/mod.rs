//! The check of a whole description.

mod lanes;
mod storage;

use std::collections::HashSet;
use std::fmt;

use crate::description::{
    IndexDef, IndexKind, ModuleDescription, ParamDef, ReducerDef, ReducerKind, RowDef, RowKind, SystemDef,
    Visibility,
};
use crate::layout::RowLayout;
use crate::types::{FieldDef, Type};
use crate::{ABI_VERSION, FIELDS_MAX, ROW_BYTES_MAX, TYPE_DEPTH_MAX};

/// The most row types, reducers or systems of one module.
const ITEMS_MAX: usize = 4096;

/// Something wrong with a description: where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `module`, `module.Row`, `module.Row.field`, `module.reducer()`, ...
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl ModuleDescription {
    /// Checks everything that a world relies on. All problems are listed, each with its place.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Problems { module: &self.name, found: Vec::new() };
        problems.module(self);
        for row in &self.rows {
            problems.row(row);
        }
        for reducer in &self.reducers {
            problems.reducer(reducer);
        }
        for system in &self.systems {
            problems.system(self, system);
        }
        problems.predictions(self);
        if problems.found.is_empty() { Ok(()) } else { Err(problems.found) }
    }
}

struct Problems<'a> {
    module: &'a str,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, place: impl fmt::Display, what: impl Into<String>) {
        let place = format!("{}{place}", self.module);
        self.found.push(Problem { place, what: what.into() });
    }

    fn module(&mut self, module: &ModuleDescription) {
        if module.abi != ABI_VERSION {
            self.add("", format!("is built for ABI {}, this server speaks {ABI_VERSION}: rebuild it with the matching evertick-module", module.abi));
        }
        if !is_name(&module.name) {
            self.add("", format!("the module's name {:?} is not an identifier", module.name));
        }
        self.names("row", module.rows.iter().map(|row| row.name.as_str()));
        self.row_names(module);
        self.names("reducer", module.reducers.iter().map(|reducer| reducer.name.as_str()));
        self.names("system", module.systems.iter().map(|system| system.name.as_str()));
        for kind in [ReducerKind::Init, ReducerKind::Connect, ReducerKind::Disconnect, ReducerKind::Upgrade] {
            if module.reducers.iter().filter(|reducer| reducer.kind == kind).count() > 1 {
                self.add(
                    "",
                    format!("there is more than one {kind:?} reducer; keep one and call the others from it"),
                );
            }
        }
    }

    fn names<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = HashSet::new();
        for (index, name) in names.enumerate() {
            if index == ITEMS_MAX {
                return self.add("", format!("more than {ITEMS_MAX} {what}s"));
            }
            if !name.split('.').all(is_name) || name.split('.').count() > 2 {
                self.add("", format!("the {what} name {name:?} is not an identifier"));
            }
            if !seen.insert(name) {
                self.add("", format!("two {what}s are called {name}"));
            }
        }
    }

    fn row(&mut self, row: &RowDef) {
        let place = format!(".{}", row.name);
        self.fields(&place, &row.fields);
        self.stored_fields(&place, &row.fields);
        self.storage(&place, row);
        let layout = RowLayout::of(&row.fields);
        if layout.size as usize > ROW_BYTES_MAX {
            return self.add(place, format!("a row takes {} bytes, more than {ROW_BYTES_MAX}", layout.size));
        }
        if layout.flat && !layout.is_repr_c() {
            self.add(&place, "the struct has padding: put the fields with the largest alignment first and fill up with an explicit field");
        }
        let mut indexed = HashSet::new();
        for index in &row.indexes {
            if !indexed.insert(index.field) {
                self.add(&place, format!("field {} has two indexes", index.field));
            }
            self.index(&place, row, index);
        }
        if let RowKind::Table { key } = row.kind
            && !row.indexes.iter().any(|index| index.field == key && index.unique)
        {
            self.add(&place, format!("the key, field {key}, has no unique index"));
        }
        if row.kind == RowKind::Event && !row.indexes.is_empty() {
            self.add(&place, "an event is not stored and can't be indexed");
        }
        self.spatial(&place, row);
        self.visibility(&place, row);
        self.lanes(&place, row);
    }

    fn fields(&mut self, place: &str, fields: &[FieldDef]) {
        if fields.len() > FIELDS_MAX {
            self.add(place, format!("{} fields, more than {FIELDS_MAX}", fields.len()));
        }
        let mut seen = HashSet::new();
        for field in fields {
            let place = format!("{place}.{}", field.name);
            if !is_name(&field.name) {
                self.add(&place, "the field's name is not an identifier");
            }
            if !seen.insert(&field.name) {
                self.add(&place, "two fields have this name");
            }
            if field.ty.depth() > TYPE_DEPTH_MAX {
                self.add(&place, format!("types are nested more than {TYPE_DEPTH_MAX} deep"));
                continue;
            }
            self.ty(&place, &field.ty);
            self.wire(&place, field);
        }
    }

    fn ty(&mut self, place: &str, ty: &Type) {
        match ty {
            Type::Enum(of) => {
                let values: HashSet<_> = of.variants.iter().map(|variant| variant.value).collect();
                let max = match of.size {
                    1 => u32::from(u8::MAX),
                    2 => u32::from(u16::MAX),
                    4 => u32::MAX,
                    size => {
                        return self.add(
                            place,
                            format!("enum {} has {size} bytes; 1, 2 or 4 are possible", of.name),
                        );
                    }
                };
                if values.len() != of.variants.len() || values.is_empty() {
                    self.add(place, format!("enum {} has no variants, or two of one value", of.name));
                }
                if values.iter().any(|value| *value > max) {
                    self.add(place, format!("enum {} has values that {} bytes can't hold", of.name, of.size));
                }
            }
            Type::Array(of, _) | Type::List(of) | Type::Option(of) => {
                if matches!(ty, Type::Array(..)) && !of.is_flat() {
                    self.add(place, "the elements of an array must have a fixed size; use a list");
                }
                if of.size() == 0 {
                    self.add(place, "elements of no size");
                }
                self.ty(place, of);
            }
            Type::Struct(of) => {
                if !of.fields.iter().all(|field| field.ty.is_flat()) {
                    self.add(place, format!("struct {} must have fields of fixed size only", of.name));
                }
                self.fields(place, &of.fields);
                self.stored_fields(place, &of.fields);
            }
            _ => {}
        }
    }

    fn wire(&mut self, place: &str, field: &FieldDef) {
        let Some(wire) = &field.wire else { return };
        if !matches!(field.ty, Type::F32 | Type::F64 | Type::Vec2 | Type::Vec3 | Type::Vec4 | Type::Quat) {
            self.add(place, "only float fields can be quantized");
        }
        if !(wire.step.is_finite() && wire.step > 0.0) {
            self.add(place, format!("the wire step {} is not above 0", wire.step));
        }
        if wire.bits.is_some_and(|bits| !(1..=32).contains(&bits)) {
            self.add(place, "wire bits must be 1 to 32");
        }
        if wire.wrap.is_some_and(|wrap| !(wrap.is_finite() && wrap > wire.step)) {
            self.add(place, "the wire period must be larger than the step");
        }
    }

    fn index(&mut self, place: &str, row: &RowDef, index: &IndexDef) {
        let Some(field) = row.fields.get(usize::from(index.field)) else {
            return self.add(place, format!("an index is on field {}, which is not there", index.field));
        };
        let place = format!("{place}.{}", field.name);
        let unsigned = matches!(field.ty, Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::EntityId);
        match index.kind {
            IndexKind::Dense if !unsigned => self.add(place, "a dense index needs an unsigned integer"),
            IndexKind::Ordered
                if field.ty.lanes().is_none_or(|(_, lanes)| lanes != 1)
                    && field.ty != Type::String
                    && field.ty != Type::Identity =>
            {
                self.add(place, "an ordered index needs a number, an id, a time or a string");
            }
            _ if !field.ty.is_flat() && field.ty != Type::String => {
                self.add(place, "lists and options can't be indexed");
            }
            _ => {}
        }
    }

    fn spatial(&mut self, place: &str, row: &RowDef) {
        let Some(spatial) = row.spatial else { return };
        if row.kind != RowKind::Component {
            self.add(place, "only a component can be spatial");
        }
        if !matches!(field_type(row, spatial.at), Some(Type::Vec2 | Type::Vec3)) {
            self.add(place, "a spatial component needs a Vec2 or Vec3 field that says where");
        }
        if spatial.space.is_some_and(|space| field_type(row, space) != Some(&Type::U32)) {
            self.add(place, "the field that names the space must be a u32");
        }
        if !RowLayout::of(&row.fields).flat {
            self.add(place, "a spatial component must be flat: put texts and lists into another component");
        }
    }

    fn visibility(&mut self, place: &str, row: &RowDef) {
        let event = row.kind == RowKind::Event;
        let component = row.kind == RowKind::Component;
        let ty = |field| field_type(row, field);
        let what = match row.visible {
            Visibility::Owner { field: Some(field) }
                if !(ty(field) == Some(&Type::Identity) || (event && ty(field) == Some(&Type::EntityId))) =>
            {
                "the owner's field must be an Identity"
            }
            Visibility::Owner { field: None } if !component => {
                "only a component has an owner of its own accord; name the field: visible = owner(field)"
            }
            Visibility::Group { field }
                if !matches!(
                    ty(field),
                    Some(Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::EntityId)
                ) =>
            {
                "the group's field must be an unsigned integer or an EntityId"
            }
            Visibility::Near
                if event
                    && !matches!(row.origin.and_then(ty), Some(Type::EntityId | Type::Vec2 | Type::Vec3)) =>
            {
                "an event for those nearby needs a field (EntityId, Vec2 or Vec3) that says where"
            }
            Visibility::Near if !event && !component => {
                "only components and events are anywhere near; tables and resources are not in space"
            }
            _ => return,
        };
        self.add(place, what);
    }

    fn reducer(&mut self, reducer: &ReducerDef) {
        let place = format!(".{}()", reducer.name);
        self.fields(&place, &reducer.params);
        self.unstored_fields(&place, &reducer.params);
        self.input(&place, reducer);
        if !matches!(reducer.kind, ReducerKind::Call | ReducerKind::Input) && !reducer.params.is_empty() {
            self.add(&place, format!("{:?} reducers take no arguments", reducer.kind));
        }
        if reducer.rate.is_some_and(|rate| rate.calls == 0 || rate.per_us <= 0) {
            self.add(&place, "the rate must be at least one call in some time");
        }
        if let Some(ty) = &reducer.returns {
            self.ty(&place, ty);
        }
        if reducer.refusals.len() > usize::from(u16::MAX) {
            self.add(&place, "more refusals than a u16 can number");
        }
        for refusal in &reducer.refusals {
            let place = format!("{place}.{}", refusal.name);
            self.fields(&place, &refusal.fields);
            self.unstored_fields(&place, &refusal.fields);
        }
    }

    fn system(&mut self, module: &ModuleDescription, system: &SystemDef) {
        let place = format!(".{}", system.name);
        if system.every_us.is_some_and(|every| every <= 0) {
            self.add(&place, "a system can't run every 0 seconds");
        }
        let kind = |row: u32| module.rows.get(row as usize).map(|row| row.kind);
        for param in &system.params {
            let fits = match param {
                ParamDef::Query { terms } => {
                    if terms.is_empty() {
                        self.add(&place, "a query names no component");
                    }
                    terms.iter().all(|term| {
                        matches!(kind(term.row), Some(RowKind::Component | RowKind::Table { .. }))
                    })
                }
                ParamDef::Table { row } => matches!(kind(*row), Some(RowKind::Table { .. })),
                ParamDef::Res { row } | ParamDef::ResMut { row } => kind(*row) == Some(RowKind::Resource),
                ParamDef::Near | ParamDef::Commands | ParamDef::Now | ParamDef::Rng => true,
            };
            if !fits {
                self.add(&place, format!("{param:?} names a row type that is not there or not of that kind"));
            }
        }
    }
}

fn field_type(row: &RowDef, field: u16) -> Option<&Type> {
    row.fields.get(usize::from(field)).map(|field| &field.ty)
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 64
        && chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
}
