//! What the bots report together.

use std::time::Duration;

use evertick_client::Statistics;
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
    /// How the network was, if that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip)]
    clients: Vec<Statistics>,
    /// What went wrong, each thing once.
    problems: Vec<String>,
}

/// What the clients counted. Times are in milliseconds.
#[derive(Serialize)]
struct Network {
    round_trip: Spread,
    jitter: Spread,
    /// How long the world was ahead of what a client showed: its median and 99th percentile.
    staleness_p50: Spread,
    staleness_p99: Spread,
    /// The share of states that got lost.
    states_loss: Spread,
    /// All clients together.
    bytes_in_control: u64,
    bytes_in_world: u64,
    bytes_in_latest: u64,
    bytes_out: u64,
    resumes: u64,
    new_sessions: u64,
}

/// A number over all clients.
#[derive(Serialize)]
struct Spread {
    median: f64,
    worst: f64,
}

impl Network {
    fn of(clients: &[Statistics]) -> Self {
        let sum = |number: fn(&Statistics) -> u64| clients.iter().map(number).sum();
        let spread = |number: fn(&Statistics) -> f64| {
            let mut numbers: Vec<f64> = clients.iter().map(number).collect();
            numbers.sort_by(f64::total_cmp);
            let median = numbers.get(numbers.len() / 2).copied().unwrap_or_default();
            Spread { median, worst: numbers.last().copied().unwrap_or_default() }
        };
        Self {
            round_trip: spread(|client| ms(client.round_trip)),
            jitter: spread(|client| ms(client.jitter)),
            staleness_p50: spread(|client| ms(client.staleness_p50)),
            staleness_p99: spread(|client| ms(client.staleness_p99)),
            states_loss: spread(|client| client.states_loss.into()),
            bytes_in_control: sum(|client| client.bytes_in_control),
            bytes_in_world: sum(|client| client.bytes_in_world),
            bytes_in_latest: sum(|client| client.bytes_in_latest),
            bytes_out: sum(|client| client.bytes_out),
            resumes: sum(|client| client.resumes),
            new_sessions: sum(|client| client.new_sessions),
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
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
        self.rates += report.statistics.bytes_in as f64 / report.seconds.max(0.001);
        self.clients.push(report.statistics);
        for problem in &report.problems {
            if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(problem) {
                self.problems.push(problem.clone());
            }
        }
    }

    /// With the network's part, if it is wanted.
    pub(crate) fn finish(mut self, network: bool) -> Self {
        self.network = network.then(|| Network::of(&self.clients));
        self.bytes_per_client_per_second = self.rates / self.bots.max(1) as f64;
        self
    }
}
