//! Plays the game on a disk that fails, ends the server in every way, and looks at what is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use evertick_schema::{Identity, SessionId, Timestamp};
use evertick_world::{Call, CallResult, Caller, Counters, Simulation};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::chance;
use super::game::{self, REDUCERS};
use super::history::{History, State};
use super::ports::SteppedPorts;
use crate::journal::{DurabilityConfig, Journal};
use crate::log::{DamageKind, LogConfig};
use crate::record::CauseRef;
use crate::recover::{OpenError, open_with};
use crate::storage::simulated::{Faults, SimulatedStorage};

/// One disk and all that happens to it.
pub(super) struct Driver {
    seed: u64,
    random: Pcg64,
    storage: SimulatedStorage,
    history: Option<History>,
    clock: Timestamp,
    /// Up to where the log was synced when the last server ended.
    synced: u64,
    /// What the last server counted when it ended cleanly.
    closed: Option<Counters>,
    next_session: u64,
}

/// A server that runs.
struct Server {
    simulation: Simulation,
    journal: Journal,
    ports: SteppedPorts,
    sessions: BTreeSet<SessionId>,
    /// Commits that nobody has been shown yet: what they wait for, and what they count.
    unseen: Vec<(u64, Counters, u64)>,
}

fn config() -> DurabilityConfig {
    DurabilityConfig {
        log: LogConfig { segment_bytes: 32 << 10, ..LogConfig::default() },
        snapshot_log_bytes: 48 << 10,
        snapshot_rows_per_slice: 5,
        snapshot_slice_time: Duration::MAX,
        ..DurabilityConfig::default()
    }
}

impl Driver {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Pcg64::seed_from_u64(seed),
            storage: SimulatedStorage::new(seed),
            history: None,
            clock: Timestamp(1_700_000_000_000_000),
            synced: 0,
            closed: None,
            next_session: 1,
        }
    }

    fn below(&mut self, below: u64) -> u64 {
        self.random.next_u64() % below
    }

    fn chance(&mut self, part: f64) -> bool {
        chance(&mut self.random, part)
    }

    /// Runs so many servers one after the other.
    pub(super) fn run(mut self, lives: usize) {
        for _ in 0..lives {
            self.live();
        }
        // Whatever happened, a disk that works again brings the world back.
        self.storage.set_faults(Faults::default());
        let server = self.open().expect("a disk that works");
        server.simulation.world().check().unwrap();
    }

    fn faults(&mut self) -> Faults {
        if self.chance(0.4) {
            return Faults::default();
        }
        let part = |random: &mut Pcg64, most: f64| if chance(random, 0.5) { most } else { 0.0 };
        let random = &mut self.random;
        Faults {
            short_write: part(random, 0.3),
            write_error: part(random, 0.02),
            sync_error: part(random, 0.03),
            directory_error: part(random, 0.02),
            capacity_bytes: chance(random, 0.1).then_some(400_000),
            power_off_after: chance(random, 0.5).then(|| random.next_u64() % 600),
        }
    }

    fn live(&mut self) {
        let faults = self.faults();
        self.storage.set_faults(faults);
        if let Some(mut server) = self.open() {
            for _ in 0..self.below(50) + 1 {
                if !self.step(&mut server) {
                    break;
                }
            }
            self.end(server);
        } else {
            self.storage = self.storage.crash();
        }
        if self.chance(0.1) {
            // Somebody sets the clock back.
            self.clock = Timestamp(self.clock.0 - self.below(5_000_000) as i64);
        }
    }

    /// Opens what the disk has; `None` when the disk did not let it.
    fn open(&mut self) -> Option<Server> {
        let ports = SteppedPorts::new(Pcg64::seed_from_u64(self.random.next_u64()));
        let mut simulation = game::simulation(self.seed);
        let opened = open_with(
            Box::new(ports.clone()),
            Arc::new(self.storage.clone()),
            config(),
            &mut simulation,
            self.clock,
            &mut |_| {},
            Box::new(|_| {}),
        );
        let (journal, opened) = match opened {
            Ok(opened) => opened,
            Err(OpenError::Log(_) | OpenError::Directory { .. }) => return None,
            Err(OpenError::Damaged(damage)) if matches!(damage.kind, DamageKind::Unreadable(_)) => {
                return None;
            }
            Err(error) => panic!("what a crash left is not taken for what it is: {error}"),
        };
        assert!(opened.time >= self.clock);
        simulation.world().check().unwrap();
        let sessions: BTreeSet<SessionId> = opened.sessions.iter().map(|caller| caller.session).collect();
        let found = State::of(&simulation, opened.time, &sessions);
        let counters = simulation.world().counters();
        match &mut self.history {
            Some(history) => {
                assert!(!opened.fresh, "there was a world");
                history.recovered(found, self.synced, self.closed.is_some());
                history.seen.check(&counters, simulation.tick_number(), opened.next_session);
            }
            None => self.history = Some(History::new(found)),
        }
        if let Some(closed) = self.closed.take() {
            assert_eq!(counters, closed, "a clean end says exactly where to go on");
        }
        self.clock = opened.time;
        self.next_session = opened.next_session;
        let mut server = Server { simulation, journal, ports, sessions, unseen: Vec::new() };
        for caller in opened.sessions {
            self.disconnect(&mut server, &caller);
        }
        self.commit(&mut server);
        Some(server)
    }

    /// Does something; `false` when the server can't go on.
    fn step(&mut self, server: &mut Server) -> bool {
        if server.journal.is_failing() {
            // As a host does: nothing is taken until the disk works. Somebody may repair it.
            if self.chance(0.3) {
                self.storage.set_faults(Faults::default());
            }
            self.write(server);
            server.journal.slice(&server.simulation);
            return !self.storage.is_off();
        }
        self.clock.0 += self.below(30_000) as i64;
        for _ in 0..self.below(4) + 1 {
            self.act(server);
        }
        self.commit(server);
        if self.chance(0.7) {
            self.tick(server);
        }
        if self.chance(0.6) {
            self.write(server);
        }
        !self.storage.is_off()
    }

    fn act(&mut self, server: &mut Server) {
        match self.below(20) {
            0 if server.sessions.len() < 5 => {
                let session = SessionId(self.next_session);
                self.next_session += 1;
                let caller = caller(session);
                server.journal.cause(self.clock, CauseRef::Connect(&caller));
                assert_eq!(server.simulation.connect(&caller, self.clock), CallResult::Ok(vec![]));
                server.journal.opened(&caller);
                server.sessions.insert(session);
            }
            1 => {
                if let Some(session) = server.sessions.first().copied() {
                    self.disconnect(server, &caller(session));
                }
            }
            2 => server.journal.snapshot(),
            _ => {
                let args: Vec<u8> = (0..3).flat_map(|_| self.random.next_u64().to_le_bytes()).collect();
                let reducer = self.below(REDUCERS) as u32;
                let caller = caller(server.sessions.last().copied().unwrap_or_default());
                let call = Call { module: 0, reducer, args: &args, caller: &caller };
                server.journal.cause(self.clock, CauseRef::Call(call));
                let result = server.simulation.call(&call, self.clock);
                assert!(!matches!(result, CallResult::Failed(_)), "{result:?}");
            }
        }
    }

    fn disconnect(&mut self, server: &mut Server, caller: &Caller) {
        server.journal.cause(self.clock, CauseRef::Disconnect(caller));
        server.simulation.disconnect(caller, self.clock);
        server.journal.closed(caller.session);
        server.sessions.remove(&caller.session);
    }

    fn tick(&mut self, server: &mut Server) {
        self.clock.0 += 50_000;
        server.journal.cause(self.clock, CauseRef::Tick);
        server.simulation.tick(self.clock);
        self.commit(server);
        server.journal.slice(&server.simulation);
    }

    fn commit(&mut self, server: &mut Server) {
        let delta = server.simulation.commit(self.clock);
        let commit = server.journal.commit(&mut server.simulation, &delta);
        server.simulation.world_mut().recycle(delta);
        assert!(server.simulation.take_faults().is_empty());
        let history = self.history.as_mut().expect("a server runs");
        let state = State::of(&server.simulation, self.clock, &server.sessions);
        history.push(state, commit.synced_at);
        let counters = server.simulation.world().counters();
        server.unseen.push((commit.synced_at.unwrap_or(0), counters, server.simulation.tick_number()));
        self.show(server);
    }

    /// Shows clients what they may see.
    fn show(&mut self, server: &mut Server) {
        let synced = server.journal.synced();
        let history = self.history.as_mut().expect("a server runs");
        let session = self.next_session - 1;
        server.unseen.retain(|(at, counters, tick)| {
            let shown = *at <= synced;
            if shown {
                history.seen.add(counters, *tick, session);
            }
            !shown
        });
    }

    /// Lets the log write.
    fn write(&mut self, server: &mut Server) {
        let log = server.ports.log();
        for _ in 0..self.below(6) {
            log.lock().unwrap().step(&mut self.random);
        }
        self.show(server);
    }

    fn end(&mut self, server: Server) {
        let Server { simulation, journal, .. } = server;
        self.synced = journal.synced();
        match self.below(10) {
            0..3 if !self.storage.is_off() && !journal.is_failing() => {
                let counters = simulation.world().counters();
                match journal.close(&simulation) {
                    Ok(()) => self.closed = Some(counters),
                    // What was synced meanwhile was told to nobody.
                    Err(_) => self.closed = None,
                }
                self.storage = self.storage.crash();
            }
            3..6 => {
                self.storage = self.storage.kill();
                drop(journal);
            }
            _ => {
                self.storage = self.storage.crash();
                drop(journal);
            }
        }
    }
}

fn caller(session: SessionId) -> Caller {
    Caller { identity: Identity([session.0 as u8; 32]), session, ..Caller::default() }
}
