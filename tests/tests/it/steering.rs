//! A player steers, and its client foretells what the server does: one function at both ends, with a network between them.

use std::time::Duration;

use bitcraft_lite::accounts::join;
use bitcraft_lite::steering::{Body, steer, stride};
use bitcraft_lite::terrain::Terrain;
use evertick_client::{Client, Conditions, ConnectOptions, Predicted};
use evertick_schema::EntityId;
use futures_util::future::join_all;
use glam::Vec2;

use crate::servers::bitcraft::{builder, joined, position};
use crate::soon::{SOON, until};

/// How far a client must be ahead of what it was told, in metres.
const AHEAD_METERS: f32 = 0.5;
/// How often news of a movement must be as foretold, and what counts as that, in metres. A client that takes other steps is never right.
const RIGHT: u32 = 15;
const SAME_METERS: f64 = 1e-4;
/// How exactly others are told where somebody is, in metres.
const STEP_METERS: f32 = 0.015625;

/// A client that steers.
struct Walker {
    client: Client,
    me: EntityId,
    foretold: Predicted<Body, steer::Call>,
    /// Where there is land.
    way: Vec2,
}

impl Walker {
    async fn enter(url: &str, name: &str, conditions: Conditions) -> Self {
        let options = ConnectOptions {
            reconnect: None,
            conditions: Some(conditions),
            ..ConnectOptions::new(format!("the secret of {name}, long enough"))
        };
        let client = Client::connect(url, options).await.unwrap();
        let me = client.call(join::call(name.to_owned())).await.unwrap();
        until(async || client.get::<Body>(me).unwrap().is_some()).await;
        let Body { seed, at } = client.get(me).unwrap().unwrap();
        let terrain = Terrain::new(seed);
        let mut ways = (0..64).map(|step| Vec2::from_angle(step as f32 * 0.1));
        let way = ways.find(|way| terrain.is_walkable(at, at + *way * 6.0)).unwrap();
        let step = |body: &mut Body, input: &steer::Call, seconds: f32| stride(body, input.toward, seconds);
        let foretold = client.predict(me, step).unwrap();
        Self { client, me, foretold, way }
    }

    /// What the server has told.
    fn told(&self) -> Body {
        self.client.get(self.me).unwrap().unwrap()
    }

    /// Steers to and fro until what is shown was well ahead of what the server had told, and that has moved as foretold.
    async fn walk(&self) {
        let (mut ahead, mut right, mut before) = (false, 0, self.told());
        for tick in 0_u32.. {
            let toward = if tick / 20 % 2 == 0 { self.way } else { -self.way };
            self.client.input(steer::call(toward)).unwrap();
            tokio::time::sleep(self.client.tick_length()).await;
            let told = self.told();
            ahead |= self.foretold.get().unwrap().at.distance(told.at) > AHEAD_METERS;
            right += u32::from(told != before && self.foretold.correction() < SAME_METERS);
            before = told;
            if ahead && right >= RIGHT {
                break;
            }
        }
    }

    /// Says that it stands until what is foretold is what was told, and rests.
    async fn rest(&self) -> Vec2 {
        let mut same = 0;
        let mut last = None;
        // So many ticks that nothing that was said is still under way.
        while same < 40 {
            self.client.input(steer::call(Vec2::ZERO)).unwrap();
            tokio::time::sleep(self.client.tick_length()).await;
            let (told, foretold) = (self.told(), self.foretold.get().unwrap());
            same = if told == foretold && last.as_ref() == Some(&told) { same + 1 } else { 0 };
            last = Some(told);
        }
        self.told().at
    }
}

/// On a good way and on a bad one, by QUIC and by WebSocket.
#[tokio::test]
async fn what_a_client_foretells_is_what_the_server_does() {
    let server = builder().quic("127.0.0.1:0").start().unwrap();
    let urls = server.urls();
    let (near, _) = joined(&urls[0], "near").await;
    let far = Conditions { latency: Duration::from_millis(150), ..Conditions::default() };
    let bad = Conditions {
        latency: Duration::from_millis(120),
        jitter: Duration::from_millis(60),
        loss: 0.05,
        burst: 3.0,
        duplicate: 0.02,
        reorder: 0.05,
        seed: 5,
    };
    let mut walkers = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        for (name, conditions) in [("far", far), ("bad", bad)] {
            walkers.push(Walker::enter(url, &format!("{name} {index}"), conditions).await);
        }
    }
    let ends = walkers.iter().map(async |walker| {
        walker.walk().await;
        walker.rest().await
    });
    let ends = tokio::time::timeout(SOON, join_all(ends)).await;
    let ends = ends.expect("each gets ahead of what it is told, and is right");
    for (walker, end) in walkers.iter().zip(ends) {
        until(async || position(&near, walker.me).is_some_and(|at| at.distance(end) <= STEP_METERS)).await;
    }
}
