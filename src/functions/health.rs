//! Is the app itself well: for uptime checks, so it is public and holds no secret.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::gate::Ready;

/// The code of the answer of an app that is not well.
const UNWELL: &str = "AppNotWell";

/// `GET health`: 200 when all is well, else 503 with the reasons.
pub async fn door(Ready(app): Ready) -> Response {
    let wellbeing = app.wellbeing().await;
    let is_well = wellbeing.reasons.is_empty();
    let word = if is_well { "ok" } else { "failing" };
    let mut body = json!({
        "status": word,
        "reasons": wellbeing.reasons,
        "vantage": wellbeing.vantage,
        "lastSweep": wellbeing.last_sweep,
        "notCovered": wellbeing.not_covered,
        "groups": wellbeing.groups,
        "version": env!("CARGO_PKG_VERSION"),
    });
    if is_well {
        return Json(body).into_response();
    }
    // An error like any other, for whoever looks only at that.
    body["error"] = json!({"code": UNWELL, "message": wellbeing.reasons.join("; ")});
    let code = [("x-ms-error-code", UNWELL)];
    (StatusCode::SERVICE_UNAVAILABLE, code, Json(body)).into_response()
}
