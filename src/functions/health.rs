//! Is the app itself well: for uptime checks, so it is public and holds no secret.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::gate::Ready;

/// `GET health`: 200 when all is well, else 503 with the reasons.
pub async fn door(Ready(app): Ready) -> Response {
    let wellbeing = app.wellbeing().await;
    let (status, word) = if wellbeing.reasons.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "failing")
    };
    let body = json!({
        "status": word,
        "reasons": wellbeing.reasons,
        "vantage": wellbeing.vantage,
        "lastSweep": wellbeing.last_sweep,
        "notCovered": wellbeing.not_covered,
        "groups": wellbeing.groups,
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(body)).into_response()
}
