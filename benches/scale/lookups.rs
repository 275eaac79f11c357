//! Clients that ask which account now, at a steady pace, and how long they wait.

use std::time::{Duration, Instant};

/// A lookup is sent this often, whether or not the last was answered.
const PACE: Duration = Duration::from_millis(5);

/// How long answers took.
#[derive(Debug, Default)]
pub struct Spread {
    seconds: Vec<f64>,
}

impl Spread {
    /// The time within which 99 of 100 answers came, in seconds.
    pub fn p99(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let index = (seconds.len() * 99 / 100).min(seconds.len().saturating_sub(1));
        seconds.get(index).copied().unwrap_or_default()
    }
}

/// Who asks.
#[derive(Debug)]
pub struct Asking {
    base: String,
    groups: usize,
    client: reqwest::Client,
}

impl Asking {
    /// Asks this handler about these many groups.
    pub fn new(base: String, groups: usize) -> Self {
        Self {
            base,
            groups,
            client: reqwest::Client::new(),
        }
    }

    /// Asks for this long.
    pub async fn over(&self, time: Duration) -> Spread {
        self.during(tokio::time::sleep(time)).await.0
    }

    /// Asks while something else is going on.
    pub async fn during<T>(&self, other: impl Future<Output = T>) -> (Spread, T) {
        let mut asked = tokio::task::JoinSet::new();
        let mut pace = tokio::time::interval(PACE);
        let mut count = 0_usize;
        tokio::pin!(other);
        let done = loop {
            tokio::select! {
                done = &mut other => break done,
                _ = pace.tick() => {
                    // Steps that have no common divisor with the count visit all in no order.
                    let group = count * 7919 % self.groups;
                    count += 1;
                    let url = format!("{}/api/groups/tenant-{group:04}/active", self.base);
                    let client = self.client.clone();
                    asked.spawn(async move {
                        let began = Instant::now();
                        let answer = client.get(url).send().await.expect("an answer");
                        assert_eq!(answer.status(), 200);
                        answer.bytes().await.expect("a body");
                        began.elapsed().as_secs_f64()
                    });
                }
            }
        };
        let seconds = asked.join_all().await;
        (Spread { seconds }, done)
    }
}
