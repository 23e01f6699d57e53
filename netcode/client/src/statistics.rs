//! What a client counts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evertick_protocol::{Pong, Report, StateStats};
use evertick_schema::Timestamp;
use evertick_transport::Lane;

use crate::losses::Losses;

/// Ages that are remembered.
const AGES_KEPT: usize = 256;

/// Numbers of one client, over all its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Bytes received, without the transport's framing.
    pub bytes_in: u64,
    /// Those of the control lane. Where the transport has one stream only, all come here.
    pub bytes_in_control: u64,
    /// Those of the ordered lane.
    pub bytes_in_world: u64,
    /// Those of the latest lane.
    pub bytes_in_latest: u64,
    /// Bytes sent, without the transport's framing.
    pub bytes_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Frames applied to the replica.
    pub frames: u64,
    /// Messages of the latest lane that came.
    pub states: u64,
    /// Those of them that were too old or damaged, and not used.
    pub states_unused: u64,
    /// The share of states that got lost on the way of late, as far as it can be told, 0 to 1.
    pub states_loss: f32,
    /// Rows inserted, updated and removed by frames and states.
    pub changes: u64,
    /// The last tick heard of, by frame or pong.
    pub tick: u64,
    /// The world's time then.
    pub time: Timestamp,
    /// What the server's last tick took, as of the last pong.
    pub tick_cost: Duration,
    /// The last round trip; zero before the first.
    pub round_trip: Duration,
    /// How much later than the fastest frames others arrive: a bound that falls slowly.
    pub jitter: Duration,
    /// How long the world had been ahead of what was shown when newer came, the way from the server included: the median of late. A world
    /// in which nothing happens is not ahead.
    pub staleness_p50: Duration,
    /// The 99th percentile of that.
    pub staleness_p99: Duration,
    /// How many ticks before what was heard last inputs go.
    pub input_lead_ticks: f64,
    /// By how much the latest input was early, of those that the last pong told of, in microseconds; negative when one was too late.
    pub input_slack_us: Option<i64>,
    /// How often the session was resumed.
    pub resumes: u64,
    /// How often a new session took its place.
    pub new_sessions: u64,
}

/// [`Statistics`] as they grow; written by the session's task only.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    so_far: Statistics,
    losses: Losses,
    ages: [Duration; AGES_KEPT],
    ages_seen: usize,
    /// As of the last report.
    ages_reported: usize,
    states_reported: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            so_far: Statistics::default(),
            losses: Losses::default(),
            ages: [Duration::ZERO; AGES_KEPT],
            ages_seen: 0,
            ages_reported: 0,
            states_reported: 0,
        }
    }
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts are never half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn message(&self, lane: Lane, bytes: usize) {
        let counts = &mut self.counts().so_far;
        counts.messages_in += 1;
        counts.bytes_in += bytes as u64;
        *match lane {
            Lane::Control => &mut counts.bytes_in_control,
            Lane::World => &mut counts.bytes_in_world,
            Lane::Latest => &mut counts.bytes_in_latest,
        } += bytes as u64;
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.counts().so_far.bytes_out += bytes as u64;
    }

    pub(crate) fn frame(&self, changes: usize) {
        let counts = &mut self.counts().so_far;
        counts.frames += 1;
        counts.changes += changes as u64;
    }

    pub(crate) fn state(&self, tick: u64, changes: usize, of_all: StateStats) {
        let mut counts = self.counts();
        counts.so_far.states += 1;
        counts.so_far.changes += changes as u64;
        counts.so_far.states_unused = of_all.messages_stale + of_all.messages_malformed;
        counts.losses.seen(tick);
    }

    /// The world had been ahead for so long when newer came, without the way.
    pub(crate) fn age(&self, age: Duration) {
        let mut counts = self.counts();
        let at = counts.ages_seen % AGES_KEPT;
        counts.ages[at] = age + counts.so_far.round_trip / 2;
        counts.ages_seen += 1;
    }

    pub(crate) fn clock(&self, tick: u64, time: Timestamp) {
        let counts = &mut self.counts().so_far;
        (counts.tick, counts.time) = (tick, time);
    }

    pub(crate) fn pong(&self, pong: &Pong, round_trip: Duration) {
        self.clock(pong.tick, pong.time);
        let counts = &mut self.counts().so_far;
        counts.tick_cost = Duration::from_micros(pong.tick_cost_us.into());
        counts.round_trip = round_trip;
    }

    pub(crate) fn came_back(&self, resumed: bool) {
        let mut counts = self.counts();
        *(if resumed { &mut counts.so_far.resumes } else { &mut counts.so_far.new_sessions }) += 1;
        counts.losses = Losses::default();
    }

    pub(crate) fn read(&self) -> Statistics {
        let counts = self.counts();
        Statistics {
            staleness_p50: counts.age_of(0.5, AGES_KEPT),
            staleness_p99: counts.age_of(0.99, AGES_KEPT),
            states_loss: counts.losses.share(),
            ..counts.so_far
        }
    }

    /// What is told to the server; each time of what was since the last.
    pub(crate) fn report(&self, frame: u64, jitter: Duration) -> Report {
        let mut counts = self.counts();
        let staleness = counts.age_of(0.99, counts.ages_seen - counts.ages_reported);
        let states = counts.so_far.states - counts.states_reported;
        (counts.ages_reported, counts.states_reported) = (counts.ages_seen, counts.so_far.states);
        let lost = counts.losses.lost_since();
        Report {
            frame,
            round_trip_us: micros(counts.so_far.round_trip),
            jitter_us: micros(jitter),
            staleness_us: micros(staleness),
            states_received: u32::try_from(states).unwrap_or(u32::MAX),
            states_lost: u32::try_from(lost).unwrap_or(u32::MAX),
        }
    }
}

impl Counts {
    /// The age that `part` of the newest `count` do not exceed.
    fn age_of(&self, part: f64, count: usize) -> Duration {
        let count = count.min(self.ages_seen).min(AGES_KEPT);
        let newest = (0..count).map(|back| self.ages[(self.ages_seen - 1 - back) % AGES_KEPT]);
        let mut ages: Vec<_> = newest.collect();
        ages.sort_unstable();
        let at = ((count as f64 * part) as usize).min(count.saturating_sub(1));
        ages.get(at).copied().unwrap_or_default()
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_quantiles_and_reports_tell_what_is_new() {
        let tally = Tally::default();
        assert_eq!(tally.read(), Statistics::default());
        (1..=1000).for_each(|ms| tally.age(Duration::from_millis(ms)));
        let statistics = tally.read();
        let ms = |duration: Duration| duration.as_millis();
        assert_eq!((ms(statistics.staleness_p50), ms(statistics.staleness_p99)), (873, 998));
        assert_eq!(tally.report(7, Duration::from_millis(2)).staleness_us, 998_000);
        tally.age(Duration::from_millis(3));
        (0..20).for_each(|tick| tally.state(tick, 2, StateStats::default()));
        let report = tally.report(8, Duration::from_millis(2));
        assert_eq!((report.frame, report.staleness_us, report.states_received), (8, 3_000, 20));
        assert_eq!((report.jitter_us, report.states_lost), (2_000, 0));
        assert_eq!(tally.report(8, Duration::ZERO).staleness_us, 0);
        assert_eq!(tally.read().changes, 40);
    }
}
