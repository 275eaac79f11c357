//! Whether an answer is what a site's accounts say, found out without making one.

use super::*;
use crate::model::evidence::{AccountEvidence, GroupEvidence};
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
                activation: Vec::new(),
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
            let answers = site.is_answered_by(&known.answer());
            assert_eq!(
                answers,
                site.answer() == known.answer(),
                "{site:#?} {known:#?}"
            );
            assert_eq!(answers, one == other, "{site:#?} {known:#?}");
        }
    }
    let mut streams = site().answer();
    if let Some(account) = &mut streams.accounts.media_services {
        let host = "stream.example".to_owned();
        account.streaming_hosts.insert("default".to_owned(), host);
    }
    assert!(!site().is_answered_by(&streams));
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
    }
}
