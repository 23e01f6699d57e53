//! What a gateway's shard tells the host, gathered: one hand-over for all that came in at a time, instead of one for each call.

use std::sync::Arc;

use evertick_schema::{Identity, SessionId};

use crate::frame::TopicId;

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
    /// What a player does at a tick.
    Input {
        /// Its session.
        session: SessionId,
        /// The input reducer's number in the description.
        reducer: u32,
        /// The tick it is for.
        tick: u64,
        /// The arguments, as row bytes that nobody has checked.
        args: &'a [u8],
    },
    /// A session's client does not have the content of topics that it sees; the next frame is to have their snapshots.
    Resync {
        /// Its session.
        session: SessionId,
        /// Which topics.
        topics: ResyncTopics<'a>,
    },
    /// A client asks for rows.
    Subscribe {
        /// Its session.
        session: SessionId,
        /// The number that the client gave the query.
        query: u32,
        /// The query, as nobody has checked it.
        text: &'a str,
    },
    /// A client does not want the rows of a query any more.
    Unsubscribe {
        /// Its session.
        session: SessionId,
        /// The number that the client gave the query.
        query: u32,
    },
}

/// Which topics of a session are to be sent anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncTopics<'a> {
    /// All that it sees, and its viewpoint.
    All,
    /// These, as far as it still sees them.
    Some(&'a [TopicId]),
}

/// A batch of [`Ingress`], in order, with the arguments and texts of all in one buffer: a call costs a copy of its bytes and
/// no allocation of its own. Whoever fills it bounds it, by [`len`](Self::len) and [`bytes`](Self::bytes).
#[derive(Clone, Debug, Default)]
pub struct IngressBatch {
    entries: Vec<Entry>,
    args: Vec<u8>,
    topics: Vec<TopicId>,
    read: Read,
}

/// Where the reader is.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    entries: usize,
    args: usize,
    topics: usize,
}

#[derive(Clone, Debug)]
enum Entry {
    Open(Box<(SessionId, Identity, Arc<[String]>)>),
    Call {
        session: SessionId,
        seq: u32,
        reducer: u32,
        args_len: u32,
    },
    Close {
        session: SessionId,
    },
    Input {
        session: SessionId,
        reducer: u32,
        tick: u64,
        args_len: u32,
    },
    /// `None`: all.
    Resync {
        session: SessionId,
        topics: Option<u32>,
    },
    Subscribe {
        session: SessionId,
        query: u32,
        text_len: u32,
    },
    Unsubscribe {
        session: SessionId,
        query: u32,
    },
}

impl IngressBatch {
    /// An empty batch with room for so many calls of small arguments.
    pub fn with_capacity(calls: usize) -> Self {
        Self { entries: Vec::with_capacity(calls), args: Vec::with_capacity(calls * 32), ..Self::default() }
    }

    /// Entries that have not been read.
    pub fn len(&self) -> usize {
        self.entries.len() - self.read.entries
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of arguments, texts and topics, read ones included.
    pub fn bytes(&self) -> usize {
        self.args.len() + size_of_val(&self.topics[..])
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

    /// Adds an input; `args` are at most 4 GiB, as any message's.
    pub fn input(&mut self, session: SessionId, reducer: u32, tick: u64, args: &[u8]) {
        self.args.extend_from_slice(args);
        self.entries.push(Entry::Input { session, reducer, tick, args_len: args.len() as u32 });
    }

    /// Adds that a session needs snapshots.
    pub fn resync(&mut self, session: SessionId, topics: ResyncTopics<'_>) {
        let topics = match topics {
            ResyncTopics::All => None,
            ResyncTopics::Some(topics) => {
                self.topics.extend_from_slice(topics);
                Some(topics.len() as u32)
            }
        };
        self.entries.push(Entry::Resync { session, topics });
    }

    /// Adds that a client asks for rows.
    pub fn subscribe(&mut self, session: SessionId, query: u32, text: &str) {
        self.args.extend_from_slice(text.as_bytes());
        self.entries.push(Entry::Subscribe { session, query, text_len: text.len() as u32 });
    }

    /// Adds that a client does not want the rows of a query any more.
    pub fn unsubscribe(&mut self, session: SessionId, query: u32) {
        self.entries.push(Entry::Unsubscribe { session, query });
    }

    /// Reads the next entry; `None` at the end.
    pub fn take(&mut self) -> Option<Ingress<'_>> {
        let entry = self.entries.get(self.read.entries)?;
        let start = self.read;
        let read = &mut self.read;
        read.entries += 1;
        let mut args = |len: u32| {
            read.args += len as usize;
            &self.args[start.args..read.args]
        };
        Some(match *entry {
            Entry::Open(ref opened) => {
                let (session, identity, roles) = &**opened;
                Ingress::Open { session: *session, identity: *identity, roles: Arc::clone(roles) }
            }
            Entry::Call { session, seq, reducer, args_len } => {
                Ingress::Call { session, seq, reducer, args: args(args_len) }
            }
            Entry::Close { session } => Ingress::Close { session },
            Entry::Input { session, reducer, tick, args_len } => {
                Ingress::Input { session, reducer, tick, args: args(args_len) }
            }
            Entry::Resync { session, topics } => {
                let topics = match topics {
                    None => ResyncTopics::All,
                    Some(count) => {
                        read.topics += count as usize;
                        ResyncTopics::Some(&self.topics[start.topics..read.topics])
                    }
                };
                Ingress::Resync { session, topics }
            }
            Entry::Subscribe { session, query, text_len } => {
                let text =
                    str::from_utf8(args(text_len)).expect("the bytes were a text when they were added");
                Ingress::Subscribe { session, query, text }
            }
            Entry::Unsubscribe { session, query } => Ingress::Unsubscribe { session, query },
        })
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
        batch.input(SessionId(2), 3, 99, b"left");
        batch.resync(SessionId(2), ResyncTopics::Some(&[TopicId(5), TopicId(6)]));
        batch.subscribe(SessionId(2), 1, "SELECT * FROM ore");
        batch.resync(SessionId(3), ResyncTopics::All);
        batch.resync(SessionId(3), ResyncTopics::Some(&[TopicId(7)]));
        batch.unsubscribe(SessionId(2), 1);
        assert_eq!((batch.len(), batch.bytes()), (11, 8 + 4 + 17 + 12));

        let open = Ingress::Open { session: SessionId(1), identity: Identity([3; 32]), roles };
        assert_eq!(batch.take(), Some(open));
        let call = |session, seq, reducer, args| {
            Some(Ingress::Call { session: SessionId(session), seq, reducer, args })
        };
        assert_eq!(batch.take(), call(1, 7, 2, b"one"));
        assert_eq!(batch.take(), call(2, 8, 0, b""));
        assert_eq!((batch.len(), batch.is_empty()), (8, false));
        assert_eq!(batch.take(), call(1, 9, 1, b"three"));
        assert_eq!(batch.take(), Some(Ingress::Close { session: SessionId(1) }));
        let session = SessionId(2);
        assert_eq!(batch.take(), Some(Ingress::Input { session, reducer: 3, tick: 99, args: b"left" }));
        let topics = ResyncTopics::Some(&[TopicId(5), TopicId(6)]);
        assert_eq!(batch.take(), Some(Ingress::Resync { session, topics }));
        assert_eq!(batch.take(), Some(Ingress::Subscribe { session, query: 1, text: "SELECT * FROM ore" }));
        for topics in [ResyncTopics::All, ResyncTopics::Some(&[TopicId(7)])] {
            assert_eq!(batch.take(), Some(Ingress::Resync { session: SessionId(3), topics }));
        }
        assert_eq!(batch.take(), Some(Ingress::Unsubscribe { session, query: 1 }));
        assert_eq!(batch.take(), None);
        assert!(batch.is_empty());
    }
}
