//! A Media Services account, by what it is used for. Viewers need its streaming hosts, encoding needs its API; that the
//! API alone fails takes nothing from viewers.
//!
//! | used for | its API | its streaming host | outcome |
//! | --- | --- | --- | --- |
//! | encoding | answers, in time | | ok |
//! | encoding | slow; or jobs wait for longer than `stuck_after` while none finishes | | degraded; stuck: failed by `stuck_fails` |
//! | encoding | fails | | failed |
//! | encoding | cannot be asked: no token, no turn | | unknown |
//! | streaming | the endpoint runs | answers, whatever it says | ok; degraded if slow |
//! | streaming | the endpoint runs | does not answer | failed |
//! | streaming | the endpoint runs | not probed | ok |
//! | streaming | the endpoint or live event does not run | | ok, and said to be stopped |
//! | streaming | fails, or cannot be asked | answers | degraded |
//! | streaming | fails, or cannot be asked | does not answer | failed |
//! | streaming | cannot be asked, stopped when last read | does not answer | unknown |
//! | streaming | fails | not probed | failed |
//! | streaming | fails, or cannot be asked | its name is not known yet | unknown |
//! | both | fails, or cannot be asked | answers | degraded |
//! | any | 429 | answers, or is not needed | throttled |
//! | any | refuses us | answers, or is not needed | denied |
//! | any | says that the account is not there, or its provider is not | | missing |
//!
//! On the host, the `canary` is content that must be there: 2xx is ok, 404 and 410 missing, 401 and 403 denied, 429
//! throttled, anything else and no answer failed. Key delivery is alive if it answers anything, else failed.
//!
//! An account is as bad as the worst of these: failed, missing, denied, unknown, throttled, degraded, ok. What being
//! stopped means depends on which site is active: `decision::reading` judges it. It also judges what a silent API means for
//! an account that was stopped when that last spoke: for one site it is the site's fault, for all sites the API's own.
//!
//! What cannot be sent, as its URL or token is none, is unknown: a mistake of the settings is no outage.
//!
//! Read in every round: each named streaming endpoint and live event, and where it encodes the list of transforms; every
//! minute, or more often where `stuck_after` is short, one page of jobs of each of eight transforms, and one of older
//! jobs where that does not tell; every ten minutes, and while it is not well, the account itself.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::Value;

use super::exchange::{Limits, millis};
use super::media_services_api::{Api, Heard, READS_AT_ONCE, TRANSFORMS, Thing};
use super::media_services_hosts::{Data, HOSTS_AT_ONCE, Hosts};
use super::media_services_judge::{Endpoint, Event, Seen, of_api};
use super::media_services_known::Known;
use super::stuck::{Kind, Tally};
use super::{Finding, Tools};
use crate::model::media::{MediaKind, MediaServicesSpec, ResourceKind, Workload};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading};

/// One probe of one account.
struct Probe<'a> {
    tools: &'a Tools,
    spec: &'a MediaServicesSpec,
    known: &'a Known,
    api: Api<'a>,
    hosts: Hosts<'a>,
}

/// Asks the account once, for everything that it is used for.
pub async fn probe(tools: &Tools, spec: &MediaServicesSpec, policy: &Policy) -> Reading {
    let limits = Limits::start(policy);
    let known: Arc<Known> = tools.media.known(spec);
    let probe = Probe {
        tools,
        spec,
        known: &known,
        api: Api::open(tools, spec, &known, limits, policy).await,
        hosts: Hosts::new(&tools.http, spec, limits),
    };
    let (encoding, endpoints, events, keys) = futures::join!(
        probe.encoding(),
        probe.endpoints(),
        probe.events(),
        probe.hosts.keys()
    );
    let seen = Seen {
        encoding,
        endpoints,
        events,
        keys,
    };
    let gone = probe.gone(&seen).await;
    let streaming = seen.streaming(spec);
    let check = match gone {
        Some(finding) => of_api(finding, spec),
        None => seen.judge(spec),
    };
    Reading {
        outcome: check.finding.outcome,
        // All of it: how old the reading is counts from its end.
        latency_ms: millis(limits.timeout.saturating_sub(limits.left())),
        detail: check.finding.detail,
        host: check.host,
        token: probe.api.token_fact(),
        streaming,
    }
}

/// The most requests that one probe of this account has under way at once.
#[must_use]
pub fn requests_at_once(spec: &MediaServicesSpec) -> usize {
    let (endpoints, events) = (spec.endpoints().len(), spec.events().len());
    let encoding = usize::from(spec.is_for(Workload::Encoding)) * READS_AT_ONCE;
    let hosts = endpoints + usize::from(spec.key_delivery.is_some());
    (encoding + endpoints + events).clamp(1, READS_AT_ONCE) + hosts.min(HOSTS_AT_ONCE)
}

impl Probe<'_> {
    /// The list of transforms, and now and then the account and its jobs. `None` where nothing is encoded; but where
    /// nothing else is named, this is all that there is to ask.
    async fn encoding(&self) -> Option<Heard> {
        let names_nothing = self.spec.endpoints().is_empty() && self.spec.events().is_empty();
        if !self.spec.is_for(Workload::Encoding) && !names_nothing {
            return None;
        }
        let now = self.tools.clock.now();
        let wants_account = self.spec.kind == MediaKind::Azure && self.known.wants_account(now);
        let account = async {
            match wants_account {
                true => Some(self.api.read(&Thing::Account).await),
                false => None,
            }
        };
        let (transforms, account) = futures::join!(self.api.read(&Thing::Transforms), account);
        if let Some(account) = account {
            match account.finding.outcome {
                // It could not be asked: the list says as much.
                Outcome::Unknown => {}
                _ if account.body.is_none() => return Some(account),
                _ => self.known.note_account(now),
            }
        }
        let Some(list) = &transforms.body else {
            return Some(transforms);
        };
        let stuck = self.stuck(list).await;
        Some(match stuck {
            None => transforms,
            Some(line) => Heard {
                finding: Finding::new(
                    match self.spec.stuck_fails {
                        true => Outcome::Failed,
                        false => Outcome::Degraded,
                    },
                    line,
                ),
                ..transforms
            },
        })
    }

    /// One line if jobs are stuck. What cannot be read now leaves it as it was.
    async fn stuck(&self, transforms: &Value) -> Option<String> {
        let (now, limit) = (self.tools.clock.now(), self.spec.stuck_after);
        if !self.known.wants_jobs(now, limit) {
            return self.known.stuck();
        }
        let names: Vec<Option<String>> = match self.spec.kind {
            // One list has the jobs of all.
            MediaKind::Mkio => vec![None],
            MediaKind::Azure => list(transforms)
                .iter()
                .filter_map(|each| each["name"].as_str())
                .filter(|name| is_segment(name))
                .map(|name| Some(name.to_owned()))
                .take(TRANSFORMS)
                .collect(),
        };
        let mut tally = Tally::of(Kind::Jobs);
        for before in [None, now.checked_sub(limit).ok()] {
            let pages: Vec<Thing> = names
                .iter()
                .map(|name| Thing::Jobs(name.clone(), before))
                .collect();
            for page in self.read_all(&pages).await {
                let Some(body) = &page.body else {
                    let before = self.known.stuck();
                    self.known.note_stuck(now, before.as_deref());
                    return before;
                };
                tally.count(list(body), now, limit);
            }
            if !tally.wants_more() {
                break;
            }
        }
        let stuck = tally.stuck(limit);
        self.known.note_stuck(now, stuck.as_deref());
        stuck
    }

    /// All of these, in their order. The API lets few be under way.
    async fn read_all(&self, things: &[Thing]) -> Vec<Heard> {
        join_all(things.iter().map(|thing| self.api.read(thing))).await
    }

    async fn endpoints(&self) -> Vec<Endpoint> {
        let names = self.spec.endpoints().iter();
        join_all(names.map(|name| self.endpoint(name))).await
    }

    /// An endpoint's state from the API, and what its host answers. A host whose name is known is asked at once, so that
    /// an API that hangs takes no time from it.
    async fn endpoint(&self, name: &str) -> Endpoint {
        let known = self.known.host(name);
        let was_stopped = self.known.state(name).filter(|state| !runs(state));
        let early = async {
            match (&known, &was_stopped) {
                (Some(host), None) => Some(self.hosts.ask(host).await),
                (None, _) if self.spec.is_probed_anywhere() => Some(self.hosts.ask("").await),
                _ => None,
            }
        };
        let thing = Thing::Resource(ResourceKind::StreamingEndpoint, name.to_owned());
        let (heard, early) = futures::join!(self.api.read(&thing), early);
        let read = heard.body.as_ref().map(|body| &body["properties"]);
        let host = read.and_then(|properties| host_name(&properties["hostName"]));
        let state = read.and_then(|properties| properties["resourceState"].as_str());
        let mut stopped = state.filter(|state| !runs(state)).map(str::to_owned);
        let read = state.filter(|state| !heard.earlier && is_word(state));
        let read = read.map(str::to_owned);
        if let Some(state) = &read {
            let (host, now) = (host.as_deref(), self.tools.clock.now());
            self.known.note_endpoint(name, host, state, now);
        }
        let moved = host.is_some() && host != known;
        let host = host.or(known);
        let (mut data, mut canary) = match (early, &host) {
            // Whoever answers for it: it does not run.
            _ if stopped.is_some() && !heard.earlier => (Data::NotAsked, None),
            (Some(answers), _) if !moved || self.spec.is_probed_anywhere() => answers,
            (_, Some(host)) => self.hosts.ask(host).await,
            (_, None) if self.spec.streaming_probe.is_empty() => (Data::NotAsked, None),
            (_, None) => (Data::Nameless, None),
        };
        let mut earlier = false;
        if heard.earlier && stopped.is_some() {
            // It may have been started since: then its host answers.
            match data {
                Data::Answers { .. } => stopped = None,
                Data::Silent { .. } => (data, canary) = (Data::NotAsked, None),
                Data::NotAsked | Data::Nameless => earlier = true,
            }
        }
        Endpoint {
            name: name.to_owned(),
            heard,
            read,
            stopped,
            earlier,
            was_stopped,
            host,
            data,
            canary,
        }
    }

    async fn events(&self) -> Vec<Event> {
        let names = self.spec.events().to_vec();
        let thing = |name: &String| Thing::Resource(ResourceKind::LiveEvent, name.clone());
        let things: Vec<Thing> = names.iter().map(thing).collect();
        let heard = self.read_all(&things).await;
        let events = names.into_iter().zip(heard);
        events
            .map(|(name, heard)| {
                let state = heard.body.as_ref();
                let state = state.and_then(|body| body["properties"]["resourceState"].as_str());
                let stopped = state.filter(|state| !runs(state)).map(str::to_owned);
                Event {
                    name,
                    heard,
                    stopped,
                }
            })
            .collect()
    }

    /// What is said if the account is not there. A part that is not there says nothing of the account, so that is read.
    async fn gone(&self, seen: &Seen) -> Option<Finding> {
        let heard = seen.endpoints.iter().map(|each| &each.heard);
        let mut heard = heard.chain(seen.events.iter().map(|each| &each.heard));
        let account = match &seen.encoding {
            Some(encoding) if encoding.gone => encoding.clone(),
            Some(encoding) if encoding.body.is_some() => return None,
            _ if heard.any(|heard| heard.gone) => self.api.read(&Thing::Account).await,
            _ => return None,
        };
        if !account.gone {
            return None;
        }
        let what = match self.spec.kind {
            MediaKind::Azure => {
                "Azure Media Services was retired on 30 June 2024 and its accounts are gone: move to MK.IO and configure \
                 it with kind = \"mkio\", or correct the account's name if it is a service with the same shapes"
            }
            MediaKind::Mkio => "there is no such project: correct account_name",
        };
        Some(Finding {
            outcome: Outcome::Missing,
            ..account.finding.with(Some(what.to_owned()))
        })
    }
}

/// Whether this state serves viewers. One that is scaled serves meanwhile.
fn runs(state: &str) -> bool {
    matches!(state, "Running" | "Scaling")
}

/// Whether this can be a state. It is kept, so that of anything longer or stranger nothing is.
fn is_word(state: &str) -> bool {
    (1..=32).contains(&state.len()) && state.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A name that becomes part of URLs, as far as it is one: the answer of a service is not believed blindly.
fn host_name(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let is_name = !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    is_name.then(|| text.to_owned())
}

/// Whether a name can stand in a path as it is.
fn is_segment(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|letter: char| {
            letter.is_whitespace() || letter.is_control() || "/\\?#%".contains(letter)
        })
}

/// The entries of a list.
fn list(body: &Value) -> &[Value] {
    body["value"].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_is_kept_as_a_state() {
        let longest = "S".repeat(32);
        for state in ["Running", "Stopped", "StandBy", &longest] {
            assert!(is_word(state), "{state}");
        }
        let longer = "S".repeat(33);
        for state in ["", "Stop ped", "eyJ0.x", "Zu\u{e4}", &longer] {
            assert!(!is_word(state), "{state}");
        }
    }
}
