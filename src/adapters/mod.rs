//! How the world is reached. Foreign shapes end here; nothing here chooses.
//!
//! | looking for | folder |
//! | --- | --- |
//! | rows of groups, heartbeats, history | `store` |
//! | one attempt to reach one account | `probe` |
//! | identity, tokens, ARM | `azure` |
//! | one step of a move | `activation` |
//! | Azure Monitor's webhooks | `alert` |

pub mod activation;
pub mod alert;
pub mod azure;
pub mod http;
pub mod probe;
pub mod store;
