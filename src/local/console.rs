//! What is printed: lines with a tone, coloured only on a terminal.

use std::io::{IsTerminal, Write};

/// What a line is about; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something to read.
    Plain,
    /// Of little weight: the handler's own output, heartbeats.
    Faint,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// To be watched, or done.
    Notice,
    /// What the rest is about.
    Strong,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Notice => "33",
            Self::Strong => "1",
        }
    }
}

/// A line with its tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub tone: Tone,
    /// The text, without a line end.
    pub text: String,
}

impl Line {
    /// A line.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
        }
    }
}

/// Where lines go.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    coloured: bool,
}

impl Console {
    /// The process's standard output. Coloured on a terminal, unless `NO_COLOR` is set.
    #[must_use]
    pub fn stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            coloured: std::io::stdout().is_terminal() && !unwanted,
        }
    }

    /// Prints one line. A reader that has gone away is no reason to stop.
    pub fn say(&self, tone: Tone, text: impl AsRef<str>) {
        let line = self.render(tone, text.as_ref());
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// Prints one line.
    pub fn line(&self, line: &Line) {
        self.say(line.tone, &line.text);
    }

    fn render(self, tone: Tone, text: &str) -> String {
        if self.coloured && tone != Tone::Plain {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_wanted() {
        let plain = Console { coloured: false };
        let coloured = Console { coloured: true };
        assert_eq!(plain.render(Tone::Bad, "x"), "x");
        assert_eq!(coloured.render(Tone::Plain, "x"), "x");
        assert_eq!(coloured.render(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
