//! Sessions that outlive their connection: parking them, and handing them another.
//!
//! A client comes back to whatever shard took its connection up. The session stays where it is, so the connection is handed over to its shard.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evertick_protocol::{CloseCode, Resume, SessionSecret};
use evertick_schema::{SchemaHash, SessionId};
use evertick_transport::TransportError;
use hashbrown::HashMap;

use crate::intake::{farewell, see_off, welcome};
use crate::metrics::Counted;
use crate::session::{End, Line, Session};
use crate::shard::{Arrival, Common, Shard};

/// Which shard has which session, and its secret.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    sessions: Mutex<HashMap<SessionId, (SessionSecret, usize)>>,
    /// Sessions without a connection.
    parked: AtomicUsize,
}

impl Directory {
    pub(crate) fn add(&self, session: SessionId, secret: SessionSecret, shard: usize) {
        self.lock().insert(session, (secret, shard));
    }

    pub(crate) fn remove(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    /// The number of the shard that has the session.
    fn find(&self, resume: &Resume) -> Option<usize> {
        let (secret, shard) = *self.lock().get(&resume.session)?;
        (secret == resume.secret).then_some(shard)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, (SessionSecret, usize)>> {
        // Nothing under the lock can leave it half-changed, so poison means nothing.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place among the parked ones.
struct Parked<'a> {
    directory: &'a Directory,
    _counted: Counted,
}

impl<'a> Parked<'a> {
    /// `None` when there are too many.
    fn new(common: &'a Common) -> Option<Self> {
        let directory = &common.directory;
        let more = |parked| (parked < common.parked_sessions_max).then_some(parked + 1);
        directory.parked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { directory, _counted: Counted::new(&common.metrics, |metrics| &metrics.sessions_parked) })
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.directory.parked.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose client has proved that a session is its.
pub(crate) struct Resumption {
    session: SessionId,
    line: Line,
    /// The client's.
    schema: SchemaHash,
    /// How many results it has got.
    pub(crate) results: u64,
}

impl std::fmt::Debug for Resumption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resumption").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Hands a connection over to the shard that has its session.
pub(crate) async fn hand_over(shard: &Rc<Shard>, line: Line, resume: Resume, schema: SchemaHash) {
    let Resume { session, results, .. } = resume;
    let resumption = Box::new(Resumption { session, line, schema, results });
    let Some(owner) = shard.common.directory.find(&resume) else {
        return refuse(Arc::clone(&shard.common), *resumption).await;
    };
    if !shard.neighbours[owner].hand_over(Arrival::Resumption(resumption)) {
        // Its connection ends without a word, so the client tries again.
        shard.common.metrics.arrivals_dropped.add(1);
    }
}

/// Gives a session another connection.
pub(crate) async fn take_over(shard: &Rc<Shard>, resumption: Box<Resumption>) {
    let session = shard.sessions.borrow().get(resumption.session).cloned();
    let outcome = match session {
        Some(session) => session.borrow_mut().succeed(resumption),
        None => Err(resumption),
    };
    match outcome {
        Ok(None) => {}
        Ok(Some(earlier)) => farewell(&shard.common, earlier.line, replaced()).await,
        Err(resumption) => refuse(Arc::clone(&shard.common), *resumption).await,
    }
}

/// Tells a client that its session is gone.
pub(crate) async fn refuse(common: Arc<Common>, resumption: Resumption) {
    common.metrics.resumes_refused.add(1);
    let end = End::close(CloseCode::Expired, "the session is not kept any more; open a new one");
    farewell(&common, resumption.line, end).await;
}

/// Keeps a session whose connection is gone until another comes, or it is over.
pub(crate) async fn park(shard: &Rc<Shard>, session: &RefCell<Session>, error: TransportError) -> End {
    let limits = &shard.common.limits;
    if limits.resume_time.is_zero() {
        return End::Gone(error);
    }
    let Some(parked) = Parked::new(&shard.common) else {
        shard.common.metrics.parks_refused.add(1);
        return End::Gone(error);
    };
    let line = session.borrow_mut().hang_up();
    tracing::debug!(session = session.borrow().id.0, %error, "a connection was lost; its session is parked");
    if let Some(line) = line {
        let common = Arc::clone(&shard.common);
        tokio::task::spawn_local(async move { see_off(&common, line, None).await });
    }
    let next = poll_fn(|context| session.borrow_mut().poll_next(context));
    let outcome = tokio::time::timeout(limits.resume_time, next).await;
    drop(parked);
    match outcome {
        Ok(Err(end)) => end,
        // Without a connection there are no messages.
        Ok(Ok(_)) | Err(_) => {
            shard.common.metrics.parks_expired.add(1);
            End::Gone(error)
        }
    }
}

/// Goes on with a session over another connection.
pub(crate) fn go_on(shard: &Rc<Shard>, session: &RefCell<Session>, resumption: Resumption) {
    let Resumption { line, schema, .. } = resumption;
    let mut session = session.borrow_mut();
    if let Some(before) = session.hang_up() {
        let common = Arc::clone(&shard.common);
        tokio::task::spawn_local(async move { farewell(&common, before, replaced()).await });
    }
    session.connect(line);
    tracing::debug!(session = session.id.0, "a session goes on");
    welcome(shard, &mut session, schema, true);
    let metrics = &shard.common.metrics;
    metrics.resumes.add(1);
    let clock = shard.clock(session.unconfirmed);
    session.go_on(clock, &shard.outbox, metrics);
}

fn replaced() -> End {
    End::close(CloseCode::Replaced, "the session goes on over another connection")
}
