//! Inputs that wait for their tick.
//!
//! A client sends what its player does for a tick to come, again and again, so it may come twice, late or not at all. For each
//! session and input reducer, at most one input runs at a tick: the newest that is due and newer than all that ran before.

use std::collections::BTreeMap;

use evertick_durability::CauseRef;
use evertick_schema::{FieldDef, ModuleDescription, ReducerKind, SessionId, Timestamp, Type};
use evertick_world::{Call, CallResult};

use crate::host::Host;

/// How many ticks ahead an input may be; further ones are dropped and counted.
pub(crate) const INPUT_TICKS_MAX: u64 = 16;

/// The inputs of all sessions. At most sessions × input reducers × ([`INPUT_TICKS_MAX`] + 1) of them.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// By reducer number: the parameters of those that are inputs.
    params: Vec<Option<Vec<FieldDef>>>,
    sessions: BTreeMap<SessionId, BTreeMap<u32, Lane>>,
}

/// The inputs of one session for one reducer.
#[derive(Debug, Default)]
struct Lane {
    /// By tick. Of those that are late there is only the newest.
    waiting: BTreeMap<u64, Box<[u8]>>,
    /// The tick of the last that ran.
    ran: u64,
}

/// What became of an input that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It waits for its tick.
    Waits,
    /// It is there already, or a newer one ran.
    Old,
    /// It is too far ahead.
    Early,
    /// No such input, or arguments that are no finite values of the parameters.
    Bad,
}

/// An input that is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) session: SessionId,
    pub(crate) reducer: u32,
    /// The tick it was for.
    pub(crate) tick: u64,
    pub(crate) args: Box<[u8]>,
}

impl Inputs {
    pub(crate) fn new(description: &ModuleDescription) -> Self {
        let input = |kind| kind == ReducerKind::Input;
        let reducers = description.reducers.iter();
        let params = reducers.map(|reducer| input(reducer.kind).then(|| reducer.params.clone())).collect();
        Self { params, sessions: BTreeMap::new() }
    }

    /// Takes an input in; `now` is the last tick that ran.
    pub(crate) fn take(
        &mut self,
        session: SessionId,
        reducer: u32,
        tick: u64,
        args: &[u8],
        now: u64,
    ) -> Taken {
        let Some(Some(params)) = self.params.get(reducer as usize) else { return Taken::Bad };
        if !are_finite(params, args) {
            return Taken::Bad;
        }
        if tick > now.saturating_add(INPUT_TICKS_MAX) {
            return Taken::Early;
        }
        let lane = self.sessions.entry(session).or_default().entry(reducer).or_default();
        let newest_late = lane.waiting.range(..=now).next_back().map_or(0, |(tick, _)| *tick);
        if tick <= lane.ran || (tick <= now && tick <= newest_late) || lane.waiting.contains_key(&tick) {
            return Taken::Old;
        }
        if tick <= now {
            lane.waiting.retain(|waiting, _| *waiting > now);
        }
        lane.waiting.insert(tick, args.into());
        Taken::Waits
    }

    /// What runs at `tick`, by session and reducer. What it has overtaken is forgotten.
    pub(crate) fn due(&mut self, tick: u64) -> Vec<Due> {
        let mut due = Vec::new();
        for (session, lanes) in &mut self.sessions {
            for (reducer, lane) in lanes {
                let mut newest = None;
                while let Some(entry) = lane.waiting.first_entry().filter(|entry| *entry.key() <= tick) {
                    newest = Some(entry.remove_entry());
                }
                if let Some((for_tick, args)) = newest {
                    lane.ran = for_tick;
                    due.push(Due { session: *session, reducer: *reducer, tick: for_tick, args });
                }
            }
        }
        due
    }

    /// Forgets a session that is gone.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }
}

impl Host {
    /// Keeps an input until its tick.
    pub(crate) fn take_input(&mut self, session: SessionId, reducer: u32, tick: u64, args: &[u8]) {
        // An input may still be on its way when its session closes.
        if !self.sessions.contains_key(&session) {
            return;
        }
        let taken = self.inputs.take(session, reducer, tick, args, self.simulation.tick_number());
        match taken {
            Taken::Waits => {}
            Taken::Old => self.metrics.inputs_old.add(1),
            Taken::Early => self.metrics.inputs_early.add(1),
            Taken::Bad => self.metrics.inputs_bad.add(1),
        }
    }

    /// Runs what is due at the tick that comes, each input its own transaction.
    pub(crate) fn run_inputs(&mut self, now: Timestamp) {
        let tick = self.simulation.tick_number() + 1;
        for Due { session, reducer, tick: for_tick, args } in self.inputs.due(tick) {
            let Some(caller) = self.sessions.get(&session).cloned() else { continue };
            let call = Call { module: 0, reducer, args: &args, caller: &caller };
            self.disk.cause(now, CauseRef::Input(call));
            self.metrics.inputs_late.add(u64::from(for_tick < tick));
            match self.simulation.input(&call, now) {
                CallResult::Ok(_) => self.metrics.inputs_run.add(1),
                CallResult::Refused { .. } | CallResult::Failed(_) => self.metrics.inputs_refused.add(1),
            }
        }
    }
}

/// Whether `args` are as many bytes as the flat `params` take, without floats that are infinite or no number.
fn are_finite(params: &[FieldDef], args: &[u8]) -> bool {
    let mut rest = args;
    params.iter().all(|param| take_finite(&param.ty, &mut rest)) && rest.is_empty()
}

fn take_finite(ty: &Type, rest: &mut &[u8]) -> bool {
    match ty {
        Type::Array(of, len) => (0..*len).all(|_| take_finite(of, rest)),
        Type::Struct(of) => of.fields.iter().all(|field| take_finite(&field.ty, rest)),
        _ => {
            let Some((bytes, behind)) = rest.split_at_checked(ty.size() as usize) else { return false };
            *rest = behind;
            match ty {
                Type::F64 => bytes.as_chunks().0.iter().all(|float| f64::from_le_bytes(*float).is_finite()),
                Type::F32 | Type::Vec2 | Type::Vec3 | Type::Vec4 | Type::Quat => {
                    bytes.as_chunks().0.iter().all(|float| f32::from_le_bytes(*float).is_finite())
                }
                _ => true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SESSION: SessionId = SessionId(7);

    fn inputs(params: Vec<FieldDef>) -> Inputs {
        Inputs { params: vec![None, Some(params)], sessions: BTreeMap::new() }
    }

    fn byte() -> Inputs {
        inputs(vec![FieldDef::new("x", Type::U8)])
    }

    fn ran(inputs: &mut Inputs, tick: u64) -> Vec<(u64, u8)> {
        inputs.due(tick).iter().map(|due| (due.tick, due.args[0])).collect()
    }

    #[test]
    fn an_input_runs_once_at_its_tick() {
        let mut inputs = byte();
        assert_eq!(inputs.take(SESSION, 1, 12, &[1], 10), Taken::Waits);
        assert_eq!(inputs.take(SESSION, 1, 12, &[2], 10), Taken::Old);
        assert_eq!(ran(&mut inputs, 11), []);
        assert_eq!(ran(&mut inputs, 12), [(12, 1)]);
        assert_eq!(inputs.take(SESSION, 1, 12, &[1], 12), Taken::Old);
        assert_eq!(ran(&mut inputs, 13), []);
    }

    #[test]
    fn a_late_one_runs_unless_a_newer_one_has() {
        let mut inputs = byte();
        assert_eq!(inputs.take(SESSION, 1, 8, &[8], 10), Taken::Waits);
        assert_eq!(inputs.take(SESSION, 1, 9, &[9], 10), Taken::Waits);
        assert_eq!(inputs.take(SESSION, 1, 8, &[8], 10), Taken::Old);
        assert_eq!(ran(&mut inputs, 11), [(9, 9)]);
        assert_eq!(inputs.take(SESSION, 1, 9, &[9], 11), Taken::Old);
        assert_eq!(inputs.take(SESSION, 1, 10, &[10], 11), Taken::Waits);
        assert_eq!(inputs.take(SESSION, 1, 12, &[12], 11), Taken::Waits);
        assert_eq!(ran(&mut inputs, 12), [(12, 12)]);
    }

    #[test]
    fn what_is_no_input_is_refused() {
        let mut inputs = inputs(vec![FieldDef::new("at", Type::Vec2), FieldDef::new("run", Type::U8)]);
        let args = |x: f32| [&x.to_le_bytes()[..], &[0; 4], &[1]].concat();
        for (reducer, tick, args) in [
            (0, 1, args(1.0)),
            (2, 1, args(1.0)),
            (1, 11, args(f32::NAN)),
            (1, 11, args(f32::INFINITY)),
            (1, 11, vec![0; 8]),
            (1, 11, vec![0; 10]),
        ] {
            assert_eq!(inputs.take(SESSION, reducer, tick, &args, 10), Taken::Bad);
        }
        for tick in [11 + INPUT_TICKS_MAX, u64::MAX] {
            assert_eq!(inputs.take(SESSION, 1, tick, &args(1.0), 10), Taken::Early);
        }
        assert_eq!(inputs.take(SESSION, 1, 10 + INPUT_TICKS_MAX, &args(1.0), 10), Taken::Waits);
        inputs.forget(SESSION);
        assert_eq!(inputs.due(100), []);
    }

    #[test]
    fn sessions_run_in_the_order_of_their_numbers() {
        let mut inputs = byte();
        for session in [3, 1, 2] {
            inputs.take(SessionId(session), 1, 5, &[session as u8], 4);
        }
        assert_eq!(ran(&mut inputs, 5), [(5, 1), (5, 2), (5, 3)]);
    }

    proptest! {
        /// Of all that ever came, the newest that is due and newer than the last that ran, as it came first.
        #[test]
        fn as_the_obvious_buffer(steps in prop::collection::vec(prop_oneof![
            2 => (0_u64..30, any::<u8>()).prop_map(Some),
            1 => Just(None),
        ], 0..200)) {
            let (mut inputs, mut now, mut last) = (byte(), 8, 0);
            let mut all: Vec<(u64, u8)> = Vec::new();
            for step in steps {
                if let Some((ahead, value)) = step {
                    let tick = now + ahead - 8;
                    let taken = inputs.take(SESSION, 1, tick, &[value], now);
                    let too_far = tick > now + INPUT_TICKS_MAX;
                    prop_assert_eq!(taken == Taken::Early, too_far);
                    if !too_far {
                        all.push((tick, value));
                    }
                    continue;
                }
                now += 1;
                let newest = all.iter().map(|(tick, _)| *tick).filter(|tick| *tick <= now && *tick > last).max();
                let want = newest.and_then(|newest| all.iter().find(|(tick, _)| *tick == newest)).copied();
                prop_assert_eq!(ran(&mut inputs, now), want.into_iter().collect::<Vec<_>>());
                last = want.map_or(last, |(tick, _)| tick);
                let waiting = inputs.sessions.values().flat_map(|lanes| lanes.values()).map(|lane| lane.waiting.len());
                prop_assert!(waiting.sum::<usize>() as u64 <= INPUT_TICKS_MAX + 1);
            }
        }
    }
}
