//! What several test binaries share. Each uses a part of it.
#![allow(dead_code)]

pub mod alert_bodies;
pub mod azure;
