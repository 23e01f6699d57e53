//! Which inputs of a session are new: each is sent several times, so that a lost datagram costs nothing.

use std::time::Instant;

use evertick_protocol::{INPUTS_MAX, Input, Inputs};

use crate::budget::{Bucket, Budget, Verdict};

/// Input reducers of one session.
const REDUCERS_MAX: usize = 8;

/// A session's inputs.
#[derive(Debug)]
pub(crate) struct InputFilter {
    /// Messages.
    messages: Budget,
    /// Inputs that are handed on.
    handed_on: Bucket,
    /// Each reducer's newest tick.
    newest: Vec<(u32, u64)>,
    /// The least time that inputs came before their tick since somebody asked, in microseconds.
    slack_us: Option<i64>,
}

/// What a message of inputs came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) forwarded: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    pub(crate) refused: u64,
    /// So many messages came that the client is not worth keeping.
    pub(crate) flooding: bool,
}

impl InputFilter {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            messages: Budget::new(per_second, per_second * 2, per_second * 20, now),
            handed_on: Bucket::new(per_second, per_second * 2, now),
            newest: Vec::new(),
            slack_us: None,
        }
    }

    /// Hands on what is new, oldest first. `slack_us` is the time until the start of a tick; `forward` says whether
    /// the host can take an input.
    pub(crate) fn take(
        &mut self,
        inputs: Inputs<'_>,
        now: Instant,
        slack_us: impl Fn(u64) -> Option<i64>,
        mut forward: impl FnMut(Input<'_>) -> bool,
    ) -> Taken {
        let mut taken = Taken::default();
        match self.messages.ask(now) {
            Verdict::Granted => {}
            verdict => {
                taken.refused = inputs.iter().count() as u64;
                taken.flooding = verdict == Verdict::Flooding;
                return taken;
            }
        }
        let mut entries = [None; INPUTS_MAX];
        entries.iter_mut().zip(inputs.iter()).for_each(|(place, input)| *place = Some(input));
        for input in entries.into_iter().rev().flatten() {
            let newest = self.newest.iter().position(|(reducer, _)| *reducer == input.reducer);
            if newest.is_some_and(|at| self.newest[at].1 >= input.tick) {
                taken.doubled += 1;
                continue;
            }
            let known = newest.is_some() || self.newest.len() < REDUCERS_MAX;
            if !known || !self.handed_on.take(now) || !forward(input) {
                taken.refused += 1;
                continue;
            }
            match newest {
                Some(at) => self.newest[at].1 = input.tick,
                None => self.newest.push((input.reducer, input.tick)),
            }
            taken.forwarded += 1;
            if let Some(slack_us) = slack_us(input.tick) {
                taken.late += u64::from(slack_us < 0);
                self.slack_us = Some(self.slack_us.map_or(slack_us, |least| least.min(slack_us)));
            }
        }
        taken
    }

    /// The least slack since the last time this was asked.
    pub(crate) const fn take_slack_us(&mut self) -> Option<i64> {
        self.slack_us.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(filter: &mut InputFilter, entries: &[(u64, u32)], now: Instant) -> (Vec<(u64, u32)>, Taken) {
        let inputs: Vec<_> = entries
            .iter()
            .map(|(tick, reducer)| Input { tick: *tick, reducer: *reducer, args: b"" })
            .collect();
        let (mut buffer, mut got) = (Vec::new(), Vec::new());
        let slack_us = |tick: u64| Some((tick as i64 - 10) * 1000);
        let taken = filter.take(Inputs::new(&inputs, &mut buffer), now, slack_us, |input| {
            got.push((input.tick, input.reducer));
            true
        });
        (got, taken)
    }

    #[test]
    fn each_input_is_handed_on_once_oldest_first() {
        let now = Instant::now();
        let mut filter = InputFilter::new(1000, now);
        let (got, _) = take(&mut filter, &[(12, 1), (12, 2), (11, 1), (9, 1)], now);
        assert_eq!(got, [(9, 1), (11, 1), (12, 2), (12, 1)]);
        assert_eq!(filter.take_slack_us(), Some(-1000));
        assert_eq!(filter.take_slack_us(), None);
        // The next datagram repeats, and one that was overtaken brings nothing new.
        let (got, taken) = take(&mut filter, &[(13, 1), (12, 1), (11, 1)], now);
        assert_eq!((got, taken.doubled), (vec![(13, 1)], 2));
        let (got, _) = take(&mut filter, &[(12, 1)], now);
        assert_eq!(got, []);
        assert_eq!(filter.take_slack_us(), Some(3000));
    }

    #[test]
    fn a_flood_is_refused_and_then_ends_the_session() {
        let now = Instant::now();
        let mut filter = InputFilter::new(2, now);
        let (mut forwarded, mut refused, mut flooding) = (0, 0, 0);
        for tick in 0..100 {
            let (_, taken) = take(&mut filter, &[(tick + 20, 1)], now);
            (forwarded, refused) = (forwarded + taken.forwarded, refused + taken.refused);
            flooding += u32::from(taken.flooding);
        }
        assert_eq!((forwarded, refused, flooding), (4, 96, 56));
    }

    #[test]
    fn reducers_have_a_bound_and_what_the_host_refuses_may_come_again() {
        let now = Instant::now();
        let mut filter = InputFilter::new(1000, now);
        for reducer in 0..10 {
            let (got, _) = take(&mut filter, &[(5, reducer)], now);
            assert_eq!(got.len(), usize::from(reducer < 8));
        }
        let mut buffer = Vec::new();
        let input = [Input { tick: 6, reducer: 0, args: b"" }];
        let full = filter.take(Inputs::new(&input, &mut buffer), now, |_| None, |_| false);
        assert_eq!((full.refused, full.forwarded), (1, 0));
        assert_eq!(take(&mut filter, &[(6, 0)], now).0, [(6, 0)]);
    }
}
