//! What history and answers are told: refusals, signals, failed steps, and the evidence of an entry.

use std::collections::BTreeSet;

use super::Deciding;
use crate::decision::cue::{self, Cue};
use crate::decision::transition::Effect;
use crate::decision::{Ruling, UNDERSTUDY, health, steps};
use crate::model::history::{HistoryEntry, HistoryKind, Witness};
use crate::model::hold::{Hold, HoldCode};
use crate::model::moves::{Cause, MoveKind, Step};
use crate::model::name::SiteName;
use crate::model::policy::AlertPolicy;
use crate::model::sample::Outcome;
use crate::model::signal::{Signal, SignalStage};
use crate::model::verdict::Verdict;

/// Signals that history tells of at the same time. A group with more of them needs no more lines, and one
/// transaction holds at most a hundred rows.
const SIGNALS_TOLD: usize = 50;

impl Deciding<'_> {
    pub(super) fn fold_reports(&mut self) {
        let (reports, process, now) = (self.seen.reports, self.seen.process, self.now);
        let mut failed = Vec::new();
        let mut fold = |id: &str, steps: &mut [Step], cause, site: &SiteName| {
            for (step, why) in steps::fold(id, steps, reports, process, now) {
                failed.push((cause, site.clone(), format!("{step}: {why}")));
            }
        };
        if let Some(running) = &mut self.next.moving {
            fold(&running.id, &mut running.steps, running.cause, &running.to);
            steps::note_prepared(running, now);
        }
        for rest in &mut self.next.leftovers {
            steps::hear_of_undone(&rest.move_id, &mut rest.steps, reports);
            fold(&rest.move_id, &mut rest.steps, rest.cause, &rest.site);
        }
        for (cause, site, why) in failed {
            let mut entry = self.entry(HistoryKind::StepFailed, cause);
            entry.to = Some(site);
            entry.reason = Some(why);
            self.history.push(entry);
        }
    }

    /// Every signal is told once for each of its stages; in a storm of them no more than history takes in
    /// one transaction, what may move the group first.
    pub(super) fn note_signals(&mut self) {
        if !self.seen.signals_are_current {
            return;
        }
        let key = |signal: &Signal| format!("{}:{}", signal.id, signal.progress());
        let (known, mut unknown): (Vec<&Signal>, Vec<&Signal>) = self
            .seen
            .signals
            .iter()
            .partition(|signal| self.next.noted_signals.contains(&key(signal)));
        let mut present: BTreeSet<String> = known.into_iter().map(key).collect();
        unknown.sort_by_key(|signal| !signal.is_evidence);
        for signal in unknown {
            if present.len() >= SIGNALS_TOLD || !present.insert(key(signal)) {
                continue;
            }
            let mut entry = self.entry(HistoryKind::Signal, Cause::Alert);
            if self.spec.site(&signal.site).is_some() {
                entry.from = signal.site.clone();
            }
            entry.reason = Some(format!(
                "signal {} about {} is {}{}",
                signal.id,
                signal.site,
                signal.progress(),
                self.what_follows(signal)
            ));
            self.history.push(entry);
        }
        if self.looks_at_everything() {
            // Those that are gone need not be remembered.
            self.next.noted_signals = present;
        } else {
            self.next.noted_signals.extend(present);
        }
    }

    /// What comes of a signal that is told of: the end of the sentence.
    fn what_follows(&self, signal: &Signal) -> String {
        if signal.stage == SignalStage::Resolved {
            let was_told = ["active", "unclear"]
                .iter()
                .any(|stage| (self.next.noted_signals).contains(&format!("{}:{stage}", signal.id)));
            return if was_told {
                String::new()
            } else {
                ", and was not seen before".to_owned()
            };
        }
        if !signal.is_evidence {
            return ", only recorded".to_owned();
        }
        if signal.site != *self.next.active() {
            return format!("; {} is not active, so nothing follows", signal.site);
        }
        match self.spec.policy.alert {
            AlertPolicy::Ignore => String::new(),
            AlertPolicy::Direct => "; by policy it is enough to move".to_owned(),
            AlertPolicy::Confirm => {
                "; one failed round that begins after it is enough to move".to_owned()
            }
        }
    }

    /// An order, and the outcome of our own steps, may be decided on without reading all that the
    /// timer reads; that something is absent then says nothing.
    pub(super) fn looks_at_everything(&self) -> bool {
        self.seen.evidence.is_some() && self.seen.order.is_none() && self.seen.reports.is_empty()
    }

    /// A hold is shown always and written into history seldom: an order's at once; an automatic one
    /// once in a failure, when it is all that stands between the evidence and the move, or when people
    /// are needed because no site would be better.
    pub(super) fn refuse(&mut self, cause: Cause, target: &SiteName, first: Hold, all: &[Hold]) {
        if cause == Cause::Order {
            self.push_refusal(cause, Some(target), &first);
            self.ruling = Ruling::Refused(first);
            return;
        }
        let is_failback = matches!(self.rule.effect(), Effect::Begin(MoveKind::Failback, _));
        if let Some(hold) = worth_telling(all, is_failback)
            && self.next.noted.insert(hold.code)
        {
            self.push_refusal(cause, Some(target), hold);
        }
        self.hold = Some(besides(first, all.get(1)));
    }

    pub(super) fn push_refusal(&mut self, cause: Cause, target: Option<&SiteName>, hold: &Hold) {
        let mut entry = self.entry(HistoryKind::Refused, cause);
        entry.to = target.cloned();
        entry.actor = self.actor();
        entry.reason = self.reason();
        entry.forced = self.seen.order.is_some_and(|order| order.force);
        entry.hold = Some(hold.clone());
        self.history.push(entry);
    }

    /// Once the active site is well again, and no alert says otherwise, the next failure is told anew.
    /// While nothing is known of it the failure may still be the same.
    pub(super) fn forget_noted(&mut self, cue: Cue) {
        let is_well = self.active_health().is_some_and(|site| match site.verdict {
            Verdict::Healthy | Verdict::Degraded | Verdict::Misconfigured => true,
            Verdict::Unknown | Verdict::Unhealthy => false,
        });
        let is_alerted = cue::alerts(&self.next, self.seen, self.now)
            .next()
            .is_some();
        if is_well && !is_alerted && self.looks_at_everything() {
            let keeps_observing = cue == Cue::PrimaryRecovered;
            self.next
                .noted
                .retain(|code| keeps_observing && *code == HoldCode::ObserveMode);
        }
    }

    pub(super) fn actor(&self) -> String {
        self.seen
            .order
            .map_or_else(|| UNDERSTUDY.to_owned(), |order| order.actor.clone())
    }

    /// The words of whoever asked, else what the rule says.
    pub(super) fn reason(&self) -> Option<String> {
        match self.seen.order {
            Some(order) => order.reason.clone(),
            None => Some(format!("{}{}", self.rule.says(), self.alerted_by())),
        }
    }

    /// Where a rule moves because of alerts: which, and what failed on the site that they speak of.
    fn alerted_by(&self) -> String {
        if !matches!(self.rule.effect(), Effect::Begin(_, Cause::Alert)) {
            return String::new();
        }
        let ids: BTreeSet<&str> = cue::alerts(&self.next, self.seen, self.now)
            .map(|signal| signal.id.as_str())
            .collect();
        let mut text: String = list(" Alert", ids.iter().copied());
        let failed: Vec<String> = self
            .witnesses()
            .into_iter()
            .filter(|seen| seen.site == *self.next.active() && seen.outcome == Outcome::Failed)
            .map(|seen| format!("{} {}", seen.service.as_str(), seen.name))
            .collect();
        text.push_str(&list("; failed:", failed.iter().map(String::as_str)));
        text
    }

    pub(super) fn entry(&self, kind: HistoryKind, cause: Cause) -> HistoryEntry {
        HistoryEntry {
            at: self.now,
            generation: self.next.generation,
            rule: self.rule.id().to_owned(),
            kind,
            from: self.next.active().clone(),
            to: None,
            actor: UNDERSTUDY.to_owned(),
            reason: None,
            cause,
            forced: false,
            hold: None,
            times: None,
            evidence: self.witnesses(),
            active: self.next.active().clone(),
        }
    }

    fn witnesses(&self) -> Vec<Witness> {
        let Some(evidence) = self.seen.evidence else {
            return Vec::new();
        };
        evidence
            .accounts
            .iter()
            .map(|(key, seen)| Witness {
                site: key.site.clone(),
                service: key.service,
                name: key.name.clone(),
                verdict: health::account_verdict(Some(seen), &self.spec.policy, self.now),
                outcome: seen.newest.outcome,
                at: seen.newest.at,
                detail: seen.newest.detail.clone(),
            })
            .collect()
    }
}

/// At most five of these behind a word; nothing where there are none.
fn list<'a>(word: &str, all: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    let more = all.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = all.take(SHOWN).collect();
    match (shown.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("{word} {}", shown.join(", ")),
        (false, more) => format!("{word} {} and {more} more", shown.join(", ")),
    }
}

/// Which of the holds on an automatic move history is told of.
fn worth_telling(all: &[Hold], is_failback: bool) -> Option<&Hold> {
    let find = |codes: &[HoldCode]| all.iter().find(|hold| codes.contains(&hold.code));
    if is_failback {
        // The rest of what holds a failback is no news: the group is served well where it is.
        return find(&[HoldCode::ObserveMode]).filter(|_| all.len() == 1);
    }
    let no_way_out = find(&[
        HoldCode::GlobalFault,
        HoldCode::AllSitesDown,
        HoldCode::TargetUnfit,
    ]);
    if no_way_out.is_some() {
        return no_way_out;
    }
    let chosen = [
        HoldCode::ObserveMode,
        HoldCode::Paused,
        HoldCode::Forced,
        HoldCode::CoolingDown,
        HoldCode::MoveBudgetSpent,
    ];
    let only_chosen = all.iter().all(|hold| chosen.contains(&hold.code));
    let first = all.first()?;
    let alone = first.code != HoldCode::ObserveMode || all.len() == 1;
    (only_chosen && alone).then_some(first)
}

/// A group that only observes is told what would hold it if it did not: else people would be advised to let
/// it move where it must not.
fn besides(first: Hold, second: Option<&Hold>) -> Hold {
    match (first.code, second) {
        (HoldCode::ObserveMode, Some(second)) => Hold {
            message: format!(
                "the group only observes; one that moves by itself would be held as well, by {}: {}",
                second.code.as_str(),
                second.message
            ),
            ..first
        },
        _ => first,
    }
}
