//! Passes that see only a part: an order, or what became of a step, is decided on without the signals that the
//! timer reads. And the storm of signals that history has no room for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use understudy::decision::{Decision, Observation, decide, evidence, steps};
use understudy::model::evidence::GroupEvidence;
use understudy::model::history::HistoryKind;
use understudy::model::hold::HoldCode;
use understudy::model::moves::{Stage, Step, StepReport, StepResult, StepState};
use understudy::model::order::{Order, OrderKind};
use understudy::model::sample::{Outcome, Reading, Round, Streaming, TokenFact};
use understudy::model::signal::{Signal, SignalKind, SignalStage};
use understudy::model::spec::GroupSpec;
use understudy::model::state::GroupState;

use super::scenario_world::{group, moment};

pub fn now() -> Timestamp {
    moment("1m").unwrap()
}

/// Everything that is looked at, well and without signals.
pub fn quiet<'a>(evidence: &'a GroupEvidence) -> Observation<'a> {
    Observation {
        evidence: Some(evidence),
        signals: &[],
        signals_are_current: true,
        order: None,
        reports: &[],
        moving_elsewhere: 0,
        process: "process-1",
        move_id: "move-1",
    }
}

pub fn well(spec: &GroupSpec) -> GroupEvidence {
    let keys = spec.sites.iter().flat_map(|site| site.probed());
    let readings = keys.map(|key| {
        let reading = Reading {
            outcome: Outcome::Ok,
            latency_ms: 1,
            detail: None,
            host: "web.example:443".to_owned(),
            token: TokenFact::NotNeeded,
            streaming: Streaming::default(),
        };
        (key, reading)
    });
    let round = Round {
        started_at: now(),
        asked_twice: false,
        control_failed: None,
        must_run: None,
        readings: readings.collect(),
    };
    evidence::fold(None, &round, &spec.policy)
}

fn signal(id: &str, is_evidence: bool) -> Signal {
    Signal {
        id: id.to_owned(),
        kind: SignalKind::Other,
        region: None,
        service: None,
        stage: SignalStage::Active,
        received_at: now(),
        expires_at: now() + SignedDuration::from_hours(1),
        site: "west".into(),
        is_evidence,
        is_unclear: false,
        why: None,
    }
}

fn pause() -> Order {
    Order {
        kind: OrderKind::Pause,
        actor: "anna".to_owned(),
        reason: Some("as agreed".to_owned()),
        to: None,
        force: false,
        dry_run: false,
        if_generation: None,
        lasting: None,
    }
}

/// A record that knows of a signal, and of a hold that history was told of.
fn knowing(spec: &GroupSpec) -> GroupState {
    let mut state = GroupState::new(spec.sites[0].answer(), now());
    state.noted_signals.insert("A1:active".to_owned());
    state.noted.insert(HoldCode::Paused);
    state
}

fn remembers(decision: &Decision) -> bool {
    let signals = decision.next.noted_signals.contains("A1:active");
    let holds = decision.next.noted.contains(&HoldCode::Paused);
    assert_eq!(signals, holds, "both or none");
    signals
}

#[test]
fn only_a_pass_that_looks_at_everything_forgets_what_it_does_not_see() {
    let spec = group(&["west", "north"]);
    let state = knowing(&spec);
    let evidence = well(&spec);
    let order = pause();
    let step = "start streaming endpoint default";
    let reports = [StepReport::new("another", step, StepResult::Done)];
    let all = quiet(&evidence);
    assert!(!remembers(&decide(&state, &all, &spec, now())));
    let ordered = Observation {
        order: Some(&order),
        ..quiet(&evidence)
    };
    assert!(remembers(&decide(&state, &ordered, &spec, now())));
    let reported = Observation {
        reports: &reports,
        ..quiet(&evidence)
    };
    assert!(remembers(&decide(&state, &reported, &spec, now())));
    let blind = Observation {
        evidence: None,
        ..quiet(&evidence)
    };
    assert!(remembers(&decide(&state, &blind, &spec, now())));
}

#[test]
fn signals_that_may_be_old_are_neither_told_nor_forgotten() {
    let spec = group(&["west", "north"]);
    let evidence = well(&spec);
    let signals = [signal("A2", true)];
    let seen = Observation {
        signals: &signals,
        signals_are_current: false,
        ..quiet(&evidence)
    };
    let before = knowing(&spec);
    let decision = decide(&before, &seen, &spec, now());
    assert_eq!(decision.history, []);
    assert_eq!(decision.next.noted_signals, before.noted_signals);
}

#[test]
fn in_a_storm_history_is_told_first_of_what_may_move_the_group() {
    let spec = group(&["west", "north"]);
    let evidence = well(&spec);
    let state = GroupState::new(spec.sites[0].answer(), now());
    let mut signals: Vec<Signal> = (0..60).map(|at| signal(&format!("R{at}"), false)).collect();
    signals.push(signal("A1", true));
    let seen = Observation {
        signals: &signals,
        ..quiet(&evidence)
    };
    let decision = decide(&state, &seen, &spec, now());
    let told: Vec<&str> = decision
        .history
        .iter()
        .filter(|entry| entry.kind == HistoryKind::Signal)
        .filter_map(|entry| entry.reason.as_deref())
        .collect();
    assert_eq!(
        told.len(),
        50,
        "one transaction holds no more than a hundred rows"
    );
    assert!(told[0].starts_with("signal A1 about west is active; one failed round"));
    assert!(told[1].starts_with("signal R0 about west"), "{}", told[1]);
    let noted: BTreeSet<String> = decision.next.noted_signals;
    assert_eq!(noted.len(), 50);
    assert!(noted.contains("A1:active"));
}

#[test]
fn of_a_step_that_another_process_has_claimed_since_only_success_is_heard() {
    let key = group(&["west"]).sites[0].probed().next().unwrap();
    let claimed = Step {
        state: StepState::Running,
        owner: Some("process-2".to_owned()),
        ..Step::new(
            Stage::Activate,
            key,
            "streaming endpoint default".to_owned(),
        )
    };
    for (result, then) in [
        (StepResult::Done, StepState::Done),
        (StepResult::failed("it answered 500"), StepState::Running),
        (
            StepResult::GoingOn("it is Starting".to_owned()),
            StepState::Running,
        ),
    ] {
        let mut all = [claimed.clone()];
        let reports = [StepReport::new("move-1", &claimed.name, result)];
        steps::fold("move-1", &mut all, &reports, "process-1", now());
        let is_claimed = all[0].owner.is_some();
        assert_eq!(all[0].state, then);
        assert_eq!(is_claimed, then == StepState::Running);
    }
}
