//! Smooth rows: what they were at a moment a little in the past.
//!
//! The server says how rows are by tick; pictures are drawn between ticks. Each entity keeps its last few rows with their ticks, and
//! a look-up mixes the two around the moment. How often rows come depends on the entity: what is far away is told of every second
//! or fourth tick. So each entity has a delay of its own, which follows the time between its last rows. Where rows are overdue the
//! movement goes on for a while, and comes back to what is known when nothing follows.

use std::collections::VecDeque;

use evertick_schema::EntityId;
use hashbrown::HashMap;

use crate::blend::Blend;

/// Rows that are kept of each entity.
const ROWS_KEPT_MAX: usize = 8;

/// Rows that are farther apart, in ticks, are of something that stood in between.
const BEAT_MAX: f64 = 8.0;

/// How much of the time that passes an entity's delay may change by.
const SLEW: f64 = 0.1;

/// The most ticks that a movement goes on without news.
pub(crate) const AHEAD_TICKS_MAX: f64 = 2.0;

/// The past of one row type.
#[derive(Debug)]
pub(crate) struct Interpolation {
    blend: Blend,
    pasts: HashMap<EntityId, Past>,
}

#[derive(Debug)]
struct Past {
    /// With their ticks, which ascend.
    rows: VecDeque<(f64, Box<[u8]>)>,
    /// The time between them, in ticks, smoothed.
    beat: f64,
    /// By how much more than others it is drawn late, in ticks, and when it was drawn last.
    delay: f64,
    drawn: f64,
}

impl Interpolation {
    pub(crate) fn new(blend: Blend) -> Self {
        Self { blend, pasts: HashMap::new() }
    }

    /// The entity has a row since `tick`; what was before does not matter.
    pub(crate) fn insert(&mut self, entity: EntityId, tick: u64, row: &[u8]) {
        let rows = VecDeque::from([(tick as f64, row.into())]);
        self.pasts.insert(entity, Past { rows, beat: 1.0, delay: 0.0, drawn: f64::NEG_INFINITY });
    }

    /// The entity's row has changed.
    pub(crate) fn update(&mut self, entity: EntityId, tick: u64, row: &[u8]) {
        match self.pasts.get_mut(&entity) {
            Some(past) => past.push(tick as f64, row),
            None => self.insert(entity, tick, row),
        }
    }

    pub(crate) fn remove(&mut self, entity: EntityId) {
        self.pasts.remove(&entity);
    }

    pub(crate) fn clear(&mut self) {
        self.pasts.clear();
    }

    pub(crate) fn entities(&self) -> Vec<EntityId> {
        self.pasts.keys().copied().collect()
    }

    /// The entity's row at `tick`, but for the delay of its own; `None` when it is not known.
    pub(crate) fn sample(&mut self, entity: EntityId, tick: f64) -> Option<Vec<u8>> {
        let past = self.pasts.get_mut(&entity)?;
        let moment = tick - past.delay(tick);
        let later = past.rows.partition_point(|(at, _)| *at <= moment);
        let (from, to, part) = match later {
            0 => (0, 0, 0.0),
            later if later < past.rows.len() => {
                let (from, to) = (past.rows[later - 1].0, past.rows[later].0);
                (later - 1, later, (moment - from) / (to - from))
            }
            // News is overdue.
            last => {
                let from = last.saturating_sub(2);
                let (start, end) = (past.rows[from].0, past.rows[last - 1].0);
                let span = end - start;
                (from, last - 1, if span > 0.0 { 1.0 + ahead(moment - end, span) / span } else { 1.0 })
            }
        };
        Some(self.blend.between(&past.rows[from].1, &past.rows[to].1, part))
    }
}

/// How many ticks a movement goes on when news is overdue by `over`: for as long as the time between the last rows, and then back,
/// for what says nothing more has come to rest.
fn ahead(over: f64, span: f64) -> f64 {
    if span > BEAT_MAX {
        return 0.0;
    }
    let most = span.min(AHEAD_TICKS_MAX);
    over.min(2.0 * most - over).max(0.0)
}

impl Past {
    fn push(&mut self, tick: f64, row: &[u8]) {
        let last = self.rows.back().map_or(tick, |(at, _)| *at);
        if tick <= last {
            // A second change within the tick: only its outcome counts.
            self.rows.pop_back();
            self.rows.push_back((last, row.into()));
            return;
        }
        let gap = tick - last;
        if gap > BEAT_MAX {
            // It stood until shortly before.
            let stood = self.rows.back().map(|(_, row)| (tick - self.beat.min(gap / 2.0), row.clone()));
            self.rows.extend(stood);
        } else {
            let weight = if gap > self.beat { 0.5 } else { 0.15 };
            self.beat += (gap - self.beat) * weight;
        }
        self.rows.push_back((tick, row.into()));
        while self.rows.len() > ROWS_KEPT_MAX {
            self.rows.pop_front();
        }
    }

    /// The delay follows the beat, but evenly, so that nothing jumps.
    fn delay(&mut self, tick: f64) -> f64 {
        let want = (self.beat - 1.0).max(0.0);
        let passed = tick - self.drawn;
        self.delay = if (0.0..=BEAT_MAX).contains(&passed) {
            self.delay + (want - self.delay).clamp(-passed * SLEW, passed * SLEW)
        } else {
            want
        };
        self.drawn = tick;
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use evertick_schema::{FieldDef, Type};
    use proptest::prelude::*;

    use super::*;

    const ONE: EntityId = EntityId(1);

    fn interpolation() -> Interpolation {
        Interpolation::new(Blend::new(&[FieldDef::new("x", Type::F32)]))
    }

    fn x(interpolation: &mut Interpolation, tick: f64) -> f32 {
        let row = interpolation.sample(ONE, tick).unwrap();
        f32::from_le_bytes(*row.first_chunk().unwrap())
    }

    #[test]
    fn rows_are_drawn_between_ticks_and_overdue_ones_go_on_and_come_back() {
        let mut past = interpolation();
        assert_eq!(past.sample(ONE, 1.0), None);
        past.insert(ONE, 10, &0.0_f32.to_le_bytes());
        past.update(ONE, 11, &10.0_f32.to_le_bytes());
        let drawn: Vec<_> =
            [9.0, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5, 13.0, 99.0].map(|tick| x(&mut past, tick)).into();
        assert_eq!(drawn, [0.0, 0.0, 5.0, 10.0, 15.0, 20.0, 15.0, 10.0, 10.0]);
        past.update(ONE, 111, &20.0_f32.to_le_bytes());
        assert_eq!((x(&mut past, 109.9), x(&mut past, 110.5)), (10.0, 15.0), "it stood");
        past.remove(ONE);
        assert_eq!(past.sample(ONE, 110.0), None);
    }

    proptest! {
        /// Something moves evenly and is told of every `beat` ticks, some of it lost: what is drawn never goes back and
        /// is never ahead of the truth by more than the bound.
        #[test]
        fn what_moves_evenly_is_drawn_evenly(beat in 1u64..5, lost in prop::collection::vec(any::<bool>(), 60)) {
            let mut past = interpolation();
            past.insert(ONE, 0, &0.0_f32.to_le_bytes());
            let mut before = 0.0;
            let mut missed = false;
            for tick in 1..60 * beat {
                // At most one in a row is lost.
                if tick % beat == 0 {
                    missed = !missed && lost[(tick / beat) as usize];
                    if !missed {
                        past.update(ONE, tick, &(tick as f32).to_le_bytes());
                    }
                }
                for part in 0..4 {
                    let drawn = tick as f64 + f64::from(part) / 4.0 - 3.0 - beat as f64;
                    let now = x(&mut past, drawn);
                    prop_assert!(now >= before - 1e-3, "{before} then {now} at {drawn}");
                    prop_assert!(f64::from(now) <= tick as f64 + AHEAD_TICKS_MAX);
                    before = now;
                }
            }
            prop_assert!(past.pasts[&ONE].rows.len() <= ROWS_KEPT_MAX);
            prop_assert!(f64::from(before) > 59.0 * beat as f64 - 20.0);
        }
    }
}
