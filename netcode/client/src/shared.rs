//! What the handles of a client and its task share.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use evertick_protocol::{CallReply, Changes, FrameMessage, ProtocolError, Replica};
use evertick_schema::{Identity, SessionId};
use tokio::sync::{broadcast, watch};

use crate::callbacks::Callbacks;
use crate::error::Disconnected;
use crate::rows::View;
use crate::statistics::Tally;
use crate::streams::{FrameChanges, RowChange};
use crate::types::ModuleTypes;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) types: Arc<ModuleTypes>,
    pub(crate) session: SessionId,
    pub(crate) identity: Identity,
    pub(crate) tick_us: u32,
    pub(crate) frames: broadcast::Sender<Arc<FrameChanges>>,
    pub(crate) callbacks: Callbacks,
    pub(crate) tally: Tally,
    /// Why the session is over, once it is.
    pub(crate) closed: watch::Sender<Option<Disconnected>>,
    /// Written by the task only. A panic while it is written leaves a replica that is merely never updated again.
    pub(crate) replica: RwLock<Replica>,
}

impl Shared {
    /// Calls `read` with the replica as it is; frames wait meanwhile.
    pub(crate) fn read<R>(&self, read: impl FnOnce(View<'_>) -> R) -> R {
        let replica = self.replica.read().unwrap_or_else(PoisonError::into_inner);
        read(View { types: &self.types, replica: &replica })
    }

    /// Applies a frame and tells the listeners. Returns the results of calls: their effects are there already.
    pub(crate) fn apply(
        &self,
        frame: FrameMessage<'_>,
        changes: &mut Changes,
    ) -> Result<Vec<CallReply>, ProtocolError> {
        let listeners = self.frames.receiver_count() > 0 || self.callbacks.any();
        let told = {
            let mut replica = self.replica.write().unwrap_or_else(PoisonError::into_inner);
            replica.apply(frame, changes)?;
            listeners.then(|| self.collect(&replica, changes)).filter(|told| !told.is_empty())
        };
        self.tally.frame(changes.iter().count());
        self.tally.clock(changes.tick, changes.time);
        if let Some(told) = told {
            self.callbacks.call(&told);
            let _nobody_listens = self.frames.send(Arc::new(told));
        }
        Ok(std::mem::take(&mut changes.results))
    }

    /// The changes with the rows copied, to outlive the next frame.
    fn collect(&self, replica: &Replica, changes: &Changes) -> FrameChanges {
        let rows = changes.iter().map(|change| RowChange {
            row: change.row,
            entity: change.entity,
            old: change.old.map(Bytes::copy_from_slice),
            new: replica.get(change.row, change.entity).map(Bytes::copy_from_slice),
        });
        let events = changes.events().map(|event| (event.row, Bytes::copy_from_slice(event.bytes)));
        FrameChanges {
            tick: changes.tick,
            time: changes.time,
            changes: rows.collect(),
            events: events.collect(),
            types: Arc::clone(&self.types),
        }
    }
}
