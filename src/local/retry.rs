//! Retry policies of `function.json` and `host.json`: what the host takes, and when it tries again.

use std::time::Duration;

use serde_json::Value;

use super::host_json::time_span;
use super::json::{get, text};

/// When a failed run is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often after the first time; none is without end.
    pub times: Option<u32>,
    /// How long between two.
    pub pause: Pause,
}

/// How long between two attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// Always as long.
    Fixed(Duration),
    /// Twice as long each time, from the first to the last. The host adds a random part, which is left out here.
    Growing {
        /// After the first attempt.
        from: Duration,
        /// Never more than this.
        to: Duration,
    },
}

impl Retry {
    /// Reads a `retry` section.
    ///
    /// # Errors
    /// What the host refuses, in a line for people.
    pub fn read(section: &Value) -> Result<Self, String> {
        let count: i64 = text(section, &["maxRetryCount"])
            .ok_or("retry has no maxRetryCount: give a number, or -1 for no end")?
            .parse()
            .map_err(|_| "retry.maxRetryCount is no whole number".to_owned())?;
        let times = match count {
            -1 => None,
            _ => Some(u32::try_from(count).map_err(|_| {
                format!("retry.maxRetryCount is {count}: a number from 0, or -1 for no end")
            })?),
        };
        let interval = |name: &str| {
            let what = text(section, &[name])
                .ok_or_else(|| format!("retry has no {name}, which its strategy needs"))?;
            time_span(&what)
                .ok_or_else(|| format!("retry.{name} is \"{what}\", no time such as \"00:00:10\""))
        };
        let strategy = match get(section, &["strategy"]) {
            None => "fixeddelay".to_owned(),
            Some(named) => named.as_str().unwrap_or_default().to_ascii_lowercase(),
        };
        let pause = match strategy.as_str() {
            "fixeddelay" => Pause::Fixed(interval("delayInterval")?),
            "exponentialbackoff" => {
                let (from, to) = (interval("minimumInterval")?, interval("maximumInterval")?);
                if from > to {
                    return Err("retry.minimumInterval is longer than maximumInterval".to_owned());
                }
                Pause::Growing { from, to }
            }
            other => {
                return Err(format!(
                    "retry.strategy is \"{other}\": fixedDelay or exponentialBackoff"
                ));
            }
        };
        Ok(Self { times, pause })
    }

    /// How long to wait when attempt number `attempt` (from 0) has failed; none when that was the last.
    #[must_use]
    pub fn after(&self, attempt: u32) -> Option<Duration> {
        if self.times.is_some_and(|times| attempt >= times) {
            return None;
        }
        Some(match &self.pause {
            Pause::Fixed(pause) => *pause,
            Pause::Growing { from, to } => {
                from.saturating_mul(2_u32.saturating_pow(attempt)).min(*to)
            }
        })
    }
}
