//! Media Services accounts. This version hands them out in lookups and does not probe them.

use super::node::At;
use super::pieces::{good_url, id, part};
use super::raw;
use super::reading::Reading;
use super::report::{Report, shown};
use super::urls::Purpose;
use crate::model::spec::MediaServicesSpec;

/// Reads a Media Services account. `None` where something that it needs is missing or wrong.
pub fn media_services(
    raw: raw::MediaServices,
    at: At<'_>,
    reading: &mut Reading<'_>,
) -> Option<MediaServicesSpec> {
    reading.noticed.media_accounts += 1;
    let env = reading.env;
    let report = &mut *reading.report;
    let kind = raw.kind.unwrap_or(raw::MediaKind::Azure);
    lists(&raw, at, report);
    texts(&raw, at, report);
    token(kind, raw.token.as_deref(), at.child("token"), env, report);
    let base = raw.arm_base.unwrap_or_else(|| match kind {
        raw::MediaKind::Azure => raw::ARM.to_owned(),
        raw::MediaKind::Mkio => raw::MKIO_API.to_owned(),
    });
    let base = good_url(&base, Purpose::BearerBase, at.child("arm_base"), report);
    let account_name = part(raw.account_name, at.child("account_name"), report);
    let resource_id = match kind {
        raw::MediaKind::Azure => {
            for key in ["subscription_id", "resource_group"] {
                if !at.has(key) {
                    report.problem(at.child(key), "is missing; kind azure needs it".to_owned());
                }
            }
            let subscription = id(raw.subscription_id, at.child("subscription_id"), report);
            let group = part(raw.resource_group, at.child("resource_group"), report);
            format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Media/mediaServices/{}",
                subscription?,
                group?,
                account_name.as_ref()?
            )
        }
        raw::MediaKind::Mkio => {
            for key in ["subscription_id", "resource_group"] {
                if at.has(key) {
                    report.warning(at.child(key), "is not used with kind mkio".to_owned());
                }
            }
            format!("{}/api/ams/{}", base.as_ref()?, account_name.as_ref()?)
        }
    };
    base?;
    Some(MediaServicesSpec {
        account_name: account_name?,
        resource_id,
        // This version starts and stops nothing on a Media Services account.
        activation: Vec::new(),
    })
}

fn lists(raw: &raw::MediaServices, at: At<'_>, report: &mut Report) {
    let workloads = raw.workloads.as_deref();
    let used = |workload| workloads.is_none_or(|given| given.contains(&workload));
    if workloads.is_some_and(<[_]>::is_empty) {
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
            part(Some(name.clone()), list.item(index), report);
        }
    }
    if !used(raw::Workload::Live) && !live_events.is_empty() {
        let message = "is not used: workloads does not list \"live\"".to_owned();
        report.warning(at.child("live_events"), message);
    }
}

fn texts(raw: &raw::MediaServices, at: At<'_>, report: &mut Report) {
    if let Some(probe) = raw
        .streaming_probe
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        let filled = probe.replace("{host}", "host.invalid");
        good_url(
            &filled,
            Purpose::Endpoint,
            at.child("streaming_probe"),
            report,
        );
    }
    let is_path = |text: &str| !text.contains("://") && !text.contains(char::is_whitespace);
    if (raw.canary.as_deref()).is_some_and(|canary| canary.is_empty() || !is_path(canary)) {
        let message = "is not a path on the streaming host, such as \"/canary/manifest\"";
        report.problem(at.child("canary"), message.to_owned());
    }
}

/// `$NAME` is the app setting that holds the token.
fn token(
    kind: raw::MediaKind,
    token: Option<&str>,
    at: At<'_>,
    env: &super::Env,
    report: &mut Report,
) {
    match (kind, token.map(str::trim)) {
        (raw::MediaKind::Azure, None) => {}
        (raw::MediaKind::Azure, Some(_)) => {
            report.warning(at, "is used only with kind mkio".to_owned());
        }
        (raw::MediaKind::Mkio, None) => {
            let message =
                "is missing; kind mkio needs it: write \"$NAME\", the app setting that holds it";
            report.problem(at, message.to_owned());
        }
        (raw::MediaKind::Mkio, Some(text)) => match text.strip_prefix('$') {
            _ if text.is_empty() => report.problem(at, "is empty".to_owned()),
            Some(name) if env.get(name).is_none_or(|value| value.trim().is_empty()) => {
                report.problem(
                    at,
                    format!("the app setting {} is not set, or empty", shown(name)),
                );
            }
            Some(_) => {}
            None => {
                let message = "a secret stands in the file: put it into an app setting and write \"$NAME\" here";
                report.warning(at, message.to_owned());
            }
        },
    }
}
