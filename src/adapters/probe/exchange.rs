//! One request and its answer, within a deadline, with a bound on what is read.

use std::time::Duration;

use tokio::time::Instant;

use crate::adapters::http::{span, why};
use crate::model::sample::Outcome;
use crate::model::secret::Secret;

/// The time that one probe has, and what is too slow.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    deadline: Instant,
    /// The whole probe's time: what people are told when it is over.
    pub timeout: Duration,
    /// An answer slower than this is degraded.
    pub latency: Duration,
}

impl Limits {
    /// Starts the probe's time.
    #[must_use]
    pub fn start(policy: &crate::model::policy::Policy) -> Self {
        let timeout = policy.probe_timeout.unsigned_abs();
        Self {
            deadline: Instant::now() + timeout,
            timeout,
            latency: policy.latency_limit.unsigned_abs(),
        }
    }

    /// What is left of the probe's time.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// From the request's first byte to the last byte that was read.
    pub latency: Duration,
    /// What broke the body off, in words; `None` where it came whole, or as far as it was wanted.
    pub broken: Option<String>,
}

/// Nothing that could be judged came back.
#[derive(Debug, Clone)]
pub struct NoAnswer {
    /// What that amounts to: failed; but unknown where no request could be made, because its URL or its token is none.
    /// That is a mistake of the settings, and says nothing of what would have been asked.
    pub outcome: Outcome,
    /// What broke, in words.
    pub detail: String,
    /// How long that took.
    pub latency: Duration,
}

/// Takes the pieces of a body, and says whether it wants more.
pub trait Sink {
    /// One piece. `false` ends the reading.
    fn take(&mut self, piece: &[u8]) -> bool;
}

/// Sends a GET and reads its answer into `sink`.
///
/// # Errors
/// When no status came back, or no request could be made.
pub async fn get(
    http: &reqwest::Client,
    url: &str,
    bearer: Option<&Secret>,
    limits: Limits,
    sink: &mut (dyn Sink + Send),
) -> Result<Answer, NoAnswer> {
    let begun = Instant::now();
    let mut request = http.get(url);
    if let Some(secret) = bearer {
        request = request.bearer_auth(secret.reveal());
    }
    let over = || format!("timed out after {}", span(limits.timeout));
    let no_answer = |outcome: Outcome, detail: String| NoAnswer {
        outcome,
        detail,
        latency: begun.elapsed(),
    };
    let mut response = match tokio::time::timeout_at(limits.deadline, request.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let outcome = match error.is_builder() {
                true => Outcome::Unknown,
                false => Outcome::Failed,
            };
            return Err(no_answer(outcome, why(&error)));
        }
        Err(_) => return Err(no_answer(Outcome::Failed, over())),
    };
    let broken = loop {
        match tokio::time::timeout_at(limits.deadline, response.chunk()).await {
            Ok(Ok(Some(piece))) => {
                if !sink.take(&piece) {
                    break None;
                }
            }
            Ok(Ok(None)) => break None,
            Ok(Err(error)) => break Some(why(&error)),
            Err(_) => break Some(over()),
        }
    };
    Ok(Answer {
        status: response.status().as_u16(),
        retry_after: response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        latency: begun.elapsed(),
        broken,
    })
}

/// A duration in whole milliseconds, as readings have it.
#[must_use]
pub fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Reads no body: the status is all that matters.
#[derive(Debug)]
pub struct StatusOnly;

impl Sink for StatusOnly {
    fn take(&mut self, _: &[u8]) -> bool {
        false
    }
}

/// Keeps a body up to a limit.
#[derive(Debug)]
pub struct Kept {
    /// What was kept.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
    limit: usize,
}

impl Kept {
    /// Keeps at most so many bytes.
    #[must_use]
    pub const fn up_to(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            cut: false,
            limit,
        }
    }
}

impl Sink for Kept {
    fn take(&mut self, piece: &[u8]) -> bool {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.cut = piece.len() > room;
        self.bytes
            .extend_from_slice(&piece[..piece.len().min(room)]);
        !self.cut
    }
}

/// Looks for a text in a body without keeping the body.
#[derive(Debug)]
pub struct Search {
    wanted: Vec<u8>,
    tail: Vec<u8>,
    read: usize,
    limit: usize,
    /// Whether it was there.
    pub found: bool,
}

impl Search {
    /// Looks for this text within the first `limit` bytes; an empty text is always there.
    #[must_use]
    pub fn for_text(wanted: &str, limit: usize) -> Self {
        Self {
            wanted: wanted.as_bytes().to_vec(),
            tail: Vec::new(),
            read: 0,
            limit,
            found: wanted.is_empty(),
        }
    }
}

impl Sink for Search {
    fn take(&mut self, piece: &[u8]) -> bool {
        let room = self.limit.saturating_sub(self.read);
        let piece = &piece[..piece.len().min(room)];
        self.read += piece.len();
        if !self.found {
            self.tail.extend_from_slice(piece);
            self.found = self
                .tail
                .windows(self.wanted.len())
                .any(|window| window == self.wanted);
            // The text may begin in this piece and end in the next.
            let overlap = self.wanted.len().saturating_sub(1);
            let passed = self.tail.len().saturating_sub(overlap);
            self.tail.drain(..passed);
        }
        self.read < self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_across_pieces_and_only_within_the_limit() {
        let cases: [(&str, &[&str], usize, bool); 6] = [
            ("ready", &["{\"state\":\"ready\"}"], 100, true),
            ("ready", &["re", "a", "dy"], 100, true),
            ("ready", &["rea", "rea", "dy"], 100, true),
            ("ready", &["12345re", "ady"], 9, false),
            ("ready", &["steady"], 100, false),
            ("", &[], 100, true),
        ];
        for (wanted, pieces, limit, expected) in cases {
            let mut search = Search::for_text(wanted, limit);
            for piece in pieces {
                if !search.take(piece.as_bytes()) {
                    break;
                }
            }
            assert_eq!(search.found, expected, "{wanted} in {pieces:?}");
        }
    }

    #[test]
    fn a_body_is_kept_up_to_the_limit() {
        let mut kept = Kept::up_to(5);
        assert!(kept.take(b"123"));
        assert!(kept.take(b"45"));
        assert!(!kept.take(b"6"));
        assert_eq!(
            (kept.bytes.as_slice(), kept.cut),
            (b"12345".as_slice(), true)
        );
    }
}
