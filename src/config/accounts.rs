//! Video Indexer accounts and HTTP endpoints.

use std::collections::BTreeSet;

use super::node::At;
use super::pieces::{good_url, id, name_fault, part};
use super::report::Report;
use super::urls::Purpose;
use super::{duration, raw};
use crate::model::spec::{HttpSpec, VideoIndexerSpec};

/// Reads a Video Indexer account. `None` where something that it needs is missing or wrong.
pub fn video_indexer(
    raw: raw::VideoIndexer,
    at: At<'_>,
    report: &mut Report,
) -> Option<VideoIndexerSpec> {
    let subscription_id = id(raw.subscription_id, at.child("subscription_id"), report);
    let resource_group = part(raw.resource_group, at.child("resource_group"), report);
    let account_name = part(raw.account_name, at.child("account_name"), report);
    let account_id = id(raw.account_id, at.child("account_id"), report);
    for (key, id) in [
        ("subscription_id", &subscription_id),
        ("account_id", &account_id),
    ] {
        if id.as_deref().is_some_and(is_placeholder) {
            let message = "looks like the example's placeholder: put your own id in".to_owned();
            report.warning(at.child(key), message);
        }
    }
    let api_base = raw
        .api_base
        .unwrap_or_else(|| raw::VIDEO_INDEXER_API.to_owned());
    let arm_base = raw.arm_base.unwrap_or_else(|| raw::ARM.to_owned());
    let api_base = good_url(&api_base, Purpose::BearerBase, at.child("api_base"), report);
    let arm_base = good_url(&arm_base, Purpose::BearerBase, at.child("arm_base"), report);
    let stuck_after = match raw.stuck_after {
        Some(span) => span.0,
        None => duration::parse(raw::STUCK_AFTER).ok()?,
    };
    Some(VideoIndexerSpec {
        subscription_id: subscription_id?,
        resource_group: resource_group?,
        account_name: account_name?,
        account_id: account_id?,
        api_base: api_base?,
        arm_base: arm_base?,
        stuck_after,
        stuck_fails: raw.stuck_fails.unwrap_or(false),
    })
}

/// Whether all digits of an id are the same, as in the example file; no real id is like that.
fn is_placeholder(id: &str) -> bool {
    const LENGTH: usize = "00000000-0000-0000-0000-000000000000".len();
    let mut digits = id.chars().filter(|letter| *letter != '-');
    id.len() == LENGTH
        && digits
            .next()
            .is_some_and(|first| digits.all(|digit| digit == first))
}

/// Reads the HTTP endpoints of a site; their names are unique in it.
pub fn http(raw: Vec<raw::Http>, at: At<'_>, report: &mut Report) -> Vec<HttpSpec> {
    let mut seen = BTreeSet::new();
    let mut specs = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let here = at.item(index);
        if let Some(name) = &raw.name {
            if let Some(fault) = name_fault(name) {
                report.problem(here.child("name"), fault);
            } else if !seen.insert(name.clone()) {
                let message = format!("`{name}` is the name of another endpoint of this site");
                report.problem(here.child("name"), message);
            }
        }
        specs.extend(endpoint(raw, here, report));
    }
    specs
}

fn endpoint(raw: raw::Http, at: At<'_>, report: &mut Report) -> Option<HttpSpec> {
    let url = (raw.url).and_then(|url| good_url(&url, Purpose::Endpoint, at.child("url"), report));
    let endpoint = match raw.endpoint {
        Some(text) => good_url(&text, Purpose::Endpoint, at.child("endpoint"), report),
        None => {
            if url.as_deref().is_some_and(|url| url.contains('?')) {
                let message = "has a query, which may hold a key, and every lookup hands it out: name an endpoint without it";
                report.warning(at.child("url"), message.to_owned());
            }
            url.clone()
        }
    };
    if raw.expect_status.as_ref().is_some_and(Vec::is_empty) {
        let message = "is empty: list the statuses that are good, or leave the key out".to_owned();
        report.problem(at.child("expect_status"), message);
    }
    let expect_body = raw.expect_body.filter(|text| !text.is_empty());
    Some(HttpSpec {
        name: raw.name?,
        url: url?,
        endpoint: endpoint?,
        expect_status: raw.expect_status.unwrap_or_else(|| vec![200]),
        expect_body,
    })
}
