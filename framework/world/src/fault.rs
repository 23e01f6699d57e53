//! Failures of guests, kept for the log.

use crate::guest::GuestFault;

/// The most faults that are kept until somebody takes them; further ones are counted only.
pub const FAULTS_MAX: usize = 1024;

/// A failure of a guest, with the number by which the caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counts up from 1, over all modules of the simulation.
    pub id: u64,
    /// `module.reducer` or `module.system`.
    pub name: String,
    /// What happened.
    pub fault: GuestFault,
}

/// Numbers faults and keeps them.
#[derive(Debug, Default)]
pub(crate) struct FaultLog {
    last_id: u64,
    kept: Vec<Fault>,
}

impl FaultLog {
    /// Keeps `fault`, unless there are [`FAULTS_MAX`] already, and returns its number.
    pub(crate) fn add(&mut self, name: String, fault: GuestFault) -> u64 {
        self.last_id += 1;
        if self.kept.len() < FAULTS_MAX {
            self.kept.push(Fault { id: self.last_id, name, fault });
        }
        self.last_id
    }

    /// Goes on from fault number `last_id`.
    pub(crate) fn resume(&mut self, last_id: u64) {
        self.last_id = last_id;
    }

    /// How many there have been since the start.
    pub(crate) fn count(&self) -> u64 {
        self.last_id
    }

    /// Hands out what is kept.
    pub(crate) fn take(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.kept)
    }
}
