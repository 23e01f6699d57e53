//! One bot: walks or steers to nodes it sees, gathers, talks now and then, and watches the others.

use std::time::{Duration, Instant};

use bitcraft_lite::accounts::{Avatar, join};
use bitcraft_lite::chat::{Said, say};
use bitcraft_lite::gathering::{Node, gather};
use bitcraft_lite::movement::{Position, Walk, walk_to};
use bitcraft_lite::steering::{Body, steer, stride};
use evertick_client::{CallError, Client, ConnectOptions, PredictError, Statistics};
use evertick_schema::{Call, EntityId};
use glam::Vec2;
use tokio::sync::watch;

/// How near a bot goes to a node before it gathers, in metres.
const ARM_METERS: f32 = 2.0;
/// The farthest that another avatar may be off its first sighting without having moved, in metres.
const MOVED_METERS: f32 = 0.5;
/// One bot in so many steers to what is near, as a player with keys does.
const STEERS: u32 = 3;
/// How far is near, in metres, and how many ticks a bot steers for at most.
const STEER_METERS: f32 = 12.0;
const STEER_TICKS_MAX: u32 = 80;
/// What bots talk about.
const LINES: [&str; 4] = ["hello there", "nice trees", "lots of berries here", "anyone near the shore?"];

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) saw_others_move: bool,
    pub(crate) heard_chat: bool,
    pub(crate) gathered: u64,
    pub(crate) calls_ok: u64,
    pub(crate) calls_refused: u64,
    pub(crate) calls_failed: u64,
    pub(crate) disconnected: bool,
    pub(crate) statistics: Statistics,
    pub(crate) seconds: f64,
    pub(crate) problems: Vec<String>,
}

/// Plays until `stop` says so or the connection ends.
pub(crate) async fn play(server: String, number: u32, mut stop: watch::Receiver<bool>) -> Report {
    let mut report = Report::default();
    let start = Instant::now();
    let token = format!("bitcraft-lite bot number {number}").into_bytes();
    match Client::connect(&server, ConnectOptions::new(token)).await {
        Ok(client) => {
            let mut bot = Bot {
                number,
                client,
                report: &mut report,
                me: EntityId::NONE,
                dice: Dice(u64::from(number)),
                blocked: 0,
            };
            let lived = tokio::select! {
                lived = bot.live() => lived,
                _ = stop.wait_for(|stop| *stop) => Ok(()),
            };
            let client = bot.client;
            if let Err(error) = lived {
                report.problems.push(error.to_string());
            }
            report.statistics = client.statistics();
            if let Some(reason) = client.disconnected() {
                report.disconnected = true;
                report.problems.push(format!("disconnected: {reason}"));
            }
            client.close().await;
        }
        Err(error) => {
            report.disconnected = true;
            report.problems.push(format!("can't connect: {error}"));
        }
    }
    report.seconds = start.elapsed().as_secs_f64();
    report
}

struct Bot<'a> {
    number: u32,
    client: Client,
    report: &'a mut Report,
    me: EntityId,
    dice: Dice,
    /// Grows with walks that were refused in a row.
    blocked: usize,
}

impl Bot<'_> {
    async fn live(&mut self) -> Result<(), PredictError> {
        let name = format!("Bot {}", self.number);
        let Some(me) = self.call(join::call(name)).await else { return Ok(()) };
        self.me = me;
        let mut said = self.client.events::<Said>()?;
        let mut firsts: Vec<(EntityId, Vec2)> = Vec::new();
        while self.client.disconnected().is_none() {
            self.watch(&mut firsts)?;
            while let Ok(Some(event)) = said.try_next() {
                self.report.heard_chat |= event.by != self.me;
            }
            self.act().await?;
            tokio::time::sleep(Duration::from_millis(200 + self.dice.below(300))).await;
        }
        Ok(())
    }

    /// Whether anybody else is somewhere else than when first seen.
    fn watch(&mut self, firsts: &mut Vec<(EntityId, Vec2)>) -> Result<(), PredictError> {
        for (other, (_, position)) in self.client.query::<(Avatar, Position)>()? {
            if other == self.me {
                continue;
            }
            match firsts.iter().find(|(seen, _)| *seen == other) {
                Some((_, first)) => self.report.saw_others_move |= first.distance(position.at) > MOVED_METERS,
                None => firsts.push((other, position.at)),
            }
        }
        Ok(())
    }

    async fn act(&mut self) -> Result<(), PredictError> {
        let Some(Position { at: here }) = self.client.get(self.me)? else { return Ok(()) };
        if self.client.get::<Walk>(self.me)?.is_some() {
            return Ok(());
        }
        if self.dice.below(12) == 0 {
            let line = LINES[self.dice.below(LINES.len() as u64) as usize];
            self.call(say::call(line.to_owned())).await;
        }
        let mut nodes: Vec<_> = self
            .client
            .query::<(Node, Position)>()?
            .into_iter()
            .filter(|(_, (node, _))| node.charges > 0)
            .map(|(node, (_, position))| (here.distance(position.at), node, position.at))
            .collect();
        nodes.sort_by(|one, other| one.0.total_cmp(&other.0));
        match nodes.first() {
            Some(&(meters, node, _)) if meters <= ARM_METERS => {
                if self.call(gather::call(node)).await.is_some() {
                    self.report.gathered += 1;
                }
            }
            // The nearest first; later one of a few, so that bots spread and find ways around water.
            Some(_) => {
                let choice =
                    if self.report.gathered == 0 && self.blocked == 0 { 1 } else { 6 + self.blocked };
                let nearest = nodes.len().min(choice) as u64;
                let (meters, _, at) = nodes[self.dice.below(nearest) as usize];
                let walks = if self.number.is_multiple_of(STEERS) && meters < STEER_METERS {
                    self.steer_to(at).await?
                } else {
                    self.call(walk_to::call(at.x, at.y)).await.is_some()
                };
                self.blocked = if walks { 0 } else { self.blocked + 4 };
            }
            None => {
                let to = here + Vec2::from_angle(self.dice.below(628) as f32 / 100.0) * 15.0;
                self.call(walk_to::call(to.x, to.y)).await;
            }
        }
        Ok(())
    }

    /// Steers to a place by what is foretold, which is the module's own function. Returns whether it got there.
    async fn steer_to(&mut self, to: Vec2) -> Result<bool, PredictError> {
        let step = |body: &mut Body, input: &steer::Call, seconds: f32| stride(body, input.toward, seconds);
        let body = self.client.predict(self.me, step)?;
        let mut there = false;
        for _ in 0..STEER_TICKS_MAX {
            let Some(Body { at, .. }) = body.get() else { break };
            there = at.distance(to) <= ARM_METERS;
            // Zero at the end: it stops.
            let toward = if there { Vec2::ZERO } else { to - at };
            self.client.input(steer::call(toward))?;
            if there {
                break;
            }
            tokio::time::sleep(self.client.tick_length()).await;
        }
        Ok(there)
    }

    /// Calls and counts. `None` when it was not done.
    async fn call<C: Call<Refusal: std::fmt::Debug>>(&mut self, call: C) -> Option<C::Output> {
        match self.client.call(call).await {
            Ok(output) => {
                self.report.calls_ok += 1;
                Some(output)
            }
            Err(CallError::Refused { .. }) => {
                self.report.calls_refused += 1;
                None
            }
            Err(CallError::Disconnected(_)) => None,
            Err(error) => {
                self.report.calls_failed += 1;
                self.report.problems.push(format!("{}: {error}", C::NAME));
                None
            }
        }
    }
}

/// A bot's own small source of chance, the same in every run: a linear congruential generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}
