//! A world with interest in it, and clients with replicas, without anything in between.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses a part of it")]

pub mod rows;

use std::collections::BTreeMap;

use evertick_interest::{Interest, InterestConfig};
use evertick_protocol::{Changes, Frame, Replica, ServerMessage, TopicList, pack_frame};
use evertick_schema::{
    Duration, EntityId, Identity, ModuleDescription, RowDef, SessionId, Timestamp, Visibility,
};
use evertick_world::{Cause, Cell, Config, Delta, Focus, Place, RowId, SessionWish, Tx, World};

use self::rows::{POSITION, STEP};

/// The most groups of a session in these tests.
pub const GROUPS_MAX: usize = 2;

pub struct Server {
    pub world: World,
    pub interest: Interest,
    pub description: ModuleDescription,
    pub rows: Vec<RowId>,
    pub clients: BTreeMap<SessionId, Client>,
    pub now: Timestamp,
    tick: u64,
}

pub struct Client {
    pub identity: Identity,
    pub groups: Vec<u64>,
    pub topics: TopicList,
    pub replica: Replica,
    pub changes: Changes,
    /// Events of the last frame.
    pub heard: Vec<(usize, Vec<u8>)>,
    /// It gets the states of one frame in so many.
    pub takes_one_in: u64,
}

impl Server {
    pub fn new() -> Self {
        let description = rows::description();
        let mut world = World::new(Config::default());
        let rows = world.register("game", &description.rows).unwrap();
        let config = InterestConfig { groups_max: GROUPS_MAX, ..InterestConfig::default() };
        let interest = Interest::new(&world, &rows, config);
        let clients = BTreeMap::new();
        Self { world, interest, description, rows, clients, now: Timestamp(0), tick: 0 }
    }

    pub fn def(&self, row: usize) -> &RowDef {
        &self.description.rows[row]
    }

    pub fn open(&mut self, session: u64, who: u8) -> SessionId {
        let id = SessionId(session);
        let identity = rows::identity(who);
        self.interest.open(id, identity);
        let client = Client {
            identity,
            groups: Vec::new(),
            topics: TopicList::default(),
            replica: Replica::new(&self.description).unwrap(),
            changes: Changes::new(),
            heard: Vec::new(),
            takes_one_in: 1,
        };
        self.clients.insert(id, client);
        id
    }

    pub fn close(&mut self, session: SessionId) {
        self.interest.close(session);
        self.clients.remove(&session);
    }

    /// One transaction.
    pub fn write<T>(&mut self, write: impl FnOnce(&mut Tx<'_>, &[RowId]) -> T) -> T {
        let mut tx = self.world.begin(Cause { now: self.now, ..Cause::default() });
        let done = write(&mut tx, &self.rows);
        tx.accept().unwrap();
        done
    }

    /// A new entity with these rows.
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
        self.write(|tx, rows| tx.set(rows[row], entity, &bytes)).unwrap();
    }

    pub fn emit(&mut self, row: usize, bytes: Vec<u8>) {
        self.write(|tx, rows| tx.emit(rows[row], &bytes)).unwrap();
    }

    pub fn look_at(&mut self, session: SessionId, entity: EntityId, radius: f32) {
        self.focus(session, Focus::Entity { entity, radius });
    }

    pub fn look(&mut self, session: SessionId, x: f32, y: f32, radius: f32) {
        self.focus(session, Focus::Point { place: Place { space: 0, at: [x, y] }, radius });
    }

    pub fn focus(&mut self, session: SessionId, focus: Focus) {
        self.write(|tx, _| tx.focus(session, focus));
    }

    pub fn join(&mut self, session: SessionId, group: u64) {
        self.write(|tx, _| tx.join(session, group));
    }

    pub fn leave(&mut self, session: SessionId, group: u64) {
        self.write(|tx, _| tx.leave(session, group));
    }

    /// Ends a commit and lets interest take it in.
    pub fn commit(&mut self) -> Delta {
        self.tick += 1;
        let delta = self.world.commit(self.tick, self.now);
        self.interest.absorb(&self.world, &delta);
        for op in &delta.sessions {
            let Some(client) = self.clients.get_mut(&op.session) else { continue };
            match op.wish {
                SessionWish::Join(group) => {
                    if client.groups.len() < GROUPS_MAX && !client.groups.contains(&group) {
                        client.groups.push(group);
                    }
                }
                SessionWish::Leave(group) => client.groups.retain(|joined| *joined != group),
                SessionWish::Focus(_) => {}
            }
        }
        delta
    }

    /// Commits, and brings all clients up to date.
    pub fn frame(&mut self) -> Frame {
        self.commit();
        self.now += Duration::from_millis(50);
        let frame = self.interest.frame(&self.world, self.now, 0);
        for (id, client) in &mut self.clients {
            client.receive(*id, &frame);
        }
        frame
    }

    /// Whether a client may see a row: the rule that everything else here is measured by.
    pub fn may_see(&self, id: SessionId, row: usize, entity: EntityId, bytes: &[u8]) -> bool {
        let client = &self.clients[&id];
        let field = |field: u16| self.world.row(self.rows[row]).layout.fields[usize::from(field)].of(bytes);
        match self.def(row).visible {
            Visibility::Nobody => false,
            Visibility::Everyone => true,
            Visibility::Near if self.def(row).detail => {
                self.world.cell(entity).is_some_and(|cell| self.interest.details(id).contains(&cell))
            }
            Visibility::Near => self.world.cell(entity).is_some_and(|cell| self.sees_cell(id, cell)),
            Visibility::Owner { field: None } => self.world.owner(entity) == Some(client.identity),
            Visibility::Owner { field: Some(owner) } => field(owner) == client.identity.0,
            Visibility::Group { field: group } => client.groups.contains(&unsigned(field(group))),
        }
    }

    pub fn sees_cell(&self, id: SessionId, cell: Cell) -> bool {
        self.interest.view(id).contains(&cell)
    }

    /// Compares every client's replica with what it may see of the world.
    pub fn check(&self) {
        self.check_values(|_| true);
    }

    /// The same, but for what rows on the latest lane hold: some of that may have been lost.
    pub fn check_ordered(&self) {
        self.check_values(|row| !self.def(row).is_latest());
    }

    fn check_values(&self, of: impl Fn(usize) -> bool) {
        for (id, client) in &self.clients {
            let mut want = BTreeMap::new();
            let mut have = BTreeMap::new();
            for row in
                (0..self.rows.len()).filter(|row| self.def(*row).kind != evertick_schema::RowKind::Event)
            {
                let visible = self.world.scan(self.rows[row]);
                let visible = visible.filter(|(entity, bytes)| self.may_see(*id, row, *entity, bytes));
                want.extend(visible.map(|(entity, bytes)| ((row, entity), bytes.to_vec())));
                let rows = client.replica.rows(row as u32);
                have.extend(rows.map(|(entity, bytes)| ((row, entity), bytes.to_vec())));
            }
            let keys = |rows: &BTreeMap<(usize, EntityId), Vec<u8>>| rows.keys().copied().collect::<Vec<_>>();
            assert_eq!(
                keys(&have),
                keys(&want),
                "rows (row type, entity) of {id:?}: what it has, what it may see"
            );
            for (key, want) in want.iter().filter(|(key, _)| of(key.0)) {
                assert!(same(key.0, &have[key], want), "{id:?} {key:?}: {:?} for {want:?}", have[key]);
            }
        }
    }
}

impl Client {
    fn receive(&mut self, id: SessionId, frame: &Frame) {
        self.heard.clear();
        let mut frame = frame.clone();
        if !frame.number.is_multiple_of(self.takes_one_in) {
            frame.topics = frame.topics.without_states();
        }
        let mut message = Vec::new();
        if pack_frame(&frame, frame.sessions.get(&id), &mut self.topics, &mut message) {
            let ServerMessage::Frame(message) = ServerMessage::decode(&message).unwrap() else {
                panic!("a packed frame is a frame");
            };
            self.replica.apply(message, &mut self.changes).unwrap();
            self.heard.extend(self.changes.events().map(|event| (event.row as usize, event.bytes.to_vec())));
        } else {
            self.changes = Changes::new();
        }
    }

    /// The row that the client has.
    pub fn get(&self, row: usize, entity: EntityId) -> Option<&[u8]> {
        self.replica.get(row as u32, entity)
    }
}

/// Whether a client's row is the world's, positions to half a step.
pub fn same(row: usize, have: &[u8], want: &[u8]) -> bool {
    let near = |at: usize| {
        let float = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
        (float(have) - float(want)).abs() <= STEP / 2.0 + 1e-4
    };
    match row {
        POSITION => near(0) && near(4) && have[8..] == want[8..],
        _ => have == want,
    }
}

pub fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
