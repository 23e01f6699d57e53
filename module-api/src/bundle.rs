//! What an entity is spawned with.

use crate::rows::Component;

/// One component, or a tuple of up to twelve different ones.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be spawned",
    label = "not a component, and not a tuple of components",
    note = "a component is a struct with `#[component]`; tuples have up to twelve"
)]
pub trait Bundle {
    /// How many rows there are.
    #[doc(hidden)]
    const ROWS: u32;

    /// Hands each row to `sink`.
    #[doc(hidden)]
    fn each(&self, sink: &mut impl RowSink);
}

/// Takes the rows of a bundle, one by one.
pub trait RowSink {
    /// Takes one.
    fn row<T: Component>(&mut self, row: &T);
}

impl<T: Component> Bundle for T {
    const ROWS: u32 = 1;

    fn each(&self, sink: &mut impl RowSink) {
        sink.row(self);
    }
}

macro_rules! tuple {
    ($($name:ident),*) => {
        impl<$($name: Component),*> Bundle for ($($name,)*) {
            const ROWS: u32 = 0 $(+ $name::ROWS)*;

            #[allow(non_snake_case, unused_variables, reason = "made for tuples of every length")]
            fn each(&self, sink: &mut impl RowSink) {
                let ($($name,)*) = self;
                $(sink.row($name);)*
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
tuple!(A, B, C, D, E, F, G, H, I);
tuple!(A, B, C, D, E, F, G, H, I, J);
tuple!(A, B, C, D, E, F, G, H, I, J, K);
tuple!(A, B, C, D, E, F, G, H, I, J, K, L);
