//! What a demo's terminal tells: the difference between two looks at the app's own HTTP API, in words.

use jiff::Timestamp;

use super::activation;
use super::console::{Line, Tone};
use super::scene::{Account, Entry, Group, Hold, Lookup, Probe, Scene, Site, Times};

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
    lines.extend(activation::preparation(before, group));
    let (completed, entries): (Vec<&Entry>, Vec<&Entry>) = news(previous, current)
        .into_iter()
        .partition(|entry| entry.kind == "moveCompleted");
    // A planned move starts its target before it flips, a failover after that.
    let prepared = entries
        .iter()
        .find(|entry| matches!(entry.kind.as_str(), "switchover" | "failback"))
        .and_then(|entry| entry.to.as_deref());
    let is_target = |site: &str| prepared == Some(site);
    if prepared.is_some() {
        activation::tell(previous, current, is_target, &mut lines);
    }
    lines.extend(entries.into_iter().map(entry_line));
    let is_flipped = is_other_site(previous, current);
    if is_flipped {
        lookup(previous, current, &mut lines);
    }
    activation::tell(previous, current, |site| !is_target(site), &mut lines);
    if !is_flipped {
        lookup(previous, current, &mut lines);
    }
    lines.extend(completed.into_iter().map(completed_line));
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
            "still     {}, generation {}{}",
            sites.join(", "),
            group.generation,
            activation::unfinished(group)
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
        // One failed round after the other counts, until the site is known to be down; any other outcome that
        // goes on is no news.
        let counts = probe.outcome == "failed"
            && earlier.is_none_or(|account| account.verdict != "unhealthy");
        if is_new && (is_other || counts) {
            let is_said = probe_before.is_some_and(|earlier| earlier.detail == probe.detail);
            lines.push(probe_line(site, account, probe, is_other || !is_said));
        }
    }
}

/// What a probe saw; why is said once, not in every round.
fn probe_line(site: &Site, account: &Account, probe: &Probe, says_why: bool) -> Line {
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
        (Some(detail), _) if probe.outcome != "ok" && says_why => {
            text.push_str(&format!(": {detail}"));
        }
        (Some(_), _) if probe.outcome != "ok" => {}
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

/// What history says that it did not say before: newest first in the answer, oldest first in a story.
fn news<'a>(previous: Option<&Scene>, current: &'a Scene) -> Vec<&'a Entry> {
    let known = previous.map_or(&[][..], |scene| &scene.history);
    let entries = current.history.iter().rev();
    entries.filter(|entry| !known.contains(entry)).collect()
}

fn completed_line(entry: &Entry) -> Line {
    let serves = entry
        .to
        .as_ref()
        .map(|to| format!(": {to} serves"))
        .unwrap_or_default();
    let took = took(entry, |times| times.completed_at);
    Line::new(
        Tone::Good,
        format!(
            "move      complete{serves}, generation {}, rule {}{took}",
            entry.generation, entry.rule
        ),
    )
}

/// What it took from the first failed probe, where one led to it.
fn took(entry: &Entry, until: impl Fn(&Times) -> Option<Timestamp>) -> String {
    entry
        .times
        .as_ref()
        .and_then(|times| Some(until(times)?.duration_since(times.first_failed_at?)))
        .map(|took| format!(", {:.1} s after the first failed probe", took.as_secs_f64()))
        .unwrap_or_default()
}

fn entry_line(entry: &Entry) -> Line {
    let actor = entry.actor.as_deref().unwrap_or("understudy");
    let is_move = matches!(entry.kind.as_str(), "failover" | "switchover" | "failback");
    if is_move && let (Some(from), Some(to)) = (&entry.from, &entry.to) {
        let took = took(entry, |times| times.flipped_at);
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
    let held = entry
        .hold
        .as_ref()
        .map(|hold| format!("; held by {}: {}", hold.code, hold.message))
        .unwrap_or_default();
    Line::new(
        Tone::Plain,
        format!(
            "history   {} by {actor}{reason}{held} (rule {})",
            entry.kind, entry.rule
        ),
    )
}

fn is_other_site(previous: Option<&Scene>, current: &Scene) -> bool {
    let site = |scene: &Scene| scene.lookup.as_ref().map(|lookup| lookup.site.clone());
    previous.and_then(site) != site(current)
}

fn lookup(previous: Option<&Scene>, current: &Scene, lines: &mut Vec<Line>) {
    let before = previous.and_then(|scene| scene.lookup.as_ref());
    if let Some(lookup) = &current.lookup
        && before != Some(lookup)
    {
        let now = if before.is_some() {
            "now answers"
        } else {
            "answers"
        };
        lines.push(Line::new(
            Tone::Strong,
            format!(
                "lookup    {now} {}, generation {}, ready: {}{}",
                lookup.site,
                lookup.generation,
                lookup.ready,
                hosts(lookup)
            ),
        ));
    }
}

/// The hosts that a lookup hands out.
fn hosts(lookup: &Lookup) -> String {
    let media = lookup.accounts.media_services.iter();
    let hosts: Vec<&str> = media
        .flat_map(|media| media.streaming_hosts.values())
        .map(String::as_str)
        .collect();
    if hosts.is_empty() {
        String::new()
    } else {
        format!(", streaming host {}", hosts.join(", "))
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
