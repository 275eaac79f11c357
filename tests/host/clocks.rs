//! Timers with a past and a policy: what is missed, what runs at the start, what is tried again; ours among them.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use understudy::local::monitor::Status;

use crate::host::clock::Ran;
use crate::host::wire::{Message, Payload};
use crate::host::{Host, HostOptions, Mode, Split};
use crate::package::{Package, configured};
use crate::passing::odd_app;

const TIMER: &str = r#""schedule":"0 0 0 1 1 *""#;
const HOURLY: &str = "0 0 * * * *";

/// The odd handler's app with one timer, whose file has this in the place of its schedule.
fn odd_timer(name: &str, config: &str) -> Package {
    let package = odd_app(&[(name, None)]);
    package.edit(&format!("{name}/function.json"), TIMER, config);
    package
}

fn options(statuses: Option<&Path>) -> HostOptions {
    HostOptions {
        clock: true,
        statuses: statuses.map(Path::to_owned),
        ..HostOptions::default()
    }
    .setting("PATH", &std::env::var("PATH").unwrap())
}

/// A run two hours and a half ago, and the next one that was due after it.
fn missed() -> Status {
    let schedule = understudy::local::schedule::Schedule::parse(HOURLY).unwrap();
    let last = Timestamp::now() - SignedDuration::from_mins(150);
    Status {
        last: Some(last),
        next: schedule.next_after(last).unwrap(),
        updated: Some(last),
    }
}

fn store(folder: &Path, name: &str, status: &Status) {
    std::fs::write(folder.join(name), json!(status).to_string()).unwrap();
}

fn stored(folder: &Path, name: &str) -> Option<Status> {
    let bytes = std::fs::read(folder.join(name)).ok()?;
    Status::from_json(&serde_json::from_slice(&bytes).ok()?)
}

/// What the odd handler says that it was sent.
fn seen(ran: &Ran) -> (Value, String) {
    let logs = ran.run.as_ref().unwrap();
    (serde_json::from_str(&logs[0]).unwrap(), logs[1].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_run_is_made_up_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let package = odd_timer(
        "Echo",
        &format!(r#""schedule":"{HOURLY}","runOnStartup":true"#),
    );
    let past = missed();
    store(folder.path(), "Echo", &past);
    let host = Host::start(&package.root(), options(Some(folder.path())))
        .await
        .unwrap();
    assert!(host.silent().is_empty());
    let ran = host.ran(1).await;
    let (envelope, _) = seen(&ran[0]);
    let timer = &envelope["Data"]["timer"];
    // It goes before a run at the start, and tells of the first that was missed.
    assert_eq!(timer["IsPastDue"], true);
    assert_eq!(timer["ScheduleStatus"], json!(past));
    host.stop().await;
    // The next host finds that nothing is missing, and runs at its start.
    let after = stored(folder.path(), "Echo").unwrap();
    assert!(after.last > past.last && after.next > Timestamp::now() - SignedDuration::from_mins(1));
    let host = Host::start(&package.root(), options(Some(folder.path())))
        .await
        .unwrap();
    let ran = host.ran(1).await;
    let (envelope, _) = seen(&ran[0]);
    assert_eq!(envelope["Data"]["timer"]["IsPastDue"], false);
    assert_eq!(envelope["Data"]["timer"]["ScheduleStatus"], json!(after));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_stores_when_it_is_due_and_a_hand_leaves_no_mark() {
    let folder = tempfile::tempdir().unwrap();
    let package = odd_timer("Echo", &format!(r#""schedule":"{HOURLY}""#));
    let host = Host::start(&package.root(), options(Some(folder.path())))
        .await
        .unwrap();
    let began = std::time::Instant::now();
    while stored(folder.path(), "Echo").is_none() {
        assert!(began.elapsed().as_secs() < 60, "nothing was stored");
        tokio::task::yield_now().await;
    }
    let first = stored(folder.path(), "Echo").unwrap();
    assert!(first.last.is_none() && first.updated.is_some());
    let ask = Message::new("POST", "/admin/functions/echo")
        .header("x-functions-key", &host.keys().master)
        .header("Content-Type", "application/json")
        .body(Payload::Sized(b"{}".to_vec()));
    assert_eq!(host.call(ask).await.status, 202);
    let (envelope, _) = seen(&host.ran(1).await[0]);
    assert_eq!(envelope["Data"]["timer"]["IsPastDue"], false);
    assert_eq!(envelope["Data"]["timer"]["ScheduleStatus"], json!(first));
    assert_eq!(stored(folder.path(), "Echo").unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitored_timer_needs_the_apps_storage() {
    let package = odd_timer(
        "Echo",
        &format!(r#""schedule":"{HOURLY}","runOnStartup":true"#),
    );
    let host = Host::start(&package.root(), options(None)).await.unwrap();
    assert!(host.silent()["Echo"].contains("ScheduleMonitor"));
    assert!(host.fire("Echo").await.is_ok(), "it can be run by hand");
    // Without a monitor it needs none, and runs at each start.
    let unmonitored = format!(r#""schedule":"{HOURLY}","runOnStartup":true,"useMonitor":false"#);
    let package = odd_timer("Echo", &unmonitored);
    let host = Host::start(&package.root(), options(None)).await.unwrap();
    let (envelope, id) = seen(&host.ran(1).await[0]);
    let timer = &envelope["Data"]["timer"];
    assert_eq!(
        (&timer["IsPastDue"], &timer["ScheduleStatus"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(id, host.ran(1).await[0].invocation.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_tried_again_under_new_ids() {
    let package = odd_app(&[("Flaky", None), ("Fails", None)]);
    let policy = r#"{"retry": {"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:01"}, "#;
    for name in ["Flaky", "Fails"] {
        package.edit(
            &format!("{name}/function.json"),
            "{\"bindings\"",
            &format!("{policy}\"bindings\""),
        );
    }
    let host = Host::start(
        &package.root(),
        HostOptions {
            clock: false,
            ..options(None)
        },
    )
    .await
    .unwrap();
    assert!(host.fire("Flaky").await.is_ok());
    let ran = host.ran(3).await;
    let retry = |ran: &Ran| ran.body["Metadata"]["RetryContext"].clone();
    let first = ran[0].body["Data"].clone();
    for (index, ran) in ran.iter().enumerate() {
        assert_eq!(
            (&retry(ran)["RetryCount"], &retry(ran)["MaxRetryCount"]),
            (&json!(index), &json!(2))
        );
        assert_eq!(retry(ran)["Exception"].is_null(), index == 0, "{index}");
        assert_eq!(ran.body["Data"], first, "the same payload");
    }
    let (envelope, id) = seen(&ran[2]);
    assert_eq!(envelope["Metadata"]["RetryContext"]["RetryCount"], 2);
    assert_eq!(id, ran[2].invocation.to_string());
    let mut ids: Vec<_> = ran.iter().map(|ran| ran.invocation).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    // One that fails every time is given up after the last.
    assert!(host.fire("Fails").await.is_err());
    assert_eq!(host.ran(6).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_is_never_overlapped() {
    let package = odd_timer("Slow", r#""schedule":"* * * * * *""#);
    let host = Host::start(&package.root(), options(None)).await.unwrap();
    let begun: Vec<Timestamp> = host
        .ran(3)
        .await
        .iter()
        .map(|ran| {
            ran.body["Metadata"]["sys"]["UtcNow"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    for pair in begun.windows(2) {
        assert!(
            pair[1].duration_since(pair[0]) >= SignedDuration::from_millis(2400),
            "{begun:?}"
        );
    }
}

/// A packaged app whose timer has this in the place of its schedule, without a monitor asked for or refused.
async fn ours(
    package: &Package,
    mode: Mode,
    config: &str,
    statuses: &Path,
) -> (understudy::sim::Simulator, Host) {
    package.edit(
        "HealthCheck/function.json",
        r#""schedule": "*/30 * * * * *",
      "runOnStartup": false,
      "useMonitor": false"#,
        config,
    );
    let options = HostOptions {
        mode: Some(mode),
        clock: true,
        split: Split::Flex,
        statuses: Some(statuses.to_owned()),
        ..HostOptions::default()
    };
    let (sim, options) = configured(package, options).await;
    let host = Host::start(&package.root(), options).await.unwrap();
    assert!(host.errors().is_empty(), "{:?}", host.errors());
    (sim, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn our_timer_makes_up_for_missed_rounds_and_bears_a_policy() {
    for mode in [Mode::Proxying, Mode::Forwarding] {
        let folder = tempfile::tempdir().unwrap();
        let past = missed();
        store(folder.path(), "HealthCheck", &past);
        let package = Package::fresh();
        let file = package.read("HealthCheck/function.json");
        let policy = r#"{ // tried again
  "retry": {"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:00:01", "maximumInterval": "00:00:02",},"#;
        package.write("HealthCheck/function.json", &file.replacen('{', policy, 1));
        let (_sim, host) = ours(
            &package,
            mode,
            &format!(r#""schedule": "{HOURLY}""#),
            folder.path(),
        )
        .await;
        let ran = host.ran(1).await;
        assert_eq!(ran[0].body["Data"]["timer"]["IsPastDue"], true);
        assert_eq!(ran[0].body["Metadata"]["RetryContext"]["MaxRetryCount"], 1);
        let logs = ran[0].run.clone().unwrap();
        assert!(logs[0].contains(" probed"), "{logs:?}");
        let active = host.get("/api/groups/contoso/active").await;
        assert_eq!(active.status, 200, "{}", active.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_timer_runs_at_the_start_where_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let package = Package::fresh();
    let config = format!(r#""schedule": "{HOURLY}", "runOnStartup": true"#);
    let (_sim, host) = ours(&package, Mode::Proxying, &config, folder.path()).await;
    let ran = host.ran(1).await;
    let timer = &ran[0].body["Data"]["timer"];
    assert_eq!(timer["IsPastDue"], false);
    assert_eq!(timer["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    assert!(ran[0].run.is_ok(), "{:?}", ran[0].run);
}
