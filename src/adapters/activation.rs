//! Running one step of a move on the account it names.

use crate::model::moves::Step;
use crate::model::name::Service;
use crate::model::spec::GroupSpec;

/// Runs a step. A Video Indexer account and an HTTP endpoint serve at once, so nothing is started on
/// them.
///
/// # Errors
/// One line that says what went wrong.
#[allow(clippy::unused_async)]
pub async fn perform(spec: &GroupSpec, step: &Step) -> Result<(), String> {
    if spec.site(&step.account.site).is_none() {
        return Err(format!("{} is no longer configured", step.account.site));
    }
    match step.account.service {
        Service::VideoIndexer | Service::Http => Ok(()),
        Service::MediaServices => Err(format!(
            "{}: this version starts and stops nothing on a Media Services account",
            step.account
        )),
    }
}
