//! What the world was after each commit, kept the obvious way.

use std::collections::{BTreeMap, BTreeSet};

use evertick_schema::{EntityId, SessionId, StorageClass, Timestamp};
use evertick_world::{Counters, RandomState, RowId, Simulation, TimedCall, TimerId};

use super::game::CHECKPOINT_US;

type Rows = BTreeMap<(RowId, EntityId), Vec<u8>>;

/// The world after a commit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    time: Timestamp,
    durable: Rows,
    checkpoint: Rows,
    timers: BTreeMap<TimerId, (Timestamp, TimedCall)>,
    random: RandomState,
    sessions: BTreeSet<SessionId>,
}

impl State {
    pub(super) fn of(simulation: &Simulation, time: Timestamp, sessions: &BTreeSet<SessionId>) -> Self {
        let world = simulation.world();
        let (mut durable, mut checkpoint) = (Rows::new(), Rows::new());
        for row in world.row_types() {
            let rows = match row.def.storage {
                StorageClass::Durable => &mut durable,
                StorageClass::Checkpoint { .. } => &mut checkpoint,
                StorageClass::Transient => continue,
            };
            rows.extend(world.scan(row.id).map(|(entity, bytes)| ((row.id, entity), bytes.to_vec())));
        }
        Self {
            time,
            durable,
            checkpoint,
            timers: world.timers().map(|(id, at, call)| (id, (at, call.clone()))).collect(),
            random: world.counters().random,
            sessions: sessions.clone(),
        }
    }

    /// What is not the same, in a few words.
    pub(super) fn differs(&self, found: &Self) -> String {
        let mut out = Vec::new();
        for (what, here, there) in
            [("durable", &self.durable, &found.durable), ("checkpoint", &self.checkpoint, &found.checkpoint)]
        {
            let keys: BTreeSet<_> = here.keys().chain(there.keys()).collect();
            for key in keys.into_iter().filter(|key| here.get(key) != there.get(key)) {
                out.push(format!("{what} {key:?} is {:?}, was {:?}", there.get(key), here.get(key)));
            }
        }
        let others = [
            ("timers", self.timers == found.timers),
            ("random", self.random == found.random),
            ("sessions", self.sessions == found.sessions),
        ];
        out.extend(others.iter().filter(|(_, same)| !same).map(|(what, _)| format!("{what} differ")));
        out.join("; ")
    }

    /// Whether all that is logged with its commit is the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.durable == other.durable
            && self.timers == other.timers
            && self.random == other.random
            && self.sessions == other.sessions
            && self.checkpoint.keys().eq(other.checkpoint.keys())
    }
}

/// All commits since the world was made, but for those that a crash has undone.
pub(super) struct History {
    /// By commit, with the log's entry that it waits for.
    states: Vec<(State, Option<u64>)>,
    /// What somebody has seen, confirmed or not: none may be used again.
    pub(super) seen: Seen,
}

/// The highest numbers that somebody has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) entity: u64,
    pub(super) timer: u64,
    pub(super) commit: u64,
    pub(super) tick: u64,
    pub(super) session: u64,
}

impl Seen {
    pub(super) fn add(&mut self, counters: &Counters, tick: u64, session: u64) {
        self.entity = self.entity.max(counters.entities);
        self.timer = self.timer.max(counters.timers);
        self.commit = self.commit.max(counters.seq);
        self.tick = self.tick.max(tick);
        self.session = self.session.max(session);
    }

    /// What is now counted must not have been before.
    pub(super) fn check(&self, counters: &Counters, tick: u64, next_session: u64) {
        assert!(counters.entities >= self.entity, "entity ids are used again");
        assert!(counters.timers >= self.timer, "timer ids are used again");
        assert!(counters.seq >= self.commit, "commit numbers are used again");
        assert!(tick >= self.tick, "tick numbers are used again");
        assert!(next_session > self.session, "session ids are used again");
    }
}

impl History {
    pub(super) fn new(first: State) -> Self {
        Self { states: vec![(first, None)], seen: Seen::default() }
    }

    /// Frames go out in order: who waits, waits for those before as well.
    pub(super) fn push(&mut self, state: State, synced_at: Option<u64>) {
        let before = self.states.iter().rev().find_map(|(_, at)| *at);
        self.states.push((state, synced_at.map(|at| at.max(before.unwrap_or(0)))));
    }

    /// The last commit that clients were told is safe.
    fn confirmed(&self, synced: u64) -> usize {
        let confirmed = |(_, at): &(State, Option<u64>)| at.is_some_and(|at| at <= synced);
        self.states.iter().rposition(confirmed).unwrap_or(0)
    }

    /// Checks that `found` is what the world was after some commit, not before the last one that was confirmed when
    /// the log was synced up to `synced`; with `exact`, after the last one. Forgets what came later.
    pub(super) fn recovered(&mut self, found: State, synced: u64, exact: bool) {
        let last = self.states.len() - 1;
        let from = if exact { last } else { self.confirmed(synced) };
        let at = (from..=last).rev().find(|at| self.matches(*at, &found, exact));
        let Some(at) = at else {
            let differs: Vec<String> = (from..=last)
                .map(|at| format!("\n  commit {at}: {}", self.states[at].0.differs(&found)))
                .collect();
            panic!(
                "the world is none that it was since commit {from}, which is confirmed:{}",
                differs.concat()
            );
        };
        self.states.truncate(at + 1);
        // What the new server says is another log.
        self.states.iter_mut().for_each(|(_, at)| *at = None);
        self.states.push((found, None));
    }

    fn matches(&self, at: usize, found: &State, exact: bool) -> bool {
        let (state, _) = &self.states[at];
        if exact {
            return state.is_like(found) && state.checkpoint == found.checkpoint;
        }
        // A row may be checkpointed by whole sweeps of pages, and a tick late.
        let oldest = state.time.0 - 2 * CHECKPOINT_US - 500_000;
        let recent = |key: &(RowId, EntityId), bytes: &Vec<u8>| {
            let back = self.states[..=at].iter().rev();
            let mut back = back.take_while(|(state, _)| state.time.0 >= oldest).chain(
                // What it was when that time began.
                self.states[..=at].iter().rev().find(|(state, _)| state.time.0 < oldest),
            );
            back.any(|(state, _)| state.checkpoint.get(key) == Some(bytes))
        };
        state.is_like(found) && found.checkpoint.iter().all(|(key, bytes)| recent(key, bytes))
    }
}
