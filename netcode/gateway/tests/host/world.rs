//! What the stand-in host has instead of a world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use evertick_protocol::{
    BlockWriter, Blocks, CallOutcome, CallReply, Entered, FailCode, Frame, Ingress, QueryOutcome, QueryReply,
    ResyncTopics, SessionFrame, Snapshot, Square, TopicFramesWriter, TopicId, TopicKind, WireSchema,
};
use evertick_schema::{EntityId, Refusal, SessionId, Timestamp};

use super::module::{
    self, IncrementRefusal, SAID, SCORE, SECRET, Said, Score, Secret, TITLE, Title, argument, bytes, result,
};

const EVERYONE: TopicId = TopicId(1);
const SECRETS: TopicId = TopicId(2);
/// Cells are topics from here on, in a row.
pub const FIRST_CELL: u32 = 100;
const SECRET_ENTITY: EntityId = EntityId(1000);

/// Scores and titles that everyone sees, a secret that those see who look.
pub struct World {
    pub schema: WireSchema,
    pub writer: BlockWriter,
    pub tick: u64,
    pub version: u16,
    pub sessions: BTreeSet<SessionId>,
    pub calls: Vec<u32>,
    /// Ticks and reducers of all inputs, in the order they came.
    pub inputs: Vec<(u64, u32)>,
    pub unsubscribed: Vec<u32>,
    /// By slot; entity is slot + 1.
    pub scores: Vec<u32>,
    pub changed: BTreeSet<u32>,
    /// Slots that are in the roster already.
    pub known: u32,
    pub said: Vec<Vec<u8>>,
    pub own: BTreeMap<SessionId, SessionFrame>,
    pub looking: BTreeSet<SessionId>,
    /// The titles of what is in each cell.
    pub cells: Vec<String>,
    pub cells_changed: bool,
}

impl World {
    pub fn new() -> Self {
        Self {
            schema: WireSchema::new(&module::description().rows).unwrap(),
            writer: BlockWriter::new(),
            tick: 0,
            version: 0,
            sessions: BTreeSet::new(),
            calls: Vec::new(),
            inputs: Vec::new(),
            unsubscribed: Vec::new(),
            scores: vec![0],
            changed: BTreeSet::new(),
            known: 1,
            said: Vec::new(),
            own: BTreeMap::new(),
            looking: BTreeSet::new(),
            cells: Vec::new(),
            cells_changed: false,
        }
    }

    pub fn take(&mut self, ingress: Ingress<'_>) {
        match ingress {
            Ingress::Open { session, .. } => {
                assert!(self.sessions.insert(session), "a session opens once");
                self.own.entry(session).or_default().entered.push(entered(EVERYONE));
            }
            Ingress::Call { session, seq, reducer, args } => {
                assert!(self.sessions.contains(&session), "calls come between open and close");
                self.calls.push(seq);
                let result = self.call(session, reducer, args);
                self.own.entry(session).or_default().results.push(CallReply { seq, result });
            }
            Ingress::Close { session } => {
                assert!(self.sessions.remove(&session), "an open session closes once");
                self.looking.remove(&session);
                self.own.remove(&session);
            }
            Ingress::Input { session, reducer, tick, .. } => {
                assert!(self.sessions.contains(&session), "inputs come between open and close");
                self.inputs.push((tick, reducer));
            }
            Ingress::Subscribe { session, query, text } => {
                let outcome = QueryOutcome::Explained { plan: text.to_owned() };
                self.own.entry(session).or_default().queries.push(QueryReply { query, outcome });
            }
            Ingress::Unsubscribe { query, .. } => self.unsubscribed.push(query),
            Ingress::Resync { session, topics } => {
                assert!(self.sessions.contains(&session), "a session that is there is resynced");
                let wanted = |topic: &TopicId| match topics {
                    ResyncTopics::All => true,
                    ResyncTopics::Some(topics) => topics.contains(topic),
                };
                let secrets = self.looking.contains(&session).then_some(SECRETS);
                let cells = (0..self.cells.len() as u32).map(|cell| TopicId(FIRST_CELL + cell));
                let again = [EVERYONE].into_iter().chain(secrets).chain(cells).filter(wanted).map(entered);
                self.own.entry(session).or_default().entered.extend(again);
            }
        }
    }

    pub fn call(&mut self, session: SessionId, reducer: u32, args: &[u8]) -> CallOutcome {
        match reducer {
            module::Spawn::NUMBER => {
                self.scores.push(0);
                CallOutcome::Ok(result(&EntityId(self.scores.len() as u64)))
            }
            module::Increment::NUMBER => {
                let entity = argument::<EntityId>(args).unwrap();
                let slot = entity.0.wrapping_sub(1);
                match self.scores.get_mut(slot as usize) {
                    Some(score) => {
                        *score += 1;
                        self.changed.insert(slot as u32);
                        CallOutcome::Ok(result(score))
                    }
                    None => {
                        let refusal = IncrementRefusal::NoSuch { entity }.encode();
                        let fields = refusal.fields.into();
                        CallOutcome::Refused { variant: refusal.variant, message: refusal.message, fields }
                    }
                }
            }
            module::Say::NUMBER => {
                self.said.push(bytes(&Said { text: argument(args).unwrap() }));
                CallOutcome::Ok(Bytes::new())
            }
            module::Look::NUMBER => {
                let own = self.own.entry(session).or_default();
                if argument::<bool>(args).unwrap() {
                    self.looking.insert(session);
                    own.entered.push(entered(SECRETS));
                } else if self.looking.remove(&session) {
                    own.left.push(SECRETS);
                }
                CallOutcome::Ok(Bytes::new())
            }
            module::Crash::NUMBER => {
                CallOutcome::Failed { code: FailCode::Internal, message: "it trapped".to_owned(), id: 7 }
            }
            _ => CallOutcome::Failed {
                code: FailCode::UnknownReducer,
                message: "no such reducer".to_owned(),
                id: 0,
            },
        }
    }

    pub fn frame(&mut self) -> Frame {
        self.tick += 1;
        let scores: Vec<_> = self.scores.iter().map(|value| bytes(&Score { value: *value })).collect();
        let title = bytes(&Title { text: "the first".to_owned() });
        let mut frame = Frame {
            number: self.tick,
            tick: self.tick,
            time: Timestamp(self.tick as i64 * 50_000),
            seq: self.tick,
            tick_cost_us: 123,
            ..Frame::default()
        };
        let mut topics = TopicFramesWriter::new();

        self.writer.begin(EVERYONE, self.version);
        let new: Vec<u32> = (self.known..scores.len() as u32).collect();
        let entries: Vec<_> = new.iter().map(|slot| (*slot, EntityId(u64::from(*slot) + 1))).collect();
        self.writer.enter(&entries);
        self.changed.extend(new);
        let changed: Vec<u32> = std::mem::take(&mut self.changed).into_iter().collect();
        self.writer.rows(&self.schema, SCORE, u64::MAX, &changed, |index| &scores[changed[index] as usize]);
        let said = std::mem::take(&mut self.said);
        self.writer.events(SAID, said.iter().map(Vec::as_slice));
        self.known = scores.len() as u32;
        self.version = self.writer.version();
        if !self.writer.is_empty() {
            let said = Blocks { ordered: Some(self.writer.finish()), events: None };
            topics.blocks(EVERYONE, said);
        }

        let slots: Vec<u32> = (0..scores.len() as u32).collect();
        self.writer.begin_snapshot(EVERYONE, self.version, TopicKind::Everyone);
        let entries: Vec<_> = slots.iter().map(|slot| (*slot, EntityId(u64::from(*slot) + 1))).collect();
        self.writer.enter(&entries);
        self.writer.rows(&self.schema, SCORE, u64::MAX, &slots, |index| &scores[index]);
        self.writer.rows(&self.schema, TITLE, u64::MAX, &[0], |_| &title);
        let everyone = Arc::new(Snapshot::new(self.writer.finish()));

        let secret = bytes(&Secret { value: 42 });
        self.writer.begin_snapshot(SECRETS, 0, TopicKind::Group(9));
        self.writer.enter(&[(0, SECRET_ENTITY)]);
        self.writer.rows(&self.schema, SECRET, u64::MAX, &[0], |_| &secret);
        let secrets = Arc::new(Snapshot::new(self.writer.finish()));

        let (mut cells, changed) = (Vec::new(), std::mem::take(&mut self.cells_changed));
        for (cell, title) in (0..).zip(&self.cells) {
            let (topic, title) = (TopicId(FIRST_CELL + cell), bytes(&Title { text: title.clone() }));
            self.writer.begin_snapshot(topic, 0, TopicKind::Cell { space: 0, x: cell as i32, y: 0 });
            self.writer.enter(&[(0, EntityId(2000 + u64::from(cell)))]);
            self.writer.rows(&self.schema, TITLE, u64::MAX, &[0], |_| &title);
            cells.push(Arc::new(Snapshot::new(self.writer.finish())));
            if changed {
                self.writer.begin(topic, 0);
                self.writer.rows(&self.schema, TITLE, u64::MAX, &[0], |_| &title);
                let said = Blocks { ordered: Some(self.writer.finish()), events: None };
                topics.blocks(topic, said);
            }
        }

        for (session, mut own) in std::mem::take(&mut self.own) {
            for Entered { topic, snapshot, .. } in &mut own.entered {
                *snapshot = Arc::clone(match topic.0.checked_sub(FIRST_CELL) {
                    Some(cell) => &cells[cell as usize],
                    None if *topic == EVERYONE => &everyone,
                    None => &secrets,
                });
            }
            frame.sessions.insert(session, own);
        }
        frame.topics = topics.finish();
        frame
    }
}

/// A topic that a session enters with the next frame, which has its snapshot.
pub fn entered(topic: TopicId) -> Entered {
    let cell = topic.0.checked_sub(FIRST_CELL);
    let square = cell.map(|cell| Square { space: 0, min: [cell as f32 * 10.0, 0.0], size: 10.0 });
    Entered { topic, square, snapshot: Arc::new(Snapshot::new(Bytes::new())), followed: Vec::new() }
}
