//! The packaged folder in the hands of a strict Functions host: every function, both HTTP modes, processes apart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

#[path = "support/alert_bodies.rs"]
mod alert_bodies;
#[path = "support/host/mod.rs"]
mod host;
#[path = "support/program.rs"]
mod program;

#[path = "host/alone.rs"]
mod alone;
#[path = "host/broken.rs"]
mod broken;
#[path = "host/clocks.rs"]
mod clocks;
#[path = "host/doors.rs"]
mod doors;
#[path = "host/nasty.rs"]
mod nasty;
#[path = "host/outside.rs"]
mod outside;
#[path = "host/package.rs"]
mod package;
#[path = "host/passing.rs"]
mod passing;
