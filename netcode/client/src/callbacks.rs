//! Functions that are called when rows change.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::streams::FrameChanges;

type Function = Box<dyn FnMut(&FrameChanges) + Send>;

/// Keeps a callback; when it is dropped, the callback is not called any more.
#[must_use = "the callback is called only as long as this lives"]
pub struct Subscription(Arc<()>);

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

struct Callback {
    wanted: Weak<()>,
    function: Function,
}

/// The callbacks of a client, in the order they were added.
#[derive(Default)]
pub(crate) struct Callbacks {
    callbacks: Mutex<Vec<Callback>>,
    /// So that frames cost nothing when nobody listens.
    any: AtomicBool,
}

impl Callbacks {
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, function: Function) -> Subscription {
        let subscription = Subscription(Arc::new(()));
        let callback = Callback { wanted: Arc::downgrade(&subscription.0), function };
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner).push(callback);
        self.any.store(true, Ordering::Relaxed);
        subscription
    }

    /// Calls them all. The list is not locked meanwhile, so callbacks may add callbacks; those start with the next frame.
    pub(crate) fn call(&self, frame: &FrameChanges) {
        let mut callbacks =
            std::mem::take(&mut *self.callbacks.lock().unwrap_or_else(PoisonError::into_inner));
        callbacks.retain_mut(|callback| {
            let wanted = callback.wanted.strong_count() > 0;
            if wanted {
                (callback.function)(frame);
            }
            wanted
        });
        let mut added = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        callbacks.append(&mut added);
        self.any.store(!callbacks.is_empty(), Ordering::Relaxed);
        *added = callbacks;
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").field("any", &self.any()).finish_non_exhaustive()
    }
}
