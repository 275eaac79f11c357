//! Transforms and jobs: states, order, filters, pages.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::Value;
use understudy::sim::{Fault, Job, JobState, Kind, Scope, Service, World};

use super::azure::*;

const JOBS: &str = "/transforms/encode/jobs";

fn state(job: &Value) -> &str {
    job["properties"]["state"].as_str().unwrap()
}

fn created(job: &Value) -> Timestamp {
    let text = job["properties"]["created"].as_str().unwrap();
    text.parse().unwrap()
}

/// Every job, over all pages; and how many pages there were.
async fn all_jobs(azure: &Azure, below: &str) -> (Vec<Value>, usize) {
    let mut page = azure.media_body("ms-weu", below).await;
    let mut jobs = Vec::new();
    let mut pages = 1;
    loop {
        jobs.extend(page["value"].as_array().unwrap().clone());
        let Some(next) = page["@odata.nextLink"].as_str().map(str::to_owned) else {
            return (jobs, pages);
        };
        page = body(azure.arm(Method::GET, &next).await, 200).await;
        pages += 1;
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let mut world = World::two_regions_streaming();
    world.media[0].transforms = ["a", "b", "c"].map(str::to_owned).to_vec();
    world.media_page_size = 2;
    let azure = Azure::start(world).await;
    let first = azure.media_body("ms-weu", "/transforms").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = first["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&azure.media_url("ms-weu")), "{next}");
    let second = body(azure.arm(Method::GET, next).await, 200).await;
    assert_eq!(second["value"][0]["name"], "c");
    assert!(second["@odata.nextLink"].is_null());
    assert_eq!(azure.sim.count_of(Kind::Transforms, "ms-weu"), 2);
    let one = azure.media_body("ms-weu", "/transforms/B").await;
    assert_eq!(one["name"], "b");
    let none = azure
        .media(Method::GET, "ms-weu", "/transforms/x/jobs")
        .await;
    body(none, 404).await;
    let (jobs, pages) = all_jobs(&azure, "/transforms/a/jobs").await;
    assert_eq!((jobs.len(), pages), (37, 19));
}

#[tokio::test]
async fn jobs_pass_through_their_states() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let (jobs, pages) = all_jobs(&azure, JOBS).await;
    assert_eq!((jobs.len(), pages), (37, 2));
    assert!(jobs.is_sorted_by_key(created));
    let waiting = |job: &&Value| ["Queued", "Scheduled"].contains(&state(job));
    assert!(jobs.iter().filter(waiting).count() <= 1);
    let finished = jobs.iter().find(|job| state(job) == "Finished").unwrap();
    for key in ["startTime", "endTime"] {
        assert!(finished["properties"][key].is_string());
        assert!(finished["properties"]["outputs"][0][key].is_string());
    }
    let failed = jobs.iter().find(|job| state(job) == "Error").unwrap();
    assert_eq!(
        failed["properties"]["outputs"][0]["error"]["retry"],
        "MayRetry"
    );
    let name = failed["name"].as_str().unwrap();
    let one = azure.media_body("ms-weu", &format!("{JOBS}/{name}")).await;
    assert_eq!(&one, failed);
}

#[tokio::test]
async fn jobs_are_filtered_and_ordered_as_asked() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let filter = "?$filter=properties/state eq Microsoft.Media.JobState'Error'";
    let (failed, _) = all_jobs(&azure, &format!("{JOBS}{filter}")).await;
    assert!((3..=4).contains(&failed.len()));
    assert!(failed.iter().all(|job| state(job) == "Error"));
    let since = Timestamp::now() - SignedDuration::from_hours(1);
    let query =
        format!("?$orderby=properties/created desc&$filter=properties/created gt {since:.0}");
    let (newest, _) = all_jobs(&azure, &format!("{JOBS}{query}")).await;
    assert!((5..=7).contains(&newest.len()), "{}", newest.len());
    assert!(newest.is_sorted_by(|one, other| created(one) > created(other)));
    let both = format!("{filter} and properties/created gt {since:.0}");
    let (both, _) = all_jobs(&azure, &format!("{JOBS}{both}")).await;
    assert!(both.len() <= 1);
    for query in [
        "?$filter=properties/state eq 'Nowhere'",
        "?$filter=name eq 'x'",
        "?$filter=properties/state eq Microsoft.Media.JobState'Error' or true",
        "?$orderby=name",
        "?$orderby=properties/created sideways",
        "?$skiptoken=soon",
    ] {
        let answer = azure
            .media(Method::GET, "ms-weu", &format!("{JOBS}{query}"))
            .await;
        assert_eq!(
            body(answer, 400).await["error"]["code"],
            "BadRequest",
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_stuck_region_encodes_nothing_while_its_api_answers() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let age = Duration::from_secs(2 * 3_600);
    let since = Timestamp::now() - SignedDuration::from_secs(2 * 3_600);
    azure.sim.set(
        Service::MediaServices,
        Scope::region("westeurope"),
        Fault::Stuck(age),
    );
    let (jobs, _) = all_jobs(&azure, JOBS).await;
    let late = SignedDuration::from_secs(60);
    let (stuck, rest): (Vec<_>, Vec<_>) = jobs
        .iter()
        .partition(|job| ["Queued", "Scheduled"].contains(&state(job)));
    assert!(stuck.len() >= 11, "{}", stuck.len());
    assert!(rest.iter().all(|job| created(job) <= since + late));
    let elsewhere = azure.media_body("ms-neu", JOBS).await;
    let elsewhere = elsewhere["value"].as_array().unwrap();
    assert!(elsewhere.iter().any(|job| state(job) == "Finished"));
}

#[tokio::test]
async fn a_transform_can_be_given_its_jobs() {
    let azure = Azure::start(World::two_regions_streaming()).await;
    let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let job = Job {
        name: "match".to_owned(),
        state: JobState::Canceled,
        created: at,
        last_modified: at,
        started: None,
        ended: Some(at),
    };
    azure.sim.set_jobs("ms-weu", "encode", vec![job]);
    let (jobs, _) = all_jobs(&azure, JOBS).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["name"], "match");
    assert_eq!(state(&jobs[0]), "Canceled");
    assert!(jobs[0]["properties"]["startTime"].is_null());
    azure.sim.set_jobs("ms-weu", "encode", Vec::new());
    assert_eq!(all_jobs(&azure, JOBS).await.0, Vec::<Value>::new());
}
