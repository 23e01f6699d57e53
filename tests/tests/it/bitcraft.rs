//! bitcraft-lite from end to end: module, WASM, columns, diffs, socket, client.

use bitcraft_lite::accounts::{Account, Avatar, JoinRefusal, join};
use bitcraft_lite::chat::{Said, SayRefusal, say};
use bitcraft_lite::creatures::Creature;
use bitcraft_lite::gathering::{Bag, GatherRefusal, Gathered, Node, NodeDef, gather};
use bitcraft_lite::movement::{Position, WalkRefusal, stop, walk_to};
use bitcraft_lite::terrain::{Chunk, Terrain, WorldInfo};
use evertick_client::{CallError, Client};
use evertick_schema::EntityId;
use glam::Vec2;

use crate::servers::bitcraft::{connect, joined, position, server};
use crate::soon::{SOON, until};

#[tokio::test]
async fn a_player_sees_the_world_around() {
    let (_server, url) = server();
    let (client, me) = joined(&url, "Ada").await;
    until(async || {
        !client.rows::<Chunk>().unwrap().is_empty() && !client.rows::<Creature>().unwrap().is_empty()
    })
    .await;

    let info = client.resource::<WorldInfo>().unwrap().expect("everyone sees the world's info");
    let terrain = Terrain::new(info.seed);
    let here = position(&client, me).unwrap();
    assert!(terrain.is_land(here), "players start on land");
    for (_, chunk) in client.rows::<Chunk>().unwrap() {
        let at = (Vec2::new(chunk.x as f32, chunk.y as f32) + 0.5 / 16.0) * 64.0;
        assert_eq!(
            chunk.heights[0],
            (terrain.height(at) * 255.0) as u8,
            "module and client compute the same ground"
        );
    }
    assert_eq!(client.rows::<NodeDef>().unwrap().len(), 3, "tables for everyone are there");
    assert_eq!(client.get::<Avatar>(me).unwrap().unwrap().name, "Ada");
    let far = client.rows::<Position>().unwrap().into_iter().map(|(_, position)| position.at.distance(here));
    assert!(far.fold(0.0, f32::max) < 400.0, "nobody sees the whole island");

    let first: Vec<_> = client.query::<(Creature, Position)>().unwrap();
    until(async || {
        let moved = |(entity, (_, at)): &(EntityId, (Creature, Position))| {
            position(&client, *entity).is_some_and(|now| now.distance(at.at) > 0.2)
        };
        first.iter().any(moved)
    })
    .await;
}

#[tokio::test]
async fn players_see_each_other_walk_and_nobody_else_s_bag() {
    let (_server, url) = server();
    let ((ada, ada_id), (bob, bob_id)) = (joined(&url, "Ada").await, joined(&url, "Bob").await);
    until(async || position(&bob, ada_id).is_some() && position(&ada, bob_id).is_some()).await;

    let from = position(&bob, ada_id).unwrap();
    walk_somewhere(&ada, from, 4.0).await;
    until(async || position(&bob, ada_id).is_some_and(|at| at.distance(from) > 1.0)).await;
    ada.call(stop::call()).await.unwrap();

    assert!(ada.get::<Bag>(ada_id).unwrap().is_some());
    assert!(ada.get::<Bag>(bob_id).unwrap().is_none(), "a bag is its owner's business");
    assert_eq!(ada.rows::<Account>().unwrap().len(), 1, "so is an account");

    drop(bob);
    until(async || position(&ada, bob_id).is_none()).await;
}

#[tokio::test]
async fn gathering_fills_the_bag_and_others_are_told() {
    let (_server, url) = server();
    let ((ada, me), (bob, _)) = (joined(&url, "Ada").await, joined(&url, "Bob").await);
    let mut seen = bob.events::<Gathered>().unwrap();
    let node = walk_to_a_node(&ada, me).await;

    let charges = ada.get::<Node>(node).unwrap().unwrap().charges;
    until(async || bob.get::<Node>(node).unwrap().is_some()).await;
    ada.call(gather::call(node)).await.unwrap();
    // A call's result comes with its effects or after them.
    let bag = ada.get::<Bag>(me).unwrap().unwrap();
    assert_eq!(bag.wood + bag.stone + bag.berries, 1);
    assert_eq!(ada.get::<Node>(node).unwrap().unwrap().charges, charges - 1);
    let event = tokio::time::timeout(SOON, seen.next()).await.unwrap().unwrap();
    assert_eq!((event.by, event.node), (me, node));

    match ada.call(gather::call(EntityId::new(0, 999_999))).await {
        Err(CallError::Refused { refusal: GatherRefusal::Gone, message }) => {
            assert_eq!(message, "that is no longer here");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refusals_are_typed() {
    let (_server, url) = server();
    let stranger = connect(&url, "a stranger").await;
    let refused = stranger.call(say::call("hello".into())).await;
    assert!(matches!(refused, Err(CallError::Refused { refusal: SayRefusal::NotJoined, .. })), "{refused:?}");

    let (ada, _) = joined(&url, "Ada").await;
    let taken = stranger.call(join::call(" Ada ".into())).await;
    assert!(
        matches!(&taken, Err(CallError::Refused { refusal: JoinRefusal::Taken { name }, .. }) if name == "Ada"),
        "{taken:?}"
    );
    let far = ada.call(walk_to::call(5.0, 5.0)).await;
    assert!(
        matches!(far, Err(CallError::Refused { refusal: WalkRefusal::TooFar { meters }, .. }) if meters > 200.0),
        "{far:?}"
    );
    let nowhere = ada.call(walk_to::call(f32::NAN, 5.0)).await;
    assert!(matches!(nowhere, Err(CallError::Refused { refusal: WalkRefusal::Outside, .. })), "{nowhere:?}");
}

#[tokio::test]
async fn chat_is_heard_nearby() {
    let (_server, url) = server();
    let ((ada, me), (bob, _)) = (joined(&url, "Ada").await, joined(&url, "Bob").await);
    until(async || position(&bob, me).is_some()).await;
    let mut heard = bob.events::<Said>().unwrap();
    ada.call(say::call("  good morning  ".into())).await.unwrap();
    let said = tokio::time::timeout(SOON, heard.next()).await.unwrap().unwrap();
    assert_eq!((said.by, said.text.as_str()), (me, "good morning"));
}

#[tokio::test]
async fn an_account_is_there_again_after_a_new_connection() {
    let (_server, url) = server();
    let (ada, me) = joined(&url, "Ada").await;
    let at = position(&ada, me).unwrap();
    ada.close().await;
    let again = connect(&url, "Ada").await;
    until(async || position(&again, me).is_some()).await;
    assert!(position(&again, me).unwrap().distance(at) < 0.1);
    assert_eq!(
        again.call(join::call("Somebody".into())).await.unwrap(),
        me,
        "the account's name and avatar stay"
    );
}

/// Walks `meters` in some direction in which there is no water.
async fn walk_somewhere(client: &Client, from: Vec2, meters: f32) {
    for step in 0..16 {
        let to = from + Vec2::from_angle(step as f32 * 0.4) * meters;
        if client.call(walk_to::call(to.x, to.y)).await.is_ok() {
            return;
        }
    }
    panic!("water all around {from}");
}

/// Walks to the nearest node that has something left and can be reached in a straight line.
async fn walk_to_a_node(client: &Client, me: EntityId) -> EntityId {
    until(async || !client.rows::<Node>().unwrap().is_empty()).await;
    let here = position(client, me).unwrap();
    let mut nodes: Vec<_> = client.query::<(Node, Position)>().unwrap();
    nodes.retain(|(_, (node, _))| node.charges > 0);
    nodes.sort_by(|(_, (_, one)), (_, (_, other))| here.distance(one.at).total_cmp(&here.distance(other.at)));
    for (node, (_, to)) in nodes {
        if client.call(walk_to::call(to.at.x, to.at.y)).await.is_ok() {
            until(async || position(client, me).is_some_and(|at| at.distance(to.at) < 2.0)).await;
            return node;
        }
    }
    panic!("no node can be reached from {here}");
}
