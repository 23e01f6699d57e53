//! The newest answers to a session's queries, for a client that comes back: it may not have got them.

use evertick_protocol::{FramePacker, QueryReply};

/// Queries whose answers are kept; the oldest is forgotten when there are more. The host takes fewer queries of a session.
const QUERIES_MAX: usize = 64;

/// The newest answer to each query.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    newest: Vec<QueryReply>,
}

impl Answers {
    pub(crate) fn remember(&mut self, reply: &QueryReply) {
        self.forget(reply.query);
        if self.newest.len() >= QUERIES_MAX {
            self.newest.remove(0);
        }
        self.newest.push(reply.clone());
    }

    /// The number is used anew, or the query is over.
    pub(crate) fn forget(&mut self, query: u32) {
        self.newest.retain(|kept| kept.query != query);
    }

    /// Adds them all to a message.
    pub(crate) fn send(&self, packer: &mut FramePacker) {
        self.newest.iter().for_each(|reply| packer.query(reply));
    }
}

#[cfg(test)]
mod tests {
    use evertick_protocol::QueryOutcome;
    use evertick_schema::Timestamp;

    use super::*;

    #[test]
    fn the_newest_of_each_query_is_kept() {
        let mut answers = Answers::default();
        let reply = |query, plan: &str| QueryReply {
            query,
            outcome: QueryOutcome::Explained { plan: plan.to_owned() },
        };
        (0..100).for_each(|query| answers.remember(&reply(query, "old")));
        answers.remember(&reply(50, "new"));
        answers.forget(99);
        let kept: Vec<_> = answers.newest.iter().map(|reply| reply.query).collect();
        assert_eq!(kept, (36..99).filter(|query| *query != 50).chain([50]).collect::<Vec<_>>());
        let mut packer = FramePacker::new(1, 1, Timestamp(0));
        answers.send(&mut packer);
        assert!(!packer.is_empty());
    }
}
