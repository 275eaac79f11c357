//! The real binary against a fake app: every verb, every flag, what is sent, what is printed, the exit
//! codes. What is asked on a terminal is tested beside the code that asks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/fake_api.rs"]
mod fake_api;
mod looking;
mod ordering;
#[path = "../support/program.rs"]
mod program;
mod runbook;
mod settings;
mod signals;
mod wire;

use fake_api::FakeApi;
use program::{Ran, run, understudy};
use serde_json::{Value, json};

const KEY: &str = "s3cret-key-of-the-app";
const ORDERS: [&str; 8] = [
    "failover",
    "switchover",
    "failback",
    "cancel",
    "pause",
    "resume",
    "acknowledge",
    "drill",
];

/// Runs a verb against the fake.
fn ask(api: &FakeApi, arguments: &[&str]) -> Ran {
    run(understudy()
        .args(arguments)
        .args(["--url", api.url(), "--key", KEY]))
}

fn group() -> Value {
    json!({
        "group": "contoso", "tenant": "contoso", "mode": "automatic", "generation": 7,
        "phase": "settled", "active": "northeurope",
        "since": "2026-11-22T02:36:16.123Z", "asOf": "2026-11-22T02:40:00Z",
        "sites": [
            {"site": "westeurope", "region": "westeurope", "role": "primary", "verdict": "unhealthy",
             "accounts": [{"service": "videoIndexer", "name": "vi-weu", "verdict": "unhealthy",
                "streak": {"outcome": "failed", "rounds": 3},
                "lastProbe": {"at": "2026-11-22T02:39:30Z", "outcome": "failed", "latencyMs": 10000,
                    "detail": "timed out after 10 s", "vantage": "francecentral"}}]},
            {"site": "northeurope", "region": "northeurope", "role": "secondary", "verdict": "healthy",
             "accounts": [{"service": "videoIndexer", "name": "vi-neu", "verdict": "healthy",
                "streak": null, "lastProbe": null}]},
        ],
        "signals": [{"id": "AB12-345", "kind": "serviceHealth", "region": "westeurope",
            "service": "Azure Video Indexer", "stage": "active",
            "receivedAt": "2026-11-22T02:35:00Z", "expiresAt": "2026-11-22T04:35:00Z"}],
        "hold": null, "paused": null, "move": null,
        "explanation": ["northeurope serves since 02:36.", "No move is asked for."],
    })
}

fn moving() -> Value {
    let mut group = group();
    group["phase"] = json!("moving");
    group["move"] = json!({"id": "m1", "generation": 8, "kind": "failover", "from": "northeurope",
        "to": "westeurope", "cause": "order", "startedAt": "2026-11-22T02:41:00Z", "flippedAt": null,
        "steps": [{"name": "start streaming endpoint default", "state": "running", "attempts": 1,
            "detail": null}]});
    group
}

fn listed(name: &str) -> Value {
    json!({
        "group": name, "tenant": null, "mode": "observe", "generation": 1, "phase": "settled",
        "active": "a", "since": "2026-11-22T02:36:16Z", "asOf": "2026-11-22T02:40:00Z",
        "sites": [{"site": "a", "region": "a", "role": "primary", "verdict": "unhealthy"},
                  {"site": "b", "region": "b", "role": "secondary", "verdict": "healthy"}],
        "hold": {"code": "ObserveMode", "message": "the group only observes"},
        "paused": null, "move": null,
    })
}

fn entry() -> Value {
    json!({
        "at": "2026-11-22T02:36:16Z", "generation": 7, "rule": "S3", "kind": "failover",
        "from": "westeurope", "to": "northeurope", "actor": "understudy",
        "reason": "westeurope is unhealthy", "cause": "automatic", "evidence": [],
        "times": {"firstFailedAt": "2026-11-22T02:33:46Z", "unhealthyAt": "2026-11-22T02:34:46Z",
            "decidedAt": "2026-11-22T02:36:16Z", "flippedAt": "2026-11-22T02:36:16Z"},
    })
}
