//! All that a frame says to one session, in one message.

use crate::frame::{Entered, Frame, SessionFrame, TopicId};
use crate::packer::FramePacker;

/// The topics that a session sees, kept by its gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicList {
    /// Ascending.
    topics: Vec<TopicId>,
}

impl TopicList {
    /// The topics, ascending.
    pub fn as_slice(&self) -> &[TopicId] {
        &self.topics
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn remove(&mut self, topic: TopicId) {
        if let Ok(index) = self.topics.binary_search(&topic) {
            self.topics.remove(index);
        }
    }

    fn insert(&mut self, topic: TopicId) {
        if let Err(index) = self.topics.binary_search(&topic) {
            self.topics.insert(index, topic);
        }
    }
}

/// Appends the message that `frame` is to one session which is sent everything at once, states included, and updates the topics
/// that the session sees: for tests and tools. A gateway has a budget and packs what fits. `own` is what
/// `frame.sessions` has for the session. When there is nothing to say, appends nothing and returns `false`. An
/// [`own.close`](SessionFrame::close) is not part of it: send [`ServerMessage::Closed`](crate::ServerMessage::Closed) behind.
///
/// Cost: one look-up per topic of the session and a copy of the blocks it sees.
pub fn pack_frame(
    frame: &Frame,
    own: Option<&SessionFrame>,
    topics: &mut TopicList,
    out: &mut Vec<u8>,
) -> bool {
    let mut packer = FramePacker::new(frame.number, frame.tick, frame.time);
    let entered = own.map_or(&[][..], |own| &own.entered);
    if let Some(own) = own {
        for topic in &own.left {
            topics.remove(*topic);
            packer.left(*topic);
        }
        own.entered.iter().for_each(|entered| packer.entered(entered));
        own.results.iter().for_each(|reply| packer.result(reply));
        own.queries.iter().for_each(|reply| packer.query(reply));
    }
    for Entered { topic, .. } in entered {
        topics.remove(*topic); // `followed` has this frame's changes already
    }
    for block in topics.topics.iter().filter_map(|topic| frame.topics.blocks(*topic)) {
        block.ordered.iter().for_each(|block| packer.changed(block));
    }
    for Entered { topic, .. } in entered {
        topics.insert(*topic);
    }
    for topic in &topics.topics {
        let events = frame.topics.blocks(*topic).and_then(|blocks| blocks.events.as_ref());
        events.into_iter().for_each(|block| packer.changed(block));
    }
    let states: Vec<_> = topics.topics.iter().flat_map(|topic| frame.topics.states_of(*topic)).collect();
    let mut parts = Vec::new();
    packer.finish_with_states(&frame.topics, states.into_iter(), &mut parts);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    !parts.is_empty()
}
