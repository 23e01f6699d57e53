//! The part of the check that concerns what is stored: classes, former names, defaults.

use std::collections::HashSet;

use super::{Problems, is_name};
use crate::description::{ModuleDescription, RowDef, RowKind, StorageClass};
use crate::migration::cycle;
use crate::types::FieldDef;
use crate::validate::check_fields;

impl Problems<'_> {
    /// Former names of the module's row types.
    pub(super) fn row_names(&mut self, module: &ModuleDescription) {
        self.former(
            "",
            "row type",
            module.rows.iter().map(|row| (row.name.as_str(), row.was.as_deref())).collect(),
        );
    }

    /// A row type's class, its former name and those of its fields.
    pub(super) fn storage(&mut self, place: &str, row: &RowDef) {
        let event = row.kind == RowKind::Event;
        match row.storage {
            StorageClass::Checkpoint { every_us } if every_us <= 0 => {
                self.add(place, "a checkpoint can't be written every 0 seconds");
            }
            StorageClass::Checkpoint { .. } | StorageClass::Transient if event => {
                self.add(place, "an event is not stored and has no storage class");
            }
            _ => {}
        }
        if row.was.is_some() && (event || row.name.contains('.')) {
            self.add(place, "a former name is for stored row types, in the module that owns them");
        }
    }

    /// Former names and defaults of the fields of a row or struct.
    pub(super) fn stored_fields(&mut self, place: &str, fields: &[FieldDef]) {
        let names = fields.iter().map(|field| (field.name.as_str(), field.was.as_deref()));
        self.former(place, "field", names.collect());
        for field in fields {
            if let Some(default) = &field.default
                && let Err(error) = check_fields(std::slice::from_ref(field), default)
            {
                self.add(
                    format!("{place}.{}", field.name),
                    format!("the default is not a value of the field's type: {error}"),
                );
            }
        }
    }

    /// Arguments and refusals are not stored in rows.
    pub(super) fn unstored_fields(&mut self, place: &str, fields: &[FieldDef]) {
        for field in fields.iter().filter(|field| field.was.is_some() || field.default.is_some()) {
            self.add(
                format!("{place}.{}", field.name),
                "former names and defaults are for fields of rows, not for arguments and refusals",
            );
        }
    }

    fn former(&mut self, place: &str, what: &str, names: Vec<(&str, Option<&str>)>) {
        let mut seen = HashSet::new();
        for (name, was) in &names {
            let Some(was) = was else { continue };
            if !is_name(was) {
                self.add(
                    format!("{place}.{name}"),
                    format!(
                        "the former name {was:?} is not an identifier; a row type's is without its module"
                    ),
                );
            }
            if !seen.insert(was) {
                self.add(format!("{place}.{name}"), format!("two {what}s were called {was}"));
            }
        }
        if let Some(name) = cycle(&names) {
            self.add(
                format!("{place}.{name}"),
                "its former names lead back to itself; to swap names, rename one to a third name first",
            );
        }
    }
}
