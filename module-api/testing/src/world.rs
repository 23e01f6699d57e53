//! The world of a test: calls, time, and what it came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evertick_module::{Event, Module};
use evertick_schema::{
    Call, Duration, EntityId, Field, Identity, ModuleDescription, NoRefusal, Refusal, Row, RowReader,
    SessionId, Timestamp,
};
use evertick_world::{
    CallError, CallResult, Caller, Config, Fault, Focus, Guest, RowId, SessionWish, Simulation, World,
};

use crate::failure::CallFailure;
use crate::guest::NativeGuest;

/// The module's number in its simulation: it is the only one.
pub(crate) const MODULE: u16 = 0;

/// How a test's world is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The time between two ticks. 50 ms.
    pub tick: Duration,
    /// The time at which the world begins. 2026-01-01 00:00 UTC.
    pub start: Timestamp,
    /// Where random numbers start from. 0.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tick: Duration::from_millis(50), start: Timestamp(1_767_225_600_000_000), seed: 0 }
    }
}

/// Somebody who is connected to a [`TestWorld`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TestPlayer {
    /// Who they are.
    pub identity: Identity,
    /// Their connection.
    pub session: SessionId,
}

/// A connection's state.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    focus: Focus,
    groups: BTreeSet<u64>,
}

/// A module on a world, in a test. See the [crate's](crate) example.
#[derive(Debug)]
pub struct TestWorld {
    pub(crate) simulation: Simulation,
    pub(crate) description: ModuleDescription,
    /// The module, where it is linked in.
    pub(crate) module: Option<Module>,
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
    players: u64,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// The highest that was ever given out.
    last_session: SessionId,
    /// What the next tick runs first: at most one for each session and reducer, in their order.
    pub(crate) inputs: BTreeMap<(SessionId, u32), Vec<u8>>,
    /// Events that nobody has asked for yet, oldest first.
    pub(crate) events: Vec<(RowId, Box<[u8]>)>,
}

impl TestWorld {
    /// A new world with `module`; its `init` reducer has run.
    ///
    /// # Panics
    ///
    /// When anything is wrong with the module, or `init` fails.
    #[track_caller]
    pub fn new(module: Module) -> Self {
        Self::with(module, Settings::default())
    }

    /// A new world with `module` and these settings; its `init` reducer has run.
    ///
    /// # Panics
    ///
    /// When anything is wrong with the module, or `init` fails.
    #[track_caller]
    pub fn with(module: Module, settings: Settings) -> Self {
        let (description, guest) = Self::guest(&module);
        Self { module: Some(module), ..Self::over(description, Box::new(guest), settings) }
    }

    #[track_caller]
    pub(crate) fn guest(module: &Module) -> (ModuleDescription, NativeGuest) {
        let guest = NativeGuest::new(module, MODULE)
            .unwrap_or_else(|problems| panic!("module {}:\n{}", module.name(), problems.join("\n")));
        (guest.instance().description().clone(), guest)
    }

    /// A new world with the module that `guest` runs: for tests of a module as it ships, in WASM. Panics as [`TestWorld::new`]
    /// does.
    #[track_caller]
    pub fn over(description: ModuleDescription, guest: Box<dyn Guest>, settings: Settings) -> Self {
        let mut simulation = simulation(&description, guest, &settings);
        if let Err(error) = simulation.init(settings.start) {
            panic!("{error}");
        }
        let mut world = Self {
            simulation,
            description,
            module: None,
            settings,
            now: settings.start,
            players: 0,
            sessions: BTreeMap::new(),
            last_session: SessionId::NONE,
            inputs: BTreeMap::new(),
            events: Vec::new(),
        };
        world.commit();
        world
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The world itself, to read.
    pub fn world(&self) -> &World {
        self.simulation.world()
    }

    /// What the module says about itself.
    pub fn description(&self) -> &ModuleDescription {
        &self.description
    }

    /// Connects somebody new.
    ///
    /// # Panics
    ///
    /// When the module's `connect` reducer does not let them in.
    #[track_caller]
    pub fn connect(&mut self) -> TestPlayer {
        self.players += 1;
        let mut identity = Identity([0; 32]);
        identity.0[..8].copy_from_slice(&self.players.to_be_bytes());
        match self.connect_as::<NoRefusal>(identity, &[]) {
            Ok(player) => player,
            Err(failure) => panic!("can't connect: {failure}"),
        }
    }

    /// Connects `identity` with these roles; the refusal is that of the module's `connect` reducer.
    ///
    /// # Errors
    ///
    /// When the module does not let them in.
    pub fn connect_as<R: Refusal>(
        &mut self,
        identity: Identity,
        roles: &[&str],
    ) -> Result<TestPlayer, CallFailure<R>> {
        let session = SessionId(self.last_session.0 + 1);
        self.last_session = session;
        let roles: Arc<[String]> = roles.iter().map(|role| (*role).to_owned()).collect();
        let caller = Caller { identity, session, roles };
        self.sessions
            .insert(session, Session { caller: caller.clone(), focus: Focus::None, groups: BTreeSet::new() });
        let result = self.simulation.connect(&caller, self.now);
        self.commit();
        match self.outcome::<(), R>(result) {
            Ok(()) => Ok(TestPlayer { identity, session }),
            Err(failure) => {
                self.sessions.remove(&session);
                Err(failure)
            }
        }
    }

    /// Closes a connection; the module's `disconnect` reducer runs.
    ///
    /// # Panics
    ///
    /// When it is closed already, or the reducer panics.
    #[track_caller]
    pub fn disconnect(&mut self, player: TestPlayer) {
        let Some(session) = self.sessions.remove(&player.session) else {
            panic!("{player:?} is not connected");
        };
        self.simulation.disconnect(&session.caller, self.now);
        self.commit();
        let faults = self.simulation.take_faults();
        assert!(faults.is_empty(), "{}", in_words(&faults));
    }

    /// Calls a reducer, as a client would: `world.call(alice, gather::call(node))`. What it detaches runs too.
    ///
    /// # Errors
    ///
    /// The reducer's refusal, or why it did not run to its end.
    ///
    /// # Panics
    ///
    /// When the player is not connected.
    #[track_caller]
    pub fn call<C: Call>(
        &mut self,
        player: TestPlayer,
        call: C,
    ) -> Result<C::Output, CallFailure<C::Refusal>> {
        let Some(session) = self.sessions.get(&player.session) else {
            panic!("{player:?} is not connected");
        };
        let caller = session.caller.clone();
        self.call_by(&caller, &call)
    }

    /// Calls a reducer as the server does: private ones and those for any role too.
    ///
    /// # Errors
    ///
    /// The reducer's refusal, or why it did not run to its end.
    pub fn call_as_server<C: Call>(&mut self, call: C) -> Result<C::Output, CallFailure<C::Refusal>> {
        self.call_by(&Caller::default(), &call)
    }

    fn call_by<C: Call>(&mut self, caller: &Caller, call: &C) -> Result<C::Output, CallFailure<C::Refusal>> {
        let Some(reducer) = self.description.reducer(C::NAME) else {
            return Err(CallFailure::UnknownReducer);
        };
        let mut args = Vec::new();
        call.encode(&mut args);
        let call = evertick_world::Call { module: MODULE, reducer: reducer as u32, args: &args, caller };
        let result = self.simulation.call(&call, self.now);
        self.commit();
        self.outcome(result)
    }

    /// One tick: the time of one has passed, then timers that are due and systems run.
    ///
    /// # Panics
    ///
    /// When one of them does; see [`TestWorld::advance_with_faults`].
    #[track_caller]
    pub fn tick(&mut self) {
        self.advance(self.settings.tick);
    }

    /// Lets time pass, tick by tick; a part of a tick is left out.
    ///
    /// # Panics
    ///
    /// When a system, a timer or a detached call does, with its words and backtrace; see
    /// [`TestWorld::advance_with_faults`].
    #[track_caller]
    pub fn advance(&mut self, time: Duration) {
        let faults = self.advance_with_faults(time);
        assert!(faults.is_empty(), "{}", in_words(&faults));
    }

    /// Lets time pass, and gives back what failed meanwhile. As on the server, that stops nothing else.
    pub fn advance_with_faults(&mut self, time: Duration) -> Vec<Fault> {
        for _ in 0..time.0 / self.settings.tick.0 {
            self.now += self.settings.tick;
            self.run_inputs();
            self.simulation.tick(self.now);
            self.commit();
        }
        self.simulation.take_faults()
    }

    /// The events of type `T` since this was last asked, oldest first.
    ///
    /// # Panics
    ///
    /// When `T` is not a row of the module.
    #[track_caller]
    pub fn events<T: Event>(&mut self) -> Vec<T> {
        let row = self.row::<T>();
        let (asked, others) = std::mem::take(&mut self.events).into_iter().partition(|(of, _)| *of == row);
        self.events = others;
        asked.iter().map(|(_, bytes)| decode(bytes)).collect()
    }

    /// The entity of the player: the one with a `Player` row of their identity.
    pub fn player(&self, player: TestPlayer) -> Option<EntityId> {
        self.world().player(&player.identity)
    }

    /// What the player's session looks at.
    pub fn focus(&self, player: TestPlayer) -> Focus {
        self.sessions.get(&player.session).map_or(Focus::None, |session| session.focus)
    }

    /// The groups that the player's session has joined, ascending.
    pub fn groups(&self, player: TestPlayer) -> Vec<u64> {
        self.sessions
            .get(&player.session)
            .map_or_else(Vec::new, |session| session.groups.iter().copied().collect())
    }

    /// The world's number of row type `T`.
    #[track_caller]
    pub(crate) fn row<T: Row>(&self) -> RowId {
        match self.description.row(T::NAME) {
            Some(row) => self.simulation.rows(MODULE)[row],
            None => panic!("{} is not a row of module {}", T::NAME, self.description.name),
        }
    }

    /// Commits what has happened, and takes note of what is not stored.
    pub(crate) fn commit(&mut self) {
        let delta = self.simulation.commit(self.now);
        self.events.extend(delta.events.into_iter().map(|event| (event.row, event.bytes)));
        for op in delta.sessions {
            let Some(session) = self.sessions.get_mut(&op.session) else { continue };
            match op.wish {
                SessionWish::Focus(focus) => session.focus = focus,
                SessionWish::Join(group) => drop(session.groups.insert(group)),
                SessionWish::Leave(group) => drop(session.groups.remove(&group)),
            }
        }
    }

    fn outcome<T: Field, R: Refusal>(&mut self, result: CallResult) -> Result<T, CallFailure<R>> {
        match result {
            CallResult::Ok(bytes) => {
                Ok(T::read(&RowReader::new(&bytes), 0).expect("the world has checked the result"))
            }
            CallResult::Refused { variant, message, fields } => match R::decode(variant, &fields) {
                Some(refusal) => {
                    Err(CallFailure::Refused(refusal.expect("the world has checked the refusal")))
                }
                None => Err(internal(format!("refused, with a refusal of another type: {message}"))),
            },
            CallResult::Failed(CallError::UnknownReducer) => Err(CallFailure::UnknownReducer),
            CallResult::Failed(CallError::Forbidden | CallError::WrongKind(_)) => Err(CallFailure::Forbidden),
            CallResult::Failed(CallError::BadArguments(why)) => Err(CallFailure::BadArguments(why)),
            CallResult::Failed(CallError::Internal { id }) => {
                let fault = self.simulation.take_faults().into_iter().find(|fault| fault.id == id);
                Err(match fault {
                    Some(Fault { fault, .. }) => {
                        CallFailure::Internal { message: fault.message, backtrace: fault.backtrace }
                    }
                    None => internal(format!("internal error {id}")),
                })
            }
        }
    }
}

/// A simulation of the module that `guest` runs, in which nothing has happened yet.
#[track_caller]
pub(crate) fn simulation(
    description: &ModuleDescription,
    guest: Box<dyn Guest>,
    settings: &Settings,
) -> Simulation {
    let modules = vec![evertick_world::Module { description: description.clone(), guest }];
    let config = Config { seed: settings.seed, ..Config::default() };
    match Simulation::new(config, settings.tick, modules) {
        Ok(simulation) => simulation,
        Err(error) => panic!("module {}: {error}", description.name),
    }
}

fn internal<R>(message: String) -> CallFailure<R> {
    CallFailure::Internal { message, backtrace: String::new() }
}

/// Reads a row that the world stores.
pub(crate) fn decode<T: Row>(bytes: &[u8]) -> T {
    T::decode(bytes).expect("the world has checked the row")
}

pub(crate) fn in_words(faults: &[Fault]) -> String {
    let words =
        faults.iter().map(|Fault { name, fault, .. }| format!("{name}: {fault}\n{}", fault.backtrace));
    words.collect::<Vec<_>>().join("\n")
}
