//! What a query asks for, and how a table's columns give it.

use std::ptr::NonNull;

use evertick_schema::{Access, EntityId, TermDef};

use crate::assemble::Numbers;
use crate::rows::Component;
use crate::system::view::{RawTable, View};

/// What a query asks for: `&T`, `&mut T`, `Option<&T>`, `Option<&mut T>`, [`EntityId`], or a tuple of them.
///
/// # Safety
///
/// `item` and `columns` give what lies in row `row`, or in all rows, of the columns that `table` has found; `&mut` only
/// for terms that [`Access::writes`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be asked of a query",
    label = "not a query term",
    note = "terms are `&T`, `&mut T`, `Option<&T>`, `Option<&mut T>` of components, `EntityId`, and tuples of up to twelve of them"
)]
pub unsafe trait QueryData {
    /// What one entity gives.
    type Item<'q>
    where
        Self: 'q;

    /// What all entities of one table give: slices.
    type Columns<'q>
    where
        Self: 'q;

    /// Where a table's columns are.
    #[doc(hidden)]
    type Table: Copy;

    /// Appends the description's terms.
    #[doc(hidden)]
    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>);

    /// Finds the columns of `table`; `column` counts those that are used up.
    #[doc(hidden)]
    fn table(view: &View<'_>, table: &RawTable, column: &mut usize) -> Self::Table;

    /// What row `row` gives.
    ///
    /// # Safety
    ///
    /// The view that `table` comes from is there during `'q`, `row` is one of its rows, and nothing else refers to
    /// what a term writes.
    #[doc(hidden)]
    unsafe fn item<'q>(table: Self::Table, row: usize) -> Self::Item<'q>
    where
        Self: 'q;

    /// What all `rows` rows give.
    ///
    /// # Safety
    ///
    /// As for `item`, for all rows.
    #[doc(hidden)]
    unsafe fn columns<'q>(table: Self::Table, rows: usize) -> Self::Columns<'q>
    where
        Self: 'q;
}

/// What a query asks for without writing.
///
/// # Safety
///
/// No term of it [`Access::writes`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is written by this query, so it is iterated by `&mut`",
    label = "has a `&mut` term",
    note = "`for .. in &mut query`, `query.iter_mut()`, `query.get_mut(entity)`"
)]
pub unsafe trait ReadOnlyData: QueryData {}

/// Data whose references live for one run.
#[doc(hidden)]
pub trait OfRun<'run>: QueryData {}

fn term<T: Component>(numbers: &Numbers<'_>, access: Access) -> TermDef {
    TermDef { row: numbers.row::<T>(), access }
}

fn next(column: &mut usize) -> usize {
    let this = *column;
    *column += 1;
    this
}

// SAFETY: a shared reference to the row in the column of `T`.
unsafe impl<T: Component> QueryData for &T {
    type Item<'q>
        = &'q T
    where
        Self: 'q;
    type Columns<'q>
        = &'q [T]
    where
        Self: 'q;
    type Table = NonNull<T>;

    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
        terms.push(term::<T>(numbers, Access::Read));
    }

    fn table(view: &View<'_>, table: &RawTable, column: &mut usize) -> Self::Table {
        view.column(table, next(column), false)
    }

    #[inline]
    unsafe fn item<'q>(table: Self::Table, row: usize) -> &'q T
    where
        Self: 'q,
    {
        // SAFETY: the caller promises that the row is there and nobody writes it.
        unsafe { table.add(row).as_ref() }
    }

    unsafe fn columns<'q>(table: Self::Table, rows: usize) -> &'q [T]
    where
        Self: 'q,
    {
        // SAFETY: the caller promises that the rows are there and nobody writes them.
        unsafe { std::slice::from_raw_parts(table.as_ptr(), rows) }
    }
}

// SAFETY: it only reads.
unsafe impl<T: Component> ReadOnlyData for &T {}

impl<'run, T: Component> OfRun<'run> for &'run T {}

// SAFETY: an exclusive reference to the row in the column of `T`; the term writes.
unsafe impl<T: Component> QueryData for &mut T {
    type Item<'q>
        = &'q mut T
    where
        Self: 'q;
    type Columns<'q>
        = &'q mut [T]
    where
        Self: 'q;
    type Table = NonNull<T>;

    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
        terms.push(term::<T>(numbers, Access::Write));
    }

    fn table(view: &View<'_>, table: &RawTable, column: &mut usize) -> Self::Table {
        view.column(table, next(column), true)
    }

    #[inline]
    unsafe fn item<'q>(table: Self::Table, row: usize) -> &'q mut T
    where
        Self: 'q,
    {
        // SAFETY: the caller promises that the row is there and nobody else refers to it.
        unsafe { table.add(row).as_mut() }
    }

    unsafe fn columns<'q>(table: Self::Table, rows: usize) -> &'q mut [T]
    where
        Self: 'q,
    {
        // SAFETY: the caller promises that the rows are there and nobody else refers to them.
        unsafe { std::slice::from_raw_parts_mut(table.as_ptr(), rows) }
    }
}

impl<'run, T: Component> OfRun<'run> for &'run mut T {}

// SAFETY: a shared reference to the row in the column of `T`, where there is one.
unsafe impl<T: Component> QueryData for Option<&T> {
    type Item<'q>
        = Option<&'q T>
    where
        Self: 'q;
    type Columns<'q>
        = Option<&'q [T]>
    where
        Self: 'q;
    type Table = Option<NonNull<T>>;

    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
        terms.push(term::<T>(numbers, Access::OptionalRead));
    }

    fn table(view: &View<'_>, table: &RawTable, column: &mut usize) -> Self::Table {
        view.optional_column(table, next(column), false)
    }

    #[inline]
    unsafe fn item<'q>(table: Self::Table, row: usize) -> Option<&'q T>
    where
        Self: 'q,
    {
        // SAFETY: the caller's promise is the same.
        table.map(|table| unsafe { <&T>::item(table, row) })
    }

    unsafe fn columns<'q>(table: Self::Table, rows: usize) -> Option<&'q [T]>
    where
        Self: 'q,
    {
        // SAFETY: the caller's promise is the same.
        table.map(|table| unsafe { <&T>::columns(table, rows) })
    }
}

// SAFETY: it only reads.
unsafe impl<T: Component> ReadOnlyData for Option<&T> {}

impl<'run, T: Component> OfRun<'run> for Option<&'run T> {}

// SAFETY: an exclusive reference to the row in the column of `T`, where there is one; the term writes.
unsafe impl<T: Component> QueryData for Option<&mut T> {
    type Item<'q>
        = Option<&'q mut T>
    where
        Self: 'q;
    type Columns<'q>
        = Option<&'q mut [T]>
    where
        Self: 'q;
    type Table = Option<NonNull<T>>;

    fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
        terms.push(term::<T>(numbers, Access::OptionalWrite));
    }

    fn table(view: &View<'_>, table: &RawTable, column: &mut usize) -> Self::Table {
        view.optional_column(table, next(column), true)
    }

    #[inline]
    unsafe fn item<'q>(table: Self::Table, row: usize) -> Option<&'q mut T>
    where
        Self: 'q,
    {
        // SAFETY: the caller's promise is the same.
        table.map(|table| unsafe { <&mut T>::item(table, row) })
    }

    unsafe fn columns<'q>(table: Self::Table, rows: usize) -> Option<&'q mut [T]>
    where
        Self: 'q,
    {
        // SAFETY: the caller's promise is the same.
        table.map(|table| unsafe { <&mut T>::columns(table, rows) })
    }
}

impl<'run, T: Component> OfRun<'run> for Option<&'run mut T> {}

// SAFETY: the table's own list of entities, which nobody writes.
unsafe impl QueryData for EntityId {
    type Item<'q> = EntityId;
    type Columns<'q> = &'q [EntityId];
    type Table = *const EntityId;

    fn terms(_numbers: &Numbers<'_>, _terms: &mut Vec<TermDef>) {}

    fn table(_view: &View<'_>, table: &RawTable, _column: &mut usize) -> Self::Table {
        if table.rows == 0 {
            return NonNull::dangling().as_ptr();
        }
        assert!(
            !table.entities_ptr.is_null() && table.entities_ptr.is_aligned(),
            "the host's list of entities"
        );
        table.entities_ptr
    }

    #[inline]
    unsafe fn item<'q>(table: Self::Table, row: usize) -> EntityId
    where
        Self: 'q,
    {
        // SAFETY: the caller promises that the row is there.
        unsafe { *table.add(row) }
    }

    unsafe fn columns<'q>(table: Self::Table, rows: usize) -> &'q [EntityId]
    where
        Self: 'q,
    {
        // SAFETY: the caller promises that the rows are there.
        unsafe { std::slice::from_raw_parts(table, rows) }
    }
}

// SAFETY: it only reads.
unsafe impl ReadOnlyData for EntityId {}

impl OfRun<'_> for EntityId {}

macro_rules! tuple {
    ($($name:ident),+) => {
        // SAFETY: each term gives its own column. That no column is given twice, once to be written, is
        // checked when the module is assembled.
        #[allow(non_snake_case, reason = "made for tuples of every length")]
        unsafe impl<$($name: QueryData),+> QueryData for ($($name,)+) {
            type Item<'q> = ($($name::Item<'q>,)+) where Self: 'q;
            type Columns<'q> = ($($name::Columns<'q>,)+) where Self: 'q;
            type Table = ($($name::Table,)+);

            fn terms(numbers: &Numbers<'_>, terms: &mut Vec<TermDef>) {
                $($name::terms(numbers, terms);)+
            }

            fn table(view: &View<'_>, table: &RawTable, column: &mut usize) -> Self::Table {
                ($($name::table(view, table, column),)+)
            }

            #[inline]
            unsafe fn item<'q>(($($name,)+): Self::Table, row: usize) -> Self::Item<'q>
            where
                Self: 'q,
            {
                // SAFETY: the caller's promise is the same.
                unsafe { ($($name::item($name, row),)+) }
            }

            unsafe fn columns<'q>(($($name,)+): Self::Table, rows: usize) -> Self::Columns<'q>
            where
                Self: 'q,
            {
                // SAFETY: the caller's promise is the same.
                unsafe { ($($name::columns($name, rows),)+) }
            }
        }

        // SAFETY: none of the terms writes.
        unsafe impl<$($name: ReadOnlyData),+> ReadOnlyData for ($($name,)+) {}

        impl<'run, $($name: OfRun<'run>),+> OfRun<'run> for ($($name,)+) {}
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);
tuple!(A, B, C, D, E, F, G, H, I);
tuple!(A, B, C, D, E, F, G, H, I, J);
tuple!(A, B, C, D, E, F, G, H, I, J, K);
tuple!(A, B, C, D, E, F, G, H, I, J, K, L);
