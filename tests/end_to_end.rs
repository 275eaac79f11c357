//! The main job, end to end: the real binary as the host runs it, the timer and the HTTP functions in
//! processes of their own, Azurite for the store, the simulator for Azure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(dead_code)]

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/handler.rs"]
mod handler;
#[path = "support/host/mod.rs"]
mod host;
#[path = "host/package.rs"]
mod package;
#[path = "support/program.rs"]
mod program;
#[path = "support/stage.rs"]
mod stage;
#[path = "support/table_proxy.rs"]
mod table_proxy;

#[path = "end_to_end/alert_answers.rs"]
mod alert_answers;
#[path = "end_to_end/alerts.rs"]
mod alerts;
#[path = "end_to_end/bad_days.rs"]
mod bad_days;
#[path = "end_to_end/bad_input.rs"]
mod bad_input;
#[path = "end_to_end/bars.rs"]
mod bars;
#[path = "end_to_end/contested.rs"]
mod contested;
#[path = "end_to_end/crashes.rs"]
mod crashes;
#[path = "end_to_end/full_pass.rs"]
mod full_pass;
#[path = "end_to_end/identity.rs"]
mod identity;
#[path = "end_to_end/no_move.rs"]
mod no_move;
#[path = "end_to_end/orders.rs"]
mod orders;
#[path = "end_to_end/outage.rs"]
mod outage;
#[path = "end_to_end/races.rs"]
mod races;
#[path = "end_to_end/record.rs"]
mod record;
#[path = "end_to_end/restarts.rs"]
mod restarts;
#[path = "end_to_end/rows.rs"]
mod rows;
#[path = "end_to_end/secret_echoes.rs"]
mod secret_echoes;
#[path = "end_to_end/secret_terminal.rs"]
mod secret_terminal;
#[path = "end_to_end/secret_values.rs"]
mod secret_values;
#[path = "end_to_end/secrets.rs"]
mod secrets;
#[path = "end_to_end/step_faults.rs"]
mod step_faults;
#[path = "end_to_end/step_kills.rs"]
mod step_kills;
#[path = "end_to_end/streaming.rs"]
mod streaming;
#[path = "end_to_end/streaming_cold.rs"]
mod streaming_cold;
#[path = "end_to_end/streaming_hosts.rs"]
mod streaming_hosts;
#[path = "end_to_end/terminal.rs"]
mod terminal;
