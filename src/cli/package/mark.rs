//! What tells an understudy's binary from any other file, and its version, without running it: it may be one for
//! another machine.

use std::hint::black_box;

/// Every understudy carries this, its version in the middle. Older and newer ones are told by it: it stays.
const MARK: &str = concat!("<understudy-binary ", env!("CARGO_PKG_VERSION"), ">");
/// What comes before the version.
const BEFORE: usize = "<understudy-binary ".len();
/// The longest version that is believed; any other text of this kind is no mark.
const LONGEST: usize = 64;

/// What is to be known of this binary beside this one, in a sentence with what to do; `None` where it is the same
/// version.
pub(super) fn warning(binary: &[u8]) -> Option<String> {
    // Seen at run time only, so that the mark as a whole is in every build, however it is optimised.
    let (before, own) = black_box(MARK).split_at_checked(BEFORE)?;
    let own = own.trim_end_matches('>');
    match version(binary, before.as_bytes()) {
        Some(version) if version == own => None,
        Some(version) => Some(format!(
            "the binary is understudy {version}, and this is {own}, which has checked the configuration and gives \
             the host's files: package with the version that is deployed"
        )),
        None => Some(
            "the binary is no understudy as far as can be told: nothing of it was found inside; look at what \
             --binary names"
                .to_owned(),
        ),
    }
}

/// Whether it carries the mark, of whatever version.
pub(super) fn is_understudy(binary: &[u8]) -> bool {
    let begin = black_box(MARK).get(..BEFORE).unwrap_or(MARK);
    version(binary, begin.as_bytes()).is_some()
}

/// The version of the first mark in it.
fn version<'data>(binary: &'data [u8], before: &[u8]) -> Option<&'data str> {
    let mut rest = binary;
    while let Some(at) = position(rest, before) {
        rest = rest.get(at + before.len()..)?;
        let near = rest.get(..LONGEST).unwrap_or(rest);
        let text = near.split(|byte| *byte == b'>').next()?;
        if text.len() < near.len()
            && let Ok(text) = std::str::from_utf8(text)
            && is_version(text)
        {
            return Some(text);
        }
    }
    None
}

fn position(within: &[u8], wanted: &[u8]) -> Option<usize> {
    within
        .windows(wanted.len())
        .position(|found| found == wanted)
}

fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_mark_is_a_mark() {
        let text = format!("\0{MARK}\0");
        let before = &MARK.as_bytes()[..BEFORE];
        assert_eq!(
            version(text.as_bytes(), before),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(warning(text.as_bytes()), None);
    }

    #[test]
    fn what_only_begins_like_a_mark_is_passed_over() {
        let before = &MARK.as_bytes()[..BEFORE];
        let begun = "<understudy-binary ";
        for (text, expected) in [
            (begun.to_owned(), None),
            (format!("{begun}1.2.3"), None),
            (format!("{begun}>"), None),
            (format!("{begun}of mine>"), None),
            (format!("{begun}{}>", "1".repeat(LONGEST)), None),
            (format!("{begun}{begun}1.2.3-rc.1>"), Some("1.2.3-rc.1")),
            (
                format!("{begun}x> {begun}2.0.0>{begun}3.0.0>"),
                Some("2.0.0"),
            ),
        ] {
            assert_eq!(version(text.as_bytes(), before), expected, "{text}");
        }
    }
}
