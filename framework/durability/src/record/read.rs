//! Reading records.

use evertick_schema::{EntityId, SessionId, Timestamp};
use evertick_world::{Caller, DueTimer, RandomState, RowId, TimedCall, TimerId, TimerOp};

use super::bytes::{Input, Malformed};
use super::causes::{CauseRef, caller, read_caller, read_causes};
use super::effects::read_rows;
use super::write::{SESSION_CLOSED, SESSION_OPENED, TIMER_GONE, TIMER_SET};
use super::{Header, Numbers, RecordKind, Section, Shapes};

/// What is told what a record holds, in its order. What somebody does not want to know is ignored.
#[allow(unused_variables, reason = "the names say what the arguments are")]
pub(crate) trait Visit {
    /// Why it stops.
    type Error: From<Malformed>;

    fn header(&mut self, header: Header) -> Result<(), Self::Error> {
        Ok(())
    }
    fn cause(&mut self, time: Timestamp, cause: CauseRef<'_>) -> Result<(), Self::Error> {
        Ok(())
    }
    /// A whole row, new or not.
    fn put(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    /// The changed fields of a flat row, one behind the other.
    fn patch(&mut self, row: RowId, entity: EntityId, mask: u64, fields: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    fn remove(&mut self, row: RowId, entity: EntityId) -> Result<(), Self::Error> {
        Ok(())
    }
    fn timer(&mut self, op: TimerOp) -> Result<(), Self::Error> {
        Ok(())
    }
    fn opened(&mut self, caller: &Caller) -> Result<(), Self::Error> {
        Ok(())
    }
    fn closed(&mut self, session: SessionId) -> Result<(), Self::Error> {
        Ok(())
    }
    fn random(&mut self, state: RandomState) -> Result<(), Self::Error> {
        Ok(())
    }
    /// Of a close exactly the next ones, else a bound of those that may be in use.
    fn numbers(&mut self, numbers: Numbers) -> Result<(), Self::Error> {
        Ok(())
    }
    fn generation(&mut self, generation: u64) -> Result<(), Self::Error> {
        Ok(())
    }
    /// The checksum of the whole delta.
    fn check_delta(&mut self, checksum: u32) -> Result<(), Self::Error> {
        Ok(())
    }
    /// The checksum of a transaction or a system's run.
    fn check_run(&mut self, name: &str, checksum: u32) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Reads the record that `bytes` are and tells `visit` what it holds.
pub(crate) fn read<V: Visit>(bytes: &[u8], shapes: &Shapes, visit: &mut V) -> Result<(), V::Error> {
    let mut input = Input::new(bytes);
    let tag = input.byte()?;
    let Some(kind) = RecordKind::from_tag(tag) else {
        return Ok(input.malformed("an unknown kind of record")?);
    };
    let header =
        Header { kind, commit: input.varint()?, tick: input.varint()?, time: Timestamp(input.signed()?) };
    visit.header(header)?;
    let mut callers: Vec<Caller> = Vec::new();
    while !input.is_empty() {
        let tag = input.byte()?;
        let Some(section) = Section::from_tag(tag) else {
            return Ok(input.malformed("an unknown section")?);
        };
        match section {
            Section::Callers => {
                let count = input.count()?;
                callers.clear();
                for _ in 0..count {
                    callers.push(read_caller(&mut input)?);
                }
            }
            Section::Causes => {
                read_causes(&mut input, &callers, header.time, |time, cause| visit.cause(time, cause))?;
            }
            Section::Rows => read_rows(&mut input, shapes, visit)?,
            Section::Timers => read_timers(&mut input, visit)?,
            Section::Sessions => read_sessions(&mut input, &callers, visit)?,
            Section::Random => visit.random(RandomState(input.array()?))?,
            Section::Numbers => visit.numbers(read_numbers(&mut input)?)?,
            Section::Generation => visit.generation(input.varint()?)?,
            Section::Checks => {
                visit.check_delta(u32::from_le_bytes(input.array()?))?;
                for _ in 0..input.count()? {
                    let name = input.text()?;
                    visit.check_run(name, u32::from_le_bytes(input.array()?))?;
                }
            }
        }
    }
    Ok(())
}

fn read_timers<V: Visit>(input: &mut Input<'_>, visit: &mut V) -> Result<(), V::Error> {
    for _ in 0..input.count()? {
        let op = match input.byte()? {
            TIMER_SET => TimerOp::Set(read_timer(input)?),
            TIMER_GONE => TimerOp::Gone(TimerId(input.varint()?)),
            _ => return Ok(input.malformed("an unknown change of a timer")?),
        };
        visit.timer(op)?;
    }
    Ok(())
}

fn read_sessions<V: Visit>(input: &mut Input<'_>, callers: &[Caller], visit: &mut V) -> Result<(), V::Error> {
    for _ in 0..input.count()? {
        match input.byte()? {
            SESSION_OPENED => visit.opened(caller(input, callers)?)?,
            SESSION_CLOSED => visit.closed(SessionId(input.varint()?))?,
            _ => return Ok(input.malformed("an unknown change of a session")?),
        }
    }
    Ok(())
}

pub(super) fn read_timer(input: &mut Input<'_>) -> Result<DueTimer, Malformed> {
    let (id, at) = (TimerId(input.varint()?), Timestamp(input.signed()?));
    let (module, reducer) = (input.small()?, input.small()?);
    Ok(DueTimer { id, at, call: TimedCall { module, reducer, args: input.blob()?.to_vec() } })
}

pub(super) fn read_numbers(input: &mut Input<'_>) -> Result<Numbers, Malformed> {
    let mut fields = [0; 5];
    for field in &mut fields {
        *field = input.varint()?;
    }
    Ok(Numbers::from_fields(fields))
}
