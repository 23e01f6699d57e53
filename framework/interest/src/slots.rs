//! Small numbers that are handed out, freed, and rest before they are handed out again.

use std::collections::VecDeque;

use evertick_schema::{Duration, Timestamp};

/// Hands out the number that has rested longest, or the smallest fresh one.
///
/// A number that was just freed may still be named by a block on its way to a client. The rest keeps such a
/// block from meaning something else.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    next: u32,
    resting: VecDeque<(Timestamp, u32)>,
}

impl Slots {
    /// A number below `limit`; `None` while all of them are taken or rest.
    pub(crate) fn allocate(&mut self, now: Timestamp, rest: Duration, limit: u32) -> Option<u32> {
        if let Some(&(freed, slot)) = self.resting.front()
            && now - freed >= rest
        {
            self.resting.pop_front();
            return Some(slot);
        }
        let fresh = (self.next < limit).then_some(self.next);
        self.next += u32::from(fresh.is_some());
        fresh
    }

    pub(crate) fn free(&mut self, slot: u32, now: Timestamp) {
        self.resting.push_back((now, slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_rests_before_it_is_reused() {
        let rest = Duration::from_secs(2);
        let mut slots = Slots::default();
        let at = |ms: i64| Timestamp(ms * 1_000);
        let allocate = |slots: &mut Slots, ms| slots.allocate(at(ms), rest, 3);
        assert_eq!((allocate(&mut slots, 0), allocate(&mut slots, 0)), (Some(0), Some(1)));
        slots.free(0, at(100));
        assert_eq!(allocate(&mut slots, 2_099), Some(2));
        assert_eq!(allocate(&mut slots, 2_099), None);
        assert_eq!(allocate(&mut slots, 2_100), Some(0));
        assert_eq!(allocate(&mut slots, 9_000), None);
    }
}
