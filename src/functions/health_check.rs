//! The timer's door: the host posts its envelope here and wants one back.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::gate::{App, Ready};
use super::input;
use crate::controller::tick::TickReport;
use crate::model::words::count;

/// Lines that go into the host's log; the rest is in ours.
const LOGGED: usize = 50;

/// The host's envelope. Only its shape is looked at: what the timer says of its schedule comes in many
/// forms (null, without an offset, as text in text), and a tick may come at any time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Envelope {
    data: Map<String, Value>,
}

impl Envelope {
    /// Reads the body of the host's call.
    ///
    /// # Errors
    /// 400 where it is no envelope.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        input::json(body)
    }

    /// Whether the timer says that it is late.
    #[must_use]
    pub fn is_past_due(&self) -> bool {
        self.data
            .values()
            .any(|input| input.get("IsPastDue").and_then(Value::as_bool) == Some(true))
    }
}

/// One firing of the timer.
///
/// # Errors
/// 400 where the body is no envelope; 500 where state could not be read or committed.
pub async fn door(Ready(app): Ready, body: Body) -> Result<Response, Fault> {
    let body = input::read(body).await?;
    if Envelope::read(&body)?.is_past_due() {
        tracing::info!("the timer is late");
    }
    match run(&app).await {
        Ok(report) => Ok(answer(&report)),
        Err(error) => Err(Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "TickFailed",
            error,
        )),
    }
}

/// Runs a tick.
///
/// # Errors
/// A line that says what could not be read or committed.
pub async fn run(app: &App) -> Result<TickReport, String> {
    let result = app
        .controller
        .tick()
        .await
        .map_err(|error| error.to_string());
    if let Err(error) = &result {
        tracing::error!("the tick failed: {error}");
    }
    result
}

fn answer(report: &TickReport) -> Response {
    let counted = if report.counted {
        "counted"
    } else {
        "did not count"
    };
    let were = if report.probed == 1 { "was" } else { "were" };
    let mut lines = vec![format!(
        "{} {were} probed; the round {counted}",
        count(report.probed, "group")
    )];
    lines.extend(report.notes.iter().take(LOGGED).cloned());
    if report.notes.len() > LOGGED {
        lines.push(format!("and {} more lines", report.notes.len() - LOGGED));
    }
    Json(json!({"Outputs": {}, "Logs": lines, "ReturnValue": null})).into_response()
}
