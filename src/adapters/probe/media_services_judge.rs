//! What everything that a probe saw of a Media Services account amounts to. The table is in `media_services`.

use std::collections::BTreeMap;

use super::Finding;
use super::media_services_api::Heard;
use super::media_services_hosts::Data;
use crate::adapters::http::place;
use crate::model::media::MediaServicesSpec;
use crate::model::sample::{ApiFact, Outcome, Streaming};

/// What was seen of one streaming endpoint.
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// What the API says of it.
    pub heard: Heard,
    /// Its state, where it was read now.
    pub read: Option<String>,
    /// Its state, where it was read and is not running.
    pub stopped: Option<String>,
    /// That is known from shortly before, and nothing says that it still is so.
    pub earlier: bool,
    /// The state in which it did not run when it was last read; `None` if it ran, or was never read.
    pub was_stopped: Option<String>,
    /// The name of its host, as far as known.
    pub host: Option<String>,
    /// What its host says.
    pub data: Data,
    /// The content that must be there; `None` where it was not asked for.
    pub canary: Option<Data>,
}

impl Endpoint {
    /// The state in which it did not run when it was last read, where nothing has been seen of it since.
    fn rests(&self) -> Option<&str> {
        let is_unseen =
            self.heard.body.is_none() && matches!(self.data, Data::Silent { .. } | Data::NotAsked);
        self.was_stopped.as_deref().filter(|_| is_unseen)
    }
}

/// What was seen of one live event.
pub struct Event {
    /// Its name.
    pub name: String,
    /// What the API says of it.
    pub heard: Heard,
    /// Its state, where it was read and is not running.
    pub stopped: Option<String>,
}

/// One thing that counts for the outcome.
pub struct Check {
    /// What it amounts to.
    pub finding: Finding,
    /// The host and port that were asked.
    pub host: String,
}

/// Everything that one probe saw.
pub struct Seen {
    /// The account's API, as far as encoding needs it; `None` where nothing is encoded.
    pub encoding: Option<Heard>,
    /// Its streaming endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Its live events.
    pub events: Vec<Event>,
    /// Key delivery.
    pub keys: Option<Data>,
}

impl Seen {
    /// What was read from the API.
    fn reads(&self) -> impl Iterator<Item = &Heard> {
        let reads = self.encoding.iter();
        let reads = reads.chain(self.endpoints.iter().map(|each| &each.heard));
        reads.chain(self.events.iter().map(|each| &each.heard))
    }

    fn api(&self, base: &str) -> ApiFact {
        let base = base.to_owned();
        let answers = |heard: &Heard| !heard.silent && heard.finding.outcome != Outcome::Unknown;
        if self.reads().any(answers) {
            ApiFact::Answers { base }
        } else if self.reads().any(|heard| heard.silent) {
            ApiFact::Silent { base }
        } else {
            ApiFact::NotAsked
        }
    }

    /// What does not run, the hosts, and what became of asking the API.
    pub fn streaming(&self, spec: &MediaServicesSpec) -> Streaming {
        let (mut stopped, mut before) = (Vec::new(), Vec::new());
        for each in &self.endpoints {
            let name = &each.name;
            match (&each.stopped, each.rests()) {
                (Some(state), _) if each.earlier => before.push(was_stopped(name, state)),
                (Some(state), _) => stopped.push(format!("streaming endpoint {name} is {state}")),
                (None, Some(state)) => stopped.push(was_stopped(name, state)),
                (None, None) => {}
            }
        }
        for each in &self.events {
            let name = &each.name;
            match &each.stopped {
                Some(state) if each.heard.earlier => {
                    before.push(format!(
                        "live event {name} was {state} when it was last read"
                    ));
                }
                Some(state) => stopped.push(format!("live event {name} is {state}")),
                None => {}
            }
        }
        let hosts = self.endpoints.iter();
        let hosts = hosts.filter_map(|each| Some((each.name.clone(), each.host.clone()?)));
        let states = self.endpoints.iter();
        let states = states.filter_map(|each| Some((each.name.clone(), each.read.clone()?)));
        let api = self.api(&spec.arm_base);
        let keys_are_well = !matches!(self.keys, Some(Data::Silent { .. }));
        let rests =
            !self.endpoints.is_empty() && self.endpoints.iter().all(|each| each.rests().is_some());
        Streaming {
            as_it_was: matches!(api, ApiFact::Silent { .. }) && rests && keys_are_well,
            api,
            stopped,
            before,
            hosts: hosts.collect::<BTreeMap<_, _>>(),
            states: states.collect(),
        }
    }

    /// The worst of it.
    pub fn judge(self, spec: &MediaServicesSpec) -> Check {
        let serves = |each: &Endpoint| {
            matches!(each.data, Data::Answers { .. })
                || each.canary.as_ref().is_some_and(Data::is_well)
        };
        let is_alive = self.endpoints.iter().any(serves);
        let of_api = |finding| of_api(finding, spec);
        let mut checks = Vec::new();
        let of_host = |data: Data| {
            let check = data.into_check();
            check.map(|(finding, host)| Check { finding, host })
        };
        for mut endpoint in self.endpoints {
            let canary = endpoint.canary.take();
            checks.push(of_endpoint(endpoint, is_alive, spec));
            checks.extend(canary.and_then(of_host));
        }
        checks.extend(self.keys.and_then(of_host));
        for event in self.events {
            let heard = named("live event", &event.name, event.heard);
            checks.push(of_api(soften(heard.finding, is_alive)));
        }
        if let Some(heard) = self.encoding {
            // Stuck jobs are what the API itself says, so that stays as it was judged.
            let finding = match heard.body {
                Some(_) => heard.finding,
                None => soften(heard.finding, is_alive),
            };
            checks.push(of_api(finding));
        }
        worst(checks)
    }
}

/// What its API amounts to.
pub fn of_api(finding: Finding, spec: &MediaServicesSpec) -> Check {
    Check {
        finding,
        host: place(&spec.arm_base),
    }
}

fn of_endpoint(endpoint: Endpoint, is_alive: bool, spec: &MediaServicesSpec) -> Check {
    let before = endpoint.was_stopped;
    let read = endpoint.heard.body.is_some();
    let heard = named("streaming endpoint", &endpoint.name, endpoint.heard);
    let finding = heard.finding;
    match endpoint.data {
        // Its slowness is not its viewers'.
        Data::Answers {
            finding: data,
            host,
        } if read => Check {
            finding: data,
            host,
        },
        Data::Answers { .. } => of_api(soften(finding, is_alive), spec),
        Data::Silent {
            finding: data,
            host,
        } => match (read, before) {
            (false, Some(state)) => {
                let line = was_stopped(&endpoint.name, &state);
                of_api(finding.with(Some(line)), spec)
            }
            _ => Check {
                finding: data.with(finding.detail),
                host,
            },
        },
        Data::Nameless if finding.outcome == Outcome::Failed => {
            let line = "the name of its streaming host is not known yet".to_owned();
            let finding = finding.with(Some(line));
            of_api(
                Finding {
                    outcome: Outcome::Unknown,
                    ..finding
                },
                spec,
            )
        }
        Data::NotAsked | Data::Nameless => of_api(soften(finding, is_alive), spec),
    }
}

fn was_stopped(name: &str, state: &str) -> String {
    format!("streaming endpoint {name} was {state} when it was last read")
}

/// Says which one is not there.
fn named(kind: &str, name: &str, heard: Heard) -> Heard {
    if !heard.gone {
        return heard;
    }
    let line = format!("the account has no {kind} {name}");
    Heard {
        finding: Finding {
            outcome: heard.finding.outcome,
            detail: Some(line),
        }
        .with(heard.finding.detail),
        ..heard
    }
}

/// While viewers are served, an API that fails is no outage.
fn soften(finding: Finding, is_alive: bool) -> Finding {
    match finding.outcome {
        Outcome::Failed | Outcome::Unknown if is_alive => Finding {
            outcome: Outcome::Degraded,
            ..finding.with(Some("its streaming host answers".to_owned()))
        },
        _ => finding,
    }
}

/// Worse outcomes are greater.
const fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Degraded => 1,
        Outcome::Throttled => 2,
        Outcome::Unknown => 3,
        Outcome::Denied => 4,
        Outcome::Missing => 5,
        Outcome::Failed => 6,
    }
}

/// The worst of these, with everything that the others say.
fn worst(mut checks: Vec<Check>) -> Check {
    // Stable: of equals the first, which is the nearest to the viewers.
    checks.sort_by_key(|check| std::cmp::Reverse(rank(check.finding.outcome)));
    let mut said = String::new();
    for line in checks
        .iter()
        .filter_map(|check| check.finding.detail.as_ref())
    {
        // A line may be made of several, so that it holds what another one says alone.
        if said.is_empty() {
            said.push_str(line);
        } else if !format!("; {said};").contains(&format!("; {line};")) {
            said.push_str("; ");
            said.push_str(line);
        }
    }
    let detail = (!said.is_empty()).then_some(said);
    match checks.into_iter().next() {
        Some(check) => Check {
            finding: Finding {
                outcome: check.finding.outcome,
                detail,
            },
            host: check.host,
        },
        None => Check {
            finding: Finding::new(Outcome::Unknown, "nothing of it was asked".to_owned()),
            host: String::new(),
        },
    }
}
