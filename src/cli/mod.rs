//! The verbs of the binary.

/// Parses the command line and runs the verb.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
