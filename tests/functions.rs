//! The doors: every status and error, the timer's envelope, the bindings beside the code, and the binary as
//! the host runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/doors.rs"]
mod doors;
#[path = "support/handler.rs"]
mod handler;
#[path = "support/program.rs"]
mod program;
#[path = "support/rows.rs"]
mod rows;

#[path = "functions/alert.rs"]
mod alert;
#[path = "functions/bindings.rs"]
mod bindings;
#[path = "functions/crowd.rs"]
mod crowd;
#[path = "functions/groups.rs"]
mod groups;
#[path = "functions/lookup.rs"]
mod lookup;
#[path = "functions/orders.rs"]
mod orders;
#[path = "functions/process.rs"]
mod process;
#[path = "functions/timer.rs"]
mod timer;
