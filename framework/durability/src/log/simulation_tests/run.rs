//! One server's life after another on one disk, beside a model: the list of all that was appended.

use std::sync::Arc;

use crate::log::config::LogConfig;
use crate::log::error::LogError;
use crate::log::format::Group;
use crate::log::read::Scan;
use crate::log::verify::verify;
use crate::log::write::{Housekeeping, Shelf, Step, Writer};
use crate::storage::simulated::{Faults, Random, SimulatedStorage};

/// How often a writer is asked again after a failure.
const RETRIES_MAX: usize = 6;

pub(super) struct Run {
    pub(super) disk: SimulatedStorage,
    pub(super) random: Random,
    config: LogConfig,
    /// All records that were appended and may be there, in order.
    pub(super) history: Vec<(u64, Vec<u8>)>,
    /// How many of them were reported as synced.
    pub(super) confirmed: usize,
    /// Records below this number were said not to be needed.
    removable: u64,
    writer: Option<(Writer, Housekeeping, Arc<Shelf>)>,
    /// How many lives found a torn tail, and how many failed writes were survived.
    pub(super) torn_tails: usize,
    pub(super) survived: usize,
}

impl Run {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x10c);
        let config =
            LogConfig { segment_bytes: 4096 * (3 + random.below(12) as u64), ..LogConfig::default() };
        Self {
            disk: SimulatedStorage::new(seed),
            random,
            config,
            history: Vec::new(),
            confirmed: 0,
            removable: 0,
            writer: None,
            torn_tails: 0,
            survived: 0,
        }
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.history.last().map_or(0, |(seq, _)| *seq)
    }

    /// Nothing fails, sometimes some things do, or the power goes at some moment.
    pub(super) fn random_faults(&mut self) -> Faults {
        let mut rate = || if self.random.chance(0.3) { 0.15 } else { 0.0 };
        let mut faults = Faults {
            short_write: rate(),
            write_error: rate(),
            sync_error: rate(),
            directory_error: rate(),
            ..Faults::default()
        };
        if self.random.chance(0.2) {
            faults.capacity_bytes = Some(20_000 + self.random.below(150_000) as u64);
        }
        if self.random.chance(0.5) {
            faults.power_off_after = Some(self.random.below(200) as u64);
        }
        faults
    }

    /// What is on the disk is an unbroken row of what was appended, and has all that was confirmed and is needed.
    pub(super) fn check(&mut self) -> Option<Scan<'_>> {
        let scan = Scan::open(&self.disk).unwrap_or_else(|damage| panic!("no damage was done: {damage}"));
        let after = scan.after_seq();
        assert!(
            after < self.removable.max(1),
            "records behind {after} are gone, {} is needed",
            self.removable
        );
        let mut expected = self.history.iter().filter(|(seq, _)| *seq > after);
        let mut records = scan.records(after + 1).unwrap();
        while let Some(record) = records.next().unwrap() {
            let (seq, body) = expected.next().expect("nothing is made up");
            assert_eq!((record.seq, record.body), (*seq, body.as_slice()));
        }
        let found = self.history.len() - expected.count();
        assert!(found >= self.confirmed, "{} were confirmed, {found} are there", self.confirmed);
        if self.random.chance(0.2) {
            let report = verify(&self.disk);
            assert!(report.is_good(), "{report}");
        }
        self.torn_tails += usize::from(scan.torn_tail().is_some());
        self.history.truncate(found);
        assert_eq!(scan.last_seq(), self.last_seq());
        Some(scan)
    }

    /// Starts a server on what is there, with faults from now on. False if it could not start.
    pub(super) fn start(&mut self, faults: Faults) -> bool {
        let end = self.check().unwrap().end().clone();
        self.disk.set_faults(faults);
        let shelf = Arc::new(Shelf::default());
        let storage = Arc::new(self.disk.clone());
        let preamble = vec![7; self.random.below(6000)];
        let writer = Writer::start(storage.clone(), shelf.clone(), &self.config, end, preamble);
        let Ok(writer) = writer else { return false };
        // What was found is safe now, confirmed earlier or not.
        self.confirmed = self.history.len();
        let housekeeping = Housekeeping::new(storage, shelf.clone(), self.config.segment_bytes);
        self.writer = Some((writer, housekeeping, shelf));
        true
    }

    /// Appends a group of random records, and writes it, again if need be. False if it could not be written.
    pub(super) fn append(&mut self) -> bool {
        let mut group = Group::default();
        let mut seq = self.last_seq();
        for _ in 0..1 + self.random.below(4) {
            seq += 1 + self.random.below(3) as u64;
            let len = match self.random.below(20) {
                0 => self.random.below(30_000),
                1..8 => self.random.below(3000),
                _ => self.random.below(60),
            };
            let body: Vec<u8> = (0..len).map(|_| self.random.next() as u8).collect();
            group.push(seq, &body);
            self.history.push((seq, body));
        }
        let (writer, ..) = self.writer.as_mut().unwrap();
        let written = again(&mut self.survived, || writer.write(&mut group));
        if written {
            self.confirmed = self.history.len();
        }
        written
    }

    /// One random thing that a server does.
    pub(super) fn step(&mut self) -> bool {
        match self.random.below(12) {
            0 => {
                let (writer, ..) = self.writer.as_mut().unwrap();
                return again(&mut self.survived, || writer.mark());
            }
            1..4 => self.keep_house(),
            4 => {
                let confirmed = self.history[..self.confirmed].last().map_or(0, |(seq, _)| *seq);
                // It may stand between two records.
                let more = self.random.below((confirmed + 1).saturating_sub(self.removable) as usize);
                self.remove_before(self.removable + more as u64);
            }
            _ => {
                if !self.append() {
                    return false;
                }
                if self.random.chance(0.9) {
                    self.writer.as_mut().unwrap().0.settle();
                }
            }
        }
        true
    }

    pub(super) fn remove_before(&mut self, seq: u64) {
        self.removable = seq;
        self.writer.as_ref().unwrap().2.remove_before(seq);
    }

    /// A few steps of housekeeping.
    pub(super) fn keep_house(&mut self) {
        let steps = self.random.below(6);
        let (_, housekeeping, shelf) = self.writer.as_mut().unwrap();
        shelf.want_spare();
        for _ in 0..steps {
            if matches!(housekeeping.step(), Ok(Step::Idle)) {
                break;
            }
        }
    }

    /// The server ends: by a power cut, a kill, or of its own accord.
    pub(super) fn stop(&mut self) {
        let writer = self.writer.take();
        self.disk = match self.random.below(4) {
            0 => self.disk.kill(),
            1 if writer.is_some() => {
                let _ = writer.unwrap().0.close();
                self.disk.kill()
            }
            _ => self.disk.crash(),
        };
    }

    /// The server ends of its own accord, on a disk on which nothing fails.
    pub(super) fn close(&mut self) {
        self.disk.set_faults(Faults::default());
        let (mut writer, ..) = self.writer.take().unwrap();
        writer.close().unwrap();
        self.disk = self.disk.kill();
    }
}

/// Tries something until it works or one loses patience.
fn again(survived: &mut usize, mut attempt: impl FnMut() -> Result<(), LogError>) -> bool {
    for tries in 0..RETRIES_MAX {
        if attempt().is_ok() {
            *survived += usize::from(tries > 0);
            return true;
        }
    }
    false
}
