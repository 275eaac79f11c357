//! The decision as stories, as tables, and under random observations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "decision/passes.rs"]
mod passes;
#[path = "support/random_world.rs"]
mod random_world;
#[path = "decision/rehearsal.rs"]
mod rehearsal;
#[path = "decision/running.rs"]
mod running;
#[path = "support/scenario.rs"]
mod scenario;
#[path = "support/scenario_expect.rs"]
mod scenario_expect;
#[path = "support/scenario_world.rs"]
mod scenario_world;

use std::path::{Path, PathBuf};

use understudy::decision::guard::{self, Ask, Force};
use understudy::decision::print;
use understudy::decision::transition::Rule;
use understudy::model::hold::HoldCode;

fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_scenario_holds() {
    let (covered, failures) = scenario::run_all(&repo("tests/scenarios"));
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(covered.scenarios > 0);
}

#[test]
fn every_rule_and_every_guard_that_holds_has_a_scenario() {
    let (covered, _) = scenario::run_all(&repo("tests/scenarios"));
    let mut uncovered: Vec<String> = Rule::ALL
        .iter()
        .filter(|rule| !covered.rules.contains(rule))
        .map(|rule| format!("rule {}: {}", rule.id(), rule.says()))
        .collect();
    for code in HoldCode::ALL {
        for ask in Ask::ALL {
            let matters = guard::force(*code, ask) != Force::Passes;
            if matters && !covered.guards.contains(&(*code, ask)) {
                uncovered.push(format!("guard {} × {}", code.as_str(), ask.as_str()));
            }
        }
    }
    assert!(uncovered.is_empty(), "uncovered:\n{}", uncovered.join("\n"));
}

#[test]
fn the_page_of_tables_is_what_the_code_prints() {
    let path = repo("docs/transitions.md");
    let printed = print::page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == printed,
        "docs/transitions.md is not what the code prints: run `UPDATE=1 cargo test --test decision`"
    );
}

#[test]
fn errors_in_a_scenario_name_file_and_line() {
    let failure = |text: &str| {
        let mut failures = Vec::new();
        scenario::run_text(
            "story.txt",
            text,
            &mut scenario::Covered::default(),
            &mut failures,
        );
        failures.join("\n")
    };
    let typo = failure("scenario: a typo\n  when\n    at 0s: west fine\n");
    assert!(typo.starts_with("story.txt:3:"), "{typo}");
    assert!(typo.contains("no such outcome: fine"), "{typo}");
    let wrong =
        failure("scenario: wrong\n  when\n    at 0s: west ok, north ok\n  expect\n    rule S1\n");
    assert!(wrong.starts_with("story.txt:5:"), "{wrong}");
    assert!(wrong.contains("S0"), "{wrong}");
    let lost = failure("rule S1\n");
    assert!(lost.starts_with("story.txt:1:"), "{lost}");
}

mod always {
    //! What holds whatever is observed, in whatever order, on whatever clock.

    use std::collections::BTreeSet;

    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use understudy::decision::health::{Fitness, assess};
    use understudy::decision::{Decision, Ruling};
    use understudy::model::hold::{Hold, HoldCode};
    use understudy::model::moves::{Cause, MoveKind};
    use understudy::model::order::OrderKind;
    use understudy::model::runbook::Topic;
    use understudy::model::sample::Outcome;

    use crate::random_world::{
        Event, What, histories, histories_without_orders, observing_specs, play, specs,
    };

    /// Every hold that a decision tells: to whoever looks, to whoever ordered, to history.
    fn holds(decision: &Decision) -> Vec<&Hold> {
        let refused = match &decision.ruling {
            Ruling::Refused(hold) => Some(hold),
            Ruling::Done | Ruling::Running | Ruling::GenerationMismatch => None,
        };
        let told = decision.history.iter();
        let told = told.filter_map(|entry| entry.hold.as_ref());
        decision.hold.iter().chain(refused).chain(told).collect()
    }

    /// Properties of holds say nothing where nothing is held. In the random world every site has a host of its
    /// own, and there are no other groups.
    #[test]
    fn random_histories_are_held_by_much() {
        let mut runner = TestRunner::deterministic();
        let mut codes = BTreeSet::new();
        for _ in 0..300 {
            for spec in [specs().boxed(), observing_specs().boxed()] {
                let spec = spec.new_tree(&mut runner).unwrap().current();
                let events = histories().new_tree(&mut runner).unwrap().current();
                play(&spec, &events, |pass| {
                    codes.extend(holds(&pass.decision).into_iter().map(|hold| hold.code));
                });
            }
        }
        let elsewhere = [HoldCode::GlobalFault, HoldCode::StormLimit];
        let unseen: Vec<&HoldCode> = HoldCode::ALL
            .iter()
            .filter(|code| !codes.contains(code) && !elsewhere.contains(code))
            .collect();
        assert!(unseen.is_empty(), "never held: {unseen:?}");
    }

    /// Properties of moves say nothing where nothing moves.
    #[test]
    fn random_histories_do_move() {
        let mut runner = TestRunner::deterministic();
        let mut rules = BTreeSet::new();
        for _ in 0..300 {
            let spec = specs().new_tree(&mut runner).unwrap().current();
            let events = histories().new_tree(&mut runner).unwrap().current();
            play(&spec, &events, |pass| {
                if pass.flipped() {
                    rules.insert(pass.decision.rule.id());
                }
            });
        }
        for rule in ["S1", "S2", "S3", "S4", "S5", "S6", "P4"] {
            assert!(rules.contains(rule), "{rule} never moved: {rules:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn generations_count_flips_and_every_flip_is_told(spec in specs(), events in histories()) {
            play(&spec, &events, |pass| {
                let (before, after) = (&pass.before, &pass.decision.next);
                let grown = after.generation - before.generation;
                assert_eq!(grown, u64::from(before.active() != after.active()));
                assert!(spec.site(after.active()).is_some(), "one configured site is active");
                if pass.flipped() {
                    let entry = pass.flip_entry();
                    assert_eq!(entry.generation, after.generation);
                    assert_eq!(&entry.from, before.active());
                    assert_eq!(entry.to.as_ref(), Some(after.active()));
                    assert_eq!(&entry.active, after.active());
                    assert_eq!(entry.rule, pass.decision.rule.id());
                } else {
                    assert_eq!(before.since, after.since);
                }
            });
        }

        #[test]
        fn deciding_again_adds_nothing(spec in specs(), events in histories()) {
            play(&spec, &events, |pass| {
                // An order is spent; what it left over is looked at by the next pass.
                if pass.order.is_none() {
                    assert_eq!(pass.again.next, pass.decision.next);
                    assert!(pass.again.history.is_empty(), "{:?}", pass.again.history);
                }
            });
        }

        #[test]
        fn without_force_no_move_goes_to_an_unfit_site(spec in specs(), events in histories()) {
            play(&spec, &events, |pass| {
                if pass.flipped() && !pass.flip_entry().forced {
                    let sites = assess(&spec, pass.evidence.as_ref(), pass.now);
                    let to = sites.iter().find(|s| s.site == *pass.decision.next.active()).unwrap();
                    assert_eq!(to.fitness, Fitness::Fit);
                }
            });
        }

        #[test]
        fn automatic_moves_respect_every_guard(spec in specs(), events in histories()) {
            play(&spec, &events, |pass| {
                if !pass.flipped() || pass.flip_entry().cause == Cause::Order || pass.was_begun() {
                    return;
                }
                assert!(pass.order.is_none(), "an order moves in its own name");
                let before = &pass.before;
                assert!(before.pause_at(pass.now).is_none(), "paused");
                assert!(before.cooldown_until.is_none_or(|until| until <= pass.now), "cooling down");
                assert!(before.forced_until.is_none_or(|until| until <= pass.now), "forced");
                let sites = assess(&spec, pass.evidence.as_ref(), pass.now);
                assert!(!sites.iter().all(|site| site.failed_now), "every site fails");
            });
        }

        #[test]
        fn a_failover_by_probes_leaves_a_site_that_fails_now(
            spec in specs(), events in histories()
        ) {
            play(&spec, &events, |pass| {
                if !pass.flipped() {
                    return;
                }
                let flip = pass.decision.next.last_flip.clone().unwrap();
                if (flip.kind, flip.cause) == (MoveKind::Failover, Cause::Automatic) {
                    let sites = assess(&spec, pass.evidence.as_ref(), pass.now);
                    let left = sites.iter().find(|s| s.site == *pass.before.active()).unwrap();
                    assert!(left.unhealthy_now);
                    let held = pass.now.duration_since(left.unhealthy_since.unwrap());
                    assert!(held >= spec.policy.hold, "held for {held}");
                }
            });
        }

        #[test]
        fn no_second_automatic_failover_within_the_cool_down(
            spec in specs(), events in histories_without_orders()
        ) {
            let mut ends: Option<Timestamp> = None;
            play(&spec, &events, |pass| {
                if pass.flipped() {
                    assert!(pass.was_begun() || ends.is_none_or(|ends| pass.now >= ends));
                    if pass.flip_entry().kind.as_str() == "failover" {
                        ends = pass.now.checked_add(spec.policy.cooldown).ok();
                    }
                } else {
                    assert_eq!(pass.decision.next.cooldown_until, pass.before.cooldown_until);
                }
            });
        }

        #[test]
        fn the_daily_budget_is_kept(spec in specs(), events in histories_without_orders()) {
            let mut made: Vec<Timestamp> = Vec::new();
            play(&spec, &events, |pass| {
                if pass.flipped() && pass.flip_entry().kind.as_str() == "failover" {
                    let day = SignedDuration::from_hours(24);
                    made.retain(|at| pass.now.duration_since(*at) < day);
                    made.push(pass.now);
                    assert!(made.len() <= spec.policy.max_moves_per_day as usize);
                }
            });
        }

        #[test]
        fn observing_moves_nothing_by_itself(
            spec in observing_specs(), events in histories_without_orders()
        ) {
            play(&spec, &events, |pass| {
                assert_eq!(pass.decision.next.generation, 0);
                assert!(pass.decision.next.moving.is_none());
            });
        }

        #[test]
        fn what_is_no_failure_never_moves(
            spec in specs(), events in histories_without_orders()
        ) {
            let harmless: Vec<Event> = events
                .into_iter()
                .map(|mut event| {
                    if let What::Round { outcomes, .. } = &mut event.what {
                        for outcome in outcomes.iter_mut() {
                            if *outcome == Outcome::Failed {
                                *outcome = Outcome::Denied;
                            }
                        }
                    }
                    event
                })
                .filter(|event| !matches!(event.what, What::Alert { .. }))
                .collect();
            play(&spec, &harmless, |pass| assert_eq!(pass.decision.next.generation, 0));
        }

        #[test]
        fn every_hold_that_is_told_names_its_section_once(spec in specs(), events in histories()) {
            play(&spec, &events, |pass| {
                for hold in holds(&pass.decision) {
                    let reference = Topic::Hold(hold.code).reference();
                    assert!(hold.message.ends_with(&reference), "{}", hold.message);
                    assert_eq!(hold.message.matches("runbook.md").count(), 1, "{}", hold.message);
                }
            });
        }

        #[test]
        fn a_pause_is_only_a_persons(spec in specs(), events in histories()) {
            play(&spec, &events, |pass| {
                let kinds = [OrderKind::Pause, OrderKind::Resume];
                if pass.order.as_ref().is_none_or(|order| !kinds.contains(&order.kind)) {
                    assert_eq!(pass.decision.next.paused, pass.before.paused);
                }
            });
        }
    }
}
