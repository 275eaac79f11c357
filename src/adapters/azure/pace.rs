//! How often ARM is asked, so that what goes on all the time leaves others their part of what ARM grants.
//!
//! ARM gives every principal, for each subscription, a bucket of 200 writes that refills by 10 a second, and one of
//! 250 reads that refills by 25 a second. `generateAccessToken` is a POST and so a write. We take less, because
//! moves and people use the same identity.
//!
//! Each pace is one process's, and for itself. In a subscription that has both kinds of accounts, or while many moves are
//! followed, all together may pass the refill: ARM then answers 429. A probe asks again in its next round, a step when
//! ARM says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How often something may be done.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// At most so many a second for one subscription, over time.
    pub per_second: u32,
    /// So many may come at once after a rest.
    pub burst: u32,
    /// So many may be under way at once for one subscription.
    pub at_once: usize,
    /// So many may be under way at once for all subscriptions.
    pub at_once_overall: usize,
}

/// Minting tokens: eight tenths of the bucket's refill, half of the bucket at once. Ten thousand accounts of one
/// subscription have their first tokens after 21 minutes, and their renewals (one every 50 minutes each) need 3.4
/// a second.
pub const MINTS: Pace = Pace {
    per_second: 8,
    burst: 100,
    at_once: 25,
    at_once_overall: 150,
};

/// Reading accounts: extra evidence, so it takes less of what is there.
pub const READS: Pace = Pace {
    per_second: 10,
    burst: 100,
    at_once: 25,
    at_once_overall: 100,
};

/// Reading what streams and encodes on Media Services accounts, whose API is behind ARM: most of what is left of the
/// bucket's refill. A hundred accounts of one subscription, the most that it may have, need 7 a second. How many are
/// under way at once is bounded by how many accounts are probed at once: a region whose reads hang must not take the
/// places of another.
pub const MEDIA_READS: Pace = Pace {
    per_second: 14,
    burst: 140,
    at_once: 1_000,
    at_once_overall: 1_000,
};

/// Reading more of them, now and then: the account itself, its jobs.
pub const MEDIA_EXTRAS: Pace = Pace {
    per_second: 4,
    burst: 40,
    at_once: 1_000,
    at_once_overall: 1_000,
};

/// Starting and stopping what streams: what minting leaves of a bucket's refill, and a burst for as many groups as
/// move at once.
pub const ACTIONS: Pace = Pace {
    per_second: 2,
    burst: 50,
    at_once: 25,
    at_once_overall: 100,
};

/// The same on one account, where one thing after the other is started.
pub const ACTIONS_ON_ACCOUNT: Pace = Pace {
    per_second: 1,
    burst: 10,
    at_once: 5,
    at_once_overall: 100,
};

/// Looking at what is being started, while moves last.
pub const LOOKS: Pace = Pace {
    per_second: 12,
    burst: 100,
    at_once: 25,
    at_once_overall: 100,
};

/// Gives turns, in the order of asking.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    overall: Arc<Semaphore>,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

#[derive(Debug)]
struct Lane {
    places: Arc<Semaphore>,
    /// When the bucket would be full again, had nothing else come.
    full_at: Mutex<Instant>,
}

/// A turn: while it is held, it counts as under way.
#[derive(Debug)]
pub struct Turn {
    _lane: Option<OwnedSemaphorePermit>,
    _overall: Option<OwnedSemaphorePermit>,
}

impl Pacer {
    /// A pacer with full buckets.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            overall: Arc::new(Semaphore::new(pace.at_once_overall)),
            lanes: Mutex::new(HashMap::new()),
        }
    }

    /// Waits for a turn.
    pub async fn turn(&self, subscription: &str) -> Turn {
        let lane = self.lane(subscription);
        // The semaphores are never closed; without a permit we would only be less polite.
        let place = Arc::clone(&lane.places).acquire_owned().await.ok();
        let wait = lane.take(self.pace);
        tokio::time::sleep_until(wait).await;
        let overall = Arc::clone(&self.overall).acquire_owned().await.ok();
        Turn {
            _lane: place,
            _overall: overall,
        }
    }

    /// A turn if one comes within this time. One that would come later is not taken, and left to others.
    pub async fn turn_within(&self, subscription: &str, limit: Duration) -> Option<Turn> {
        let until = Instant::now() + limit;
        let lane = self.lane(subscription);
        let place = Arc::clone(&lane.places).acquire_owned();
        let place = tokio::time::timeout_at(until, place).await.ok()?.ok();
        let wait = lane.take_until(self.pace, until)?;
        tokio::time::sleep_until(wait).await;
        let overall = Arc::clone(&self.overall).acquire_owned();
        let overall = tokio::time::timeout_at(until, overall).await.ok()?.ok();
        Some(Turn {
            _lane: place,
            _overall: overall,
        })
    }

    /// A turn if one is to be had at once.
    #[must_use]
    pub fn turn_now(&self, subscription: &str) -> Option<Turn> {
        let lane = self.lane(subscription);
        let place = Arc::clone(&lane.places).try_acquire_owned().ok()?;
        let overall = Arc::clone(&self.overall).try_acquire_owned().ok()?;
        lane.take_now(self.pace).then_some(Turn {
            _lane: Some(place),
            _overall: Some(overall),
        })
    }

    fn lane(&self, subscription: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes
            .entry(subscription.to_ascii_lowercase())
            .or_insert_with(|| {
                Arc::new(Lane {
                    places: Arc::new(Semaphore::new(self.pace.at_once)),
                    full_at: Mutex::new(Instant::now()),
                })
            });
        Arc::clone(lane)
    }
}

impl Lane {
    /// Takes one from the bucket and says from when on it may be used.
    fn take(&self, pace: Pace) -> Instant {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.max(Instant::now()) + pace.gap();
        *full_at = full;
        full.checked_sub(pace.depth()).unwrap_or(full)
    }

    fn take_now(&self, pace: Pace) -> bool {
        self.take_until(pace, Instant::now()).is_some()
    }

    /// Takes one from the bucket if it may be used by then, and says from when on.
    fn take_until(&self, pace: Pace, until: Instant) -> Option<Instant> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.max(Instant::now()) + pace.gap();
        let usable = full.checked_sub(pace.depth()).unwrap_or(full);
        if usable > until {
            return None;
        }
        *full_at = full;
        Some(usable)
    }
}

impl Pace {
    fn gap(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }

    fn depth(self) -> Duration {
        self.gap() * self.burst.max(1)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    const PACE: Pace = Pace {
        per_second: 10,
        burst: 20,
        at_once: 1000,
        at_once_overall: 1000,
    };

    async fn all_turns(pacer: &Pacer, subscriptions: &[&str], each: usize) -> Duration {
        let begun = Instant::now();
        let asked = subscriptions
            .iter()
            .flat_map(|subscription| std::iter::repeat_n(*subscription, each));
        join_all(asked.map(|subscription| pacer.turn(subscription))).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_waits_its_turn() {
        let pacer = Pacer::new(PACE);
        assert!(all_turns(&pacer, &["one"], 20).await < Duration::from_millis(10));
        let took = all_turns(&pacer, &["one"], 100).await;
        assert!(took >= Duration::from_secs(9) && took <= Duration::from_secs(11));
    }

    #[tokio::test(start_paused = true)]
    async fn subscriptions_do_not_wait_for_each_other_and_case_makes_no_other() {
        let pacer = Pacer::new(PACE);
        assert!(all_turns(&pacer, &["one", "two", "three"], 20).await < Duration::from_millis(10));
        assert!(pacer.turn_now("ONE").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_under_way_than_allowed() {
        let pacer = Pacer::new(Pace {
            at_once: 2,
            at_once_overall: 3,
            ..PACE
        });
        let held = [pacer.turn_now("one"), pacer.turn_now("one")];
        assert!(held.iter().all(Option::is_some));
        assert!(pacer.turn_now("one").is_none(), "the lane is full");
        let third = pacer.turn_now("two");
        assert!(third.is_some());
        assert!(pacer.turn_now("three").is_none(), "all lanes are full");
        drop(third);
        assert!(pacer.turn_now("three").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_would_come_too_late_is_left_to_others() {
        let pacer = Pacer::new(PACE);
        all_turns(&pacer, &["one"], 20).await;
        let second = Duration::from_secs(1);
        let asked = (0..100).map(|_| pacer.turn_within("one", second));
        let got = join_all(asked).await.into_iter().flatten().count();
        assert_eq!(got, 10, "as many as a second brings");
        let next = pacer.turn_within("one", second).await;
        assert!(next.is_some(), "those that gave up took nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn the_bucket_fills_up_again() {
        let pacer = Pacer::new(PACE);
        all_turns(&pacer, &["one"], 20).await;
        assert!(pacer.turn_now("one").is_none());
        tokio::time::advance(Duration::from_millis(150)).await;
        assert!(pacer.turn_now("one").is_some());
        assert!(pacer.turn_now("one").is_none());
    }
}
