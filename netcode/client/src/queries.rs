//! Queries that are asked, and the rows of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use evertick_protocol::{Changes, QUERY_BYTES_MAX, QueryOutcome, QueryReply, Replica, TopicId};
use evertick_schema::EntityId;
use hashbrown::HashSet;
use tokio::sync::{broadcast, oneshot};

use crate::error::QueryError;
use crate::shared::lock;
use crate::streams::{FrameChanges, RowChange};
use crate::types::ModuleTypes;

/// The most queries at once, those without an answer included: what a server allows unless it is told otherwise.
pub(crate) const QUERIES_MAX: usize = 32;

/// What the server said: nothing, when rows come; the plan of an `EXPLAIN`; why it is refused.
pub(crate) type Answer = Result<Option<String>, String>;

/// A query and what it has found.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) number: u32,
    pub(crate) text: String,
    /// The number of the rows' type.
    pub(crate) row: u32,
    pub(crate) changes: broadcast::Sender<Arc<FrameChanges>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the server of this connection has been asked.
    sent: bool,
    waiting: Option<oneshot::Sender<Answer>>,
    /// The topics that hold the result, as the server said last.
    topics: Vec<TopicId>,
    entities: HashSet<EntityId>,
    refused: Option<String>,
}

impl Asked {
    /// The entities that have rows of the result.
    pub(crate) fn entities(&self) -> Vec<EntityId> {
        lock(&self.state).entities.iter().copied().collect()
    }

    pub(crate) fn contains(&self, entity: EntityId) -> bool {
        lock(&self.state).entities.contains(&entity)
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.state).entities.len()
    }

    /// Why the server does not answer it any more.
    pub(crate) fn refused(&self) -> Option<String> {
        lock(&self.state).refused.clone()
    }

    /// Brings the result in line with the replica, after `changes` or after other topics have been told. Costs what changed in the result;
    /// all of it when the topics are others.
    fn follow(
        &self,
        replica: &Replica,
        changes: &Changes,
        told: Option<Vec<TopicId>>,
        types: &Arc<ModuleTypes>,
    ) {
        let mut state = lock(&self.state);
        let State { topics, entities, .. } = &mut *state;
        let mut touched: HashSet<EntityId> = HashSet::new();
        if let Some(told) = told {
            touched.extend(entities.iter());
            touched.extend(told.iter().flat_map(|topic| replica.held_by(*topic, self.row)));
            *topics = told;
        }
        if topics.is_empty() && touched.is_empty() {
            return;
        }
        let of_ours = changes.results_of_queries().iter().filter(|change| change.row == self.row);
        touched.extend(of_ours.filter(|change| topics.contains(&change.topic)).map(|change| change.entity));
        let mut old_rows = hashbrown::HashMap::new();
        for change in changes.iter().filter(|change| change.row == self.row) {
            if entities.contains(&change.entity) || touched.contains(&change.entity) {
                touched.insert(change.entity);
                old_rows.insert(change.entity, change.old);
            }
        }
        let mut told = Vec::new();
        let listens = self.changes.receiver_count() > 0;
        for entity in touched {
            let now = topics.iter().any(|topic| replica.is_held(self.row, entity, *topic));
            let before = if now { !entities.insert(entity) } else { entities.remove(&entity) };
            if !listens || !(now || before) || now && before && !old_rows.contains_key(&entity) {
                continue;
            }
            let row = replica.get(self.row, entity);
            let old = old_rows.get(&entity).copied().unwrap_or(row).filter(|_| before);
            let (old, new) =
                (old.map(Bytes::copy_from_slice), row.filter(|_| now).map(Bytes::copy_from_slice));
            told.push(RowChange { row: self.row, entity, old, new });
        }
        drop(state);
        self.tell(changes.tick, changes.time, told, types);
    }

    /// Another session begins: there are no rows any more.
    fn start_anew(&self, old: &Replica, types: &Arc<ModuleTypes>) {
        let mut state = lock(&self.state);
        state.sent = false;
        state.topics.clear();
        let gone = std::mem::take(&mut state.entities);
        drop(state);
        let gone = gone.into_iter().map(|entity| {
            let row = old.get(self.row, entity).map(Bytes::copy_from_slice);
            RowChange { row: self.row, entity, old: row, new: None }
        });
        self.tell(old.tick(), old.time(), gone.collect(), types);
    }

    fn tell(
        &self,
        tick: u64,
        time: evertick_schema::Timestamp,
        changes: Vec<RowChange>,
        types: &Arc<ModuleTypes>,
    ) {
        if !changes.is_empty() {
            let (types, events) = (Arc::clone(types), Vec::new());
            let _nobody_listens =
                self.changes.send(Arc::new(FrameChanges { tick, time, changes, events, types }));
        }
    }
}

/// What is to be told the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Subscribe { number: u32, text: String },
    Unsubscribe(u32),
}

/// The queries of a client, by the number under which the server knows them. Locked after the replica, if both are.
#[derive(Debug, Default)]
pub(crate) struct Queries(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    asked: BTreeMap<u32, Arc<Asked>>,
    /// Ended, and the server is yet to hear of it; no more than were asked before.
    ended: Vec<u32>,
    last: u32,
}

impl Queries {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.0)
    }

    /// Adds a query, which is sent with the next [`Self::requests`].
    pub(crate) fn add(
        &self,
        text: String,
        row: u32,
        stream_frames_max: usize,
    ) -> Result<(Arc<Asked>, oneshot::Receiver<Answer>), QueryError> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLong(text.len()));
        }
        let (answer, answered) = oneshot::channel();
        let mut table = self.table();
        if table.asked.len() >= QUERIES_MAX {
            return Err(QueryError::TooMany);
        }
        table.last = table.last.wrapping_add(1);
        let changes = broadcast::Sender::new(stream_frames_max.max(1));
        let state = State { waiting: Some(answer), ..State::default() };
        let asked = Arc::new(Asked { number: table.last, text, row, changes, state: state.into() });
        table.asked.insert(asked.number, Arc::clone(&asked));
        Ok((asked, answered))
    }

    /// Nobody wants a query's rows any more.
    pub(crate) fn end(&self, number: u32) {
        let mut table = self.table();
        if table.asked.remove(&number).is_some_and(|asked| lock(&asked.state).sent) {
            table.ended.push(number);
        }
    }

    /// What the server is yet to be told.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let mut table = self.table();
        let mut requests: Vec<_> = table.ended.drain(..).map(Request::Unsubscribe).collect();
        for (number, asked) in &table.asked {
            let sent = std::mem::replace(&mut lock(&asked.state).sent, true);
            if !sent {
                requests.push(Request::Subscribe { number: *number, text: asked.text.clone() });
            }
        }
        requests
    }

    /// Another connection of the session: what the last one was told may not have arrived, nor its answer, so all is asked again.
    pub(crate) fn ask_again(&self) {
        self.table().asked.values().for_each(|asked| lock(&asked.state).sent = false);
    }

    /// Another session begins.
    pub(crate) fn start_anew(&self, old: &Replica, types: &Arc<ModuleTypes>) {
        let mut table = self.table();
        table.ended.clear();
        table.asked.values().for_each(|asked| asked.start_anew(old, types));
    }

    /// Brings all results in line with the replica, which has just been changed. Returns whom to answer once others may read.
    pub(crate) fn follow(
        &self,
        replica: &Replica,
        changes: &Changes,
        types: &Arc<ModuleTypes>,
    ) -> Vec<(oneshot::Sender<Answer>, Answer)> {
        let mut table = self.table();
        if table.asked.is_empty() {
            return Vec::new();
        }
        let mut told = BTreeMap::new();
        let mut answers = Vec::new();
        for QueryReply { query, outcome } in &changes.queries {
            // Answers to what has ended in the meantime are nobody's.
            let Some(asked) = table.asked.get(query).cloned() else { continue };
            let mut state = lock(&asked.state);
            let answer = match outcome {
                QueryOutcome::Applied { topics } => {
                    state.refused = None;
                    told.insert(*query, topics.clone());
                    Ok(None)
                }
                QueryOutcome::Explained { plan } => {
                    table.asked.remove(query);
                    Ok(Some(plan.clone()))
                }
                QueryOutcome::Refused { message } => {
                    if state.waiting.is_none() {
                        // It may be that only this repetition was refused, and the server has it still.
                        table.ended.push(*query);
                    }
                    state.refused = Some(message.clone());
                    told.insert(*query, Vec::new());
                    Err(message.clone())
                }
            };
            answers.extend(state.waiting.take().map(|waiting| (waiting, answer)));
        }
        for (number, asked) in &table.asked {
            asked.follow(replica, changes, told.remove(number), types);
        }
        table.asked.retain(|number, _| {
            !changes
                .queries
                .iter()
                .any(|reply| reply.query == *number && matches!(reply.outcome, QueryOutcome::Refused { .. }))
        });
        answers
    }
}
