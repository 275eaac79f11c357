//! What tests and the demo do to Media Services accounts of a running simulator, and see of them.

use std::time::Duration;

use jiff::Timestamp;

use super::super::{Kind, Simulator, State};
use super::account::{MediaAccount, ResourceState};
use super::jobs::Job;
use super::ledger::{Family, OperationStatus, Part};

/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(5);

/// One long-running operation that was begun.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationLine {
    /// When it was begun.
    pub at: Timestamp,
    /// The account's name.
    pub account: String,
    /// What was started or stopped: `streamingEndpoints/default`.
    pub part: String,
    /// `start`, `stop` or `allocate`.
    pub action: &'static str,
    /// How it stands.
    pub status: OperationStatus,
}

/// A streaming endpoint or live event as the panel shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct PartLine {
    pub(in super::super) account: String,
    pub(in super::super) region: String,
    pub(in super::super) part: String,
    pub(in super::super) state: ResourceState,
}

/// `streamingEndpoints/default`, read.
fn part(text: &str) -> Option<Part> {
    let (family, name) = text.split_once('/')?;
    let family = Family::ALL
        .into_iter()
        .find(|each| each.as_str().eq_ignore_ascii_case(family))?;
    Some(Part::new(family, name))
}

impl State {
    fn media_number(&self, name: &str) -> Option<usize> {
        let mut accounts = self.world.media.iter();
        accounts.position(|account| account.name.eq_ignore_ascii_case(name))
    }

    /// Every streaming endpoint and live event.
    pub(in super::super) fn media_parts(&self) -> Vec<PartLine> {
        let books = self.media.open();
        let line = |number: usize, account: &MediaAccount, part: &Part| {
            books.held(number, part).map(|held| PartLine {
                account: account.name.clone(),
                region: account.region.clone(),
                part: part.to_string(),
                state: held.state,
            })
        };
        let accounts = self.world.media.iter().enumerate();
        accounts
            .flat_map(|(number, account)| {
                let parts = account.parts();
                let parts = parts.map(|(family, name, _)| Part::new(family, name));
                parts
                    .filter_map(|part| line(number, account, &part))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// The latest operations, oldest first, at most this many.
    pub(in super::super) fn operation_lines(&self, most: usize) -> Vec<OperationLine> {
        let books = self.media.open();
        let skip = books.operations.len().saturating_sub(most);
        let operations = books.operations.iter().skip(skip);
        operations
            .map(|operation| OperationLine {
                at: operation.begun,
                account: self
                    .world
                    .media
                    .get(operation.account)
                    .map_or_else(String::new, |account| account.name.clone()),
                part: operation.part.to_string(),
                action: operation.action.as_str(),
                status: operation.status,
            })
            .collect()
    }
}

impl Simulator {
    /// MK.IO's base URL, without a slash at the end.
    #[must_use]
    pub fn mkio_base(&self) -> String {
        format!("{}/mkio", self.base_url())
    }

    /// The token that MK.IO takes here.
    #[must_use]
    pub fn mkio_token(&self) -> &str {
        self.state.mkio_token.reveal()
    }

    /// Where a streaming host is reached, without a slash at the end. What ARM calls its name is the last
    /// segment.
    #[must_use]
    pub fn streaming_url(&self, host: &str) -> String {
        format!("{}/stream/{host}", self.base_url())
    }

    /// Where an account's content keys are, without a slash at the end. It answers 401 without a token.
    #[must_use]
    pub fn key_delivery_url(&self, account: &str) -> String {
        format!("{}/keys/{account}", self.base_url())
    }

    /// The state of `streamingEndpoints/{name}` or `liveEvents/{name}` of the account with this name.
    #[must_use]
    pub fn media_state(&self, account: &str, name: &str) -> Option<ResourceState> {
        let number = self.state.media_number(account)?;
        let held = self.state.media.open().held(number, &part(name)?)?;
        Some(held.state)
    }

    /// Makes it so, whatever goes on there: an operation under way on it is over, and has failed. Of what
    /// does not exist nothing is made.
    pub fn set_media_state(&self, account: &str, name: &str, state: ResourceState) {
        if let (Some(number), Some(part)) = (self.state.media_number(account), part(name)) {
            let mut books = self.state.media.open();
            if books.held(number, &part).is_some() {
                books.force(number, &part, state);
            }
        }
    }

    /// Waits until it is in that state; false if the time limit came first.
    pub async fn media_reached(
        &self,
        account: &str,
        name: &str,
        state: ResourceState,
        limit: Duration,
    ) -> bool {
        let wait = async {
            while self.media_state(account, name) != Some(state) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    /// Every long-running operation that was begun, oldest first. A call that found nothing to do, or was
    /// refused, began none.
    #[must_use]
    pub fn operations(&self) -> Vec<OperationLine> {
        self.state.operation_lines(usize::MAX)
    }

    /// How often an operation was begun on `streamingEndpoints/{name}` or `liveEvents/{name}`: `start`,
    /// `stop` or `allocate`.
    #[must_use]
    pub fn began(&self, account: &str, name: &str, action: &str) -> usize {
        let operations = self.operations().into_iter();
        operations
            .filter(|each| each.account == account && each.part == name && each.action == action)
            .count()
    }

    /// How many requests of this kind have ended for this part of the account with this name.
    #[must_use]
    pub fn count_part(&self, kind: Kind, account: &str, part: &str) -> u64 {
        self.state.tally.count_part(kind, account, part)
    }

    /// Gives a transform these jobs instead of those made up from the clock.
    pub fn set_jobs(&self, account: &str, transform: &str, jobs: Vec<Job>) {
        if let Some(number) = self.state.media_number(account) {
            let key = (number, transform.to_owned());
            self.state.media.open().jobs.insert(key, jobs);
        }
    }

    /// Viewers begin to play a streaming locator, or leave. What serves it cannot be stopped meanwhile.
    pub fn set_playing(&self, account: &str, locator: &str, playing: bool) {
        if let Some(number) = self.state.media_number(account) {
            self.state
                .media
                .open()
                .set_playing(number, locator, playing);
        }
    }

    /// Content appears under a path of an account's streaming hosts, or vanishes.
    pub fn set_content(&self, account: &str, path: &str, there: bool) {
        if let Some(number) = self.state.media_number(account) {
            self.state.media.open().set_content(number, path, there);
        }
    }
}
