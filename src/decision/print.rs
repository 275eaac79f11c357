//! The two tables as a page for people: `docs/transitions.md` is what this prints.

use std::fmt::Write as _;

use super::cue::Cue;
use super::guard::{self, Ask, Force};
use super::transition::{self, Effect, Rule};
use crate::model::hold::HoldCode;
use crate::model::state::Phase;

/// The page.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Transitions and guards\n\n\
         Printed by the code (`understudy::decision::print`); `cargo test --test decision` compares, and\n\
         `UPDATE=1 cargo test --test decision` writes it anew. A rule's id appears in the history entry, the log\n\
         line and the answer of whatever it decided.\n\n\
         ## Which rule fires: phase and cue\n\n",
    );
    transitions(&mut page);
    page.push_str("\n## What each rule says\n\n| rule | does | says |\n| --- | --- | --- |\n");
    for rule in Rule::ALL {
        line(&mut page, &[rule.id(), &effect(*rule), rule.says()]);
    }
    page.push_str(
        "\n## Which guard holds which ask\n\n\
         From top to bottom; the first that holds is shown. `holds`: the move is not made. `-`: it does not\n\
         matter, or cannot be: a failback is asked for only where the primary is fit. `overridden`: the move is\n\
         made, and history says what force overrode. `Moving` holds neither a failover that replaces a preparation\n\
         or a move that has only stops left, nor a move after one whose steps have failed for `prepare_timeout`.\n\n",
    );
    guards(&mut page);
    page
}

fn transitions(page: &mut String) {
    let mut heading = vec!["cue".to_owned()];
    heading.extend(Phase::ALL.map(|phase| phase.as_str().to_owned()));
    head(page, &heading);
    for cue in Cue::ALL {
        let mut cells = vec![cue.as_str().to_owned()];
        cells.extend(Phase::ALL.map(|phase| transition::rule(phase, *cue).id().to_owned()));
        line(page, &cells);
    }
}

fn guards(page: &mut String) {
    let mut heading = vec!["guard".to_owned()];
    heading.extend(Ask::ALL.map(|ask| ask.as_str().to_owned()));
    head(page, &heading);
    for code in HoldCode::ALL {
        let mut cells = vec![code.as_str().to_owned()];
        cells.extend(Ask::ALL.map(|ask| {
            match guard::force(*code, ask) {
                Force::Holds => "holds",
                Force::Passes => "-",
                Force::Overridden => "overridden",
            }
            .to_owned()
        }));
        line(page, &cells);
    }
}

fn effect(rule: Rule) -> String {
    match rule.effect() {
        Effect::Stay => "stays".to_owned(),
        Effect::Begin(kind, cause) => {
            format!("begins a {} ({})", kind.as_str(), cause.as_str())
        }
        Effect::Flip => "flips".to_owned(),
        Effect::GiveUp => "gives up the preparation".to_owned(),
        Effect::Settle => "settles".to_owned(),
        Effect::Running => "answers with the move".to_owned(),
        Effect::RefuseMoving => "refuses: `Moving`".to_owned(),
        Effect::NothingToDo => "answers that nothing is to be done".to_owned(),
        Effect::Pause => "pauses".to_owned(),
        Effect::Resume => "resumes".to_owned(),
        Effect::Acknowledge => "acknowledges".to_owned(),
        Effect::Drill => "rehearses".to_owned(),
    }
}

fn head(page: &mut String, cells: &[String]) {
    line(page, cells);
    line(page, &vec!["---"; cells.len()]);
}

fn line<T: AsRef<str>>(page: &mut String, cells: &[T]) {
    for cell in cells {
        let _ = write!(page, "| {} ", cell.as_ref());
    }
    page.push_str("|\n");
}
