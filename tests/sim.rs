//! The simulator over real HTTP: shapes, authentication, every fault, counters, breaking and mending.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "sim/azure.rs"]
mod azure;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/media.rs"]
mod media;
#[path = "sim/media_faults.rs"]
mod media_faults;
#[path = "sim/media_jobs.rs"]
mod media_jobs;
#[path = "sim/media_rules.rs"]
mod media_rules;
#[path = "sim/mkio.rs"]
mod mkio;
#[path = "sim/panel.rs"]
mod panel;
#[path = "sim/shapes.rs"]
mod shapes;
#[path = "sim/streaming.rs"]
mod streaming;
