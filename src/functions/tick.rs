//! The timer's cycle for an outside scheduler, where the platform's timer has died.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::fault::Fault;
use super::gate::Ready;
use super::{health_check, input};

/// `POST tick`. What a scheduler sends along is read, so that it gets its answer, and means nothing.
///
/// # Errors
/// 503 where state could not be read or committed, 413 for a body that is too large.
pub async fn door(Ready(app): Ready, body: Body) -> Result<Response, Fault> {
    input::read(body).await?;
    let report = health_check::run(&app).await.map_err(Fault::store)?;
    Ok(Json(json!({
        "counted": report.counted,
        "probed": report.probed,
        "notCovered": report.not_covered,
        "notes": report.notes,
    }))
    .into_response())
}
