//! Results.

use std::fmt;

use serde::Serialize;

/// One result.
#[derive(Debug, Serialize)]
pub(crate) struct Measure {
    pub(crate) name: String,
    /// The median of the runs.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// `higher` or `lower`.
    pub(crate) better: &'static str,
    /// The lowest and the highest run.
    pub(crate) spread: [f64; 2],
    /// The native or physical reference of the same run, in the same unit.
    pub(crate) limit: Option<f64>,
}

impl Measure {
    /// The median and spread of `runs`, which are not empty.
    pub(crate) fn lower(name: &str, unit: &'static str, runs: &[f64], limit: Option<f64>) -> Self {
        Self::of(name, unit, "lower", runs, limit)
    }

    /// The same, of something of which more is better.
    pub(crate) fn higher(name: &str, unit: &'static str, runs: &[f64], limit: Option<f64>) -> Self {
        Self::of(name, unit, "higher", runs, limit)
    }

    fn of(name: &str, unit: &'static str, better: &'static str, runs: &[f64], limit: Option<f64>) -> Self {
        let spread =
            runs.iter().fold([f64::MAX, f64::MIN], |[low, high], run| [low.min(*run), high.max(*run)]);
        Self { name: name.into(), value: median(runs), unit, better, spread, limit }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, better, spread: [low, high], .. } = self;
        write!(f, "{name:<24} {value:>14.3} {unit:<8} ({low:.3} to {high:.3}, {better} is better")?;
        match self.limit {
            Some(limit) => write!(f, "; limit {limit:.3})"),
            None => write!(f, ")"),
        }
    }
}

/// The middle of `runs`.
pub(crate) fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
