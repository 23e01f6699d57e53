//! How often each part is due: by its distance from the viewpoint, and how much moves before it.
//!
//! That is looked at again when the view or how a topic is cut has changed, and every [`REFRESH_TICKS`] for the rows that came and went.

use evertick_protocol::{Frame, Square, States, Viewpoint};

use super::{Details, ShortTick, Topic, View};

/// The nearest parts with so many moving rows together are always sent, and first.
const NEAREST_ROWS: u32 = 50;
/// With more moving rows in view, what is near but not nearest goes every second tick only.
const DENSE_ROWS: u32 = 200;
/// How many are the nearest then. Parts go by their nearest point, and where there are many of them, each of the nearest 50 rows is
/// in one of the parts with so many.
const NEAREST_ROWS_DENSE: u32 = 75;
/// Ticks after which distances are looked at again.
const REFRESH_TICKS: u64 = 20;

/// How urgent a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
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
    /// The binary logarithm of [`Self::interval`].
    pub(super) const fn shift(self) -> u32 {
        (self as u32).saturating_sub(1)
    }

    /// Ticks from one time it is due to the next.
    pub(super) const fn interval(self) -> ShortTick {
        1 << self.shift()
    }
}

/// A part with a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// The distance by the radius.
    away: f32,
    topic: u32,
    /// `None` when the topic is not cut.
    part: Option<u8>,
    rows: u16,
}

impl View {
    /// Grades all parts if it is time, and plans when they are due. `placed` is for use meanwhile.
    #[inline]
    pub(super) fn refresh(&mut self, frame: &Frame, placed: &mut Vec<Placed>) {
        if self.stale {
            self.grade(frame, placed);
            self.graded = frame.tick.saturating_sub(u64::from(self.phase) % REFRESH_TICKS);
        } else if frame.tick.saturating_sub(self.graded) >= REFRESH_TICKS {
            self.grade(frame, placed);
            self.graded = frame.tick;
        } else if self.unplanned {
            self.make_plan();
        }
    }

    /// Gives each part the grade that its distance has, going by the rows that move in `frame`.
    fn grade(&mut self, frame: &Frame, placed: &mut Vec<Placed>) {
        self.stale = false;
        placed.clear();
        for (index, (topic, square)) in self.topics.iter_mut().zip(&self.squares).enumerate() {
            let cut = match frame.topics.states(topic.id) {
                None => None,
                Some(States::Whole(_)) => topic.grade.is_none().then_some((1, &[][..])),
                Some(States::Cut { parts_per_side, parts }) => Some((parts_per_side, parts)),
            };
            if let Some((parts_per_side, parts)) = cut {
                let details = &mut self.details[index];
                topic.prepare(details, parts_per_side, parts, frame.tick as ShortTick);
            }
            let (Some(square), Some(viewpoint)) = (square, &self.viewpoint) else {
                topic.grade_all(&mut self.details[index], Grade::First);
                continue;
            };
            if square.space != viewpoint.space {
                topic.grade_all(&mut self.details[index], Grade::First);
                continue;
            }
            let mut add = |part: Option<u8>, per_side: u8, rows: u16| {
                let away = distance(square, per_side, part.unwrap_or(0), viewpoint);
                let away = away / viewpoint.radius.max(f32::MIN_POSITIVE);
                placed.push(Placed { away, topic: index as u32, part, rows });
            };
            if topic.grade.is_some() {
                add(None, 1, frame.topics.moving_rows(topic.id));
            } else {
                let per_side = self.details[index].parts_per_side;
                let parts = cut.map_or(&[][..], |(_, parts)| parts);
                parts.iter().for_each(|state| add(Some(state.part), per_side, state.rows));
            }
        }
        placed.sort_unstable_by(|a, b| a.away.total_cmp(&b.away));
        let dense = placed.iter().map(|part| u32::from(part.rows)).sum::<u32>() > DENSE_ROWS;
        let nearest = if dense { NEAREST_ROWS_DENSE } else { NEAREST_ROWS };
        let mut rows_before = 0;
        for placed in placed {
            let grade = if rows_before < nearest {
                Grade::First
            } else if placed.away < 0.5 {
                if dense { Grade::Half } else { Grade::Full }
            } else if placed.away < 0.75 {
                Grade::Half
            } else {
                Grade::Quarter
            };
            rows_before += u32::from(placed.rows);
            let topic = placed.topic as usize;
            match placed.part {
                None => self.topics[topic].grade = Some(grade),
                Some(part) => self.details[topic].parts[usize::from(part)].grade = grade,
            }
        }
        self.make_plan();
    }
}

impl Topic {
    /// Gives all parts the same grade.
    fn grade_all(&mut self, details: &mut Details, grade: Grade) {
        match &mut self.grade {
            Some(of_whole) => *of_whole = grade,
            None => details.parts.iter_mut().for_each(|part| part.grade = grade),
        }
    }
}

/// From the viewpoint to the nearest point of a part.
pub(super) fn distance(square: &Square, parts_per_side: u8, part: u8, viewpoint: &Viewpoint) -> f32 {
    let per_side = parts_per_side.max(1);
    let size = square.size / f32::from(per_side);
    let at = [part % per_side, part / per_side];
    let away = |axis: usize| {
        let min = square.min[axis] + f32::from(at[axis]) * size;
        (min - viewpoint.at[axis]).max(viewpoint.at[axis] - (min + size)).max(0.0)
    };
    let (x, y) = (away(0), away(1));
    (x * x + y * y).sqrt()
}
