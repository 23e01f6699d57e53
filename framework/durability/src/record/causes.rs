//! Why a commit came about: what the server was asked to do, in order.

use std::sync::Arc;

use evertick_schema::{Identity, SessionId, Timestamp};
use evertick_world::{Call, Caller};
use hashbrown::HashMap;

use super::Section;
use super::bytes::{Input, Malformed, put_blob, put_signed, put_varint};

/// One thing that the simulation was told to do.
#[derive(Clone, Copy, Debug)]
pub enum CauseRef<'a> {
    /// The init reducers ran.
    Init,
    /// The upgrade reducers ran.
    Upgrade,
    /// The connect reducers ran for a session.
    Connect(&'a Caller),
    /// A reducer was called.
    Call(Call<'a>),
    /// An input reducer ran for the tick that follows.
    Input(Call<'a>),
    /// The disconnect reducers ran for a session.
    Disconnect(&'a Caller),
    /// A tick ran: timers, then systems.
    Tick,
}

const INIT: u8 = 0;
const UPGRADE: u8 = 1;
const CONNECT: u8 = 2;
const CALL: u8 = 3;
const DISCONNECT: u8 = 4;
const TICK: u8 = 5;
const INPUT: u8 = 6;

/// The causes of the next commit and the callers in them, encoded as they come. Memory is used again; there is as
/// much of it as the host does between two commits, which its batches bound.
#[derive(Debug, Default)]
pub(crate) struct CauseBuffer {
    count: u64,
    bytes: Vec<u8>,
    first: Timestamp,
    last: Timestamp,
    callers: Callers,
}

impl CauseBuffer {
    /// Cost: some 20 ns and the arguments' bytes; a caller is looked up when it is not the last one.
    pub(crate) fn push(&mut self, time: Timestamp, cause: CauseRef<'_>) {
        if self.count == 0 {
            (self.first, self.last) = (time, time);
        }
        self.count += 1;
        let start = self.bytes.len();
        self.bytes.push(TICK);
        put_signed(&mut self.bytes, time.since(self.last).0);
        self.last = time;
        let tag = match cause {
            CauseRef::Init => INIT,
            CauseRef::Upgrade => UPGRADE,
            CauseRef::Tick => TICK,
            CauseRef::Connect(caller) => {
                put_varint(&mut self.bytes, self.callers.index(caller));
                CONNECT
            }
            CauseRef::Disconnect(caller) => {
                put_varint(&mut self.bytes, self.callers.index(caller));
                DISCONNECT
            }
            CauseRef::Call(call) | CauseRef::Input(call) => {
                put_varint(&mut self.bytes, self.callers.index(call.caller));
                put_varint(&mut self.bytes, u64::from(call.module));
                put_varint(&mut self.bytes, u64::from(call.reducer));
                put_blob(&mut self.bytes, call.args);
                if matches!(cause, CauseRef::Call(_)) { CALL } else { INPUT }
            }
        };
        self.bytes[start] = tag;
    }

    /// The caller's place in the record's dictionary.
    pub(crate) fn caller(&mut self, caller: &Caller) -> u64 {
        self.callers.index(caller)
    }

    /// Appends the dictionary and the causes; `time` is that of the record's header.
    pub(crate) fn write(&self, out: &mut Vec<u8>, time: Timestamp) {
        if !self.callers.list.is_empty() {
            out.push(Section::Callers.tag());
            put_varint(out, self.callers.list.len() as u64);
            out.extend_from_slice(&self.callers.bytes);
        }
        if self.count > 0 {
            out.push(Section::Causes.tag());
            put_varint(out, self.count);
            put_signed(out, self.first.since(time).0);
            out.extend_from_slice(&self.bytes);
        }
    }

    /// Forgets everything and keeps the memory, unless it is a lot.
    pub(crate) fn clear(&mut self) {
        const KEEP_BYTES: usize = 4 << 20;
        self.count = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BYTES);
        self.callers.clear();
    }
}

/// Each caller once, in the order of first use.
#[derive(Debug, Default)]
struct Callers {
    bytes: Vec<u8>,
    list: Vec<Caller>,
    /// Where a session's caller is in the list. The server's own calls all have no session.
    by_session: HashMap<SessionId, usize>,
    last: usize,
}

impl Callers {
    fn index(&mut self, caller: &Caller) -> u64 {
        if self.list.get(self.last).is_none_or(|last| !is_same(last, caller)) {
            self.last = self.find(caller);
        }
        self.last as u64
    }

    fn find(&mut self, caller: &Caller) -> usize {
        let fresh = self.list.len();
        let at = *self.by_session.entry(caller.session).or_insert(fresh);
        if at < fresh && is_same(&self.list[at], caller) {
            return at;
        }
        // Several callers with one session: the server and operators, who have none.
        if at < fresh
            && let Some(at) = self.list.iter().position(|known| is_same(known, caller))
        {
            return at;
        }
        write_caller(&mut self.bytes, caller);
        self.list.push(caller.clone());
        fresh
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.list.clear();
        self.by_session.clear();
        self.last = 0;
    }
}

#[inline]
fn is_same(a: &Caller, b: &Caller) -> bool {
    a.session == b.session
        && a.identity == b.identity
        && (Arc::ptr_eq(&a.roles, &b.roles) || a.roles == b.roles)
}

pub(super) fn write_caller(out: &mut Vec<u8>, caller: &Caller) {
    put_varint(out, caller.session.0);
    out.push(u8::from(caller.identity.is_some()));
    if caller.identity.is_some() {
        out.extend_from_slice(&caller.identity.0);
    }
    put_varint(out, caller.roles.len() as u64);
    caller.roles.iter().for_each(|role| put_blob(out, role.as_bytes()));
}

pub(super) fn read_caller(input: &mut Input<'_>) -> Result<Caller, Malformed> {
    let session = SessionId(input.varint()?);
    let identity = match input.byte()? {
        0 => Identity::NONE,
        1 => Identity(input.array()?),
        _ => return input.malformed("neither an identity nor none"),
    };
    let roles = input.count()?;
    let roles: Result<Vec<String>, Malformed> = (0..roles).map(|_| Ok(input.text()?.to_owned())).collect();
    Ok(Caller { identity, session, roles: roles?.into() })
}

/// Reads causes, the first of which is at `time` plus what stands there.
pub(super) fn read_causes<E: From<Malformed>>(
    input: &mut Input<'_>,
    callers: &[Caller],
    time: Timestamp,
    mut visit: impl FnMut(Timestamp, CauseRef<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let count = input.count()?;
    let mut time = Timestamp(time.0.saturating_add(input.signed()?));
    for _ in 0..count {
        let tag = input.byte()?;
        time = Timestamp(time.0.saturating_add(input.signed()?));
        let cause = match tag {
            INIT => CauseRef::Init,
            UPGRADE => CauseRef::Upgrade,
            TICK => CauseRef::Tick,
            CONNECT => CauseRef::Connect(caller(input, callers)?),
            DISCONNECT => CauseRef::Disconnect(caller(input, callers)?),
            CALL | INPUT => {
                let caller = caller(input, callers)?;
                let (module, reducer) = (input.small()?, input.small()?);
                let call = Call { module, reducer, args: input.blob()?, caller };
                if tag == CALL { CauseRef::Call(call) } else { CauseRef::Input(call) }
            }
            _ => return Ok(input.malformed("an unknown cause")?),
        };
        visit(time, cause)?;
    }
    Ok(())
}

pub(super) fn caller<'c>(input: &mut Input<'_>, callers: &'c [Caller]) -> Result<&'c Caller, Malformed> {
    let index: usize = input.small()?;
    callers.get(index).map_or_else(|| input.malformed("a caller that is not in the record"), Ok)
}
