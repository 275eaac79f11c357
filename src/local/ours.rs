//! Whether a folder has what this binary expects of it: its functions, where and how they are called. The host loads
//! a folder without them all the same.

use std::collections::BTreeSet;

use super::function_json::{self, HttpTrigger, Loaded, Settings, Source, Trigger};
use super::host_json::HostJson;
use crate::bundle::{self, TIMER};
use crate::model::words::count;

/// The prefix below which the handler answers.
const PREFIX: &str = "api";

/// What a folder lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lack {
    /// Our functions that are not there, the timer apart.
    pub functions: Vec<&'static str>,
    /// Whether the timer is not there.
    pub timer: bool,
    /// Whether none of ours is there.
    pub everything: bool,
    /// What is there and would not be reached as the handler expects it, in sentences.
    pub astray: Vec<String>,
}

impl Lack {
    /// Looks at what a folder's functions were read as.
    #[must_use]
    pub fn of(loaded: &Loaded, host: &HostJson) -> Self {
        let mut there: BTreeSet<&str> = loaded
            .functions
            .iter()
            .map(|function| function.name.as_str())
            .collect();
        // Why these are not loaded is told in its own place.
        there.extend(loaded.disabled.iter().map(String::as_str));
        there.extend(loaded.errors.keys().map(String::as_str));
        let missing: Vec<&str> = bundle::FUNCTIONS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !there.contains(name))
            .collect();
        Self {
            timer: missing.contains(&TIMER),
            everything: missing.len() == bundle::FUNCTIONS.len(),
            functions: missing.into_iter().filter(|name| *name != TIMER).collect(),
            astray: astray(loaded, host),
        }
    }

    /// What to say of it, sentence by sentence.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.timer {
            said.push(format!("{NO_TIMER}: put its folder back"));
        }
        if !self.functions.is_empty() {
            said.push(format!(
                "{} of Understudy not there, so what they answer is not found: {}",
                match self.functions.len() {
                    1 => "1 function is".to_owned(),
                    many => format!("{} are", count(many, "function")),
                },
                self.functions.join(", ")
            ));
        }
        said.extend(self.astray.iter().cloned());
        said
    }
}

/// What it means that the timer is not there.
pub const NO_TIMER: &str = "the function HealthCheck, the timer, is not there: nothing would be probed and nothing would ever move";

/// Ours that are called in another way than the handler answers.
fn astray(loaded: &Loaded, host: &HostJson) -> Vec<String> {
    let mut said = Vec::new();
    if host.route_prefix != PREFIX {
        said.push(format!(
            "host.json: extensions.http.routePrefix is \"{}\", and the handler answers below {PREFIX} only: no request would find it",
            host.route_prefix
        ));
    }
    for function in &loaded.functions {
        let name = function.name.as_str();
        let (Trigger::Http(here), Some(meant)) = (&function.trigger, meant(name, host)) else {
            continue;
        };
        let is_open = here.methods.is_empty();
        let unheard: Vec<&str> = meant
            .methods
            .iter()
            .map(String::as_str)
            .filter(|method| !is_open && !here.methods.iter().any(|known| known == method))
            .collect();
        if !unheard.is_empty() {
            said.push(format!(
                "{name}/function.json: methods are {}, so the host passes no {} on to it",
                here.methods.join(", "),
                unheard.join(" or ")
            ));
        }
        if !here.route.eq_ignore_ascii_case(&meant.route) {
            said.push(format!(
                "{name}/function.json: the route is {}, and the handler answers {}",
                here.route, meant.route
            ));
        }
    }
    said
}

/// The trigger that this binary expects of one of its functions.
fn meant(name: &str, host: &HostJson) -> Option<HttpTrigger> {
    let (_, text) = bundle::FUNCTIONS.iter().find(|(known, _)| *known == name)?;
    let source = Source::new(name, text);
    match function_json::read(&source, host, &Settings::new()) {
        Ok(Some(function)) => match function.trigger {
            Trigger::Http(trigger) => Some(trigger),
            Trigger::Timer(_) => None,
        },
        Ok(None) | Err(_) => None,
    }
}
