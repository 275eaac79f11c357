//! How a token is kept: to its real expiry, renewed early in the background, fetched once for all who ask.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::model::secret::Secret;

/// One token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub secret: Secret,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Renewal begins at most this long before the expiry.
const EARLY: SignedDuration = SignedDuration::from_mins(10);

/// And at most this part of its life before: an hour's token is renewed after 50 minutes, a minute's after 50
/// seconds.
const EARLY_PART: i32 = 6;

/// Between two attempts at an early renewal. The old token is good meanwhile, so there is no hurry.
const RENEW_GAP: SignedDuration = SignedDuration::from_secs(10);

/// Where the time comes from; tests put in their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks this function.
    #[must_use]
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub struct Held {
    /// The token.
    pub token: Token,
    /// When it was fetched.
    pub minted_at: Timestamp,
}

/// A token as it is handed out.
#[derive(Debug, Clone)]
pub struct Got {
    /// The token.
    pub held: Held,
    /// Whether it was fetched for this call; else it comes from memory.
    pub fresh: bool,
}

/// A fetch that ended without an outcome, because its process is shutting down.
#[derive(Debug, Clone, Copy)]
pub struct FetchLost;

/// The fetch of a token; runs to its end even if nobody waits for it any more.
pub type Fetch<E> = BoxFuture<'static, Result<Token, E>>;

type Flight<E> = watch::Receiver<Option<Result<Held, E>>>;

/// Keeps one token. No lock is held while it is fetched: whoever has a good token gets it at once.
pub struct Keeper<E> {
    clock: Clock,
    state: Arc<Mutex<State<E>>>,
}

struct State<E> {
    held: Option<Held>,
    flight: Option<Flight<E>>,
    tried_at: Option<Timestamp>,
}

impl<E> fmt::Debug for Keeper<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl<E: Clone + From<FetchLost> + Send + Sync + 'static> Keeper<E> {
    /// Keeps nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::new(Mutex::new(State {
                held: None,
                flight: None,
                tried_at: None,
            })),
        }
    }

    /// The token that is kept, if it is still good.
    #[must_use]
    pub fn held(&self) -> Option<Held> {
        self.lock().good(self.clock.now())
    }

    /// The kept token, or a new one. One that will expire soon is handed out while the next is fetched.
    ///
    /// # Errors
    /// When none is kept and the fetch failed.
    pub async fn get(&self, fetch: impl FnOnce() -> Fetch<E>) -> Result<Got, E> {
        let flight = {
            let mut state = self.lock();
            let now = self.clock.now();
            if let Some(held) = state.good(now) {
                if state.wants_renewal(&held, now) {
                    drop(self.join(&mut state, fetch));
                }
                return Ok(Got { held, fresh: false });
            }
            self.join(&mut state, fetch)
        };
        land(flight).await
    }

    /// A new token, whatever is kept. What is kept stays if the fetch fails.
    ///
    /// # Errors
    /// When the fetch failed.
    pub async fn renew(&self, fetch: impl FnOnce() -> Fetch<E>) -> Result<Got, E> {
        let flight = self.join(&mut self.lock(), fetch);
        land(flight).await
    }

    /// Another token than this one: the kept one if it has been replaced already, else a new one.
    ///
    /// # Errors
    /// When the fetch failed.
    pub async fn instead_of(
        &self,
        stale: &Secret,
        fetch: impl FnOnce() -> Fetch<E>,
    ) -> Result<Got, E> {
        let flight = {
            let mut state = self.lock();
            match state.good(self.clock.now()) {
                Some(held) if held.token.secret != *stale => {
                    return Ok(Got { held, fresh: true });
                }
                _ => self.join(&mut state, fetch),
            }
        };
        land(flight).await
    }

    /// Drops this token, if it is the one that is kept: it was refused.
    pub fn forget(&self, refused: &Secret) {
        let mut state = self.lock();
        if state
            .held
            .as_ref()
            .is_some_and(|held| held.token.secret == *refused)
        {
            state.held = None;
        }
    }

    /// The fetch that is under way, or a new one.
    fn join(&self, state: &mut State<E>, fetch: impl FnOnce() -> Fetch<E>) -> Flight<E> {
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return flight.clone();
        }
        let (arrival, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        state.tried_at = Some(self.clock.now());
        let fetch = fetch();
        let clock = self.clock.clone();
        let shared = Arc::clone(&self.state);
        tokio::spawn(async move {
            let outcome = fetch.await.map(|token| Held {
                token,
                minted_at: clock.now(),
            });
            {
                let mut state = lock(&shared);
                state.flight = None;
                if let Ok(held) = &outcome {
                    state.held = Some(held.clone());
                }
            }
            arrival.send_replace(Some(outcome));
        });
        flight
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E> State<E> {
    fn good(&self, now: Timestamp) -> Option<Held> {
        self.held.clone().filter(|held| held.token.expires_at > now)
    }

    fn wants_renewal(&self, held: &Held, now: Timestamp) -> bool {
        let life = held.token.expires_at.duration_since(held.minted_at);
        let early = EARLY.min(life / EARLY_PART);
        let is_soon = held.token.expires_at.duration_since(now) <= early;
        is_soon
            && self
                .tried_at
                .is_none_or(|tried| now.duration_since(tried) >= RENEW_GAP.min(early))
    }
}

async fn land<E: Clone + From<FetchLost>>(mut flight: Flight<E>) -> Result<Got, E> {
    let outcome = match flight.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone(),
        Err(_) => None,
    };
    match outcome {
        Some(outcome) => outcome.map(|held| Got { held, fresh: true }),
        None => Err(E::from(FetchLost)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Lost;

    impl From<FetchLost> for Lost {
        fn from(_: FetchLost) -> Self {
            Self
        }
    }

    fn fetch() -> Fetch<Lost> {
        Box::pin(async {
            Ok(Token {
                secret: Secret::new("secret"),
                expires_at: Timestamp::now() + SignedDuration::from_hours(1),
            })
        })
    }

    #[tokio::test]
    async fn a_fetch_that_breaks_is_an_error_and_the_next_one_works() {
        let keeper = Keeper::<Lost>::new(Clock::default());
        let broken = keeper
            .get(|| Box::pin(async { panic!("on purpose") }))
            .await;
        assert_eq!(broken.unwrap_err(), Lost);
        assert!(keeper.get(fetch).await.unwrap().fresh);
        assert!(!keeper.get(fetch).await.unwrap().fresh);
    }

    #[tokio::test]
    async fn a_fetch_outlives_who_asked_for_it() {
        let keeper = Keeper::<Lost>::new(Clock::default());
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let slow = keeper.get(|| {
            Box::pin(async move {
                gone.await.map_err(|_| Lost)?;
                fetch().await
            })
        });
        let asked = tokio::time::timeout(std::time::Duration::from_millis(1), slow).await;
        assert!(asked.is_err(), "the caller has given up");
        go.send(()).unwrap();
        let second = keeper.get(|| Box::pin(async { Err(Lost) })).await;
        assert!(second.is_ok(), "a second fetch was begun");
    }

    #[tokio::test]
    async fn only_the_refused_token_is_forgotten() {
        let keeper = Keeper::<Lost>::new(Clock::default());
        keeper.get(fetch).await.unwrap();
        keeper.forget(&Secret::new("another"));
        assert!(keeper.held().is_some());
        keeper.forget(&Secret::new("secret"));
        assert!(keeper.held().is_none());
    }
}
