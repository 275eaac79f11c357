//! Collects what is wrong and what is unwise while settings are read.

use super::Finding;
use super::node::{At, Source};

/// A text of the settings as a message may repeat it: not if it could be a secret that stands in the wrong
/// place.
#[must_use]
pub fn shown(text: &str) -> String {
    if text.chars().count() > 64 || text.contains('=') {
        "this text".to_owned()
    } else {
        format!("`{text}`")
    }
}

/// A text on one line: a quoted key or value may hold anything, and findings go to logs and answers.
fn on_one_line(text: String) -> String {
    if text.contains(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text
    }
}

/// What was found so far.
#[derive(Debug)]
pub struct Report {
    /// The file's name as it is shown.
    file: String,
    /// What is wrong.
    pub problems: Vec<Finding>,
    /// What is unwise.
    pub warnings: Vec<Finding>,
}

impl Report {
    /// Of this file, with nothing found yet.
    #[must_use]
    pub const fn new(file: String) -> Self {
        Self {
            file,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Something is wrong there.
    pub fn problem(&mut self, at: At<'_>, message: String) {
        let finding = self.finding(at, message);
        self.problems.push(finding);
    }

    /// Something is unwise there.
    pub fn warning(&mut self, at: At<'_>, message: String) {
        let finding = self.finding(at, message);
        self.warnings.push(finding);
    }

    /// Something is wrong with the file, at this line if it is known.
    pub fn file_problem(&mut self, line: Option<usize>, message: String) {
        self.problems.push(Finding {
            origin: self.file.clone(),
            line,
            key: String::new(),
            message: on_one_line(message),
        });
    }

    /// Something is unwise in the file as a whole.
    pub fn file_warning(&mut self, key: &str, message: String) {
        self.warnings.push(Finding {
            origin: self.file.clone(),
            line: None,
            key: key.to_owned(),
            message: on_one_line(message),
        });
    }

    /// Something is wrong with an app setting.
    pub fn setting_problem(&mut self, name: &str, message: String) {
        self.problems.push(setting(name, message));
    }

    /// Something is unwise about an app setting.
    pub fn setting_warning(&mut self, name: &str, message: String) {
        self.warnings.push(setting(name, message));
    }

    /// In the order of the file, app settings last.
    pub fn sort(&mut self) {
        let file = self.file.clone();
        let order = move |finding: &Finding| (finding.origin != file, finding.line);
        self.problems.sort_by_key(&order);
        self.warnings.sort_by_key(&order);
    }

    fn finding(&self, at: At<'_>, message: String) -> Finding {
        let (origin, line) = match at.source() {
            Source::Line(line) => (self.file.clone(), Some(*line)),
            Source::File => (self.file.clone(), None),
            Source::Setting(name) => (name.to_string(), None),
        };
        Finding {
            origin,
            line,
            key: on_one_line(at.path()),
            message: on_one_line(message),
        }
    }
}

fn setting(name: &str, message: String) -> Finding {
    Finding {
        origin: name.to_owned(),
        line: None,
        key: String::new(),
        message: on_one_line(message),
    }
}
