//! One record after the other on the simulation.

use std::io::{self, Read};

use evertick_schema::Timestamp;
use evertick_world::{Simulation, TraceEntry};

use super::ReplayReport;
use super::error::Divergence;
use crate::log::SnapshotReader;
use crate::record::{CauseRef, DeltaChecksum, Header, Malformed, Visit};

/// A simulation that does what records say.
pub(super) struct Run<'s> {
    simulation: &'s mut Simulation,
    checksum: DeltaChecksum,
    time: Timestamp,
    /// What is recorded of the present commit.
    delta: Option<u32>,
    runs: Vec<(String, u32)>,
    pub(super) report: ReplayReport,
}

/// Why a record can't be run.
pub(super) struct Stop(pub(super) Malformed);

impl From<Malformed> for Stop {
    fn from(error: Malformed) -> Self {
        Self(error)
    }
}

impl<'s> Run<'s> {
    pub(super) fn new(simulation: &'s mut Simulation, last_seq: u64) -> Self {
        Self {
            simulation,
            checksum: DeltaChecksum::default(),
            time: Timestamp::default(),
            delta: None,
            runs: Vec::new(),
            report: ReplayReport { last_seq, ..ReplayReport::default() },
        }
    }

    pub(super) fn begin(&mut self, seq: u64) {
        self.report.seq = seq;
        self.delta = None;
        self.runs.clear();
    }

    /// Commits what the record's causes did, and compares it.
    pub(super) fn commit(&mut self) -> Result<(), Divergence> {
        let delta = self.simulation.commit(self.time);
        let (found, tick) = (self.checksum.of(&delta), delta.tick);
        self.simulation.world_mut().recycle(delta);
        let trace = self.simulation.take_trace();
        // Nobody asks for the log of a replay.
        drop(self.simulation.take_faults());
        self.report.commits += 1;
        self.report.tick = tick;
        self.report.runs += trace.len() as u64;
        let at = Divergence {
            seq: self.report.seq,
            tick,
            name: None,
            run: 0,
            expected: self.delta,
            found: Some(found),
            instead: None,
        };
        let differs =
            (0..trace.len().max(self.runs.len())).find(|run| !same(self.runs.get(*run), trace.get(*run)));
        match differs {
            Some(run) => {
                let (recorded, replayed) = (self.runs.get(run), trace.get(run));
                let name = recorded.map(|(name, _)| name.clone());
                let instead =
                    replayed.map(|entry| entry.name.to_string()).filter(|other| Some(other) != name.as_ref());
                Err(Divergence {
                    name,
                    run,
                    expected: recorded.map(|(_, sum)| *sum),
                    found: replayed.map(|entry| entry.checksum),
                    instead,
                    ..at
                })
            }
            None if self.delta != Some(found) => Err(at),
            None => Ok(()),
        }
    }
}

fn same(recorded: Option<&(String, u32)>, replayed: Option<&TraceEntry>) -> bool {
    match (recorded, replayed) {
        (Some((name, checksum)), Some(entry)) => **name == *entry.name && *checksum == entry.checksum,
        _ => false,
    }
}

impl Visit for Run<'_> {
    type Error = Stop;

    fn header(&mut self, header: Header) -> Result<(), Stop> {
        self.time = header.time;
        Ok(())
    }

    fn cause(&mut self, time: Timestamp, cause: CauseRef<'_>) -> Result<(), Stop> {
        self.report.causes += 1;
        // How each ended is in the trace.
        match cause {
            CauseRef::Connect(caller) => drop(self.simulation.connect(caller, time)),
            CauseRef::Call(call) => drop(self.simulation.call(&call, time)),
            CauseRef::Input(call) => drop(self.simulation.input(&call, time)),
            CauseRef::Disconnect(caller) => self.simulation.disconnect(caller, time),
            CauseRef::Tick => drop(self.simulation.tick(time)),
            // A recording begins later than these.
            CauseRef::Init | CauseRef::Upgrade => {}
        }
        Ok(())
    }

    fn check_delta(&mut self, checksum: u32) -> Result<(), Stop> {
        self.delta = Some(checksum);
        Ok(())
    }

    fn check_run(&mut self, name: &str, checksum: u32) -> Result<(), Stop> {
        self.runs.push((name.to_owned(), checksum));
        Ok(())
    }
}

/// The image in a snapshot's chunks.
pub(super) struct ImageRead {
    reader: SnapshotReader,
    chunk: Vec<u8>,
    at: usize,
}

impl ImageRead {
    pub(super) fn new(reader: SnapshotReader) -> Self {
        Self { reader, chunk: Vec::new(), at: 0 }
    }
}

impl Read for ImageRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            match self.reader.next().map_err(io::Error::other)? {
                Some(chunk) => {
                    self.chunk.clear();
                    self.chunk.extend_from_slice(chunk);
                    self.at = 0;
                }
                None => return Ok(0),
            }
        }
        let len = out.len().min(self.chunk.len() - self.at);
        out[..len].copy_from_slice(&self.chunk[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}
