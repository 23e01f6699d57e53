//! The sessions of a shard.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

use evertick_schema::SessionId;

use crate::session::Session;

/// A session's place in the order, and where it is.
pub(crate) type Entry = (SessionId, Rc<RefCell<Session>>);

/// Sessions in the order in which they were opened, so that handing out a frame goes through memory much as it was allotted. A frame
/// reads all entries, one behind the other; that one goes costs a move of those behind it.
#[derive(Default)]
pub(crate) struct Roster {
    /// Ascending.
    entries: Vec<Entry>,
}

impl Roster {
    fn find(&self, id: SessionId) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&id, |entry| entry.0)
    }

    pub(crate) fn insert(&mut self, id: SessionId, session: Rc<RefCell<Session>>) {
        match self.find(id) {
            Ok(at) => self.entries[at].1 = session,
            Err(at) => self.entries.insert(at, (id, session)),
        }
    }

    pub(crate) fn remove(&mut self, id: SessionId) {
        if let Ok(at) = self.find(id) {
            self.entries.remove(at);
        }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Rc<RefCell<Session>>> {
        Some(&self.entries[self.find(id).ok()?].1)
    }

    /// All sessions.
    pub(crate) fn all(&self) -> &[Entry] {
        &self.entries
    }

    /// The first of these sessions, so many at most.
    pub(crate) fn first_of(&self, ids: &RangeInclusive<SessionId>, count: usize) -> &[Entry] {
        let start = self.find(*ids.start()).unwrap_or_else(|at| at);
        let some = &self.entries[start..];
        let some = &some[..count.min(some.len())];
        &some[..some.partition_point(|entry| entry.0 <= *ids.end())]
    }
}
