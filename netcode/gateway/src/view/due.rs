//! What a session is to be sent of a frame's topics.
//!
//! Topics are due by the [plan](super::plan), and parts of topics in the same way by the tick each was sent in.

use std::cmp::Reverse;

use bytes::Bytes;
use evertick_protocol::{Blocks, Frame, State, StatePart, States, TOPICS_PER_WORD, set_bits};

use super::grade::{Grade, Placed};
use super::{Content, Details, ON_TIME, Part, ShortTick, Topic, View, late_since, long_ago};

/// More than any age scores.
const FIRST: u32 = 1 << 20;
/// Parts of a topic: they are numbered by a byte.
const PARTS_MAX: usize = 256;

/// A state that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) state: State,
    /// The topic: its word in the plan times [`TOPICS_PER_WORD`], and its bit in that.
    topic: u32,
    of: Of,
    /// Its grade; of what is [`Grade::First`] it may say [`Grade::Full`].
    pub(crate) grade: Grade,
}

/// How many bytes the states are that are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DueBytes {
    pub(crate) by_grade: [usize; 4],
    /// Whether any must be [marked as sent](View::sent) when it is.
    pub(crate) marked: bool,
}

impl DueBytes {
    /// All of them.
    pub(crate) fn sum(&self) -> usize {
        self.by_grade.iter().sum()
    }

    fn add(&mut self, due: &Due) {
        self.by_grade[due.grade as usize] += due.state.bytes();
        self.marked |= due.of != Of::Topic;
    }
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
    /// [`Scratch::due`], and returns their bytes. Each is [sent](Self::sent) then, or is [not](Self::not_sent).
    pub(crate) fn look<'f>(
        &mut self,
        frame: &'f Frame,
        scratch: &mut Scratch,
        mut tell: impl FnMut(Option<&'f Bytes>, &'f Blocks),
    ) -> DueBytes {
        self.refresh(frame, &mut scratch.placed);
        let all_live = !self.behind && !self.fresh;
        for word in &self.plan.words {
            for bit in set_bits(frame.topics.word_blocks(word.number) & word.topics) {
                let Some(blocks) = frame.topics.blocks(word.topic(bit)) else { continue };
                // Of most sessions nothing of the topics themselves is looked at.
                let content = if all_live { Content::Live } else { self.topics[word.index(bit)].content };
                match content {
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

    /// Leaves the states that are due in `found`, and returns their bytes.
    // Within its caller too few registers are left for the loop.
    #[inline(never)]
    fn find_due(&mut self, frame: &Frame, found: &mut Vec<Due>) -> DueBytes {
        found.clear();
        let elapsed = frame.tick.saturating_sub(self.looked);
        self.looked = frame.tick;
        let tick = (frame.tick as ShortTick).wrapping_add(self.phase);
        let mut bytes = DueBytes::default();
        for number in 0..self.plan.words.len() {
            let word = &mut self.plan.words[number];
            let states = frame.topics.word_states(word.number);
            let due = word.due(tick, elapsed) | word.late;
            // Who has nothing to say is due until it has.
            let late = std::mem::replace(&mut word.late, due & !states.topics());
            for bit in set_bits(word.late & !late) {
                self.topics[word.index(bit)].late = late_since(frame.tick as ShortTick);
            }
            let ((half, quarter), cut) = (word.slower(), word.cut);
            let first = number as u32 * TOPICS_PER_WORD;
            found.reserve(TOPICS_PER_WORD as usize);
            for bit in set_bits(due & states.topics()) {
                let has = |bits: u64| bits >> bit & 1 == 1;
                let of = if has(late) { Of::Late } else { Of::Topic };
                match states.whole(bit) {
                    Some(state) if !has(cut) => {
                        let grade = match () {
                            () if has(half) => Grade::Half,
                            () if has(quarter) => Grade::Quarter,
                            () => Grade::Full,
                        };
                        frame.topics.prefetch(state);
                        let due = Due { state, topic: first + bit, of, grade };
                        bytes.add(&due);
                        found.push(due);
                    }
                    _ => {
                        let before = found.len();
                        self.find_parts(frame, first + bit, of, found);
                        found[before..].iter().for_each(|due| bytes.add(due));
                    }
                }
            }
        }
        bytes
    }

    /// The same, of a topic whose state is in pieces, or was.
    #[cold]
    fn find_parts(&mut self, frame: &Frame, at: u32, of: Of, found: &mut Vec<Due>) {
        let tick = frame.tick as ShortTick;
        let index = self.plan.index(at);
        let (topic, details) = (&mut self.topics[index], &mut self.details[index]);
        let Some(states) = frame.topics.states(topic.id) else { return };
        let mut add = |state, of, grade| found.push(Due { state, topic: at, of, grade });
        match states {
            States::Whole(state) => {
                self.stale |= topic.prepare(details, 1, &[], tick);
                add(state, if topic.grade.is_some() { of } else { Of::Part(0) }, Grade::First);
            }
            States::Cut { parts_per_side, parts } => {
                self.stale |= topic.prepare(details, parts_per_side, parts, tick);
                let offset = self.phase.wrapping_add(topic.offset());
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
    }

    /// The place of the topic of a state that is due.
    pub(super) fn index_of(&self, due: &Due) -> usize {
        self.plan.index(due.topic)
    }

    /// A state that [`Self::look`] found has been sent with the frame of `tick`.
    #[inline]
    pub(crate) fn sent(&mut self, due: &Due, tick: u64) {
        if due.of != Of::Topic {
            self.sent_late(due, tick);
        }
    }

    fn sent_late(&mut self, due: &Due, tick: u64) {
        let index = self.index_of(due);
        match due.of {
            Of::Part(part) => self.details[index].parts[usize::from(part)].sent = tick as ShortTick,
            _ => self.topics[index].late = ON_TIME,
        }
    }

    /// These states that it found have not been sent with it.
    pub(crate) fn not_sent(&mut self, due: &[Due], tick: u64) {
        for due in due {
            match due.of {
                Of::Topic => {
                    let index = self.index_of(due);
                    self.topics[index].late = late_since(tick as ShortTick);
                }
                Of::Late => {}
                Of::Part(_) => continue,
            }
            self.plan.add_late(due.topic);
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
        let index = self.index_of(due);
        let topic = &self.topics[index];
        let age = match due.of {
            Of::Topic => due.grade.interval(),
            Of::Late => tick.wrapping_sub(topic.late).saturating_add(due.grade.interval()),
            Of::Part(part) => tick.wrapping_sub(self.details[index].parts[usize::from(part)].sent),
        };
        let first = if topic.grade.unwrap_or(due.grade) == Grade::First { FIRST } else { 0 };
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
