//! What reading a group carries along.

use super::Env;
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
}
