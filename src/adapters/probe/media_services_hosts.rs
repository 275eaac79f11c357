//! What viewers of a Media Services account need: its streaming hosts, the content on them, and keys. All asked without
//! a token, as viewers do.

use tokio::sync::Semaphore;

use super::Finding;
use super::exchange::{Answer, Limits, StatusOnly, get};
use super::http::{in_time, throttled};
use crate::adapters::http::place;
use crate::model::media::MediaServicesSpec;
use crate::model::sample::Outcome;

/// Requests to hosts that are under way at once for one account.
pub const HOSTS_AT_ONCE: usize = 2;

/// What one host said.
#[derive(Debug)]
pub enum Data {
    /// It was not asked: the settings say so, or it is known not to run.
    NotAsked,
    /// It could not be asked: its name is not known.
    Nameless,
    /// It answered.
    Answers {
        /// What the answer amounts to.
        finding: Finding,
        /// The host and port that were asked.
        host: String,
    },
    /// It did not answer.
    Silent {
        /// Failed, with what broke; unknown where its URL is none.
        finding: Finding,
        /// The host and port that were asked.
        host: String,
    },
}

impl Data {
    /// Whether it answered as it should, if slowly.
    pub const fn is_well(&self) -> bool {
        match self {
            Self::Answers { finding, .. } => {
                matches!(finding.outcome, Outcome::Ok | Outcome::Degraded)
            }
            Self::NotAsked | Self::Nameless | Self::Silent { .. } => false,
        }
    }

    /// What it amounts to by itself, and the host that was asked.
    pub fn into_check(self) -> Option<(Finding, String)> {
        match self {
            Self::NotAsked | Self::Nameless => None,
            Self::Answers { finding, host } | Self::Silent { finding, host } => {
                Some((finding, host))
            }
        }
    }
}

/// The hosts of one account, for one probe.
pub struct Hosts<'a> {
    http: &'a reqwest::Client,
    spec: &'a MediaServicesSpec,
    limits: Limits,
    places: Semaphore,
}

impl<'a> Hosts<'a> {
    /// The hosts of this account, until the probe's time is over.
    pub fn new(http: &'a reqwest::Client, spec: &'a MediaServicesSpec, limits: Limits) -> Self {
        Self {
            http,
            spec,
            limits,
            places: Semaphore::new(HOSTS_AT_ONCE),
        }
    }

    /// Whether a streaming host answers, whatever it says; and if it does, whether the content is there: `None` where
    /// none is named.
    pub async fn ask(&self, host: &str) -> (Data, Option<Data>) {
        let alive = match self.spec.probe_url(host) {
            Some(url) => {
                let what = format!("its streaming host {}", place(&url));
                self.get(&url, &what, in_time).await
            }
            None => Data::NotAsked,
        };
        let canary = match alive {
            Data::Silent { .. } => None,
            Data::NotAsked | Data::Nameless | Data::Answers { .. } => self.canary(host).await,
        };
        (alive, canary)
    }

    async fn canary(&self, host: &str) -> Option<Data> {
        let url = self.spec.canary_url(host)?;
        let what = format!("the canary on {}", place(&url));
        let judge = |answer: &Answer, limits| content(answer, &what, limits);
        Some(self.get(&url, &what, judge).await)
    }

    /// Whether keys are delivered; `None` where it is not told where.
    pub async fn keys(&self) -> Option<Data> {
        let url = self.spec.key_delivery.as_deref()?;
        if !self.spec.streams() {
            return None;
        }
        let what = format!("key delivery at {}", place(url));
        Some(self.get(url, &what, in_time).await)
    }

    async fn get(&self, url: &str, what: &str, judge: impl Fn(&Answer, Limits) -> Finding) -> Data {
        // The semaphore is never closed; without a permit we would only be less polite.
        let _place = self.places.acquire().await;
        let host = place(url);
        match get(self.http, url, None, self.limits, &mut StatusOnly).await {
            Ok(answer) => {
                let Finding { outcome, detail } = judge(&answer, self.limits);
                let detail = detail.map(|line| match line.starts_with(what) {
                    true => line,
                    false => format!("{what}: {line}"),
                });
                Data::Answers {
                    finding: Finding { outcome, detail },
                    host,
                }
            }
            Err(none) => Data::Silent {
                finding: Finding::new(none.outcome, format!("{what}: {}", none.detail)),
                host,
            },
        }
    }
}

/// Content that must be there. Where it is missing, people have to bring it: no move does.
fn content(answer: &Answer, what: &str, limits: Limits) -> Finding {
    let status = answer.status;
    let outcome = match status {
        200..=299 => {
            return match &answer.broken {
                Some(broken) => Finding::new(Outcome::Failed, broken.clone()),
                None => in_time(answer, limits),
            };
        }
        404 | 410 => Outcome::Missing,
        401 | 403 => Outcome::Denied,
        429 => return throttled(answer),
        _ => Outcome::Failed,
    };
    let why = match outcome {
        Outcome::Missing => ": the content is not there",
        _ => "",
    };
    Finding::new(outcome, format!("{what} answered {status}{why}"))
}
