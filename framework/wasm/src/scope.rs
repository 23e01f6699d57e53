//! What host functions act on while the guest runs, and the one place where its lifetime is erased.
//!
//! wasmtime's store data must be `'static`, but a transaction and a system's view are borrowed from the
//! world for one call. So the store holds a pointer to them for exactly as long as that call:
//!
//! ```text
//! call(&mut tx) ─ enter(store, tx) ───────────────────────────────┐ tx is mutably borrowed here, not used
//!                   store.scope = Call(pointer)                   │
//!                   guest runs ─► host function ─► scope.tx(..)   │ one short &mut at a time
//!                   store.scope = Closed      (also on unwinding) │
//! call continues ◄────────────────────────────────────────────────┘
//! ```

use std::marker::PhantomData;
use std::ptr::NonNull;

use evertick_world::{RowId, SystemView, Tx};
use wasmtime::Store;

use crate::state::GuestState;

/// What host functions may use just now.
#[derive(Default)]
pub(crate) struct Scope(Inner);

#[derive(Default)]
enum Inner {
    /// Nothing: the guest starts, describes itself or allocates.
    #[default]
    Closed,
    Call {
        tx: NonNull<Tx<'static>>,
        rows: NonNull<[RowId]>,
        module: u16,
    },
    Run {
        view: NonNull<SystemView<'static>>,
    },
}

// SAFETY: the pointers are there only while `enter` is on the stack of the thread that made them: `enter`
// has the store mutably borrowed all that time, so the store cannot move to another thread meanwhile. A
// closed scope holds nothing.
unsafe impl Send for Scope {}

/// What a guest reads from: in a reducer all of the world, in a system what it declares.
pub(crate) enum Source<'a, 'w> {
    Call(&'a mut Tx<'w>, &'a [RowId]),
    Run(&'a mut SystemView<'w>),
}

/// What a module's numbers mean.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    /// Its row types.
    pub(crate) rows: &'a [RowId],
    /// The module's own position among the simulation's, which timers and detached calls name.
    pub(crate) module: u16,
}

/// What the guest is let in for.
pub(crate) struct Entry<'a> {
    inner: Inner,
    borrow: PhantomData<&'a mut ()>,
}

impl<'a> Entry<'a> {
    /// A reducer call on `tx`.
    pub(crate) fn call(tx: &'a mut Tx<'_>, numbers: Numbers<'a>) -> Self {
        let inner =
            Inner::Call { tx: NonNull::from(tx).cast(), rows: numbers.rows.into(), module: numbers.module };
        Self { inner, borrow: PhantomData }
    }

    /// A system's run on `view`.
    pub(crate) fn run(view: &'a mut SystemView<'_>) -> Self {
        Self { inner: Inner::Run { view: NonNull::from(view).cast() }, borrow: PhantomData }
    }
}

/// Runs `guest` with the scope open, and closes it whatever happens.
pub(crate) fn enter<R>(
    store: &mut Store<GuestState>,
    entry: Entry<'_>,
    guest: impl FnOnce(&mut Store<GuestState>) -> R,
) -> R {
    struct Close<'s>(&'s mut Store<GuestState>);
    impl Drop for Close<'_> {
        fn drop(&mut self) {
            self.0.data_mut().scope.0 = Inner::Closed;
        }
    }
    store.data_mut().scope.0 = entry.inner;
    let open = Close(store);
    guest(&mut *open.0)
}

impl Scope {
    /// Lets `with` have the transaction, and what the module's numbers mean. `None` outside of a reducer call.
    ///
    /// `with` must be valid for any lifetime, so it can keep neither, nor smuggle anything shorter-lived into
    /// the transaction.
    #[inline(always)]
    pub(crate) fn tx<R>(&mut self, with: impl FnOnce(&mut Tx<'_>, Numbers<'_>) -> R) -> Option<R> {
        match &mut self.0 {
            Inner::Call { tx, rows, module } => {
                // SAFETY: both pointers come from references that `enter`'s caller gave up for as long as the
                // scope is open. `self` is mutably borrowed, host functions do not call back into the guest,
                // and `with` cannot reach the store: so this is the only reference.
                let (tx, rows) = unsafe { (tx.as_mut(), rows.as_ref()) };
                Some(with(tx, Numbers { rows, module: *module }))
            }
            Inner::Closed | Inner::Run { .. } => None,
        }
    }

    /// Lets `with` read the world, in a call or a run. As [`Scope::tx`].
    #[inline(always)]
    pub(crate) fn source<R>(&mut self, with: impl FnOnce(Source<'_, '_>) -> R) -> Option<R> {
        match &mut self.0 {
            Inner::Call { .. } => self.tx(|tx, rows| with(Source::Call(tx, rows.rows))),
            Inner::Run { view } => {
                // SAFETY: as in `tx`.
                let view = unsafe { view.as_mut() };
                Some(with(Source::Run(view)))
            }
            Inner::Closed => None,
        }
    }

    /// Whether the guest runs a call or a system.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.0, Inner::Closed)
    }
}
