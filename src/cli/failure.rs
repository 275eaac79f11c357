//! Why a verb failed: what is said about it, what to do, and the exit code.

use serde::Deserialize;

use super::render;
use super::shapes::Hold;

/// Why a verb failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Asked wrongly; nothing was sent.
    Usage(String),
    /// It could not be done.
    Failed(String),
    /// The app answered with an error.
    Refused {
        /// The answer as it came, where it is to be printed.
        body: Option<String>,
        /// What is said to people.
        message: String,
    },
    /// Findings that are the verb's proper output.
    Findings(String),
}

impl Failure {
    /// 1 for refused and failed, 2 for asked wrongly.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) | Self::Refused { .. } | Self::Findings(_) => 1,
        }
    }

    /// What goes to stdout and what to stderr.
    pub(super) fn into_texts(self) -> (String, String) {
        match self {
            Self::Usage(text) | Self::Failed(text) => (String::new(), format!("error: {text}")),
            Self::Refused { body, message } => {
                (body.unwrap_or_default(), format!("error: {message}"))
            }
            Self::Findings(text) => (text, String::new()),
        }
    }
}

/// The error of an answer, as Azure's guidelines shape it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiError {
    /// Which one: a hold's code where an order was refused.
    pub(super) code: String,
    message: String,
    target: Option<String>,
    details: Vec<Detail>,
    /// When the hold ends by itself; it stands beside the error.
    #[serde(skip)]
    until: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: String,
    message: String,
    target: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: ApiError,
    #[serde(default)]
    hold: Option<Hold>,
}

impl ApiError {
    /// The error in a body, if it is one of Understudy's.
    pub(super) fn read(body: &str) -> Option<Self> {
        let ErrorBody { error, hold } = serde_json::from_str(body).ok()?;
        let until = hold.and_then(|hold| hold.until);
        (!error.code.is_empty()).then_some(Self { until, ..error })
    }

    /// One or two lines: what it is, and what to do.
    pub(super) fn lines(&self, group: Option<&str>, order: bool) -> String {
        let mut text = format!(
            "{}: {}",
            render::plain(&self.code),
            render::plain(&self.message)
        );
        if let Some(target) = &self.target
            && !self.message.contains(target.as_str())
        {
            text.push_str(&format!(" (at {})", render::plain(target)));
        }
        if let Some(until) = &self.until {
            text.push_str(&format!(" (until {})", render::time(until)));
        }
        for detail in &self.details {
            if detail.message.is_empty() || detail.message == self.message {
                continue;
            }
            let place = detail.target.as_deref().unwrap_or(&detail.code);
            text.push_str(&format!(
                "\n  {}: {}",
                render::plain(place),
                render::plain(&detail.message)
            ));
        }
        if let Some(advice) = advice(&self.code, order) {
            let group = group.unwrap_or("GROUP");
            text.push_str(&format!("\n  {}", advice.replace("{group}", group)));
        }
        text
    }
}

/// The code of an app whose store gives no answer.
const NO_STORE: &str = "StoreUnavailable";

/// What to know where a question, which changes nothing, met a store without an answer.
const UNREAD: &str = "The state cannot be read now; try again in a moment. Lookups (GET /api/groups/{group}/active) go on \
     with the last known answer of a process that has one.";

/// What a person can do about an error, by its code.
const ADVICE: &[(&str, &str)] = &[
    (
        "GroupNotFound",
        "`understudy status` lists the groups there are.",
    ),
    (
        "GenerationMismatch",
        "That is not the generation that you saw: see `understudy show {group}`, then decide anew.",
    ),
    (
        NO_STORE,
        "Nothing was changed as far as is known; try again in a moment.",
    ),
    (
        "Moving",
        "`understudy show {group}` shows the move; before its flip, `understudy cancel {group}` gives it up.",
    ),
    (
        "TargetUnfit",
        "`understudy explain {group}` says why; --force goes all the same and is recorded as such.",
    ),
    (
        "SourceUnfit",
        "A planned move needs both sites well; `understudy failover {group}` leaves a failed one.",
    ),
    (
        "EvidenceIncomplete",
        "`understudy explain {group}` says what is not known; --force goes all the same and is recorded as such.",
    ),
    (
        "AllSitesDown",
        "`understudy explain {group}` says what each site answers; moving would not help.",
    ),
    (
        "GlobalFault",
        "All sites fail through the one host they share, so moving would not help.",
    ),
    (
        "Paused",
        "`understudy resume {group}` ends the pause; orders pass it.",
    ),
    (
        "Forced",
        "`understudy acknowledge {group}` says that you have seen it.",
    ),
    (
        "CoolingDown",
        "`understudy acknowledge {group}` ends the cool-down; orders pass it.",
    ),
    (
        "MoveBudgetSpent",
        "`understudy acknowledge {group}` clears the count; orders pass it.",
    ),
];

fn advice(code: &str, order: bool) -> Option<&'static str> {
    if code == NO_STORE && !order {
        return Some(UNREAD);
    }
    ADVICE
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hold::HoldCode;

    #[test]
    fn a_refusal_says_its_code_its_end_and_what_to_do() {
        let error = ApiError::read(
            r#"{"error":{"code":"CoolingDown","message":"the last failover was too recent"},
                "hold":{"code":"CoolingDown","message":"","until":"2026-11-22T03:00:00.5Z"}}"#,
        )
        .unwrap();
        assert_eq!(
            error.lines(Some("contoso"), true),
            "CoolingDown: the last failover was too recent (until 2026-11-22T03:00:00Z)\n  \
             `understudy acknowledge contoso` ends the cool-down; orders pass it."
        );
    }

    #[test]
    fn a_silent_store_is_told_otherwise_to_who_only_looks() {
        let error = ApiError::read(
            r#"{"error":{"code":"StoreUnavailable","message":"the store is silent"}}"#,
        )
        .unwrap();
        let asked = error.lines(Some("contoso"), false);
        assert!(asked.contains("cannot be read"), "{asked}");
        assert!(asked.contains("/api/groups/contoso/active"), "{asked}");
        assert!(!asked.contains("Nothing was changed"), "{asked}");
        let ordered = error.lines(Some("contoso"), true);
        assert!(ordered.contains("Nothing was changed"), "{ordered}");
        assert!(error.lines(None, false).contains("/groups/GROUP/active"));
    }

    #[test]
    fn what_is_not_an_error_of_ours_is_not_read_as_one() {
        for body in ["", "<html>", "{}", r#"{"error":"x"}"#, r#"{"error":{}}"#] {
            assert!(ApiError::read(body).is_none(), "{body}");
        }
    }

    #[test]
    fn advice_names_only_codes_that_exist() {
        let others = ["GroupNotFound", "GenerationMismatch", "StoreUnavailable"];
        for (code, _) in ADVICE {
            let hold = serde_json::from_value::<HoldCode>(serde_json::json!(code)).is_ok();
            assert!(hold || others.contains(code), "{code}");
        }
    }

    #[test]
    fn control_characters_of_an_answer_do_not_reach_the_terminal() {
        let error = ApiError::read(
            "{\"error\":{\"code\":\"InvalidRequest\",\"message\":\"a\\u001b[2Jb\\nc\"}}",
        )
        .unwrap();
        assert_eq!(error.lines(None, false), "InvalidRequest: a\u{fffd}[2Jb c");
    }
}
