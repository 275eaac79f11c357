//! What a table service says of an error, in its body.

/// A longer code is no code.
const CODE_LIMIT: usize = 200;

/// The code and the first line of the message of an error body, also of one inside a batch. Both as they came: the line
/// may repeat our credential and is cut only after that is taken out of it, since of half a secret nobody finds the
/// other half.
#[must_use]
pub fn complaint(body: &[u8]) -> (Option<String>, Option<String>) {
    #[derive(serde::Deserialize)]
    struct Whole {
        #[serde(rename = "odata.error")]
        error: Inner,
    }
    #[derive(serde::Deserialize)]
    struct Inner {
        code: Option<String>,
        message: Option<Message>,
    }
    #[derive(serde::Deserialize)]
    struct Message {
        value: Option<String>,
    }
    const MARK: &[u8] = b"{\"odata.error\"";
    let Some(start) = body.windows(MARK.len()).position(|window| window == MARK) else {
        return (None, None);
    };
    let mut values =
        serde_json::Deserializer::from_slice(body.get(start..).unwrap_or_default()).into_iter();
    let Some(Ok(Whole { error })) = values.next() else {
        return (None, None);
    };
    let line = |text: String| text.lines().next().map(str::to_owned);
    (
        error.code.filter(|code| code.len() <= CODE_LIMIT),
        error
            .message
            .and_then(|message| message.value)
            .and_then(line),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_is_found_also_within_a_batch() {
        let plain =
            br#"{"odata.error":{"code":"A","message":{"lang":"en","value":"first\nRequestId:1"}}}"#;
        let found = (Some("A".to_owned()), Some("first".to_owned()));
        assert_eq!(complaint(plain), found);
        let mut batch = b"--changeset\r\nHTTP/1.1 404 Not Found\r\n\r\n".to_vec();
        batch.extend_from_slice(plain);
        batch.extend_from_slice(b"\r\n--changeset--");
        assert_eq!(complaint(&batch), found);
        assert_eq!(complaint(b"<html>"), (None, None));
    }
}
