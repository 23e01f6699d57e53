//! The row types of a world, by number and by name.

use evertick_schema::{FIELDS_MAX, FieldDef, RowDef, RowLayout};
use hashbrown::HashMap;
use thiserror::Error;

use crate::row::{RowId, RowType};

/// The most row types of one world.
pub const ROW_TYPES_MAX: usize = 4096;

/// Why row types can't be registered. Nothing of the call remains.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegisterError {
    /// The same name with another shape.
    #[error(
        "{name} is registered already with other fields, indexes, visibility or storage class; build all modules against the same version of it, or rename it"
    )]
    Differs {
        /// The qualified name.
        name: String,
    },
    /// A row type of another module that nobody registered.
    #[error("module {module} uses {name}, which no module before it has; load the module that owns it first")]
    Unknown {
        /// The module that uses it.
        module: String,
        /// The name it uses.
        name: String,
    },
    /// More fields than a field mask has bits.
    #[error(
        "{name} has {fields} fields, {FIELDS_MAX} is the most; move some of them to a row type of their own"
    )]
    Fields {
        /// The qualified name.
        name: String,
        /// How many there are.
        fields: usize,
    },
    /// An index, key or place on a field that does not exist or can't carry it.
    #[error(
        "{name} has {what} on field {field}, which is not there or of the wrong type; check the module's description first"
    )]
    Field {
        /// The qualified name.
        name: String,
        /// What is on the field.
        what: &'static str,
        /// The field's number.
        field: u16,
    },
    /// Too many row types.
    #[error("there would be more than {ROW_TYPES_MAX} row types; load fewer modules")]
    TooMany,
}

/// The row types.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    types: Vec<RowType>,
    by_name: HashMap<String, RowId>,
}

impl Registry {
    pub(crate) fn types(&self) -> &[RowType] {
        &self.types
    }

    pub(crate) fn get(&self, row: RowId) -> Option<&RowType> {
        self.types.get(row.index())
    }

    pub(crate) fn named(&self, name: &str) -> Option<RowId> {
        self.by_name.get(name).copied()
    }

    /// The numbers that `rows` of `module` have or will have, and the definitions of those that are new.
    pub(crate) fn plan(
        &self,
        module: &str,
        rows: &[RowDef],
    ) -> Result<(Vec<RowId>, Vec<RowType>), RegisterError> {
        let mut ids = Vec::with_capacity(rows.len());
        let mut fresh: Vec<RowType> = Vec::new();
        for def in rows {
            let foreign = def.name.contains('.');
            let name = if foreign { def.name.clone() } else { format!("{module}.{}", def.name) };
            let known = self.named(&name).map(|id| &self.types[id.index()]);
            let known = known.or_else(|| fresh.iter().find(|row| row.name == name));
            match known {
                Some(known) if same_but_for_name(&known.def, def) => ids.push(known.id),
                Some(_) => return Err(RegisterError::Differs { name }),
                None if foreign => {
                    return Err(RegisterError::Unknown { module: module.into(), name });
                }
                None => {
                    let index = self.types.len() + fresh.len();
                    if index >= ROW_TYPES_MAX {
                        return Err(RegisterError::TooMany);
                    }
                    let id = RowId(index as u16);
                    let layout = RowLayout::of(&def.fields);
                    if def.fields.len() > FIELDS_MAX {
                        return Err(RegisterError::Fields { name, fields: def.fields.len() });
                    }
                    ids.push(id);
                    fresh.push(RowType { id, name, def: def.clone(), layout });
                }
            }
        }
        Ok((ids, fresh))
    }

    /// Adds what [`Registry::plan`] found to be new.
    pub(crate) fn add(&mut self, row: RowType) {
        assert_eq!(row.id.index(), self.types.len(), "row types are added in the order they were planned in");
        self.by_name.insert(row.name.clone(), row.id);
        self.types.push(row);
    }
}

/// Former names, defaults and how changes travel are no part of it: they concern only the module that owns the row type.
fn same_but_for_name(known: &RowDef, def: &RowDef) -> bool {
    let RowDef {
        name: _,
        kind,
        fields,
        visible,
        spatial,
        origin,
        indexes,
        storage,
        was: _,
        latest: _,
        detail: _,
        on_demand: _,
    } = def;
    let same_field = |(a, b): (&FieldDef, &FieldDef)| a.name == b.name && a.ty == b.ty && a.wire == b.wire;
    known.kind == *kind
        && known.fields.len() == fields.len()
        && known.fields.iter().zip(fields).all(same_field)
        && known.storage == *storage
        && known.visible == *visible
        && known.spatial == *spatial
        && known.origin == *origin
        && known.indexes == *indexes
}
