//! What the bots report together.

use serde::Serialize;

use crate::bot::Report;

/// The sums over all bots.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    bots: u64,
    saw_others_move: u64,
    gathered: u64,
    heard_chat: u64,
    calls_ok: u64,
    calls_refused: u64,
    calls_failed: u64,
    disconnects: u64,
    bytes_per_client_per_second: f64,
    #[serde(skip)]
    rates: f64,
    /// What went wrong, each thing once.
    problems: Vec<String>,
}

/// Different problems that are listed.
const PROBLEMS_MAX: usize = 20;

impl Summary {
    pub(crate) fn add(&mut self, report: &Report) {
        self.bots += 1;
        self.saw_others_move += u64::from(report.saw_others_move);
        self.gathered += u64::from(report.gathered > 0);
        self.heard_chat += u64::from(report.heard_chat);
        self.calls_ok += report.calls_ok;
        self.calls_refused += report.calls_refused;
        self.calls_failed += report.calls_failed;
        self.disconnects += u64::from(report.disconnected);
        self.rates += report.bytes_received as f64 / report.seconds.max(0.001);
        for problem in &report.problems {
            if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(problem) {
                self.problems.push(problem.clone());
            }
        }
    }

    pub(crate) fn finish(mut self) -> Self {
        self.bytes_per_client_per_second = self.rates / self.bots.max(1) as f64;
        self
    }
}
