//! The doors over a store in memory: a deployment of HTTP groups, seeded evidence, requests by `oneshot`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use jiff::SignedDuration;
use serde_json::Value;
use understudy::adapters::activation::Activator;
use understudy::adapters::azure::identity::Identity;
use understudy::adapters::probe::Prober;
use understudy::adapters::store::Store;
use understudy::adapters::store::heartbeat::Heartbeat;
use understudy::controller::{Controller, now};
use understudy::functions::gate::{App, Gate};
use understudy::functions::router;
use understudy::model::deployment::{Deployment, FromRecord};
use understudy::model::evidence::{AccountEvidence, GroupEvidence};
use understudy::model::name::{GroupName, Vantage};
use understudy::model::policy::Policy;
use understudy::model::sample::{Outcome, Sample};
use understudy::model::spec::{
    AccountSpec, GroupSpec, HttpSpec, MediaKind, MediaServicesSpec, SiteSpec, Workload,
};
use understudy::model::verdict::Verdict;

use crate::rows::MemoryRows;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// A header as text; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Checks Azure's error shape and gives the code.
    pub fn code(&self) -> String {
        let body = self.json();
        let code = body["error"]["code"].as_str().unwrap().to_owned();
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        assert_eq!(self.header("x-ms-error-code"), code);
        code
    }

    /// The error's target.
    pub fn target(&self) -> String {
        self.json()["error"]["target"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// The doors and what is behind them.
pub struct Doors {
    pub rows: Arc<MemoryRows>,
    pub controller: Arc<Controller>,
    pub router: Router,
    store: Store,
    deployment: Deployment,
}

/// A deployment of these groups, with `broken` known from its record alone.
pub fn deployment(groups: Vec<GroupSpec>) -> Deployment {
    Deployment {
        vantage: Vantage::from("francecentral"),
        control_target: None,
        schedule_interval: SignedDuration::from_secs(30),
        groups: groups
            .into_iter()
            .map(|spec| (spec.name.clone(), Arc::new(spec)))
            .collect(),
        from_record: FromRecord::These(vec![GroupName::from("broken")]),
        problems: Vec::new(),
    }
}

/// A group of two sites with one HTTP account each.
pub fn group(name: &str) -> GroupSpec {
    GroupSpec {
        name: GroupName::from(name),
        tenant: Some(format!("tenant-{name}")),
        policy: Policy::default(),
        sites: vec![site("westeurope"), site("northeurope")],
    }
}

/// The same with something to start on each site, so that a move has steps.
pub fn group_with_steps(name: &str) -> GroupSpec {
    let mut spec = group(name);
    for site in &mut spec.sites {
        site.accounts
            .push(AccountSpec::MediaServices(MediaServicesSpec {
                kind: MediaKind::Azure,
                account_name: format!("ms-{}", site.name),
                resource_id: format!("/subscriptions/s/{}", site.name),
                arm_base: "http://127.0.0.1:9".to_owned(),
                token: None,
                streaming_endpoints: vec!["default".to_owned()],
                live_events: Vec::new(),
                workloads: vec![Workload::OnDemand],
                streaming_probe: String::new(),
                canary: None,
                key_delivery: None,
                stuck_after: SignedDuration::from_mins(60),
                stuck_fails: false,
            }));
    }
    spec
}

fn site(name: &str) -> SiteSpec {
    SiteSpec {
        name: name.into(),
        region: name.to_owned(),
        accounts: vec![AccountSpec::Http(HttpSpec {
            name: "captions".to_owned(),
            // Nothing listens on the discard port: a probe of it fails at once.
            url: "http://127.0.0.1:9/health".to_owned(),
            endpoint: format!("https://captions.{name}.example"),
            expect_status: vec![200],
            expect_body: None,
        })],
    }
}

impl Doors {
    /// Doors over these groups.
    pub fn of(groups: Vec<GroupSpec>) -> Self {
        Self::over(Arc::default(), deployment(groups), false)
    }

    /// Another process over the same rows.
    pub fn over(rows: Arc<MemoryRows>, deployment: Deployment, trust_principal: bool) -> Self {
        let store = Store::new(rows.clone());
        let client = understudy::adapters::http::client().unwrap();
        let identity = Identity::from_settings(&client, &|_| None);
        let prober = Prober::new(client.clone(), identity.clone());
        let activator = Activator::new(client, identity);
        let controller = Controller::new(deployment.clone(), store.clone(), prober, activator);
        let app = App::new(Arc::clone(&controller), trust_principal);
        Self {
            rows,
            router: router::router(Gate::open(Arc::new(app))),
            controller,
            store,
            deployment,
        }
    }

    /// The same rows seen by a fresh process.
    pub fn again(&self) -> Self {
        Self::over(Arc::clone(&self.rows), self.deployment.clone(), false)
    }

    /// Writes a heartbeat in which every probed account of these sites is well, and of the others unhealthy,
    /// and makes the rows.
    pub async fn seed(&self, unwell: &[&str]) {
        for spec in self.deployment.groups.values() {
            let answer = spec.sites[0].answer();
            let state = understudy::model::state::GroupState::new(answer, now());
            self.store
                .commit(&spec.name, None, &state, &[])
                .await
                .unwrap();
        }
        let evidence: BTreeMap<GroupName, Arc<GroupEvidence>> = self
            .deployment
            .groups
            .values()
            .map(|spec| (spec.name.clone(), Arc::new(seen(spec, unwell))))
            .collect();
        let beat = Heartbeat {
            vantage: self.deployment.vantage.clone(),
            began_at: now(),
            ended_at: now(),
            not_covered: Vec::new(),
            not_covered_count: 0,
            evidence,
        };
        self.store.beat(None, beat).await.unwrap();
    }

    /// One request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = router::answer(self.router.clone(), request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[], Body::empty()))
            .await
    }

    /// A POST.
    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request(Method::POST, path, &[], body.into()))
            .await
    }
}

/// A request with these headers.
pub fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap()
}

fn seen(spec: &GroupSpec, unwell: &[&str]) -> GroupEvidence {
    let at = now();
    let accounts = spec
        .sites
        .iter()
        .flat_map(|site| {
            let failed = unwell.contains(&site.name.as_str());
            site.probed().map(move |key| (key, account(at, failed)))
        })
        .collect();
    GroupEvidence {
        newest_at: at,
        asked_twice: false,
        counted_at: Some(at),
        unbroken_since: at - SignedDuration::from_mins(10),
        accounts,
    }
}

fn account(at: jiff::Timestamp, failed: bool) -> AccountEvidence {
    let outcome = if failed { Outcome::Failed } else { Outcome::Ok };
    AccountEvidence {
        newest: Sample {
            at,
            outcome,
            latency_ms: 12,
            detail: failed.then(|| "connection refused".to_owned()),
            host: "captions.example:443".to_owned(),
        },
        window: vec![outcome; 3],
        failures: if failed { 3 } else { 0 },
        recoveries: if failed { 0 } else { 3 },
        standing: Verdict::Healthy,
        first_failed_at: failed.then_some(at),
        unhealthy: failed.then_some(understudy::model::evidence::Unhealthy {
            since: at,
            first_failed_at: at,
        }),
        well_since: (!failed).then(|| at - SignedDuration::from_mins(10)),
        hosts: std::collections::BTreeMap::new(),
        states: std::collections::BTreeMap::new(),
    }
}

/// Waits until the clock shows another millisecond: times are kept in whole ones, and a store in memory is
/// faster than that.
pub async fn next_millisecond() {
    let before = now();
    while now() == before {
        tokio::task::yield_now().await;
    }
}
