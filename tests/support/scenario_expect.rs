//! What a scenario may expect of the pass that came last.

use jiff::Timestamp;
use understudy::decision::explain::explain;
use understudy::decision::{Decision, health};
use understudy::model::evidence::GroupEvidence;
use understudy::model::history::HistoryEntry;
use understudy::model::spec::GroupSpec;
use understudy::model::state::{GroupState, Phase};
use understudy::model::verdict::Verdict;

use super::scenario::{Said, ruling_name};
use super::scenario_world::{hold_code, moment};

/// Everything that can be looked at.
pub struct Shown<'a> {
    pub decision: &'a Decision,
    pub state: &'a GroupState,
    pub spec: &'a GroupSpec,
    pub evidence: Option<&'a GroupEvidence>,
    pub history: &'a [HistoryEntry],
    pub now: Timestamp,
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Said {
    if found == wanted {
        Ok(())
    } else {
        Err(format!("found {found:?}"))
    }
}

impl Shown<'_> {
    /// Checks one line.
    pub fn check(&self, words: &str) -> Said {
        let (first, rest) = words.split_once(' ').unwrap_or((words, ""));
        match first {
            "settled" => same(self.state.phase(), Phase::Settled),
            "preparing" => same(self.state.phase(), Phase::Preparing),
            "completing" => same(self.state.phase(), Phase::Completing),
            "ready" => same(self.state.is_ready(), true),
            "unready" => same(self.state.is_ready(), false),
            "rule" => same(self.decision.rule.id(), rest),
            "active" => same(self.state.active().as_str(), rest),
            "generation" if rest != "mismatch" => {
                same(self.state.generation.to_string().as_str(), rest)
            }
            "done" | "running" | "refused" | "generation" => {
                same(ruling_name(&self.decision.ruling).as_str(), words)
            }
            "hold" => self.hold(rest),
            "overridden" => self.overridden(rest),
            "history" => self.same_kinds(rest),
            "told" => self.told(rest),
            "step" => self.step(rest),
            "claims" => self.claims(rest),
            "leftovers" => same(self.leftovers().as_str(), rest),
            "paused" => self.paused(rest),
            "would" => self.would(rest),
            "explained" => self.explained(rest),
            "times" => self.times(rest),
            "streams" => self.streams(rest),
            "by" => same(
                self.history.last().map(|entry| entry.actor.as_str()),
                Some(rest),
            ),
            "from" => same(
                self.history.last().map(|entry| entry.from.as_str()),
                Some(rest),
            ),
            "because" => self.because(rest),
            "not" => self.not_because(rest),
            "seen" => self.seen(rest),
            "remembers" => {
                let count = self.state.automatic_failovers.len();
                same(format!("{count} automatic failovers").as_str(), rest)
            }
            "endpoints" => {
                let names: Vec<&str> = self
                    .state
                    .answer
                    .accounts
                    .http
                    .keys()
                    .map(String::as_str)
                    .collect();
                same(names.join(", ").as_str(), rest)
            }
            "revision" => same(self.state.revision.to_string().as_str(), rest),
            "no" => self.nothing(rest),
            _ => self.verdict(words),
        }
    }

    /// The reason of the newest entry holds this.
    fn because(&self, text: &str) -> Said {
        let newest = self.history.last();
        let reason = newest.and_then(|entry| entry.reason.as_deref());
        match reason {
            Some(reason) if reason.contains(text) => Ok(()),
            reason => Err(format!("found {reason:?}")),
        }
    }

    /// The reason of the newest entry does not hold this.
    fn not_because(&self, text: &str) -> Said {
        let text = text.strip_prefix("because ").ok_or("`not because TEXT`")?;
        let newest = self.history.last().ok_or("no history entry")?;
        match &newest.reason {
            Some(reason) if reason.contains(text) => Err(format!("found {reason:?}")),
            _ => Ok(()),
        }
    }

    fn hold(&self, text: &str) -> Said {
        let hold = self.decision.hold.as_ref().ok_or("found no hold")?;
        same(hold.code, hold_code(text)?)?;
        match text.split_once(" until ") {
            Some((_, until)) => same(hold.until, Some(moment(until)?)),
            None => Ok(()),
        }
    }

    fn overridden(&self, text: &str) -> Said {
        let entry = self.decision.history.last().ok_or("no history entry")?;
        same(entry.forced, true)?;
        same(
            entry.hold.as_ref().map(|hold| hold.code),
            Some(hold_code(text)?),
        )
    }

    /// The kinds of the entries that the last pass wrote, in order.
    fn same_kinds(&self, text: &str) -> Said {
        let kinds: Vec<&str> = self
            .decision
            .history
            .iter()
            .map(|e| e.kind.as_str())
            .collect();
        same(kinds.join(", ").as_str(), text)
    }

    /// What the newest entry keeps of the evidence: `seen west/web unhealthy failed, north/web healthy ok`.
    fn seen(&self, text: &str) -> Said {
        let entry = self.history.last().ok_or("no history entry")?;
        let seen = entry.evidence.iter().map(|witness| {
            let (verdict, outcome) = (witness.verdict.as_str(), witness.outcome.as_str());
            format!("{}/{} {verdict} {outcome}", witness.site, witness.name)
        });
        same(seen.collect::<Vec<_>>().join(", ").as_str(), text)
    }

    /// `told AllSitesDown once`, `told failover once`: in the whole scenario.
    fn told(&self, text: &str) -> Said {
        let (what, often) = text.split_once(' ').ok_or("`told WHAT once|twice|never`")?;
        let wanted = match often {
            "never" => 0,
            "once" => 1,
            "twice" => 2,
            _ => return Err("`told WHAT once|twice|never`".to_owned()),
        };
        let is_it = |entry: &&HistoryEntry| {
            entry.kind.as_str() == what
                || entry
                    .hold
                    .as_ref()
                    .is_some_and(|hold| hold.code.as_str() == what)
        };
        same(self.history.iter().filter(is_it).count(), wanted)
    }

    fn step(&self, text: &str) -> Said {
        let (name, wanted) = text.split_once(" is ").ok_or("`step NAME is STATE`")?;
        let moving = self.state.moving.iter().flat_map(|each| &each.steps);
        let leftovers = self.state.leftovers.iter().flat_map(|each| &each.steps);
        let step = moving.chain(leftovers).find(|step| step.name == name);
        let step = step.ok_or_else(|| format!("no such step: {name}"))?;
        same(format!("{:?}", step.state).to_lowercase().as_str(), wanted)
    }

    fn claims(&self, text: &str) -> Said {
        let names: Vec<&str> = self
            .decision
            .claims
            .iter()
            .map(|claim| claim.step.name.as_str())
            .collect();
        same(names.join(", ").as_str(), text)
    }

    /// Where a lookup sends viewers of streaming endpoint `default`.
    fn streams(&self, text: &str) -> Said {
        let media = self.state.answer.accounts.media_services.as_ref();
        let media = media.ok_or("the active site has no Media Services account")?;
        let host = media.streaming_hosts.get("default").map(String::as_str);
        let wanted = text.strip_prefix("from ").ok_or("`streams from HOST`")?;
        same(host.unwrap_or("nowhere"), wanted)
    }

    /// The sites where something is still to be stopped.
    fn leftovers(&self) -> String {
        let sites = self.state.leftovers.iter().map(|each| each.site.as_str());
        sites.collect::<Vec<_>>().join(", ")
    }

    fn paused(&self, text: &str) -> Said {
        let pause = self.state.pause_at(self.now).ok_or("it is not paused")?;
        let until = text.strip_prefix("until ").ok_or("`paused until 1h`")?;
        same(pause.until, moment(until)?)
    }

    fn would(&self, text: &str) -> Said {
        let begun = self.decision.begun.as_ref();
        let found = begun.map(|moving| format!("{} to {}", moving.kind.as_str(), moving.to));
        same(found.as_deref(), Some(text))
    }

    fn explained(&self, text: &str) -> Said {
        let hold = self.decision.hold.as_ref();
        let said = explain(self.state, self.evidence, self.spec, &[], hold, self.now).join(" ");
        let (wanted, text) = match text.strip_prefix("without ") {
            Some(text) => (false, text),
            None => (
                true,
                text.strip_prefix("with ").ok_or("`explained with TEXT`")?,
            ),
        };
        if said.contains(text) == wanted {
            Ok(())
        } else {
            Err(format!("found: {said}"))
        }
    }

    /// `times firstFailed 30s, unhealthy 90s, decided 3m, flipped 3m, completed 3m` of the newest entry.
    fn times(&self, text: &str) -> Said {
        let times = self.history.last().and_then(|entry| entry.times);
        let times = times.ok_or("the newest entry has no times")?;
        for item in text.split(", ") {
            let (name, at) = item.split_once(' ').ok_or("`times NAME TIME, …`")?;
            let found = match name {
                "firstFailed" => times.first_failed_at,
                "unhealthy" => times.unhealthy_at,
                "decided" => times.decided_at,
                "flipped" => times.flipped_at,
                "completed" => times.completed_at,
                _ => return Err(format!("no such time: {name}")),
            };
            let wanted = if at == "none" {
                None
            } else {
                Some(moment(at)?)
            };
            same(found, wanted).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }

    fn nothing(&self, what: &str) -> Said {
        match what {
            "hold" => same(self.decision.hold.as_ref().map(|hold| hold.code), None),
            "history" => self.same_kinds(""),
            "claims" => self.claims(""),
            "leftovers" => same(self.leftovers().as_str(), ""),
            "pause" => same(self.state.pause_at(self.now), None),
            "move begun" => same(self.decision.begun.as_ref(), None),
            "cool-down" => same(self.state.cooldown_until, None),
            _ => Err("not an `expect` that is known".to_owned()),
        }
    }

    fn verdict(&self, words: &str) -> Said {
        let (site, wanted) = words
            .split_once(" is ")
            .ok_or("not an `expect` that is known")?;
        let sites = health::assess(self.spec, self.evidence, self.now);
        let found = sites.iter().find(|known| known.site.as_str() == site);
        let found = found.ok_or("no such site")?;
        if ["fit", "unfit", "unsure"].contains(&wanted) {
            let fitness = match found.fitness {
                health::Fitness::Fit => "fit",
                health::Fitness::Unfit => "unfit",
                health::Fitness::Unknown => "unsure",
            };
            return same(fitness, wanted);
        }
        let known = Verdict::ALL
            .iter()
            .find(|verdict| verdict.as_str() == wanted);
        same(found.verdict, *known.ok_or("no such verdict")?)
    }
}
