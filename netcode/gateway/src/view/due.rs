//! What a session is to be sent of a frame's topics.
//!
//! A part that is due every second or fourth tick is due once in each stretch of so many ticks. Where the stretches begin differs from
//! topic to topic, so that a session's ticks are alike. How long ago a part was sent follows from the tick it was sent in: what is not
//! due costs nothing but the look.

use std::cmp::Reverse;

use bytes::Bytes;
use evertick_protocol::{Blocks, Frame, State, StatePart, States};

use super::grade::{Grade, Placed};
use super::{Content, Details, Part, ShortTick, Topic, View, long_ago};

/// More than any age scores.
const FIRST: u32 = 1 << 20;
/// Parts of a topic: they are numbered by a byte.
const PARTS_MAX: usize = 256;

/// A state that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) state: State,
    pub(super) topic: u32,
    part: u8,
    pub(crate) grade: Grade,
}

/// What is kept from one session to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// What [`View::look`] has found.
    pub(crate) due: Vec<Due>,
    /// The places of topics that are due if the frame has states of them; behind those, anything.
    candidates: Vec<u32>,
    placed: Vec<Placed>,
}

impl View {
    /// Looks through the topics that are not behind, and hands over what the frame has of them in order: of those that were entered with
    /// this frame the events alone, for [`followed`](evertick_protocol::Entered::followed) has the rest. Leaves the states that are due in
    /// [`Scratch::due`], and returns how many bytes they are.
    pub(crate) fn look<'f>(
        &mut self,
        frame: &'f Frame,
        scratch: &mut Scratch,
        mut tell: impl FnMut(Option<&'f Bytes>, &'f Blocks),
    ) -> usize {
        let Scratch { due, candidates, placed } = scratch;
        self.refresh(frame, placed);
        if candidates.len() < self.topics.len() {
            candidates.resize(self.topics.len(), 0);
        }
        let (tick, phase) = (frame.tick as ShortTick, self.phase);
        let mut count = 0;
        for (index, topic) in self.topics.iter().enumerate() {
            // Half of all topics are due, and there is no telling which: no branch, which would be guessed wrong all the time.
            candidates[count] = index as u32;
            count += usize::from(is_due(topic.grade, topic.sent, tick, topic.offset(phase)));
        }
        for topic in &self.topics {
            if let Some(blocks) = frame.topics.blocks(topic.id) {
                match topic.content {
                    Content::Behind => {}
                    Content::Live => tell(blocks.ordered.as_ref(), blocks),
                    Content::Fresh => tell(None, blocks),
                }
            }
        }
        if std::mem::take(&mut self.fresh) {
            let fresh = self.topics.iter_mut().filter(|topic| topic.content == Content::Fresh);
            fresh.for_each(|topic| topic.content = Content::Live);
        }
        due.clear();
        let mut bytes = 0;
        for index in &candidates[..count] {
            let topic = &mut self.topics[*index as usize];
            if topic.content == Content::Behind {
                continue;
            }
            let mut add = |state: State, part, grade| {
                bytes += state.bytes();
                due.push(Due { state, topic: *index, part, grade });
            };
            match frame.topics.states(topic.id) {
                None => {}
                Some(States::Whole(state)) => {
                    let grade = topic.grade.unwrap_or_else(|| {
                        self.stale |= topic.prepare(&mut self.details[*index as usize], 1, &[], tick);
                        Grade::First
                    });
                    add(state, 0, grade);
                }
                Some(States::Cut { parts_per_side, parts }) => {
                    let details = &mut self.details[*index as usize];
                    self.stale |= topic.prepare(details, parts_per_side, parts, tick);
                    for StatePart { state, part, .. } in parts.iter().copied() {
                        let (grade, sent) = match topic.grade {
                            Some(grade) => (grade, topic.sent),
                            None => {
                                let Part { grade, sent } = details.parts[usize::from(part)];
                                (grade, sent)
                            }
                        };
                        let offset = topic.offset(phase).wrapping_add(part.into());
                        if is_due(Some(grade), sent, tick, offset) {
                            add(state, part, grade);
                        }
                    }
                }
            }
        }
        bytes
    }

    /// A state that [`Self::look`] found has been sent with the frame of `tick`.
    #[inline]
    pub(crate) fn sent(&mut self, due: &Due, tick: u64) {
        let topic = &mut self.topics[due.topic as usize];
        let sent = match topic.grade {
            Some(_) => &mut topic.sent,
            None => &mut self.details[due.topic as usize].parts[usize::from(due.part)].sent,
        };
        *sent = tick as ShortTick;
    }

    /// Puts what is most urgent in the frame of `tick` first, as far as `budget` bytes of the `bytes` that all are go, with some to spare; the
    /// rest follows in any order.
    pub(crate) fn most_urgent_first(&self, due: &mut [Due], tick: u64, bytes: usize, budget: usize) {
        let each = (bytes / due.len().max(1)).max(1);
        let wanted = (budget / each).saturating_mul(2).saturating_add(8);
        let key = |due: &Due| Reverse(self.score(due, tick as ShortTick));
        if wanted < due.len() {
            due.select_nth_unstable_by_key(wanted, key);
        }
        let wanted = wanted.min(due.len());
        due[..wanted].sort_unstable_by_key(key);
    }

    /// The higher, the more urgent: [`FIRST`] for that grade, and ticks since it was sent by the ticks between two times it should be, in
    /// quarters.
    #[inline]
    fn score(&self, due: &Due, tick: ShortTick) -> u32 {
        let topic = &self.topics[due.topic as usize];
        let sent = match topic.grade {
            Some(_) => topic.sent,
            None => self.details[due.topic as usize].parts[usize::from(due.part)].sent,
        };
        let first = if due.grade == Grade::First { FIRST } else { 0 };
        first + ((u32::from(tick.wrapping_sub(sent)) * 4) >> due.grade.shift())
    }
}

/// Whether a stretch of the grade's ticks has begun since `sent`. In a tick with several frames, what is due each tick is due with each; and
/// of what has no grade, some part may be.
#[inline]
fn is_due(grade: Option<Grade>, sent: ShortTick, tick: ShortTick, offset: ShortTick) -> bool {
    const ALWAYS: u32 = 1 << ShortTick::BITS;
    // The bits of a tick's number that say in which stretch it is.
    let stretch = match grade {
        None | Some(Grade::First | Grade::Full) => ALWAYS,
        Some(Grade::Half) => ALWAYS - 2,
        Some(Grade::Quarter) => ALWAYS - 4,
    };
    let differs = tick.wrapping_add(offset) ^ sent.wrapping_add(offset);
    (ALWAYS | u32::from(differs)) & stretch != 0
}

impl Topic {
    /// By how much its stretches begin earlier.
    #[inline]
    const fn offset(&self, phase: ShortTick) -> ShortTick {
        phase.wrapping_add(self.id.0 as ShortTick)
    }

    /// Takes up how its states are cut, and makes room for their parts; returns whether the grades are out of date by that.
    pub(super) fn prepare(
        &mut self,
        details: &mut Details,
        parts_per_side: u8,
        parts: &[StatePart],
        tick: ShortTick,
    ) -> bool {
        let last = parts.iter().map(|state| usize::from(state.part)).max().unwrap_or(0);
        let whole = parts_per_side == 1 && last == 0;
        if details.parts_per_side != parts_per_side {
            details.parts_per_side = parts_per_side;
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
