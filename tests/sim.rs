//! The simulator over real HTTP: shapes, authentication, every fault, counters, breaking and mending.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "sim/azure.rs"]
mod azure;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/panel.rs"]
mod panel;
#[path = "sim/shapes.rs"]
mod shapes;
