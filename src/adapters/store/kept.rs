//! What groups' rows and heartbeats say, as they were last read or written here. One that has the same ETag says the
//! same: it is not read from its JSON again. A tick reads every row, and few of them have changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Snapshot;
use super::codec::GroupRow;
use super::heartbeat::HeartbeatRow;
use super::keys;
use crate::model::name::GroupName;
use crate::model::state::GroupState;

#[derive(Debug)]
pub(super) struct Kept {
    /// Whether anything is kept.
    is_on: bool,
    groups: Mutex<HashMap<GroupName, (String, Arc<GroupState>)>>,
    /// By key.
    heartbeats: Mutex<HashMap<String, Arc<HeartbeatRow>>>,
}

impl Kept {
    /// Nothing is kept unless ETags tell all, see [`RowStore::etags_tell_all`](super::rows::RowStore::etags_tell_all).
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            groups: Mutex::default(),
            heartbeats: Mutex::default(),
        }
    }

    /// The record of the group's row with this ETag.
    pub(super) fn state(&self, group: &GroupName, etag: &str) -> Option<Arc<GroupState>> {
        let groups = locked(&self.groups);
        let (known, state) = groups.get(group)?;
        is_same(known, etag).then(|| Arc::clone(state))
    }

    pub(super) fn keep(&self, group: &GroupName, row: &GroupRow) {
        if !self.is_on {
            return;
        }
        let kept = (row.etag.clone(), Arc::clone(&row.state));
        locked(&self.groups).insert(group.clone(), kept);
    }

    /// Forgets groups that are not among these, which are all that there are.
    pub(super) fn keep_only(&self, snapshot: &Snapshot) {
        let mut groups = locked(&self.groups);
        if groups.len() > snapshot.groups.len() {
            groups.retain(|group, _| snapshot.groups.contains_key(group));
        }
    }

    /// The heartbeat with this key and ETag.
    pub(super) fn heartbeat(&self, key: &str, etag: &str) -> Option<Arc<HeartbeatRow>> {
        let heartbeats = locked(&self.heartbeats);
        let row = heartbeats.get(key).filter(|row| is_same(&row.etag, etag));
        row.map(Arc::clone)
    }

    pub(super) fn keep_heartbeat(&self, row: &Arc<HeartbeatRow>) {
        if !self.is_on {
            return;
        }
        let key = keys::heartbeat(&row.beat.vantage);
        locked(&self.heartbeats).insert(key, Arc::clone(row));
    }
}

/// Rows of which the store gave no ETag are never the same.
fn is_same(known: &str, etag: &str) -> bool {
    known == etag && !etag.is_empty()
}

/// A poisoned lock holds nothing worse than a row of before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
