//! Who is asking: the doors that the Functions host opens. Parse, call the controller once, render.
//!
//! | looking for | file |
//! | --- | --- |
//! | the port, and how the app is put together | `serve` |
//! | why a request waits at a cold start | `gate` |
//! | how many connections, and how long they may say nothing | `connections` |
//! | which path leads to which door | `router` |
//! | the timer's envelope, and who may send it | `health_check`, `guard` |
//! | the lookup | `active` |
//! | groups and history | `groups` |
//! | orders, and who gives them | `order`, `who` |
//! | Azure Monitor's webhooks | `alert` |
//! | the timer's cycle for an outside scheduler | `tick` |
//! | is the app itself well | `health` |
//! | the page for people | `status` |
//! | how a group looks as JSON | `render` |
//! | bodies and parameters | `input` |
//! | what is answered when something is wrong | `fault` |

pub mod active;
pub mod alert;
pub mod connections;
pub mod fault;
pub mod gate;
pub mod groups;
pub mod guard;
pub mod health;
pub mod health_check;
pub mod input;
pub mod order;
pub mod render;
pub mod router;
pub mod serve;
pub mod status;
pub mod tick;
pub mod who;

pub use serve::serve;
