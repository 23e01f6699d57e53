//! What a shard's sessions tell the host, on its way there: gathered while the sessions that have something to say take their
//! turns, handed over at once.
//!
//! One hand-over wakes the host's thread once, whatever the number of calls. While the host's inbox is full the batch grows to its
//! bound, and then calls are answered `Busy`.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use evertick_protocol::{IngressBatch, Input, ResyncTopics};
use evertick_schema::{Identity, SessionId};
use tokio::sync::{Notify, mpsc};

/// Bytes of arguments in one batch; a call that comes when there are so many already is answered `Busy`.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Why the host does not get something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// Its inbox is full, and so is the batch.
    Full,
    /// There is no host any more.
    HostGone,
}

/// The batch that a shard is filling.
pub(crate) struct Outbox {
    batch: RefCell<IngressBatch>,
    /// The host's, until [`Self::run`] returns.
    inbox: RefCell<Option<mpsc::Sender<IngressBatch>>>,
    len_max: usize,
    /// Told when the batch has its first entry, and at the end.
    filled: Notify,
    /// Told when a batch has been handed over.
    room: Notify,
    host_gone: Cell<bool>,
    ending: Cell<bool>,
}

impl Outbox {
    /// An outbox to this inbox, whose batches hold at most `len_max` entries.
    pub(crate) fn new(inbox: mpsc::Sender<IngressBatch>, len_max: usize) -> Self {
        Self {
            batch: RefCell::default(),
            inbox: RefCell::new(Some(inbox)),
            len_max: len_max.max(1),
            filled: Notify::new(),
            room: Notify::new(),
            host_gone: Cell::new(false),
            ending: Cell::new(false),
        }
    }

    /// Adds a call.
    pub(crate) fn call(&self, session: SessionId, seq: u32, reducer: u32, args: &[u8]) -> Result<(), Unsent> {
        self.try_add(|batch| batch.call(session, seq, reducer, args))
    }

    /// Adds an input.
    pub(crate) fn input(&self, session: SessionId, input: Input<'_>) -> Result<(), Unsent> {
        self.try_add(|batch| batch.input(session, input.reducer, input.tick, input.args))
    }

    /// Adds that a session asks for rows.
    pub(crate) fn subscribe(&self, session: SessionId, query: u32, text: &str) -> Result<(), Unsent> {
        self.try_add(|batch| batch.subscribe(session, query, text))
    }

    /// Adds that a session does not want the rows of a query any more.
    pub(crate) fn unsubscribe(&self, session: SessionId, query: u32) -> Result<(), Unsent> {
        self.try_add(|batch| batch.unsubscribe(session, query))
    }

    /// Adds that a session needs topics anew.
    pub(crate) fn resync(&self, session: SessionId, topics: ResyncTopics<'_>) -> Result<(), Unsent> {
        self.try_add(|batch| batch.resync(session, topics))
    }

    /// Adds that a session has opened, once there is room. An error says that the host is gone.
    pub(crate) async fn open(
        &self,
        session: SessionId,
        identity: Identity,
        roles: Arc<[String]>,
    ) -> Result<(), Unsent> {
        loop {
            let room = self.room.notified();
            if self.host_gone.get() {
                return Err(Unsent::HostGone);
            }
            if !self.is_full() {
                break;
            }
            room.await;
        }
        self.add(|batch| batch.open(session, identity, roles));
        Ok(())
    }

    /// Adds that a session has closed. There is always room for that: no more can close than have opened.
    pub(crate) fn close(&self, session: SessionId) {
        if !self.host_gone.get() {
            self.add(|batch| batch.close(session));
        }
    }

    /// Hands batches over until [`Self::end`], or until the host is gone. Runs behind the sessions that are ready when the
    /// first of them has filled the batch, so that it takes what they all have to say.
    pub(crate) async fn run(&self) {
        // Sessions may outlive this, and the host waits until nobody has its inbox any more.
        let Some(inbox) = self.inbox.borrow().clone() else { return };
        self.hand_over_all(&inbox).await;
        self.inbox.take();
    }

    async fn hand_over_all(&self, inbox: &mpsc::Sender<IngressBatch>) {
        loop {
            while self.batch.borrow().is_empty() {
                if self.ending.get() {
                    return;
                }
                self.filled.notified().await;
            }
            match inbox.reserve().await {
                Ok(place) => {
                    let batch = self.take();
                    if !batch.is_empty() {
                        place.send(batch);
                    }
                }
                Err(_) => {
                    self.host_gone.set(true);
                    self.batch.take();
                }
            }
            self.room.notify_waiters();
            if self.host_gone.get() {
                return;
            }
        }
    }

    /// No more will come: [`Self::run`] returns when it has handed over what there is.
    pub(crate) fn end(&self) {
        self.ending.set(true);
        self.filled.notify_one();
    }

    /// Hands the batch over before its turn, if the host's inbox has room.
    fn hand_over(&self) -> bool {
        let inbox = self.inbox.borrow();
        let Some(place) = inbox.as_ref().and_then(|inbox| inbox.try_reserve().ok()) else { return false };
        place.send(self.take());
        true
    }

    /// The batch; the next one has as much room.
    fn take(&self) -> IngressBatch {
        let len = self.batch.borrow().len();
        self.batch.replace(IngressBatch::with_capacity(len))
    }

    fn is_full(&self) -> bool {
        let batch = self.batch.borrow();
        batch.len() >= self.len_max || batch.bytes() >= BATCH_BYTES_MAX
    }

    fn try_add(&self, add: impl FnOnce(&mut IngressBatch)) -> Result<(), Unsent> {
        if self.host_gone.get() {
            return Err(Unsent::HostGone);
        }
        if self.is_full() && !self.hand_over() {
            return Err(Unsent::Full);
        }
        self.add(add);
        Ok(())
    }

    fn add(&self, add: impl FnOnce(&mut IngressBatch)) {
        let mut batch = self.batch.borrow_mut();
        if batch.is_empty() {
            self.filled.notify_one();
        }
        add(&mut batch);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use evertick_protocol::Ingress;
    use tokio::task::LocalSet;

    use super::*;

    fn seqs(mut batch: IngressBatch) -> Vec<u32> {
        let mut seqs = Vec::new();
        while let Some(message) = batch.take() {
            if let Ingress::Call { seq, .. } = message {
                seqs.push(seq);
            }
        }
        seqs
    }

    fn on_a_shard(test: impl AsyncFnOnce(Rc<Outbox>, mpsc::Receiver<IngressBatch>)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (sender, inbox) = mpsc::channel(1);
            let outbox = Rc::new(Outbox::new(sender, 3));
            let running = Rc::clone(&outbox);
            tokio::task::spawn_local(async move { running.run().await });
            test(outbox, inbox).await;
        });
    }

    #[test]
    fn what_is_said_in_one_turn_is_handed_over_at_once() {
        on_a_shard(async |outbox, mut inbox| {
            for seq in 1..=3 {
                outbox.call(SessionId(1), seq, 0, b"").unwrap();
            }
            assert_eq!(seqs(inbox.recv().await.unwrap()), [1, 2, 3]);
            outbox.call(SessionId(1), 4, 0, b"").unwrap();
            assert_eq!(seqs(inbox.recv().await.unwrap()), [4]);
            // More than a batch holds: the inbox takes the first before the turn is over.
            for seq in 5..=8 {
                outbox.call(SessionId(1), seq, 0, b"").unwrap();
            }
            assert_eq!(seqs(inbox.recv().await.unwrap()), [5, 6, 7]);
            assert_eq!(seqs(inbox.recv().await.unwrap()), [8]);
        });
    }

    #[test]
    fn a_full_inbox_fills_the_batch_and_then_refuses() {
        on_a_shard(async |outbox, mut inbox| {
            outbox.call(SessionId(1), 1, 0, b"").unwrap();
            tokio::task::yield_now().await; // the inbox is full now
            for seq in 2..=4 {
                outbox.call(SessionId(1), seq, 0, b"").unwrap();
            }
            assert_eq!(outbox.call(SessionId(1), 5, 0, b""), Err(Unsent::Full));
            outbox.close(SessionId(2));
            assert_eq!(seqs(inbox.recv().await.unwrap()), [1]);
            assert_eq!(outbox.open(SessionId(3), Identity::default(), Arc::new([])).await, Ok(()));
            assert_eq!(seqs(inbox.recv().await.unwrap()), [2, 3, 4]);
        });
    }

    #[test]
    fn the_end_hands_over_what_is_left_and_a_gone_host_is_noticed() {
        on_a_shard(async |outbox, mut inbox| {
            outbox.call(SessionId(1), 1, 0, b"").unwrap();
            outbox.end();
            assert_eq!(seqs(inbox.recv().await.unwrap()), [1]);
            assert!(inbox.recv().await.is_none());
        });
        on_a_shard(async |outbox, inbox| {
            drop(inbox);
            outbox.call(SessionId(1), 1, 0, b"").unwrap();
            tokio::task::yield_now().await;
            assert_eq!(outbox.call(SessionId(1), 2, 0, b""), Err(Unsent::HostGone));
            let opened = outbox.open(SessionId(3), Identity::default(), Arc::new([])).await;
            assert_eq!(opened, Err(Unsent::HostGone));
        });
    }
}
