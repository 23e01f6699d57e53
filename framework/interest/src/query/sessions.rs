//! Subscribing: which queries a session has, and which topics of theirs it sees.

use std::collections::VecDeque;

use evertick_protocol::{QueryOutcome, QueryReply, TopicId};
use evertick_query::{Compiled, QueryError, QueryNumber, TEXT_BYTES_MAX, compile};
use evertick_schema::SessionId;
use evertick_world::World;

use crate::query::{Queries, Scope, rule};
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
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has looked at the text yet.
    Waits(Box<str>),
    Answered(Answered),
}

#[derive(Debug)]
struct Answered {
    query: QueryNumber,
    audience: Audience,
    /// Whether the client is to hear of the topics, for the first time or because others hold the result now.
    tell: bool,
    /// By scope.
    topics: Vec<(Scope, TopicId)>,
}

impl SessionQuery {
    fn topics(&self) -> &[(Scope, TopicId)] {
        match &self.stage {
            Stage::Waits(_) => &[],
            Stage::Answered(answered) => &answered.topics,
        }
    }

    fn take_topics(&mut self) -> Vec<(Scope, TopicId)> {
        match &mut self.stage {
            Stage::Waits(_) => Vec::new(),
            Stage::Answered(answered) => std::mem::take(&mut answered.topics),
        }
    }
}

/// Queries that wait for their turn: at most `queries_max` for each session.
pub(crate) type Waiting = VecDeque<(SessionId, u32)>;

impl Sessions {
    /// A client asks. Its text is looked at when its turn comes, in a frame.
    pub(crate) fn subscribe(
        &mut self,
        id: SessionId,
        number: u32,
        text: &str,
        max: usize,
        topics: &mut Topics,
        queries: &mut Queries,
    ) {
        self.unsubscribe(id, number, topics, queries);
        let Some(session) = self.queue(id) else { return };
        if session.queries.len() >= max {
            let message =
                format!("{max} queries at a time are the most; end one first, or ask for more in one");
            return session.answer(number, QueryOutcome::Refused { message });
        }
        if text.len() > TEXT_BYTES_MAX {
            let message = QueryError::TooLong { bytes: text.len() }.to_string();
            return session.answer(number, QueryOutcome::Refused { message });
        }
        session.queries.push(SessionQuery { number, stage: Stage::Waits(text.into()) });
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
        let waits = all.iter().any(|query| matches!(query.stage, Stage::Waits(_)));
        for ended in all {
            session.end_query(ended, topics, queries);
        }
        if waits {
            self.waiting.retain(|(waiting, _)| *waiting != id);
        }
    }

    /// Looks at the queries that wait, in their order, until that has cost as much as looking at `rows_max` rows;
    /// at least at one.
    pub(crate) fn answer_queries(
        &mut self,
        rows_max: usize,
        world: &World,
        topics: &mut Topics,
        rules: &Rules,
        queries: &mut Queries,
    ) {
        let mut cost = 0;
        while cost < rows_max
            && let Some((id, number)) = self.waiting.pop_front()
        {
            let session = self.queue(id).expect("what waits is of an open session");
            let at = session.queries.iter().position(|query| query.number == number);
            let at = at.expect("what has ended no longer waits");
            let Stage::Waits(text) = &session.queries[at].stage else { continue };
            let compilation = compile(text, &queries.catalog, &session.identity);
            cost += compilation.cost;
            let outcome = match compilation.result {
                Err(error) => QueryOutcome::Refused { message: error.to_string() },
                Ok(Compiled { query, explain: true }) => {
                    QueryOutcome::Explained { plan: query.explain(&queries.catalog, queries.cell_size) }
                }
                Ok(Compiled { query, .. }) => {
                    let audience =
                        rules.row(query.row()).expect("only visible rows can be asked for").audience;
                    let query = queries.acquire(query);
                    let result = match audience {
                        Audience::Everyone => first_result(query, world, topics, rules, queries),
                        _ => Ok(0),
                    };
                    match result {
                        Ok(looked_at) => {
                            cost += looked_at;
                            let answered = Answered { query, audience, tell: true, topics: Vec::new() };
                            session.queries[at].stage = Stage::Answered(answered);
                            session.follow(topics, rules);
                            continue;
                        }
                        Err((looked_at, message)) => {
                            cost += looked_at;
                            queries.release(query);
                            QueryOutcome::Refused { message }
                        }
                    }
                }
            };
            session.queries.swap_remove(at);
            session.answer(number, outcome);
        }
    }
}

/// Makes the topic of a query that everyone may ask, unless there is one. Returns how many rows were looked at,
/// and why it can't be.
fn first_result(
    query: QueryNumber,
    world: &World,
    topics: &mut Topics,
    rules: &Rules,
    queries: &Queries,
) -> Result<usize, (usize, String)> {
    let key = TopicKey::Query { query, scope: Scope::Everyone };
    if topics.find(key).is_some() {
        return Ok(0);
    }
    let asked = queries.get(query);
    let found = asked.evaluate(world);
    let entities = found.entities.map_err(|error| (found.looked_at, error.to_string()))?;
    let column = rule(rules, asked).column;
    let id = topics.subscribe(key, rules);
    topics.get_mut(id).live = true;
    for entity in entities {
        topics.queue(id).touched.push(Touch { entity, column });
    }
    // The session that asked follows with a subscription of its own.
    topics.unsubscribe(id);
    Ok(found.looked_at)
}

impl Session {
    /// Brings the topics of all queries in line with what the session sees.
    pub(crate) fn follow(&mut self, topics: &mut Topics, rules: &Rules) {
        for at in 0..self.queries.len() {
            let Stage::Answered(answered) = &self.queries[at].stage else { continue };
            let mut wanted: Vec<Scope> = match answered.audience {
                Audience::Near => self.view.cells.iter().copied().map(Scope::Cell).collect(),
                Audience::EntityOwner | Audience::Owner(_) => vec![Scope::Owner(self.identity)],
                Audience::Group(_) => self.groups.iter().map(|(group, _)| Scope::Group(*group)).collect(),
                Audience::Everyone => vec![Scope::Everyone],
            };
            wanted.sort_unstable();
            if answered.topics.iter().map(|(scope, _)| scope).eq(&wanted) {
                continue;
            }
            let (query, audience) = (answered.query, answered.audience);
            let mut has = self.queries[at].take_topics();
            has.retain(|(scope, topic)| {
                let stays = wanted.binary_search(scope).is_ok();
                if !stays {
                    self.leave_query_topic(*topic, topics);
                }
                stays
            });
            wanted.retain(|scope| has.binary_search_by_key(scope, |(known, _)| *known).is_err());
            for scope in wanted {
                let key = TopicKey::Query { query, scope };
                let known = topics.find(key).filter(|topic| self.has_query_topic(*topic));
                let topic = match known {
                    Some(_) => topics.subscribe(key, rules),
                    None => self.enter(key, topics, rules),
                };
                has.push((scope, topic));
            }
            has.sort_unstable();
            self.queries[at].stage = Stage::Answered(Answered { query, audience, tell: true, topics: has });
        }
    }

    /// The topics of all queries; one that several have comes as often.
    pub(crate) fn query_topics(&self) -> impl Iterator<Item = TopicId> + '_ {
        self.queries.iter().flat_map(SessionQuery::topics).map(|(_, topic)| *topic)
    }

    /// Whether any of the session's queries has the topic: several may ask the same.
    fn has_query_topic(&self, topic: TopicId) -> bool {
        self.query_topics().any(|known| known == topic)
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
        let Stage::Answered(answered) = ended.stage else { return };
        for (_, topic) in answered.topics {
            self.leave_query_topic(topic, topics);
        }
        queries.release(answered.query);
    }

    fn answer(&mut self, query: u32, outcome: QueryOutcome) {
        self.answers.push(QueryReply { query, outcome });
    }

    /// The answers that the next frame brings.
    pub(crate) fn take_answers(&mut self) -> Vec<QueryReply> {
        let mut answers = std::mem::take(&mut self.answers);
        for query in &mut self.queries {
            if let Stage::Answered(answered) = &mut query.stage
                && std::mem::take(&mut answered.tell)
            {
                let topics = answered.topics.iter().map(|(_, topic)| *topic).collect();
                answers.push(QueryReply { query: query.number, outcome: QueryOutcome::Applied { topics } });
            }
        }
        answers
    }
}
