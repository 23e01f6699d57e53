//! From Rust types to the numbers of the server's description.

use std::any::TypeId;
use std::sync::{PoisonError, RwLock};

use evertick_schema::{Call, ModuleDescription, ReducerKind, Row};
use hashbrown::HashMap;

use crate::error::{InputError, RowTypeError};

/// The server's module, with look-ups by name and by Rust type.
#[derive(Debug)]
pub(crate) struct ModuleTypes {
    pub(crate) module: ModuleDescription,
    rows: HashMap<String, u32>,
    reducers: HashMap<String, u32>,
    /// Row types that were asked for, so that each is compared with the description once.
    known: RwLock<HashMap<TypeId, Result<u32, RowTypeError>>>,
}

impl ModuleTypes {
    pub(crate) fn new(module: ModuleDescription) -> Self {
        let rows = (0..).zip(&module.rows).map(|(number, row)| (row.name.clone(), number)).collect();
        let reducers =
            (0..).zip(&module.reducers).map(|(number, reducer)| (reducer.name.clone(), number)).collect();
        Self { module, rows, reducers, known: RwLock::default() }
    }

    pub(crate) fn reducer(&self, name: &str) -> Option<u32> {
        self.reducers.get(name).copied()
    }

    /// The number of an input reducer.
    pub(crate) fn input<C: Call>(&self) -> Result<u32, InputError> {
        let is_input = |number: &u32| self.module.reducers[*number as usize].kind == ReducerKind::Input;
        self.reducer(C::NAME).filter(is_input).ok_or(InputError::Unknown(C::NAME))
    }

    /// The number of row type `T`, whose fields must be those of the server.
    pub(crate) fn row<T: Row>(&self) -> Result<u32, RowTypeError> {
        let id = TypeId::of::<T>();
        // Entries are written once and whole, so a poisoned lock protects nothing broken.
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return known.clone();
        }
        let number = self.compare::<T>();
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, number.clone());
        number
    }

    fn compare<T: Row>(&self) -> Result<u32, RowTypeError> {
        let number = *self.rows.get(T::NAME).ok_or(RowTypeError::Unknown(T::NAME))?;
        let (theirs, ours) = (&self.module.rows[number as usize].fields, T::def().fields);
        let same = theirs.len() == ours.len()
            && theirs
                .iter()
                .zip(&ours)
                .all(|(theirs, ours)| theirs.name == ours.name && theirs.ty == ours.ty);
        if same { Ok(number) } else { Err(RowTypeError::Differs(T::NAME)) }
    }
}

/// Reads a row that the replica has checked against the description, which [`ModuleTypes::row`] has compared with `T`.
pub(crate) fn decode<T: Row>(bytes: &[u8]) -> T {
    T::decode(bytes).expect("the replica holds only valid rows of the described type")
}
