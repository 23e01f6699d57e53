//! Calls for later.

use std::collections::BTreeMap;
use std::ops::Bound;

use evertick_schema::Timestamp;
use hashbrown::HashMap;

use crate::cause::TimedCall;

/// Names a timer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

/// A timer whose time has come. It is no longer stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTimer {
    /// Its name.
    pub id: TimerId,
    /// When it was to run.
    pub at: Timestamp,
    /// What it calls, as the server.
    pub call: TimedCall,
}

/// A change of the stored timers, in the order they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimerOp {
    /// A timer was set.
    Set(DueTimer),
    /// A timer ran or was cancelled.
    Gone(TimerId),
}

/// The stored timers, their changes since the last commit, and what undoes the present transaction's.
#[derive(Debug)]
pub(crate) struct Timers {
    next: u64,
    /// The first id since the last commit.
    first: u64,
    /// By time, then id: the order they run in.
    waiting: BTreeMap<(Timestamp, TimerId), TimedCall>,
    times: HashMap<TimerId, Timestamp>,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Set(TimerId),
    /// With what it was, where that can still be undone.
    Gone(TimerId, Option<DueTimer>),
}

impl Default for Timers {
    fn default() -> Self {
        Self { next: 1, first: 1, waiting: BTreeMap::new(), times: HashMap::new(), changes: vec![] }
    }
}

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn set(&mut self, at: Timestamp, call: TimedCall) -> TimerId {
        let id = TimerId(self.next);
        self.next += 1;
        self.put(DueTimer { id, at, call });
        self.changes.push(Change::Set(id));
        id
    }

    pub(crate) fn cancel(&mut self, id: TimerId) -> bool {
        let Some(timer) = self.take(id) else { return false };
        self.changes.push(Change::Gone(id, Some(timer)));
        true
    }

    /// Takes up to `max` timers whose time is `now` or before, in their order.
    pub(crate) fn due(&mut self, now: Timestamp, max: usize) -> Vec<DueTimer> {
        let mut due = Vec::new();
        while due.len() < max
            && let Some(first) = self.waiting.first_entry()
            && first.key().0 <= now
        {
            let ((at, id), call) = first.remove_entry();
            self.times.remove(&id);
            self.changes.push(Change::Gone(id, None));
            due.push(DueTimer { id, at, call });
        }
        due
    }

    /// The timers behind `last` in the order they will run, or all.
    pub(crate) fn after(
        &self,
        last: Option<(Timestamp, TimerId)>,
    ) -> impl Iterator<Item = (TimerId, Timestamp, &TimedCall)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.waiting.range((from, Bound::Unbounded)).map(|((at, id), call)| (*id, *at, call))
    }

    /// The timers in the order they will run.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TimerId, Timestamp, &TimedCall)> {
        self.waiting.iter().map(|((at, id), call)| (*id, *at, call))
    }

    /// How many changes there have been: what [`Timers::undo_to`] goes back to.
    pub(crate) fn mark(&self) -> usize {
        self.changes.len()
    }

    /// The timers that were set or taken behind `mark`, with what they are now, if they wait.
    pub(crate) fn changed_since(
        &self,
        mark: usize,
    ) -> impl Iterator<Item = (TimerId, Option<(Timestamp, &TimedCall)>)> {
        self.changes[mark..].iter().map(|change| {
            let (Change::Set(id) | Change::Gone(id, _)) = change;
            let waiting = self.times.get(id).and_then(|at| Some((*at, self.waiting.get(&(*at, *id))?)));
            (*id, waiting)
        })
    }

    pub(crate) fn undo_to(&mut self, mark: usize) {
        while self.changes.len() > mark {
            match self.changes.pop() {
                Some(Change::Set(id)) => drop(self.take(id)),
                Some(Change::Gone(_, Some(timer))) => self.put(timer),
                Some(Change::Gone(_, None)) | None => {}
            }
        }
    }

    /// Hands the changes since the last time to `out`, without timers that came and went.
    pub(crate) fn commit(&mut self, out: &mut Vec<TimerOp>) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Set(id) => {
                    if let Some(at) = self.times.get(&id)
                        && let Some(call) = self.waiting.get(&(*at, id))
                    {
                        out.push(TimerOp::Set(DueTimer { id, at: *at, call: call.clone() }));
                    }
                }
                Change::Gone(id, _) if id.0 < self.first => out.push(TimerOp::Gone(id)),
                Change::Gone(..) => {}
            }
        }
        self.first = self.next;
    }

    /// The number of the next timer.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Numbers below `next` may have been used before, and are not given out again.
    pub(crate) fn expect(&mut self, next: u64) {
        self.next = self.next.max(next);
        self.first = self.next;
    }

    /// Applies a change of the original.
    pub(crate) fn apply(&mut self, op: &TimerOp) {
        match op {
            TimerOp::Set(timer) => {
                self.expect(timer.id.0.saturating_add(1));
                // A snapshot may have it already.
                self.take(timer.id);
                self.put(timer.clone());
            }
            TimerOp::Gone(id) => drop(self.take(*id)),
        }
    }

    fn put(&mut self, DueTimer { id, at, call }: DueTimer) {
        self.times.insert(id, at);
        self.waiting.insert((at, id), call);
    }

    fn take(&mut self, id: TimerId) -> Option<DueTimer> {
        let at = self.times.remove(&id)?;
        let call = self.waiting.remove(&(at, id))?;
        Some(DueTimer { id, at, call })
    }
}
