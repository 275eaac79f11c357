//! What a lookup shows of a site, compared and made; evidence found by account.

use std::collections::BTreeMap;

use super::*;
use crate::model::media::{MediaKind, Workload};
use crate::model::name::ByAccount;
use crate::model::sample::{Outcome, Sample};
use crate::model::verdict::Verdict;

fn site() -> SiteSpec {
    SiteSpec {
        name: "west".into(),
        region: "westeurope".to_owned(),
        accounts: vec![
            AccountSpec::VideoIndexer(VideoIndexerSpec {
                subscription_id: "sub".to_owned(),
                resource_group: "rg".to_owned(),
                account_name: "same".to_owned(),
                account_id: "guid".to_owned(),
                api_base: "https://api.example".to_owned(),
                arm_base: "https://arm.example".to_owned(),
                stuck_after: SignedDuration::from_mins(60),
                stuck_fails: false,
            }),
            AccountSpec::MediaServices(MediaServicesSpec {
                account_name: "same".to_owned(),
                resource_id: "/subscriptions/sub/media".to_owned(),
                kind: MediaKind::Azure,
                arm_base: "https://arm.example".to_owned(),
                token: None,
                streaming_endpoints: vec!["default".to_owned(), "extra".to_owned()],
                live_events: Vec::new(),
                workloads: vec![Workload::OnDemand],
                streaming_probe: String::new(),
                canary: None,
                key_delivery: None,
                stuck_after: SignedDuration::from_mins(60),
                stuck_fails: false,
            }),
            http("same", "https://web.example"),
        ],
    }
}

fn http(name: &str, endpoint: &str) -> AccountSpec {
    AccountSpec::Http(HttpSpec {
        name: name.to_owned(),
        url: "https://web.example/health".to_owned(),
        endpoint: endpoint.to_owned(),
        expect_status: vec![200],
        expect_body: None,
    })
}

/// The site, and others that differ from it in one thing that a lookup shows.
fn sites() -> Vec<SiteSpec> {
    let changed = |change: &dyn Fn(&mut SiteSpec)| {
        let mut site = site();
        change(&mut site);
        site
    };
    let video_indexer = |change: &dyn Fn(&mut VideoIndexerSpec)| {
        changed(&|site| {
            if let Some(AccountSpec::VideoIndexer(spec)) = site.accounts.get_mut(0) {
                change(spec);
            }
        })
    };
    let media_services = |change: &dyn Fn(&mut MediaServicesSpec)| {
        changed(&|site| {
            if let Some(AccountSpec::MediaServices(spec)) = site.accounts.get_mut(1) {
                change(spec);
            }
        })
    };
    let other = || "other".to_owned();
    let mut sites = vec![
        site(),
        changed(&|site| site.name = "north".into()),
        changed(&|site| site.region = other()),
        video_indexer(&|spec| spec.subscription_id = other()),
        video_indexer(&|spec| spec.resource_group = other()),
        video_indexer(&|spec| spec.account_name = other()),
        video_indexer(&|spec| spec.account_name = "same-and-more".to_owned()),
        video_indexer(&|spec| spec.account_id = other()),
        video_indexer(&|spec| spec.api_base = other()),
        media_services(&|spec| spec.account_name = other()),
        media_services(&|spec| spec.resource_id = other()),
        changed(&|site| site.accounts.push(http("more", "https://web.example"))),
    ];
    for at in 0..site().accounts.len() {
        sites.push(changed(&|site| {
            site.accounts.remove(at);
        }));
    }
    for (name, endpoint) in [
        ("same", "https://other.example"),
        ("other", "https://web.example"),
    ] {
        sites.push(changed(&|site| {
            site.accounts.pop();
            site.accounts.push(http(name, endpoint));
        }));
    }
    sites
}

#[test]
fn an_answer_is_compared_as_if_it_were_made() {
    let sites = sites();
    for (one, site) in sites.iter().enumerate() {
        for (other, known) in sites.iter().enumerate() {
            let answers = site.is_answered_by(None, &known.answer());
            assert_eq!(
                answers,
                site.answer() == known.answer(),
                "{site:#?} {known:#?}"
            );
            assert_eq!(answers, one == other, "{site:#?} {known:#?}");
        }
    }
}

#[test]
fn the_hosts_of_an_answer_are_compared_as_if_they_were_made() {
    let hosts = |named: &[(&str, &str)]| -> BTreeMap<String, String> {
        let named = named.iter();
        named
            .map(|(name, host)| ((*name).to_owned(), (*host).to_owned()))
            .collect()
    };
    let variants = [
        hosts(&[]),
        hosts(&[("default", "one.example")]),
        hosts(&[("default", "two.example")]),
        hosts(&[("extra", "one.example")]),
        hosts(&[("default", "one.example"), ("extra", "two.example")]),
        hosts(&[("gone", "one.example")]),
        hosts(&[("default", "one.example"), ("gone", "one.example")]),
    ];
    let (mut same, mut other) = (0, 0);
    let account = &site().accounts[1];
    for seen in &variants {
        let evidence = GroupEvidence {
            newest_at: jiff::Timestamp::UNIX_EPOCH,
            asked_twice: false,
            counted_at: None,
            unbroken_since: jiff::Timestamp::UNIX_EPOCH,
            accounts: ByAccount::from_iter([(
                account.key(&"west".into()),
                AccountEvidence {
                    hosts: seen.clone(),
                    ..seen_at(String::new())
                },
            )]),
        };
        for evidence in [None, Some(&evidence)] {
            for known in &variants {
                let mut answer = site().answer();
                if let Some(media) = &mut answer.accounts.media_services {
                    media.streaming_hosts = known.clone();
                }
                let is_same = site().answer_seen(evidence, &answer) == answer;
                assert_eq!(
                    site().is_answered_by(evidence, &answer),
                    is_same,
                    "{seen:?} {known:?}"
                );
                *(if is_same { &mut same } else { &mut other }) += 1;
            }
        }
    }
    assert!(same > 20 && other > 20, "{same} {other}");
}

#[test]
fn evidence_is_found_by_site_service_and_name() {
    let mut north = site();
    north.name = "north".into();
    let west = site();
    let all = || {
        let sites = [&west, &north].into_iter();
        sites.flat_map(|site| site.accounts.iter().map(move |one| (site, one)))
    };
    let evidence = GroupEvidence {
        newest_at: jiff::Timestamp::UNIX_EPOCH,
        asked_twice: false,
        counted_at: None,
        unbroken_since: jiff::Timestamp::UNIX_EPOCH,
        accounts: all()
            .map(|(site, account)| account.key(&site.name))
            .map(|key| (key.clone(), seen_at(key.to_string())))
            .collect(),
    };
    assert_eq!(evidence.accounts.len(), 6);
    for (site, account) in all() {
        let found = evidence
            .of(&site.name, account)
            .map(|seen| &seen.newest.host);
        assert_eq!(found, Some(&account.key(&site.name).to_string()));
    }
    let west: SiteName = "west".into();
    assert_eq!(evidence.of(&west, &http("other", "")), None);
    assert_eq!(evidence.of(&"east".into(), &http("same", "")), None);
}

fn seen_at(host: String) -> AccountEvidence {
    AccountEvidence {
        newest: Sample {
            at: jiff::Timestamp::UNIX_EPOCH,
            outcome: Outcome::Ok,
            latency_ms: 1,
            detail: None,
            host,
        },
        window: Vec::new(),
        failures: 0,
        recoveries: 0,
        standing: Verdict::Healthy,
        first_failed_at: None,
        unhealthy: None,
        well_since: None,
        hosts: BTreeMap::new(),
        states: BTreeMap::new(),
    }
}
