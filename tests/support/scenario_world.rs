//! What scenarios are made of: times, groups, policies.

use jiff::{SignedDuration, Timestamp};
use understudy::model::answer::{Answer, AnswerAccounts};
use understudy::model::hold::HoldCode;
use understudy::model::policy::{AlertPolicy, FailbackPolicy, Mode, Policy, Standby};
use understudy::model::spec::{
    AccountSpec, GroupSpec, HttpSpec, MediaKind, MediaServicesSpec, SiteSpec, VideoIndexerSpec,
    Workload,
};

use super::scenario::Said;

/// `90s`, `5m`, `1h30m`; a minus sign looks back.
pub fn duration(text: &str) -> Said<SignedDuration> {
    text.parse()
        .map_err(|error| format!("{text} is no duration: {error}"))
}

/// A time of the scenario, counted from its start.
pub fn moment(text: &str) -> Said<Timestamp> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Ok(start + duration(text)?)
}

pub fn hold_code(text: &str) -> Said<HoldCode> {
    let name = text.split(' ').next().unwrap_or_default();
    HoldCode::ALL
        .iter()
        .copied()
        .find(|code| code.as_str() == name)
        .ok_or_else(|| format!("no such hold: {name}"))
}

/// A group of these sites with one HTTP endpoint `web` each.
pub fn group(sites: &[&str]) -> GroupSpec {
    GroupSpec {
        name: "contoso".into(),
        tenant: None,
        policy: Policy::default(),
        sites: sites
            .iter()
            .map(|name| SiteSpec {
                name: (*name).into(),
                region: (*name).to_owned(),
                accounts: vec![http(name, "web")],
            })
            .collect(),
    }
}

fn http(site: &str, name: &str) -> AccountSpec {
    let url = format!("https://{name}.{site}.example/health");
    AccountSpec::Http(HttpSpec {
        name: name.to_owned(),
        endpoint: url.clone(),
        url,
        expect_status: vec![200],
        expect_body: None,
    })
}

fn video_indexer(site: &str) -> AccountSpec {
    AccountSpec::VideoIndexer(VideoIndexerSpec {
        subscription_id: "sub".to_owned(),
        resource_group: "rg".to_owned(),
        account_name: "vi".to_owned(),
        account_id: format!("guid-{site}"),
        api_base: "https://api.videoindexer.ai".to_owned(),
        arm_base: "https://management.azure.com".to_owned(),
        stuck_after: SignedDuration::from_mins(60),
        stuck_fails: false,
    })
}

fn media_services(site: &str, endpoint: &str) -> AccountSpec {
    AccountSpec::MediaServices(MediaServicesSpec {
        kind: MediaKind::Azure,
        account_name: format!("ms-{site}"),
        resource_id: format!("/subscriptions/sub/media/{site}"),
        arm_base: "https://management.azure.com".to_owned(),
        token: None,
        streaming_endpoints: vec![endpoint.to_owned()],
        live_events: Vec::new(),
        workloads: vec![Workload::Live, Workload::OnDemand],
        streaming_probe: "https://{host}/".to_owned(),
        canary: None,
        key_delivery: None,
        stuck_after: SignedDuration::from_mins(60),
        stuck_fails: false,
    })
}

/// Adds to a site: `streaming endpoint NAME`, `endpoint NAME`; or `video indexer` in place of the endpoint.
pub fn add(spec: &mut GroupSpec, site: &str, what: &str) -> Said {
    let found = spec
        .sites
        .iter_mut()
        .find(|known| known.name.as_str() == site);
    let found = found.ok_or_else(|| format!("no site {site}"))?;
    if what == "video indexer" {
        found.accounts = vec![video_indexer(site)];
    } else if what.starts_with("streaming endpoint ") {
        found.accounts.push(media_services(
            site,
            what.trim_start_matches("streaming endpoint "),
        ));
    } else if let Some(name) = what.strip_prefix("endpoint ") {
        found.accounts.push(http(site, name));
    } else {
        return Err(format!("`{what}` is nothing a site can have"));
    }
    Ok(())
}

/// The answer of a site that is no longer configured.
pub fn unconfigured(site: &str) -> Answer {
    Answer {
        site: site.into(),
        region: site.to_owned(),
        accounts: AnswerAccounts::default(),
    }
}

pub fn set_policy(policy: &mut Policy, key: &str, value: &str) -> Said {
    let count = || {
        value
            .parse::<u32>()
            .map_err(|_| format!("{value} is no count"))
    };
    match (key, value) {
        ("mode", "observe") => policy.mode = Mode::Observe,
        ("mode", "automatic") => policy.mode = Mode::Automatic,
        ("alert", "ignore") => policy.alert = AlertPolicy::Ignore,
        ("alert", "confirm") => policy.alert = AlertPolicy::Confirm,
        ("alert", "direct") => policy.alert = AlertPolicy::Direct,
        ("failback", "manual") => policy.failback = FailbackPolicy::Manual,
        ("failback", "automatic") => policy.failback = FailbackPolicy::Automatic,
        ("standby", "warm") => policy.standby = Standby::Warm,
        ("standby", "cold") => policy.standby = Standby::Cold,
        ("fail_threshold", _) => policy.fail_threshold = count()?,
        ("fail_window", _) => policy.fail_window = count()?,
        ("recover_threshold", _) => policy.recover_threshold = count()?,
        ("max_moves_per_day", _) => policy.max_moves_per_day = count()?,
        ("max_groups_moving", _) => policy.max_groups_moving = count()?,
        ("probe_interval", _) => policy.probe_interval = duration(value)?,
        ("hold", _) => policy.hold = duration(value)?,
        ("cooldown", _) => policy.cooldown = duration(value)?,
        ("prepare_timeout", _) => policy.prepare_timeout = duration(value)?,
        ("alert_ttl", _) => policy.alert_ttl = duration(value)?,
        ("failback_after", _) => policy.failback_after = duration(value)?,
        _ => return Err(format!("no such policy: {key} {value}")),
    }
    Ok(())
}
