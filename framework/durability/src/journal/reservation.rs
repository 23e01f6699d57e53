//! Numbers that are never given out twice, though most of what uses them is not logged.
//!
//! A commit that changes only transient rows leaves no record, yet clients see the ids of its entities. So the log
//! says ahead of time "numbers below these may be in use", far enough ahead that nobody ever waits for it, and a
//! recovery goes on from there. A clean end says exactly where to go on.

use crate::record::Numbers;

/// How far ahead numbers are reserved. Half of it is used before the next reservation.
const AHEAD: Numbers =
    Numbers { commit: 1 << 20, tick: 1 << 16, entities: 1 << 20, timers: 1 << 20, sessions: 1 << 16 };

/// What is reserved.
#[derive(Debug)]
pub(super) struct Reservation {
    /// On the disk.
    confirmed: Numbers,
    /// On its way there: the record's number, and what it says.
    pending: Option<(u64, Numbers)>,
}

impl Reservation {
    /// `confirmed` is what the disk says.
    pub(super) fn new(confirmed: Numbers) -> Self {
        Self { confirmed, pending: None }
    }

    /// The log is synced up to this record.
    pub(super) fn synced(&mut self, seq: u64) {
        if let Some((_, numbers)) = self.pending.take_if(|(at, _)| *at <= seq) {
            self.confirmed = numbers;
        }
    }

    /// What the log says, synced or not.
    pub(super) fn latest(&self) -> Numbers {
        self.pending.map_or(self.confirmed, |(_, numbers)| numbers)
    }

    /// What is to be reserved, now that `next` are the next ones.
    pub(super) fn due(&self, next: Numbers) -> Option<Numbers> {
        let reserved = self.latest();
        (!next.plus(AHEAD).within(reserved)).then(|| next.plus(AHEAD).plus(AHEAD).max(reserved))
    }

    /// Record `seq` says it.
    pub(super) fn logged(&mut self, seq: u64, numbers: Numbers) {
        self.pending = Some((seq, numbers));
    }

    /// The record that must be synced before anybody may see numbers below `next`.
    pub(super) fn awaited(&self, next: Numbers) -> Option<u64> {
        let (seq, _) = self.pending.filter(|_| !next.within(self.confirmed))?;
        Some(seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn entities(entities: u64) -> Numbers {
        Numbers { commit: 1, tick: 1, entities, timers: 1, sessions: 1 }
    }

    #[test]
    fn numbers_are_reserved_before_they_are_needed() {
        let mut reservation = Reservation::new(Numbers::default());
        let first = reservation.due(entities(1)).unwrap();
        reservation.logged(5, first);
        assert_eq!(reservation.awaited(entities(1)), Some(5), "nothing is on the disk yet");
        reservation.synced(4);
        assert_eq!(reservation.awaited(entities(1)), Some(5));
        reservation.synced(5);
        assert_eq!(reservation.awaited(entities(1)), None);

        // Half is used before anything happens, and nobody waits.
        let (quiet, busy) = (entities(AHEAD.entities), entities(AHEAD.entities + 2));
        assert_eq!(reservation.due(quiet), None);
        let second = reservation.due(busy).unwrap();
        reservation.logged(9, second);
        assert_eq!((reservation.awaited(busy), reservation.due(busy)), (None, None));

        // Who uses more than that at once waits.
        let jump = entities(first.entities + 1);
        assert_eq!(reservation.awaited(jump), Some(9));
        reservation.synced(9);
        assert_eq!(reservation.awaited(jump), None);
    }
}
