//! Which section of the runbook tells what to do about a hold, a verdict or a step that fails.

use super::hold::HoldCode;
use super::media::ResourceKind;
use super::moves::{Stage, Step};
use super::verdict::Verdict;

/// The page, from the top of the repository.
pub const PAGE: &str = "docs/runbook.md";

/// What has a section of its own. Its anchor is made from its name in answers, so that the two cannot part;
/// `tests/tidy/runbook.rs` compares the page with [`Topic::all`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A move is not made.
    Hold(HoldCode),
    /// A step fails.
    Step(Stage, ResourceKind),
    /// A site is judged to be so.
    Verdict(Verdict),
}

impl Topic {
    /// Every topic there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let holds = HoldCode::ALL.iter().copied().map(Self::Hold);
        let steps = Stage::ALL.into_iter().flat_map(|stage| {
            ResourceKind::ALL
                .into_iter()
                .map(move |kind| Self::Step(stage, kind))
        });
        let verdicts = Verdict::ALL.into_iter().map(Self::Verdict);
        holds.chain(steps).chain(verdicts)
    }

    /// The topic of a step; `None` where it is about nothing that is started or stopped.
    #[must_use]
    pub fn of_step(step: &Step) -> Option<Self> {
        let (kind, _) = ResourceKind::split(&step.resource)?;
        Some(Self::Step(step.stage, kind))
    }

    /// The anchor of its section on the page: `hold-target-unfit`, `step-start-live-event`, `verdict-unhealthy`.
    #[must_use]
    pub fn anchor(self) -> String {
        match self {
            Self::Hold(code) => format!("hold-{}", words(code.as_str())),
            Self::Step(stage, kind) => {
                format!("step-{}-{}", stage.verb(), words(kind.as_str()))
            }
            Self::Verdict(verdict) => format!("verdict-{}", words(verdict.as_str())),
        }
    }

    /// Where its section is, as messages say it: `see docs/runbook.md#hold-target-unfit`.
    #[must_use]
    pub fn reference(self) -> String {
        format!("see {PAGE}#{}", self.anchor())
    }

    /// A message that ends by naming the section; one that already does stays as it is.
    #[must_use]
    pub fn named_in(self, message: &str) -> String {
        let reference = self.reference();
        if message.ends_with(&reference) {
            message.to_owned()
        } else if message.is_empty() {
            reference
        } else {
            format!("{message}; {reference}")
        }
    }
}

/// `TargetUnfit` or `live event` as an anchor spells it: lower case, a hyphen between words.
fn words(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter == ' ' || (letter.is_ascii_uppercase() && !spelled.is_empty()) {
            spelled.push('-');
        }
        if letter != ' ' {
            spelled.push(letter.to_ascii_lowercase());
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_the_names_in_lower_case_with_hyphens() {
        let cases = [
            (Topic::Hold(HoldCode::TargetUnfit), "hold-target-unfit"),
            (Topic::Hold(HoldCode::Paused), "hold-paused"),
            (
                Topic::Step(Stage::Retire, ResourceKind::StreamingEndpoint),
                "step-stop-streaming-endpoint",
            ),
            (
                Topic::Verdict(Verdict::Misconfigured),
                "verdict-misconfigured",
            ),
        ];
        for (topic, anchor) in cases {
            assert_eq!(topic.anchor(), anchor);
        }
    }

    #[test]
    fn a_message_names_its_section_once() {
        let topic = Topic::Hold(HoldCode::HoldTime);
        let once = topic.named_in("not long enough");
        assert_eq!(once, "not long enough; see docs/runbook.md#hold-hold-time");
        assert_eq!(topic.named_in(&once), once);
        assert_eq!(topic.named_in(""), topic.reference());
    }
}
