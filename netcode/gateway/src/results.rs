//! What a client may not have got yet, should its connection be lost: the results of its calls, and which topics it has no more.

use std::collections::VecDeque;
use std::time::Duration;

use evertick_protocol::{CallOutcome, CallReply, FramePacker, TopicId};

/// Results that are kept until they are acknowledged, and their bytes. When there are more the oldest are forgotten, and a client
/// that has not got those can't resume.
const RESULTS_MAX: usize = 512;
const RESULTS_BYTES_MAX: usize = 256 * 1024;

/// Topics that were left are remembered for as long as a session is kept, and so much longer: whatever was sent earlier has arrived, or its
/// connection would have been found dead before.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Topics that are remembered; a session that leaves more in that time can't be resumed until that is so long ago.
const LEFT_MAX: usize = 4096;

/// A session's results, in the order in which they are sent. They are numbered from 1 by their place in it.
#[derive(Debug, Default)]
pub(crate) struct Results {
    kept: VecDeque<CallReply>,
    bytes: usize,
    /// The number of the result before the first that is kept.
    forgotten: u64,
    /// The number of the last one that was sent over the present connection, or was there before it.
    sent: u64,
    /// The number of the last one that was sent over any.
    ever_sent: u64,
}

impl Results {
    pub(crate) fn push(&mut self, reply: CallReply) {
        self.bytes += bytes_of(&reply);
        self.kept.push_back(reply);
    }

    /// The client has got so many.
    pub(crate) fn acknowledge(&mut self, count: u64) {
        // It can't have got what it was not sent.
        let count = count.min(self.sent);
        while self.forgotten < count {
            self.forget_oldest();
        }
    }

    /// Adds those that were not sent yet to a message.
    pub(crate) fn send(&mut self, packer: &mut FramePacker) {
        let from = self.sent.saturating_sub(self.forgotten) as usize;
        self.kept.iter().skip(from).for_each(|reply| packer.result(reply));
        self.sent = self.forgotten + self.kept.len() as u64;
        self.ever_sent = self.sent;
    }

    /// Forgets what is beyond the bounds.
    pub(crate) fn trim(&mut self) {
        while self.is_too_much() {
            self.forget_oldest();
        }
    }

    pub(crate) fn is_too_much(&self) -> bool {
        self.kept.len() > RESULTS_MAX || self.bytes > RESULTS_BYTES_MAX
    }

    /// The client comes back and has got so many; those behind are to be sent again. `false` when they are not all here.
    pub(crate) fn resume(&mut self, count: u64) -> bool {
        let known = (self.forgotten..=self.ever_sent).contains(&count);
        if known {
            self.sent = count;
            self.acknowledge(count);
        }
        known
    }

    fn forget_oldest(&mut self) {
        if let Some(reply) = self.kept.pop_front() {
            self.bytes -= bytes_of(&reply);
            self.forgotten += 1;
        }
    }
}

fn bytes_of(reply: &CallReply) -> usize {
    size_of::<CallReply>()
        + match &reply.result {
            CallOutcome::Ok(row) => row.len(),
            CallOutcome::Refused { message, fields, .. } => message.len() + fields.len(),
            CallOutcome::Failed { message, .. } => message.len(),
        }
}

/// The topics that a session has left of late: it may not have heard of it.
#[derive(Debug)]
pub(crate) struct Departed {
    /// How long topics are remembered, in seconds of the world's time.
    time_s: u32,
    /// With the world's second, ascending. A topic may be there twice, and may have been entered again.
    left: VecDeque<(u32, TopicId)>,
    /// When the last one was left that was forgotten and should not have been.
    forgotten_s: Option<u32>,
}

impl Departed {
    /// Nothing left yet, by a session that is kept for `resume_time` without a connection.
    pub(crate) fn new(resume_time: Duration) -> Self {
        let time_s = u32::try_from((resume_time + SILENCE_MAX).as_secs()).unwrap_or(u32::MAX);
        Self { time_s, left: VecDeque::new(), forgotten_s: None }
    }

    pub(crate) fn add(&mut self, topic: TopicId, time_us: i64) {
        let now_s = u32::try_from(time_us / 1_000_000).unwrap_or(0);
        let time_s = self.time_s;
        let is_old = |left_s: u32| now_s.saturating_sub(left_s) > time_s;
        while self.left.pop_front_if(|(left_s, _)| is_old(*left_s)).is_some() {}
        self.forgotten_s = self.forgotten_s.filter(|left_s| !is_old(*left_s));
        if self.left.len() >= LEFT_MAX {
            self.forgotten_s = self.left.pop_front().map(|(left_s, _)| left_s);
        }
        self.left.push_back((now_s, topic));
    }

    /// The topics, each once; `None` when some are not known any more. What is older than is remembered the client knows.
    pub(crate) fn topics(&self) -> Option<Vec<TopicId>> {
        let mut topics: Vec<_> = self.left.iter().map(|(_, topic)| *topic).collect();
        topics.sort_unstable();
        topics.dedup();
        self.forgotten_s.is_none().then_some(topics)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evertick_schema::Timestamp;

    use super::*;

    fn reply(seq: u32, len: usize) -> CallReply {
        CallReply { seq, result: CallOutcome::Ok(Bytes::from(vec![0; len])) }
    }

    /// What is sent, by its length in bytes of one.
    fn sent(results: &mut Results) -> usize {
        let mut packer = FramePacker::new(1, 1, Timestamp(0));
        results.send(&mut packer);
        packer.bytes() / 4
    }

    #[test]
    fn each_is_sent_once_until_the_client_comes_back() {
        let mut results = Results::default();
        (1..=5).for_each(|seq| results.push(reply(seq, 1)));
        assert_eq!([sent(&mut results), sent(&mut results)], [5, 0]);
        results.acknowledge(2);
        results.acknowledge(1);
        results.push(reply(6, 1));
        assert!(!results.resume(1), "two were acknowledged");
        assert!(!results.resume(6), "the sixth was not sent");
        assert!(results.resume(3));
        assert_eq!([sent(&mut results), sent(&mut results)], [3, 0]);
        assert!(results.resume(6));
        assert_eq!(sent(&mut results), 0);
        // What was not sent can't be acknowledged.
        results.push(reply(7, 1));
        results.acknowledge(u64::MAX);
        assert_eq!(sent(&mut results), 1);
    }

    #[test]
    fn what_is_beyond_the_bounds_can_not_be_resumed() {
        for (count, len) in [(RESULTS_MAX as u32 + 10, 0), (20, RESULTS_BYTES_MAX / 10)] {
            let mut results = Results::default();
            (1..=count).for_each(|seq| results.push(reply(seq, len)));
            sent(&mut results);
            assert!(results.is_too_much());
            results.trim();
            assert!(!results.is_too_much());
            assert!(!results.resume(0));
            assert!(results.resume(count.into()));
        }
        let mut results = Results::default();
        results.push(reply(1, RESULTS_BYTES_MAX));
        results.trim();
        assert!(!results.resume(0) && !results.resume(1), "it was never sent");
    }

    #[test]
    fn topics_are_remembered_for_as_long_as_a_session_can_come_back_and_not_too_many() {
        let mut departed = Departed::new(Duration::from_secs(30));
        let time_us = 90_000_000;
        departed.add(TopicId(3), 0);
        departed.add(TopicId(9), 1_000_000);
        departed.add(TopicId(4), time_us);
        assert_eq!(departed.topics(), Some(vec![TopicId(3), TopicId(4), TopicId(9)]));
        let later_us = time_us + 1_000_000;
        departed.add(TopicId(2), later_us);
        departed.add(TopicId(9), later_us);
        let expected: Vec<_> = [2, 4, 9].map(TopicId).into();
        assert_eq!(departed.topics(), Some(expected), "the third is forgotten, the ninth was left again");
        (0..LEFT_MAX as u32).for_each(|topic| departed.add(TopicId(topic), later_us));
        assert_eq!(departed.topics(), None);
        departed.add(TopicId(7), later_us + time_us);
        assert_eq!(departed.topics(), None);
        departed.add(TopicId(8), later_us + time_us + 1_000_000);
        assert_eq!(departed.topics(), Some(vec![TopicId(7), TopicId(8)]));
    }
}
