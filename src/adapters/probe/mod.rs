//! Probes: one attempt to reach one account; failure is a value.
//!
//! | looking for | file |
//! | --- | --- |
//! | which answer of a Video Indexer account is which outcome | `video_indexer` |
//! | which answers of a Media Services account are which outcome | `media_services` |
//! | what its API answers, what its hosts answer, what is remembered | `media_services_api`, `media_services_hosts`, `media_services_known` |
//! | what all that amounts to | `media_services_judge` |
//! | which answer of an HTTP endpoint is which outcome | `http` |
//! | whether an account still finishes what it gets | `stuck` |
//! | what ARM says of an account | `witness` |
//! | one request, its deadline, and how much is read | `exchange` |

pub mod exchange;
pub mod http;
pub mod media_services;
mod media_services_api;
mod media_services_hosts;
mod media_services_judge;
pub mod media_services_known;
pub mod stuck;
pub mod video_indexer;
pub mod witness;

use std::sync::Arc;

use self::exchange::{Limits, StatusOnly};
use self::media_services_known::Desk;
use self::witness::Witness;
use crate::adapters::azure::account_token::AccountTokens;
use crate::adapters::azure::arm::Arm;
use crate::adapters::azure::identity::Identity;
use crate::adapters::azure::keeper::Clock;
use crate::adapters::azure::pace::{MINTS, Pace};
use crate::model::evidence::AccountEvidence;
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading, TokenFact};
use crate::model::spec::AccountSpec;

/// Reaches accounts. Clones share tokens and what ARM said.
#[derive(Debug, Clone)]
pub struct Prober {
    tools: Arc<Tools>,
}

/// What probes work with.
#[derive(Debug)]
pub struct Tools {
    /// The client.
    pub http: reqwest::Client,
    /// The accounts' own tokens.
    pub tokens: AccountTokens,
    /// What ARM says of accounts.
    pub witness: Witness,
    /// What the probes of Media Services accounts share.
    pub media: Desk,
    /// The time.
    pub clock: Clock,
}

/// What an answer amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// One line for people.
    pub detail: Option<String>,
}

impl Finding {
    /// An outcome with its reason.
    #[must_use]
    pub const fn new(outcome: Outcome, detail: String) -> Self {
        Self {
            outcome,
            detail: Some(detail),
        }
    }

    /// The same with one more thing said.
    #[must_use]
    pub fn with(self, more: Option<String>) -> Self {
        let detail = match (self.detail, more) {
            (Some(detail), Some(more)) => Some(format!("{detail}; {more}")),
            (detail, more) => detail.or(more),
        };
        Self { detail, ..self }
    }
}

impl Prober {
    /// A prober over this client and identity.
    #[must_use]
    pub fn new(http: reqwest::Client, identity: Identity) -> Self {
        Self::with(http, identity, Clock::default(), MINTS)
    }

    /// The same with a clock of one's own, and another pace of minting.
    #[must_use]
    pub fn with(http: reqwest::Client, identity: Identity, clock: Clock, mints: Pace) -> Self {
        let media = Desk::new(identity.clone());
        let arm = Arm::new(http.clone(), identity);
        Self {
            tools: Arc::new(Tools {
                http,
                tokens: AccountTokens::with_pace(arm.clone(), clock.clone(), mints),
                witness: Witness::new(arm, clock.clone()),
                media,
                clock,
            }),
        }
    }

    /// One attempt to reach one account of a site in this region. Takes at most the policy's `probe_timeout`.
    pub async fn probe(&self, region: &str, account: &AccountSpec, policy: &Policy) -> Reading {
        // Boxed, so that the room for the largest of them is not taken by each of hundreds under way.
        match account {
            AccountSpec::VideoIndexer(spec) => {
                Box::pin(video_indexer::probe(&self.tools, region, spec, policy)).await
            }
            AccountSpec::Http(spec) => http::probe(&self.tools.http, spec, policy).await,
            AccountSpec::MediaServices(spec) => {
                Box::pin(media_services::probe(&self.tools, spec, policy)).await
            }
        }
    }

    /// The most requests that one probe of this account has under way at once.
    #[must_use]
    pub fn requests_at_once(account: &AccountSpec) -> usize {
        match account {
            AccountSpec::Http(_) => 1,
            // It is asked itself and through ARM.
            AccountSpec::VideoIndexer(_) => 2,
            AccountSpec::MediaServices(spec) => media_services::requests_at_once(spec),
        }
    }

    /// Takes over the hosts and states of an account's streaming endpoints from what a vantage has seen before, so that
    /// what a probe says does not depend on which process asks.
    pub fn recall(&self, account: &AccountSpec, seen: &AccountEvidence) {
        if let AccountSpec::MediaServices(spec) = account {
            self.tools.media.known(spec).recall(seen);
        }
    }

    /// Asks anew for the token that this account's probe needs, also if one is held. Takes at most ten seconds.
    pub async fn renew(&self, account: &AccountSpec) -> TokenFact {
        match account {
            AccountSpec::VideoIndexer(spec) => self.tools.tokens.renew(spec).await,
            AccountSpec::Http(_) | AccountSpec::MediaServices(_) => TokenFact::NotNeeded,
        }
    }

    /// Whether the neutral control target failed. Any HTTP answer is a sign that our own network works.
    pub async fn control_failed(&self, url: &str, policy: &Policy) -> bool {
        let limits = Limits::start(policy);
        exchange::get(&self.tools.http, url, None, limits, &mut StatusOnly)
            .await
            .is_err_and(|none| none.outcome == Outcome::Failed)
    }
}
