//! The lines that lead from what is shown to its section of the runbook.

use std::collections::BTreeSet;

use super::shapes::{Group, Site};
use crate::model::hold::HoldCode;
use crate::model::runbook::Topic;
use crate::model::verdict::Verdict;

/// One line for each site that is not healthy.
pub(super) fn of_sites(sites: &[Site]) -> String {
    let mut text = String::new();
    for site in sites {
        if let Some(topic) = verdict(&site.verdict) {
            let name = super::render::plain(&site.site);
            text.push_str(&format!(
                "{name} is {}: {}\n",
                site.verdict,
                topic.reference()
            ));
        }
    }
    text
}

/// One line for each hold, and each verdict on an active site, that the list of groups shows.
pub(super) fn of_groups(groups: &[Group]) -> String {
    let holds = groups.iter().filter_map(|group| group.hold.as_ref());
    let codes: BTreeSet<HoldCode> = holds.filter_map(|held| hold(&held.code)).collect();
    let verdicts = groups.iter().map(Group::active_verdict);
    let verdicts: BTreeSet<&str> = verdicts.filter(|name| verdict(name).is_some()).collect();
    let mut text = String::new();
    for code in codes {
        let reference = Topic::Hold(code).reference();
        text.push_str(&format!("{}: {reference}\n", code.as_str()));
    }
    for name in verdicts {
        if let Some(topic) = verdict(name) {
            text.push_str(&format!("{name}: {}\n", topic.reference()));
        }
    }
    text
}

/// The topic of a verdict that asks for somebody. A name that is new to us has none.
fn verdict(name: &str) -> Option<Topic> {
    Verdict::ALL
        .into_iter()
        .find(|verdict| *verdict != Verdict::Healthy && verdict.as_str() == name)
        .map(Topic::Verdict)
}

fn hold(name: &str) -> Option<HoldCode> {
    let mut all = HoldCode::ALL.iter().copied();
    all.find(|code| code.as_str() == name)
}
