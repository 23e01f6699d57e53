//! What a session sees, and which states of it are due.
//!
//! A topic is *behind* when the session sees it and was not sent all of it. Nothing of it is sent then, until the host has been asked for
//! its snapshot and the snapshot has been sent: the nearest first, as the session's byte budget allows.
//!
//! Hot: runs for each session and frame. Which topics there are, and which are due in which ticks, are bits ([`plan`]); with thousands of
//! sessions nothing of it is in the near caches when its session's turn comes, so what counts is how few lines that are. Everything else
//! about topics stands apart, and is touched when topics come and go, when parts are graded ([`grade`]), by topics that say something in
//! order or are late, and by those that are cut to parts.

mod behind;
mod due;
mod grade;
mod plan;

use std::mem::offset_of;

use bytes::Bytes;
use evertick_protocol::{Entered, Square, TopicId, Viewpoint};
use evertick_schema::SessionId;

pub(crate) use due::{Due, DueBytes, Scratch};
use grade::Grade;
use plan::Plan;

/// A session's topics.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct View {
    /// By topic, ascending.
    topics: Vec<Topic>,
    /// Whether a topic may be behind.
    behind: bool,
    /// Whether a topic may be fresh.
    fresh: bool,
    /// Whether the parts' grades are out of date, and the plan with them.
    stale: bool,
    /// Whether the plan is, with what is behind.
    unplanned: bool,
    /// Of the sessions that come at once, not all look at distances in the same tick, nor send what is far in the same.
    phase: ShortTick,
    /// The tick that the grades are from.
    graded: u64,
    /// The tick whose frame was looked at last.
    looked: u64,
    /// When topics are due.
    plan: Plan,
    /// Where the same topics are, in the same order, if they have a place.
    squares: Vec<Option<Square>>,
    /// The rest about them.
    details: Vec<Details>,
    viewpoint: Option<Viewpoint>,
}

/// A topic that a session sees.
#[derive(Clone, Copy, Debug)]
struct Topic {
    id: TopicId,
    /// The tick since which its state is due, when it was not sent in that: [`ON_TIME`] else. Of no use when it has no grade.
    late: ShortTick,
    content: Content,
    /// `None` when its parts are graded and sent each for itself: see [`Details::parts`].
    grade: Option<Grade>,
}

/// A tick's lowest bits: enough to tell how long ago it was for close to an hour, and then only an age is mistaken.
type ShortTick = u16;

/// Of [`Topic::late`].
const ON_TIME: ShortTick = ShortTick::MAX;

/// What a client has of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Not all that was said so far.
    Behind,
    /// All that was said so far.
    Live,
    /// That, and what this frame says in order.
    Fresh,
}

/// The rest about a topic.
#[derive(Debug)]
struct Details {
    /// What its last snapshot and what followed took, in bytes.
    cost: u32,
    /// While it is behind: the lower half of the tick in which the host was asked for a snapshot.
    asked: Option<u32>,
    /// Whether that is sent whatever is left of the budget when it comes.
    promised: bool,
    /// Into how many parts each side was cut when it was last looked at; 0 when it was not.
    parts_per_side: u8,
    /// By number, as far as any has moved; none while the topic is not cut.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    /// The tick it was last sent in.
    sent: ShortTick,
    grade: Grade,
}

impl View {
    /// So much of it is what most frames need.
    pub(crate) const HOT_BYTES: usize = offset_of!(Self, squares);

    /// The view of the session of this number, without topics.
    pub(crate) fn new(session: SessionId) -> Self {
        Self { phase: session.0 as ShortTick, ..Self::default() }
    }

    /// Has the processor fetch what a frame needs beside this itself.
    pub(crate) fn prefetch(&self) {
        self.plan.prefetch();
    }

    /// A topic is seen no more.
    pub(crate) fn leave(&mut self, topic: TopicId) {
        if let Ok(at) = self.find(topic) {
            self.stale = true;
            self.topics.remove(at);
            self.squares.remove(at);
            self.details.remove(at);
        }
    }

    /// A topic is seen from the frame of `tick` on, or anew; `sent` says whether its content is sent too.
    pub(crate) fn enter(&mut self, entered: &Entered, sent: bool, tick: u64) {
        self.behind |= !sent;
        self.fresh |= sent;
        self.stale = true;
        let topic = Topic {
            id: entered.topic,
            late: late_since(tick as ShortTick),
            content: if sent { Content::Fresh } else { Content::Behind },
            grade: Some(Grade::First),
        };
        let details = Details {
            cost: cost(entered).min(1 << 30) as u32,
            asked: None,
            promised: false,
            parts_per_side: 0,
            parts: Vec::new(),
        };
        match self.find(entered.topic) {
            Ok(at) => {
                (self.topics[at], self.squares[at], self.details[at]) = (topic, entered.square, details);
            }
            Err(at) => {
                self.topics.insert(at, topic);
                self.squares.insert(at, entered.square);
                self.details.insert(at, details);
            }
        }
    }

    /// The session looks from somewhere else.
    pub(crate) const fn look_from(&mut self, viewpoint: Viewpoint) {
        self.viewpoint = Some(viewpoint);
        self.stale = true;
    }

    fn find(&self, topic: TopicId) -> Result<usize, usize> {
        self.topics.binary_search_by_key(&topic, |seen| seen.id)
    }

    /// Whether a session sees a topic.
    pub(crate) fn has(&self, topic: TopicId) -> bool {
        self.find(topic).is_ok()
    }
}

/// What [`Topic::late`] is when it is so since this tick.
const fn late_since(tick: ShortTick) -> ShortTick {
    // One of so many ticks is taken for the one before.
    if tick == ON_TIME { tick - 1 } else { tick }
}

/// When something was sent that never was: whatever its grade, it is due.
const fn long_ago(tick: ShortTick) -> ShortTick {
    tick.wrapping_sub(Grade::Quarter.interval())
}

/// What a topic's snapshot and what followed take.
pub(crate) fn cost(entered: &Entered) -> usize {
    entered.snapshot.wire().len() + entered.followed.iter().map(Bytes::len).sum::<usize>()
}

#[cfg(test)]
mod tests;
