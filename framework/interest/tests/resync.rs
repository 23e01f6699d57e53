//! What a session is told of its own: contents anew, where it looks, where its topics are.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Server;
use common::rows::{NAME, POSITION, name, position};
use evertick_protocol::{Frame, Replica, ResyncTopics, TopicId};
use evertick_schema::SessionId;

/// A server with one client that sees cell (0, 0) alone, and somebody there.
fn watched() -> (Server, SessionId) {
    let mut server = Server::new();
    server.spawn(&[(POSITION, position(0, 10.0, 10.0)), (NAME, name("ada"))]);
    let session = server.open(1, 0);
    server.look(session, 32.0, 32.0, 10.0);
    (server, session)
}

fn entered(frame: &Frame, session: SessionId) -> Vec<TopicId> {
    let mut topics: Vec<_> = frame.sessions[&session].entered.iter().map(|entered| entered.topic).collect();
    topics.sort_unstable();
    topics
}

/// The topic of the only cell in view.
fn cell_topic(frame: &Frame, session: SessionId) -> TopicId {
    frame.sessions[&session].entered.iter().find(|entered| entered.square.is_some()).unwrap().topic
}

#[test]
fn frames_are_numbered_without_gaps() {
    let (mut server, _) = watched();
    assert_eq!([(); 3].map(|()| server.frame().number), [1, 2, 3]);
}

#[test]
fn all_topics_come_again_with_the_viewpoint() {
    let (mut server, session) = watched();
    let first = server.frame();
    let seen = first.sessions[&session].viewpoint.unwrap();
    assert_eq!((seen.space, seen.at, seen.radius), (0, [32.0, 32.0], 10.0));
    let square = first.sessions[&session].entered.iter().find_map(|entered| entered.square).unwrap();
    assert_eq!((square.space, square.min, square.size), (0, [0.0, 0.0], 64.0));
    assert!(!server.frame().sessions.contains_key(&session), "nothing of its own");

    // The client has lost everything; its gateway still knows the topics.
    let description = server.description.clone();
    server.clients.get_mut(&session).unwrap().replica = Replica::new(&description).unwrap();
    server.interest.resync(session, ResyncTopics::All);
    server.interest.resync(session, ResyncTopics::All);
    let again = server.frame();
    assert_eq!(entered(&again, session), entered(&first, session), "each once");
    assert_eq!(again.sessions[&session].viewpoint, Some(seen));
    server.check();
}

#[test]
fn only_topics_that_are_seen_come_again() {
    let (mut server, session) = watched();
    let stranger = server.open(2, 1);
    server.look(stranger, 500.0, 500.0, 10.0);
    let first = server.frame();
    let (own, other) = (cell_topic(&first, session), cell_topic(&first, stranger));
    server.interest.resync(session, ResyncTopics::Some(&[own, other, TopicId(9999)]));
    server.interest.resync(SessionId(77), ResyncTopics::All);
    let again = server.frame();
    assert_eq!(entered(&again, session), [own]);
    assert_eq!(again.sessions[&session].viewpoint, None);
    assert!(!again.sessions.contains_key(&stranger));
    server.check();
}

#[test]
fn a_topic_that_is_left_does_not_come_again() {
    let (mut server, session) = watched();
    let own = cell_topic(&server.frame(), session);
    server.interest.resync(session, ResyncTopics::Some(&[own]));
    server.look(session, 500.0, 500.0, 10.0);
    let frame = server.frame();
    assert!(frame.sessions[&session].left.contains(&own));
    assert!(!entered(&frame, session).contains(&own));
    server.check();
}

#[test]
fn a_topic_that_is_left_and_entered_again_comes_again() {
    let (mut server, session) = watched();
    let own = cell_topic(&server.frame(), session);
    server.interest.resync(session, ResyncTopics::Some(&[own]));
    server.look(session, 500.0, 500.0, 10.0);
    server.commit();
    server.look(session, 32.0, 32.0, 10.0);
    let frame = server.frame();
    assert!(frame.sessions[&session].left.is_empty());
    assert_eq!(entered(&frame, session), [own]);
    server.check();
}
