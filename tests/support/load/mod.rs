//! Load: alerts and lookups at steady rates on real processes while a region fails, and what must hold afterwards.
//! The test and the benchmark share it; the one is small, the other measures.
//!
//! Requests are sent when they are due, whether or not earlier ones were answered: as many callers do who know
//! nothing of each other. What a busy machine can not keep up with is told as a rate, and fails nothing.
#![allow(dead_code, reason = "the test and the benchmark use a part each")]

pub mod alerts;
pub mod check;
pub mod lookups;
pub mod pace;
pub mod pool;
pub mod scene;

use crate::support::figures::quantile;

/// What requests of one kind brought.
#[derive(Debug, Default)]
pub struct Answers {
    /// How long each took, in seconds.
    pub waits: Vec<f64>,
    /// Requests per second, as they were sent.
    pub offered_at: f64,
    /// Between the first request and the last answer, in seconds.
    pub taken: f64,
    /// What went wrong, in lines for people.
    pub faults: Vec<String>,
}

impl Answers {
    /// Answers per second.
    pub fn served(&self) -> f64 {
        self.waits.len() as f64 / self.taken
    }

    /// The time within which this share of the answers came, in seconds; NaN where there is none.
    pub fn within(&self, share: f64) -> f64 {
        let mut waits = self.waits.clone();
        waits.sort_by(f64::total_cmp);
        quantile(&waits, share)
    }

    /// How many took longer than this many seconds.
    pub fn slower_than(&self, seconds: f64) -> usize {
        self.waits.iter().filter(|wait| **wait > seconds).count()
    }

    /// In one line.
    pub fn told(&self, what: &str) -> String {
        format!(
            "{what}: {} offered at {:.0}/s, served at {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.waits.len(),
            self.offered_at,
            self.served(),
            self.within(0.5) * 1e3,
            self.within(0.99) * 1e3,
            self.within(1.0) * 1e3,
        )
    }
}
