//! Pieces that several sections have: a section, a URL, a name, an id.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::node::At;
use super::report::{Report, shown};
use super::urls::{self, Purpose};
use crate::model::deployment::StoreSpec;

/// A section that was read.
pub struct Section<T> {
    /// What is good of it.
    pub good: T,
    /// Whether its form had problems.
    pub hurt: bool,
}

/// Turns what passed the check of its form into its structure.
pub fn structured<T: DeserializeOwned + Default>(good: Json, at: At<'_>, report: &mut Report) -> T {
    serde_path_to_error::deserialize(good).unwrap_or_else(|error| {
        report.problem(
            at,
            format!("cannot be read at {}: {}", error.path(), error.inner()),
        );
        T::default()
    })
}

/// A URL if it is good; else it is reported.
pub fn good_url(text: &str, purpose: Purpose, at: At<'_>, report: &mut Report) -> Option<String> {
    match urls::check(text, purpose) {
        Ok(checked) => {
            if let Some(warning) = checked.warning {
                report.warning(at, warning);
            }
            Some(checked.url)
        }
        Err(message) => {
            report.problem(at, message);
            None
        }
    }
}

/// The line for people of a store that cannot be used.
pub fn unusable(report: &Report, otherwise: &str) -> StoreSpec {
    let line = report.problems.last().map(ToString::to_string);
    StoreSpec::Unusable(line.unwrap_or_else(|| otherwise.to_owned()))
}

/// What is wrong with the name of a site, an endpoint or a vantage: it becomes part of row keys and
/// URLs.
#[must_use]
pub fn name_fault(name: &str) -> Option<String> {
    let bad = |letter: char| letter.is_control() || "/\\?#%".contains(letter);
    if name.trim().is_empty() {
        Some("is empty".to_owned())
    } else if name.trim() != name || name.chars().count() > 63 || name.contains(bad) {
        Some(
            "is not a name: up to 63 characters, none of them / \\ ? # %, no space at its ends"
                .to_owned(),
        )
    } else {
        None
    }
}

/// A name that becomes one segment of a URL's path.
pub fn part(text: Option<String>, at: At<'_>, report: &mut Report) -> Option<String> {
    let text = text?;
    let bad =
        |letter: char| letter.is_whitespace() || letter.is_control() || "/\\?#%".contains(letter);
    if text.is_empty() || text.len() > 260 || text.contains(bad) {
        let message =
            "is not a name of Azure: it is empty, too long, or holds a space or one of / \\ ? # %";
        report.problem(at, message.to_owned());
        return None;
    }
    Some(text)
}

/// An id that Azure makes as a GUID. Other services with the same shapes may not, so another form is only
/// unwise.
pub fn id(text: Option<String>, at: At<'_>, report: &mut Report) -> Option<String> {
    let text = part(text, at, report)?;
    if text.len() != 36 || uuid::Uuid::try_parse(&text).is_err() {
        report.warning(
            at,
            format!("{} is not a GUID, as Azure's ids are", shown(&text)),
        );
    }
    Some(text)
}
