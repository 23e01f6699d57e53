//! A query that is subscribed to.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use evertick_schema::{EntityId, Row};

use crate::queries::Asked;
use crate::rows::View;
use crate::shared::Shared;
use crate::streams::ChangeStream;
use crate::types::decode;

/// The result of a query, as [`Client::subscribe`](crate::Client::subscribe) gives it: kept up to date until the handle is dropped, over
/// lost connections and new sessions. Its rows are in the replica like all others; the handle knows which they are.
pub struct QueryHandle<T> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) asked: Arc<Asked>,
    pub(crate) row: PhantomData<fn() -> T>,
}

impl<T: Row> QueryHandle<T> {
    /// The rows that match, in no particular order.
    pub fn rows(&self) -> Vec<(EntityId, T)> {
        self.shared.read(|view| self.rows_in(&view))
    }

    fn rows_in(&self, view: &View<'_>) -> Vec<(EntityId, T)> {
        let row = |entity| Some((entity, decode(view.replica.get(self.asked.row, entity)?)));
        self.asked.entities().into_iter().filter_map(row).collect()
    }

    /// The row of `entity`, if it matches.
    pub fn get(&self, entity: EntityId) -> Option<T> {
        self.shared.read(|view| {
            let row = self.asked.contains(entity).then(|| view.replica.get(self.asked.row, entity))?;
            row.map(decode)
        })
    }

    /// How many rows match.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether no row matches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What frames change in the result from now on: a row that begins to match is inserted, one that does no more is removed.
    pub fn changes(&self) -> ChangeStream {
        ChangeStream { frames: self.asked.changes.subscribe(), state: self.shared.state.subscribe() }
    }

    /// The query's text.
    pub fn text(&self) -> &str {
        &self.asked.text
    }

    /// Why the query brings nothing any more: it is asked again when the connection was lost, and the server may refuse then.
    pub fn refused(&self) -> Option<String> {
        self.asked.refused()
    }
}

impl<T> fmt::Debug for QueryHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryHandle").field("text", &self.asked.text).finish_non_exhaustive()
    }
}

impl<T> Drop for QueryHandle<T> {
    fn drop(&mut self) {
        self.shared.queries.end(self.asked.number);
        self.shared.requests.notify_one();
    }
}
