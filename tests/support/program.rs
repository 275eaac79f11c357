//! The binary as a program of its own, with nothing of the developer's environment, and how a run of it ended.
#![allow(dead_code)]

use std::process::{Command, Output, Stdio};

/// The binary. It gets no environment but what a test adds, and nobody sits at its input.
pub fn understudy() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_understudy"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; a run that was ended by a signal fails the test.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary starts");
    ran(output)
}

/// How a run ended that was waited for elsewhere.
pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}
