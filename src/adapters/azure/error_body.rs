//! What an error body says, in ARM's shape or MK.IO's, which calls the message `detail`.

use std::fmt;

use serde_json::Value;

use crate::adapters::http::plain;
use crate::model::secret::Secret;

/// What an error body says, in words that are fit to be shown. It prints as `: Code: message`, or as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// Its code.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

impl ErrorBody {
    /// Reads it, and leaves out the token that the request went with. The code `None` is no error: operations that are
    /// under way have it.
    #[must_use]
    pub fn of(body: &Value, token: Option<&Secret>) -> Self {
        let secret = token.map(Secret::reveal).unwrap_or_default();
        let text = |name: &str| {
            let text = body.get("error")?.get(name)?.as_str()?;
            let says_something = !text.is_empty() && !text.eq_ignore_ascii_case("none");
            says_something.then(|| plain(text, &[secret]))
        };
        Self {
            code: text("code"),
            message: text("message").or_else(|| text("detail")),
        }
    }

    /// The same of bytes; nothing where they are not JSON.
    #[must_use]
    pub fn read(body: &[u8], token: Option<&Secret>) -> Self {
        Self::of(&serde_json::from_slice(body).unwrap_or_default(), token)
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = [&self.code, &self.message].into_iter().flatten();
        parts.try_for_each(|part| write!(formatter, ": {part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_in_both_shapes_and_without_the_token() {
        let token = Secret::new("hunter2");
        let cases = [
            (
                r#"{"error": {"code": "Conflict", "message": "no hunter2 for\nyou"}}"#,
                ": Conflict: no [secret] for you",
            ),
            (
                r#"{"error": {"code": "TooMany", "detail": "slower"}, "status": 429}"#,
                ": TooMany: slower",
            ),
            (r#"{"error": {"code": "None", "message": null}}"#, ""),
            (r#"{"error": "broken"}"#, ""),
            ("<html>", ""),
        ];
        for (body, expected) in cases {
            let said = ErrorBody::read(body.as_bytes(), Some(&token));
            assert_eq!(said.to_string(), expected, "{body}");
        }
    }
}
