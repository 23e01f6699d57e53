//! The handle of a prediction.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

use evertick_protocol::{Changes, Replica};
use evertick_schema::{Call, EntityId, Row};

use crate::blend::Blend;
use crate::error::PredictError;
use crate::prediction::{Prediction, Step};
use crate::shared::{Shared, Watcher, lock};
use crate::types::decode;

/// A row ahead of the server. Made by [`Client::predict`](crate::Client::predict); it is kept in step until it is dropped.
pub struct Predicted<T, C> {
    shared: Arc<Shared>,
    watched: Arc<Mutex<Watched<T, C>>>,
}

struct Watched<T, C> {
    row: u32,
    reducer: u32,
    entity: EntityId,
    prediction: Prediction<T, C>,
}

impl<T: Row + Send, C: Call + Clone + Send + 'static> Predicted<T, C> {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        entity: EntityId,
        step: Step<T, C>,
    ) -> Result<Self, PredictError> {
        let row = shared.types.row::<T>()?;
        let reducer = shared.types.input::<C>()?;
        let blend = Blend::new(&shared.types.module.rows[row as usize].fields);
        let seconds = shared.tick_us as f32 / 1e6;
        let watched = shared.watch(|replica| {
            let mut prediction = Prediction::new(step, blend, seconds);
            prediction.follow(replica.tick(), replica.get(row, entity).map(decode));
            Watched { row, reducer, entity, prediction }
        });
        Ok(Self { shared: Arc::clone(shared), watched })
    }

    /// The row as it is to be drawn now, with all inputs up to now done; `None` while it is not in sight.
    pub fn get(&self) -> Option<T> {
        let now = self.shared.now();
        let tick = self.shared.timing().input_tick(now);
        lock(&self.watched).prediction.get(tick, now).as_deref().map(decode)
    }

    /// How far the last news from the server moved what had been foretold, in the row's units: 0 when it was right.
    pub fn correction(&self) -> f64 {
        lock(&self.watched).prediction.correction()
    }
}

impl<T: Row + Send, C: Clone + Send + 'static> Watcher for Watched<T, C> {
    fn follow(&mut self, tick: u64, replica: &Replica, changes: &Changes) {
        let mine =
            |change: &evertick_protocol::Change<'_>| change.row == self.row && change.entity == self.entity;
        let changed = changes.iter().any(|change| mine(&change));
        match replica.get(self.row, self.entity) {
            Some(row) => self.prediction.follow(tick, changed.then(|| decode(row))),
            None => self.prediction.clear(),
        }
    }

    fn input(&mut self, reducer: u32, tick: u64, call: &dyn Any) {
        if let Some(call) = call.downcast_ref::<C>().filter(|_| reducer == self.reducer) {
            self.prediction.input(tick, call.clone());
        }
    }

    fn clear(&mut self) {
        self.prediction.clear();
    }
}

impl<T, C> fmt::Debug for Predicted<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.watched.fmt(f)
    }
}

impl<T, C> fmt::Debug for Watched<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predicted").field("entity", &self.entity).finish_non_exhaustive()
    }
}
