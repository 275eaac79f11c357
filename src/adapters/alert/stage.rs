//! How far a thing has come: the words that Azure uses for it, and what to make of those that it does not.

use crate::model::alert::Alert;
use crate::model::name::squeezed;
use crate::model::signal::SignalStage;

/// What a stage or a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It goes on.
    GoesOn,
    /// It is over.
    Over,
    /// Neither: what is known of it stands.
    Neither,
}

/// Stages of Service Health that begin something or end it, in lower case without separators. `active`,
/// `resolved` and `rca` are documented for incidents; `complete` and `canceled` for maintenance, beside `planned`,
/// `inprogress` and `rescheduled`, which do neither. A post-incident review comes after the mitigation, and a
/// false positive is the finding that nothing was the matter (tags of Service Health events, 2025-05-01).
const STAGES: &[(&str, Said)] = &[
    ("active", Said::GoesOn),
    ("resolved", Said::Over),
    ("complete", Said::Over),
    ("completed", Said::Over),
    ("canceled", Said::Over),
    ("cancelled", Said::Over),
    ("rca", Said::Over),
    ("preliminarypir", Said::Over),
    ("finalpir", Said::Over),
    ("pir", Said::Over),
    ("falsepositive", Said::Over),
];

/// Tags of an event that end it whatever its stage.
const ENDING_TAGS: &[&str] = &["falsepositive", "preliminarypir", "finalpir"];

/// Conditions of a measured alert (`monitorCondition`, `status`), in lower case.
const CONDITIONS: &[(&str, Said)] = &[
    ("fired", Said::GoesOn),
    ("activated", Said::GoesOn),
    ("resolved", Said::Over),
    ("deactivated", Said::Over),
];

/// What a Service Health event says by its stage, its status and its tags. Where the stage says neither, a
/// status of `Resolved` still ends it.
pub(super) fn of_event(stage: &str, status: &str, tags: &[String]) -> Said {
    if tags
        .iter()
        .any(|tag| ENDING_TAGS.contains(&squeezed(tag).as_str()))
    {
        return Said::Over;
    }
    let by_status = look_up(STAGES, status);
    match look_up(STAGES, stage) {
        Said::Neither if stage.is_empty() || by_status == Said::Over => by_status,
        said => said,
    }
}

/// What a measured alert says by its condition.
pub(super) fn of_condition(condition: &str) -> Said {
    look_up(CONDITIONS, condition)
}

fn look_up(table: &[(&str, Said)], word: &str) -> Said {
    let word = squeezed(word);
    table
        .iter()
        .find(|(known, _)| *known == word)
        .map_or(Said::Neither, |(_, said)| *said)
}

/// Puts what was said into an alert; for people the field is named, and the word that stood in it.
pub(super) fn put(alert: &mut Alert, said: Said, field: &str, word: &str) {
    match said {
        Said::GoesOn => alert.stage = SignalStage::Active,
        Said::Over => alert.stage = SignalStage::Resolved,
        Said::Neither => {
            alert.stage = SignalStage::Active;
            alert.is_unclear = true;
            alert.recorded_only.get_or_insert_with(|| {
                let what = if word.is_empty() {
                    format!("no {field}")
                } else {
                    format!("the {field} `{word}`")
                };
                format!(
                    "{what} says neither that it goes on nor that it is over: no evidence by itself"
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_serves_where_the_stage_says_nothing() {
        for (stage, status, said) in [
            ("Active", "Resolved", Said::GoesOn),
            ("", "Active", Said::GoesOn),
            ("", "Resolved", Said::Over),
            ("", "", Said::Neither),
            ("Monitoring", "Active", Said::Neither),
            ("Monitoring", "Resolved", Said::Over),
            ("In Progress", "", Said::Neither),
            ("Final PIR", "Active", Said::Over),
        ] {
            assert_eq!(of_event(stage, status, &[]), said, "{stage} {status}");
        }
        let tags = ["False Positive".to_owned()];
        assert_eq!(of_event("Active", "Active", &tags), Said::Over);
        let tags = ["Action Recommended".to_owned()];
        assert_eq!(of_event("Active", "Active", &tags), Said::GoesOn);
    }
}
