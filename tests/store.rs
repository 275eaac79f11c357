//! The store over everything it may stand on: Azurite with a key, Azurite with a SAS, a local file;
//! and over a network that loses answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "store/alert_storms.rs"]
mod alert_storms;
#[path = "store/alerts.rs"]
mod alerts;
#[path = "support/azurite.rs"]
mod azurite;
#[path = "store/faults.rs"]
mod faults;
#[path = "store/fixtures.rs"]
mod fixtures;
#[path = "store/foreign.rs"]
mod foreign;
#[path = "store/meaning.rs"]
mod meaning;
#[path = "store/pages.rs"]
mod pages;
#[path = "store/rows.rs"]
mod rows;
#[path = "store/secrecy.rs"]
mod secrecy;
#[path = "support/table_proxy.rs"]
mod table_proxy;
