//! The runbook has a section for every hold, every step and every verdict there is, and for none that is not.

use std::collections::BTreeSet;

use understudy::model::hold::{Hold, HoldCode};
use understudy::model::runbook::{PAGE, Topic};

use super::{none, read};

/// What the anchors of those sections begin with.
const FAMILIES: [&str; 3] = ["hold-", "step-", "verdict-"];
/// What each of those sections tells, in bold, in this order.
const PARTS: [&str; 4] = ["**Means.**", "**Look.**", "**Do.**", "**Forcing.**"];

/// One section: its anchor and its text, without those of sections below it.
struct Section {
    anchor: String,
    text: String,
}

fn sections() -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let mut in_block = false;
    for line in read(PAGE).lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if !in_block && line.starts_with('#') {
            found.push(Section {
                anchor: anchor(line.trim_start_matches('#').trim()),
                text: String::new(),
            });
        } else if let Some(section) = found.last_mut() {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    found
}

/// The anchor that a heading gets where Markdown is shown: lower case, hyphens for blanks, no other marks.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn of_families(sections: &[Section]) -> impl Iterator<Item = &Section> {
    sections.iter().filter(|section| {
        FAMILIES
            .iter()
            .any(|family| section.anchor.starts_with(family))
    })
}

#[test]
fn every_topic_has_its_section_and_no_section_is_of_nothing() {
    let sections = sections();
    let there: BTreeSet<String> = of_families(&sections)
        .map(|one| one.anchor.clone())
        .collect();
    let wanted: BTreeSet<String> = Topic::all().map(Topic::anchor).collect();
    assert_eq!(wanted.len(), Topic::all().count(), "anchors are unique");
    let missing: Vec<String> = wanted.difference(&there).cloned().collect();
    none(&format!("{PAGE} has a section for each of these"), &missing);
    let stray: Vec<String> = there.difference(&wanted).cloned().collect();
    none(
        &format!("{PAGE} has sections only for what there is"),
        &stray,
    );
}

#[test]
fn the_message_of_every_hold_names_a_section_that_is_there() {
    let sections = sections();
    for code in HoldCode::ALL {
        let mut hold = Hold {
            code: *code,
            message: "it waits".to_owned(),
            until: None,
        };
        hold.name_section();
        let (said, named) = hold.message.split_once("; see docs/runbook.md#").unwrap();
        assert_eq!(said, "it waits");
        let section = sections.iter().find(|one| one.anchor == named);
        let section = section.unwrap_or_else(|| panic!("{}: no section {named}", code.as_str()));
        // Whoever searches the page for the code finds it there.
        let searched = format!("`{}`", code.as_str());
        assert!(section.text.contains(&searched), "{named} names {searched}");
    }
}

#[test]
fn no_two_sections_have_the_same_anchor() {
    let mut seen = BTreeSet::new();
    let twice: Vec<String> = sections()
        .into_iter()
        .map(|section| section.anchor)
        .filter(|anchor| !seen.insert(anchor.clone()))
        .collect();
    none(&format!("{PAGE} has each heading once"), &twice);
}

#[test]
fn every_section_says_what_it_means_what_to_look_at_what_to_do_and_what_forcing_risks() {
    let mut lacking = Vec::new();
    for section in of_families(&sections()) {
        let places: Vec<Option<usize>> = PARTS.iter().map(|part| section.text.find(part)).collect();
        if places.iter().any(Option::is_none) || !places.is_sorted() {
            lacking.push(section.anchor.clone());
        }
    }
    none(
        &format!("each section has {}, in order", PARTS.join(", ")),
        &lacking,
    );
}

#[test]
fn its_index_and_its_references_lead_to_sections_and_every_section_is_in_the_index() {
    let page = read(PAGE);
    let sections = sections();
    let there: BTreeSet<&str> = sections.iter().map(|one| one.anchor.as_str()).collect();
    let targets = |text: &str| -> BTreeSet<String> {
        text.split("](#")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
            .collect()
    };
    let dead: Vec<String> = targets(&page)
        .into_iter()
        .filter(|target| !there.contains(target.as_str()))
        .collect();
    none("a reference inside the runbook leads to a section", &dead);
    let index = sections.iter().find(|one| one.anchor == "index").unwrap();
    let listed = targets(&index.text);
    let unlisted: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(anchor)
        .filter(|anchor| !listed.contains(anchor))
        .collect();
    none("the runbook's index names every section", &unlisted);
}

#[test]
fn other_pages_name_only_sections_that_are_there() {
    let sections = sections();
    let mut dead = Vec::new();
    for path in ["README.md", "docs/architecture.md", "docs/failover.md"] {
        let text = read(path);
        assert!(text.contains("runbook.md"), "{path} leads to the runbook");
        for rest in text.split("runbook.md#").skip(1) {
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '-');
            let target = &rest[..end.unwrap_or(rest.len())];
            if !sections.iter().any(|section| section.anchor == target) {
                dead.push(format!("{path}: {target}"));
            }
        }
    }
    none("a reference to the runbook leads to a section", &dead);
}
