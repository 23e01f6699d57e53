//! When things are: where the server is, which tick to draw, which tick an input is for.

use std::collections::VecDeque;
use std::time::Duration;

use evertick_protocol::{ClientMessage, INPUTS_MAX, Input, InputLead, Inputs, Pong, ServerClock};
use hashbrown::HashMap;

/// Of how many ticks each datagram repeats the inputs.
const REPEAT_TICKS: u64 = 4;

/// How far behind the server rows are drawn, in ticks, without the jitter that was seen: it rides out one lost beat.
const RENDER_DELAY_TICKS: f64 = 1.7;

/// The most jitter that is waited for, in ticks.
const JITTER_TICKS_MAX: f64 = 3.0;

/// How much faster or slower than real the drawn time may run.
const SLEW: f64 = 0.05;

/// Farther off than this, in ticks, the drawn time jumps.
const JUMP_TICKS: f64 = 10.0;

/// The clocks of one session, and its inputs. It reads no clock: `now` is the time since the client began.
#[derive(Debug)]
pub(crate) struct Timing {
    tick_us: u32,
    clock: ServerClock,
    lead: InputLead,
    drawn: Option<(f64, Duration)>,
    /// The newest frame of which something came: its number and tick.
    newest: Option<(u64, u64)>,
    /// The tick of the last input of each reducer.
    last: HashMap<u32, u64>,
    /// The newest first, at most [`INPUTS_MAX`].
    inputs: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    tick: u64,
    reducer: u32,
    args: Vec<u8>,
    sent: bool,
}

impl Timing {
    pub(crate) fn new(tick_us: u32) -> Self {
        Self {
            tick_us,
            clock: ServerClock::new(tick_us),
            lead: InputLead::new(tick_us),
            drawn: None,
            newest: None,
            last: HashMap::new(),
            inputs: VecDeque::new(),
        }
    }

    /// Another connection begins, and with it another way. In a session that goes on, ticks that had their input keep it.
    pub(crate) fn reconnected(&mut self, resumed: bool) {
        let before = std::mem::replace(self, Self::new(self.tick_us));
        if resumed {
            (self.last, self.drawn) = (before.last, before.drawn);
        }
    }

    pub(crate) fn observe(&mut self, tick: u64, now: Duration) {
        self.clock.observe(tick, now);
    }

    pub(crate) fn pong(&mut self, pong: &Pong, round_trip: Duration) {
        self.lead.round_trip(round_trip);
        if let Some(slack) = pong.slack_us {
            self.lead.report(slack);
        }
    }

    pub(crate) fn jitter(&self) -> Duration {
        self.clock.jitter()
    }

    pub(crate) fn lead(&self) -> &InputLead {
        &self.lead
    }

    /// Something of a frame came. Returns how long the world had been ahead of what was shown until now, not counting the way here,
    /// if the frame is newer than what came before: since the first frame behind that was made. Frames that were not seen are
    /// taken to be a tick apart; a world that makes no frames is not ahead.
    pub(crate) fn newer(&mut self, number: u64, tick: u64, now: Duration) -> Option<Duration> {
        let before = self.newest;
        if before.is_some_and(|(newest, _)| newest >= number) {
            return None;
        }
        self.newest = Some((number, tick));
        let (number_before, tick_before) = before?;
        let unseen = (number - number_before - 1).min(tick.saturating_sub(tick_before));
        let ticks = (self.clock.tick(now) - tick as f64).max(0.0) + unseen as f64;
        Some(Duration::from_micros((ticks * f64::from(self.tick_us)) as u64))
    }

    /// The tick that an input of now is for, with fraction.
    pub(crate) fn input_tick(&self, now: Duration) -> f64 {
        self.clock.tick(now) + self.lead.ticks()
    }

    /// The tick to draw: so far behind the server that the next rows have arrived. It runs evenly, and backwards only in a jump.
    pub(crate) fn render_tick(&mut self, now: Duration) -> f64 {
        let tick_us = f64::from(self.tick_us.max(1));
        let jitter = (self.clock.jitter().as_micros() as f64 / tick_us).min(JITTER_TICKS_MAX);
        let target = self.clock.tick(now) - RENDER_DELAY_TICKS - jitter;
        let drawn = match self.drawn {
            Some((drawn, at)) => {
                let real = now.saturating_sub(at).as_micros() as f64 / tick_us;
                let missing = target - (drawn + real);
                if missing.abs() > JUMP_TICKS {
                    target
                } else {
                    drawn + real + missing.clamp(-real * SLEW, real * SLEW)
                }
            }
            None => target,
        };
        self.drawn = Some((drawn, now));
        drawn
    }

    /// Takes an input for the next tick that has none of its reducer. `None` when that and the one behind have: it came sooner
    /// than a tick after the last.
    pub(crate) fn input(&mut self, reducer: u32, args: Vec<u8>, now: Duration) -> Option<u64> {
        let target = self.lead.target(self.clock.tick(now));
        let last = self.last.get(&reducer).copied();
        let tick = match last {
            Some(last) if last > target => return None,
            Some(last) => target.max(last + 1),
            None => target,
        };
        self.last.insert(reducer, tick);
        let at = self.inputs.partition_point(|kept| kept.tick > tick);
        self.inputs.insert(at, Kept { tick, reducer, args, sent: false });
        let oldest = (self.inputs[0].tick + 1).saturating_sub(REPEAT_TICKS);
        self.inputs.retain(|kept| kept.tick >= oldest);
        self.inputs.truncate(INPUTS_MAX);
        Some(tick)
    }

    /// The message with the inputs that were not sent yet; with `repeated` with those of the last ticks besides. `None` when there is
    /// nothing new.
    pub(crate) fn message(&self, repeated: bool) -> Option<Vec<u8>> {
        let fresh = self.inputs.iter().any(|kept| !kept.sent);
        let wanted = self.inputs.iter().filter(|kept| repeated || !kept.sent);
        let inputs: Vec<_> =
            wanted.map(|kept| Input { tick: kept.tick, reducer: kept.reducer, args: &kept.args }).collect();
        let (mut buffer, mut message) = (Vec::new(), Vec::new());
        fresh.then(|| ClientMessage::Input(Inputs::new(&inputs, &mut buffer)).encode(&mut message))?;
        Some(message)
    }

    /// What there is has been sent.
    pub(crate) fn sent(&mut self) {
        self.inputs.iter_mut().for_each(|kept| kept.sent = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ticks(message: Option<Vec<u8>>) -> Vec<u64> {
        let Some(message) = message else { return Vec::new() };
        let Ok(ClientMessage::Input(inputs)) = ClientMessage::decode(&message) else { panic!() };
        inputs.iter().map(|input| input.tick).collect()
    }

    #[test]
    fn each_input_gets_a_tick_and_is_repeated_for_four() {
        let mut timing = Timing::new(50_000);
        timing.observe(100, ms(0));
        let given: Vec<_> = (0..6).map(|tick| timing.input(3, vec![tick as u8], ms(tick * 50))).collect();
        assert_eq!(given, (103..109).map(Some).collect::<Vec<_>>());
        assert_eq!(timing.input(3, vec![], ms(251)), Some(109), "the next tick has one already");
        assert_eq!(timing.input(3, vec![], ms(252)), None);
        assert_eq!(timing.input(4, vec![], ms(252)), Some(108), "of another kind");
        assert_eq!(ticks(timing.message(true)), [109, 108, 108, 107, 106]);
        timing.sent();
        assert_eq!(timing.message(true), None);
        timing.input(3, vec![], ms(350)).unwrap();
        assert_eq!((ticks(timing.message(false)), ticks(timing.message(true)).len()), (vec![110], 5));
        for reducer in 10..60 {
            timing.input(reducer, vec![], ms(400)).unwrap();
        }
        assert_eq!(ticks(timing.message(true)).len(), INPUTS_MAX);
    }

    #[test]
    fn the_world_is_ahead_by_what_it_made_and_we_have_not_seen() {
        let mut timing = Timing::new(50_000);
        let mut come = |number, tick, at: u64| {
            timing.observe(tick, ms(at));
            timing.newer(number, tick, ms(at))
        };
        assert_eq!(come(1, 100, 0), None, "nothing was shown before");
        assert_eq!(come(2, 101, 50), Some(ms(0)));
        assert_eq!(come(2, 101, 51), None);
        assert_eq!(come(3, 201, 5050), Some(ms(0)), "it was quiet for 5 s");
        assert_eq!(come(4, 202, 5120), Some(ms(20)), "it was late");
        assert_eq!(come(7, 205, 5250), Some(ms(100)), "two were lost");
        assert_eq!(come(6, 204, 5260), None, "older");
        assert_eq!(come(9, 300, 10_000), Some(ms(50)), "quiet, and then one was lost");
    }

    #[test]
    fn the_drawn_time_is_even_and_behind() {
        let mut timing = Timing::new(50_000);
        let mut before = f64::NEG_INFINITY;
        for step in 0..2000_u64 {
            let now = ms(step * 7);
            if step % 7 == 0 {
                // Frames are up to 40 ms late.
                timing.observe(1000 + step * 7 / 50, now + ms(step * 31 % 40));
            }
            let drawn = timing.render_tick(now + ms(40));
            assert!(drawn > before, "{drawn} after {before}");
            before = drawn;
        }
        let behind = timing.clock.newest_tick() as f64 - before;
        assert!((0.0..5.0).contains(&behind), "{behind}");
    }
}
