//! What a session is to be sent of a frame's topics.
//!
//! Topics are due by the [plan](super::plan), and parts of topics in the same way by the tick each was sent in.

use std::cmp::Reverse;

use bytes::Bytes;
use evertick_protocol::{Blocks, Frame, State, StatePart, States};

use super::grade::{Grade, Placed};
use super::{Content, Details, ON_TIME, Part, ShortTick, Topic, View, late_since, long_ago, plan};

/// More than any age scores.
const FIRST: u32 = 1 << 20;
/// Parts of a topic: they are numbered by a byte.
const PARTS_MAX: usize = 256;

/// A state that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) state: State,
    pub(super) topic: u32,
    of: Of,
    pub(crate) grade: Grade,
}

/// What it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// A topic, in its tick.
    Topic,
    /// One that is late.
    Late,
    /// One of its parts.
    Part(u8),
}

/// What is kept from one session to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// What [`View::look`] has found.
    pub(crate) due: Vec<Due>,
    placed: Vec<Placed>,
}

impl View {
    /// Looks through the topics that are not behind, and hands over what the frame has of them in order: of those that were entered with
    /// this frame the events alone, for [`followed`](evertick_protocol::Entered::followed) has the rest. Leaves the states that are due in
    /// [`Scratch::due`], and returns how many bytes they are. Each is [sent](Self::sent) then, or is [not](Self::not_sent).
    pub(crate) fn look<'f>(
        &mut self,
        frame: &'f Frame,
        scratch: &mut Scratch,
        mut tell: impl FnMut(Option<&'f Bytes>, &'f Blocks),
    ) -> usize {
        self.refresh(frame, &mut scratch.placed);
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
        self.find_due(frame, &mut scratch.due)
    }

    /// Leaves the states that are due in `found`, and returns how many bytes they are.
    #[inline(never)]
    fn find_due(&mut self, frame: &Frame, found: &mut Vec<Due>) -> usize {
        found.clear();
        let elapsed = frame.tick.saturating_sub(self.looked);
        self.looked = frame.tick;
        let tick = (frame.tick as ShortTick).wrapping_add(self.phase);
        let mut bytes = 0;
        for number in 0..self.plan.words() {
            let (mut due, late) = self.plan.due(number, tick, elapsed);
            let mut without_states = 0;
            found.reserve(plan::BITS);
            while due != 0 {
                let index = number * plan::BITS + due.trailing_zeros() as usize;
                let bit = due & due.wrapping_neg();
                due ^= bit;
                let topic = &self.topics[index];
                let of = if late & bit == 0 { Of::Topic } else { Of::Late };
                match (frame.topics.states(topic.id), topic.grade) {
                    (None, _) => without_states |= bit,
                    (Some(States::Whole(state)), Some(grade)) => {
                        bytes += state.bytes();
                        found.push(Due { state, topic: index as u32, of, grade });
                    }
                    (Some(states), _) => bytes += self.find_parts(frame.tick, (index, of), states, found),
                }
            }
            // Who has nothing to say is due until it has.
            let mut new = without_states & !late;
            while new != 0 {
                let index = number * plan::BITS + new.trailing_zeros() as usize;
                new &= new - 1;
                self.topics[index].late = late_since(frame.tick as ShortTick);
            }
            self.plan.set_late(number, without_states);
        }
        bytes
    }

    /// The same, of a topic whose state is in pieces, or was.
    #[cold]
    fn find_parts(
        &mut self,
        tick: u64,
        (index, of): (usize, Of),
        states: States<'_>,
        found: &mut Vec<Due>,
    ) -> usize {
        let (tick, before) = (tick as ShortTick, found.len());
        let (topic, details) = (&mut self.topics[index], &mut self.details[index]);
        let mut add = |state, of, grade| found.push(Due { state, topic: index as u32, of, grade });
        match states {
            States::Whole(state) => {
                self.stale |= topic.prepare(details, 1, &[], tick);
                add(state, if topic.grade.is_some() { of } else { Of::Part(0) }, Grade::First);
            }
            States::Cut { parts_per_side, parts } => {
                self.stale |= topic.prepare(details, parts_per_side, parts, tick);
                let offset = self.phase.wrapping_add(topic.id.0 as ShortTick);
                for StatePart { state, part, .. } in parts.iter().copied() {
                    if let Some(grade) = topic.grade {
                        add(state, of, grade);
                        continue;
                    }
                    let known = details.parts[usize::from(part)];
                    if known.is_due(tick, offset.wrapping_add(part.into())) {
                        add(state, Of::Part(part), known.grade);
                    }
                }
            }
        }
        found[before..].iter().map(|due| due.state.bytes()).sum()
    }

    /// A state that [`Self::look`] found has been sent with the frame of `tick`.
    #[inline]
    pub(crate) fn sent(&mut self, due: &Due, tick: u64) {
        match due.of {
            Of::Topic => {}
            Of::Late => self.topics[due.topic as usize].late = ON_TIME,
            Of::Part(part) => {
                self.details[due.topic as usize].parts[usize::from(part)].sent = tick as ShortTick;
            }
        }
    }

    /// These states that it found have not been sent with it.
    pub(crate) fn not_sent(&mut self, due: &[Due], tick: u64) {
        for due in due {
            let topic = due.topic as usize;
            match due.of {
                Of::Topic => self.topics[topic].late = late_since(tick as ShortTick),
                Of::Late => {}
                Of::Part(_) => continue,
            }
            self.plan.add_late(topic);
        }
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
        let topic = due.topic as usize;
        let age = match due.of {
            Of::Topic => due.grade.interval(),
            Of::Late => tick.wrapping_sub(self.topics[topic].late).saturating_add(due.grade.interval()),
            Of::Part(part) => tick.wrapping_sub(self.details[topic].parts[usize::from(part)].sent),
        };
        let first = if due.grade == Grade::First { FIRST } else { 0 };
        first + ((u32::from(age) * 4) >> due.grade.shift())
    }
}

impl Part {
    /// Whether a stretch of the grade's ticks has begun since it was sent. In a tick with several frames, what is due each tick is due with
    /// each.
    fn is_due(self, tick: ShortTick, offset: ShortTick) -> bool {
        let stretch = |tick: ShortTick| tick.wrapping_add(offset) >> self.grade.shift();
        self.grade.interval() == 1 || stretch(tick) != stretch(self.sent)
    }
}

impl Topic {
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
                    (self.late, self.grade) = (late_since(tick), Some(Grade::First));
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
