//! The main job, end to end: the real binary as the host runs it, the timer and the HTTP functions in
//! processes of their own, Azurite for the store, the simulator for Azure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(dead_code)]

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/handler.rs"]
mod handler;
#[path = "support/stage.rs"]
mod stage;

#[path = "end_to_end/no_move.rs"]
mod no_move;
#[path = "end_to_end/outage.rs"]
mod outage;
