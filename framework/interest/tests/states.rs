//! What moves: states that may be lost, and what comes to rest.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Server;
use common::rows::{BODY, GEAR, POSITION, position, words};
use evertick_protocol::{Frame, STATE_BYTES_MAX, States};
use evertick_schema::{EntityId, SessionId};

/// A session that looks at the cell around the origin's first quadrant.
fn watched() -> (Server, SessionId) {
    let mut server = Server::new();
    let session = server.open(1, 0);
    server.look(session, 32.0, 32.0, 10.0);
    server.frame();
    (server, session)
}

/// The only states of a frame.
fn states(frame: &Frame) -> Option<States<'_>> {
    let mut all = frame.topics.all_states().map(|(_, states)| states);
    let states = all.next();
    assert!(all.next().is_none(), "one topic moves");
    states
}

fn has_ordered(frame: &Frame) -> bool {
    frame.topics.all_blocks().any(|(_, blocks)| blocks.ordered.is_some())
}

#[test]
fn who_moves_is_in_states_and_who_rests_is_told_in_order_once() {
    let (mut server, _) = watched();
    let walker = server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (BODY, words(&[1, 2, 3]))]);
    assert!(has_ordered(&server.frame()), "it enters");
    for step in 1..4 {
        server.set(walker, POSITION, position(0, 10.0 + step as f32, 10.0));
        let frame = server.frame();
        assert!(states(&frame).is_some() && !has_ordered(&frame), "step {step}");
        server.check();
    }
    // Something else changes meanwhile; that goes in order, and says nothing of who moves.
    server.set(walker, BODY, words(&[1, 2, 4]));
    let frame = server.frame();
    assert!(states(&frame).is_none() && has_ordered(&frame));
    let rests: Vec<bool> = (0..6).map(|_| has_ordered(&server.frame())).collect();
    assert_eq!(rests, [false, false, true, false, false, false]);
    server.check();
}

#[test]
fn whoever_gets_any_state_knows_all_that_move() {
    let (mut server, session) = watched();
    let walkers: Vec<EntityId> =
        (0..3).map(|at| server.spawn(&[(POSITION, position(0, 10.0 * at as f32, 10.0))])).collect();
    server.frame();
    server.clients.get_mut(&session).unwrap().takes_one_in = u64::MAX;
    server.set(walkers[0], POSITION, position(0, 1.0, 1.0));
    server.frame();
    server.clients.get_mut(&session).unwrap().takes_one_in = 1;
    server.set(walkers[1], POSITION, position(0, 2.0, 2.0));
    server.frame();
    server.check();
}

#[test]
fn dense_cells_are_cut_into_parts_that_fit_a_datagram() {
    let (mut server, session) = watched();
    let crowd: Vec<EntityId> = (0..600)
        .map(|at| {
            let (x, y) = ((at % 32) as f32 * 2.0 + 0.5, (at / 32) as f32 * 3.0 + 0.5);
            server.spawn(&[(POSITION, position(0, x, y)), (BODY, words(&[at, 1, 1]))])
        })
        .collect();
    server.frame();
    for (at, entity) in crowd.iter().enumerate() {
        let (x, y) = ((at % 32) as f32 * 2.0 + 0.7, (at / 32) as f32 * 3.0 + 0.9);
        server.set(*entity, POSITION, position(0, x, y));
    }
    let frame = server.frame();
    let Some(States::Cut { parts_per_side: 8, parts }) = states(&frame) else { panic!("not cut to 64") };
    assert_eq!(parts.iter().map(|part| usize::from(part.rows)).sum::<usize>(), crowd.len());
    assert!(parts.iter().all(|part| part.part < 64 && part.state.bytes() <= STATE_BYTES_MAX));
    assert!(parts.is_sorted_by_key(|part| part.part));
    server.check();
    assert_eq!(server.clients[&session].replica.len(POSITION as u32), crowd.len());
}

#[test]
fn who_enters_after_a_snapshot_gets_it_with_what_followed() {
    let (mut server, _) = watched();
    let first = server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (BODY, words(&[1, 1, 1]))]);
    server.frame();
    let early = server.open(2, 1);
    server.look(early, 32.0, 32.0, 10.0);
    let frame = server.frame();
    assert!(frame.sessions[&early].entered.iter().all(|entered| entered.followed.len() <= 1));

    server.spawn(&[(POSITION, position(0, 20.0, 10.0)), (BODY, words(&[2, 2, 2]))]);
    server.frame();
    server.set(first, BODY, words(&[1, 1, 7]));
    server.frame();
    let late = server.open(3, 2);
    server.look(late, 32.0, 32.0, 10.0);
    let before = server.interest.stats().snapshots;
    let frame = server.frame();
    let followed: usize = frame.sessions[&late].entered.iter().map(|entered| entered.followed.len()).sum();
    assert!(followed >= 2, "{followed}");
    assert_eq!(server.interest.stats().snapshots - before, 1, "only what it owns is new");
    server.check();

    // Half a second later another is made.
    for _ in 0..10 {
        server.frame();
    }
    let last = server.open(4, 0);
    server.look(last, 32.0, 32.0, 10.0);
    let frame = server.frame();
    assert!(frame.sessions[&last].entered.iter().all(|entered| entered.followed.is_empty()));
    server.check();
}

#[test]
fn details_are_seen_from_nearby_only() {
    let (mut server, session) = watched();
    server.look(session, 32.0, 32.0, 100.0);
    let with = |x| vec![(POSITION, position(0, x, 32.0)), (GEAR, words(&[7])), (BODY, words(&[1, 1, 1]))];
    let (near, far) = (server.spawn(&with(40.0)), server.spawn(&with(120.0)));
    server.frame();
    let client = &server.clients[&session];
    assert!(client.get(BODY, near).is_some() && client.get(BODY, far).is_some());
    assert!(client.get(GEAR, near).is_some());
    assert!(client.get(GEAR, far).is_some(), "the next cell begins 32 away, within half of 100");
    server.look(session, -60.0, 32.0, 180.0);
    server.frame();
    let client = &server.clients[&session];
    assert!(client.get(BODY, far).is_some() && client.get(GEAR, far).is_none());
    server.check();
}
