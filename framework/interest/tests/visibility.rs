//! Each kind of visibility, foci, and what sessions share.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Server;
use common::rows::{
    BAG, BODY, BOOM, CHEER, CLOCK, GUILD, HIT, LETTER, NAME, NEWS, NOTE, NOTICE, NUDGE, OWNER, POSITION,
    SECRET, TEAM, WHISPER, addressed, boom, identity, letter, marked, name, position, words,
};
use std::sync::Arc;

use evertick_protocol::{CallOutcome, CallReply, ChangeKind, CloseCode, Frame};
use evertick_schema::{Duration, EntityId};
use evertick_world::{Cell, Focus};

/// A server with one client that looks at the middle of cell (0, 0) and sees that cell alone.
fn watched() -> (Server, evertick_schema::SessionId) {
    let mut server = Server::new();
    let session = server.open(1, 0);
    server.look(session, 32.0, 32.0, 10.0);
    server.frame();
    (server, session)
}

#[test]
fn near_rows_are_seen_in_the_view_and_nowhere_else() {
    let (mut server, session) = watched();
    let here = server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (NAME, name("ada"))]);
    let there = server.spawn(&[(POSITION, position(0, 100.0, 10.0)), (NAME, name("bob"))]);
    let below = server.spawn(&[(POSITION, position(1, 10.0, 10.0))]);
    server.frame();
    server.check();
    let client = &server.clients[&session];
    assert_eq!(client.get(NAME, here), Some(&name("ada")[..]));
    assert_eq!(client.get(NAME, there), None);
    assert_eq!(client.get(POSITION, below), None, "another space");
}

#[test]
fn rows_of_nobody_are_never_sent() {
    let (mut server, session) = watched();
    let entity = server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (SECRET, words(&[42]))]);
    server.frame();
    server.set(entity, SECRET, words(&[43]));
    let frame = server.frame();
    assert!(frame.topics.is_empty() && frame.sessions.is_empty());
    assert_eq!(server.clients[&session].get(SECRET, entity), None);
}

fn ordered_bytes(frame: &Frame) -> usize {
    frame.topics.all_blocks().filter_map(|(_, blocks)| blocks.ordered.as_ref()).map(bytes::Bytes::len).sum()
}

#[test]
fn an_update_carries_the_changed_fields_only() {
    let (mut server, session) = watched();
    let entity = server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (BODY, words(&[1, 2, 3]))]);
    let whole = ordered_bytes(&server.frame());
    server.set(entity, BODY, words(&[1, 9, 3]));
    let part = ordered_bytes(&server.frame());
    server.check();
    assert!(part < 20 && part < whole, "{part} bytes of {whole}");
    let changes: Vec<_> = server.clients[&session].changes.iter().collect();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].kind, changes[0].row as usize), (ChangeKind::Updated, BODY));
}

#[test]
fn an_owners_rows_follow_the_owner() {
    let mut server = Server::new();
    let (one, two) = (server.open(1, 1), server.open(2, 2));
    let owner = |who| addressed(who, &[]);
    let entity = server.spawn(&[(OWNER, owner(1)), (BAG, words(&[7]))]);
    server.frame();
    server.check();
    assert!(server.clients[&one].get(BAG, entity).is_some());
    assert!(server.clients[&two].get(BAG, entity).is_none());

    server.set(entity, OWNER, owner(2));
    server.frame();
    server.check();
    assert!(server.clients[&one].get(BAG, entity).is_none());
    assert!(server.clients[&two].get(BAG, entity).is_some());

    server.write(|tx, rows| tx.remove(rows[OWNER], entity));
    server.frame();
    server.check();
    assert!(server.clients[&two].get(BAG, entity).is_none());
}

#[test]
fn rows_with_an_owners_field_follow_the_field() {
    let mut server = Server::new();
    let entity = server.spawn(&[(NOTE, addressed(1, &[5]))]);
    let id = server.write(|tx, rows| tx.insert_row(rows[LETTER], &letter(3, 1, 5))).unwrap();
    let (one, two) = (server.open(1, 1), server.open(2, 2));
    server.frame();
    server.check();
    assert!(server.clients[&one].get(NOTE, entity).is_some(), "found by a scan");
    assert!(server.clients[&one].get(LETTER, id).is_some(), "found by the index");

    server.set(entity, NOTE, addressed(2, &[5]));
    server.set(id, LETTER, letter(3, 2, 6));
    server.frame();
    server.check();
    assert!(server.clients[&one].get(LETTER, id).is_none());
    assert!(server.clients[&two].get(LETTER, id).is_some());

    server.set(id, LETTER, letter(3, 2, 7));
    server.frame();
    server.check();
}

#[test]
fn groups_are_seen_by_those_who_joined() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    let member = server.spawn(&[(GUILD, words(&[300, 1])), (TEAM, vec![44])]);
    server.join(session, 300);
    server.frame();
    server.check();
    assert!(server.clients[&session].get(GUILD, member).is_some());
    assert!(server.clients[&session].get(TEAM, member).is_none(), "300 is 44 in a byte, but not group 44");

    server.join(session, 44);
    server.set(member, GUILD, words(&[301, 1]));
    server.frame();
    server.check();
    assert!(server.clients[&session].get(TEAM, member).is_some());

    server.join(session, 301);
    server.frame();
    server.check();
    assert_eq!(server.interest.stats().joins_ignored, 1, "two groups are the most in these tests");

    server.leave(session, 300);
    server.join(session, 301);
    server.frame();
    server.check();
    assert!(server.clients[&session].get(GUILD, member).is_some());
}

#[test]
fn everyone_sees_tables_and_resources() {
    let mut server = Server::new();
    let notice = server.write(|tx, rows| tx.insert_row(rows[NOTICE], &words(&[1, 2]))).unwrap();
    let session = server.open(1, 0);
    server.frame();
    server.write(|tx, rows| tx.insert_row(rows[CLOCK], &words(&[12]))).unwrap();
    server.frame();
    server.write(|tx, rows| tx.insert_row(rows[CLOCK], &words(&[13]))).unwrap();
    server.set(notice, NOTICE, words(&[1, 3]));
    server.frame();
    server.check();
    let client = &server.clients[&session];
    assert_eq!(client.get(NOTICE, notice), Some(&words(&[1, 3])[..]));
    assert_eq!(client.replica.len(CLOCK as u32), 1);
}

#[test]
fn crossing_between_two_seen_cells_is_an_update() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    server.look(session, 64.0, 32.0, 20.0);
    let walker = server.spawn(&[(POSITION, position(0, 60.0, 32.0)), (BODY, words(&[1, 2, 3]))]);
    server.frame();
    server.set(walker, POSITION, position(0, 70.0, 32.0));
    server.frame();
    server.check();
    let kinds: Vec<_> = server.clients[&session].changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Updated]);
}

#[test]
fn what_comes_and_goes_between_two_frames_is_not_sent() {
    let (mut server, session) = watched();
    let stays = server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (BODY, words(&[1, 2, 3]))]);
    server.frame();
    let brief = server.spawn(&[(POSITION, position(0, 20.0, 10.0))]);
    server.set(stays, POSITION, position(0, 200.0, 10.0));
    server.commit();
    server.write(|tx, _| tx.despawn(brief));
    server.set(stays, POSITION, position(0, 11.0, 10.0));
    server.commit();
    server.frame();
    server.check();
    let changes: Vec<_> = server.clients[&session].changes.iter().map(|change| change.entity).collect();
    assert_eq!(changes, [stays]);
}

#[test]
fn the_view_follows_its_entity_and_stays_where_that_ended() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    let eye = server.spawn(&[(POSITION, position(0, 32.0, 32.0))]);
    let far = server.spawn(&[(POSITION, position(0, 332.0, 32.0)), (BODY, words(&[1, 2, 3]))]);
    server.look_at(session, eye, 10.0);
    server.frame();
    server.check();
    assert_eq!(server.interest.view(session), [Cell { space: 0, x: 0, y: 0 }]);

    server.set(eye, POSITION, position(0, 340.0, 32.0));
    server.frame();
    server.check();
    assert_eq!(server.interest.view(session), [Cell { space: 0, x: 5, y: 0 }]);
    assert!(server.clients[&session].get(BODY, far).is_some());

    server.write(|tx, _| tx.despawn(eye));
    server.frame();
    server.set(far, BODY, words(&[4, 5, 6]));
    server.frame();
    server.check();
    assert_eq!(server.clients[&session].get(BODY, far), Some(&words(&[4, 5, 6])[..]));

    server.focus(session, Focus::None);
    server.frame();
    server.check();
    assert_eq!(server.clients[&session].replica.len(POSITION as u32), 0);
}

#[test]
fn a_focus_on_an_entity_without_a_place_waits_for_one() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    let eye = server.spawn(&[]);
    server.look_at(session, eye, 10.0);
    server.frame();
    assert_eq!(server.interest.view(session), []);
    server.set(eye, POSITION, position(2, 0.0, 0.0));
    server.frame();
    server.check();
    assert_eq!(server.interest.view(session).len(), 4);
    assert!(server.clients[&session].get(POSITION, eye).is_some());
}

#[test]
fn radii_are_bounded() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    server.look(session, 32.0, 32.0, f32::INFINITY);
    server.frame();
    let across = 2 * (256 / 64) + 1;
    assert!((60..=across * across).contains(&server.interest.view(session).len()));
    for radius in [f32::NAN, -5.0] {
        server.look(session, 32.0, 32.0, radius);
        server.frame();
        let inside = server.interest.view(session).iter().all(|cell| cell.x.abs() <= 1 && cell.y.abs() <= 1);
        assert!(inside && server.sees_cell(session, Cell { space: 0, x: 0, y: 0 }));
    }
}

#[test]
fn a_snapshot_is_encoded_once_and_shared() {
    let (mut server, session) = watched();
    server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (NAME, name("ada"))]);
    let (two, three) = (server.open(2, 2), server.open(3, 3));
    server.look(two, 32.0, 32.0, 10.0);
    server.look(three, 30.0, 30.0, 10.0);
    let before = server.interest.stats();
    let frame = server.frame();
    server.check();
    let (of_two, of_three) = (&frame.sessions[&two].entered, &frame.sessions[&three].entered);
    let shared: Vec<_> = of_two
        .iter()
        .flat_map(|a| of_three.iter().filter(|b| b.topic == a.topic).map(|b| (&a.snapshot, &b.snapshot)))
        .collect();
    assert_eq!(shared.len(), 3, "the cell, its details, and what everyone sees");
    assert!(shared.iter().all(|(a, b)| Arc::ptr_eq(a, b)));
    assert!(frame.sessions.get(&session).is_none(), "the first session has nothing of its own");
    let after = server.interest.stats();
    let made = (after.snapshots - before.snapshots, after.blocks - before.blocks);
    assert_eq!(made, (2, 1), "what each owns; what others entered a moment ago is there already");
}

#[test]
fn who_leaves_and_returns_between_two_frames_is_sent_nothing() {
    let (mut server, session) = watched();
    server.spawn(&[(POSITION, position(0, 10.0, 10.0))]);
    server.join(session, 1);
    server.frame();
    server.leave(session, 1);
    server.focus(session, Focus::None);
    server.commit();
    server.join(session, 1);
    server.look(session, 32.0, 32.0, 10.0);
    let frame = server.frame();
    server.check();
    assert!(frame.topics.is_empty());
    let told = frame.sessions.values();
    assert!(
        told.map(|told| told.left.len() + told.entered.len()).sum::<usize>() == 0,
        "where it looks, no more"
    );

    server.join(session, 2);
    server.commit();
    server.leave(session, 2);
    assert!(server.frame().sessions.is_empty(), "nor who enters and leaves");
    server.check();
}

#[test]
fn topics_without_subscribers_do_not_exist() {
    let (mut server, session) = watched();
    for who in 0..20 {
        let session = server.open(10 + who, who as u8);
        server.look(session, 64.0 * who as f32, 0.0, 100.0);
        server.join(session, who % 3);
    }
    server.frame();
    for who in 0..20 {
        server.close(evertick_schema::SessionId(10 + who));
    }
    server.close(session);
    server.frame();
    let stats = server.interest.stats();
    assert_eq!((stats.sessions, stats.topics), (0, 0));
}

#[test]
fn a_freed_slot_rests_for_two_seconds() {
    let (mut server, session) = watched();
    let spawn = |server: &mut Server| server.spawn(&[(POSITION, position(0, 10.0, 10.0))]);
    for _ in 0..4 {
        let old = spawn(&mut server);
        server.frame();
        server.write(|tx, _| tx.despawn(old));
        server.frame();
        let fresh = spawn(&mut server);
        server.frame();
        server.check();
        server.write(|tx, _| tx.despawn(fresh));
        server.frame();
        server.now += Duration::from_secs(2);
    }
    spawn(&mut server);
    server.frame();
    server.check();
    assert_eq!(server.clients[&session].replica.len(POSITION as u32), 1);
}

#[test]
fn events_go_where_their_type_says() {
    let mut server = Server::new();
    let (one, two) = (server.open(1, 1), server.open(2, 2));
    server.look(one, 32.0, 32.0, 10.0);
    server.look(two, 200.0, 32.0, 10.0);
    server.join(one, 7);
    let near_one = server.spawn(&[(POSITION, position(0, 30.0, 30.0)), (OWNER, addressed(2, &[]))]);
    server.frame();

    server.emit(BOOM, boom(33.0, 33.0, 1));
    server.emit(HIT, marked(near_one, 2));
    server.emit(WHISPER, addressed(2, &[3]));
    server.emit(NUDGE, marked(near_one, 4));
    server.emit(CHEER, words(&[7, 5]));
    server.emit(NEWS, words(&[6]));
    server.emit(BOOM, boom(34.0, 34.0, 7));
    server.frame();
    let heard =
        |server: &Server, id| server.clients[&id].heard.iter().map(|(row, _)| *row).collect::<Vec<_>>();
    let (mut by_one, mut by_two) = (heard(&server, one), heard(&server, two));
    assert_eq!(
        by_one.iter().filter(|row| **row == BOOM || **row == HIT).collect::<Vec<_>>(),
        [&BOOM, &HIT, &BOOM]
    );
    by_one.sort_unstable();
    by_two.sort_unstable();
    assert_eq!(by_one, [BOOM, BOOM, HIT, CHEER, NEWS]);
    assert_eq!(by_two, [WHISPER, NUDGE, NEWS]);

    server.frame();
    assert!(heard(&server, one).is_empty(), "an event is sent once");
}

#[test]
fn a_death_is_heard_where_it_happened() {
    let (mut server, session) = watched();
    let entity = server.spawn(&[(POSITION, position(0, 30.0, 30.0))]);
    server.frame();
    server.write(|tx, rows| {
        tx.emit(rows[HIT], &marked(entity, 1)).unwrap();
        tx.despawn(entity)
    });
    server.frame();
    assert_eq!(server.clients[&session].heard.len(), 1);
    server.emit(HIT, marked(EntityId(999_999), 1));
    server.frame();
    assert_eq!(server.clients[&session].heard.len(), 0, "nobody knows where that would be");
}

#[test]
fn who_enters_hears_what_happened_with_it() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    server.look(session, 32.0, 32.0, 10.0);
    server.emit(BOOM, boom(33.0, 33.0, 1));
    server.emit(NEWS, words(&[6]));
    server.frame();
    assert_eq!(server.clients[&session].heard.len(), 2);
}

#[test]
fn replies_keep_their_order_and_a_close_comes_after_them() {
    let mut server = Server::new();
    let session = server.open(1, 0);
    let stranger = evertick_schema::SessionId(99);
    for seq in 0..5 {
        let result = CallOutcome::Ok(bytes::Bytes::new());
        server.interest.reply(session, CallReply { seq, result: result.clone() });
        server.interest.reply(stranger, CallReply { seq, result });
    }
    server.interest.reject(session, CloseCode::Flooding, "too much".into());
    server.interest.reject(stranger, CloseCode::Unauthorized, "who are you?".into());
    let frame = server.frame();
    let own = &frame.sessions[&session];
    assert_eq!(own.results.iter().map(|reply| reply.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(own.close.as_ref().unwrap().code, CloseCode::Flooding);
    assert!(own.entered.is_empty());
    assert!(frame.sessions[&stranger].results.is_empty());
    assert_eq!(server.interest.stats().topics, 0);
    assert!(server.frame().sessions.is_empty());
}

#[test]
fn an_identity_may_be_connected_twice() {
    let mut server = Server::new();
    let (one, two) = (server.open(1, 4), server.open(2, 4));
    let entity = server.spawn(&[(OWNER, identity(4).0.to_vec()), (BAG, words(&[1]))]);
    server.frame();
    server.check();
    server.close(one);
    server.set(entity, BAG, words(&[2]));
    server.frame();
    server.check();
    assert!(server.clients[&two].get(BAG, entity).is_some());
}
