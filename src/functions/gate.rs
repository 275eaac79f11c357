//! The gate: the port is open at once, everything but `GET /` waits until the app is put together.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::fault::Fault;
use crate::controller::Controller;
use crate::controller::wellbeing::Wellbeing;

/// A request waits this long for the app; the host itself gives up after 30 s.
const PATIENCE: Duration = Duration::from_secs(25);
/// The app's own health is public: however often it is asked, the store is asked once in this time.
const WELLBEING_FRESH_FOR: Duration = Duration::from_secs(1);

/// What the doors need.
#[derive(Debug)]
pub struct App {
    /// Answers every question.
    pub controller: Arc<Controller>,
    /// Whether the platform's authenticated principal is believed.
    pub trust_principal: bool,
    wellbeing: Mutex<Option<(Instant, Wellbeing)>>,
}

impl App {
    /// An app over this controller.
    #[must_use]
    pub fn new(controller: Arc<Controller>, trust_principal: bool) -> Self {
        Self {
            controller,
            trust_principal,
            wellbeing: Mutex::new(None),
        }
    }

    /// Is the app well, as of a second ago at most.
    pub async fn wellbeing(&self) -> Wellbeing {
        let mut known = self.wellbeing.lock().await;
        if let Some((at, wellbeing)) = known.as_ref()
            && at.elapsed() < WELLBEING_FRESH_FOR
        {
            return wellbeing.clone();
        }
        let wellbeing = self.controller.wellbeing().await;
        *known = Some((Instant::now(), wellbeing.clone()));
        wellbeing
    }
}

/// Opens the gate.
#[derive(Debug)]
pub struct Key(watch::Sender<Option<Arc<App>>>);

impl Key {
    /// Lets everyone through who waits.
    pub fn open(&self, app: Arc<App>) {
        self.0.send_replace(Some(app));
    }
}

/// Where requests wait.
#[derive(Debug, Clone)]
pub struct Gate(watch::Receiver<Option<Arc<App>>>);

impl Gate {
    /// A closed gate and its key.
    #[must_use]
    pub fn closed() -> (Self, Key) {
        let (sender, receiver) = watch::channel(None);
        (Self(receiver), Key(sender))
    }

    /// A gate that stands open.
    #[must_use]
    pub fn open(app: Arc<App>) -> Self {
        Self(watch::channel(Some(app)).1)
    }

    async fn pass(&self) -> Option<Arc<App>> {
        if let Some(app) = self.0.borrow().as_ref() {
            return Some(Arc::clone(app));
        }
        let mut receiver = self.0.clone();
        let found = tokio::time::timeout(PATIENCE, receiver.wait_for(Option::is_some)).await;
        found.ok()?.ok()?.clone()
    }
}

/// The app, once it is there.
#[derive(Debug)]
pub struct Ready(pub Arc<App>);

impl FromRequestParts<Gate> for Ready {
    type Rejection = Fault;

    async fn from_request_parts(_: &mut Parts, gate: &Gate) -> Result<Self, Fault> {
        gate.pass()
            .await
            .map(Self)
            .ok_or_else(|| Fault::store("the app is still starting: try again"))
    }
}
