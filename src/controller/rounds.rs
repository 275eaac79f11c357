//! The rounds of a sweep: so many at once, each as soon as there is a place.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::observe::{Control, Standing};
use super::{Controller, REQUESTS_AT_ONCE};
use crate::model::name::GroupName;
use crate::model::sample::Round;
use crate::model::spec::GroupSpec;

/// Rounds as they end. Those under way end with it.
pub(super) struct Rounds {
    ended: mpsc::UnboundedReceiver<(GroupName, Round)>,
    _asking: AbortOnDropHandle<()>,
}

impl Rounds {
    /// What comes in before `until`, and whether that was all. A round that panicked counts as not covered.
    pub(super) async fn collect(&mut self, until: Instant) -> (BTreeMap<GroupName, Round>, bool) {
        let mut wave = BTreeMap::new();
        loop {
            match tokio::time::timeout_at(until, self.ended.recv()).await {
                Ok(Some((group, round))) => {
                    wave.insert(group, round);
                }
                Ok(None) => return (wave, true),
                Err(_) => return (wave, false),
            }
        }
    }
}

impl Controller {
    /// Rounds that begin as places come free: what waits for its turn is a name, and no task. They go on while
    /// a wave is folded and decided on.
    pub(super) fn rounds(self: &Arc<Self>, due: Vec<(Arc<GroupSpec>, Standing)>) -> Rounds {
        let controller = Arc::clone(self);
        let control = Arc::new(Control::default());
        let (ended, rounds) = mpsc::unbounded_channel();
        let mut asking = stream::iter(due)
            .map(move |(spec, standing)| {
                let (controller, control) = (Arc::clone(&controller), Arc::clone(&control));
                // A task each, so that all cores take part and a panic ends one round only.
                AbortOnDropHandle::new(tokio::spawn(async move {
                    let round = controller.round(&spec, &control, &standing).await;
                    (spec.name.clone(), round)
                }))
            })
            .buffer_unordered(REQUESTS_AT_ONCE);
        let asking = tokio::spawn(async move {
            while let Some(joined) = asking.next().await {
                match joined {
                    Ok(round) => {
                        let _ = ended.send(round);
                    }
                    Err(error) => tracing::error!("a round was lost: {error}"),
                }
            }
        });
        Rounds {
            ended: rounds,
            _asking: AbortOnDropHandle::new(asking),
        }
    }
}
