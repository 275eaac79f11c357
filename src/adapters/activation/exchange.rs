//! One request to an account's API and its answer, within a deadline.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::Tools;
use super::target::Access;
use crate::adapters::azure::error_body::ErrorBody;
use crate::adapters::azure::identity::IdentityError;
use crate::adapters::http::{plain, span, why};
use crate::model::secret::Secret;

/// The largest answer that is read, in bytes. A live event is 5 KB.
const ANSWER_LIMIT: usize = 256 * 1024;

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The body, where it is JSON.
    pub(super) body: Value,
    /// `Azure-AsyncOperation`.
    pub(super) operation: Option<String>,
    /// `Location`.
    pub(super) location: Option<String>,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// `: Code: message` of its error, where it has one, without secrets.
    pub(super) reason: String,
    /// What was said, in one line without secrets.
    pub(super) said: String,
}

/// Nothing came back.
#[derive(Debug)]
pub(super) struct NoReply {
    /// Why, in one line.
    pub(super) detail: String,
    /// Whether the request may have arrived all the same.
    pub(super) may_have_landed: bool,
}

impl From<IdentityError> for NoReply {
    fn from(error: IdentityError) -> Self {
        Self {
            detail: format!("there is no token: {error}"),
            may_have_landed: false,
        }
    }
}

impl Tools {
    /// One request, and one more with a new token if the one from memory is not believed.
    pub(super) async fn exchange(
        &self,
        access: &Access,
        method: Method,
        url: &str,
        limit: Duration,
        until: Instant,
    ) -> Result<Reply, NoReply> {
        let until = until.min(Instant::now() + limit);
        let scope = match access {
            Access::Bearer(token) => return self.send(method, url, token, until).await,
            Access::Identity(scope) => scope,
        };
        let over = |_| NoReply {
            detail: "there was no token in time".to_owned(),
            may_have_landed: false,
        };
        let got = tokio::time::timeout_at(until, self.identity.get(scope)).await;
        let got = got.map_err(over)??;
        let token = got.held.token.secret;
        let reply = self.send(method.clone(), url, &token, until).await?;
        if reply.status != StatusCode::UNAUTHORIZED.as_u16() || got.fresh {
            return Ok(reply);
        }
        let next = tokio::time::timeout_at(until, self.identity.instead_of(scope, &token)).await;
        let next = next.map_err(over)??;
        self.send(method, url, &next.held.token.secret, until).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        token: &Secret,
        until: Instant,
    ) -> Result<Reply, NoReply> {
        let begun = Instant::now();
        let mut request = self
            .http
            .request(method.clone(), url)
            .bearer_auth(token.reveal());
        if method == Method::POST {
            // Some front doors refuse a POST without a length.
            request = request.header(reqwest::header::CONTENT_LENGTH, 0);
        }
        let answer = async {
            let mut response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut body = Vec::new();
            while body.len() <= ANSWER_LIMIT {
                match response.chunk().await {
                    Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                    // A body that breaks off is no JSON, and is told by its status.
                    Ok(None) | Err(_) => break,
                }
            }
            Ok::<_, reqwest::Error>((status, headers, body))
        };
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok((status, headers, body))) => Ok(Reply::read(status, &headers, &body, token)),
            Ok(Err(error)) => Err(NoReply {
                detail: format!("there was no answer: {}", why(&error)),
                may_have_landed: !(error.is_connect() || error.is_builder()),
            }),
            Err(_) => Err(NoReply {
                detail: format!(
                    "there was no answer within {}",
                    span(whole(begun.elapsed()))
                ),
                may_have_landed: true,
            }),
        }
    }
}

/// To the tenth of a second, as people say it.
fn whole(duration: Duration) -> Duration {
    let tenths = duration.as_millis() / 100;
    Duration::from_millis(u64::try_from(tenths * 100).unwrap_or(u64::MAX))
}

impl Reply {
    pub(super) fn read(
        status: StatusCode,
        headers: &reqwest::header::HeaderMap,
        body: &[u8],
        token: &Secret,
    ) -> Self {
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let status = status.as_u16();
        let reason = ErrorBody::of(&body, Some(token)).to_string();
        Self {
            status,
            operation: text("azure-asyncoperation"),
            location: text("location"),
            retry_after: text("retry-after").and_then(|text| seconds(&text)),
            said: format!("it answered {status}{reason}"),
            reason,
            body,
        }
    }

    /// The state of the resource, where the answer is one.
    pub(super) fn state(&self) -> Option<String> {
        let state = self.body.pointer("/properties/resourceState")?.as_str()?;
        Some(plain(state, &[]))
    }
}

/// Whole seconds; a date, which none of these services sends, is left out.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_whole_seconds() {
        assert_eq!(seconds(" 7 "), Some(Duration::from_secs(7)));
        for text in ["-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", ""] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
