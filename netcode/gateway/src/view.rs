//! What a session sees, and which states of it are due.
//!
//! A topic is *behind* when the session sees it and was not sent all of it. Nothing of it is sent then, until the host has been asked for
//! its snapshot and the snapshot has been sent: the nearest first, as the session's byte budget allows.
//!
//! Hot: runs for each session and frame that has states. How often a part is due depends on its distance from the viewpoint, which is
//! looked at again only when the view or how a topic is cut has changed, and every [`REFRESH_TICKS`] for the rows that came and went.
//! How long ago a part was sent follows from the tick it was sent in, so what is skipped costs nothing but the look.

use bytes::Bytes;
use evertick_protocol::{Entered, Frame, Square, States, TopicFrame, TopicId, Viewpoint};
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

/// When a snapshot that was asked for has not come after so many ticks, it is asked for again.
const ASK_AGAIN_TICKS: u32 = 100;
/// Topics that are asked for at once.
const ASKED_MAX: usize = 64;

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
    pub(crate) state: &'f Bytes,
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
    pub(crate) fn said<'f>(&self, frame: &'f Frame) -> impl Iterator<Item = &'f TopicFrame> {
        let live = self.topics.iter().filter(|seen| seen.content == Content::Live);
        live.filter_map(|seen| frame.topics.get(&seen.id))
    }

    /// Which of these are sent now, when snapshots may take `budget` bytes (the last may take more); `slow`: those of topics with a place are not.
    pub(crate) fn admit(&self, entered: &[Entered], budget: usize, slow: bool) -> Vec<bool> {
        let mut admitted = vec![true; entered.len()];
        if budget == usize::MAX && !slow {
            return admitted;
        }
        let mut spent = 0;
        let mut placed = Vec::new();
        for (index, entered) in entered.iter().enumerate() {
            let promised = self
                .find(entered.topic)
                .is_ok_and(|at| matches!(self.topics[at].content, Content::Behind { promised: true, .. }));
            if entered.square.is_none() || promised && !slow {
                spent += cost(entered);
            } else {
                placed.push((self.away(entered.square), index));
            }
        }
        placed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        for (_, index) in placed {
            admitted[index] = !slow && spent < budget;
            spent += cost(&entered[index]);
        }
        admitted
    }

    /// All topics fall behind, those with a place alone if `placed`. Returns how many did.
    pub(crate) fn fall_behind(&mut self, placed: bool) -> usize {
        let falls = |seen: &&mut Seen| seen.content == Content::Live && (!placed || seen.square.is_some());
        let fallen = self.topics.iter_mut().filter(falls).map(|seen| seen.content = BEHIND).count();
        self.behind |= fallen > 0;
        fallen
    }

    /// The host was asked for everything.
    pub(crate) fn asked_for_all(&mut self, tick: u64) {
        for seen in &mut self.topics {
            if seen.content != Content::Live {
                seen.content = Content::Behind { asked: Some(tick as u32), promised: false };
            }
        }
    }

    /// Whether a topic is behind.
    pub(crate) fn is_behind(&mut self) -> bool {
        self.behind = self.behind && self.topics.iter().any(|seen| seen.content != Content::Live);
        self.behind
    }

    /// Adds the topics behind that the host is to be asked for now, when there are `budget` bytes: those without a place, and the nearest that
    /// fit; one at least. None while others are on their way.
    pub(crate) fn wanted(&mut self, tick: u64, budget: usize, wanted: &mut Vec<TopicId>) {
        if !self.is_behind() {
            return;
        }
        let mut candidates = Vec::new();
        for (at, seen) in self.topics.iter_mut().enumerate() {
            if let Content::Behind { asked: Some(asked), .. } = seen.content {
                if (tick as u32).wrapping_sub(asked) < ASK_AGAIN_TICKS {
                    return;
                }
                seen.content = BEHIND;
            }
            if seen.content == BEHIND {
                candidates.push((seen.square, at));
            }
        }
        let mut candidates: Vec<_> =
            candidates.into_iter().map(|(square, at)| (self.away(square), at)).collect();
        candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut spent = 0;
        for (away, at) in candidates.into_iter().take(ASKED_MAX) {
            let seen = &mut self.topics[at];
            if spent >= budget && away >= 0.0 {
                break;
            }
            spent += seen.cost as usize;
            seen.content = Content::Behind { asked: Some(tick as u32), promised: true };
            wanted.push(seen.id);
        }
    }

    /// The host could not be asked for these.
    pub(crate) fn not_asked(&mut self, wanted: &[TopicId]) {
        for topic in wanted {
            if let Ok(at) = self.find(*topic) {
                self.topics[at].content = BEHIND;
            }
        }
    }

    /// How far a topic is from the viewpoint: without a place it is nearer than any, in another space farther.
    fn away(&self, square: Option<Square>) -> f32 {
        match (square, &self.viewpoint) {
            (None, _) => -1.0,
            (Some(square), Some(viewpoint)) if square.space == viewpoint.space => {
                distance(&square, 1, 0, viewpoint)
            }
            _ => f32::MAX,
        }
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
            let Some(said) = frame.topics.get(&seen.id) else { continue };
            if said.states.parts.is_empty() {
                continue;
            }
            if seen.prepare(&said.states, tick) {
                self.stale = true; // graded with the next frame
            }
            for state in &said.states.parts {
                let Part { sent, grade } = seen.parts[usize::from(state.part)];
                let (age, interval) = (tick.wrapping_sub(sent), grade.interval());
                if age < interval && interval > 1 {
                    continue;
                }
                bytes += state.bytes.len();
                let first = if grade == Grade::First { FIRST } else { 0 };
                let score = first + age.min(1 << 16) * 4 / interval;
                due.push(Due { state: &state.bytes, grade, score, topic: topic as u32, part: state.part });
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
            let Some(said) = frame.topics.get(&seen.id) else { continue };
            seen.prepare(&said.states, frame.tick as u32);
            for state in &said.states.parts {
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
    fn prepare(&mut self, states: &States, tick: u32) -> bool {
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
mod tests {
    use std::sync::Arc;

    use evertick_protocol::{Snapshot, StatePart};

    use super::*;

    /// Cells of 10 units in a row; the viewpoint is in the first, and sees 100.
    fn view(cells: u32) -> View {
        let mut view = View::default();
        view.look_from(Viewpoint { space: 0, at: [5.0, 5.0], radius: 100.0 });
        for cell in 0..cells {
            let square = Square { space: 0, min: [cell as f32 * 10.0, 0.0], size: 10.0 };
            let snapshot = Arc::new(Snapshot::new(Bytes::new()));
            let (topic, followed) = (TopicId(cell), Vec::new());
            view.enter(&Entered { topic, square: Some(square), snapshot, followed }, true);
        }
        view
    }

    fn frame(tick: u64, cells: u32, parts_per_side: u8, rows: u16) -> Frame {
        let parts = (0..parts_per_side * parts_per_side).map(|part| StatePart {
            part,
            rows,
            bytes: Bytes::from_static(&[7; 100]),
        });
        let states = States { parts_per_side, parts: parts.collect() };
        let said = TopicFrame { states, ..TopicFrame::default() };
        let topics = (0..cells).map(|cell| (TopicId(cell), said.clone())).collect();
        Frame { number: tick, tick, topics, ..Frame::default() }
    }

    /// How often each cell's state is sent in 40 ticks when a frame may have `bytes_max`.
    fn sent(view: &mut View, cells: u32, rows: u16, bytes_max: usize) -> Vec<u32> {
        let mut sent = vec![0; cells as usize];
        for tick in 100..140 {
            let frame = frame(tick, cells, 1, rows);
            let mut due = Vec::new();
            let bytes = view.due(&frame, &mut due);
            assert_eq!(bytes, due.len() * 100);
            most_urgent_first(&mut due, bytes, bytes_max);
            for due in due.iter().take(bytes_max / 100) {
                sent[due.topic as usize] += 1;
                view.sent(due, tick);
            }
        }
        sent
    }

    #[test]
    fn far_cells_come_less_often() {
        // Few rows in all, then many: two cells with 26 rows each hold the nearest 50.
        let all = sent(&mut view(10), 10, 15, usize::MAX);
        assert_eq!(all, [40, 40, 40, 40, 40, 40, 20, 20, 10, 10]);
        let dense = sent(&mut view(10), 10, 26, usize::MAX);
        assert_eq!(dense, [40, 40, 20, 20, 20, 20, 20, 20, 10, 10]);
    }

    #[test]
    fn with_a_small_budget_the_nearest_go_at_full_rate_and_nobody_starves() {
        let sent = sent(&mut view(10), 10, 26, 300);
        assert_eq!(sent[..2], [40, 40]);
        assert!(sent[2..].iter().all(|count| (2..=20).contains(count)), "{sent:?}");
        assert_eq!(sent.iter().sum::<u32>(), 3 * 40);
    }

    #[test]
    fn a_cell_that_is_cut_anew_is_graded_anew_and_hostile_numbers_fit() {
        let mut view = view(1);
        for (tick, per_side) in [(1, 1), (2, 8), (3, 2), (4, 0)] {
            let mut due = Vec::new();
            let frame = frame(tick, 1, per_side, 30);
            view.due(&frame, &mut due);
            assert_eq!(due.len(), usize::from(per_side) * usize::from(per_side));
        }
        let mut numbered = frame(5, 1, 1, 3);
        let parts = &mut numbered.topics.get_mut(&TopicId(0)).unwrap().states.parts;
        parts[0].part = 255;
        let mut due = Vec::new();
        view.due(&numbered, &mut due);
        assert_eq!(due.len(), 1);
        view.sent(&due[0], 5);
        view.leave(TopicId(0));
        view.leave(TopicId(0));
        due.clear();
        assert_eq!(view.due(&numbered, &mut due), 0);
    }

    #[test]
    fn distances_are_those_of_the_parts() {
        let square = Square { space: 0, min: [0.0, 0.0], size: 64.0 };
        let viewpoint = Viewpoint { space: 0, at: [-3.0, -4.0], radius: 1.0 };
        assert_eq!(distance(&square, 1, 0, &viewpoint), 5.0);
        let inside = Viewpoint { space: 0, at: [40.0, 3.0], radius: 1.0 };
        assert_eq!(distance(&square, 2, 1, &inside), 0.0);
        assert_eq!(distance(&square, 2, 0, &inside), 8.0);
        assert_eq!(distance(&square, 2, 3, &inside), 29.0);
    }
}
