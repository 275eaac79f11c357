//! Tokens of this deployment's own identity: one per audience, kept to its expiry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::credential::Source;
use super::keeper::{Clock, Fetch, Got, Keeper};
use crate::model::secret::Secret;

pub use super::keeper::Token;
pub use super::lack::IdentityError;

/// This deployment's identity. Clones share their tokens.
#[derive(Debug, Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    source: Source,
    clock: Clock,
    /// One per scope; a deployment uses two or three.
    keepers: Mutex<HashMap<String, Arc<Keeper<IdentityError>>>>,
}

impl Identity {
    /// Chooses the credential from the settings; touches no network. Managed identity where `IDENTITY_ENDPOINT` is
    /// set (user-assigned by `AZURE_CLIENT_ID`), else `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and
    /// `AZURE_CLIENT_SECRET`, else the login of the Azure CLI.
    #[must_use]
    pub fn from_settings(http: &reqwest::Client, setting: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::with_clock(http, setting, Clock::default())
    }

    /// The same, with a clock of one's own.
    #[must_use]
    pub fn with_clock(
        http: &reqwest::Client,
        setting: &dyn Fn(&str) -> Option<String>,
        clock: Clock,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                http: http.clone(),
                source: Source::choose(setting),
                clock,
                keepers: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// A token for this scope, for example `https://storage.azure.com/.default`. A good one is given from memory;
    /// otherwise the answer comes within ten seconds (with the Azure CLI: thirty).
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn token(&self, scope: &str) -> Result<Token, IdentityError> {
        self.get(scope).await.map(|got| got.held.token)
    }

    /// The same, and whether it was fetched just now.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn get(&self, scope: &str) -> Result<Got, IdentityError> {
        self.keeper(scope).get(|| self.fetch(scope)).await
    }

    /// Another token than this one, which was refused.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn instead_of(&self, scope: &str, refused: &Secret) -> Result<Got, IdentityError> {
        self.keeper(scope)
            .instead_of(refused, || self.fetch(scope))
            .await
    }

    fn fetch(&self, scope: &str) -> Fetch<IdentityError> {
        let inner = Arc::clone(&self.inner);
        let scope = scope.to_owned();
        Box::pin(async move { inner.source.fetch(&inner.http, &scope).await })
    }

    fn keeper(&self, scope: &str) -> Arc<Keeper<IdentityError>> {
        let mut keepers = self
            .inner
            .keepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let keeper = keepers
            .entry(scope.to_owned())
            .or_insert_with(|| Arc::new(Keeper::new(self.inner.clock.clone())));
        Arc::clone(keeper)
    }
}
