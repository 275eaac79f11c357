//! A stand-in for the parts of Azure that Understudy uses, over real HTTP.
//!
//! One listener serves the managed identity endpoint (`/msi/token`), ARM (`/arm`), Video Indexer's data
//! plane (`/vi`), MK.IO (`/mkio`), streaming hosts (`/stream/{host}`), content keys (`/keys/{account}`), plain
//! endpoints (`/http/{region}/{name}`), a neutral control target (`/control`) and the panel with which people
//! break and mend things (`/sim`).

mod arm;
mod board;
mod call;
pub mod config;
mod faults;
mod http;
mod identity;
mod line;
mod media;
mod overview;
mod panel;
mod serve;
mod tally;
mod token;
mod video_indexer;
mod videos;
pub mod world;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::model::secret::Secret;

pub use self::board::FaultLine;
pub use self::call::Kind;
pub use self::faults::{Fault, Scope, Service};
pub use self::media::{
    Job, JobState, LiveEvent, MediaAccount, MediaKind, OperationLine, OperationStatus,
    ResourceState, StreamingEndpoint, StreamingLocator,
};
pub use self::tally::{CountLine, Seen};
pub use self::videos::{Video, VideoState};
pub use self::world::{HttpEndpoint, RateLimits, Region, VideoIndexerAccount, World};

/// What every request handler shares.
#[derive(Debug)]
struct State {
    world: World,
    index: world::Index,
    identity_header: Secret,
    mkio_token: Secret,
    identity: token::Issuer,
    accounts: token::Issuer,
    media: media::Ledger,
    board: board::Board,
    tally: tally::Tally,
    meter: video_indexer::Meter,
    videos: Mutex<HashMap<String, Vec<Video>>>,
    over: CancellationToken,
    base_url: String,
}

impl State {
    fn has_region(&self, name: &str) -> bool {
        let name = world::normal(name);
        self.world.regions.iter().any(|region| region.name == name)
    }

    fn videos_of(
        &self,
        account: &VideoIndexerAccount,
        now: Timestamp,
        stuck_since: Option<Timestamp>,
    ) -> Vec<Video> {
        let set = self.videos.lock().unwrap_or_else(PoisonError::into_inner);
        set.get(&account.name)
            .cloned()
            .unwrap_or_else(|| videos::of(account, now, stuck_since))
    }

    /// A region goes out: its services do not answer, and ARM says that it cannot reach them.
    fn break_region(&self, region: &str) {
        let scope = Scope::region(region);
        for service in Service::REGIONAL {
            let fault = match service {
                Service::Arm => Fault::Error(504),
                _ => Fault::Down,
            };
            self.board.set(service, scope.clone(), fault, None);
        }
    }

    fn mend_region(&self, region: &str) -> usize {
        let region = world::normal(region);
        self.mend(|_, scope| scope.region_name() == Some(region.as_str()))
    }

    /// Takes away faults, and lets go of the operations that hang because of them.
    fn mend(&self, accept: impl Fn(Service, &Scope) -> bool) -> usize {
        // In this order: an operation that is begun in between no longer hangs.
        let mended = self.board.mend(&accept);
        let released = self
            .media
            .release(|scope| accept(Service::MediaServices, scope));
        mended.max(released)
    }
}

/// The instant this long after another; the other itself where time ends.
fn later(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| now.checked_add(by).ok())
        .unwrap_or(now)
}

/// A running simulator. It ends when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    state: Arc<State>,
    port: u16,
    task: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Serves this world on `127.0.0.1` at this port; 0 takes a free one. Must be called within a Tokio
    /// runtime, on which it runs.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(world: World, port: u16) -> io::Result<Self> {
        let lines = line::Lines::bind(port)?;
        let port = lines.port()?;
        let state = Arc::new(State {
            index: world::Index::new(&world),
            media: media::Ledger::new(&world.media),
            world,
            identity_header: Secret::new(uuid::Uuid::new_v4().to_string()),
            mkio_token: Secret::new(format!("mkio-{}", uuid::Uuid::new_v4())),
            identity: token::Issuer::new(),
            accounts: token::Issuer::new(),
            board: board::Board::new(),
            tally: tally::Tally::new(),
            meter: video_indexer::Meter::default(),
            videos: Mutex::new(HashMap::new()),
            over: CancellationToken::new(),
            base_url: format!("http://127.0.0.1:{port}"),
        });
        let task = tokio::spawn(serve::run(lines, Arc::clone(&state)));
        Ok(Self {
            state,
            port,
            task: Some(task),
        })
    }

    /// Where it listens, without a slash at the end: `http://127.0.0.1:7072`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.state.base_url
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// ARM's base URL, without a slash at the end.
    #[must_use]
    pub fn arm_base(&self) -> String {
        format!("{}/arm", self.base_url())
    }

    /// The data plane's base URL, without a slash at the end.
    #[must_use]
    pub fn api_base(&self) -> String {
        format!("{}/vi", self.base_url())
    }

    /// The URL of the neutral control target.
    #[must_use]
    pub fn control_target(&self) -> String {
        format!("{}/control", self.base_url())
    }

    /// What it serves.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.state.world
    }

    /// The environment in which a handler finds its managed identity here, and the token of MK.IO where the
    /// world has projects of it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![
            (
                "IDENTITY_ENDPOINT".to_owned(),
                format!("{}/msi/token", self.base_url()),
            ),
            (
                "IDENTITY_HEADER".to_owned(),
                self.state.identity_header.reveal().to_owned(),
            ),
        ];
        let mut accounts = self.world().media.iter();
        if accounts.any(|account| account.kind == MediaKind::Mkio) {
            let token = self.mkio_token().to_owned();
            environment.push((config::MKIO_TOKEN.to_owned(), token));
        }
        environment
    }

    /// Sets a fault until it is mended. A scope that names nothing in this world does nothing.
    pub fn set(&self, service: Service, scope: Scope, fault: Fault) {
        self.state.board.set(service, scope, fault, None);
    }

    /// Sets a fault for the next so many requests; `Unending` and `Failing` for the next so many operations.
    /// `Slow` and `Stuck` last until mended all the same.
    pub fn set_times(&self, service: Service, scope: Scope, fault: Fault, times: u32) {
        if times > 0 {
            self.state.board.set(service, scope, fault, Some(times));
        }
    }

    /// Takes away all faults of a service at exactly this scope.
    pub fn mend(&self, service: Service, scope: &Scope) {
        self.state
            .mend(|each, place| each == service && place == scope);
    }

    /// A region goes out: its data planes, hosts and endpoints close connections, ARM answers 504 for its
    /// accounts.
    pub fn break_region(&self, region: &str) {
        self.state.break_region(region);
    }

    /// Takes away all faults in a region, those of single accounts too.
    pub fn mend_region(&self, region: &str) {
        self.state.mend_region(region);
    }

    /// Takes away all faults.
    pub fn mend_all(&self) {
        self.state.mend(|_, _| true);
    }

    /// The faults that are set.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultLine> {
        self.state.board.lines()
    }

    /// Gives an account these videos, newest first, instead of those made up from the clock.
    pub fn set_videos(&self, account_name: &str, videos: Vec<Video>) {
        self.state
            .videos
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account_name.to_owned(), videos);
    }

    /// An access token of the account with this name that expires after this time, or has expired where
    /// that is negative. `None` if there is no such account.
    #[must_use]
    pub fn account_token(&self, account_name: &str, expires_in: SignedDuration) -> Option<String> {
        let account = self
            .world()
            .accounts
            .iter()
            .find(|account| account.name == account_name)?;
        let now = Timestamp::now();
        let expires = now.checked_add(expires_in).ok()?;
        Some(arm::account_token(
            &self.state,
            account,
            "Reader",
            now,
            expires,
        ))
    }

    /// No access token of an account that was minted so far is good any longer.
    pub fn revoke_account_tokens(&self) {
        self.state.accounts.revoke();
    }

    /// No token of the identity endpoint issued so far is good any longer.
    pub fn revoke_identity_tokens(&self) {
        self.state.identity.revoke();
    }

    /// How many requests of this kind have ended.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.state.tally.count(kind, None)
    }

    /// How many requests of this kind have ended in a region.
    #[must_use]
    pub fn count_in(&self, kind: Kind, region: &str) -> u64 {
        self.state.tally.count(kind, Some(&world::normal(region)))
    }

    /// How many requests of this kind have ended for the account or endpoint of this name, in any region.
    #[must_use]
    pub fn count_of(&self, kind: Kind, name: &str) -> u64 {
        self.state.tally.count_of(kind, name)
    }

    /// Waits until so many requests of this kind have ended; false if the time limit came first.
    pub async fn reached(
        &self,
        kind: Kind,
        region: Option<&str>,
        count: u64,
        limit: Duration,
    ) -> bool {
        let region = region.map(world::normal);
        let mut ended = self.state.tally.watch();
        let wait = async {
            while self.state.tally.count(kind, region.as_deref()) < count {
                if ended.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(limit, wait).await.unwrap_or(false)
    }

    /// All counters.
    #[must_use]
    pub fn counts(&self) -> Vec<CountLine> {
        self.state.tally.lines()
    }

    /// The latest requests, oldest first, at most this many; the last 20,000 are kept.
    #[must_use]
    pub fn log(&self, most: usize) -> Vec<Seen> {
        self.state.tally.log(most)
    }

    /// Requests under way now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state.tally.in_flight()
    }

    /// The most requests that were under way at once.
    #[must_use]
    pub fn peak_in_flight(&self) -> usize {
        self.state.tally.peak()
    }

    /// Forgets counters and log.
    pub fn reset_counts(&self) {
        self.state.tally.reset();
    }

    /// Ends it and waits until its port is closed: from then on connections are refused.
    pub async fn stop(mut self) {
        self.state.over.cancel();
        if let Some(task) = self.task.take() {
            // A panic in the task has been reported already; the port is closed in any case.
            let _ = task.await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.state.over.cancel();
    }
}
