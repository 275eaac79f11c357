//! What is answered when something is wrong, in Azure's error shape.
//!
//! | status | code | when |
//! | --- | --- | --- |
//! | 400 | `InvalidRequest` | a body, member or parameter has the wrong form |
//! | 403 | `HostOnly` | someone other than the host calls a timer's envelope route |
//! | 404 | `GroupNotFound` | no such group, neither configured nor recorded |
//! | 404 | `NotFound` | no such route or order |
//! | 405 | `MethodNotAllowed` | the route is answered to another method |
//! | 409 | a hold's code | an order is refused |
//! | 409 | `GroupMisconfigured` | an order for a group that is only known from its record |
//! | 412 | `GenerationMismatch` | the group has another generation than the order names |
//! | 413 | `RequestBodyTooLarge` | a body over 1 MiB |
//! | 500 | `TickFailed` | the timer's run could not read or commit state |
//! | 500 | `InternalError` | a bug of ours |
//! | 503 | `AppNotWell` | `health`: something is wrong with this app; beside `error` it tells all `reasons` |
//! | 503 | `StoreUnavailable` | the store gives no answer, or the app is still starting |

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::adapters::store::StoreError;
use crate::controller::GroupError;
use crate::model::hold::Hold;

/// When to ask again after a 503, in seconds: longer than one request to the store may take.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// One refusal as it is answered.
#[derive(Debug)]
pub struct Fault {
    status: StatusCode,
    error: Box<ErrorBody>,
    hold: Option<Box<Hold>>,
}

#[derive(Debug, Serialize)]
struct ErrorBody {
    code: Cow<'static, str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

/// One of several things that are wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The same code as the whole, where it has no better one.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// The member or parameter.
    pub target: String,
}

#[derive(Serialize)]
struct Envelope {
    error: ErrorBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Hold>,
}

/// The code of everything that is wrong with a request's form.
pub const INVALID: &str = "InvalidRequest";

impl Fault {
    /// A refusal with this status and code.
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error: Box::new(ErrorBody {
                code: code.into(),
                message: message.into(),
                target: None,
                details: Vec::new(),
            }),
            hold: None,
        }
    }

    /// 400: the request's form is wrong.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, message)
    }

    /// 400 with the member or parameter that is wrong.
    #[must_use]
    pub fn invalid_at(target: impl Into<String>, message: impl Into<String>) -> Self {
        let mut fault = Self::invalid(message);
        fault.error.target = Some(target.into());
        fault
    }

    /// 400 for everything that is wrong at once; `None` where nothing is.
    #[must_use]
    pub fn invalid_all(problems: Vec<Detail>) -> Option<Self> {
        let first = problems.first()?.clone();
        if problems.len() == 1 {
            return Some(Self::invalid_at(first.target, first.message));
        }
        let mut fault = Self::invalid_at(
            first.target,
            format!(
                "{} things are wrong; the first: {}",
                problems.len(),
                first.message
            ),
        );
        fault.error.details = problems;
        Some(fault)
    }

    /// 404: no route leads here.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "nothing is served here: see the routes below /api/groups",
        )
    }

    /// 404: no such group.
    #[must_use]
    pub fn no_group(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "GroupNotFound", message)
    }

    /// 409: an order that is held.
    #[must_use]
    pub fn held(hold: Hold) -> Self {
        let mut fault = Self::new(
            StatusCode::CONFLICT,
            hold.code.as_str(),
            hold.message.clone(),
        );
        fault.hold = Some(Box::new(hold));
        fault
    }

    /// 503: the store gave no answer.
    #[must_use]
    pub fn store(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "StoreUnavailable", message)
    }

    /// 500: our own fault; what happened is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "something went wrong here; the log of this app says what",
        )
    }
}

impl From<GroupError> for Fault {
    fn from(error: GroupError) -> Self {
        let message = error.to_string();
        match error {
            GroupError::NotFound(_) => Self::no_group(message),
            GroupError::Misconfigured(_) => {
                Self::new(StatusCode::CONFLICT, "GroupMisconfigured", message)
            }
            GroupError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::store(error.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let code = HeaderValue::from_str(&self.error.code).ok();
        let body = Envelope {
            error: *self.error,
            hold: self.hold.map(|hold| *hold),
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(code) = code {
            response.headers_mut().insert("x-ms-error-code", code);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
