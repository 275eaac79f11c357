//! Media Services accounts.

use super::node::At;
use super::pieces::{good_url, id, part};
use super::reading::Reading;
use super::report::{Report, shown};
use super::urls::Purpose;
use super::{duration, raw};
use crate::model::media::{HOST, MediaKind, MediaServicesSpec, Workload};
use crate::model::secret::Secret;

/// What an account is used for, unless configured.
const WORKLOADS: [raw::Workload; 3] = [
    raw::Workload::Encoding,
    raw::Workload::Live,
    raw::Workload::OnDemand,
];

/// Where an account is.
struct Place {
    account_name: String,
    resource_id: String,
    arm_base: String,
}

/// Reads a Media Services account. `None` where something that it needs is missing or wrong.
pub fn media_services(
    raw: raw::MediaServices,
    at: At<'_>,
    reading: &mut Reading<'_>,
) -> Option<MediaServicesSpec> {
    let env = reading.env;
    let report = &mut *reading.report;
    let kind = raw.kind.unwrap_or(raw::MediaKind::Azure);
    let (streaming_endpoints, live_events) = names(&raw, at, report);
    texts(&raw, at, report);
    let token = token(kind, raw.token.as_deref(), at.child("token"), env, report);
    let workloads = raw.workloads.as_deref().unwrap_or(&WORKLOADS);
    let workloads = workloads.iter().copied().map(workload).collect();
    let stuck_after = match &raw.stuck_after {
        Some(span) => span.0,
        None => duration::parse(raw::STUCK_AFTER).ok()?,
    };
    let key_delivery = raw.key_delivery.as_deref();
    let key_delivery = key_delivery
        .and_then(|url| good_url(url, Purpose::Endpoint, at.child("key_delivery"), report));
    if key_delivery
        .as_deref()
        .is_some_and(|url| url.contains(['{', '}']))
    {
        let message = "holds a placeholder, and keys are not behind the streaming host: write the URL in full";
        report.problem(at.child("key_delivery"), message.to_owned());
    }
    let streaming_probe = raw.streaming_probe.as_deref();
    let streaming_probe = streaming_probe
        .unwrap_or(raw::STREAMING_PROBE)
        .trim()
        .to_owned();
    let (canary, stuck_fails) = (raw.canary.clone(), raw.stuck_fails.unwrap_or(false));
    let place = place(kind, raw, at, report)?;
    Some(MediaServicesSpec {
        kind: match kind {
            raw::MediaKind::Azure => MediaKind::Azure,
            raw::MediaKind::Mkio => MediaKind::Mkio,
        },
        account_name: place.account_name,
        resource_id: place.resource_id,
        arm_base: place.arm_base,
        token,
        streaming_endpoints,
        live_events,
        workloads,
        streaming_probe,
        canary,
        key_delivery,
        stuck_after,
        stuck_fails,
    })
}

const fn workload(raw: raw::Workload) -> Workload {
    match raw {
        raw::Workload::Encoding => Workload::Encoding,
        raw::Workload::Live => Workload::Live,
        raw::Workload::OnDemand => Workload::OnDemand,
    }
}

fn place(
    kind: raw::MediaKind,
    raw: raw::MediaServices,
    at: At<'_>,
    report: &mut Report,
) -> Option<Place> {
    let base = raw.arm_base.unwrap_or_else(|| match kind {
        raw::MediaKind::Azure => raw::ARM.to_owned(),
        raw::MediaKind::Mkio => raw::MKIO_API.to_owned(),
    });
    let arm_base = good_url(&base, Purpose::BearerBase, at.child("arm_base"), report);
    let account_name = part(raw.account_name, at.child("account_name"), report);
    match kind {
        raw::MediaKind::Azure => {
            for key in ["subscription_id", "resource_group"] {
                if !at.has(key) {
                    report.problem(at.child(key), "is missing; kind azure needs it".to_owned());
                }
            }
            let subscription = id(raw.subscription_id, at.child("subscription_id"), report);
            let group = part(raw.resource_group, at.child("resource_group"), report);
            let account_name = account_name?;
            Some(Place {
                resource_id: format!(
                    "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Media/mediaServices/{account_name}",
                    subscription?, group?,
                ),
                account_name,
                arm_base: arm_base?,
            })
        }
        raw::MediaKind::Mkio => {
            for key in ["subscription_id", "resource_group"] {
                if at.has(key) {
                    report.warning(at.child(key), "is not used with kind mkio".to_owned());
                }
            }
            let (arm_base, account_name) = (arm_base?, account_name?);
            if arm_base.to_ascii_lowercase().contains("/api/ams") {
                let message = "must end before /api/ams: that and the project are put behind it; the project is account_name";
                report.problem(at.child("arm_base"), message.to_owned());
                return None;
            }
            Some(Place {
                resource_id: format!("{arm_base}/api/ams/{account_name}"),
                account_name,
                arm_base,
            })
        }
    }
}

/// The names of streaming endpoints and of live events.
fn names(raw: &raw::MediaServices, at: At<'_>, report: &mut Report) -> (Vec<String>, Vec<String>) {
    let workloads = raw.workloads.as_deref().unwrap_or(&WORKLOADS);
    let used = |workload| workloads.contains(&workload);
    if workloads.is_empty() {
        let message =
            "is empty: list what the account is used for, or leave the key out".to_owned();
        report.problem(at.child("workloads"), message);
    }
    let endpoints = (raw.streaming_endpoints.clone()).unwrap_or_else(|| vec!["default".to_owned()]);
    let live_events = raw.live_events.clone().unwrap_or_default();
    for (key, names) in [
        ("streaming_endpoints", &endpoints),
        ("live_events", &live_events),
    ] {
        let list = at.child(key);
        for (index, name) in names.iter().enumerate() {
            let earlier = names.get(..index).unwrap_or_default();
            if earlier.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                let message = format!("{} is listed twice", shown(name));
                report.problem(list.item(index), message);
            } else {
                part(Some(name.clone()), list.item(index), report);
            }
        }
    }
    if !used(raw::Workload::Live) && !live_events.is_empty() {
        let message = "is not used: workloads does not list \"live\"".to_owned();
        report.warning(at.child("live_events"), message);
    }
    let streams = used(raw::Workload::Live) || used(raw::Workload::OnDemand);
    if streams && endpoints.is_empty() {
        let message =
            "is empty: no host of the account is probed, handed out or started".to_owned();
        report.warning(at.child("streaming_endpoints"), message);
    }
    (endpoints, live_events)
}

fn texts(raw: &raw::MediaServices, at: At<'_>, report: &mut Report) {
    let probe = raw.streaming_probe.as_deref().map(str::trim);
    if let Some(probe) = probe.filter(|text| !text.is_empty()) {
        let here = at.child("streaming_probe");
        let filled = probe.replace(HOST, "host.invalid");
        let good = good_url(&filled, Purpose::Endpoint, here, report).is_some();
        if good && (filled.contains('{') || filled.contains('}')) {
            let message = "holds a placeholder that is not known: write {host} for the name of the streaming host";
            report.problem(here, message.to_owned());
        } else if good && !probe.contains(HOST) {
            let message =
                "does not hold {host}: the same URL is asked for every streaming endpoint";
            report.warning(here, message.to_owned());
        }
    }
    let workloads = raw.workloads.as_deref().unwrap_or(&WORKLOADS);
    let Some(canary) = raw.canary.as_deref() else {
        return;
    };
    let is_path = !canary.contains("://")
        && !canary.starts_with("//")
        && !canary.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if canary.trim_matches('/').is_empty() || !is_path {
        let message = "is not a path on the streaming host, such as \"/canary/manifest\"";
        report.problem(at.child("canary"), message.to_owned());
    } else if !workloads.contains(&raw::Workload::OnDemand) {
        let message = "is not used: workloads does not list \"on-demand\"".to_owned();
        report.warning(at.child("canary"), message);
    }
}

/// `$NAME` is the app setting that holds the token.
fn token(
    kind: raw::MediaKind,
    token: Option<&str>,
    at: At<'_>,
    env: &super::Env,
    report: &mut Report,
) -> Option<Secret> {
    match (kind, token.map(str::trim)) {
        (raw::MediaKind::Azure, None) => None,
        (raw::MediaKind::Azure, Some(_)) => {
            report.warning(at, "is used only with kind mkio".to_owned());
            None
        }
        (raw::MediaKind::Mkio, None) => {
            let message =
                "is missing; kind mkio needs it: write \"$NAME\", the app setting that holds it";
            report.problem(at, message.to_owned());
            None
        }
        (raw::MediaKind::Mkio, Some("")) => {
            report.problem(at, "is empty".to_owned());
            None
        }
        (raw::MediaKind::Mkio, Some(text)) => {
            let Some(name) = text.strip_prefix('$') else {
                let message = if is_like_a_setting(text) {
                    "looks like the name of an app setting: write \"$\" before it, else it is sent as the token itself"
                } else {
                    "a secret stands in the file: put it into an app setting and write \"$NAME\" here"
                };
                report.warning(at, message.to_owned());
                return Some(Secret::new(text));
            };
            let value = env.get(name).map(|value| value.trim());
            let value = value.filter(|value| !value.is_empty());
            if value.is_none() {
                let message = format!("the app setting {} is not set, or empty", shown(name));
                report.problem(at, message);
            }
            value.map(Secret::new)
        }
    }
}

/// Capitals, digits and underscores, from a letter on: so people write the names of settings, and no one a token.
fn is_like_a_setting(text: &str) -> bool {
    let is_part =
        |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    text.starts_with(|letter: char| letter.is_ascii_uppercase()) && text.chars().all(is_part)
}
