//! The door for Azure Monitor: an action group's webhook, in both schemas.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::fault::Fault;
use super::gate::Ready;
use super::input;
use crate::adapters::alert;
use crate::controller::alert::AlertAnswer;
use crate::controller::now;
use crate::model::name::GroupName;

#[derive(Serialize)]
struct AnswerBody {
    matched: Vec<GroupName>,
    ignored: Vec<IgnoredBody>,
}

#[derive(Serialize)]
struct IgnoredBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<GroupName>,
    why: String,
}

/// `POST alerts`. Answered once the alert is durable, before any probe.
///
/// # Errors
/// 400 for a body that is no alert of Azure Monitor, 413 for one that is too large, 503 where it could not be
/// kept, so that Azure sends it again.
pub async fn door(Ready(app): Ready, body: Body) -> Result<Response, Fault> {
    let body = input::read(body).await?;
    let message = alert::read(&body, now()).map_err(|error| Fault::invalid(error.to_string()))?;
    tracing::info!(
        id = %message.id,
        kind = ?message.kind,
        stage = ?message.stage,
        "an alert came in: {}",
        message.id
    );
    let id = message.id.clone();
    let mut answer = match app.controller.take_alert(message).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(
                id = %id,
                "the alert {id} was not stored; it is answered with 503, so that Azure sends it again: {error}"
            );
            return Err(error.into());
        }
    };
    let unread = alert::unread_times(&body);
    answer
        .ignored
        .extend(unread.into_iter().map(|why| (None, why)));
    Ok(Json(AnswerBody::from(answer)).into_response())
}

impl From<AlertAnswer> for AnswerBody {
    fn from(answer: AlertAnswer) -> Self {
        Self {
            matched: answer.matched,
            ignored: answer
                .ignored
                .into_iter()
                .map(|(group, why)| IgnoredBody { group, why })
                .collect(),
        }
    }
}
