//! A system's command buffer: what it wants changed after its run.
//!
//! The buffer is a guest's own bytes, so all of it is checked before any of it counts: [`CommandRules::check`]
//! turns down the whole run for one bad byte. [`parse`] then reads it a second time to apply it. Neither allocates,
//! neither panics, and both end: each record takes at least one byte off the buffer.

use evertick_schema::{EntityId, FieldDef, RowError, RowKind, RowLayout, Timestamp, check_fields, check_row};
use thiserror::Error;

use crate::guest::GuestFault;
use crate::row::RowId;

/// The most bytes of commands that one run may give back: 64 MiB.
pub const COMMAND_BYTES_MAX: usize = 64 << 20;

/// One command. Row and reducer numbers are the module's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'buf> {
    Spawn { rows: SpawnRows<'buf> },
    Set { entity: EntityId, row: u32, bytes: &'buf [u8] },
    Remove { entity: EntityId, row: u32 },
    Despawn { entity: EntityId },
    Emit { row: u32, bytes: &'buf [u8] },
    Insert { row: u32, bytes: &'buf [u8] },
    After { at: Timestamp, reducer: u32, args: &'buf [u8] },
    Detached { reducer: u32, args: &'buf [u8] },
}

/// Why a command buffer is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CommandError {
    #[error("it ends within the record at byte {at}")]
    Short { at: usize },
    #[error("byte {at} is {op}, which is no command")]
    Op { at: usize, op: u8 },
    #[error("{len} bytes where {COMMAND_BYTES_MAX} is the most")]
    TooLong { len: usize },
    #[error("there is no row type {row}")]
    NoRow { row: u32 },
    #[error("{what} can't be done with {name}, which is {kind}")]
    Kind { what: &'static str, name: String, kind: &'static str },
    #[error("the system has neither `Commands` nor write access to {name}")]
    Undeclared { name: String },
    #[error("the system has no `Commands` parameter")]
    NoCommands,
    #[error("a row of {name}: {error}")]
    Row { name: String, error: RowError },
    #[error("there is no reducer {reducer}")]
    NoReducer { reducer: u32 },
    #[error("arguments of {name}: {error}")]
    Args { name: String, error: RowError },
}

impl From<CommandError> for GuestFault {
    fn from(error: CommandError) -> Self {
        Self::bad_output(format!("the command buffer is malformed: {error}"))
    }
}

/// The rows of one spawn command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpawnRows<'buf> {
    records: &'buf [u8],
}

impl<'buf> SpawnRows<'buf> {
    /// Row number and bytes of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &'buf [u8])> + use<'buf> {
        let mut rest = Cursor { bytes: self.records, at: 0 };
        std::iter::from_fn(move || {
            let row = rest.u32().ok()?;
            Some((row, rest.blob().ok()?))
        })
    }
}

/// Reads a buffer's commands. After an error there are no more.
pub(crate) fn parse(buffer: &[u8]) -> impl Iterator<Item = Result<Command<'_>, CommandError>> {
    let mut rest = Cursor { bytes: buffer, at: 0 };
    std::iter::from_fn(move || {
        if rest.at == rest.bytes.len() {
            return None;
        }
        let command = rest.command();
        if command.is_err() {
            rest.at = rest.bytes.len();
        }
        Some(command)
    })
}

/// What a module's commands are checked against.
#[derive(Debug)]
pub(crate) struct CommandRules {
    /// The module's row types.
    pub(crate) rows: Vec<RowRule>,
    /// The names and parameters of its reducers.
    pub(crate) reducers: Vec<(String, Vec<FieldDef>)>,
}

/// What a row type's commands are checked against.
#[derive(Debug)]
pub(crate) struct RowRule {
    pub(crate) id: RowId,
    pub(crate) name: String,
    pub(crate) kind: RowKind,
    pub(crate) layout: RowLayout,
}

/// What one system may command.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandRights {
    /// Anything: it has a `Commands` parameter.
    pub(crate) all: bool,
    /// To set rows of these types: variable rows that it has `&mut` access to come back as commands.
    pub(crate) set: Vec<RowId>,
}

impl CommandRules {
    /// The world's number of the module's row type `row`, which was checked.
    pub(crate) fn row_id(&self, row: u32) -> Option<RowId> {
        self.rows.get(row as usize).map(|rule| rule.id)
    }

    /// Checks all of `buffer`.
    pub(crate) fn check(&self, buffer: &[u8], rights: &CommandRights) -> Result<(), CommandError> {
        if buffer.len() > COMMAND_BYTES_MAX {
            return Err(CommandError::TooLong { len: buffer.len() });
        }
        parse(buffer).try_for_each(|command| self.check_command(command?, rights))
    }

    fn check_command(&self, command: Command<'_>, rights: &CommandRights) -> Result<(), CommandError> {
        if !rights.all && !matches!(command, Command::Set { .. }) {
            return Err(CommandError::NoCommands);
        }
        match command {
            Command::Spawn { rows } => rows.iter().try_for_each(|(row, bytes)| {
                let rule = self.rule(row)?;
                rule.expect("spawning", matches!(rule.kind, RowKind::Component))?;
                rule.check(bytes)
            }),
            Command::Set { row, bytes, .. } => {
                let rule = self.rule(row)?;
                if !rights.all && !rights.set.contains(&rule.id) {
                    return Err(CommandError::Undeclared { name: rule.name.clone() });
                }
                rule.expect("setting", rule.kind != RowKind::Event)?;
                rule.check(bytes)
            }
            Command::Remove { row, .. } => {
                let rule = self.rule(row)?;
                rule.expect("removing", rule.kind != RowKind::Event)
            }
            Command::Despawn { .. } => Ok(()),
            Command::Emit { row, bytes } => {
                let rule = self.rule(row)?;
                rule.expect("emitting", rule.kind == RowKind::Event)?;
                rule.check(bytes)
            }
            Command::Insert { row, bytes } => {
                let rule = self.rule(row)?;
                rule.expect("inserting", matches!(rule.kind, RowKind::Table { .. } | RowKind::Resource))?;
                rule.check(bytes)
            }
            Command::After { reducer, args, .. } | Command::Detached { reducer, args } => {
                self.check_args(reducer, args)
            }
        }
    }

    fn rule(&self, row: u32) -> Result<&RowRule, CommandError> {
        self.rows.get(row as usize).ok_or(CommandError::NoRow { row })
    }

    fn check_args(&self, reducer: u32, args: &[u8]) -> Result<(), CommandError> {
        let (name, params) =
            self.reducers.get(reducer as usize).ok_or(CommandError::NoReducer { reducer })?;
        check_fields(params, args).map_err(|error| CommandError::Args { name: name.clone(), error })
    }
}

impl RowRule {
    fn check(&self, bytes: &[u8]) -> Result<(), CommandError> {
        check_row(&self.layout, bytes).map_err(|error| CommandError::Row { name: self.name.clone(), error })
    }

    fn expect(&self, what: &'static str, fits: bool) -> Result<(), CommandError> {
        if fits {
            return Ok(());
        }
        let kind = match self.kind {
            RowKind::Component => "a component",
            RowKind::Table { .. } => "a table",
            RowKind::Resource => "a resource",
            RowKind::Event => "an event",
        };
        Err(CommandError::Kind { what, name: self.name.clone(), kind })
    }
}

/// Where reading stands.
struct Cursor<'buf> {
    bytes: &'buf [u8],
    at: usize,
}

impl<'buf> Cursor<'buf> {
    fn command(&mut self) -> Result<Command<'buf>, CommandError> {
        let at = self.at;
        let [op] = self.array()?;
        Ok(match op {
            0 => Command::Spawn { rows: self.spawn_rows()? },
            1 => Command::Set { entity: self.entity()?, row: self.u32()?, bytes: self.blob()? },
            2 => Command::Remove { entity: self.entity()?, row: self.u32()? },
            3 => Command::Despawn { entity: self.entity()? },
            4 => Command::Emit { row: self.u32()?, bytes: self.blob()? },
            5 => Command::Insert { row: self.u32()?, bytes: self.blob()? },
            6 => Command::After {
                at: Timestamp(i64::from_le_bytes(self.array()?)),
                reducer: self.u32()?,
                args: self.blob()?,
            },
            7 => Command::Detached { reducer: self.u32()?, args: self.blob()? },
            _ => return Err(CommandError::Op { at, op }),
        })
    }

    fn spawn_rows(&mut self) -> Result<SpawnRows<'buf>, CommandError> {
        let count = self.u32()?;
        let start = self.at;
        for _ in 0..count {
            self.u32()?;
            self.blob()?;
        }
        Ok(SpawnRows { records: &self.bytes[start..self.at] })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CommandError> {
        let array = self.bytes[self.at..].first_chunk().ok_or(CommandError::Short { at: self.at })?;
        self.at += N;
        Ok(*array)
    }

    fn u32(&mut self) -> Result<u32, CommandError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn entity(&mut self) -> Result<EntityId, CommandError> {
        Ok(EntityId(u64::from_le_bytes(self.array()?)))
    }

    /// A length and so many bytes.
    fn blob(&mut self) -> Result<&'buf [u8], CommandError> {
        let len = self.u32()? as usize;
        let blob = self.bytes[self.at..].get(..len).ok_or(CommandError::Short { at: self.at })?;
        self.at += len;
        Ok(blob)
    }
}

#[cfg(test)]
#[path = "commands_tests.rs"]
mod tests;
