//! Reads of groups for lookups: a few are read one by one, many at once by one scan that serves them all. Two thousand
//! lookups a second, each of another group, would else be as many requests to the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::Controller;
use super::memory::{Known, Question};
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
/// A scan that takes longer is of no use: what it brings is soon too old.
const SLOW: Duration = Duration::from_secs(1);
/// After a scan that was slow or failed, groups are read one by one for so long, whoever comes.
const APART_FOR: Duration = Duration::from_secs(30);
/// A lookup waits for a scan no longer: there must be time to read its group by itself.
const WAITS_FOR: Duration = Duration::from_secs(2);

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
    apart_until: Option<Instant>,
}

impl Pace {
    fn is_crowd(&self, now: Instant) -> bool {
        let is_before = |until: Option<Instant>| until.is_some_and(|until| now < until);
        is_before(self.together_until) && !is_before(self.apart_until)
    }
}

/// The last scan that brought something.
#[derive(Debug, Default)]
struct LastScan(Option<Scanned>);

#[derive(Debug, Clone, Copy)]
struct Scanned {
    asked_at: Instant,
    learned_at: Instant,
}

impl Crowd {
    /// Counts a read that is about to be made, of one of so many groups: whether it had better be made together
    /// with the others.
    fn comes(&self, groups: usize) -> bool {
        let now = Instant::now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.is_crowd(now) {
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
        pace.is_crowd(now)
    }

    /// Scans are too slow, or fail.
    fn parts(&self) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.apart_until = Some(Instant::now() + APART_FOR);
    }

    fn is_there(&self) -> bool {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.is_crowd(Instant::now())
    }
}

impl Controller {
    /// Reads a group together with all others, if many are being read; what is then known of it. Nothing where few
    /// are, where scans are slow or fail, and of a group without a row: it is read by itself.
    pub(super) async fn read_in_crowd(
        &self,
        group: &GroupName,
        question: &Question,
    ) -> Option<Arc<Known>> {
        if !self.crowd.comes(self.deployment.groups.len()) {
            return None;
        }
        let reading = self.scan_for(group, question);
        let Ok(known) = tokio::time::timeout(WAITS_FOR, reading).await else {
            self.crowd.parts();
            return None;
        };
        known
    }

    async fn scan_for(&self, group: &GroupName, question: &Question) -> Option<Arc<Known>> {
        let mut last = self.crowd.scan.lock().await;
        // The scan that it waited for may have brought it.
        let known = self.memory.answer_to(question, group);
        if known.is_some() || !self.crowd.is_there() {
            return known;
        }
        let known = self.memory.get(group);
        let is_left_out = |scan: &Scanned| {
            known
                .as_ref()
                .is_none_or(|known| known.asked_at < scan.asked_at)
                && question.takes_read(scan.asked_at, scan.learned_at)
        };
        if last.0.as_ref().is_some_and(is_left_out) {
            return None;
        }
        self.scan(&mut last).await.ok()?;
        self.memory.answer_to(question, group)
    }

    /// Reads all groups, unless all of these were read just now; nothing where they were. Of several that ask at
    /// once, one reads.
    pub(super) async fn read_all(
        &self,
        groups: &[GroupName],
        question: &Question,
    ) -> Result<Option<Snapshot>, StoreError> {
        let mut last = self.crowd.scan.lock().await;
        if self.are_known(groups, question) {
            return Ok(None);
        }
        self.scan(&mut last).await.map(Some)
    }

    /// Whether the records of all of these are known, and young.
    pub(super) fn are_known(&self, groups: &[GroupName], question: &Question) -> bool {
        let mut all = groups.iter();
        all.all(|group| self.memory.answer_to(question, group).is_some())
    }

    /// While groups are read together, renews what will soon be too old.
    pub(super) fn renew_ahead(self: &Arc<Self>, age: Duration) {
        if age < RENEWED_AFTER || !self.crowd.is_there() {
            return;
        }
        let Ok(mut last) = Arc::clone(&self.crowd.scan).try_lock_owned() else {
            return;
        };
        // A group that no scan brings is none the younger for another.
        let is_young = |scan: &Scanned| scan.asked_at.elapsed() < RENEWED_AFTER;
        if last.0.as_ref().is_some_and(is_young) {
            return;
        }
        let controller = Arc::clone(self);
        tokio::spawn(async move {
            // After a failure each lookup reads by itself, and tells.
            let _ = controller.scan(&mut last).await;
            drop::<OwnedMutexGuard<LastScan>>(last);
        });
    }

    async fn scan(&self, last: &mut LastScan) -> Result<Snapshot, StoreError> {
        let asked_at = Instant::now();
        let read = self.store.groups().await;
        if let Ok(snapshot) = &read {
            self.memory.keep_groups(snapshot);
            last.0 = Some(Scanned {
                asked_at,
                learned_at: Instant::now(),
            });
        }
        // That a scan fails does not say that a single read would: it is that one which tells of the store.
        if read.is_err() || asked_at.elapsed() > SLOW {
            self.crowd.parts();
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
