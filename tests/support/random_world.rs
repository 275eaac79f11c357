//! Random observations of one group, pass after pass, for the property tests.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use understudy::decision::{Decision, Observation, decide, evidence};
use understudy::model::evidence::GroupEvidence;
use understudy::model::history::HistoryEntry;
use understudy::model::moves::{StepReport, StepResult};
use understudy::model::name::ByAccount;
use understudy::model::order::{Order, OrderKind};
use understudy::model::policy::{AlertPolicy, FailbackPolicy, Mode, Standby};
use understudy::model::sample::{Outcome, Reading, Round, Streaming, TokenFact};
use understudy::model::signal::{Signal, SignalKind, SignalStage};
use understudy::model::spec::GroupSpec;
use understudy::model::state::GroupState;

use super::scenario_world as world;

/// One thing that happens, `after` seconds since the one before; the clock may run backwards.
#[derive(Debug, Clone)]
pub struct Event {
    pub after: i64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Round {
        outcomes: Vec<Outcome>,
        control_failed: Option<bool>,
    },
    Alert {
        site: usize,
        is_evidence: bool,
    },
    AlertsOver,
    Ordered {
        kind: OrderKind,
        to: Option<usize>,
        force: bool,
    },
    Report {
        ok: bool,
    },
    Nothing,
}

/// Groups of two or three sites, with and without steps, under any policy that matters here.
pub fn specs() -> impl Strategy<Value = GroupSpec> {
    let sites = prop_oneof![
        Just(vec!["west", "north"]),
        Just(vec!["west", "north", "east"])
    ];
    let flags = prop::collection::vec(any::<bool>(), 6);
    (sites, flags, 1_i64..200, 1_u32..4, 1_u32..3).prop_map(
        |(names, flags, hold, limit, recover)| {
            let mut spec = world::group(&names);
            for (name, flag) in names.iter().zip(&flags) {
                if *flag {
                    world::add(&mut spec, name, "streaming endpoint default").unwrap();
                }
            }
            let policy = &mut spec.policy;
            policy.hold = SignedDuration::from_secs(hold);
            policy.cooldown = SignedDuration::from_secs(hold * 10);
            policy.failback_after = SignedDuration::from_secs(hold);
            policy.prepare_timeout = SignedDuration::from_secs(120);
            policy.max_moves_per_day = limit;
            policy.recover_threshold = recover;
            policy.fail_threshold = recover;
            policy.fail_window = recover + 1;
            if flags[3] {
                policy.failback = FailbackPolicy::Automatic;
            }
            policy.alert = match (flags[4], flags[5]) {
                (true, true) => AlertPolicy::Direct,
                (true, false) => AlertPolicy::Confirm,
                (false, _) => AlertPolicy::Ignore,
            };
            if flags[5] {
                policy.standby = Standby::Cold;
            }
            spec
        },
    )
}

/// The same, but only observing.
pub fn observing_specs() -> impl Strategy<Value = GroupSpec> {
    specs().prop_map(|mut spec| {
        spec.policy.mode = Mode::Observe;
        spec
    })
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Ok),
        6 => Just(Outcome::Failed),
        1 => prop::sample::select(Outcome::ALL.to_vec()),
    ];
    prop::collection::vec(outcome, 3)
}

fn whats() -> impl Strategy<Value = What> {
    let order = (
        prop::sample::select(OrderKind::ALL.to_vec()),
        prop::option::of(0_usize..4),
        prop::bool::weighted(0.2),
    );
    prop_oneof![
        12 => (outcomes(), prop::option::weighted(0.1, any::<bool>()))
            .prop_map(|(outcomes, control_failed)| What::Round { outcomes, control_failed }),
        1 => (0_usize..3, any::<bool>())
            .prop_map(|(site, is_evidence)| What::Alert { site, is_evidence }),
        1 => Just(What::AlertsOver),
        1 => order.prop_map(|(kind, to, force)| What::Ordered { kind, to, force }),
        2 => any::<bool>().prop_map(|ok| What::Report { ok }),
        1 => Just(What::Nothing),
    ]
}

/// A history: outcomes come in runs, so that accounts do become unhealthy and well again.
pub fn histories() -> impl Strategy<Value = Vec<Event>> {
    let after =
        prop_oneof![8 => Just(30_i64), 2 => 1_i64..40, 1 => 100_i64..2000, 1 => -2000_i64..0];
    let run = (after, whats(), 1_usize..6)
        .prop_map(|(after, what, often)| vec![Event { after, what }; often]);
    prop::collection::vec(run, 1..40).prop_map(|runs| runs.into_iter().flatten().collect())
}

/// Like [`histories`], but no person orders anything.
pub fn histories_without_orders() -> impl Strategy<Value = Vec<Event>> {
    histories().prop_map(|events| {
        events
            .into_iter()
            .filter(|event| !matches!(event.what, What::Ordered { .. }))
            .collect()
    })
}

/// One pass as it was.
pub struct Pass {
    pub before: GroupState,
    pub decision: Decision,
    pub again: Decision,
    pub evidence: Option<GroupEvidence>,
    pub order: Option<Order>,
    pub now: Timestamp,
}

impl Pass {
    pub fn flipped(&self) -> bool {
        self.decision.next.generation != self.before.generation
    }

    /// Whether the flip ends a preparation that was begun by an earlier pass: guards hold the beginning
    /// of moves, not what has been begun.
    pub fn was_begun(&self) -> bool {
        self.decision.rule.id() == "P4"
    }

    /// The entry of the move that flipped in this pass.
    pub fn flip_entry(&self) -> &HistoryEntry {
        let flips = ["failover", "switchover", "failback"];
        let mut found = self
            .decision
            .history
            .iter()
            .filter(|entry| flips.contains(&entry.kind.as_str()));
        let entry = found.next().expect("a flip has an entry");
        assert!(found.next().is_none(), "one flip, one entry");
        entry
    }
}

/// Plays a history; every pass is shown to `check`.
pub fn play(spec: &GroupSpec, events: &[Event], mut check: impl FnMut(&Pass)) {
    let mut now = world::moment("0s").unwrap();
    let mut state = GroupState::new(spec.sites[0].answer(), now);
    let mut evidence: Option<GroupEvidence> = None;
    let mut signals: Vec<Signal> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        now += SignedDuration::from_secs(event.after);
        let mut order = None;
        let mut reports = Vec::new();
        match &event.what {
            What::Round {
                outcomes,
                control_failed,
            } => {
                let round = round(spec, now, outcomes, *control_failed);
                evidence = Some(evidence::fold(evidence.as_ref(), &round, &spec.policy));
            }
            What::Alert { site, is_evidence } => {
                signals.push(signal(spec, index, now, *site, *is_evidence));
            }
            What::AlertsOver => {
                for signal in &mut signals {
                    signal.stage = SignalStage::Resolved;
                }
            }
            What::Ordered { kind, to, force } => order = Some(ordered(spec, *kind, *to, *force)),
            What::Report { ok } => reports = report(&state, *ok),
            What::Nothing => {}
        }
        let id = format!("move-{index}");
        let mut seen = Observation {
            evidence: evidence.as_ref(),
            signals: &signals,
            signals_are_current: true,
            order: order.as_ref(),
            reports: &reports,
            moving_elsewhere: 0,
            process: "process-1",
            move_id: &id,
        };
        let before = state.clone();
        let decision = decide(&state, &seen, spec, now);
        assert_eq!(state, before, "the input is untouched");
        assert_eq!(
            decide(&state, &seen, spec, now),
            decision,
            "same input, same answer"
        );
        seen.order = None;
        let again = decide(&decision.next, &seen, spec, now);
        state = decision.next.clone();
        check(&Pass {
            before,
            decision,
            again,
            evidence: evidence.clone(),
            order,
            now,
        });
    }
}

fn round(spec: &GroupSpec, now: Timestamp, outcomes: &[Outcome], control: Option<bool>) -> Round {
    let mut readings = ByAccount::new();
    for (site, outcome) in spec.sites.iter().zip(outcomes) {
        for key in site.probed() {
            let reading = Reading {
                outcome: *outcome,
                latency_ms: 1,
                detail: None,
                host: format!("{key}:443"),
                token: TokenFact::NotNeeded,
                streaming: Streaming::default(),
            };
            readings.insert(key, reading);
        }
    }
    Round {
        started_at: now,
        asked_twice: true,
        control_failed: control,
        must_run: None,
        readings,
    }
}

fn signal(spec: &GroupSpec, id: usize, now: Timestamp, site: usize, is_evidence: bool) -> Signal {
    Signal {
        id: format!("alert-{id}"),
        kind: SignalKind::ServiceHealth,
        region: None,
        service: None,
        stage: SignalStage::Active,
        received_at: now,
        expires_at: now + SignedDuration::from_secs(600),
        site: spec.sites[site % spec.sites.len()].name.clone(),
        is_evidence,
        is_unclear: false,
        why: None,
    }
}

fn ordered(spec: &GroupSpec, kind: OrderKind, to: Option<usize>, force: bool) -> Order {
    Order {
        kind,
        actor: "anna".to_owned(),
        reason: Some("as agreed".to_owned()),
        // One past the last site is a site that is not configured.
        to: to.map(|to| {
            spec.sites
                .get(to)
                .map_or("nowhere".into(), |site| site.name.clone())
        }),
        force,
        dry_run: false,
        if_generation: None,
        lasting: None,
    }
}

fn report(state: &GroupState, ok: bool) -> Vec<StepReport> {
    let Some(moving) = &state.moving else {
        return Vec::new();
    };
    let result = if ok {
        StepResult::Done
    } else {
        StepResult::failed("it answered 500")
    };
    moving
        .steps
        .iter()
        .map(|step| StepReport {
            began: true,
            ..StepReport::new(&moving.id, &step.name, result.clone())
        })
        .collect()
}
