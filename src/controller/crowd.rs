//! Reads of groups for lookups: a few are read one by one, many at once by one scan that serves them all. Two thousand
//! lookups a second, each of another group, would else be as many requests to the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::Controller;
use super::lookup::{FRESH_FOR, Known};
use crate::adapters::store::{Snapshot, StoreError};
use crate::model::name::GroupName;

/// Reads of single groups in one second beyond which a scan costs less, for each page of it.
const READS_FOR_A_PAGE: usize = 32;
/// Rows of one page (the limit of Table Storage).
const PAGE: usize = 1_000;
/// After that many came at once, groups are read together for so long.
const TOGETHER_FOR: Duration = Duration::from_secs(10);
/// Meanwhile answers of this age are renewed behind those that are still given: nobody waits for the scan.
const RENEWED_AFTER: Duration = Duration::from_secs(1);

/// Whether groups are read together, and whose turn it is to read them.
#[derive(Debug, Default)]
pub struct Crowd {
    pace: Mutex<Pace>,
    scan: Arc<Turn<LastScan>>,
}

#[derive(Debug, Default)]
struct Pace {
    second: Option<Instant>,
    reads: usize,
    together_until: Option<Instant>,
}

/// What became of the last scan.
#[derive(Debug, Default)]
struct LastScan {
    asked_at: Option<Instant>,
    failed: Option<(Instant, StoreError)>,
}

impl Crowd {
    /// Counts a read that is about to be made, of one of so many groups: whether it had better be made together
    /// with the others.
    fn comes(&self, groups: usize) -> bool {
        let now = Instant::now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.together_until.is_some_and(|until| now < until) {
            return true;
        }
        if pace
            .second
            .is_none_or(|second| now - second >= Duration::from_secs(1))
        {
            pace.second = Some(now);
            pace.reads = 0;
        }
        pace.reads += 1;
        let is_crowd = pace.reads > READS_FOR_A_PAGE * groups.div_ceil(PAGE).max(1);
        if is_crowd {
            pace.together_until = Some(now + TOGETHER_FOR);
        }
        is_crowd
    }

    fn is_there(&self) -> bool {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.together_until
            .is_some_and(|until| Instant::now() < until)
    }
}

impl Controller {
    /// Reads a group together with all others, if many are being read; what is then known of it. Nothing where few
    /// are, and of a group without a row: it is read by itself.
    pub(super) async fn read_in_crowd(
        &self,
        group: &GroupName,
        suffices: impl Fn(&Known) -> bool,
    ) -> Result<Option<Known>, StoreError> {
        if !self.crowd.comes(self.deployment.groups.len()) {
            return Ok(None);
        }
        let asked_at = Instant::now();
        let mut last = self.crowd.scan.lock().await;
        let known = || self.memory.get(group);
        // The scan that it waited for may have brought it.
        if let Some(known) = known().filter(|known| suffices(known)) {
            return Ok(Some(known));
        }
        if let Some((_, error)) = last.failed.as_ref().filter(|(at, _)| *at >= asked_at) {
            return Err(error.clone());
        }
        if last.asked_at.is_none_or(|scanned| scanned < asked_at) {
            self.scan(&mut last).await?;
        }
        Ok(known().filter(|known| known.asked_at >= asked_at))
    }

    /// Reads all groups, unless all of these were read just now; nothing where they were. Of several that ask at
    /// once, one reads.
    pub(super) async fn read_all(
        &self,
        groups: &[GroupName],
    ) -> Result<Option<Snapshot>, StoreError> {
        let mut last = self.crowd.scan.lock().await;
        if self.are_fresh(groups) {
            return Ok(None);
        }
        self.scan(&mut last).await.map(Some)
    }

    /// Whether the records of all of these are known, and young.
    pub(super) fn are_fresh(&self, groups: &[GroupName]) -> bool {
        let mut all = groups.iter();
        all.all(|group| self.memory.state(group, FRESH_FOR).is_some())
    }

    /// While groups are read together, renews what will soon be too old.
    pub(super) fn renew_ahead(self: &Arc<Self>, age: Duration) {
        if age < RENEWED_AFTER || !self.crowd.is_there() {
            return;
        }
        let Ok(mut last) = Arc::clone(&self.crowd.scan).try_lock_owned() else {
            return;
        };
        let controller = Arc::clone(self);
        tokio::spawn(async move {
            // A failure is told by the next lookup that has to wait.
            let _ = controller.scan(&mut last).await;
            drop::<OwnedMutexGuard<LastScan>>(last);
        });
    }

    async fn scan(&self, last: &mut LastScan) -> Result<Snapshot, StoreError> {
        let asked_at = Instant::now();
        let read = self.store.groups().await;
        match &read {
            Ok(snapshot) => {
                self.memory.keep_groups(snapshot);
                last.asked_at = Some(asked_at);
                last.failed = None;
            }
            Err(error) => {
                self.memory.note_read(Some(error));
                last.failed = Some((Instant::now(), error.clone()));
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_reads_in_a_second_are_a_crowd_and_few_are_none() {
        let crowd = Crowd::default();
        for _ in 0..100 {
            for _ in 0..READS_FOR_A_PAGE {
                assert!(!crowd.comes(PAGE));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(!crowd.is_there());
        for _ in 0..READS_FOR_A_PAGE {
            assert!(!crowd.comes(PAGE));
        }
        assert!(crowd.comes(PAGE));
        assert!(crowd.is_there());
        tokio::time::advance(TOGETHER_FOR).await;
        assert!(!crowd.is_there());
        assert!(!crowd.comes(PAGE));
    }

    #[tokio::test(start_paused = true)]
    async fn the_more_groups_the_more_reads_are_as_dear_as_a_scan() {
        let reads_until_a_crowd = |groups| {
            let crowd = Crowd::default();
            (0..).take_while(|_| !crowd.comes(groups)).count()
        };
        assert_eq!(reads_until_a_crowd(0), READS_FOR_A_PAGE);
        assert_eq!(reads_until_a_crowd(PAGE + 1), READS_FOR_A_PAGE * 2);
        assert_eq!(reads_until_a_crowd(PAGE * 10), READS_FOR_A_PAGE * 10);
    }
}
