//! One direction of a simulated network: what is under way, by the time at which it arrives.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::time::Instant;

use super::conditions::{Chance, Conditions};
use crate::connection::{Lane, Queued};

/// How often a message of an ordered lane is lost at most; then it arrives.
const REPETITIONS_MAX: u32 = 8;

/// Bytes of the latest lane under way; what is more is dropped, as routers do.
pub(super) const LATEST_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug)]
pub(super) enum Item<E> {
    Message { lane: Lane, parts: Vec<Bytes> },
    End(E),
}

#[derive(Debug)]
pub(super) struct Line<E> {
    conditions: Conditions,
    chance: Chance,
    /// By arrival; the number keeps what arrives at the same time in order.
    under_way: BTreeMap<(Instant, u64), Item<E>>,
    number: u64,
    queued: Queued,
    latest_bytes: usize,
    latest_dropped: u64,
    /// When the first message arrives: nothing overtakes it.
    first: Option<Instant>,
    /// When the last one of control and of the world arrives.
    last: [Option<Instant>; 2],
    ended: bool,
}

impl<E> Line<E> {
    pub(super) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: Chance::new(seed),
            under_way: BTreeMap::new(),
            number: 0,
            queued: Queued::default(),
            latest_bytes: 0,
            latest_dropped: 0,
            first: None,
            last: [None; 2],
            ended: false,
        }
    }

    /// Messages under way, and their bytes.
    pub(super) fn queued(&self) -> Queued {
        self.queued
    }

    /// Bytes of the latest lane that are taken now.
    pub(super) fn latest_room(&self) -> usize {
        LATEST_BYTES_MAX.saturating_sub(self.latest_bytes)
    }

    /// Messages of the latest lane for which there was no room.
    pub(super) fn latest_dropped(&self) -> u64 {
        self.latest_dropped
    }

    /// Whether the end is under way, or has arrived.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// When the next one arrives.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// Sends a message; its lane says what may happen to it.
    pub(super) fn push(&mut self, now: Instant, lane: Lane, parts: Vec<Bytes>) {
        let Conditions { latency, jitter, duplicate, reorder, .. } = self.conditions;
        let at = now + latency + self.chance.part_of(jitter);
        let index = match lane {
            Lane::Control => 0,
            Lane::World => 1,
            Lane::Latest => {
                let lost = self.chance.loses(&self.conditions);
                let at =
                    at + if self.chance.happens(reorder) { latency + jitter } else { Default::default() };
                let twice = self.chance.happens(duplicate);
                let again = now + latency + self.chance.part_of(jitter);
                if !lost {
                    self.push_latest(at, parts.clone());
                }
                if twice {
                    self.push_latest(again, parts);
                }
                return;
            }
        };
        let mut at = at;
        let mut lost = self.chance.loses(&self.conditions);
        for _ in 0..REPETITIONS_MAX {
            if !lost {
                break;
            }
            at += self.conditions.repetition();
            // A burst is over when the repetition comes.
            lost = self.chance.happens(self.conditions.loss);
        }
        let at = self.last[index].max(self.first).map_or(at, |last| at.max(last));
        self.last[index] = Some(at);
        self.first.get_or_insert(at);
        self.insert(at, Item::Message { lane, parts });
    }

    fn push_latest(&mut self, at: Instant, parts: Vec<Bytes>) {
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        if bytes > self.latest_room() {
            self.latest_dropped += 1;
            return;
        }
        self.latest_bytes += bytes;
        let at = self.first.map_or(at, |first| at.max(first));
        self.insert(at, Item::Message { lane: Lane::Latest, parts });
    }

    /// Sends the end, behind all ordered messages.
    pub(super) fn push_end(&mut self, now: Instant, end: E) {
        self.ended = true;
        let at = now + self.conditions.latency + self.chance.part_of(self.conditions.jitter);
        let at = self.last.into_iter().flatten().fold(at, Instant::max);
        self.insert(at, Item::End(end));
    }

    fn insert(&mut self, at: Instant, item: Item<E>) {
        if let Item::Message { parts, .. } = &item {
            self.queued.messages += 1;
            self.queued.bytes += parts.iter().map(Bytes::len).sum::<usize>();
        }
        self.under_way.insert((at, self.number), item);
        self.number += 1;
    }

    /// What has arrived by now. Behind the end there is nothing.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Item<E>> {
        let entry = self.under_way.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let item = entry.remove();
        match &item {
            Item::Message { lane, parts } => {
                let bytes = parts.iter().map(Bytes::len).sum::<usize>();
                self.queued.messages -= 1;
                self.queued.bytes -= bytes;
                if *lane == Lane::Latest {
                    self.latest_bytes -= bytes;
                }
            }
            Item::End(_) => {
                self.under_way.clear();
                (self.queued, self.latest_bytes) = (Queued::default(), 0);
            }
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn conditions() -> impl Strategy<Value = Conditions> {
        (0_u64..200, 0_u64..100, 0.0..1.0_f64, 0.0..5.0_f64, 0.0..1.0_f64, 0.0..1.0_f64, any::<u64>())
            .prop_map(|(latency, jitter, loss, burst, duplicate, reorder, seed)| Conditions {
                latency: Duration::from_millis(latency),
                jitter: Duration::from_millis(jitter),
                loss,
                burst,
                duplicate,
                reorder,
                seed,
            })
    }

    fn lane() -> impl Strategy<Value = Lane> {
        prop_oneof![Just(Lane::Control), Just(Lane::World), Just(Lane::Latest)]
    }

    /// What arrives when messages are sent, each some ms after the last; the end arrives as `None`.
    fn arrivals(conditions: Conditions, sent: &[(Lane, u64)]) -> Vec<(Duration, Option<(Lane, u16)>)> {
        let start = Instant::now();
        let mut now = start;
        let mut line = Line::new(conditions, conditions.seed);
        for (number, (lane, pause)) in sent.iter().enumerate() {
            now += Duration::from_millis(*pause);
            line.push(now, *lane, vec![Bytes::new(), Bytes::copy_from_slice(&(number as u16).to_le_bytes())]);
        }
        line.push_end(now, ());
        let mut arrived = Vec::new();
        while let Some(at) = line.next_at() {
            let item = match line.pop(at).unwrap() {
                Item::Message { lane, parts } => {
                    Some((lane, u16::from_le_bytes(*parts[1].as_array().unwrap())))
                }
                Item::End(()) => None,
            };
            arrived.push((at - start, item));
        }
        assert_eq!((line.queued(), line.latest_room()), (Queued::default(), LATEST_BYTES_MAX));
        arrived
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Ordered lanes are whole and in order up to the end, nothing is early, and the seed decides all.
        #[test]
        fn a_line_keeps_its_promises(
            conditions in conditions(),
            sent in prop::collection::vec((lane(), 0_u64..50), 0..60),
        ) {
            let arrived = arrivals(conditions, &sent);
            prop_assert_eq!(&arrived, &arrivals(conditions, &sent));
            prop_assert!(arrived.is_sorted_by_key(|(at, _)| *at));
            prop_assert!(arrived.last().unwrap().1.is_none());
            for lane in [Lane::Control, Lane::World] {
                let want: Vec<u16> = (0..).zip(&sent).filter(|(_, (on, _))| *on == lane).map(|(number, _)| number).collect();
                let got: Vec<u16> =
                    arrived.iter().filter_map(|(_, item)| *item).filter(|(on, _)| *on == lane).map(|(_, number)| number).collect();
                prop_assert_eq!(got, want);
            }
            for (at, item) in &arrived {
                if let Some((lane, number)) = item {
                    let sent_at: u64 = sent[..=usize::from(*number)].iter().map(|(_, pause)| pause).sum();
                    prop_assert!(*at >= Duration::from_millis(sent_at) + conditions.latency);
                    let copies = arrived.iter().filter(|(_, other)| other == item).count();
                    prop_assert!(copies == 1 || *lane == Lane::Latest && copies == 2);
                }
            }
            // Nothing overtakes the first ordered message, or a world would be there before its greeting.
            let ordered = arrived.iter().position(|(_, item)| matches!(item, Some((Lane::Control | Lane::World, _))));
            if let (Some(position), Some((Lane::Control | Lane::World, _))) = (ordered, sent.first()) {
                prop_assert_eq!(position, 0);
            }
        }
    }

    #[test]
    fn a_line_without_trouble_is_exact() {
        let ms = Duration::from_millis;
        let conditions = Conditions { latency: ms(30), ..Conditions::default() };
        let arrived = arrivals(conditions, &[(Lane::Control, 0), (Lane::Latest, 5), (Lane::World, 5)]);
        let want = [
            (ms(30), Some((Lane::Control, 0))),
            (ms(35), Some((Lane::Latest, 1))),
            (ms(40), Some((Lane::World, 2))),
            (ms(40), None),
        ];
        assert_eq!(arrived, want);
    }

    #[test]
    fn a_line_holds_so_much_of_the_latest_and_no_more() {
        let mut line = Line::<()>::new(Conditions::default(), 0);
        let now = Instant::now();
        (0..400).for_each(|_| line.push(now, Lane::Latest, vec![vec![0; 1024].into()]));
        assert_eq!((line.queued().messages, line.latest_room(), line.latest_dropped()), (256, 0, 144));
        while line.pop(now).is_some() {}
        assert_eq!((line.queued(), line.latest_room()), (Queued::default(), LATEST_BYTES_MAX));
    }
}
