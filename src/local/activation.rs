//! What a demo's terminal tells of starting and stopping: the steps as the app shows them, and beside them the
//! streaming endpoints and live events as they are in the simulated Azure.

use super::console::{Line, Tone};
use super::scene::{Group, Part, Scene, Step};

/// A step, and what it belongs to.
struct Doing {
    site: String,
    step: Step,
    /// The generation of its move; `None` for what an earlier move left to be stopped.
    generation: Option<u64>,
}

impl Doing {
    fn is(&self, other: &Self) -> bool {
        self.site == other.site && self.step.name == other.step.name
    }

    fn line(&self, state: &str) -> Line {
        let Step {
            name,
            attempts,
            detail,
            ..
        } = &self.step;
        let mut text = format!("step      {name} in {}: {state}", self.site);
        if state != "done" {
            if *attempts > 1 {
                text.push_str(&format!(", attempt {attempts}"));
            }
            if let Some(detail) = detail {
                text.push_str(&format!(": {detail}"));
            }
        }
        let tone = match state {
            "done" => Tone::Good,
            "failed" => Tone::Bad,
            _ => Tone::Notice,
        };
        Line::new(tone, text)
    }
}

/// A planned move that has begun and not flipped: nothing in history says so yet.
pub(super) fn preparation(before: Option<&Group>, group: &Group) -> Option<Line> {
    let moving = group.moving.as_ref()?;
    let is_known = before
        .and_then(|before| before.moving.as_ref())
        .is_some_and(|before| before.id == moving.id);
    (moving.flipped_at.is_none() && !is_known).then(|| {
        Line::new(
            Tone::Strong,
            format!(
                "move      {} from {} to {} is being prepared; {} serves meanwhile",
                moving.kind, moving.from, moving.to, moving.from
            ),
        )
    })
}

/// What the move under way has yet to do; empty where there is none.
pub(super) fn unfinished(group: &Group) -> String {
    let Some(moving) = &group.moving else {
        return String::new();
    };
    let steps = moving.steps.iter();
    let open: Vec<String> = steps
        .filter(|step| step.state != "done")
        .map(|step| format!("{} is {}", step.name, step.state))
        .collect();
    format!("; {} goes on: {}", moving.kind, open.join(", "))
}

/// On these sites, the steps that are other than they were, and what they do outside: that is begun after a step is
/// claimed, and over before it is done.
pub(super) fn tell(
    previous: Option<&Scene>,
    current: &Scene,
    is_asked: impl Fn(&str) -> bool,
    lines: &mut Vec<Line>,
) {
    let (open, done) = steps(previous, current, &is_asked);
    lines.extend(open);
    outside(previous, current, &is_asked, lines);
    lines.extend(done);
}

/// Lines about steps that are under way or failed, and about those that are done.
fn steps(
    previous: Option<&Scene>,
    current: &Scene,
    is_asked: impl Fn(&str) -> bool,
) -> (Vec<Line>, Vec<Line>) {
    let (mut open, mut done) = (Vec::new(), Vec::new());
    let before = previous.map(under_way).unwrap_or_default();
    let now = under_way(current);
    for doing in now.iter().filter(|doing| is_asked(&doing.site)) {
        let known = before.iter().find(|earlier| earlier.is(doing));
        if known.is_some_and(|known| known.step == doing.step) {
            continue;
        }
        match doing.step.state.as_str() {
            "waiting" => {}
            "done" => done.push(doing.line("done")),
            state => open.push(doing.line(state)),
        }
    }
    // What is done is shown no more.
    let is_gone = |doing: &&Doing| is_asked(&doing.site) && !now.iter().any(|each| each.is(doing));
    for doing in before.iter().filter(is_gone) {
        if doing.step.state != "done" && has_ended(doing, current) {
            done.push(doing.line("done"));
        }
    }
    (open, done)
}

/// Every step that the app shows. The history, which was read later, may know already that a move is complete,
/// or that a planned one has flipped, which it does when everything is started.
fn under_way(scene: &Scene) -> Vec<Doing> {
    let Some(group) = &scene.group else {
        return Vec::new();
    };
    let of_move = group.moving.iter().flat_map(|moving| {
        let is_complete = is_complete(scene, moving.generation);
        let is_prepared = is_complete || is_prepared(scene, moving.generation);
        moving.steps.iter().map(move |step| {
            let mut step = step.clone();
            let (site, is_done) = if step.name.starts_with("stop ") {
                (&moving.from, is_complete)
            } else {
                (&moving.to, is_prepared)
            };
            if is_done {
                "done".clone_into(&mut step.state);
            }
            Doing {
                site: site.clone(),
                step,
                generation: Some(moving.generation),
            }
        })
    });
    let left = group.leftovers.iter().flat_map(|rest| {
        rest.steps.iter().map(|step| Doing {
            site: rest.site.clone(),
            step: step.clone(),
            generation: None,
        })
    });
    of_move.chain(left).collect()
}

fn is_complete(scene: &Scene, generation: u64) -> bool {
    let mut entries = scene.history.iter();
    entries.any(|entry| entry.kind == "moveCompleted" && entry.generation == generation)
}

fn is_prepared(scene: &Scene, generation: u64) -> bool {
    let mut entries = scene.history.iter();
    entries.any(|entry| {
        entry.generation == generation && matches!(entry.kind.as_str(), "switchover" | "failback")
    })
}

/// Whether a step that is shown no more was done, not dropped: a move that is replaced says nothing of its
/// steps, and nothing is stopped any more on a site that is active again.
fn has_ended(doing: &Doing, current: &Scene) -> bool {
    match doing.generation {
        Some(generation) => is_complete(current, generation),
        None => (current.group.as_ref()).is_some_and(|group| {
            // The rest of a start ends where it serves, that of a stop elsewhere.
            (group.active == doing.site) == doing.step.name.starts_with("start ")
        }),
    }
}

/// What is in another state in the simulated Azure; everything at the first look.
fn outside(
    previous: Option<&Scene>,
    current: &Scene,
    is_asked: impl Fn(&str) -> bool,
    lines: &mut Vec<Line>,
) {
    let Some(previous) = previous.filter(|scene| scene.group.is_some()) else {
        lines.extend(inventory(&current.outside));
        return;
    };
    for part in current.outside.iter().filter(|part| is_asked(&part.site)) {
        let mut earlier = previous.outside.iter();
        let before = earlier.find(|each| each.account == part.account && each.name == part.name);
        let Some(before) = before.filter(|before| before.state != part.state) else {
            continue;
        };
        let tone = match part.state {
            "Running" => Tone::Good,
            _ => Tone::Notice,
        };
        lines.push(Line::new(
            tone,
            format!(
                "azure     {} {}: {} -> {}",
                part.account, part.name, before.state, part.state
            ),
        ));
    }
}

/// One line for each account.
fn inventory(parts: &[Part]) -> Vec<Line> {
    let same_account = |one: &Part, other: &Part| one.account == other.account;
    parts
        .chunk_by(same_account)
        .filter_map(|parts| {
            let account = &parts.first()?.account;
            let states = parts
                .iter()
                .map(|part| format!("{} is {}", part.name, part.state));
            let states = states.collect::<Vec<_>>().join(", ");
            Some(Line::new(
                Tone::Plain,
                format!("azure     {account}: {states}"),
            ))
        })
        .collect()
}
