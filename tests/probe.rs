//! Probes, tokens and steps against real HTTP: which answer is which outcome, and how tokens are got and kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "probe/activation.rs"]
mod activation;
#[path = "probe/endpoints.rs"]
mod endpoints;
#[path = "probe/identity.rs"]
mod identity;
#[path = "probe/media_account.rs"]
mod media_account;
#[path = "probe/media_services.rs"]
mod media_services;
#[path = "probe/media_stage.rs"]
mod media_stage;
#[path = "probe/tokens.rs"]
mod tokens;
#[path = "probe/video_indexer.rs"]
mod video_indexer;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::azure::pace::MINTS;
use understudy::adapters::probe::Prober;
use understudy::model::policy::Policy;

use support::azure::Fake;

/// A policy whose limits no loaded machine reaches by accident.
fn patient() -> Policy {
    Policy {
        probe_timeout: SignedDuration::from_secs(30),
        latency_limit: SignedDuration::from_secs(20),
        ..Policy::default()
    }
}

/// A policy under which what never answers is given up soon.
fn hasty() -> Policy {
    Policy {
        probe_timeout: SignedDuration::from_secs(1),
        ..patient()
    }
}

fn identity_with(fake: &Fake, more: &[(&str, &str)]) -> Identity {
    let mut settings = BTreeMap::from([
        (
            "IDENTITY_ENDPOINT".to_owned(),
            format!("{}/msi/token", fake.base),
        ),
        ("IDENTITY_HEADER".to_owned(), "header-secret".to_owned()),
    ]);
    for (name, value) in more {
        settings.insert((*name).to_owned(), (*value).to_owned());
    }
    let setting = |name: &str| {
        settings
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    };
    Identity::with_clock(&fake.http.clone(), &setting, fake.clock())
}

fn prober(fake: &Fake) -> Prober {
    Prober::with(
        fake.http.clone(),
        identity_with(fake, &[]),
        fake.clock(),
        MINTS,
    )
}
