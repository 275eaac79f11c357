//! Who hears of what happens in the host: a terminal (`local`), or a log file with a quiet terminal (`demo`).

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;

use jiff::Timestamp;

use super::console::{Console, Tone};

/// Hears of the handler's process and of the timers' runs.
pub trait Voice: Send + Sync + 'static {
    /// A line that the handler printed.
    fn printed(&self, line: &str);
    /// Something that happened to the handler's process, or that the host did.
    fn happened(&self, line: &str);
    /// A timer's run succeeded; these are its log lines.
    fn ran(&self, function: &str, logs: &[String]);
    /// A timer's run failed.
    fn failed(&self, function: &str, why: &str);
}

/// Everything goes to the terminal.
#[derive(Debug)]
pub struct Terminal(pub Console);

impl Voice for Terminal {
    fn printed(&self, line: &str) {
        self.0.say(Tone::Faint, format!("handler | {line}"));
    }

    fn happened(&self, line: &str) {
        self.0.say(Tone::Notice, format!("host    | {line}"));
    }

    fn ran(&self, function: &str, logs: &[String]) {
        for line in logs {
            self.0.say(Tone::Faint, format!("{function} | {line}"));
        }
    }

    fn failed(&self, function: &str, why: &str) {
        self.0
            .say(Tone::Bad, format!("host    | {function} failed: {why}"));
    }
}

/// What the handler says goes to a file; only what went wrong in the host goes to the terminal.
#[derive(Debug)]
pub struct Logbook {
    /// Where trouble is told.
    pub console: Console,
    /// Where everything is kept.
    pub file: Mutex<File>,
}

impl Logbook {
    fn keep(&self, line: &str) {
        if let Ok(mut file) = self.file.lock() {
            // A log that cannot be written is no reason to end the demo.
            let _ = writeln!(file, "{} {line}", Timestamp::now());
        }
    }
}

impl Voice for Logbook {
    fn printed(&self, line: &str) {
        self.keep(&format!("handler | {line}"));
    }

    fn happened(&self, line: &str) {
        self.keep(&format!("host    | {line}"));
        self.console.say(Tone::Notice, format!("host: {line}"));
    }

    fn ran(&self, function: &str, logs: &[String]) {
        for line in logs {
            self.keep(&format!("{function} | {line}"));
        }
    }

    fn failed(&self, function: &str, why: &str) {
        self.keep(&format!("host    | {function} failed: {why}"));
        self.console
            .say(Tone::Bad, format!("host: {function} failed: {why}"));
    }
}
