//! The map of Understudy: which floor holds what. Arrows point only downward:
//!
//! ```text
//! functions, cli, local  ->  controller  ->  { decision || adapters }  ->  model
//! ```
//!
//! `config` turns settings into model types, `telemetry` sets up logging, `sim` stands in for Azure
//! in the demo and the tests and is reachable by no verb that Azure starts, `bundle` holds what Azure reads
//! beside the binary.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod adapters;
pub mod bundle;
pub mod cli;
pub mod config;
pub mod controller;
pub mod decision;
pub mod functions;
pub mod local;
pub mod model;
pub mod sim;
pub mod telemetry;
