//! The handler's process: its environment, its crashes, its end.

use std::time::Duration;

use understudy::local::leash;

use super::stage::{PATIENCE, Stage, fake, plan, root, timer_function};

const NEVER: &str = "0 0 0 1 1 *";

async fn ended(stage: &mut Stage) -> Result<(), String> {
    tokio::time::timeout(PATIENCE, stage.host.ended())
        .await
        .unwrap()
}

#[tokio::test]
async fn it_gets_the_app_settings_and_the_hosts_variables() {
    let stage = Stage::set(fake(NEVER)).await;
    let seen = stage.json("/api/x").await;
    let variable = |name: &str| seen["environment"][name].as_str().map(str::to_owned);
    assert_eq!(variable("MY_SETTING").as_deref(), Some("mine"));
    let port = variable("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap();
    assert_eq!(
        variable("FUNCTIONS_HTTPWORKER_PORT").as_deref(),
        Some(port.as_str())
    );
    assert_eq!(
        variable("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"),
        variable("FUNCTIONS_HTTPWORKER_ID")
    );
    assert_eq!(
        variable("FUNCTIONS_CUSTOMHANDLER_WORKER_ID").unwrap().len(),
        36
    );
    assert_eq!(
        variable("FUNCTIONS_APP_ROOT_PATH").as_deref(),
        root().to_str()
    );
    assert_eq!(seen["cwd"].as_str(), root().to_str());
    // Nothing of this process's environment but what it was given.
    assert_eq!(variable("CARGO_MANIFEST_DIR"), None);
    assert_eq!(variable(leash::VARIABLE).as_deref(), Some("stdin"));
    stage.ear.hears("printed listening as", 1).await;
}

#[tokio::test]
async fn a_crash_fails_what_was_under_way_and_the_next_request_is_served() {
    let stage = Stage::set(fake(NEVER)).await;
    let first = stage.json("/api/x").await["pid"].clone();
    assert_eq!(stage.status("/api/crash").await, 500);
    stage.ear.hears("starting it again", 1).await;
    let second = stage.json("/api/x").await;
    assert_ne!(second["pid"], first);
}

#[tokio::test]
async fn the_third_crash_ends_the_host_with_an_error() {
    let mut stage = Stage::set(fake(NEVER)).await;
    for crash in 1..=3 {
        assert_eq!(stage.status("/api/crash").await, 500, "crash {crash}");
        if crash < 3 {
            stage.ear.hears("starting it again", crash).await;
        }
    }
    let error = ended(&mut stage).await.unwrap_err();
    assert!(error.contains("third error within 30 minutes"), "{error}");
}

#[tokio::test]
async fn a_handler_that_never_starts_ends_the_host_too() {
    let mut stage = Stage::set(plan(
        "sh",
        &["-c", "echo no good >&2; exit 3"],
        vec![timer_function(NEVER)],
    ))
    .await;
    assert!(ended(&mut stage).await.unwrap_err().contains("third error"));
    stage.ear.hears("printed no good", 3).await;
}

#[tokio::test]
async fn a_handler_that_does_not_answer_in_time_is_an_error() {
    let mut plan = plan("sh", &["-c", "read line"], vec![timer_function(NEVER)]);
    plan.host.initialization_timeout = Duration::from_millis(100);
    let mut stage = Stage::set(plan).await;
    assert!(
        ended(&mut stage)
            .await
            .unwrap_err()
            .contains("did not answer GET /")
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let mut stage = Stage::set(plan("/nowhere/handler", &[], vec![timer_function(NEVER)])).await;
    assert!(
        ended(&mut stage)
            .await
            .unwrap_err()
            .contains("/nowhere/handler")
    );
}

#[tokio::test]
async fn exit_code_200_is_a_restart_and_no_error() {
    let stage = Stage::set(fake(NEVER)).await;
    for time in 1..=4 {
        assert_eq!(stage.status("/api/restart").await, 500);
        stage.ear.hears("asked for a restart", time).await;
    }
    stage.json("/api/x").await;
}

#[tokio::test]
async fn exit_code_0_is_not_restarted() {
    let stage = Stage::set(fake(NEVER)).await;
    assert_eq!(stage.status("/api/leave").await, 500);
    stage.ear.hears("left with exit code 0", 1).await;
    assert_eq!(stage.status("/api/x").await, 500);
    assert_eq!(
        stage
            .ear
            .heard()
            .iter()
            .filter(|line| line.contains("printed listening"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_function_that_takes_too_long_has_the_handler_killed_and_replaced() {
    let mut plan = fake(NEVER);
    plan.host.function_timeout = Some(Duration::from_secs(5));
    let stage = Stage::set(plan).await;
    let first = stage.json("/api/x").await["pid"].clone();
    assert_eq!(stage.status("/api/hang").await, 500);
    stage
        .ear
        .hears("longer than functionTimeout: the handler was killed", 1)
        .await;
    assert_ne!(stage.json("/api/x").await["pid"], first);
}

#[tokio::test]
async fn a_host_that_stops_takes_the_handler_with_it() {
    let stage = Stage::set(fake(NEVER)).await;
    let port = stage.json("/api/x").await["environment"]["FUNCTIONS_CUSTOMHANDLER_PORT"]
        .as_str()
        .unwrap()
        .to_owned();
    stage.host.stop().await;
    let refused = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await;
    assert!(refused.is_err());
}
