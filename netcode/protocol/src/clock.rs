//! What a client works out about the server's clock: where it is, and how early inputs must be sent.
//!
//! Time is counted in ticks. Frames say of which tick they are, and the world moves by ticks, so that what is reckoned in ticks runs
//! evenly although ticks are computed early or late. Nothing here reads a clock: `now` is the time since any moment that stays
//! the same for all calls.

use std::time::Duration;

/// Frames that are remembered.
const SAMPLES: usize = 64;

/// How early inputs shall be there, in ticks.
const SLACK_TICKS: f64 = 1.5;

/// The most that a lead may be, in ticks; a server refuses what is 16 ticks ahead.
const LEAD_TICKS_MAX: f64 = 14.0;

/// How much too short a lead must be before it is made longer, in ticks.
const MISSING_TICKS_MIN: f64 = 0.25;

/// Where the server is, from when its frames and states arrive: the one with the least delay of the last
/// 64 ticks tells best when a tick was.
#[derive(Clone, Debug)]
pub struct ServerClock {
    tick_us: f64,
    /// When ticks since `first` would have been tick 0 of them, in microseconds: `arrival - ticks * length`. The least of them
    /// is the estimate.
    samples: [f64; SAMPLES],
    next: usize,
    least: f64,
    jitter_us: f64,
    /// The first tick that was heard of, and the newest.
    first: Option<u64>,
    newest: u64,
}

impl ServerClock {
    /// A clock that has heard nothing, for ticks of this length in microseconds.
    pub fn new(tick_us: u32) -> Self {
        Self {
            tick_us: tick_us.max(1).into(),
            samples: [f64::INFINITY; SAMPLES],
            next: 0,
            least: f64::INFINITY,
            jitter_us: 0.0,
            first: None,
            newest: 0,
        }
    }

    /// Something that the server made at `tick` arrived. What is not newer than all before tells nothing and is ignored: it was
    /// overtaken, or is a second frame of the same tick.
    pub fn observe(&mut self, tick: u64, now: Duration) {
        let first = *self.first.get_or_insert(tick);
        if tick <= self.newest && self.least.is_finite() {
            return;
        }
        self.newest = tick;
        let sample = now.as_micros() as f64 - (tick - first) as f64 * self.tick_us;
        self.samples[self.next] = sample;
        self.next = (self.next + 1) % SAMPLES;
        self.least = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let late = sample - self.least;
        self.jitter_us = f64::max(late, self.jitter_us + (late - self.jitter_us) / 32.0);
    }

    /// The newest tick that was heard of; 0 before the first.
    pub const fn newest_tick(&self) -> u64 {
        self.newest
    }

    /// The tick, with its fraction, whose frame would arrive now if it took the least time; 0 before anything was heard. The server
    /// itself is farther by that time.
    pub fn tick(&self, now: Duration) -> f64 {
        match self.first {
            Some(first) => first as f64 + (now.as_micros() as f64 - self.least) / self.tick_us,
            None => 0.0,
        }
    }

    /// How much later than the fastest frames others arrive: a bound that rises at once and falls slowly.
    pub fn jitter(&self) -> Duration {
        Duration::from_micros(self.jitter_us as u64)
    }
}

/// By how many ticks inputs must go before what was heard last, so that they are there in time. The server says with each Pong how
/// early the latest of them was ([`Pong::slack_us`](crate::Pong::slack_us)); the lead is steered until that is a tick and a half. It
/// grows at once, because a late input is seen, and shrinks slowly.
#[derive(Clone, Debug)]
pub struct InputLead {
    tick_us: f64,
    ticks: f64,
    slack_us: Option<i64>,
    /// The last report made it longer; what the next one tells of was in part sent before.
    grown: bool,
}

impl InputLead {
    /// A lead for ticks of this length in microseconds, before anything is known.
    pub fn new(tick_us: u32) -> Self {
        Self { tick_us: tick_us.max(1).into(), ticks: SLACK_TICKS + 1.0, slack_us: None, grown: false }
    }

    /// The lead in ticks: between 0 and 14.
    pub const fn ticks(&self) -> f64 {
        self.ticks
    }

    /// The slack of the last report in microseconds; `None` before the first.
    pub const fn slack_us(&self) -> Option<i64> {
        self.slack_us
    }

    /// The tick that an input is for which is sent now, when the clock is at `tick`.
    pub fn target(&self, tick: f64) -> u64 {
        (tick + self.ticks).ceil() as u64
    }

    /// A round trip was measured. It says what to expect until the server speaks of inputs.
    pub fn round_trip(&mut self, round_trip: Duration) {
        if self.slack_us.is_none() {
            self.set(round_trip.as_micros() as f64 / self.tick_us + SLACK_TICKS);
        }
    }

    /// The server has said how early the latest input since its last report was, in microseconds; negative: too late.
    pub fn report(&mut self, slack_us: i64) {
        self.slack_us = Some(slack_us);
        let missing = SLACK_TICKS - slack_us as f64 / self.tick_us;
        if missing > MISSING_TICKS_MIN && !self.grown {
            self.set(self.ticks + missing);
            self.grown = true;
            return;
        }
        self.grown = false;
        if missing < 0.0 {
            self.set(self.ticks + missing / 8.0);
        }
    }

    fn set(&mut self, ticks: f64) {
        self.ticks = ticks.clamp(0.0, LEAD_TICKS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK_US: u64 = 50_000;
    const SECOND_TICKS: u64 = 20;

    #[test]
    fn the_fastest_frames_tell_the_time() {
        let mut clock = ServerClock::new(TICK_US as u32);
        assert_eq!((clock.newest_tick(), clock.tick(Duration::from_secs(9))), (0, 0.0));
        let ms = Duration::from_millis;
        for (tick, at) in [(1000, 30), (1001, 80), (1002, 155), (1003, 180), (1001, 181), (1003, 400)] {
            clock.observe(tick, ms(at));
        }
        assert_eq!(clock.newest_tick(), 1003);
        assert!((clock.tick(ms(205)) - 1003.5).abs() < 1e-9, "{}", clock.tick(ms(205)));
        assert!((20..=25).contains(&clock.jitter().as_millis()), "{:?}", clock.jitter());
    }

    #[test]
    fn a_lead_follows_what_it_is_told() {
        let mut lead = InputLead::new(TICK_US as u32);
        lead.round_trip(Duration::from_millis(100));
        assert_eq!((lead.ticks(), lead.slack_us(), lead.target(10.2)), (3.5, None, 14));
        lead.report(-50_000);
        assert_eq!((lead.ticks(), lead.slack_us()), (6.0, Some(-50_000)));
        lead.report(-50_000); // of inputs that were under way already
        assert_eq!(lead.ticks(), 6.0);
        lead.report(475_000);
        assert_eq!(lead.ticks(), 5.0);
        lead.round_trip(Duration::ZERO);
        assert_eq!(lead.ticks(), 5.0, "the server knows better");
        (0..100).for_each(|_| lead.report(i64::MIN));
        assert_eq!(lead.ticks(), LEAD_TICKS_MAX);
        (0..100).for_each(|_| lead.report(i64::MAX));
        assert_eq!(lead.ticks(), 0.0);
    }

    /// A path that delays each message by at least `least` and at most `spread` more.
    #[derive(Clone, Debug)]
    struct Path {
        least_us: u64,
        spread_us: u64,
        seed: u64,
    }

    impl Path {
        fn delay(&mut self) -> u64 {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.least_us + (self.seed >> 33) % (self.spread_us + 1)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Frames come down a path, one input per frame goes up another, and the server reports once per second, a round trip late.
        #[test]
        fn inputs_come_to_be_in_time(
            down in 2_000u64..120_000, up in 2_000u64..120_000, spread_us in 0u64..30_000, seed: u64,
        ) {
            let mut down = Path { least_us: down, spread_us, seed };
            let mut up = Path { least_us: up, spread_us, seed: !seed };
            let first = 5_000;
            let (mut clock, mut lead) = (ServerClock::new(TICK_US as u32), InputLead::new(TICK_US as u32));
            // Slacks by when the input arrived; reports by when they arrive.
            let mut slacks: Vec<(u64, i64)> = Vec::new();
            let mut reports: Vec<(u64, i64)> = Vec::new();
            for tick in first..first + 60 * SECOND_TICKS {
                let made = tick * TICK_US;
                let now = made + down.delay();
                let due: Vec<i64> = reports.extract_if(.., |(at, _)| *at <= now).map(|(_, slack)| slack).collect();
                due.into_iter().for_each(|slack| lead.report(slack));
                clock.observe(tick, Duration::from_micros(now));
                let target = lead.target(clock.tick(Duration::from_micros(now)));
                let arrived = now + up.delay();
                slacks.push((arrived, (target * TICK_US) as i64 - arrived as i64));
                if tick % SECOND_TICKS == 0 {
                    let of_late = slacks.iter().filter(|(at, _)| (made - SECOND_TICKS * TICK_US..made).contains(at));
                    if let Some(least) = of_late.map(|(_, slack)| *slack).min() {
                        reports.push((made + down.delay(), least));
                    }
                }
            }
            let settled = &slacks[slacks.len() / 2..];
            let (least, most) = settled.iter().fold((i64::MAX, i64::MIN), |(least, most), (_, slack)| {
                (least.min(*slack), most.max(*slack))
            });
            prop_assert!(least > 0, "an input was {} µs late", -least);
            prop_assert!(most < 5 * TICK_US as i64, "an input was {} µs early", most);
        }
    }
}
