//! Prediction: what the own inputs do is shown at once, not when the server has told of it.
//!
//! Inputs are kept by tick. What the server says of tick T is the truth of that tick: the prediction goes back to it and does the
//! inputs behind T again. Where that differs from what was shown, the difference is taken back over 100 ms.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use evertick_schema::Row;

use crate::blend::Blend;

/// Inputs that are kept; a server that is so far behind has lost us.
const INPUTS_KEPT_MAX: usize = 64;

/// Over how long an error is taken back.
const SMOOTH_TIME: Duration = Duration::from_millis(100);

/// An error beyond this length, in the row's units, is a jump: what is shown follows at once.
const SNAP_DISTANCE: f64 = 5.0;

/// A row of which the server says nothing for so many ticks has not changed in between, although inputs came.
const QUIET_TICKS: u64 = 6;

pub(crate) type Step<T, C> = Box<dyn FnMut(&mut T, &C, f32) + Send>;

/// One row's prediction. It reads no clock.
pub(crate) struct Prediction<T, C> {
    step: Step<T, C>,
    blend: Blend,
    seconds: f32,
    base: Option<T>,
    base_tick: u64,
    inputs: VecDeque<Input<T, C>>,
    /// Which tick was shown last, and when.
    shown: Option<(f64, Duration)>,
    /// What of that is an error yet, and since when.
    error: Option<(Vec<f64>, Duration)>,
    correction: f64,
}

struct Input<T, C> {
    tick: u64,
    call: C,
    /// The row after it.
    after: T,
}

impl<T: Row, C> Prediction<T, C> {
    pub(crate) fn new(step: Step<T, C>, blend: Blend, seconds: f32) -> Self {
        Self {
            step,
            blend,
            seconds,
            base: None,
            base_tick: 0,
            inputs: VecDeque::new(),
            shown: None,
            error: None,
            correction: 0.0,
        }
    }

    /// How far the last correction moved what is foretold, in the row's units.
    pub(crate) fn correction(&self) -> f64 {
        self.correction
    }

    /// An input of ours is for `tick`.
    pub(crate) fn input(&mut self, tick: u64, call: C) {
        let Some(mut after) = self.inputs.back().map(|input| &input.after).or(self.base.as_ref()).cloned()
        else {
            return;
        };
        let before = self.foretold();
        (self.step)(&mut after, &call, self.seconds);
        self.inputs.push_back(Input { tick, call, after });
        if self.inputs.len() > INPUTS_KEPT_MAX {
            self.inputs.pop_front();
        }
        self.settle(before);
    }

    /// The server has said all up to `newest_tick`; `changed` is the row if that brought it, `None` when it says nothing new of it.
    pub(crate) fn follow(&mut self, newest_tick: u64, changed: Option<T>) {
        let quiet = self.base_tick.max(newest_tick.saturating_sub(QUIET_TICKS));
        let (base, tick) = match changed {
            Some(row) => (Some(row), newest_tick.max(self.base_tick)),
            None if quiet > self.base_tick => (self.base.take(), quiet),
            None => return,
        };
        let before = self.foretold();
        (self.base, self.base_tick) = (base, tick);
        self.inputs.retain(|input| input.tick > tick);
        if let Some(base) = &self.base {
            let mut row = base.clone();
            for input in &mut self.inputs {
                (self.step)(&mut row, &input.call, self.seconds);
                input.after = row.clone();
            }
        }
        self.correction = self.settle(before);
    }

    /// The row is out of sight, or another session begins.
    pub(crate) fn clear(&mut self) {
        self.inputs.clear();
        (self.base, self.shown, self.error, self.base_tick) = (None, None, None, 0);
    }

    /// The row as of `tick` (with fraction), less what of an error is left at `now`.
    pub(crate) fn get(&mut self, tick: f64, now: Duration) -> Option<Vec<u8>> {
        let row = self.at(tick)?;
        self.shown = Some((tick, now));
        Some(self.smoothed(row, now))
    }

    fn smoothed(&self, row: Vec<u8>, now: Duration) -> Vec<u8> {
        let Some((off, since)) = &self.error else { return row };
        let left = 1.0 - now.saturating_sub(*since).as_secs_f64() / SMOOTH_TIME.as_secs_f64();
        if left > 0.0 { self.blend.moved(&row, off, left) } else { row }
    }

    /// What was shown last: as it was foretold, and as it looked.
    fn foretold(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (tick, now) = self.shown?;
        let row = self.at(tick)?;
        Some((row.clone(), self.smoothed(row, now)))
    }

    /// Makes what is shown go on from what was shown before. Returns by how much it would have jumped.
    fn settle(&mut self, before: Option<(Vec<u8>, Vec<u8>)>) -> f64 {
        let (Some((tick, now)), Some((foretold, looked))) = (self.shown, before) else { return 0.0 };
        let Some(after) = self.at(tick) else { return 0.0 };
        // What was left of an earlier error is taken back with this one.
        let off = self.blend.difference(&looked, &after);
        let size = Blend::size(&off);
        self.error = (size > 0.0 && size <= SNAP_DISTANCE).then_some((off, now));
        Blend::size(&self.blend.difference(&foretold, &after))
    }

    fn at(&self, tick: f64) -> Option<Vec<u8>> {
        let whole = tick.floor();
        let (mut from, mut to) = (self.base.as_ref()?, self.base.as_ref()?);
        for input in &self.inputs {
            if input.tick as f64 <= whole {
                from = &input.after;
            }
            if input.tick as f64 <= whole + 1.0 {
                to = &input.after;
            }
        }
        let (mut start, mut end) = (Vec::new(), Vec::new());
        from.encode(&mut start);
        to.encode(&mut end);
        Some(self.blend.between(&start, &end, tick - whole))
    }
}

impl<T, C> fmt::Debug for Prediction<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prediction").field("inputs", &self.inputs.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use evertick_schema::{Field, FieldDef, RowDef, RowError, RowKind, RowReader, RowWriter};
    use proptest::prelude::*;

    use super::*;

    /// Where something is on a line.
    #[derive(Clone, Debug, PartialEq)]
    struct Place(f32);

    impl Row for Place {
        const NAME: &'static str = "Place";
        const SIZE: usize = 4;
        const FLAT: bool = true;

        fn def() -> RowDef {
            RowDef::new("Place", RowKind::Component, vec![FieldDef::new("x", f32::ty())])
        }

        fn encode(&self, out: &mut Vec<u8>) {
            self.0.write(&mut RowWriter::new(out, 4), 0);
        }

        fn decode(bytes: &[u8]) -> Result<Self, RowError> {
            Ok(Self(Field::read(&RowReader::new(bytes), 0)?))
        }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn walk(place: &mut Place, way: &f32, seconds: f32) {
        place.0 += way * seconds;
    }

    fn prediction() -> Prediction<Place, f32> {
        Prediction::new(Box::new(walk), Blend::new(&Place::def().fields), 1.0)
    }

    fn shown(prediction: &mut Prediction<Place, f32>, tick: f64, now: Duration) -> f32 {
        Place::decode(&prediction.get(tick, now).unwrap()).unwrap().0
    }

    #[test]
    fn inputs_are_seen_at_once_and_errors_fade() {
        let mut place = prediction();
        assert_eq!(place.get(1.0, ms(0)), None);
        place.follow(10, Some(Place(0.0)));
        (11..15).for_each(|tick| place.input(tick, 1.0));
        assert_eq!(shown(&mut place, 13.0, ms(0)), 3.0);
        assert_eq!(shown(&mut place, 13.5, ms(10)), 3.5);
        place.follow(11, Some(Place(1.0)));
        assert_eq!((place.correction(), shown(&mut place, 13.5, ms(10))), (0.0, 3.5), "as foretold");
        // Something was in the way, which the client did not know.
        place.follow(12, Some(Place(1.0)));
        assert_eq!((place.correction(), shown(&mut place, 13.5, ms(10))), (1.0, 3.5));
        assert_eq!(shown(&mut place, 13.5, ms(60)), 3.0);
        assert_eq!(shown(&mut place, 13.5, ms(110)), 2.5);
        // Too far to be smoothed.
        place.follow(13, Some(Place(100.0)));
        assert_eq!(shown(&mut place, 14.0, ms(110)), 101.0);
        place.clear();
        assert_eq!(place.get(14.0, ms(120)), None);
    }

    proptest! {
        /// The server does the same with the inputs that reach it, and tells of it a while later: at the end the two are one, and
        /// no more is kept than the bound.
        #[test]
        fn it_comes_to_what_the_server_has(
            ways in prop::collection::vec(-1.0f32..1.0, 20..200), late in 1u64..8, lost in prop::collection::vec(0u32..10, 200),
        ) {
            let mut place = prediction();
            let mut truth = Place(0.0);
            let mut told = vec![truth.clone()];
            place.follow(0, Some(truth.clone()));
            let ticks = ways.len() as u64;
            for tick in 1..=ticks + late {
                if let Some(way) = ways.get(tick as usize - 1) {
                    place.input(tick, *way);
                    if lost[tick as usize - 1] != 0 {
                        walk(&mut truth, way, 1.0);
                    }
                }
                told.push(truth.clone());
                if let Some(known) = tick.checked_sub(late) {
                    place.follow(known, Some(told[known as usize].clone()));
                }
                let now = ms(tick * 50);
                let here = shown(&mut place, tick as f64, now);
                prop_assert!((here - truth.0).abs() <= 64.0, "{here} {truth:?}");
                prop_assert!(place.inputs.len() <= INPUTS_KEPT_MAX);
            }
            let end = ms((ticks + late) * 50 + 200);
            place.follow(ticks, Some(truth.clone()));
            prop_assert_eq!(shown(&mut place, (ticks + late) as f64, end), truth.0);
        }
    }
}
