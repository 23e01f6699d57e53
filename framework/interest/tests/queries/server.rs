//! A world with interest in it and clients with replicas, and what they are to have.

use std::collections::{BTreeMap, BTreeSet};

use evertick_interest::{Interest, InterestConfig};
use evertick_protocol::{
    Changes, Frame, QueryOutcome, QueryReply, Replica, ServerMessage, TopicId, TopicList, pack_frame,
};
use evertick_schema::{Duration, EntityId, Identity, ModuleDescription, SessionId, Timestamp, Visibility};
use evertick_world::{Cause, Config, RowId, SessionWish, Tx, World};

use crate::asked::{QUERIES, QUEST, WARE, description, identity, word};

pub struct Client {
    pub identity: Identity,
    pub groups: Vec<u64>,
    /// The client's queries, by number, with their places in [`QUERIES`].
    pub queries: BTreeMap<u32, usize>,
    pub applied: BTreeMap<u32, Vec<TopicId>>,
    pub topics: TopicList,
    pub replica: Replica,
    pub replies: Vec<QueryReply>,
}

pub struct Server {
    pub world: World,
    pub interest: Interest,
    pub description: ModuleDescription,
    pub rows: Vec<RowId>,
    pub clients: BTreeMap<SessionId, Client>,
    pub now: Timestamp,
    pub tick: u64,
}

impl Server {
    pub fn new(config: InterestConfig) -> Self {
        let description = description();
        let mut world = World::new(Config::default());
        let rows = world.register("game", &description.rows).unwrap();
        let interest = Interest::new(&world, &rows, config);
        let clients = BTreeMap::new();
        Self { world, interest, description, rows, clients, now: Timestamp(0), tick: 0 }
    }

    pub fn open(&mut self, session: u64, who: u8) -> SessionId {
        let id = SessionId(session);
        self.interest.open(id, identity(who));
        let client = Client {
            identity: identity(who),
            groups: Vec::new(),
            queries: BTreeMap::new(),
            applied: BTreeMap::new(),
            topics: TopicList::default(),
            replica: Replica::new(&self.description).unwrap(),
            replies: Vec::new(),
        };
        self.clients.insert(id, client);
        id
    }

    pub fn subscribe(&mut self, session: SessionId, number: u32, query: usize) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.queries.insert(number, query);
        }
        self.interest.subscribe(session, number, QUERIES[query].text);
    }

    pub fn unsubscribe(&mut self, session: SessionId, number: u32) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.queries.remove(&number);
            client.applied.remove(&number);
        }
        self.interest.unsubscribe(session, number);
    }

    pub fn write<T>(&mut self, write: impl FnOnce(&mut Tx<'_>, &[RowId]) -> T) -> T {
        let mut tx = self.world.begin(Cause { now: self.now, ..Cause::default() });
        let done = write(&mut tx, &self.rows);
        tx.accept().unwrap();
        done
    }

    pub fn spawn(&mut self, with: &[(usize, Vec<u8>)]) -> EntityId {
        self.write(|tx, rows| {
            let entity = tx.spawn();
            for (row, bytes) in with {
                tx.set(rows[*row], entity, bytes).unwrap();
            }
            entity
        })
    }

    pub fn set(&mut self, entity: EntityId, row: usize, bytes: Vec<u8>) {
        if self.world.exists(entity) {
            self.write(|tx, rows| tx.set(rows[row], entity, &bytes)).unwrap();
        }
    }

    pub fn commit(&mut self) {
        self.tick += 1;
        let delta = self.world.commit(self.tick, self.now);
        self.interest.absorb(&self.world, &delta);
        for op in &delta.sessions {
            let Some(client) = self.clients.get_mut(&op.session) else { continue };
            match op.wish {
                SessionWish::Join(group) if !client.groups.contains(&group) => client.groups.push(group),
                SessionWish::Leave(group) => client.groups.retain(|joined| *joined != group),
                _ => {}
            }
        }
    }

    pub fn frame(&mut self) -> Frame {
        self.commit();
        self.now += Duration::from_millis(50);
        let frame = self.interest.frame(&self.world, self.now, 0);
        for (id, client) in &mut self.clients {
            client.receive(*id, &frame);
        }
        frame
    }

    pub fn get(&self, row: usize, entity: EntityId) -> Option<Vec<u8>> {
        self.world.get(self.rows[row], entity).map(<[u8]>::to_vec)
    }

    /// Whether the rows are visible to the client; those of other types must be, too, and to the same audience.
    pub fn may_see(&self, id: SessionId, row: usize, entity: EntityId, bytes: &[u8]) -> bool {
        let client = &self.clients[&id];
        match self.description.rows[row].visible {
            Visibility::Everyone => true,
            Visibility::Near => {
                self.world.cell(entity).is_some_and(|cell| self.interest.view(id).contains(&cell))
            }
            Visibility::Owner { field: None } => self.world.owner(entity) == Some(client.identity),
            Visibility::Owner { .. } => bytes[..32] == client.identity.0,
            Visibility::Group { .. } => client.groups.contains(&word(bytes, 0).into()),
            Visibility::Nobody => false,
        }
    }

    pub fn check(&self) {
        for (id, client) in &self.clients {
            for row in WARE..=QUEST {
                let asked =
                    || client.queries.values().map(|query| &QUERIES[*query]).filter(|asked| asked.row == row);
                let matches = |entity: EntityId| {
                    let get = |row: usize| self.get(row, entity);
                    asked().any(|asked| (asked.means)(&get, &client.identity) == Some(true))
                };
                let visible = self
                    .world
                    .scan(self.rows[row])
                    .filter(|(entity, bytes)| self.may_see(*id, row, *entity, bytes) && matches(*entity));
                let want: BTreeMap<_, _> = visible.map(|(entity, bytes)| (entity, bytes.to_vec())).collect();
                let rows = client.replica.rows(row as u32);
                let have: BTreeMap<_, _> = rows.map(|(entity, bytes)| (entity, bytes.to_vec())).collect();
                assert_eq!(have, want, "{id:?} has of {}, should have", self.description.rows[row].name);
            }
            let applied: BTreeSet<_> = client.applied.keys().collect();
            assert_eq!(applied, client.queries.keys().collect(), "every query has been answered");
        }
    }
}

impl Client {
    pub fn receive(&mut self, id: SessionId, frame: &Frame) {
        self.replies.clear();
        let mut message = Vec::new();
        if !pack_frame(frame, frame.sessions.get(&id), &mut self.topics, &mut message) {
            return;
        }
        let ServerMessage::Frame(message) = ServerMessage::decode(&message).unwrap() else {
            panic!("a frame")
        };
        let mut changes = Changes::new();
        self.replica.apply(message, &mut changes).unwrap();
        for reply in &changes.queries {
            self.replies.push(reply.clone());
            if let QueryOutcome::Applied { topics } = &reply.outcome {
                self.applied.insert(reply.query, topics.clone());
            }
        }
    }
}
