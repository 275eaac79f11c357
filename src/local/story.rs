//! What a demo's terminal tells: the difference between two looks at the app's own HTTP API, in words.

use jiff::Timestamp;
use serde::Deserialize;

use super::console::{Line, Tone};

/// One look at the app.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// When the look was taken.
    pub at: Timestamp,
    /// Where the app is: `http://127.0.0.1:7071`.
    pub base: String,
    /// `groups/{group}`, if it was answered.
    pub group: Option<Group>,
    /// `groups/{group}/active`, if it was answered.
    pub lookup: Option<Lookup>,
    /// `groups/{group}/history`, newest first; taken last, so that it is not older than the others.
    pub history: Vec<Entry>,
}

/// A group, as far as the story needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// Counts its moves.
    pub generation: u64,
    /// The active site.
    pub active: String,
    /// In configured order.
    pub sites: Vec<Site>,
    /// Why a move that is asked for is not made now.
    pub hold: Option<Hold>,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Site {
    /// Its name.
    pub site: String,
    /// `primary` or `secondary`.
    pub role: String,
    /// Its verdict.
    pub verdict: String,
    /// Its accounts.
    pub accounts: Vec<Account>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// `videoIndexer`, `mediaServices` or `http`.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
    /// Equal outcomes in a row.
    pub streak: Option<Streak>,
    /// The newest probe.
    pub last_probe: Option<Probe>,
}

/// Equal outcomes in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Streak {
    /// The outcome.
    pub outcome: String,
    /// How many.
    pub rounds: u64,
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// When it began.
    pub at: String,
    /// What came of it.
    pub outcome: String,
    /// What it took.
    pub latency_ms: Option<u64>,
    /// More about it.
    pub detail: Option<String>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hold {
    /// Its name.
    pub code: String,
    /// In words.
    pub message: String,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
}

/// A lookup's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lookup {
    /// The generation.
    pub generation: u64,
    /// The active site.
    pub site: String,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct History {
    /// Newest first.
    pub entries: Vec<Entry>,
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// When.
    pub at: String,
    /// The generation then.
    pub generation: u64,
    /// The rule that decided.
    pub rule: String,
    /// What kind of entry.
    pub kind: String,
    /// Of a move: from where.
    pub from: Option<String>,
    /// Of a move: to where.
    pub to: Option<String>,
    /// Who.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What recovery took.
    pub times: Option<Times>,
}

/// What recovery took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Times {
    /// The first failed probe.
    pub first_failed_at: Option<Timestamp>,
    /// The flip of the record.
    pub flipped_at: Option<Timestamp>,
}

/// The order command for people to copy.
#[must_use]
pub fn order_command(base: &str, group: &str, order: &str, reason: &str) -> String {
    format!(
        "curl -X POST {base}/api/groups/{group}/{order} -H 'content-type: application/json' -d '{{\"reason\":\"{reason}\"}}'"
    )
}

/// What is new since the last look, in the order in which it came about.
#[must_use]
pub fn tell(previous: Option<&Scene>, current: &Scene) -> Vec<Line> {
    let Some(group) = &current.group else {
        let lost = previous.is_some_and(|scene| scene.group.is_some());
        return if lost {
            vec![Line::new(
                Tone::Bad,
                "the app does not answer at the moment",
            )]
        } else {
            Vec::new()
        };
    };
    let before = previous.and_then(|scene| scene.group.as_ref());
    let mut lines = Vec::new();
    for site in &group.sites {
        let site_before =
            before.and_then(|group| group.sites.iter().find(|earlier| earlier.site == site.site));
        probes(site, site_before, &mut lines);
        verdict(site, site_before, group, &mut lines);
    }
    all_well(group, before, &mut lines);
    hold(previous, current, &mut lines);
    history(previous, current, &mut lines);
    lookup(previous, current, &mut lines);
    recovery(before, group, &current.base, &mut lines);
    lines
}

/// One line that says how things stand, for quiet times.
#[must_use]
pub fn pulse(scene: &Scene) -> Option<Line> {
    let group = scene.group.as_ref()?;
    let sites: Vec<String> = group
        .sites
        .iter()
        .map(|site| {
            let active = if site.site == group.active {
                " (active)"
            } else {
                ""
            };
            format!("{}{active} {}", site.site, site.verdict)
        })
        .collect();
    Some(Line::new(
        Tone::Faint,
        format!(
            "still     {}, generation {}",
            sites.join(", "),
            group.generation
        ),
    ))
}

fn probes(site: &Site, before: Option<&Site>, lines: &mut Vec<Line>) {
    for account in &site.accounts {
        let Some(probe) = &account.last_probe else {
            continue;
        };
        let earlier = before.and_then(|site| {
            site.accounts
                .iter()
                .find(|earlier| earlier.name == account.name && earlier.service == account.service)
        });
        let probe_before = earlier.and_then(|account| account.last_probe.as_ref());
        let is_new = probe_before.is_none_or(|earlier| earlier.at != probe.at);
        let is_other = probe_before.is_none_or(|earlier| earlier.outcome != probe.outcome);
        // A site that is known to be down fails round after round; that is no news.
        let matters =
            probe.outcome != "ok" && earlier.is_none_or(|account| account.verdict != "unhealthy");
        if is_new && (is_other || matters) {
            lines.push(probe_line(site, account, probe));
        }
    }
}

fn probe_line(site: &Site, account: &Account, probe: &Probe) -> Line {
    let mut text = format!(
        "probe     {} {} {}: {}",
        site.site, account.service, account.name, probe.outcome
    );
    if let Some(streak) = account
        .streak
        .as_ref()
        .filter(|streak| streak.rounds > 1 && streak.outcome == probe.outcome)
    {
        text.push_str(&format!(", {} in a row", streak.rounds));
    }
    match (&probe.detail, probe.latency_ms) {
        (Some(detail), _) if probe.outcome != "ok" => text.push_str(&format!(": {detail}")),
        (_, Some(latency)) => text.push_str(&format!(" after {latency} ms")),
        _ => {}
    }
    let tone = match probe.outcome.as_str() {
        "ok" => Tone::Plain,
        "failed" => Tone::Bad,
        _ => Tone::Notice,
    };
    Line::new(tone, text)
}

fn verdict(site: &Site, before: Option<&Site>, group: &Group, lines: &mut Vec<Line>) {
    let earlier = before.map_or("unknown", |site| site.verdict.as_str());
    if earlier == site.verdict {
        return;
    }
    let active = if site.site == group.active {
        ", active"
    } else {
        ", standby"
    };
    let tone = match site.verdict.as_str() {
        "healthy" => Tone::Good,
        "unhealthy" => Tone::Bad,
        _ => Tone::Notice,
    };
    lines.push(Line::new(
        tone,
        format!(
            "verdict   {} ({}{active}) is {}",
            site.site, site.role, site.verdict
        ),
    ));
}

/// Whether every site is healthy.
#[must_use]
pub fn is_well(group: &Group) -> bool {
    !group.sites.is_empty() && group.sites.iter().all(|site| site.verdict == "healthy")
}

fn all_well(group: &Group, before: Option<&Group>, lines: &mut Vec<Line>) {
    if is_well(group) && !before.is_some_and(is_well) {
        lines.push(Line::new(
            Tone::Good,
            format!(
                "          all {} regions are healthy; {} is active",
                group.sites.len(),
                group.active
            ),
        ));
    }
}

fn hold(previous: Option<&Scene>, current: &Scene, lines: &mut Vec<Line>) {
    let before = previous.and_then(held);
    let Some(hold) = held(current) else {
        // A hold that is over because the move is due is told by the move.
        let stayed = previous.and_then(generation) == generation(current);
        if stayed && before.is_some_and(|hold| hold.code == "HoldTime") && active_answers(current) {
            lines.push(Line::new(
                Tone::Good,
                "hold      ends: the active site answers again",
            ));
        }
        return;
    };
    if hold.code != "HoldTime" {
        if before.is_none_or(|before| before.code != hold.code) {
            lines.push(Line::new(
                Tone::Notice,
                format!("hold      {}: {}", hold.code, hold.message),
            ));
        }
        return;
    }
    let left = seconds_left(hold, current.at);
    let left_before = before
        .filter(|before| before.code == hold.code)
        .zip(previous)
        .map(|(before, scene)| seconds_left(before, scene.at));
    if left_before == Some(left) {
        return;
    }
    let text = match left {
        Some(left) if left > 0 => {
            format!("hold      HoldTime: {left} s until the move, unless the site answers")
        }
        Some(_) => "hold      HoldTime is over: the next round decides".to_owned(),
        None => format!("hold      HoldTime: {}", hold.message),
    };
    lines.push(Line::new(Tone::Notice, text));
}

/// Why the active site is not left now. What holds a failback is no part of the story: the line about recovery
/// says that it is left to people.
fn held(scene: &Scene) -> Option<&Hold> {
    let group = scene.group.as_ref()?;
    let is_down = active_site(group).is_some_and(|site| site.verdict == "unhealthy");
    group.hold.as_ref().filter(|_| is_down)
}

fn generation(scene: &Scene) -> Option<u64> {
    scene.group.as_ref().map(|group| group.generation)
}

fn active_site(group: &Group) -> Option<&Site> {
    group.sites.iter().find(|site| site.site == group.active)
}

/// Whether no account of the active site failed its newest probe.
fn active_answers(scene: &Scene) -> bool {
    let site = scene.group.as_ref().and_then(active_site);
    site.is_some_and(|site| {
        site.accounts
            .iter()
            .filter_map(|account| account.last_probe.as_ref())
            .all(|probe| probe.outcome != "failed")
    })
}

/// Whole seconds until the hold ends, rounded up, not below zero.
fn seconds_left(hold: &Hold, now: Timestamp) -> Option<i64> {
    let left = hold.until?.duration_since(now).as_millis();
    i64::try_from(left)
        .ok()
        .map(|left| if left <= 0 { 0 } else { (left + 999) / 1000 })
}

fn history(previous: Option<&Scene>, current: &Scene, lines: &mut Vec<Line>) {
    let known = previous.map_or(&[][..], |scene| &scene.history);
    // Newest first in the answer, oldest first in a story.
    for entry in current
        .history
        .iter()
        .rev()
        .filter(|entry| !known.contains(entry))
    {
        lines.push(entry_line(entry));
    }
}

fn entry_line(entry: &Entry) -> Line {
    let actor = entry.actor.as_deref().unwrap_or("understudy");
    let is_move = matches!(entry.kind.as_str(), "failover" | "switchover" | "failback");
    if is_move && let (Some(from), Some(to)) = (&entry.from, &entry.to) {
        let took = entry
            .times
            .as_ref()
            .and_then(|times| Some(times.flipped_at?.duration_since(times.first_failed_at?)))
            .map(|took| format!(", {:.1} s after the first failed probe", took.as_secs_f64()))
            .unwrap_or_default();
        return Line::new(
            Tone::Strong,
            format!(
                "move      {} from {from} to {to}, generation {}, rule {}, by {actor}{took}",
                entry.kind, entry.generation, entry.rule
            ),
        );
    }
    let reason = entry
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    Line::new(
        Tone::Plain,
        format!(
            "history   {} by {actor}{reason} (rule {})",
            entry.kind, entry.rule
        ),
    )
}

fn lookup(previous: Option<&Scene>, current: &Scene, lines: &mut Vec<Line>) {
    let before = previous.and_then(|scene| scene.lookup.as_ref());
    if let Some(lookup) = &current.lookup
        && before.is_none_or(|before| {
            (&before.site, before.generation) != (&lookup.site, lookup.generation)
        })
    {
        let now = if before.is_some() {
            "now answers"
        } else {
            "answers"
        };
        lines.push(Line::new(
            Tone::Strong,
            format!(
                "lookup    {now} {}, generation {}",
                lookup.site, lookup.generation
            ),
        ));
    }
}

fn recovery(before: Option<&Group>, group: &Group, base: &str, lines: &mut Vec<Line>) {
    for site in group
        .sites
        .iter()
        .filter(|site| site.site != group.active && site.verdict == "healthy")
    {
        let was_down = before
            .and_then(|group| group.sites.iter().find(|earlier| earlier.site == site.site))
            .is_some_and(|earlier| {
                !matches!(earlier.verdict.as_str(), "healthy" | "degraded" | "unknown")
            });
        if was_down && site.role == "primary" {
            let reason = format!("{} is well again", site.site);
            lines.push(Line::new(
                Tone::Good,
                format!(
                    "recovery  {} is well again; {} stays active, for failback is left to you:",
                    site.site, group.active
                ),
            ));
            lines.push(Line::new(
                Tone::Plain,
                format!(
                    "          {}",
                    order_command(base, &group.group, "failback", &reason)
                ),
            ));
        }
    }
}
