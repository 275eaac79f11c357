//! The local host: routes, the timer's envelope, proxying, the handler's process, and the demo from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "local/app.rs"]
mod app;
#[path = "local/command.rs"]
mod command;
#[path = "local/demo.rs"]
mod demo;
#[path = "local/envelope.rs"]
mod envelope;
#[path = "local/folder.rs"]
mod folder;
#[path = "local/function_json.rs"]
mod function_json;
#[path = "local/host_json.rs"]
mod host_json;
#[path = "local/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "local/proxying.rs"]
mod proxying;
#[path = "local/routes.rs"]
mod routes;
#[path = "local/run.rs"]
mod run;
#[path = "local/stage.rs"]
mod stage;
#[path = "local/story.rs"]
mod story;
#[path = "local/story_streaming.rs"]
mod story_streaming;
#[path = "local/timers.rs"]
mod timers;
