//! What a rehearsal tells history: the words of whoever asked, and what was found of each step.

use jiff::{SignedDuration, Timestamp};
use understudy::decision::{Decision, decide};
use understudy::model::history::HistoryKind;
use understudy::model::moves::{StepReport, StepResult};
use understudy::model::order::{Order, OrderKind};
use understudy::model::state::GroupState;

use super::passes::{now, quiet, well};
use super::scenario_world::group;

const STEP: &str = "start streaming endpoint default";

fn rehearse(reason: Option<&str>, reports: &[StepReport]) -> Decision {
    let spec = group(&["west", "north"]);
    let evidence = well(&spec);
    let order = Order {
        kind: OrderKind::Drill,
        actor: "anna".to_owned(),
        reason: reason.map(str::to_owned),
        to: None,
        force: false,
        dry_run: false,
        if_generation: None,
        lasting: None,
    };
    let mut seen = quiet(&evidence);
    seen.order = Some(&order);
    seen.reports = reports;
    let state = GroupState::new(spec.sites[0].answer(), now());
    decide(&state, &seen, &spec, now())
}

/// A report on a step that took this long.
fn found(seconds: i64, result: StepResult) -> StepReport {
    StepReport {
        took: SignedDuration::from_secs(seconds),
        ..StepReport::new("move-1", STEP, result)
    }
}

#[test]
fn a_rehearsal_tells_what_was_found() {
    let well = || found(2, StepResult::Done);
    let ill = || found(3, StepResult::failed("it answered 500"));
    for (reason, reports, wanted) in [
        (Some("as agreed"), vec![], "as agreed"),
        (None, vec![], "a switchover to north would go through"),
        (
            Some("as agreed"),
            vec![well()],
            "as agreed: a switchover to north would go through; \
             start streaming endpoint default: nothing to do (2000 ms)",
        ),
        (
            None,
            vec![well(), ill()],
            "a switchover to north would not be completed; \
             start streaming endpoint default: nothing to do (2000 ms); \
             start streaming endpoint default: it answered 500 (3000 ms)",
        ),
    ] {
        let decision = rehearse(reason, &reports);
        let entry = decision.history.last().unwrap();
        assert_eq!(entry.kind, HistoryKind::Drill);
        assert_eq!(entry.reason.as_deref(), Some(wanted));
    }
}

#[test]
fn a_rehearsal_was_decided_on_before_its_longest_step_began() {
    let decided_at = |reports: &[StepReport]| -> Option<Timestamp> {
        let decision = rehearse(None, reports);
        let times = decision.history.last().unwrap().times.unwrap();
        assert_eq!(times.completed_at, Some(now()));
        times.decided_at
    };
    let both = [found(2, StepResult::Done), found(3, StepResult::Done)];
    assert_eq!(
        decided_at(&both),
        Some(now() - SignedDuration::from_secs(3))
    );
    assert_eq!(decided_at(&[]), Some(now()));
}
