//! A Video Indexer account's own token, minted through ARM: one per account, kept to its expiry, also while ARM is
//! down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::arm::{Arm, ArmError};
use super::keeper::{Clock, Fetch, FetchLost, Got, Held, Keeper, Token};
use super::pace::{MINTS, Pace, Pacer};
use crate::model::sample::TokenFact;
use crate::model::secret::Secret;
use crate::model::spec::VideoIndexerSpec;

/// How long a token lives whose own `exp` cannot be read: the fixed lifetime of cloud accounts.
const USUAL_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The longest lifetime that is believed: the most that any flavour of the service grants.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(12);

/// A token that was refused when it was new is not replaced again for this long: another would be refused as well,
/// and a mint in every round for every account that refuses us would use up what ARM grants.
const REFUSED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// How long a renewal may take, from asking to having it.
const RENEWAL_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoToken {
    /// ARM, or our identity's endpoint, failed or did not answer.
    Unavailable(String),
    /// ARM is asked too often, or this account's turn to be minted for has not come yet.
    Waiting(String),
    /// ARM, or our identity's endpoint, refused: a person must mend something.
    Denied(String),
    /// ARM knows no such account.
    Missing(String),
}

impl From<FetchLost> for ArmError {
    fn from(_: FetchLost) -> Self {
        Self::Unavailable("this process is shutting down".to_owned())
    }
}

impl From<ArmError> for NoToken {
    fn from(error: ArmError) -> Self {
        match error {
            ArmError::Unavailable(line) => Self::Unavailable(line),
            ArmError::Throttled(line) => Self::Waiting(line),
            ArmError::Denied(line) => Self::Denied(line),
            ArmError::Missing(line) => Self::Missing(line),
        }
    }
}

/// The tokens of all accounts. Clones share them.
#[derive(Debug, Clone)]
pub struct AccountTokens {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    arm: Arm,
    clock: Clock,
    pacer: Pacer,
    /// By ARM's base and resource id. An account that is configured no more leaves a few hundred bytes.
    entries: Mutex<HashMap<String, Arc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    keeper: Keeper<ArmError>,
    asking: Mutex<Asking>,
}

#[derive(Debug, Default)]
struct Asking {
    /// When the request that is under way began.
    begun_at: Option<Timestamp>,
    /// The first failed attempt since ARM last answered.
    failing_since: Option<Timestamp>,
    /// A token that was refused when it was new, and when that was.
    refused: Option<(Secret, Timestamp)>,
}

impl AccountTokens {
    /// Tokens minted through this ARM at the usual pace.
    #[must_use]
    pub fn new(arm: Arm, clock: Clock) -> Self {
        Self::with_pace(arm, clock, MINTS)
    }

    /// The same at another pace.
    #[must_use]
    pub fn with_pace(arm: Arm, clock: Clock, pace: Pace) -> Self {
        Self {
            inner: Arc::new(Inner {
                arm,
                clock,
                pacer: Pacer::new(pace),
                entries: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// The account's token, from memory or minted. A mint that takes longer than `limit` goes on in the background.
    ///
    /// # Errors
    /// When there is none within that time.
    pub async fn get(&self, spec: &VideoIndexerSpec, limit: Duration) -> Result<Got, NoToken> {
        let entry = self.entry(spec);
        let asked = entry.keeper.get(|| self.mint(spec, &entry));
        self.within(limit, &entry, asked).await
    }

    /// Another token than this one from memory, which was refused.
    ///
    /// # Errors
    /// When there is none within that time.
    pub async fn instead_of(
        &self,
        spec: &VideoIndexerSpec,
        refused: &Secret,
        limit: Duration,
    ) -> Result<Got, NoToken> {
        let entry = self.entry(spec);
        let asked = entry.keeper.instead_of(refused, || self.mint(spec, &entry));
        self.within(limit, &entry, asked).await
    }

    /// Drops a token that the account does not know any more.
    pub fn forget(&self, spec: &VideoIndexerSpec, refused: &Secret) {
        self.entry(spec).keeper.forget(refused);
    }

    /// Notes that this token was refused although it was new.
    pub fn note_refused(&self, spec: &VideoIndexerSpec, refused: &Secret) {
        let now = self.inner.clock.now();
        self.entry(spec).asking().refused = Some((refused.clone(), now));
    }

    /// Whether this token was refused when it was new, not long ago.
    #[must_use]
    pub fn was_refused(&self, spec: &VideoIndexerSpec, token: &Secret) -> bool {
        let now = self.inner.clock.now();
        self.entry(spec)
            .asking()
            .refused
            .as_ref()
            .is_some_and(|(known, at)| known == token && now.duration_since(*at) < REFUSED_FOR)
    }

    /// Mints anew, whatever is in memory, and says what came of it. What is in memory stays good.
    pub async fn renew(&self, spec: &VideoIndexerSpec) -> TokenFact {
        let entry = self.entry(spec);
        let asked = entry.keeper.renew(|| self.mint(spec, &entry));
        match self.within(RENEWAL_LIMIT, &entry, asked).await {
            Ok(got) => held_fact(spec, &got.held),
            Err(no_token @ NoToken::Unavailable(_)) => self.fact(spec, &no_token),
            Err(no_token) => match entry.keeper.held() {
                Some(held) => held_fact(spec, &held),
                None => self.fact(spec, &no_token),
            },
        }
    }

    /// What a reading says of an account without a token.
    #[must_use]
    pub fn fact(&self, spec: &VideoIndexerSpec, no_token: &NoToken) -> TokenFact {
        match no_token {
            NoToken::Unavailable(_) => {
                let asking = self.entry(spec);
                let asking = asking.asking();
                TokenFact::Unavailable {
                    since: asking
                        .failing_since
                        .or(asking.begun_at)
                        .unwrap_or_else(|| self.inner.clock.now()),
                    issuer: spec.arm_base.clone(),
                }
            }
            NoToken::Waiting(_) | NoToken::Denied(_) | NoToken::Missing(_) => TokenFact::Absent,
        }
    }

    async fn within(
        &self,
        limit: Duration,
        entry: &Entry,
        asked: impl Future<Output = Result<Got, ArmError>>,
    ) -> Result<Got, NoToken> {
        if let Ok(outcome) = tokio::time::timeout(limit, asked).await {
            return outcome.map_err(NoToken::from);
        }
        let asking = entry.asking();
        // A request that was sent only now has not failed: its turn came late.
        let half = SignedDuration::try_from(limit / 2).unwrap_or(SignedDuration::ZERO);
        let is_slow = asking
            .begun_at
            .is_some_and(|begun| self.inner.clock.now().duration_since(begun) >= half);
        if is_slow || asking.failing_since.is_some() {
            return Err(NoToken::Unavailable(
                "ARM has not answered yet when asked for a token".to_owned(),
            ));
        }
        Err(NoToken::Waiting(
            "waiting for its turn to mint a token".to_owned(),
        ))
    }

    fn mint(&self, spec: &VideoIndexerSpec, entry: &Arc<Entry>) -> Fetch<ArmError> {
        let inner = Arc::clone(&self.inner);
        let entry = Arc::clone(entry);
        let spec = spec.clone();
        Box::pin(async move {
            let _turn = inner.pacer.turn(&spec.subscription_id).await;
            let begun_at = inner.clock.now();
            entry.asking().begun_at = Some(begun_at);
            let minted = inner.arm.generate_access_token(&spec).await;
            let mut asking = entry.asking();
            asking.begun_at = None;
            asking.failing_since = match &minted {
                Err(ArmError::Unavailable(_)) => asking.failing_since.or(Some(begun_at)),
                _ => None,
            };
            drop(asking);
            minted.map(|secret| Token {
                expires_at: expiry(&secret, begun_at),
                secret,
            })
        })
    }

    fn entry(&self, spec: &VideoIndexerSpec) -> Arc<Entry> {
        let key = format!("{}{}", spec.arm_base, spec.resource_id()).to_ascii_lowercase();
        let mut entries = self
            .inner
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(key).or_insert_with(|| {
            Arc::new(Entry {
                keeper: Keeper::new(self.inner.clock.clone()),
                asking: Mutex::new(Asking::default()),
            })
        });
        Arc::clone(entry)
    }
}

impl Entry {
    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reading says of an account whose token is held.
#[must_use]
pub fn held_fact(spec: &VideoIndexerSpec, held: &Held) -> TokenFact {
    TokenFact::Held {
        minted_at: held.minted_at,
        issuer: spec.arm_base.clone(),
    }
}

/// ARM's answer does not say until when the token is good. The token itself does, if it is a JSON Web Token; a
/// claim that makes no sense is not believed.
fn expiry(token: &Secret, minted_at: Timestamp) -> Timestamp {
    claimed_expiry(token)
        .filter(|exp| *exp > minted_at && exp.duration_since(minted_at) <= LONGEST_LIFE)
        .unwrap_or(minted_at + USUAL_LIFE)
}

fn claimed_expiry(token: &Secret) -> Option<Timestamp> {
    let payload = token.reveal().split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_the_tokens_own_where_it_makes_sense() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let jwt = |claims: &str| Secret::new(format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims)));
        let seconds = |token: &Secret| expiry(token, now).duration_since(now).as_secs();
        assert_eq!(seconds(&jwt(r#"{"exp":1700000900}"#)), 900);
        let an_hour = [
            jwt(r#"{"exp":1699999999}"#),
            jwt(r#"{"exp":1700990000}"#),
            jwt(r#"{"exp":"soon"}"#),
            jwt("[]"),
            Secret::new("opaque"),
            Secret::new("a.%%%.c"),
        ];
        for token in &an_hour {
            assert_eq!(seconds(token), 3600);
        }
    }
}
