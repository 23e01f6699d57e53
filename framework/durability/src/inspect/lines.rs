//! What a record holds, in lines.

use evertick_schema::{EntityId, FieldDef, ModuleDescription, SessionId, Timestamp};
use evertick_world::{Call, Caller, RandomState, RowId, TimedCall, TimerOp, World};

use super::{InspectFilter, LINES_MAX, show};
use crate::record::{CauseRef, Header, Malformed, Numbers, Visit};

/// Gathers the lines of one record.
pub(super) struct Lines<'a> {
    world: &'a World,
    modules: &'a [ModuleDescription],
    filter: &'a InspectFilter,
    header: Option<Header>,
    lines: Vec<String>,
    more: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(world: &'a World, modules: &'a [ModuleDescription], filter: &'a InspectFilter) -> Self {
        Self { world, modules, filter, header: None, lines: Vec::new(), more: 0 }
    }

    pub(super) fn finish(mut self) -> Option<(Header, Vec<String>)> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        Some((self.header?, self.lines))
    }

    fn add(&mut self, line: impl FnOnce() -> String) -> Result<(), Malformed> {
        if self.lines.len() < LINES_MAX {
            self.lines.push(line());
        } else {
            self.more += 1;
        }
        Ok(())
    }

    /// A line that no filter asks for.
    fn add_unfiltered(&mut self, line: impl FnOnce() -> String) -> Result<(), Malformed> {
        if self.filter.is_none() { self.add(line) } else { Ok(()) }
    }

    fn wants_row(&self, row: RowId, entity: EntityId) -> bool {
        let InspectFilter { row: wanted, entity: of, reducer } = self.filter;
        let by_row = wanted.as_ref().is_none_or(|wanted| self.row_name(row) == wanted);
        let by_entity = of.is_none_or(|of| of == entity);
        by_row && by_entity && (reducer.is_none() || wanted.is_some() || of.is_some())
    }

    fn wants_reducer(&self, name: &str) -> bool {
        match &self.filter.reducer {
            Some(wanted) => name == wanted,
            None => self.filter.is_none(),
        }
    }

    fn row_name(&self, row: RowId) -> &'a str {
        self.world.row_types().get(row.index()).map_or("an unknown row type", |row| &row.name)
    }

    fn fields(&self, row: RowId) -> &'a [FieldDef] {
        self.world.row_types().get(row.index()).map_or(&[], |row| &row.def.fields)
    }

    fn call(&self, module: u16, reducer: u32, args: &[u8]) -> (String, String) {
        let module = self.modules.get(usize::from(module));
        match module.and_then(|module| Some((module, module.reducers.get(reducer as usize)?))) {
            Some((module, reducer)) => {
                (format!("{}.{}", module.name, reducer.name), show::row(&reducer.params, args))
            }
            None => (format!("reducer {reducer}"), show::row(&[], args)),
        }
    }
}

fn who(caller: &Caller) -> String {
    let Caller { identity, session, roles } = caller;
    match (identity.is_some(), *session) {
        (false, SessionId::NONE) => "the server".to_owned(),
        _ if roles.is_empty() => format!("{identity} (session {})", session.0),
        _ => format!("{identity} (session {}, {})", session.0, roles.join(", ")),
    }
}

impl Visit for Lines<'_> {
    type Error = Malformed;

    fn header(&mut self, header: Header) -> Result<(), Malformed> {
        self.header = Some(header);
        Ok(())
    }

    fn cause(&mut self, time: Timestamp, cause: CauseRef<'_>) -> Result<(), Malformed> {
        let at = time.0;
        match cause {
            CauseRef::Init => self.add_unfiltered(|| format!("because {at} µs init")),
            CauseRef::Upgrade => self.add_unfiltered(|| format!("because {at} µs upgrade")),
            CauseRef::Tick => self.add_unfiltered(|| format!("because {at} µs tick")),
            CauseRef::Connect(caller) => {
                self.add_unfiltered(|| format!("because {at} µs connect {}", who(caller)))
            }
            CauseRef::Disconnect(caller) => {
                self.add_unfiltered(|| format!("because {at} µs disconnect {}", who(caller)))
            }
            CauseRef::Call(Call { module, reducer, args, caller })
            | CauseRef::Input(Call { module, reducer, args, caller }) => {
                let (name, args) = self.call(module, reducer, args);
                let did = if matches!(cause, CauseRef::Input(_)) { "sent the input" } else { "called" };
                match self.wants_reducer(&name) {
                    true => self.add(|| format!("because {at} µs {} {did} {name}{args}", who(caller))),
                    false => Ok(()),
                }
            }
        }
    }

    fn put(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), Malformed> {
        if !self.wants_row(row, entity) {
            return Ok(());
        }
        let (name, fields) = (self.row_name(row), self.fields(row));
        self.add(|| format!("put {entity} {name}{}", show::row(fields, bytes)))
    }

    fn patch(&mut self, row: RowId, entity: EntityId, mask: u64, fields: &[u8]) -> Result<(), Malformed> {
        if !self.wants_row(row, entity) {
            return Ok(());
        }
        let (name, defs) = (self.row_name(row), self.fields(row));
        self.add(|| format!("set {entity} {name}{}", show::patch(defs, mask, fields)))
    }

    fn remove(&mut self, row: RowId, entity: EntityId) -> Result<(), Malformed> {
        if !self.wants_row(row, entity) {
            return Ok(());
        }
        let name = self.row_name(row);
        self.add(|| format!("remove {entity} {name}"))
    }

    fn timer(&mut self, op: TimerOp) -> Result<(), Malformed> {
        match op {
            TimerOp::Set(timer) => {
                let TimedCall { module, reducer, args } = &timer.call;
                let (name, args) = self.call(*module, *reducer, args);
                match self.wants_reducer(&name) {
                    true => {
                        self.add(|| format!("timer {} at {} µs calls {name}{args}", timer.id.0, timer.at.0))
                    }
                    false => Ok(()),
                }
            }
            TimerOp::Gone(id) => self.add_unfiltered(|| format!("timer {} is gone", id.0)),
        }
    }

    fn opened(&mut self, caller: &Caller) -> Result<(), Malformed> {
        self.add_unfiltered(|| format!("opened {}", who(caller)))
    }

    fn closed(&mut self, session: SessionId) -> Result<(), Malformed> {
        self.add_unfiltered(|| format!("closed session {}", session.0))
    }

    fn random(&mut self, state: RandomState) -> Result<(), Malformed> {
        self.add_unfiltered(|| format!("random {state:?}"))
    }

    fn numbers(&mut self, numbers: Numbers) -> Result<(), Malformed> {
        let Numbers { commit, tick, entities, timers, sessions } = numbers;
        self.add_unfiltered(|| {
            format!(
                "numbers: commit {commit}, tick {tick}, entity {entities}, timer {timers}, session {sessions}"
            )
        })
    }

    fn generation(&mut self, generation: u64) -> Result<(), Malformed> {
        self.add_unfiltered(|| format!("generation {generation}"))
    }

    fn check_delta(&mut self, checksum: u32) -> Result<(), Malformed> {
        self.add_unfiltered(|| format!("delta {checksum:08x}"))
    }

    fn check_run(&mut self, name: &str, checksum: u32) -> Result<(), Malformed> {
        match self.wants_reducer(name) {
            true => self.add(|| format!("ran {name} {checksum:08x}")),
            false => Ok(()),
        }
    }
}
