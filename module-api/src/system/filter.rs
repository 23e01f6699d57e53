//! What a query asks of entities besides what it shows of them.

use std::marker::PhantomData;

use evertick_schema::{Access, TermDef};

use crate::assemble::Numbers;
use crate::rows::Component;

/// A query's filter: only entities that have a `T`.
#[derive(Debug)]
pub struct With<T>(PhantomData<fn() -> T>);

/// A query's filter: only entities that have no `T`.
#[derive(Debug)]
pub struct Without<T>(PhantomData<fn() -> T>);

/// A query's second parameter: [`With`], [`Without`], a tuple of them, or `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query's filter",
    label = "not a filter",
    note = "filters are `With<T>`, `Without<T>` and tuples of up to eight of them"
)]
pub trait QueryFilter {
    /// Appends the description's terms.
    #[doc(hidden)]
    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>);
}

impl<T: Component> QueryFilter for With<T> {
    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
        terms.push(TermDef { row: numbers.row::<T>(), access: Access::With });
    }
}

impl<T: Component> QueryFilter for Without<T> {
    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
        terms.push(TermDef { row: numbers.row::<T>(), access: Access::Without });
    }
}

macro_rules! tuple {
    ($($name:ident),*) => {
        impl<$($name: QueryFilter),*> QueryFilter for ($($name,)*) {
            #[allow(unused_variables, reason = "made for tuples of every length")]
            fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
                $($name::terms(numbers, terms);)*
            }
        }
    };
}

tuple!();
tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);
