//! What comes through the inbox: sessions that open and close, and their calls.

use evertick_durability::CauseRef;
use evertick_protocol::{
    CallOutcome, CallReply, Close, CloseCode, FailCode, Ingress, QueryOutcome, QueryReply, SessionFrame,
};
use evertick_schema::{SessionId, Timestamp};
use evertick_world::{Call, CallError, CallResult, Caller};
use hashbrown::HashMap;

use crate::host::Host;

impl Host {
    pub(crate) fn receive(&mut self, message: Ingress<'_>, now: Timestamp) {
        match message {
            Ingress::Open { session, identity, roles } => {
                self.open(session, Caller { identity, session, roles }, now);
            }
            Ingress::Call { session, seq, reducer, args } => {
                // A call may still be on its way when its session closes.
                let Some(caller) = self.sessions.get(&session).cloned() else { return };
                let result = self.call(&caller, reducer, args, now);
                self.interest.reply(session, CallReply { seq, result });
            }
            Ingress::Close { session } => self.close(session, now),
            Ingress::Subscribe { session, query, text } => self.interest.subscribe(session, query, text),
            Ingress::Unsubscribe { session, query } => self.interest.unsubscribe(session, query),
            Ingress::Input { session, reducer, tick, args } => self.take_input(session, reducer, tick, args),
            Ingress::Resync { session, topics } => self.interest.resync(session, topics),
        }
    }

    /// Answers a message while nothing may change; what is to be said goes `aside`, because frames may be held.
    pub(crate) fn turn_away(&mut self, message: Ingress<'_>, aside: &mut HashMap<SessionId, SessionFrame>) {
        let why = self.disk.trouble().unwrap_or_default();
        match message {
            Ingress::Open { session, .. } => {
                let message = format!("the server's disk fails ({why}); connect again in a while");
                aside.entry(session).or_default().close = Some(Close { code: CloseCode::Internal, message });
                self.metrics.sessions_refused.add(1);
            }
            Ingress::Call { session, seq, .. } if self.sessions.contains_key(&session) => {
                let message =
                    format!("the server's disk fails ({why}); nothing has changed, try again in a while");
                let result = CallOutcome::Failed { code: FailCode::Storage, message, id: 0 };
                aside.entry(session).or_default().results.push(CallReply { seq, result });
                self.metrics.calls_failed.add(1);
            }
            Ingress::Call { .. } => {}
            Ingress::Close { session } => {
                let caller = self.forget(session);
                self.disk.departed(caller);
            }
            Ingress::Subscribe { session, query, .. } => {
                let message = format!("the server's disk fails ({why}); ask again in a while");
                let outcome = QueryOutcome::Refused { message };
                aside.entry(session).or_default().queries.push(QueryReply { query, outcome });
            }
            Ingress::Unsubscribe { session, query } => self.interest.unsubscribe(session, query),
            Ingress::Resync { session, topics } => self.interest.resync(session, topics),
            Ingress::Input { .. } => self.metrics.inputs_turned_away.add(1),
        }
    }

    fn open(&mut self, session: SessionId, caller: Caller, now: Timestamp) {
        // Open first, for the focus and the groups that the connect reducer gives it.
        self.interest.open(session, caller.identity);
        let refusal = if self.sessions.len() < self.config.sessions_max {
            self.disk.cause(now, CauseRef::Connect(&caller));
            match self.simulation.connect(&caller, now) {
                CallResult::Ok(_) => None,
                CallResult::Refused { message, .. } => Some((CloseCode::Unauthorized, message)),
                CallResult::Failed(error) => Some((CloseCode::Internal, error.to_string())),
            }
        } else {
            Some((CloseCode::Unauthorized, "the world is full; try again later".to_owned()))
        };
        match refusal {
            None => {
                self.disk.opened(&caller);
                self.sessions.insert(session, caller);
            }
            Some((code, message)) => {
                self.metrics.sessions_refused.add(1);
                self.interest.reject(session, code, message);
            }
        }
        self.count_sessions();
    }

    fn close(&mut self, session: SessionId, now: Timestamp) {
        let Some(caller) = self.forget(session) else { return };
        self.see_off(&caller, now);
    }

    /// Runs the disconnect reducers of a session that is gone.
    pub(crate) fn see_off(&mut self, caller: &Caller, now: Timestamp) {
        self.disk.cause(now, CauseRef::Disconnect(caller));
        self.simulation.disconnect(caller, now);
        self.disk.closed(caller.session);
    }

    fn forget(&mut self, session: SessionId) -> Option<Caller> {
        let caller = self.sessions.remove(&session)?;
        self.interest.close(session);
        self.inputs.forget(session);
        let limited = self.reducers.iter().enumerate().filter(|(_, rate)| rate.is_some());
        self.rates.forget(session, limited.map(|(reducer, _)| reducer as u32));
        self.count_sessions();
        Some(caller)
    }

    fn count_sessions(&self) {
        self.metrics.sessions.set(self.sessions.len() as u64);
    }

    fn call(&mut self, caller: &Caller, reducer: u32, args: &[u8], now: Timestamp) -> CallOutcome {
        if let Some(Some(rate)) = self.reducers.get(reducer as usize)
            && !self.rates.take(caller.session, reducer, *rate, now)
        {
            self.metrics.calls_failed.add(1);
            let message = format!("at most {} calls in {} s", rate.calls, rate.per_us as f64 / 1e6);
            return CallOutcome::Failed { code: FailCode::RateLimited, message, id: 0 };
        }
        let call = Call { module: 0, reducer, args, caller };
        self.disk.cause(now, CauseRef::Call(call));
        let result = self.simulation.call(&call, now);
        match result {
            CallResult::Ok(bytes) => {
                self.metrics.calls_ok.add(1);
                CallOutcome::Ok(bytes.into())
            }
            CallResult::Refused { variant, message, fields } => {
                self.metrics.calls_refused.add(1);
                CallOutcome::Refused { variant, message, fields: fields.into() }
            }
            CallResult::Failed(error) => {
                self.metrics.calls_failed.add(1);
                self.log_faults();
                failed(&error)
            }
        }
    }
}

fn failed(error: &CallError) -> CallOutcome {
    let (code, id) = match error {
        CallError::UnknownReducer => (FailCode::UnknownReducer, 0),
        CallError::Forbidden | CallError::WrongKind(_) => (FailCode::Forbidden, 0),
        CallError::BadArguments(_) => (FailCode::BadArguments, 0),
        CallError::Internal { id } => (FailCode::Internal, *id),
    };
    CallOutcome::Failed { code, message: error.to_string(), id }
}
