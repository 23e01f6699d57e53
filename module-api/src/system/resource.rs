//! Resources in systems.

use std::fmt;
use std::ops::{Deref, DerefMut};

use evertick_schema::ParamDef;

use crate::assemble::Numbers;
use crate::rows::{ModuleRow, Resource};
use crate::system::param::SystemParam;
use crate::system::view::View;

/// A resource, read. The system panics while nobody has set it; `Option<Res<T>>` is `None` then.
pub struct Res<'run, T> {
    row: &'run T,
}

/// A resource, written. The system panics while nobody has set it; `Option<ResMut<T>>` is `None` then.
pub struct ResMut<'run, T> {
    row: &'run mut T,
}

/// The resource's row for parameter number `param`.
fn row<T: ModuleRow>(view: &View<'_>, param: usize, writes: bool) -> Option<std::ptr::NonNull<T>> {
    let table = view.tables(param).iter().find(|table| table.rows > 0)?;
    Some(view.column(table, 0, writes))
}

#[cold]
fn unset(name: &str) -> ! {
    panic!(
        "the resource {name} is not set: set it with `ctx.set_resource` in the `init` reducer, or take an `Option`"
    );
}

impl<'run, T: Resource> SystemParam<'run> for Option<Res<'run, T>> {
    fn describe(numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::Res { row: numbers.row::<T>() }
    }

    fn from_view(view: &'run View<'_>, param: usize) -> Self {
        // SAFETY: the row is there for the run, and the module's check has found no parameter that writes it.
        row::<T>(view, param, false).map(|row| Res { row: unsafe { row.as_ref() } })
    }
}

impl<'run, T: Resource> SystemParam<'run> for Option<ResMut<'run, T>> {
    fn describe(numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::ResMut { row: numbers.row::<T>() }
    }

    fn from_view(view: &'run View<'_>, param: usize) -> Self {
        // SAFETY: the row is there for the run, and the module's check has found no other parameter that has it.
        row::<T>(view, param, true).map(|mut row| ResMut { row: unsafe { row.as_mut() } })
    }
}

impl<'run, T: Resource> SystemParam<'run> for Res<'run, T> {
    fn describe(numbers: &Numbers<'_>) -> ParamDef {
        <Option<Self> as SystemParam<'run>>::describe(numbers)
    }

    fn from_view(view: &'run View<'_>, param: usize) -> Self {
        Option::from_view(view, param).unwrap_or_else(|| unset(T::NAME))
    }
}

impl<'run, T: Resource> SystemParam<'run> for ResMut<'run, T> {
    fn describe(numbers: &Numbers<'_>) -> ParamDef {
        <Option<Self> as SystemParam<'run>>::describe(numbers)
    }

    fn from_view(view: &'run View<'_>, param: usize) -> Self {
        Option::from_view(view, param).unwrap_or_else(|| unset(T::NAME))
    }
}

impl<T> Deref for Res<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.row
    }
}

impl<T> Deref for ResMut<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.row
    }
}

impl<T> DerefMut for ResMut<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.row
    }
}

impl<T: fmt::Debug> fmt::Debug for Res<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for ResMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row.fmt(f)
    }
}
