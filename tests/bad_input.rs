//! Bad input: what is read here that others wrote, and requests that no honest client sends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(dead_code)]

#[path = "support/handler.rs"]
mod handler;
#[path = "support/program.rs"]
mod program;
// As the benchmarks read it.
#[path = "../benches/support/used.rs"]
mod used;

#[path = "bad_input/connections.rs"]
mod connections;
#[path = "bad_input/findings.rs"]
mod findings;
#[path = "bad_input/properties.rs"]
mod properties;
#[path = "bad_input/requests.rs"]
mod requests;
#[path = "bad_input/stage.rs"]
mod stage;
#[path = "bad_input/subjects/mod.rs"]
mod subjects;
