//! Answers as tables and lines for people. What comes from outside is stripped of control characters:
//! a reason or a detail must not drive the terminal.

use std::fmt::Write;

use comfy_table::{Table, presets};
use jiff::{SignedDuration, Timestamp};

use super::shapes::{DryRun, Entry, Group, Hold, Leftover, Move, Step, Times, Witness};
use super::{runbook, signals};
use crate::decision::UNDERSTUDY;
pub(super) use crate::model::words::count;

/// Accounts that history names as failed, for each entry.
const FAILED_SHOWN: usize = 2;

/// A text on one line, without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            character if character.is_control() => '\u{fffd}',
            character => character,
        })
        .collect()
}

/// A time to the second; what is no time is shown as it came.
pub(super) fn time(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(
        |_| plain(text),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

pub(super) fn maybe(text: Option<&String>) -> String {
    text.map_or_else(String::new, |text| plain(text))
}

pub(super) fn maybe_time(text: Option<&String>) -> String {
    text.map_or_else(String::new, |text| time(text))
}

/// Rows under a header, two spaces between columns, no frame: it can be read and grepped.
fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The list of groups.
pub(super) fn status(groups: &[Group], filtered: bool) -> String {
    if groups.is_empty() {
        return if filtered {
            "No group matches.\n".to_owned()
        } else {
            "No groups are configured.\n".to_owned()
        };
    }
    let rows = groups
        .iter()
        .map(|group| {
            vec![
                plain(&group.group),
                plain(&group.active),
                plain(group.active_verdict()),
                plain(&group.phase),
                plain(&group.mode),
                group.generation.to_string(),
                time(&group.since),
                what_holds(group),
            ]
        })
        .collect();
    let header = [
        "GROUP",
        "ACTIVE",
        "VERDICT",
        "PHASE",
        "MODE",
        "GENERATION",
        "SINCE",
        "HOLD",
    ];
    let moving = groups
        .iter()
        .filter(|group| group.phase == "moving")
        .count();
    let held = groups.iter().filter(|group| group.hold.is_some()).count();
    format!(
        "{}\n{}, {moving} moving, {held} held\n{}",
        table(&header, rows),
        count(groups.len(), "group"),
        runbook::of_groups(groups)
    )
}

fn what_holds(group: &Group) -> String {
    match (&group.hold, &group.paused) {
        (Some(hold), _) => plain(&hold.code),
        (None, Some(_)) => "(paused)".to_owned(),
        (None, None) => String::new(),
    }
}

/// One group, whole.
pub(super) fn group(group: &Group) -> String {
    let mut text = format!("{}\n", serving(group));
    let tenant = group
        .tenant
        .as_deref()
        .map_or_else(String::new, |tenant| format!("tenant {}, ", plain(tenant)));
    let _ = writeln!(
        text,
        "{tenant}mode {}, {}, as of {}",
        plain(&group.mode),
        plain(&group.phase),
        time(&group.as_of)
    );
    if let Some(hold) = &group.hold {
        let _ = writeln!(text, "held: {}", hold_line(hold));
    }
    if let Some(paused) = paused(group) {
        let _ = writeln!(text, "{paused}");
    }
    text.push('\n');
    text.push_str(&sites(group));
    text.push_str(&runbook::of_sites(&group.sites));
    text.push('\n');
    text.push_str(&accounts(group));
    if let Some(moving) = &group.moving {
        text.push('\n');
        text.push_str(&move_block(moving));
    }
    for leftover in &group.leftovers {
        text.push('\n');
        text.push_str(&leftover_block(leftover));
    }
    if !group.signals.is_empty() {
        text.push('\n');
        text.push_str(&signals::list(&group.signals, &group.active));
    }
    text
}

/// Who serves, since when.
pub(super) fn serving(group: &Group) -> String {
    format!(
        "{}: {} serves since {} (generation {})",
        plain(&group.group),
        plain(&group.active),
        time(&group.since),
        group.generation
    )
}

/// Who has paused automatic moves, if anybody.
pub(super) fn paused(group: &Group) -> Option<String> {
    group.paused.as_ref().map(|paused| {
        format!(
            "automatic moves are paused until {} by {}: {}",
            maybe_time(paused.until.as_ref()),
            plain(&paused.by),
            maybe(paused.reason.as_ref())
        )
    })
}

fn hold_line(hold: &Hold) -> String {
    let mut text = format!("{}: {}", plain(&hold.code), plain(&hold.message));
    if let Some(until) = &hold.until {
        let _ = write!(text, " (until {})", time(until));
    }
    text
}

fn sites(group: &Group) -> String {
    let rows = group
        .sites
        .iter()
        .map(|site| {
            let active = if site.site == group.active {
                "active"
            } else {
                "standby"
            };
            vec![
                plain(&site.site),
                plain(&site.region),
                plain(&site.role),
                active.to_owned(),
                plain(&site.verdict),
            ]
        })
        .collect();
    table(&["SITE", "REGION", "ROLE", "NOW", "VERDICT"], rows)
}

fn accounts(group: &Group) -> String {
    let mut rows = Vec::new();
    for site in &group.sites {
        for account in &site.accounts {
            let streak = account.streak.as_ref().map_or_else(String::new, |streak| {
                format!("{} x {}", streak.rounds, plain(&streak.outcome))
            });
            let probe = account.last_probe.as_ref();
            rows.push(vec![
                plain(&site.site),
                plain(&account.service),
                plain(&account.name),
                plain(&account.verdict),
                streak,
                probe.map_or_else(|| "never".to_owned(), |probe| time(&probe.at)),
                probe.map_or_else(String::new, |probe| plain(&probe.outcome)),
                probe
                    .and_then(|probe| probe.latency_ms)
                    .map_or_else(String::new, |latency| format!("{latency:.0} ms")),
                maybe(probe.and_then(|probe| probe.detail.as_ref())),
            ]);
        }
    }
    table(
        &[
            "SITE",
            "SERVICE",
            "ACCOUNT",
            "VERDICT",
            "STREAK",
            "LAST PROBE",
            "OUTCOME",
            "LATENCY",
            "DETAIL",
        ],
        rows,
    )
}

/// A move in one line.
pub(super) fn move_line(moving: &Move) -> String {
    let generation = moving
        .generation
        .map_or_else(String::new, |number| format!(" (generation {number})"));
    format!(
        "{} from {} to {}{generation}",
        plain(&moving.kind),
        plain(&moving.from),
        plain(&moving.to)
    )
}

fn move_block(moving: &Move) -> String {
    let flipped = moving.flipped_at.as_ref().map_or_else(
        || "not flipped yet".to_owned(),
        |at| format!("flipped {}", time(at)),
    );
    let mut text = format!(
        "under way: {}, cause {}, started {}, {flipped}\n",
        move_line(moving),
        plain(&moving.cause),
        maybe_time(moving.started_at.as_ref())
    );
    if !moving.steps.is_empty() {
        text.push_str(&steps(&moving.steps));
    }
    text
}

/// What is still to be stopped on a site that is not active.
fn leftover_block(leftover: &Leftover) -> String {
    let when = if leftover.waits_for_recovery {
        ", once it is well again"
    } else {
        ""
    };
    // Steps are named by what they do; one that waits for its site to recover stops it.
    let starts = (leftover.steps.iter()).any(|step| step.name.starts_with("start "));
    let what = if starts { "started" } else { "stopped" };
    let mut text = format!(
        "to be {what} in {} since {}{when}\n",
        plain(&leftover.site),
        time(&leftover.since)
    );
    if !leftover.steps.is_empty() {
        text.push_str(&steps(&leftover.steps));
    }
    text
}

fn steps(steps: &[Step]) -> String {
    let rows = steps
        .iter()
        .map(|step| {
            vec![
                plain(&step.name),
                plain(&step.state),
                step.attempts.to_string(),
                maybe(step.detail.as_ref()),
            ]
        })
        .collect();
    table(&["STEP", "STATE", "ATTEMPTS", "DETAIL"], rows)
}

/// History, newest first.
pub(super) fn history(group: &str, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return format!("Nothing has happened to {group} yet.\n");
    }
    let rows = entries
        .iter()
        .map(|entry| {
            let forced = if entry.forced { " (forced)" } else { "" };
            vec![
                time(&entry.at),
                entry.generation.to_string(),
                format!("{}{forced}", plain(&entry.kind)),
                maybe(entry.from.as_ref()),
                maybe(entry.to.as_ref()),
                maybe(entry.cause.as_ref()),
                maybe(entry.actor.as_ref()),
                plain(&entry.rule),
                entry.times.as_ref().map_or_else(String::new, took),
                why(entry),
            ]
        })
        .collect();
    table(
        &[
            "AT",
            "GENERATION",
            "KIND",
            "FROM",
            "TO",
            "CAUSE",
            "ACTOR",
            "RULE",
            "TOOK",
            "WHY",
        ],
        rows,
    )
}

fn why(entry: &Entry) -> String {
    let is_ours = entry.actor.as_deref() == Some(UNDERSTUDY);
    let reason = match &entry.reason {
        Some(reason) if is_ours => signals::with_short_ids(reason) + &what_failed(entry),
        reason => maybe(reason.as_ref()),
    };
    match &entry.hold {
        None => reason,
        Some(hold) if reason.is_empty() => hold_line(hold),
        Some(hold) => format!("{reason} [{}]", hold_line(hold)),
    }
}

/// The accounts of the site that was left, or was to be, whose newest probe had failed, and how.
fn what_failed(entry: &Entry) -> String {
    let has_failed = |witness: &&Witness| {
        witness.outcome == "failed" && Some(&witness.site) == entry.from.as_ref()
    };
    let failed: Vec<String> = (entry.evidence.iter())
        .filter(has_failed)
        .map(|witness| {
            let seen = witness.detail.as_ref().unwrap_or(&witness.outcome);
            let (service, name) = (plain(&witness.service), plain(&witness.name));
            format!("{service} {name}: {}", plain(seen))
        })
        .collect();
    let (shown, others) = failed.split_at(failed.len().min(FAILED_SHOWN));
    match (shown.join("; "), others.len()) {
        (shown, _) if shown.is_empty() => shown,
        (shown, 0) => format!(" ({shown})"),
        (shown, others) => format!(" ({shown}; and {others} more)"),
    }
}

/// From the first failure (or the decision, where nothing had failed) to the newest moment known.
fn took(times: &Times) -> String {
    let parse = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
    let begun = parse(&times.first_failed_at).or_else(|| parse(&times.decided_at));
    let ended = parse(&times.completed_at).or_else(|| parse(&times.flipped_at));
    match (begun, ended) {
        (Some(begun), Some(ended)) if ended >= begun => {
            let whole = SignedDuration::from_secs(ended.duration_since(begun).as_secs());
            format!("{whole:#}")
        }
        _ => String::new(),
    }
}

/// What a dry run found.
pub(super) fn dry_run(group: &str, order: &str, answer: &DryRun) -> String {
    let hold = answer.hold.as_ref().or(answer.overridden.as_ref());
    match (&answer.would, hold) {
        (Some(would), None) => format!(
            "{group}: would make a {}; nothing was changed\n",
            move_line(would)
        ),
        (Some(would), Some(hold)) => format!(
            "{group}: would make a {} although {}; nothing was changed\n",
            move_line(would),
            hold_line(hold)
        ),
        (None, Some(hold)) => format!("{group}: {order} would be refused: {}\n", hold_line(hold)),
        (None, None) => format!("{group}: {order} would move nothing\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_trailing_blanks_and_lines_up() {
        let text = table(
            &["A", "LONGER"],
            vec![
                vec!["first".to_owned(), String::new()],
                vec!["x".to_owned(), "y".to_owned()],
            ],
        );
        assert_eq!(text, "A      LONGER\nfirst\nx      y\n");
    }

    #[test]
    fn took_runs_from_the_first_failure_to_the_end() {
        let times = Times {
            first_failed_at: Some("2026-11-22T02:34:00Z".to_owned()),
            decided_at: Some("2026-11-22T02:35:59Z".to_owned()),
            flipped_at: Some("2026-11-22T02:36:16.9Z".to_owned()),
            completed_at: None,
        };
        assert_eq!(took(&times), "2m 16s");
        assert_eq!(took(&Times::default()), "");
    }

    #[test]
    fn a_time_is_cut_to_seconds_and_junk_is_kept_harmless() {
        assert_eq!(time("2026-11-22T02:36:16.123Z"), "2026-11-22T02:36:16Z");
        assert_eq!(time("soon\u{7}"), "soon\u{fffd}");
    }
}
