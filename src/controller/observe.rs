//! Probing one group: every account of every site at the same time, under the deployment's limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::OnceCell;

use super::beat::Sweep;
use super::{Controller, REQUESTS_AT_ONCE, now};
use crate::adapters::probe::Prober;
use crate::adapters::store::StoreError;
use crate::adapters::store::heartbeat::HeartbeatRow;
use crate::decision::reading;
use crate::model::evidence::GroupEvidence;
use crate::model::name::{AccountKey, SiteName};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading, Round};
use crate::model::spec::{AccountSpec, GroupSpec};

/// A round that somebody waits for takes at most this long. A slower one leaves the evidence as it was.
const LOOK_LIMIT: Duration = Duration::from_secs(12);

/// The control target's answer, asked at most once per sweep, and only when something failed.
#[derive(Debug, Default)]
pub struct Control {
    failed: OnceCell<bool>,
}

/// How a group stands before a round.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Accounts that fail are asked once more before the round is over: an alert needs only one failed round, so
    /// that round must not be a blip.
    pub confirm: bool,
    /// The site on which everything that streams must run.
    pub must_run: Option<SiteName>,
    /// What earlier rounds saw.
    pub evidence: Option<Arc<GroupEvidence>>,
}

impl Controller {
    /// One round of one group.
    pub async fn round(&self, spec: &GroupSpec, control: &Control, standing: &Standing) -> Round {
        let accounts: Vec<(AccountKey, &str, &AccountSpec)> = spec
            .sites
            .iter()
            .flat_map(|site| {
                site.accounts
                    .iter()
                    .filter(|account| account.is_probed())
                    .map(|account| (account.key(&site.name), site.region.as_str(), account))
            })
            .collect();
        let places = |account: &AccountSpec| Prober::requests_at_once(account);
        let all: usize = accounts.iter().map(|(_, _, account)| places(account)).sum();
        let all = u32::try_from(all.clamp(1, REQUESTS_AT_ONCE)).unwrap_or(1);
        // The semaphore is never closed, so a permit always comes; without one we would only be less
        // polite.
        let mut permit = Arc::clone(&self.probes).acquire_many_owned(all).await.ok();

        for (key, _, account) in &accounts {
            let seen = (standing.evidence.as_ref()).and_then(|all| all.accounts.get(key));
            if let Some(seen) = seen {
                self.prober.recall(account, seen);
            }
        }
        let started_at = now();
        let readings = join_all(accounts.iter().map(|(key, region, account)| {
            // An account that answers gives its places back at once, so that those of a region that hangs take
            // no more than their own.
            let places = permit
                .as_mut()
                .and_then(|permit| permit.split(places(account)));
            let asking = self.ask(key, region, account, &spec.policy, standing.confirm);
            async move {
                let _places = places;
                asking.await
            }
        }))
        .await;
        let mut round = Round {
            started_at,
            asked_twice: standing.confirm,
            control_failed: None,
            must_run: standing.must_run.clone(),
            readings: readings.into_iter().collect(),
        };
        self.call_witnesses(&mut round, &accounts).await;
        if let Some(target) = &self.deployment.control_target {
            let any_failed = reading::judge(&round, &spec.policy)
                .values()
                .any(|(outcome, _)| *outcome == Outcome::Failed);
            if any_failed {
                let ask = || self.prober.control_failed(target, &spec.policy);
                round.control_failed = Some(*control.failed.get_or_init(ask).await);
            }
        }
        round
    }

    /// One round of one group that is no sweep's, folded into the heartbeat; `None` where it took too long, or
    /// others wrote the heartbeat all the time.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn look(
        &self,
        spec: &GroupSpec,
        standing: &Standing,
        heartbeat: Option<Arc<HeartbeatRow>>,
    ) -> Result<Option<Arc<HeartbeatRow>>, StoreError> {
        let control = Control::default();
        let round = self.round(spec, &control, standing);
        let Ok(round) = tokio::time::timeout(LOOK_LIMIT, round).await else {
            return Ok(None);
        };
        let rounds = BTreeMap::from([(spec.name.clone(), round)]);
        let folded = self.fold(heartbeat, &rounds, &Sweep::default()).await?;
        Ok(folded.is_current.then_some(folded.row))
    }

    async fn ask(
        &self,
        key: &AccountKey,
        region: &str,
        account: &AccountSpec,
        policy: &Policy,
        confirm: bool,
    ) -> (AccountKey, Reading) {
        let mut reading = self.prober.probe(region, account, policy).await;
        if confirm && reading.outcome == Outcome::Failed {
            reading = self.prober.probe(region, account, policy).await;
        }
        (key.clone(), reading)
    }

    /// Where one site's token cannot be minted, the other sites' tokens are renewed to see whether
    /// that is this site's fault or everyone's.
    async fn call_witnesses(
        &self,
        round: &mut Round,
        accounts: &[(AccountKey, &str, &AccountSpec)],
    ) {
        let wanted = reading::wants_witness(round);
        let facts = join_all(
            accounts
                .iter()
                .filter(|(key, _, _)| wanted.contains(key))
                .map(|(key, _, account)| async move { (key, self.prober.renew(account).await) }),
        )
        .await;
        for (key, fact) in facts {
            if let Some(reading) = round.readings.get_mut(key) {
                reading.token = fact;
            }
        }
    }
}

/// What a heartbeat tells of a group.
pub(super) fn evidence_of(
    heartbeat: Option<&HeartbeatRow>,
    spec: &GroupSpec,
) -> Option<Arc<GroupEvidence>> {
    heartbeat?.of(&spec.name).cloned()
}
