//! Subscribing: which queries a session has, and which topics of theirs it sees.

use std::collections::VecDeque;

use evertick_protocol::{QueryOutcome, QueryReply, TopicId};
use evertick_query::{Compiled, QueryNumber, compile};
use evertick_schema::SessionId;
use evertick_world::World;

use crate::config::InterestConfig;
use crate::query::{Queries, Scope, column};
use crate::rules::{Audience, Rules};
use crate::session::Session;
use crate::sessions::Sessions;
use crate::topic::{TopicKey, Touch};
use crate::topics::Topics;

/// A query of a session.
#[derive(Debug)]
pub(crate) struct SessionQuery {
    /// The client's number for it.
    number: u32,
    query: QueryNumber,
    audience: Audience,
    /// Whether it waits for its first result, and so has no topics yet.
    waits: bool,
    /// Whether the client is to hear of its topics, all or anew.
    answer: bool,
    /// By scope.
    topics: Vec<(Scope, TopicId)>,
}

/// Subscriptions that wait for their first result: at most `queries_max` for each session.
pub(crate) type Waiting = VecDeque<(SessionId, u32)>;

impl Sessions {
    /// A client asks. What is wrong with the text, and explanations, are answered with the next frame; a result
    /// is looked for when its turn comes.
    pub(crate) fn subscribe(
        &mut self,
        id: SessionId,
        (number, text): (u32, &str),
        config: &InterestConfig,
        topics: &mut Topics,
        rules: &Rules,
        queries: &mut Queries,
    ) {
        self.unsubscribe(id, number, topics, queries);
        let Some(session) = self.queue(id) else { return };
        let mut answer = |outcome| session.answers.push(QueryReply { query: number, outcome });
        let Compiled { query, explain } = match compile(text, &queries.catalog, &session.identity) {
            Err(error) => return answer(QueryOutcome::Refused { message: error.to_string() }),
            Ok(compiled) => compiled,
        };
        if explain {
            return answer(QueryOutcome::Explained {
                plan: query.explain(&queries.catalog, queries.cell_size),
            });
        }
        if session.queries.len() >= config.queries_max {
            let max = config.queries_max;
            let message =
                format!("{max} queries at a time are the most; end one first, or ask for more in one");
            return answer(QueryOutcome::Refused { message });
        }
        let audience = rules.row(query.row()).expect("only visible rows can be asked for").audience;
        let query = queries.acquire(query);
        let asked = SessionQuery { number, query, audience, waits: true, answer: false, topics: Vec::new() };
        session.queries.push(asked);
        self.waiting.push_back((id, number));
    }

    /// The rows of a query are not wanted any more. Nothing happens if there is none of that number.
    pub(crate) fn unsubscribe(
        &mut self,
        id: SessionId,
        number: u32,
        topics: &mut Topics,
        queries: &mut Queries,
    ) {
        let Some(session) = self.queue(id) else { return };
        let Some(at) = session.queries.iter().position(|query| query.number == number) else { return };
        let ended = session.queries.swap_remove(at);
        session.end_query(ended, topics, queries);
        self.waiting.retain(|waiting| *waiting != (id, number));
    }

    /// Ends all queries of a session that is about to be closed.
    pub(crate) fn unsubscribe_all(&mut self, id: SessionId, topics: &mut Topics, queries: &mut Queries) {
        let Some(session) = self.queue(id) else { return };
        let all = std::mem::take(&mut session.queries);
        if all.iter().any(|query| query.waits) {
            self.waiting.retain(|(waiting, _)| *waiting != id);
        }
        let Some(session) = self.queue(id) else { return };
        for ended in all {
            session.end_query(ended, topics, queries);
        }
    }

    /// Finds first results, until `rows_max` rows have been looked at; at least one.
    pub(crate) fn start_queries(
        &mut self,
        rows_max: usize,
        world: &World,
        topics: &mut Topics,
        rules: &Rules,
        queries: &mut Queries,
    ) {
        let mut looked_at = 0;
        while looked_at < rows_max
            && let Some((id, number)) = self.waiting.pop_front()
        {
            let session = self.queue(id).expect("what waits is of an open session");
            let waits = |query: &SessionQuery| query.number == number && query.waits;
            let at = session.queries.iter().position(waits).expect("what ends no longer waits");
            let (query, audience) = (session.queries[at].query, session.queries[at].audience);
            if audience == Audience::Everyone {
                let key = TopicKey::Query { query, scope: Scope::Everyone };
                match first_result(key, world, topics, rules, queries) {
                    Ok(cost) => looked_at += cost,
                    Err((cost, message)) => {
                        looked_at += cost;
                        let ended = session.queries.swap_remove(at);
                        session.end_query(ended, topics, queries);
                        let outcome = QueryOutcome::Refused { message };
                        session.answers.push(QueryReply { query: number, outcome });
                        continue;
                    }
                }
            }
            session.queries[at].waits = false;
            session.queries[at].answer = true;
            session.follow(topics, rules);
        }
    }
}

/// What each subscription costs at least, in rows looked at.
const SUBSCRIPTION_ROWS: usize = 64;

/// Makes the topic of a query that everyone may ask, unless there is one. Returns how many rows that took, and
/// why it can't be.
fn first_result(
    key: TopicKey,
    world: &World,
    topics: &mut Topics,
    rules: &Rules,
    queries: &Queries,
) -> Result<usize, (usize, String)> {
    let TopicKey::Query { query, .. } = key else { return Ok(0) };
    if topics.find(key).is_some() {
        return Ok(SUBSCRIPTION_ROWS);
    }
    let asked = queries.get(query);
    let found = asked.evaluate(world);
    let cost = SUBSCRIPTION_ROWS + found.looked_at;
    let entities = found.entities.map_err(|error| (cost, error.to_string()))?;
    let column = column(rules, asked);
    let id = topics.subscribe(key, rules);
    topics.get_mut(id).live = true;
    for entity in entities {
        topics.queue(id).touched.push(Touch { entity, column });
    }
    // The session that asked follows with a subscription of its own.
    topics.unsubscribe(id);
    Ok(cost)
}

impl Session {
    /// Brings the topics of all queries in line with what the session sees.
    pub(crate) fn follow(&mut self, topics: &mut Topics, rules: &Rules) {
        for at in 0..self.queries.len() {
            let query = &self.queries[at];
            if query.waits {
                continue;
            }
            let mut wanted: Vec<Scope> = match query.audience {
                Audience::Near => self.view.cells.iter().copied().map(Scope::Cell).collect(),
                Audience::EntityOwner | Audience::Owner(_) => vec![Scope::Owner(self.identity)],
                Audience::Group(_) => self.groups.iter().map(|(group, _)| Scope::Group(*group)).collect(),
                Audience::Everyone => vec![Scope::Everyone],
            };
            wanted.sort_unstable();
            if query.topics.iter().map(|(scope, _)| scope).eq(&wanted) {
                continue;
            }
            let number = query.query;
            let mut before = std::mem::take(&mut self.queries[at].topics);
            before.retain(|(scope, topic)| {
                let stays = wanted.binary_search(scope).is_ok();
                if !stays {
                    self.leave_query_topic(*topic, topics);
                }
                stays
            });
            wanted.retain(|scope| before.binary_search_by_key(scope, |(known, _)| *known).is_err());
            for scope in wanted {
                let key = TopicKey::Query { query: number, scope };
                let known = topics.find(key).filter(|topic| self.has_query_topic(*topic));
                let topic = match known {
                    Some(_) => topics.subscribe(key, rules),
                    None => self.enter(key, topics, rules),
                };
                before.push((scope, topic));
            }
            before.sort_unstable();
            let query = &mut self.queries[at];
            query.topics = before;
            query.answer = true;
        }
    }

    /// Whether any of the session's queries has the topic: several may ask the same.
    fn has_query_topic(&self, topic: TopicId) -> bool {
        let mut all = self.queries.iter().flat_map(|query| &query.topics);
        all.any(|(_, known)| *known == topic)
    }

    /// One query less that has the topic. The query no longer lists it.
    fn leave_query_topic(&mut self, topic: TopicId, topics: &mut Topics) {
        if self.has_query_topic(topic) {
            topics.unsubscribe(topic);
        } else {
            self.leave(topic, topics);
        }
    }

    fn end_query(&mut self, ended: SessionQuery, topics: &mut Topics, queries: &mut Queries) {
        for (_, topic) in ended.topics {
            self.leave_query_topic(topic, topics);
        }
        queries.release(ended.query);
    }

    /// The answers that the next frame brings.
    pub(crate) fn take_answers(&mut self) -> Vec<QueryReply> {
        let mut answers = std::mem::take(&mut self.answers);
        for query in self.queries.iter_mut().filter(|query| query.answer) {
            query.answer = false;
            let topics = query.topics.iter().map(|(_, topic)| *topic).collect();
            answers.push(QueryReply { query: query.number, outcome: QueryOutcome::Applied { topics } });
        }
        answers
    }
}
