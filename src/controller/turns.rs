//! Turns at writing a group's row: a tick and a sweep of alerted groups come to the same groups in the same order,
//! and whoever is second had better see what the first wrote than lose the race for it.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::model::name::GroupName;

/// More than commits are ever under way at once, so that two groups seldom share a turn; it does no harm if they do.
const STRIPES: usize = 1_024;

/// The turns of this process. Other processes are raced with, on the row's `ETag`.
#[derive(Debug)]
pub(super) struct Turns {
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Turns {
    /// Waits for this group's turn. Nobody may wait for a second one while holding it.
    pub(super) async fn of(&self, group: &GroupName) -> Option<MutexGuard<'_, ()>> {
        let hash = self.hasher.hash_one(group);
        let at = usize::try_from(hash % STRIPES as u64).unwrap_or_default();
        Some(self.stripes.get(at)?.lock().await)
    }
}
