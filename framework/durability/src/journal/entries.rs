//! From records to entries of the log: their numbers, parts of large ones, and what the log does not take now.

use std::collections::VecDeque;

use crate::log::{LogError, LogStatus};
use crate::record::{PART_BYTES_MAX, split};

use super::port::RecordLog;

/// The most bytes of entries that wait for a log that does not take them. Beyond, nothing is logged or confirmed any
/// more, so that what the disk has stays a prefix of what happened.
const BACKLOG_BYTES_MAX: usize = 256 << 20;

/// Entries of the log.
pub(super) struct Entries {
    log: Box<dyn RecordLog>,
    /// The number of the last entry.
    last: u64,
    backlog: VecDeque<Entry>,
    backlog_bytes: usize,
    /// Why nothing is taken any more.
    broken: Option<String>,
    part: Vec<u8>,
}

struct Entry {
    seq: u64,
    body: Vec<u8>,
    sync: bool,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries")
            .field("last", &self.last)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Entries {
    /// `last` is the number of the last entry that the log has.
    pub(super) fn new(log: Box<dyn RecordLog>, last: u64) -> Self {
        Self { log, last, backlog: VecDeque::new(), backlog_bytes: 0, broken: None, part: Vec::new() }
    }

    pub(super) fn log(&self) -> &dyn RecordLog {
        &*self.log
    }

    /// The number of the last entry.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Appends a record and returns the number of its last entry.
    pub(super) fn append(&mut self, record: &[u8], sync: bool) -> u64 {
        self.retry();
        if self.backlog.is_empty() && self.broken.is_none() && record.len() <= PART_BYTES_MAX {
            // The usual case, without a copy.
            self.last += 1;
            if let Err(error) = self.log.append(self.last, record, sync) {
                self.refused(error, self.last, record, sync);
            }
            return self.last;
        }
        let mut part = std::mem::take(&mut self.part);
        let done: Result<(), std::convert::Infallible> = split(record, &mut part, |entry, is_last| {
            self.last += 1;
            self.push(self.last, entry, sync && is_last);
            Ok(())
        });
        match done {
            Ok(()) => {}
        }
        self.part = part;
        self.last
    }

    /// Offers the log what it did not take before.
    pub(super) fn retry(&mut self) {
        while self.broken.is_none()
            && !self.log.is_failing()
            && let Some(Entry { seq, body, sync }) = self.backlog.front()
        {
            match self.log.append(*seq, body, *sync) {
                Ok(()) => {
                    self.backlog_bytes -= body.len();
                    self.backlog.pop_front();
                }
                Err(LogError::Full { .. }) => return,
                Err(error) => self.give_up(error.to_string()),
            }
        }
    }

    fn push(&mut self, seq: u64, body: &[u8], sync: bool) {
        if self.broken.is_some() {
            return;
        }
        if self.backlog.is_empty() {
            match self.log.append(seq, body, sync) {
                Ok(()) => {}
                Err(error) => self.refused(error, seq, body, sync),
            }
        } else {
            self.keep(seq, body, sync);
        }
    }

    #[cold]
    fn refused(&mut self, error: LogError, seq: u64, body: &[u8], sync: bool) {
        match error {
            LogError::Full { .. } => self.keep(seq, body, sync),
            error => self.give_up(error.to_string()),
        }
    }

    fn keep(&mut self, seq: u64, body: &[u8], sync: bool) {
        if self.backlog_bytes + body.len() > BACKLOG_BYTES_MAX {
            self.give_up(format!(
                "more than {BACKLOG_BYTES_MAX} bytes waited for a disk that does not write. Restart the server: \
                 nothing after record {} is on the disk or was confirmed",
                self.log.synced()
            ));
            return;
        }
        self.backlog_bytes += body.len();
        self.backlog.push_back(Entry { seq, body: body.to_vec(), sync });
    }

    fn give_up(&mut self, reason: String) {
        tracing::error!("the journal takes nothing any more: {reason}");
        self.broken.get_or_insert(reason);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.broken.is_some() || !self.backlog.is_empty() || self.log.is_failing()
    }

    pub(super) fn status(&self) -> LogStatus {
        let status = self.log.status();
        match (&self.broken, status) {
            (Some(reason), _) => LogStatus::Failing { error: reason.clone() },
            (None, LogStatus::Running) if !self.backlog.is_empty() => {
                let error = format!("{} bytes wait for the disk", self.backlog_bytes);
                LogStatus::Failing { error }
            }
            (None, status) => status,
        }
    }

    pub(super) fn remove_before(&mut self, seq: u64) {
        self.log.remove_before(seq);
    }

    /// Writes and syncs everything, and ends the log.
    pub(super) fn close(mut self) -> Result<(), LogError> {
        self.retry();
        let waiting = self.backlog.front().map(|entry| entry.seq);
        let (records, reason) = (self.backlog.len() as u64, self.broken.take());
        self.log.close()?;
        match (waiting, reason) {
            (None, None) => Ok(()),
            (first, reason) => Err(LogError::Unsynced {
                records,
                first: first.unwrap_or(self.last),
                reason: reason.unwrap_or_else(|| "the disk did not take them".to_owned()),
            }),
        }
    }
}
