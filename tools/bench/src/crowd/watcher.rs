//! A client that looks on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bench_module::crowd::watch as watch_call;
use bench_module::movers::Position;
use evertick_schema::{EntityId, Row, Timestamp};

use crate::Result;
use crate::crowd::Scene;
use crate::crowd::ages::Ages;
use crate::socket::{Client, Counter};

/// The neighbours that are counted.
const NEAREST: usize = 50;

/// What one client has received since the last [`Tally::restart`].
pub(crate) struct Tally {
    /// Bytes of messages.
    pub(crate) bytes: usize,
    /// Frames of which something came.
    pub(crate) frames: u64,
    /// Frames that were made meanwhile and of which nothing came.
    pub(crate) missed: u64,
    pub(crate) failed: Option<String>,
    /// What it shows, of a client that applies what it receives.
    pub(crate) shown: Option<Shown>,
    /// The newest.
    frame: u64,
}

impl Tally {
    pub(crate) fn new(shown: Option<Shown>) -> Self {
        Self { bytes: 0, frames: 0, missed: 0, failed: None, shown, frame: 0 }
    }

    /// Counts from now on.
    pub(crate) fn restart(&mut self) {
        let shown = self.shown.as_ref().map(Shown::restarted);
        *self = Self { frame: self.frame, ..Self::new(shown) };
    }

    /// A message of that frame has come.
    fn receives(&mut self, bytes: usize, frame: u64) {
        self.bytes += bytes;
        if frame > self.frame {
            self.frames += 1;
            // Before the first it may have had no session.
            self.missed += if self.frame == 0 { 0 } else { frame - self.frame - 1 };
            self.frame = frame;
        }
    }
}

/// What a client has shown.
pub(crate) struct Shown {
    pub(crate) ages: Ages,
    /// Rows it has now.
    pub(crate) visible: usize,
    /// Updates of the nearest, if they are counted.
    nearest: Option<u64>,
    /// The newest data: of when, and when it came.
    newest: Option<(Timestamp, Instant)>,
}

impl Shown {
    pub(crate) fn new(closely: bool) -> Self {
        Self { ages: Ages::new(), visible: 0, nearest: closely.then_some(0), newest: None }
    }

    fn restarted(&self) -> Self {
        let newest = self.newest.map(|(of, _)| (of, Instant::now()));
        Self { newest, visible: self.visible, ..Self::new(self.nearest.is_some()) }
    }

    /// Updates in a second of each of the nearest.
    pub(crate) fn nearest_rate(&self, seconds: f64) -> Option<f64> {
        Some(self.nearest? as f64 / NEAREST as f64 / seconds)
    }

    /// Data was applied, of a tick that was due at that moment.
    fn shows(&mut self, of: Timestamp) {
        let now = Instant::now();
        if let Some((was_of, since)) = self.newest {
            if of <= was_of {
                return;
            }
            let shown = now.duration_since(since).as_secs_f64();
            let age = wall_clock_us().saturating_sub(was_of.0) as f64 / 1e6 - shown;
            self.ages.add(age, shown);
        }
        self.newest = Some((of, now));
    }
}

fn wall_clock_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Makes the client a place to look from, and takes what it is sent until something fails: applies it if what it shows is of
/// interest, and else only counts it.
pub(crate) async fn watch(client: Client, scene: Scene, tally: Rc<RefCell<Tally>>) {
    if let Err(error) = look_on(client, scene, &tally).await {
        tally.borrow_mut().failed = Some(error.to_string());
    }
}

async fn look_on(mut client: Client, scene: Scene, tally: &RefCell<Tally>) -> Result {
    let me = client.ask(&watch_call::call(scene.edge, scene.radius)).await?;
    let positions = client.row(Position::NAME)?;
    if tally.borrow().shown.is_none() {
        return count(client.into_counter(), tally).await;
    }
    loop {
        let received = client.receive().await?;
        let mut tally = tally.borrow_mut();
        tally.receives(received.bytes, received.frame);
        let Some(shown) = &mut tally.shown else { continue };
        shown.visible = client.replica().len(positions);
        shown.shows(received.due);
        if let Some(updates) = &mut shown.nearest {
            *updates += updates_of_nearest(&client, positions, me);
        }
    }
}

async fn count(mut client: Counter, tally: &RefCell<Tally>) -> Result {
    loop {
        let (bytes, frame) = client.receive().await?;
        tally.borrow_mut().receives(bytes, frame);
    }
}

/// How many of the nearest rows were updated by the last message.
fn updates_of_nearest(client: &Client, positions: u32, me: EntityId) -> u64 {
    let at = |bytes: &[u8]| Position::decode(bytes).map(|position| position.at);
    let Some(Ok(here)) = client.replica().get(positions, me).map(at) else { return 0 };
    let updated: HashMap<EntityId, ()> = client
        .changes()
        .iter()
        .filter(|change| change.row == positions)
        .map(|change| (change.entity, ()))
        .collect();
    let others = client.replica().rows(positions).filter(|(entity, _)| *entity != me);
    let mut distances: Vec<(f32, EntityId)> =
        others.filter_map(|(entity, bytes)| Some((at(bytes).ok()?.distance_squared(here), entity))).collect();
    let count = NEAREST.min(distances.len());
    if count < distances.len() {
        distances.select_nth_unstable_by(count, |one, other| one.0.total_cmp(&other.0));
    }
    distances[..count].iter().filter(|(_, entity)| updated.contains_key(entity)).count() as u64
}
