//! Which claims may be run at all: what the record says at the last moment before a call goes out.

use jiff::SignedDuration;
use understudy::decision::steps::may_run;
use understudy::model::moves::{
    Cause, Claim, Leftover, Move, MoveKind, Stage, Step, StepState, Times,
};
use understudy::model::name::AccountKey;
use understudy::model::state::GroupState;

use super::scenario_world::{group, moment};

const PROCESS: &str = "process-1";
const RESOURCE: &str = "streaming endpoint default";

/// The account of this site.
fn account(site: usize) -> AccountKey {
    let spec = group(&["west", "north"]);
    spec.sites[site].probed().next().unwrap()
}

/// A step on the account of this site that this process has claimed until a second after the first minute.
fn claimed(stage: Stage, site: usize) -> Step {
    Step {
        state: StepState::Running,
        owner: Some(PROCESS.to_owned()),
        claimed_until: Some(moment("61s").unwrap()),
        ..Step::new(stage, account(site), RESOURCE.to_owned())
    }
}

/// West is active; the record has these steps left of move `move-1`.
fn record(steps: Vec<Step>) -> GroupState {
    let spec = group(&["west", "north"]);
    let mut state = GroupState::new(spec.sites[0].answer(), moment("0s").unwrap());
    state.leftovers.push(Leftover {
        move_id: "move-1".to_owned(),
        cause: Cause::Order,
        site: "north".into(),
        since: moment("0s").unwrap(),
        waits_for_recovery: false,
        steps,
    });
    state
}

fn runs(kept: Step, claim: &Step, move_id: &str) -> bool {
    let claim = Claim {
        move_id: move_id.to_owned(),
        step: claim.clone(),
    };
    may_run(&record(vec![kept]), &claim, PROCESS, moment("1m").unwrap())
}

#[test]
fn a_claim_is_run_only_as_the_record_still_has_it() {
    let claim = claimed(Stage::Retire, 1);
    assert!(runs(claim.clone(), &claim, "move-1"));
    assert!(!runs(claim.clone(), &claim, "move-2"), "another move");
    let mut over = claim.clone();
    over.claimed_until = Some(moment("1m").unwrap());
    let mut long_over = claim.clone();
    long_over.claimed_until = Some(moment("1m").unwrap() - SignedDuration::from_secs(1));
    let mut others = claim.clone();
    others.owner = Some("process-2".to_owned());
    let mut failed = claim.clone();
    failed.state = StepState::Failed;
    for (kept, what) in [
        (over, "its claim is over in this moment"),
        (long_over, "its claim is over"),
        (others, "another process has it"),
        (failed, "it has failed"),
        (claimed(Stage::Activate, 1), "it is another step"),
        (claimed(Stage::Retire, 0), "it is on another account"),
    ] {
        assert!(!runs(kept, &claim, "move-1"), "{what}");
    }
}

#[test]
fn nothing_is_stopped_on_the_active_site_and_anything_may_be_started() {
    for (stage, site, may) in [
        (Stage::Activate, 0, true),
        (Stage::Activate, 1, true),
        (Stage::Retire, 0, false),
        (Stage::Retire, 1, true),
    ] {
        let step = claimed(stage, site);
        assert_eq!(
            runs(step.clone(), &step, "move-1"),
            may,
            "{stage:?} on site {site}"
        );
    }
}

#[test]
fn nothing_is_stopped_on_the_site_that_a_move_is_under_way_to() {
    let step = claimed(Stage::Retire, 1);
    let claim = Claim {
        move_id: "move-1".to_owned(),
        step: step.clone(),
    };
    for (to, may) in [("north", false), ("east", true)] {
        let mut state = record(vec![step.clone()]);
        state.moving = Some(Move {
            id: "move-2".to_owned(),
            generation: 1,
            kind: MoveKind::Switchover,
            cause: Cause::Order,
            actor: "anna".to_owned(),
            reason: None,
            forced: false,
            from: "west".into(),
            to: to.into(),
            started_at: moment("0s").unwrap(),
            flipped_at: None,
            prepare_until: None,
            prepared_at: None,
            times: Times::default(),
            steps: Vec::new(),
        });
        let now = moment("1m").unwrap();
        assert_eq!(may_run(&state, &claim, PROCESS, now), may, "to {to}");
    }
}
