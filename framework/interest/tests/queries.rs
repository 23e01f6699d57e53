//! Whatever happens to a world, its sessions and their queries: after every frame a client has exactly the rows
//! that its queries match and that it may see.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use evertick_interest::{Interest, InterestConfig};
use evertick_protocol::{
    Changes, Frame, QueryOutcome, QueryReply, Replica, ServerMessage, TopicId, TopicList, pack_frame,
};
use evertick_schema::{
    ABI_VERSION, Duration, EntityId, FieldDef, Identity, IndexDef, IndexKind, ModuleDescription, RowDef,
    RowKind, SessionId, SpatialDef, Timestamp, Type, Visibility, owner_row,
};
use evertick_world::{Cause, Config, Focus, Place, RowId, SessionWish, Tx, World};
use proptest::prelude::*;

const POSITION: usize = 0;
const WARE: usize = 1;
const HERB: usize = 2;
const DEED: usize = 3;
const LETTER: usize = 4;
const QUEST: usize = 5;
const TAG: usize = 6;
const OWNER: usize = 7;

fn description() -> ModuleDescription {
    use Visibility::{Everyone, Group, Near, Owner};
    let row = |name: &str, visible, fields: &[(&str, Type)]| {
        let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect();
        let on_demand = !["Position", "Tag"].contains(&name);
        RowDef { visible, on_demand, ..RowDef::new(name, RowKind::Component, fields) }
    };
    let value = ("value", Type::U32);
    let mut rows = vec![
        row("Position", Near, &[("at", Type::Vec2), ("space", Type::U32)]),
        row("Ware", Everyone, &[("kind", Type::U32), value.clone()]),
        row("Herb", Near, std::slice::from_ref(&value)),
        row("Deed", Owner { field: None }, std::slice::from_ref(&value)),
        row("Letter", Owner { field: Some(0) }, &[("to", Type::Identity), value.clone()]),
        row("Quest", Group { field: 0 }, &[("guild", Type::U32), value.clone()]),
        row("Tag", Everyone, &[("tag", Type::U32)]),
        owner_row(),
    ];
    rows[POSITION].spatial = Some(SpatialDef { at: 0, space: Some(1) });
    rows[WARE].indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: false }];
    rows[QUEST].indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: false }];
    let description = ModuleDescription {
        abi: ABI_VERSION,
        name: "game".into(),
        rows,
        reducers: Vec::new(),
        systems: Vec::new(),
        predictions: Vec::new(),
    };
    assert_eq!(description.check(), Ok(()));
    description
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().unwrap())
}

fn identity(who: u8) -> Identity {
    Identity([who + 1; 32])
}

/// A query, the row type it asks for, and what it means, said by hand.
struct Asked {
    text: &'static str,
    row: usize,
    means: fn(&Rows<'_>, &Identity) -> Option<bool>,
}

/// The rows of one entity, by type.
type Rows<'a> = dyn Fn(usize) -> Option<Vec<u8>> + 'a;

const QUERIES: &[Asked] = &[
    Asked { text: "SELECT * FROM Ware", row: WARE, means: |_, _| Some(true) },
    Asked {
        text: "SELECT * FROM Ware WHERE kind = 1",
        row: WARE,
        means: |row, _| Some(word(&row(WARE)?, 0) == 1),
    },
    Asked {
        text: "SELECT * FROM Ware WHERE value >= 2 AND NOT value > 3",
        row: WARE,
        means: |row, _| Some((2..=3).contains(&word(&row(WARE)?, 1))),
    },
    Asked {
        text: "SELECT * FROM Ware JOIN Tag USING (entity) WHERE tag IN (0, 2) OR kind = 2",
        row: WARE,
        means: |row, _| {
            let tag = word(&row(TAG)?, 0);
            Some(tag == 0 || tag == 2 || word(&row(WARE)?, 0) == 2)
        },
    },
    Asked { text: "SELECT * FROM Herb", row: HERB, means: |_, _| Some(true) },
    Asked {
        text: "SELECT * FROM Herb JOIN Position USING (entity) WHERE near(0, 0, 60)",
        row: HERB,
        means: |row, _| {
            let position = row(POSITION)?;
            let [x, y] = [0, 1].map(|axis| f64::from(f32::from_bits(word(&position, axis))));
            Some(word(&position, 2) == 0 && x * x + y * y <= 3600.0)
        },
    },
    Asked {
        text: "SELECT * FROM Herb JOIN Tag USING (entity) WHERE tag <> 1 AND value = 1",
        row: HERB,
        means: |row, _| Some(word(&row(TAG)?, 0) != 1 && word(&row(HERB)?, 0) == 1),
    },
    Asked {
        text: "SELECT * FROM Deed WHERE value < 3",
        row: DEED,
        means: |row, _| Some(word(&row(DEED)?, 0) < 3),
    },
    Asked {
        text: "SELECT * FROM Deed JOIN Letter USING (entity) WHERE Letter.value = 1",
        row: DEED,
        means: |row, me| {
            let letter = row(LETTER)?;
            Some(letter[..32] == me.0 && word(&letter, 8) == 1)
        },
    },
    Asked {
        text: "SELECT * FROM Letter WHERE to = :me AND value <> 2",
        row: LETTER,
        means: |row, _| Some(word(&row(LETTER)?, 8) != 2),
    },
    Asked { text: "SELECT * FROM Quest", row: QUEST, means: |_, _| Some(true) },
    Asked {
        text: "SELECT * FROM Quest JOIN Tag USING (entity) WHERE value = 1 OR tag = 1",
        row: QUEST,
        means: |row, _| {
            let tag = word(&row(TAG)?, 0);
            Some(tag == 1 || word(&row(QUEST)?, 1) == 1)
        },
    },
];

struct Client {
    identity: Identity,
    groups: Vec<u64>,
    /// The client's queries, by number, with their places in [`QUERIES`].
    queries: BTreeMap<u32, usize>,
    applied: BTreeMap<u32, Vec<TopicId>>,
    topics: TopicList,
    replica: Replica,
    replies: Vec<QueryReply>,
}

struct Server {
    world: World,
    interest: Interest,
    description: ModuleDescription,
    rows: Vec<RowId>,
    clients: BTreeMap<SessionId, Client>,
    now: Timestamp,
    tick: u64,
}

impl Server {
    fn new(config: InterestConfig) -> Self {
        let description = description();
        let mut world = World::new(Config::default());
        let rows = world.register("game", &description.rows).unwrap();
        let interest = Interest::new(&world, &rows, config);
        let clients = BTreeMap::new();
        Self { world, interest, description, rows, clients, now: Timestamp(0), tick: 0 }
    }

    fn open(&mut self, session: u64, who: u8) -> SessionId {
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

    fn subscribe(&mut self, session: SessionId, number: u32, query: usize) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.queries.insert(number, query);
        }
        self.interest.subscribe(session, number, QUERIES[query].text);
    }

    fn unsubscribe(&mut self, session: SessionId, number: u32) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.queries.remove(&number);
            client.applied.remove(&number);
        }
        self.interest.unsubscribe(session, number);
    }

    fn write<T>(&mut self, write: impl FnOnce(&mut Tx<'_>, &[RowId]) -> T) -> T {
        let mut tx = self.world.begin(Cause { now: self.now, ..Cause::default() });
        let done = write(&mut tx, &self.rows);
        tx.accept().unwrap();
        done
    }

    fn spawn(&mut self, with: &[(usize, Vec<u8>)]) -> EntityId {
        self.write(|tx, rows| {
            let entity = tx.spawn();
            for (row, bytes) in with {
                tx.set(rows[*row], entity, bytes).unwrap();
            }
            entity
        })
    }

    fn set(&mut self, entity: EntityId, row: usize, bytes: Vec<u8>) {
        if self.world.exists(entity) {
            self.write(|tx, rows| tx.set(rows[row], entity, &bytes)).unwrap();
        }
    }

    fn commit(&mut self) {
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

    fn frame(&mut self) -> Frame {
        self.commit();
        self.now += Duration::from_millis(50);
        let frame = self.interest.frame(&self.world, self.now, 0);
        for (id, client) in &mut self.clients {
            client.receive(*id, &frame);
        }
        frame
    }

    fn get(&self, row: usize, entity: EntityId) -> Option<Vec<u8>> {
        self.world.get(self.rows[row], entity).map(<[u8]>::to_vec)
    }

    /// Whether the rows are visible to the client; those of other types must be, too, and to the same audience.
    fn may_see(&self, id: SessionId, row: usize, entity: EntityId, bytes: &[u8]) -> bool {
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

    fn check(&self) {
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
    fn receive(&mut self, id: SessionId, frame: &Frame) {
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

#[derive(Clone, Debug)]
enum Op {
    Spawn { row: usize, values: [u32; 2], at: [f32; 2] },
    Despawn(usize),
    Set { which: usize, row: usize, values: [u32; 2] },
    Remove { which: usize, row: usize },
    Move { which: usize, at: [f32; 2] },
    Own { which: usize, who: u8 },
    Open { session: u64, who: u8 },
    Close(u64),
    Look { session: u64, at: [f32; 2], radius: f32 },
    LookAt { session: u64, which: usize },
    LookAway(u64),
    Join { session: u64, group: u64 },
    Leave { session: u64, group: u64 },
    Subscribe { session: u64, number: u32, query: usize },
    Unsubscribe { session: u64, number: u32 },
    Commit,
    Frame,
}

fn ops() -> impl Strategy<Value = Op> {
    let at = || [-150.0..150.0f32, -150.0..150.0f32];
    let which = || 0..10usize;
    let session = || 0..3u64;
    let group = || 0..3u64;
    let values = || [0..4u32, 0..5u32];
    prop_oneof![
        4 => (WARE..=QUEST, values(), at()).prop_map(|(row, values, at)| Op::Spawn { row, values, at }),
        1 => which().prop_map(Op::Despawn),
        8 => (which(), WARE..=TAG, values()).prop_map(|(which, row, values)| Op::Set { which, row, values }),
        2 => (which(), POSITION..=OWNER).prop_map(|(which, row)| Op::Remove { which, row }),
        4 => (which(), at()).prop_map(|(which, at)| Op::Move { which, at }),
        3 => (which(), 0..3u8).prop_map(|(which, who)| Op::Own { which, who }),
        2 => (session(), 0..3u8).prop_map(|(session, who)| Op::Open { session, who }),
        1 => session().prop_map(Op::Close),
        3 => (session(), at(), 0.0..120.0f32).prop_map(|(session, at, radius)| Op::Look { session, at, radius }),
        2 => (session(), which()).prop_map(|(session, which)| Op::LookAt { session, which }),
        1 => session().prop_map(Op::LookAway),
        2 => (session(), group()).prop_map(|(session, group)| Op::Join { session, group }),
        1 => (session(), group()).prop_map(|(session, group)| Op::Leave { session, group }),
        6 => (session(), 0..5u32, 0..QUERIES.len())
            .prop_map(|(session, number, query)| Op::Subscribe { session, number, query }),
        2 => (session(), 0..5u32).prop_map(|(session, number)| Op::Unsubscribe { session, number }),
        4 => Just(Op::Commit),
        8 => Just(Op::Frame),
    ]
}

fn row_bytes(row: usize, [key, value]: [u32; 2]) -> Vec<u8> {
    match row {
        HERB | DEED => words(&[value]),
        LETTER => [&identity(key as u8).0[..], &words(&[value])].concat(),
        TAG => words(&[key]),
        _ => words(&[key, value]),
    }
}

fn position([x, y]: [f32; 2]) -> Vec<u8> {
    words(&[x.to_bits(), y.to_bits(), 0])
}

fn apply(server: &mut Server, entities: &mut Vec<EntityId>, op: Op) {
    let from = entities.len().saturating_sub(10);
    let entity = |which: usize| entities[from..].get(which).copied().unwrap_or(EntityId(77));
    let mut focus = |session, focus| server.write(|tx, _| tx.focus(SessionId(session), focus));
    match op {
        Op::Spawn { row, values, at } => {
            let with = [(row, row_bytes(row, values)), (POSITION, position(at))];
            entities.push(server.spawn(&with));
        }
        Op::Despawn(which) => {
            let entity = entity(which);
            server.write(|tx, _| tx.despawn(entity));
        }
        Op::Set { which, row, values } => server.set(entity(which), row, row_bytes(row, values)),
        Op::Remove { which, row } => {
            let entity = entity(which);
            server.write(|tx, rows| tx.remove(rows[row], entity));
        }
        Op::Move { which, at } => server.set(entity(which), POSITION, position(at)),
        Op::Own { which, who } => server.set(entity(which), OWNER, identity(who).0.to_vec()),
        Op::Open { session, who } => {
            server.open(session, who);
        }
        Op::Close(session) => {
            server.interest.close(SessionId(session));
            server.clients.remove(&SessionId(session));
        }
        Op::Look { session, at, radius } => {
            focus(session, Focus::Point { place: Place { space: 0, at }, radius });
        }
        Op::LookAt { session, which } => {
            focus(session, Focus::Entity { entity: entity(which), radius: 80.0 });
        }
        Op::LookAway(session) => focus(session, Focus::None),
        Op::Join { session, group } => server.write(|tx, _| tx.join(SessionId(session), group)),
        Op::Leave { session, group } => server.write(|tx, _| tx.leave(SessionId(session), group)),
        Op::Subscribe { session, number, query } => server.subscribe(SessionId(session), number, query),
        Op::Unsubscribe { session, number } => server.unsubscribe(SessionId(session), number),
        Op::Commit => server.commit(),
        Op::Frame => {
            server.frame();
            server.check();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn clients_have_what_they_ask_for_and_may_see(ops in prop::collection::vec(ops(), 1..150)) {
        let mut server = Server::new(InterestConfig::default());
        let mut entities = Vec::new();
        for session in 0..2 {
            server.open(session, session as u8);
        }
        for op in ops.into_iter().chain([Op::Frame]) {
            apply(&mut server, &mut entities, op);
        }
        let sessions: Vec<_> = server.clients.keys().copied().collect();
        for session in sessions {
            apply(&mut server, &mut entities, Op::Close(session.0));
        }
        server.frame();
        let stats = server.interest.stats();
        prop_assert_eq!((stats.topics, stats.queries), (0, 0), "nobody is there, so nothing is kept");
    }
}

#[test]
fn equal_questions_share_one_topic_and_one_block() {
    let mut server = Server::new(InterestConfig::default());
    let [a, b] = [0, 1].map(|session| server.open(session, session as u8));
    server.interest.subscribe(a, 1, "SELECT * FROM Ware WHERE value >= 2 AND value <= 4");
    server.interest.subscribe(b, 7, "SELECT Ware.* FROM Ware WHERE NOT (value < 2 OR value > 4)");
    server.frame();
    let topics = [(a, 1), (b, 7)].map(|(id, number)| server.clients[&id].applied[&number].clone());
    assert_eq!(topics[0], topics[1]);
    assert_eq!((topics[0].len(), server.interest.stats().queries), (1, 1));

    let ware = server.spawn(&[(WARE, words(&[0, 3]))]);
    let blocks = server.interest.stats().blocks;
    server.frame();
    assert_eq!(server.interest.stats().blocks, blocks + 1);
    for id in [a, b] {
        assert_eq!(server.clients[&id].replica.get(WARE as u32, ware), Some(&words(&[0, 3])[..]));
    }
    server.interest.unsubscribe(a, 1);
    server.frame();
    assert_eq!(server.clients[&a].replica.get(WARE as u32, ware), None);
    assert!(server.clients[&b].replica.get(WARE as u32, ware).is_some());
}

#[test]
fn what_is_wrong_and_what_is_explained_is_answered() {
    let mut server = Server::new(InterestConfig { queries_max: 2, ..InterestConfig::default() });
    let id = server.open(0, 0);
    let mut ask = |text: &str| {
        server.interest.subscribe(id, 9, text);
        server.frame();
        let replies = &server.clients[&id].replies;
        assert_eq!((replies.len(), replies[0].query), (1, 9));
        replies[0].outcome.clone()
    };
    let QueryOutcome::Refused { message } = ask("SELECT * FROM Tag") else { panic!("refused") };
    assert!(message.contains("sent without being asked for"), "{message}");
    let QueryOutcome::Explained { plan } = ask("EXPLAIN SELECT * FROM Ware WHERE kind = 1") else {
        panic!("a plan")
    };
    assert!(
        plan.contains("hashed by Ware.kind, 1 value; first result: from the index on Ware.kind"),
        "{plan}"
    );
    for _ in 0..3 {
        assert!(matches!(ask("SELECT * FROM Ware"), QueryOutcome::Applied { topics } if topics.len() == 1));
    }
    server.interest.subscribe(id, 10, "SELECT * FROM Ware WHERE kind = 1");
    server.interest.subscribe(id, 11, "SELECT * FROM Ware WHERE kind = 2");
    server.frame();
    let outcomes: BTreeMap<_, _> =
        server.clients[&id].replies.iter().map(|r| (r.query, r.outcome.clone())).collect();
    assert!(matches!(outcomes[&10], QueryOutcome::Applied { .. }));
    assert!(
        matches!(&outcomes[&11], QueryOutcome::Refused { message } if message.contains("2 queries at a time"))
    );
}

#[test]
fn first_results_are_found_a_few_in_each_frame() {
    let mut server = Server::new(InterestConfig { query_rows_per_frame: 100, ..InterestConfig::default() });
    server.spawn(&[(WARE, words(&[1, 1]))]);
    let ids: Vec<_> = (0..5).map(|session| server.open(session, 0)).collect();
    for (value, id) in ids.iter().enumerate() {
        server.interest.subscribe(*id, 0, &format!("SELECT * FROM Ware WHERE value <> {}", value + 7));
    }
    server.interest.close(ids[1]);
    server.clients.remove(&ids[1]);
    let mut answered = Vec::new();
    for _ in 0..4 {
        server.frame();
        answered.push(server.clients.values().filter(|client| !client.applied.is_empty()).count());
        let rows = |client: &Client| client.replica.rows(WARE as u32).count();
        assert!(server.clients.values().all(|client| rows(client) == client.applied.len()));
    }
    assert_eq!(answered, [2, 4, 4, 4]);
}

#[test]
fn a_result_beyond_the_bound_is_refused() {
    let mut server = Server::new(InterestConfig::default());
    let id = server.open(0, 0);
    server.write(|tx, rows| {
        for value in 0..=evertick_query::RESULT_ROWS_MAX as u32 {
            let entity = tx.spawn();
            tx.set(rows[WARE], entity, &words(&[value % 2, value])).unwrap();
        }
    });
    server.commit();
    server.interest.subscribe(id, 1, "SELECT * FROM Ware");
    server.interest.subscribe(id, 2, "SELECT * FROM Ware WHERE kind = 1");
    server.frame();
    server.frame();
    let client = &server.clients[&id];
    assert_eq!(client.applied.keys().collect::<Vec<_>>(), [&2]);
    assert_eq!(client.replica.rows(WARE as u32).count(), evertick_query::RESULT_ROWS_MAX / 2);
    assert_eq!(server.interest.stats().queries, 1);
}
