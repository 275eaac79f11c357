//! JSON as the host reads its files: with comments and a comma too many, and members found in any case.

use serde_json::Value;

/// Reads `host.json` or a `function.json`. The host's parser (Newtonsoft's, `JObject.Parse`) passes over a byte order
/// mark, `//` and `/* */` comments, and a comma before a closing bracket; so does this. What else that parser bears, names without
/// quotes and single quotes, is refused here: no other tool reads it.
///
/// # Errors
/// What is wrong, with line and column in the text as it is.
pub fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(&plain(text)).map_err(|error| error.to_string())
}

/// The same document without comments and surplus commas: blanks take their places.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    without_surplus_commas(&without_comments(text))
}

/// What is next in a document, as far as this file cares.
enum Piece {
    /// So many bytes of a string.
    String(usize),
    /// So many bytes of a comment.
    Comment(usize),
    /// One character.
    Other(char),
}

fn piece(rest: &str) -> Option<Piece> {
    let first = rest.chars().next()?;
    let comment = |mark: &str, end: &str, with_end: usize| {
        let inside = rest.strip_prefix(mark)?;
        let length = inside.find(end).map(|at| mark.len() + at + with_end);
        // A line's comment may be the last thing of all; one in brackets must be closed.
        length.or((with_end == 0).then_some(rest.len()))
    };
    if let Some(length) = comment("//", "\n", 0).or_else(|| comment("/*", "*/", 2)) {
        return Some(Piece::Comment(length));
    }
    if first != '"' {
        return Some(Piece::Other(first));
    }
    let mut is_escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let is_end = *letter == '"' && !is_escaped;
        is_escaped = *letter == '\\' && !is_escaped;
        is_end
    });
    Some(Piece::String(end.map_or(rest.len(), |(at, _)| at + 1)))
}

fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = piece(rest) {
        let length = match next {
            Piece::String(length) => {
                plain.push_str(&rest[..length]);
                length
            }
            Piece::Comment(length) => {
                plain.extend(rest[..length].chars().map(|letter| match letter {
                    '\n' => '\n',
                    _ => ' ',
                }));
                length
            }
            Piece::Other(letter) => {
                plain.push(letter);
                letter.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    plain
}

fn without_surplus_commas(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(next) = piece(rest) {
        let (length, last) = match next {
            Piece::String(length) | Piece::Comment(length) => {
                plain.push_str(&rest[..length]);
                (length, Some('"'))
            }
            Piece::Other(letter) => {
                let follows = rest[letter.len_utf8()..].trim_start().chars().next();
                let is_surplus = letter == ','
                    && matches!(follows, Some('}' | ']'))
                    && !matches!(before, None | Some('{' | '[' | ','));
                plain.push(if is_surplus { ' ' } else { letter });
                (
                    letter.len_utf8(),
                    (!letter.is_whitespace()).then_some(letter),
                )
            }
        };
        before = last.or(before);
        rest = &rest[length..];
    }
    plain
}

/// The member of this name, whatever its case; nested names one after the other. `null` is no member.
#[must_use]
pub fn get<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| {
        let members = value.as_object()?;
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    })
}

/// A member's text; numbers and truths are texts to .NET's configuration.
#[must_use]
pub fn text(value: &Value, path: &[&str]) -> Option<String> {
    scalar(get(value, path)?)
}

/// A value's text, unless it has parts.
#[must_use]
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A list of texts; nothing where there is no such member.
///
/// # Errors
/// A line for people, where it is no list or holds what is no text.
pub fn list(value: &Value, path: &[&str]) -> Result<Option<Vec<String>>, String> {
    let Some(found) = get(value, path) else {
        return Ok(None);
    };
    let what = path.join(".");
    let items = found
        .as_array()
        .ok_or_else(|| format!("{what} is no list: write [\"...\"]"))?;
    let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
    texts
        .map(Some)
        .ok_or_else(|| format!("{what} holds what is no text"))
}

/// `true` or `false`, also as a text; the default where there is no such member.
///
/// # Errors
/// A line for people, with the host's words.
pub fn flag(value: &Value, path: &[&str], default: bool) -> Result<bool, String> {
    let Some(found) = get(value, path) else {
        return Ok(default);
    };
    scalar(found)
        .and_then(|text| text.trim().to_ascii_lowercase().parse().ok())
        .ok_or_else(|| {
            let what = path.join(".");
            format!("{what} must be true or false. The host: \"Failed to convert configuration value at '{what}'\"")
        })
}
