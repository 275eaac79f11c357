//! How the world is reached. Foreign shapes end here; nothing here chooses.

pub mod azure;
pub mod probe;
pub mod store;
