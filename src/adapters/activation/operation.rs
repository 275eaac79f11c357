//! Long-running operations: where they are followed, how they stand, and how long to wait between looks.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::exchange::Reply;

/// The first look comes after this long, each further one after half as much again.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// No look comes later than this; the service may ask for [`LONGEST_WAIT`].
const LATEST_LOOK: Duration = Duration::from_secs(5);
/// A service that wants us to wait longer is asked all the same: an attempt has twenty seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long to wait between looks.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) const fn new() -> Self {
        Self(FIRST_LOOK)
    }

    /// The next wait: what the service asked for within reason, else longer each time.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let own = self.0;
        self.0 = (own * 3 / 2).min(LATEST_LOOK);
        match asked {
            Some(asked) => asked.clamp(FIRST_LOOK, LONGEST_WAIT),
            None => own,
        }
    }
}

/// Where an operation is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Follow {
    /// Its status.
    Status(String),
    /// Its outcome, which answers 202 until there is one.
    Outcome(String),
    /// Nowhere: one looks at the resource.
    Resource,
}

impl Follow {
    /// Where the answer says. Our token goes only to where the request went.
    pub(super) fn of(reply: &Reply, asked: &str) -> Self {
        let ours = |url: &&String| is_same_origin(url, asked);
        match (
            reply.operation.as_ref().filter(ours),
            reply.location.as_ref().filter(ours),
        ) {
            (Some(url), _) => Self::Status(url.clone()),
            (None, Some(url)) => Self::Outcome(url.clone()),
            (None, None) => Self::Resource,
        }
    }

    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Self::Status(url) | Self::Outcome(url) => Some(url),
            Self::Resource => None,
        }
    }

    /// How the operation stands.
    pub(super) fn read(&self, reply: &Reply) -> Progress {
        if matches!(reply.status, 408 | 425 | 429 | 500..) {
            return Progress::Unheard;
        }
        match self {
            Self::Resource => Progress::Unknown,
            Self::Status(_) => {
                let status = reply.body.get("status").and_then(Value::as_str);
                match (reply.status, status) {
                    (200..=202, Some(status)) => named(status, reply),
                    (202, None) => Progress::Under,
                    _ => Progress::Unknown,
                }
            }
            Self::Outcome(_) => match reply.status {
                202 => Progress::Under,
                200 | 201 | 204 => Progress::Succeeded,
                401 | 403 | 404 => Progress::Unknown,
                _ => Progress::Failed(reply.said.clone()),
            },
        }
    }
}

/// How an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// Under way.
    Under,
    /// It ended well.
    Succeeded,
    /// It ended; why it did not go well.
    Failed(String),
    /// The service is busy or broken: ask again.
    Unheard,
    /// It cannot be told here: one looks at the resource.
    Unknown,
}

/// Only the status counts: while it is under way there may be an `error` of code `None`.
fn named(status: &str, reply: &Reply) -> Progress {
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    if is("Succeeded") {
        Progress::Succeeded
    } else if is("Failed") || is("Canceled") {
        let why = &reply.reason;
        Progress::Failed(format!("the operation {}{why}", status.to_lowercase()))
    } else {
        Progress::Under
    }
}

fn is_same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::secret::Secret;

    fn reply(status: u16, body: Value) -> Reply {
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        let body = body.to_string();
        Reply::read(
            status,
            &reqwest::header::HeaderMap::new(),
            body.as_bytes(),
            &Secret::new("hunter2"),
        )
    }

    #[test]
    fn only_the_status_of_an_operation_counts() {
        let none = json!({"code": "None", "message": null});
        let broken = json!({"code": "Broken", "message": "no capacity for hunter2"});
        let cases = [
            (
                200,
                json!({"status": "InProgress", "error": none}),
                Progress::Under,
            ),
            (
                200,
                json!({"status": "Succeeded", "error": none}),
                Progress::Succeeded,
            ),
            (
                200,
                json!({"status": "Failed", "error": broken}),
                Progress::Failed(
                    "the operation failed: Broken: no capacity for [secret]".to_owned(),
                ),
            ),
            (202, Value::Null, Progress::Under),
            (404, Value::Null, Progress::Unknown),
            (403, Value::Null, Progress::Unknown),
            (429, Value::Null, Progress::Unheard),
            (503, Value::Null, Progress::Unheard),
        ];
        let follow = Follow::Status(String::new());
        for (status, body, expected) in cases {
            assert_eq!(follow.read(&reply(status, body)), expected, "{status}");
        }
    }

    #[test]
    fn an_outcome_is_there_when_it_is_no_longer_202() {
        let follow = Follow::Outcome(String::new());
        let read = |status| follow.read(&reply(status, Value::Null));
        assert_eq!(read(202), Progress::Under);
        assert_eq!(read(200), Progress::Succeeded);
        assert_eq!(read(404), Progress::Unknown);
        assert_eq!(read(400), Progress::Failed("it answered 400".to_owned()));
    }

    #[test]
    fn a_token_follows_no_operation_to_another_host() {
        let asked = "https://management.azure.com/subscriptions/s/start";
        let at = |operation: Option<&str>, location: Option<&str>| {
            let mut reply = reply(202, Value::Null);
            reply.operation = operation.map(str::to_owned);
            reply.location = location.map(str::to_owned);
            Follow::of(&reply, asked)
        };
        let (ours, theirs) = ("https://management.azure.com/o/1", "https://evil.example/o");
        assert_eq!(at(Some(ours), None), Follow::Status(ours.to_owned()));
        assert_eq!(
            at(Some(theirs), Some(ours)),
            Follow::Outcome(ours.to_owned())
        );
        for theirs in [theirs, "http://management.azure.com/o/1", "/o/1"] {
            assert_eq!(at(Some(theirs), Some(theirs)), Follow::Resource, "{theirs}");
        }
    }

    #[test]
    fn waits_grow_and_the_service_is_heeded_within_reason() {
        let mut patience = Patience::new();
        assert_eq!(patience.next(None), FIRST_LOOK);
        assert_eq!(patience.next(None), FIRST_LOOK * 3 / 2);
        assert_eq!(
            patience.next(Some(Duration::from_secs(3))),
            Duration::from_secs(3)
        );
        assert_eq!(patience.next(Some(Duration::from_secs(3600))), LONGEST_WAIT);
        assert_eq!(patience.next(Some(Duration::ZERO)), FIRST_LOOK);
        for _ in 0..20 {
            patience.next(None);
        }
        assert_eq!(patience.next(None), LATEST_LOOK);
    }
}
