//! The store: groups, heartbeats, signals and history as rows of one table.

pub mod rows;
