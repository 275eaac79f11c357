//! Weighs the readings of one round against each other.

use std::collections::BTreeMap;

use crate::model::name::AccountKey;
use crate::model::sample::{Outcome, Round};

/// The outcome and detail of every account of the round.
#[must_use]
pub fn judge(round: &Round) -> BTreeMap<AccountKey, (Outcome, Option<String>)> {
    round
        .readings
        .iter()
        .map(|(key, reading)| (key.clone(), (reading.outcome, reading.detail.clone())))
        .collect()
}
