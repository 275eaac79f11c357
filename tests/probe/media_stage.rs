//! A prober over a simulator that has Media Services accounts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::azure::keeper::Clock;
use understudy::adapters::azure::pace::MINTS;
use understudy::adapters::probe::Prober;
use understudy::decision::evidence::fold;
use understudy::model::evidence::AccountEvidence;
use understudy::model::name::{AccountKey, GroupName, Service as ServiceKind};
use understudy::model::policy::Policy;
use understudy::model::sample::{Reading, Round};
use understudy::model::spec::{AccountSpec, MediaServicesSpec};
use understudy::sim::config::{self, Options};
use understudy::sim::{Fault, Scope, Service, Simulator, World};

use crate::patient;

pub const WEST: &str = "westeurope";
pub const DEFAULT: &str = "streamingEndpoints/default";

/// A simulator, and a prober over it.
pub struct Stage {
    pub sim: Simulator,
    pub prober: Prober,
    http: reqwest::Client,
    pub ahead: Arc<AtomicI64>,
}

impl Stage {
    pub async fn start(world: World) -> Self {
        let sim = Simulator::start(world, 0).await.unwrap();
        let http = understudy::adapters::http::client().unwrap();
        let ahead = Arc::new(AtomicI64::new(0));
        let mut stage = Self {
            prober: Prober::new(http.clone(), Identity::from_settings(&http, &|_| None)),
            sim,
            http,
            ahead,
        };
        stage.restart();
        stage
    }

    /// A process that knows nothing yet.
    pub fn restart(&mut self) {
        let settings: BTreeMap<String, String> = self.sim.environment().into_iter().collect();
        let identity = Identity::from_settings(&self.http, &|name| settings.get(name).cloned());
        let ahead = Arc::clone(&self.ahead);
        let clock = Clock::new(move || {
            Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst))
        });
        self.prober = Prober::with(self.http.clone(), identity, clock, MINTS);
    }

    /// The account of this site as configured by the simulator's own settings, used for these.
    pub fn spec(&self, site: usize, workloads: &[&str]) -> MediaServicesSpec {
        let mut world = self.sim.world().clone();
        for account in &mut world.media {
            account.workloads = workloads.iter().map(|each| (*each).to_owned()).collect();
        }
        let text = config::toml(&world, self.sim.base_url(), &Options::embedded("state"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("understudy.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = understudy::config::load(&path, &self.sim.environment().into_iter().collect());
        assert_eq!(loaded.problems, []);
        let group = &loaded.settings.deployment.groups[&GroupName::from("contoso")];
        let mut accounts = group.sites[site].accounts.iter();
        accounts
            .find_map(|account| match account {
                AccountSpec::MediaServices(spec) => Some(spec.clone()),
                _ => None,
            })
            .unwrap()
    }

    pub async fn ask(&self, spec: &MediaServicesSpec) -> Reading {
        self.ask_with(spec, &patient()).await
    }

    pub async fn ask_with(&self, spec: &MediaServicesSpec, policy: &Policy) -> Reading {
        let account = AccountSpec::MediaServices(spec.clone());
        self.prober.probe(WEST, &account, policy).await
    }

    pub fn break_west(&self, service: Service, fault: Fault) {
        self.sim.set(service, Scope::region(WEST), fault);
    }
}

pub async fn azure() -> Stage {
    Stage::start(World::two_regions_streaming()).await
}

/// A round in which these accounts of these sites brought this.
pub fn round(readings: &[(&str, &Reading)]) -> Round {
    let reading = |(site, reading): &(&str, &Reading)| (key(site), (*reading).clone());
    Round {
        started_at: Timestamp::now(),
        asked_twice: false,
        control_failed: None,
        must_run: None,
        readings: readings.iter().map(reading).collect(),
    }
}

/// The account of a site.
pub fn key(site: &str) -> AccountKey {
    AccountKey {
        site: site.into(),
        service: ServiceKind::MediaServices,
        name: "ms".to_owned(),
    }
}

/// What a vantage keeps of this.
pub fn kept(reading: &Reading) -> AccountEvidence {
    let evidence = fold(None, &round(&[("west", reading)]), &patient());
    evidence.accounts.get(&key("west")).unwrap().clone()
}

pub fn said(reading: &Reading) -> &str {
    reading.detail.as_deref().unwrap_or_default()
}
