//! A steady pace: what is due when.

use std::time::{Duration, Instant};

/// Requests at a steady rate. Those that fell due while the sender did not run are due at once.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    due: Instant,
    gap: Duration,
    sent: usize,
}

impl Pace {
    /// So many per second from now on.
    pub fn per_second(rate: u32) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            due: now,
            gap: Duration::from_secs(1) / rate,
            sent: 0,
        }
    }

    /// Waits until the next is due; its number.
    pub async fn next(&mut self) -> usize {
        // The timer's steps are a millisecond; what is due within one is sent together.
        if self.due > Instant::now() {
            tokio::time::sleep_until(self.due.into()).await;
        }
        self.due += self.gap;
        self.sent += 1;
        self.sent - 1
    }

    /// Goes on with so many per second.
    pub fn change(&mut self, rate: u32) {
        self.gap = Duration::from_secs(1) / rate;
    }

    /// Seconds since it began.
    pub fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
