//! Reads and runs scenario files: `given`, `when`, `expect`, in plain words. The words are listed in
//! `tests/scenarios/README.md`. Every error names file and line.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use understudy::decision::guard::Ask;
use understudy::decision::transition::{self, Effect, Rule};
use understudy::decision::{Decision, Observation, Ruling, decide, evidence};
use understudy::model::evidence::GroupEvidence;
use understudy::model::history::HistoryEntry;
use understudy::model::hold::HoldCode;
use understudy::model::moves::{Cause, MoveKind, Step, StepReport, StepResult};
use understudy::model::name::ByAccount;
use understudy::model::order::{Order, OrderKind};
use understudy::model::sample::{Outcome, Reading, Round, Streaming, TokenFact};
use understudy::model::signal::{Signal, SignalKind, SignalStage};
use understudy::model::spec::{AccountSpec, GroupSpec};
use understudy::model::state::{GroupState, LastFlip};

use super::scenario_world::{self as world, duration, moment};

pub type Said<T = ()> = Result<T, String>;

/// What the scenarios show: rules that were expected, and holds and overrides with who asked.
#[derive(Debug, Default)]
pub struct Covered {
    pub rules: BTreeSet<Rule>,
    pub guards: BTreeSet<(HoldCode, Ask)>,
    pub scenarios: usize,
}

/// Runs every scenario of a folder; the failures name file and line.
pub fn run_all(folder: &Path) -> (Covered, Vec<String>) {
    let mut covered = Covered::default();
    let mut failures = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        run_text(&name, &text, &mut covered, &mut failures);
    }
    (covered, failures)
}

/// Runs the scenarios of one text.
pub fn run_text(file: &str, text: &str, covered: &mut Covered, failures: &mut Vec<String>) {
    let mut running: Option<World> = None;
    let mut section = "";
    let mut skip = false;
    for (index, line) in text.lines().enumerate() {
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if let Some(title) = words.strip_prefix("scenario: ") {
            running = Some(World::new(title));
            covered.scenarios += 1;
            (section, skip) = ("", false);
            continue;
        }
        if let Some(found) = ["given", "when", "expect"].iter().find(|s| **s == words) {
            section = found;
            continue;
        }
        let Some(world) = running.as_mut().filter(|_| !skip) else {
            if !skip {
                failures.push(format!(
                    "{file}:{}: a line before the first `scenario:`",
                    index + 1
                ));
            }
            continue;
        };
        let said = match section {
            "given" => world.given(words),
            "when" => world.when(words),
            "expect" => world.expect(words, covered),
            _ => Err("expected `given`, `when` or `expect`".to_owned()),
        };
        if let Err(problem) = said {
            skip = true;
            failures.push(format!(
                "{file}:{}: [{}] {words}: {problem}",
                index + 1,
                world.title
            ));
        }
    }
}

struct World {
    title: String,
    spec: GroupSpec,
    state: GroupState,
    evidence: Option<GroupEvidence>,
    signals: Vec<Signal>,
    elsewhere: u32,
    now: Timestamp,
    last: Option<(Decision, Option<Order>)>,
    history: Vec<HistoryEntry>,
    passes: u32,
}

impl World {
    fn new(title: &str) -> Self {
        let spec = world::group(&["west", "north"]);
        let state = GroupState::new(spec.sites[0].answer(), moment("0s").unwrap());
        Self {
            title: title.to_owned(),
            spec,
            state,
            evidence: None,
            signals: Vec::new(),
            elsewhere: 0,
            now: moment("0s").unwrap(),
            last: None,
            history: Vec::new(),
            passes: 0,
        }
    }

    fn given(&mut self, words: &str) -> Said {
        let fresh = self.last.is_none();
        if let Some(sites) = words.strip_prefix("sites ") {
            let names: Vec<&str> = sites.split(", ").collect();
            self.spec.sites = world::group(&names).sites;
            if fresh {
                self.state.answer = self.spec.sites[0].answer().into();
            }
        } else if let Some((what, sites)) = words.split_once(" in ") {
            for site in sites.split(", ") {
                world::add(&mut self.spec, site, what)?;
            }
            if fresh {
                self.state.answer = self.spec.sites[0].answer().into();
            }
        } else if let Some(site) = words.strip_prefix("active ") {
            self.state.answer = match self.spec.site(&site.into()) {
                Some(site) => site.answer(),
                None => world::unconfigured(site),
            }
            .into();
        } else if let Some(rest) = words.strip_prefix("policy ") {
            for item in rest.split(", ") {
                let (key, value) = item.split_once(' ').ok_or("a policy is `key value`")?;
                world::set_policy(&mut self.spec.policy, key, value)?;
            }
        } else if let Some(from) = words.strip_prefix("an automatic failover left ") {
            self.state.last_flip = Some(LastFlip {
                kind: MoveKind::Failover,
                cause: Cause::Automatic,
                from: from.into(),
            });
        } else if let Some(count) = words.strip_suffix(" other groups are moving") {
            self.elsewhere = count.parse().map_err(|_| "a count was expected")?;
        } else if let Some(until) = words.strip_prefix("cooling down until ") {
            self.state.cooldown_until = Some(moment(until)?);
        } else if let Some(until) = words.strip_prefix("forced until ") {
            self.state.forced_until = Some(moment(until)?);
        } else if let Some(times) = words.strip_prefix("automatic failovers at ") {
            self.state.automatic_failovers = times.split(", ").map(moment).collect::<Said<_>>()?;
        } else {
            return Err("not a `given` that is known".to_owned());
        }
        Ok(())
    }

    fn when(&mut self, words: &str) -> Said {
        let (when, what) = words.split_once(": ").ok_or("an event is `at 30s: what`")?;
        if let Some(at) = when.strip_prefix("at ") {
            return self.event(moment(at)?, what);
        }
        let parts: Vec<&str> = when.split(' ').collect();
        let ["every", step, "from", from, "to", to] = parts[..] else {
            return Err("expected `at 30s:` or `every 30s from 0s to 60s:`".to_owned());
        };
        let (step, mut at, to) = (duration(step)?, moment(from)?, moment(to)?);
        while at <= to {
            self.event(at, what)?;
            at += step;
        }
        Ok(())
    }

    fn event(&mut self, at: Timestamp, what: &str) -> Said {
        self.now = at;
        if what == "nothing new" {
            return self.pass(None, &[]);
        }
        if let Some(alert) = what.strip_prefix("alert ") {
            self.alert(alert)?;
            return self.pass(None, &[]);
        }
        if let Some((who, order)) = what.split_once(" orders ") {
            let order = read_order(who, order)?;
            return self.pass(Some(order), &[]);
        }
        if let Some(step) = what.strip_prefix("step ") {
            let (step, result) = match step.strip_suffix(" is done") {
                Some(step) => (step, StepResult::Done),
                None => match step.strip_suffix(" goes on") {
                    Some(step) => (step, StepResult::GoingOn("it is Starting".to_owned())),
                    None => (
                        step.strip_suffix(" fails")
                            .ok_or("a step `is done`, `goes on` or `fails`")?,
                        StepResult::failed("it answered 500"),
                    ),
                },
            };
            let (step, began) = match step.strip_suffix(", which was so before,") {
                Some(step) => (step, false),
                None => (step, true),
            };
            let report = StepReport {
                began,
                ..StepReport::new(&self.move_with(step)?, step, result)
            };
            return self.pass(None, &[report]);
        }
        let round = self.round(what)?;
        self.evidence = Some(evidence::fold(
            self.evidence.as_ref(),
            &round,
            &self.spec.policy,
        ));
        self.pass(None, &[])
    }

    /// The move that has this step, or has left it to be done.
    fn move_with(&self, step: &str) -> Said<String> {
        let moving = self.state.moving.iter().map(|each| (&each.id, &each.steps));
        let leftovers = self.state.leftovers.iter();
        let mut all = moving.chain(leftovers.map(|each| (&each.move_id, &each.steps)));
        // A start may end after the order that gave it up: then only what undoes it is known.
        let is = |known: &Step| {
            known.name == step || step.strip_prefix("start ") == Some(known.resource.as_str())
        };
        all.find(|(_, steps)| steps.iter().any(is))
            .map(|(id, _)| id.clone())
            .ok_or_else(|| format!("no such step: {step}"))
    }

    fn alert(&mut self, what: &str) -> Said {
        if let Some(id) = what.strip_suffix(" is over") {
            let signal = self.signals.iter_mut().find(|signal| signal.id == id);
            signal.ok_or("no such alert")?.stage = SignalStage::Resolved;
            return Ok(());
        }
        let (what, is_unclear) = match what.strip_suffix(", unclear") {
            Some(what) => (what, true),
            None => (what, false),
        };
        let (what, is_evidence) = match what.strip_suffix(", only recorded") {
            Some(what) => (what, false),
            None => (what, !is_unclear),
        };
        let (id, site) = what
            .split_once(" about ")
            .ok_or("an alert is `alert ID about SITE`")?;
        self.signals.push(Signal {
            id: id.to_owned(),
            kind: SignalKind::ServiceHealth,
            region: Some(site.to_owned()),
            service: None,
            stage: SignalStage::Active,
            received_at: self.now,
            expires_at: self.now + self.spec.policy.alert_ttl,
            site: site.into(),
            is_evidence,
            is_unclear,
            why: None,
        });
        Ok(())
    }

    fn round(&self, what: &str) -> Said<Round> {
        let mut round = Round {
            started_at: self.now,
            asked_twice: true,
            control_failed: None,
            must_run: self.state.must_run().cloned(),
            readings: ByAccount::new(),
        };
        for item in what.split(", ") {
            if item == "asked once" {
                round.asked_twice = false;
                continue;
            }
            if let Some(state) = item.strip_prefix("control target ") {
                round.control_failed = Some(state == "failed");
                continue;
            }
            let (who, seen) = item.split_once(' ').ok_or("a reading is `SITE OUTCOME`")?;
            let (seen, hosts) = match seen.split_once(" at host ") {
                Some((seen, host)) => (seen, Some(host)),
                None => (seen, None),
            };
            let (seen, is_stopped) = match seen.strip_suffix(" while stopped") {
                Some(seen) => (seen, true),
                None => (seen, false),
            };
            let (outcome, token) = read_outcome(seen)?;
            let (site, account) = who
                .split_once('/')
                .map_or((who, None), |(s, a)| (s, Some(a)));
            let spec = self.spec.site(&site.into()).ok_or("no such site")?;
            let mut found = false;
            for known in spec.accounts.iter().filter(|known| known.is_probed()) {
                let key = known.key(&spec.name);
                if account.is_some_and(|name| name != key.name) {
                    continue;
                }
                found = true;
                let host = match known {
                    AccountSpec::VideoIndexer(_) => "api.videoindexer.ai:443".to_owned(),
                    AccountSpec::MediaServices(_) | AccountSpec::Http(_) => {
                        format!("{}.{site}.example:443", key.name)
                    }
                };
                let reading = Reading {
                    outcome,
                    latency_ms: 20,
                    detail: None,
                    host,
                    token: token.clone(),
                    streaming: match known {
                        AccountSpec::MediaServices(_) => streaming(is_stopped, hosts),
                        AccountSpec::VideoIndexer(_) | AccountSpec::Http(_) => Streaming::default(),
                    },
                };
                round.readings.insert(key, reading);
            }
            if !found {
                return Err(format!("{who}: no such account"));
            }
        }
        Ok(round)
    }

    /// One pass; every pass of every scenario also shows that deciding is pure and idempotent.
    fn pass(&mut self, order: Option<Order>, reports: &[StepReport]) -> Said {
        self.passes += 1;
        let id = format!("move-{}", self.passes);
        let seen = Observation {
            evidence: self.evidence.as_ref(),
            signals: &self.signals,
            signals_are_current: true,
            order: order.as_ref(),
            reports,
            moving_elsewhere: self.elsewhere,
            process: "process-1",
            move_id: &id,
        };
        let decision = decide(&self.state, &seen, &self.spec, self.now);
        if decide(&self.state, &seen, &self.spec, self.now) != decision {
            return Err("the same input gave another answer".to_owned());
        }
        if order.is_none() {
            let again = decide(&decision.next, &seen, &self.spec, self.now);
            if again.next != decision.next || !again.history.is_empty() {
                return Err(format!("deciding again adds {:?}", again.history));
            }
        }
        if !order.as_ref().is_some_and(|order| order.dry_run) {
            self.state = decision.next.clone();
            self.history.extend(decision.history.clone());
        }
        self.last = Some((decision, order));
        Ok(())
    }

    fn expect(&self, words: &str, covered: &mut Covered) -> Said {
        let (decision, order) = self.last.as_ref().ok_or("nothing happened yet")?;
        let shown = super::scenario_expect::Shown {
            decision,
            state: &self.state,
            spec: &self.spec,
            evidence: self.evidence.as_ref(),
            history: &self.history,
            now: self.now,
        };
        shown.check(words)?;
        if words.strip_prefix("rule ").is_some() {
            covered.rules.insert(decision.rule);
        }
        let named = ["hold ", "refused ", "overridden "]
            .iter()
            .find_map(|prefix| words.strip_prefix(prefix));
        let force = order.as_ref().is_some_and(|order| order.force);
        let ask = match decision.rule.effect() {
            Effect::Begin(kind, cause) => Some(transition::ask(kind, cause, force)),
            Effect::Drill => Some(transition::ask(MoveKind::Switchover, Cause::Order, force)),
            _ => None,
        };
        if let (Some(code), Some(ask)) = (named, ask) {
            covered.guards.insert((world::hold_code(code)?, ask));
        }
        Ok(())
    }
}

/// What a probe saw of streaming endpoint `default`.
fn streaming(is_stopped: bool, host: Option<&str>) -> Streaming {
    let stopped = is_stopped.then(|| "streaming endpoint default is Stopped".to_owned());
    let host = host.map(|host| ("default".to_owned(), host.to_owned()));
    Streaming {
        stopped: stopped.into_iter().collect(),
        hosts: host.into_iter().collect(),
        ..Streaming::default()
    }
}

fn read_outcome(text: &str) -> Said<(Outcome, TokenFact)> {
    let issuer = || "https://management.azure.com".to_owned();
    let (outcome, token) = if let Some((outcome, since)) = text.split_once(" without token since ")
    {
        let since = moment(since)?;
        (
            outcome,
            TokenFact::Unavailable {
                since,
                issuer: issuer(),
            },
        )
    } else if let Some((outcome, at)) = text.split_once(" with token minted at ") {
        let minted_at = moment(at)?;
        (
            outcome,
            TokenFact::Held {
                minted_at,
                issuer: issuer(),
            },
        )
    } else {
        (text, TokenFact::NotNeeded)
    };
    let found = Outcome::ALL
        .into_iter()
        .find(|known| known.as_str() == outcome);
    Ok((
        found.ok_or_else(|| format!("no such outcome: {outcome}"))?,
        token,
    ))
}

fn read_order(who: &str, text: &str) -> Said<Order> {
    let mut words = text.split(' ').peekable();
    let kind = words
        .next()
        .and_then(OrderKind::parse)
        .ok_or("no such order")?;
    let mut order = Order {
        kind,
        actor: who.to_owned(),
        reason: kind.needs_reason().then(|| "as agreed".to_owned()),
        to: None,
        force: false,
        dry_run: false,
        if_generation: None,
        lasting: None,
    };
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("`{word}` needs a value"))
        };
        match word {
            "to" => order.to = Some(value()?.into()),
            "by-force" => order.force = true,
            "as-dry-run" => order.dry_run = true,
            "if-generation" => {
                order.if_generation = Some(value()?.parse().map_err(|_| "a number was expected")?);
            }
            "for" => order.lasting = Some(duration(value()?)?),
            _ => return Err(format!("an order does not know `{word}`")),
        }
    }
    Ok(order)
}

/// What a ruling is called in scenarios.
pub fn ruling_name(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Done => "done".to_owned(),
        Ruling::Running => "running".to_owned(),
        Ruling::Refused(hold) => format!("refused {}", hold.code.as_str()),
        Ruling::GenerationMismatch => "generation mismatch".to_owned(),
    }
}
