//! Whatever happens to a world, its sessions and their queries: after every frame a client has exactly the rows
//! that its queries match and that it may see.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod asked;
mod server;

use std::collections::BTreeMap;

use evertick_interest::InterestConfig;
use evertick_protocol::QueryOutcome;
use evertick_schema::{EntityId, SessionId};
use evertick_world::{Focus, Place};
use proptest::prelude::*;

use asked::{DEED, HERB, LETTER, OWNER, POSITION, QUERIES, QUEST, TAG, WARE, identity, words};
use server::{Client, Server};

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
    fn clients_have_what_they_ask_for_and_may_see(
        asked in [prop::collection::vec(0..QUERIES.len(), 1..4), prop::collection::vec(0..QUERIES.len(), 1..4)],
        ops in prop::collection::vec(ops(), 1..150),
    ) {
        let mut server = Server::new(InterestConfig::default());
        let mut entities = Vec::new();
        // To begin with, there is something of everything, and everybody has something of it in view.
        let rows = (WARE..=QUEST).chain([HERB, DEED]).enumerate();
        let spawn = |(at, row)| Op::Spawn { row, values: [at as u32 % 3, 1], at: [30.0 * at as f32 - 90.0, 0.0] };
        let own = |which| Op::Own { which, who: which as u8 % 2 };
        let mut start: Vec<Op> = rows.map(spawn).chain((0..7).map(own)).collect();
        for (session, queries) in asked.into_iter().enumerate() {
            let (who, session) = (session as u8, session as u64);
            start.push(Op::Open { session, who });
            start.push(Op::Look { session, at: [0.0, 0.0], radius: 80.0 });
            start.push(Op::Join { session, group: session });
            let asks = queries.into_iter().zip(10..);
            start.extend(asks.map(|(query, number)| Op::Subscribe { session, number, query }));
        }
        start.push(Op::Frame);
        for op in start {
            apply(&mut server, &mut entities, op);
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
    let mut server = Server::new(InterestConfig { query_rows_per_frame: 200, ..InterestConfig::default() });
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
