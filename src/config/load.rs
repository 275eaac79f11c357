//! From a file and app settings to what a process is started with, and what a broken file leaves.
//!
//! What is good is used: a group with a problem is left out and answered from its record. Doubt about
//! what all groups share (`[controller]`, `[policy]`) stops no lookup and no order, but no group is moved
//! automatically until it is mended.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::node::{At, Lines, Node};
use super::pieces::{Section, good_url, name_fault, structured};
use super::policy::Base;
use super::report::Report;
use super::schedule::Schedule;
use super::shape::{self, Shape};
use super::urls::Purpose;
use super::{Env, Loaded, groups, overlay, raw, store};
use crate::model::deployment::{Deployment, FromRecord, Settings};
use crate::model::name::Vantage;
use crate::model::region;

/// Syntax errors that are reported; more are the consequence of these.
const SYNTAX_ERRORS: usize = 20;

/// What the file gave.
enum Source {
    /// A tree.
    Whole(Node),
    /// What is left of a file with syntax errors; whether its `[store]` can be relied on.
    Pieces { root: Node, store_is_whole: bool },
    /// There is none.
    Missing,
    /// It is there and says nothing.
    Unreadable,
}

/// Reads the file and the app settings that override it. Never fails: what cannot be read is a problem.
#[must_use]
pub fn load(path: &Path, env: &Env) -> Loaded {
    let mut report = Report::new(path.display().to_string());
    let source = read(path, &mut report);
    loaded(source, env, report)
}

/// The same for a file whose contents are at hand; `origin` is its name in what is reported.
#[must_use]
pub fn load_bytes(origin: &str, bytes: Vec<u8>, env: &Env) -> Loaded {
    let mut report = Report::new(origin.to_owned());
    let source = text_of(bytes, &mut report);
    loaded(source, env, report)
}

fn loaded(source: Source, env: &Env, report: Report) -> Loaded {
    static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::of(&super::schema()));
    let mut report = report;
    let shape = &*SHAPE;
    let settings = settings(source, env, shape, &mut report);
    report.sort();
    Loaded {
        settings: Settings {
            deployment: Deployment {
                problems: report.problems.iter().map(ToString::to_string).collect(),
                ..settings.deployment
            },
            ..settings
        },
        problems: report.problems,
        warnings: report.warnings,
    }
}

fn read(path: &Path, report: &mut Report) -> Source {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = "no such file: write one, or name another in UNDERSTUDY_CONFIG";
            report.file_problem(None, message.to_owned());
            return Source::Missing;
        }
        Err(error) => {
            report.file_problem(None, format!("cannot be read: {error}"));
            return Source::Unreadable;
        }
    };
    text_of(bytes, report)
}

fn text_of(bytes: Vec<u8>, report: &mut Report) -> Source {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            let message = "is not UTF-8 here: save the file as UTF-8";
            report.file_problem(Some(line), message.to_owned());
            return Source::Unreadable;
        }
    };
    parse(&text, report)
}

fn parse(text: &str, report: &mut Report) -> Source {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let root = Node::from_toml(table.into_inner(), &lines);
    if errors.is_empty() {
        return Source::Whole(root);
    }
    let outside = lines_outside_store(text);
    let mut store_is_whole = true;
    for (count, error) in errors.iter().enumerate() {
        let line = error.span().map(|span| lines.at(span.start));
        store_is_whole &= line
            .and_then(|line| outside.get(line - 1))
            .is_some_and(|it| *it);
        if count < SYNTAX_ERRORS {
            // The error's own rendering quotes the line, which may hold a secret.
            let message = error.message().replace('\n', ", ");
            report.file_problem(line, format!("is not TOML here: {message}"));
        }
    }
    Source::Pieces {
        root,
        store_is_whole,
    }
}

/// For each line, whether the nearest header, on it or above, opens another section than `[store]`.
fn lines_outside_store(text: &str) -> Vec<bool> {
    let mut outside = false;
    let line = |line: &str| {
        if let Some(header) = line.trim_start().strip_prefix('[') {
            let name = header.trim_start_matches('[').trim_start();
            let others = ["groups", "policy", "controller"];
            outside = others.iter().any(|section| name.starts_with(section));
        }
        outside
    };
    text.split('\n').map(line).collect()
}

fn settings(source: Source, env: &Env, shape: &Shape, report: &mut Report) -> Settings {
    let is_broken = matches!(source, Source::Pieces { .. });
    let (mut root, whole, store_known) = match source {
        Source::Whole(root) => (root, true, true),
        Source::Pieces {
            root,
            store_is_whole,
        } => (only_shared(root, store_is_whole), false, store_is_whole),
        Source::Missing => (Node::empty_table(), false, true),
        Source::Unreadable => (Node::empty_table(), false, false),
    };
    let hurt = overlay::apply(&mut root, env, shape, report);
    let at = At::root(&root);

    let controller = controller(at, env, shape, report);
    let store = section::<raw::Store>(at, "store", shape, report);
    let warned = report.warnings.len();
    let store = store::read(store, at, env, store_known, hurt.contains(&"store"), report);
    if is_broken {
        // What is unwise about the rest of a file that is not TOML is told when it is.
        report.warnings.truncate(warned);
    }

    let known_keys = !unknown_sections(at, shape, report);
    let before = report.problems.len();
    let policy = section::<raw::Policy>(at, "policy", shape, report).good;
    let interval = controller.schedule_interval;
    let base = Base::new(policy, controller.max_groups_moving, interval, at, report);
    // A section that is unknown may have been meant as `[policy]`, with `mode = "observe"` in it.
    let doubtful = report.problems.len() > before
        || !known_keys
        || controller.doubtful
        || ["controller", "policy"]
            .iter()
            .any(|section| hurt.contains(section));
    let base = if doubtful {
        base.observing(report)
    } else {
        base
    };

    let found = if whole {
        groups::read(at, env, shape, &base, &controller.vantage, report)
    } else {
        groups::Found::default()
    };
    let from_record = if whole && known_keys && found.named {
        FromRecord::These(found.bad)
    } else {
        FromRecord::Any
    };
    Settings {
        deployment: Deployment {
            vantage: controller.vantage,
            control_target: controller.control_target,
            schedule_interval: interval,
            groups: (found.good.into_iter())
                .map(|group| (group.name.clone(), Arc::new(group)))
                .collect(),
            from_record,
            problems: Vec::new(),
        },
        store,
        trust_principal: controller.trust_principal,
        schedule: controller.schedule,
    }
}

/// A file with syntax errors is not trusted about groups and their policy; where the record is kept is
/// used, so that groups are answered from it.
fn only_shared(mut root: Node, store_is_whole: bool) -> Node {
    if let Some(sections) = root.table_mut() {
        sections.retain(|name, _| name == "controller" || (name == "store" && store_is_whole));
    }
    root
}

/// Reads one section of the file as far as it is good.
pub fn section<T: DeserializeOwned + Default>(
    at: At<'_>,
    name: &str,
    shape: &Shape,
    report: &mut Report,
) -> Section<T> {
    let before = report.problems.len();
    let here = at.child(name);
    let good = match shape.key(name) {
        Some(shape) if at.has(name) => shape::check(here, shape, report),
        _ => None,
    };
    Section {
        good: good.map_or_else(T::default, |good| structured(good, here, report)),
        hurt: report.problems.len() > before,
    }
}

fn unknown_sections(at: At<'_>, shape: &Shape, report: &mut Report) -> bool {
    let before = report.problems.len();
    let keys = at.node().table().into_iter().flat_map(|table| table.keys());
    for key in keys.filter(|key| shape.key(key).is_none()) {
        report.problem(at.child(key), shape::unknown_key(key, shape.known()));
    }
    report.problems.len() > before
}

struct Controller {
    vantage: Vantage,
    control_target: Option<String>,
    schedule: String,
    schedule_interval: SignedDuration,
    max_groups_moving: u32,
    trust_principal: bool,
    /// Whether something was wrong.
    doubtful: bool,
}

fn controller(at: At<'_>, env: &Env, shape: &Shape, report: &mut Report) -> Controller {
    let before = report.problems.len();
    let raw = section::<raw::Controller>(at, "controller", shape, report).good;
    let here = at.child("controller");
    let vantage = vantage(raw.vantage.as_deref(), here, env, report);
    let (schedule, schedule_interval) = schedule(raw.schedule, here, report);
    let control_target = raw.control_target.and_then(|text| {
        good_url(
            &text,
            Purpose::Endpoint,
            here.child("control_target"),
            report,
        )
    });
    Controller {
        vantage,
        control_target,
        schedule,
        schedule_interval,
        max_groups_moving: raw.max_groups_moving.unwrap_or(raw::MAX_GROUPS_MOVING),
        trust_principal: trust(raw.trust_principal, here, env, report),
        doubtful: report.problems.len() > before,
    }
}

fn vantage(given: Option<&str>, at: At<'_>, env: &Env, report: &mut Report) -> Vantage {
    if let Some(given) = given {
        let programmatic = region::programmatic(given);
        match name_fault(given) {
            None if region::is_known(&programmatic) => return Vantage::new(programmatic),
            None => return Vantage::new(given),
            Some(fault) => report.problem(at.child("vantage"), fault),
        }
    }
    let region = env
        .get("REGION_NAME")
        .map(|name| region::programmatic(name));
    Vantage::new(
        region
            .filter(|name| name_fault(name).is_none())
            .unwrap_or_else(|| "local".to_owned()),
    )
}

fn schedule(given: Option<String>, at: At<'_>, report: &mut Report) -> (String, SignedDuration) {
    let read =
        |text: &str| Schedule::parse(text).map(|schedule| (text.trim().to_owned(), schedule));
    let here = at.child("schedule");
    let given = given.and_then(|text| match read(&text) {
        Ok(good) => Some(good),
        Err(message) => {
            report.problem(here, message);
            None
        }
    });
    match given {
        Some((text, schedule)) => {
            if matches!(schedule, Schedule::Every(_)) {
                let message = "the form hh:mm:ss works on App Service plans only; \"0 */5 * * * *\" works everywhere";
                report.warning(here, message.to_owned());
            }
            (text, schedule.interval())
        }
        None => (raw::SCHEDULE.to_owned(), SignedDuration::from_secs(30)),
    }
}

fn trust(wanted: Option<bool>, at: At<'_>, env: &Env, report: &mut Report) -> bool {
    let wanted = wanted.unwrap_or(false);
    let platform = (env.get("WEBSITE_AUTH_ENABLED"))
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    if wanted && !platform {
        let message = "has no effect here: the platform's authentication is off (WEBSITE_AUTH_ENABLED is not true), so anyone could send these headers";
        report.warning(at.child("trust_principal"), message.to_owned());
    }
    wanted && platform
}
