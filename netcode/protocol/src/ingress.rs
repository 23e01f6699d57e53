//! What a gateway's shard tells the host, gathered: one hand-over for all that came in at a time, instead of one for each call.

use std::sync::Arc;

use evertick_schema::{Identity, SessionId};

/// One thing that a gateway tells the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingress<'a> {
    /// A client has been let in.
    Open {
        /// Its session.
        session: SessionId,
        /// Who it is.
        identity: Identity,
        /// What it may do.
        roles: Arc<[String]>,
    },
    /// A client calls a reducer.
    Call {
        /// Its session.
        session: SessionId,
        /// The number that the client gave the call.
        seq: u32,
        /// The reducer's number in the description.
        reducer: u32,
        /// The arguments, as row bytes that nobody has checked.
        args: &'a [u8],
    },
    /// A client is gone.
    Close {
        /// Its session.
        session: SessionId,
    },
}

/// A batch of [`Ingress`], in order, with the arguments of all calls in one buffer: a call costs a copy of its bytes and no
/// allocation of its own. Whoever fills it bounds it, by [`len`](Self::len) and [`bytes`](Self::bytes).
#[derive(Clone, Debug, Default)]
pub struct IngressBatch {
    entries: Vec<Entry>,
    args: Vec<u8>,
    /// Where the reader is, in `entries` and `args`.
    read: (usize, usize),
}

#[derive(Clone, Debug)]
enum Entry {
    Open(Box<(SessionId, Identity, Arc<[String]>)>),
    Call { session: SessionId, seq: u32, reducer: u32, args_len: u32 },
    Close { session: SessionId },
}

impl IngressBatch {
    /// An empty batch with room for so many calls of small arguments.
    pub fn with_capacity(calls: usize) -> Self {
        Self { entries: Vec::with_capacity(calls), args: Vec::with_capacity(calls * 32), read: (0, 0) }
    }

    /// Entries that have not been read.
    pub fn len(&self) -> usize {
        self.entries.len() - self.read.0
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of arguments, read ones included.
    pub fn bytes(&self) -> usize {
        self.args.len()
    }

    /// Adds that a client has been let in.
    pub fn open(&mut self, session: SessionId, identity: Identity, roles: Arc<[String]>) {
        self.entries.push(Entry::Open(Box::new((session, identity, roles))));
    }

    /// Adds a call; `args` are at most 4 GiB, as any message's.
    pub fn call(&mut self, session: SessionId, seq: u32, reducer: u32, args: &[u8]) {
        self.args.extend_from_slice(args);
        self.entries.push(Entry::Call { session, seq, reducer, args_len: args.len() as u32 });
    }

    /// Adds that a client is gone.
    pub fn close(&mut self, session: SessionId) {
        self.entries.push(Entry::Close { session });
    }

    /// Reads the next entry; `None` at the end.
    pub fn take(&mut self) -> Option<Ingress<'_>> {
        let (entry, start) = self.read;
        let next = match self.entries.get(entry)? {
            Entry::Open(opened) => {
                let (session, identity, roles) = &**opened;
                Ingress::Open { session: *session, identity: *identity, roles: Arc::clone(roles) }
            }
            Entry::Call { session, seq, reducer, args_len } => {
                self.read.1 += *args_len as usize;
                let args = &self.args[start..self.read.1];
                Ingress::Call { session: *session, seq: *seq, reducer: *reducer, args }
            }
            Entry::Close { session } => Ingress::Close { session: *session },
        };
        self.read.0 += 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_as_they_went_in() {
        let mut batch = IngressBatch::with_capacity(1);
        let roles: Arc<[String]> = Arc::new(["Admin".to_owned()]);
        batch.open(SessionId(1), Identity([3; 32]), Arc::clone(&roles));
        batch.call(SessionId(1), 7, 2, b"one");
        batch.call(SessionId(2), 8, 0, b"");
        batch.call(SessionId(1), 9, 1, b"three");
        batch.close(SessionId(1));
        assert_eq!((batch.len(), batch.bytes()), (5, 8));

        let open = Ingress::Open { session: SessionId(1), identity: Identity([3; 32]), roles };
        assert_eq!(batch.take(), Some(open));
        let call = |session, seq, reducer, args| {
            Some(Ingress::Call { session: SessionId(session), seq, reducer, args })
        };
        assert_eq!(batch.take(), call(1, 7, 2, b"one"));
        assert_eq!(batch.take(), call(2, 8, 0, b""));
        assert_eq!((batch.len(), batch.is_empty()), (2, false));
        assert_eq!(batch.take(), call(1, 9, 1, b"three"));
        assert_eq!(batch.take(), Some(Ingress::Close { session: SessionId(1) }));
        assert_eq!(batch.take(), None);
        assert!(batch.is_empty());
    }
}
