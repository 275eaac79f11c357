//! Connections that take and do not give: silent ones, heads and bodies without an end, bodies that are too
//! large. Each is closed in the end, others are served meanwhile, and memory stays bounded.

use futures::future::join_all;
use tokio::time::{Duration, sleep};

use crate::stage::{Caller, LOOKUP, Stage, connections};
use crate::used::used_by;

/// The process may have this much memory, in MiB, whatever is done to it. A debug build at rest has about 30.
const BOUND: f64 = 160.0;

const BEGUN: &[u8] = b"GET /api/groups/contoso/active HTTP/1.1\r\nhost: 127.0.0.1\r\nx-sl";

async fn callers(stage: &Stage, count: usize) -> Vec<Caller> {
    let mut callers = Vec::with_capacity(count);
    for _ in 0..count {
        callers.push(stage.call().await);
    }
    callers
}

fn bounded(stage: &Stage, what: &str) {
    let used = used_by(stage.handler.pid()).expect("the process is there");
    assert!(used.peak < BOUND, "{what}: {used:.0?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_that_say_nothing_take_nothing_from_others() {
    let stage = Stage::set().await;
    let mut silent = Vec::new();
    let all = connections(10_000);
    while silent.len() < all {
        silent.extend(callers(&stage, 500.min(all - silent.len())).await);
        stage.serves().await;
    }
    bounded(&stage, "silent connections");
    stage.is_well().await;
    // The newest are still there, and what they say now is answered.
    let newest = silent.last_mut().expect("there are some");
    assert!(
        newest
            .say(format!("GET {LOOKUP} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .await
    );
    assert_eq!(newest.answer().await.expect("an answer").0, 200);
    drop(silent);
    stage.is_well().await;
    bounded(&stage, "after the silent connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_without_an_end_are_closed() {
    let stage = Stage::set().await;
    let mut half = callers(&stage, connections(3_000)).await;
    for caller in &mut half {
        assert!(caller.say(BEGUN).await);
    }
    stage.serves().await;
    // One of them goes on for ever, a byte at a time.
    let mut slow = stage.call().await;
    assert!(slow.say(BEGUN).await);
    while slow.say(b"x").await {
        stage.serves().await;
        sleep(Duration::from_millis(100)).await;
    }
    for caller in &mut half {
        assert!(caller.end().await.iter().all(|status| *status >= 400));
    }
    bounded(&stage, "half a head");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_heads_are_closed() {
    let stage = Stage::set().await;
    let flood = async || {
        let mut caller = stage.call().await;
        let piece = vec![b'x'; 64 * 1024];
        let mut goes_on = caller.say(BEGUN).await;
        let mut said = 0_usize;
        while goes_on {
            said += piece.len();
            assert!(said < 64 * 1024 * 1024, "it is read without an end");
            goes_on = caller.say(&piece).await;
        }
    };
    join_all((0..40).map(|_| flood())).await;
    stage.serves().await;
    bounded(&stage, "endless heads");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_are_given_up() {
    let stage = Stage::set().await;
    for length in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let drip = async || {
            let mut caller = stage.call().await;
            let head = format!("POST /api/alerts HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n");
            assert!(caller.say(head.as_bytes()).await);
            let is_chunked = length.contains("chunked");
            let piece: &[u8] = if is_chunked { b"1\r\n \r\n" } else { b" " };
            while caller.say(piece).await {
                sleep(Duration::from_millis(100)).await;
            }
            // The answer may be lost to the reset that ended our writing.
            let statuses = caller.end().await;
            assert!(statuses.is_empty() || statuses == [400], "{statuses:?}");
        };
        let others = async {
            for _ in 0..20 {
                stage.serves().await;
                sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::join!(join_all((0..100).map(|_| drip())), others);
    }
    bounded(&stage, "slow bodies");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_are_refused_and_not_kept() {
    let stage = Stage::set().await;
    let piece = "x".repeat(64 * 1024);
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    for path in ["/api/alerts", "/api/groups/contoso/pause", "/HealthCheck"] {
        for (length, piece, end) in [
            ("content-length: 10485760", piece.as_str(), ""),
            ("transfer-encoding: chunked", chunk.as_str(), "0\r\n\r\n"),
        ] {
            let send = async || {
                let mut caller = stage.call().await;
                let head = format!(
                    "POST {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: Azure-Functions-Host/4\r\n{length}\r\n\r\n"
                );
                assert!(caller.say(head.as_bytes()).await);
                for _ in 0..160 {
                    assert!(
                        caller.say(piece.as_bytes()).await,
                        "the sender gets to the end"
                    );
                }
                assert!(caller.say(end.as_bytes()).await);
                assert_eq!(
                    caller.answer().await.expect("an answer").0,
                    413,
                    "{path} {length}"
                );
            };
            tokio::join!(join_all((0..20).map(|_| send())), stage.serves());
        }
    }
    // One that never ends is not read for ever.
    let mut endless = stage.call().await;
    let head = "POST /api/alerts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(endless.say(head.as_bytes()).await);
    let mut said = 0;
    while endless.say(chunk.as_bytes()).await {
        said += 1;
        assert!(said < 4_096, "256 MiB were taken");
    }
    bounded(&stage, "large bodies");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bodies_of_the_largest_size_at_once_take_turns() {
    let stage = Stage::set().await;
    let body = format!("{{\"schemaId\":\"{}", "x".repeat(1_000_000));
    let head = "POST /api/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n";
    let mut all = callers(&stage, connections(400)).await;
    let hold = all.iter_mut().map(|caller| async {
        caller.say(format!("{head}{body}").as_bytes()).await;
        caller.end().await
    });
    let (ends, ()) = tokio::join!(join_all(hold), stage.serves());
    assert!(
        ends.iter().flatten().all(|status| *status == 400),
        "{ends:?}"
    );
    bounded(&stage, "many large bodies");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rests_is_kept() {
    let stage = Stage::set().await;
    let request = format!("GET {LOOKUP} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut resting = stage.call().await;
    assert!(resting.say(request.as_bytes()).await);
    assert_eq!(resting.answer().await.expect("an answer").0, 200);
    // A head that began later than the answer was given up has waited for longer than a head may.
    let mut half = stage.call().await;
    assert!(half.say(BEGUN).await);
    assert!(half.end().await.is_empty());
    assert!(resting.say(request.as_bytes()).await);
    assert_eq!(resting.answer().await.expect("an answer").0, 200);
    stage.is_well().await;
}
