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
use crate::socket::Client;

/// The neighbours that are counted.
const NEAREST: usize = 50;

/// What one client has seen since the last [`Tally::restart`].
pub(crate) struct Tally {
    pub(crate) ages: Ages,
    /// Bytes of messages.
    pub(crate) bytes: usize,
    /// Frames of which something came.
    pub(crate) frames: u64,
    /// Rows it has now.
    pub(crate) visible: usize,
    pub(crate) failed: Option<String>,
    /// Updates of the nearest, if they are counted.
    nearest: Option<u64>,
    /// The newest data: of when, and when it came.
    newest: Option<(Timestamp, Instant)>,
    frame: u64,
}

impl Tally {
    pub(crate) fn new(closely: bool) -> Self {
        Self {
            ages: Ages::new(),
            bytes: 0,
            frames: 0,
            visible: 0,
            failed: None,
            nearest: closely.then_some(0),
            newest: None,
            frame: 0,
        }
    }

    /// Counts from now on.
    pub(crate) fn restart(&mut self) {
        let newest = self.newest.map(|(of, _)| (of, Instant::now()));
        *self =
            Self { newest, visible: self.visible, frame: self.frame, ..Self::new(self.nearest.is_some()) };
    }

    /// Updates in a second of each of the nearest.
    pub(crate) fn nearest_rate(&self, seconds: f64) -> Option<f64> {
        Some(self.nearest? as f64 / NEAREST as f64 / seconds)
    }

    /// Data has come, of that frame, whose tick was due at that moment.
    fn shows(&mut self, frame: u64, of: Timestamp) {
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
        self.frames += u64::from(frame > self.frame);
        self.frame = self.frame.max(frame);
    }
}

fn wall_clock_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Makes the client a place to look from, and applies what it is sent until something fails.
pub(crate) async fn watch(mut client: Client, scene: Scene, tally: Rc<RefCell<Tally>>) {
    if let Err(error) = look_on(&mut client, scene, &tally).await {
        tally.borrow_mut().failed = Some(error.to_string());
    }
}

async fn look_on(client: &mut Client, scene: Scene, tally: &RefCell<Tally>) -> Result {
    let me = client.ask(&watch_call::call(scene.edge, scene.radius)).await?;
    let positions = client.row(Position::NAME)?;
    loop {
        let received = client.receive().await?;
        let mut tally = tally.borrow_mut();
        tally.bytes += received.bytes;
        tally.visible = client.replica().len(positions);
        tally.shows(received.frame, received.due);
        if let Some(updates) = &mut tally.nearest {
            *updates += updates_of_nearest(client, positions, me);
        }
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
