//! What a session sees, and which states of it are due.
//!
//! A topic is *behind* when the session sees it and was not sent all of it. Nothing of it is sent then, until the host has been asked for
//! its snapshot and the snapshot has been sent: the nearest first, as the session's byte budget allows.
//!
//! Hot: runs for each session and frame that has states. How often a part is due depends on its distance from the viewpoint, which is
//! looked at again only when the view or how a topic is cut has changed, and every [`REFRESH_TICKS`] for the rows that came and went.
//! How long ago a part was sent follows from the tick it was sent in, so what is skipped costs nothing but the look.

mod behind;

use bytes::Bytes;
use evertick_protocol::{Blocks, Entered, Frame, Square, States, TopicId, Viewpoint};
use evertick_schema::SessionId;

/// The nearest parts with so many moving rows together are always sent, and first.
const NEAREST_ROWS: u32 = 50;
/// With more moving rows in view, what is near but not nearest goes every second tick only.
const DENSE_ROWS: u32 = 200;
/// Ticks after which distances are looked at again.
const REFRESH_TICKS: u64 = 20;
/// More than any age scores.
const FIRST: u32 = 1 << 20;
/// Parts of a topic: they are numbered by a byte.
const PARTS_MAX: usize = 256;

/// A session's topics.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// By topic, ascending.
    topics: Vec<Seen>,
    /// Whether a topic may be behind.
    behind: bool,
    viewpoint: Option<Viewpoint>,
    /// Whether the parts' urgencies are out of date, and the tick they are from.
    stale: bool,
    graded: u64,
    /// Of the sessions that come at once, not all look at distances in the same tick.
    phase: u64,
}

/// A topic that a session sees.
#[derive(Debug)]
struct Seen {
    id: TopicId,
    square: Option<Square>,
    content: Content,
    /// What its last snapshot and what followed took, in bytes.
    cost: u32,
    parts_per_side: u8,
    /// By number, as far as any has moved.
    parts: Vec<Part>,
}

/// What a client has of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// All that was said so far.
    Live,
    /// Not that. The host was asked for a snapshot in the tick with this lower half; `promised`: it is sent whatever is left of the
    /// budget when it comes.
    Behind { asked: Option<u32>, promised: bool },
}

const BEHIND: Content = Content::Behind { asked: None, promised: false };

#[derive(Clone, Copy, Debug)]
struct Part {
    /// The tick it was last sent in, its lower half.
    sent: u32,
    grade: Grade,
}

/// How urgent a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// Always sent, before all else: the nearest, and what has no place.
    First,
    /// Each tick.
    Full,
    /// Every second tick.
    Half,
    /// Every fourth tick.
    Quarter,
}

impl Grade {
    const fn interval(self) -> u32 {
        match self {
            Self::First | Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
        }
    }
}

/// A state that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due<'f> {
    pub(crate) state: &'f [u8],
    pub(crate) grade: Grade,
    /// The higher, the more urgent: [`FIRST`] for that grade, and ticks since it was sent by the ticks between two times it should be, in quarters.
    score: u32,
    topic: u32,
    part: u8,
}

impl View {
    /// The view of the session of this number, without topics.
    pub(crate) fn new(session: SessionId) -> Self {
        Self { phase: session.0 % REFRESH_TICKS, ..Self::default() }
    }

    /// A topic is seen no more.
    pub(crate) fn leave(&mut self, topic: TopicId) {
        if let Ok(at) = self.find(topic) {
            self.topics.remove(at);
        }
    }

    /// A topic is seen from now on, or anew; `sent` says whether its content is sent too.
    pub(crate) fn enter(&mut self, entered: &Entered, sent: bool) {
        let content = if sent { Content::Live } else { BEHIND };
        self.behind |= !sent;
        let cost = cost(entered).min(1 << 30) as u32;
        let seen = Seen {
            id: entered.topic,
            square: entered.square,
            content,
            cost,
            parts_per_side: 1,
            parts: Vec::new(),
        };
        match self.find(entered.topic) {
            Ok(at) => self.topics[at] = seen,
            Err(at) => self.topics.insert(at, seen),
        }
        self.stale = true;
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

    /// What the frame has of the topics that are not behind.
    pub(crate) fn said<'f>(&self, frame: &'f Frame) -> impl Iterator<Item = &'f Blocks> {
        let live = self.topics.iter().filter(|seen| seen.content == Content::Live);
        live.filter_map(|seen| frame.topics.blocks(seen.id))
    }

    /// Adds the states of `frame` that are due to `due`, and returns how many bytes they are.
    pub(crate) fn due<'f>(&mut self, frame: &'f Frame, due: &mut Vec<Due<'f>>) -> usize {
        if self.stale {
            self.grade(frame);
            self.graded = frame.tick.saturating_sub(self.phase);
        } else if frame.tick.saturating_sub(self.graded) >= REFRESH_TICKS {
            self.grade(frame);
            self.graded = frame.tick;
        }
        let tick = frame.tick as u32;
        let mut bytes = 0;
        for (topic, seen) in self.topics.iter_mut().enumerate() {
            if seen.content != Content::Live {
                continue;
            }
            let Some(states) = frame.topics.states(seen.id) else { continue };
            if seen.prepare(&states, tick) {
                self.stale = true; // graded with the next frame
            }
            for state in states.parts {
                let Part { sent, grade } = seen.parts[usize::from(state.part)];
                let (age, interval) = (tick.wrapping_sub(sent), grade.interval());
                if age < interval && interval > 1 {
                    continue;
                }
                bytes += state.bytes();
                let first = if grade == Grade::First { FIRST } else { 0 };
                let score = first + age.min(1 << 16) * 4 / interval;
                let state_bytes = frame.topics.state(state);
                due.push(Due { state: state_bytes, grade, score, topic: topic as u32, part: state.part });
            }
        }
        bytes
    }

    /// A state that [`Self::due`] found has been sent with the frame of `tick`.
    pub(crate) fn sent(&mut self, due: &Due<'_>, tick: u64) {
        self.topics[due.topic as usize].parts[usize::from(due.part)].sent = tick as u32;
    }

    /// Gives each part the grade that its distance has, going by the rows that move in `frame`.
    fn grade(&mut self, frame: &Frame) {
        self.stale = false;
        let mut placed = Vec::new();
        for (topic, seen) in self.topics.iter_mut().enumerate() {
            let Some(states) = frame.topics.states(seen.id) else { continue };
            seen.prepare(&states, frame.tick as u32);
            for state in states.parts {
                let part = &mut seen.parts[usize::from(state.part)];
                part.grade = Grade::First;
                if let (Some(square), Some(viewpoint)) = (seen.square, self.viewpoint)
                    && square.space == viewpoint.space
                {
                    let away = distance(&square, seen.parts_per_side, state.part, &viewpoint);
                    let away = away / viewpoint.radius.max(f32::MIN_POSITIVE);
                    placed.push((away, topic, state.part, u32::from(state.rows)));
                }
            }
        }
        placed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let dense = placed.iter().map(|part| part.3).sum::<u32>() > DENSE_ROWS;
        let mut rows_before = 0;
        for (away, topic, part, rows) in placed {
            let grade = if rows_before < NEAREST_ROWS {
                Grade::First
            } else if away < 0.5 {
                if dense { Grade::Half } else { Grade::Full }
            } else if away < 0.75 {
                Grade::Half
            } else {
                Grade::Quarter
            };
            rows_before += rows;
            self.topics[topic].parts[usize::from(part)].grade = grade;
        }
    }
}

impl Seen {
    /// Makes room for the parts of these states; returns whether they were not known.
    fn prepare(&mut self, states: &States<'_>, tick: u32) -> bool {
        if self.parts_per_side != states.parts_per_side {
            self.parts_per_side = states.parts_per_side;
            self.parts.clear();
        }
        let last = states.parts.iter().map(|state| usize::from(state.part)).max().unwrap_or(0);
        let new = last >= self.parts.len();
        if new {
            // Everything is due that was never sent; within a topic without a place, all of it anyway.
            let sent = tick.wrapping_sub(Grade::Quarter.interval());
            self.parts.resize((last + 1).min(PARTS_MAX), Part { sent, grade: Grade::First });
        }
        new
    }
}

/// What a topic's snapshot and what followed take.
pub(crate) fn cost(entered: &Entered) -> usize {
    entered.snapshot.wire().len() + entered.followed.iter().map(Bytes::len).sum::<usize>()
}

/// From the viewpoint to the nearest point of a part.
fn distance(square: &Square, parts_per_side: u8, part: u8, viewpoint: &Viewpoint) -> f32 {
    let per_side = parts_per_side.max(1);
    let size = square.size / f32::from(per_side);
    let at = [part % per_side, part / per_side];
    let away = |axis: usize| {
        let min = square.min[axis] + f32::from(at[axis]) * size;
        (min - viewpoint.at[axis]).max(viewpoint.at[axis] - (min + size)).max(0.0)
    };
    away(0).hypot(away(1))
}

/// Puts what is most urgent first, as far as `budget` bytes of the `bytes` that all are go, with some to spare; the rest follows in any order.
pub(crate) fn most_urgent_first(due: &mut [Due<'_>], bytes: usize, budget: usize) {
    let each = (bytes / due.len().max(1)).max(1);
    let wanted = (budget / each).saturating_mul(2).saturating_add(8);
    let key = |due: &Due<'_>| std::cmp::Reverse(due.score);
    if wanted < due.len() {
        due.select_nth_unstable_by_key(wanted, key);
    }
    let wanted = wanted.min(due.len());
    due[..wanted].sort_unstable_by_key(key);
}

#[cfg(test)]
mod tests;
