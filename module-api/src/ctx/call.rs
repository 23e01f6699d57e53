//! Calls for later, and what the caller's session sees.

use evertick_schema::Duration;

use crate::ctx::{Ctx, TimerId, later};
use crate::rows::ModuleCall;
use crate::space::Focus;
use crate::sys;

impl Ctx {
    /// Schedules a call for `delay` from now, by the server itself: `ctx.after(30.seconds(), respawn::call(node))`.
    /// It is part of the world, and ends with it. If this call is refused, it is not scheduled.
    pub fn after<C: ModuleCall>(&mut self, delay: Duration, call: C) -> TimerId {
        let number = sys::reducer_number::<C>();
        let at = later(self.now(), delay);
        TimerId(sys::with_scratch(|out| call.encode(out), |args| sys::after(at, number, args)))
    }

    /// Takes a scheduled call back. `false` when it has run or was taken back already.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        sys::cancel(timer.0)
    }

    /// Queues a call that runs after this one, as a transaction of its own with the same caller. It runs even when
    /// this call is refused: for what must be kept of a refusal, such as a count of failed attempts.
    pub fn detached<C: ModuleCall>(&mut self, call: C) {
        let number = sys::reducer_number::<C>();
        sys::with_scratch(|out| call.encode(out), |args| sys::detached(number, args));
    }

    /// Sets what the caller's session looks at. Nothing happens when no session called.
    pub fn focus(&mut self, focus: Focus) {
        sys::focus(focus);
    }

    /// Lets the caller's session see rows and events of this group. Nothing happens when no session called.
    pub fn join(&mut self, group: u64) {
        sys::join(group, true);
    }

    /// Ends what [`Ctx::join`] began.
    pub fn leave(&mut self, group: u64) {
        sys::join(group, false);
    }
}
