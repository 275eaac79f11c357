//! What reading a group carries along.

use super::Env;
use super::node::At;
use super::policy::Base;
use super::report::Report;

/// What reading a group needs.
pub struct Reading<'a> {
    /// App settings.
    pub env: &'a Env,
    /// `[policy]`.
    pub base: &'a Base,
    /// What was found.
    pub report: &'a mut Report,
    /// What is told once for all groups.
    pub noticed: Noticed,
}

/// What is told once, however many groups it touches.
#[derive(Debug, Default)]
pub struct Noticed {
    /// Media Services accounts that were read.
    pub media_accounts: usize,
}

impl Noticed {
    /// Tells it.
    pub fn report(&self, at: At<'_>, report: &mut Report) {
        if self.media_accounts > 0 {
            let message = format!(
                "{} Media Services account(s): this version hands them out in lookups, and neither probes, starts nor stops them",
                self.media_accounts
            );
            report.file_warning(&at.path(), message);
        }
    }
}
