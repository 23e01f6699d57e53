//! What a session is to be sent of a frame's topics.
//!
//! A part that is due every second or fourth tick is due once in each stretch of so many ticks. Where the stretches begin differs from
//! topic to topic, so that a session's ticks are alike. How long ago a part was sent follows from the tick it was sent in: what is not
//! due costs nothing but the look.

use std::cmp::Reverse;

use bytes::Bytes;
use evertick_protocol::{Blocks, Frame, States};

use super::grade::{Grade, Placed};
use super::{Content, Details, Part, ShortTick, Topic, View, long_ago};

/// More than any age scores.
const FIRST: u32 = 1 << 20;
/// Parts of a topic: they are numbered by a byte.
const PARTS_MAX: usize = 256;

/// A state that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due<'f> {
    pub(crate) state: &'f [u8],
    /// For [`View::most_urgent_first`]. The higher, the more urgent: [`FIRST`] for that grade, and ticks since it was sent by the ticks between two times it should be, in quarters.
    score: u32,
    pub(super) topic: u32,
    part: u8,
    pub(crate) grade: Grade,
}

/// What is kept from one session to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch<'f> {
    /// What [`View::due`] has found.
    pub(crate) due: Vec<Due<'f>>,
    /// First the places of so many topics, which are due if the frame has states of them; behind those, anything.
    candidates: Vec<u32>,
    count: usize,
    placed: Vec<Placed>,
}

impl View {
    /// Looks through the topics that are not behind, and hands over what the frame has of them in order: of those that were entered with
    /// this frame the events alone, for [`followed`](evertick_protocol::Entered::followed) has the rest. Leaves what may be due to [`Self::due`].
    pub(crate) fn look<'f>(
        &mut self,
        frame: &'f Frame,
        scratch: &mut Scratch<'f>,
        mut tell: impl FnMut(Option<&'f Bytes>, &'f Blocks),
    ) {
        let Scratch { candidates, count, placed, .. } = scratch;
        self.refresh(frame, placed);
        if candidates.len() < self.topics.len() {
            candidates.resize(self.topics.len(), 0);
        }
        let (tick, phase) = (frame.tick as ShortTick, self.phase);
        *count = 0;
        for (index, topic) in self.topics.iter_mut().enumerate() {
            let live = topic.content != Content::Behind;
            // Half of all topics are due, and there is no telling which: no branch, which would be guessed wrong all the time.
            candidates[*count] = index as u32;
            // Of one that is cut, some part may be.
            let grade = topic.grade.unwrap_or(Grade::First);
            *count += usize::from(live & is_due(grade, topic.sent, tick, topic.offset(phase)));
            let fresh = topic.content == Content::Fresh;
            if fresh {
                topic.content = Content::Live;
            }
            if let Some(blocks) = frame.topics.blocks(topic.id)
                && live
            {
                tell(if fresh { None } else { blocks.ordered.as_ref() }, blocks);
            }
        }
    }

    /// Finds the states of `frame` that are due among the topics that [`Self::look`] has left, and returns how many bytes they are.
    pub(crate) fn due<'f>(&mut self, frame: &'f Frame, scratch: &mut Scratch<'f>) -> usize {
        let Scratch { due, candidates, count, .. } = scratch;
        due.clear();
        let (tick, phase) = (frame.tick as ShortTick, self.phase);
        let mut bytes = 0;
        for index in &candidates[..*count] {
            let topic = &mut self.topics[*index as usize];
            let Some(states) = frame.topics.states(topic.id) else { continue };
            if topic.is_whole_in(&states)
                && let (Some(grade), [state]) = (topic.grade, states.parts)
            {
                bytes += state.bytes();
                due.push(Due { state: frame.topics.state(state), score: 0, topic: *index, part: 0, grade });
                continue;
            }
            let details = &mut self.details[*index as usize];
            self.stale |= topic.prepare(details, &states, tick);
            for state in states.parts {
                let part = match topic.grade {
                    Some(grade) => Part { grade, sent: topic.sent },
                    None => details.parts[usize::from(state.part)],
                };
                let Part { grade, sent } = part;
                if is_due(grade, sent, tick, topic.offset(phase).wrapping_add(state.part.into())) {
                    bytes += state.bytes();
                    let (state, part) = (frame.topics.state(state), state.part);
                    due.push(Due { state, score: 0, topic: *index, part, grade });
                }
            }
        }
        bytes
    }

    /// A state that [`Self::due`] found has been sent with the frame of `tick`.
    #[inline]
    pub(crate) fn sent(&mut self, due: &Due<'_>, tick: u64) {
        let topic = &mut self.topics[due.topic as usize];
        let sent = match topic.grade {
            Some(_) => &mut topic.sent,
            None => &mut self.details[due.topic as usize].parts[usize::from(due.part)].sent,
        };
        *sent = tick as ShortTick;
    }

    /// Puts what is most urgent in the frame of `tick` first, as far as `budget` bytes of the `bytes` that all are go, with some to spare; the
    /// rest follows in any order.
    pub(crate) fn most_urgent_first(&self, due: &mut [Due<'_>], tick: u64, bytes: usize, budget: usize) {
        for due in &mut *due {
            let topic = &self.topics[due.topic as usize];
            let sent = match topic.grade {
                Some(_) => topic.sent,
                None => self.details[due.topic as usize].parts[usize::from(due.part)].sent,
            };
            due.score = score(due.grade, sent, tick as ShortTick);
        }
        let each = (bytes / due.len().max(1)).max(1);
        let wanted = (budget / each).saturating_mul(2).saturating_add(8);
        let key = |due: &Due<'_>| Reverse(due.score);
        if wanted < due.len() {
            due.select_nth_unstable_by_key(wanted, key);
        }
        let wanted = wanted.min(due.len());
        due[..wanted].sort_unstable_by_key(key);
    }
}

/// Whether a stretch of the grade's ticks has begun since `sent`. In a tick with several frames, what is due each tick is due with each.
#[inline]
fn is_due(grade: Grade, sent: ShortTick, tick: ShortTick, offset: ShortTick) -> bool {
    let shift = grade.shift();
    let stretch = |tick: ShortTick| tick.wrapping_add(offset) >> shift;
    (shift == 0) | (stretch(tick) != stretch(sent))
}

#[inline]
fn score(grade: Grade, sent: ShortTick, tick: ShortTick) -> u32 {
    let first = if grade == Grade::First { FIRST } else { 0 };
    first + ((u32::from(tick.wrapping_sub(sent)) * 4) >> grade.shift())
}

impl Topic {
    /// Whether it is not cut, and has one state.
    #[inline]
    pub(super) fn is_whole_in(&self, states: &States<'_>) -> bool {
        self.grade.is_some()
            && states.parts_per_side == 1
            && matches!(states.parts, [state] if state.part == 0)
    }

    /// By how much its stretches begin earlier.
    #[inline]
    const fn offset(&self, phase: ShortTick) -> ShortTick {
        phase.wrapping_add(self.id.0 as ShortTick)
    }

    /// Takes up how these states are cut, and makes room for their parts; returns whether the grades are out of date by that.
    pub(super) fn prepare(&mut self, details: &mut Details, states: &States<'_>, tick: ShortTick) -> bool {
        let last = states.parts.iter().map(|state| usize::from(state.part)).max().unwrap_or(0);
        let whole = states.parts_per_side == 1 && last == 0;
        if details.parts_per_side != states.parts_per_side {
            details.parts_per_side = states.parts_per_side;
            details.parts.clear();
            if whole {
                let was_cut = self.grade.is_none();
                if was_cut {
                    (self.sent, self.grade) = (long_ago(tick), Some(Grade::First));
                }
                return was_cut;
            }
        } else if whole && self.grade.is_some() {
            return false;
        }
        // Of a topic without a place the parts are numbered as they come, and may get fewer.
        self.grade = None;
        let new = last >= details.parts.len();
        if new {
            let part = Part { sent: long_ago(tick), grade: Grade::First };
            details.parts.resize((last + 1).min(PARTS_MAX), part);
        }
        new
    }
}
