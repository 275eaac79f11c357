//! Probing one group: every account of every site at the same time, under the deployment's limit.

use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::OnceCell;

use super::{Controller, REQUESTS_AT_ONCE, now};
use crate::decision::reading;
use crate::model::name::AccountKey;
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, Reading, Round};
use crate::model::spec::{AccountSpec, GroupSpec};

/// The control target's answer, asked at most once per sweep, and only when something failed.
#[derive(Debug, Default)]
pub struct Control {
    failed: OnceCell<bool>,
}

impl Controller {
    /// One round of one group. With `confirm`, accounts that failed are asked once more before the
    /// round is over: an alert needs only one failed round, so that round must not be a blip.
    pub async fn round(&self, spec: &GroupSpec, control: &Control, confirm: bool) -> Round {
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
        let places = |account: &AccountSpec| account.requests_at_once();
        let all: usize = accounts.iter().map(|(_, _, account)| places(account)).sum();
        let all = u32::try_from(all.clamp(1, REQUESTS_AT_ONCE)).unwrap_or(1);
        // The semaphore is never closed, so a permit always comes; without one we would only be less
        // polite.
        let mut permit = Arc::clone(&self.probes).acquire_many_owned(all).await.ok();

        let started_at = now();
        let readings = join_all(accounts.iter().map(|(key, region, account)| {
            // An account that answers gives its places back at once, so that those of a region that hangs take
            // no more than their own.
            let places = permit
                .as_mut()
                .and_then(|permit| permit.split(places(account)));
            let asking = self.ask(key, region, account, &spec.policy, confirm);
            async move {
                let _places = places;
                asking.await
            }
        }))
        .await;
        let mut round = Round {
            started_at,
            asked_twice: confirm,
            control_failed: None,
            readings: readings.into_iter().collect(),
        };
        self.call_witnesses(&mut round, &accounts).await;
        if let Some(target) = &self.deployment.control_target {
            let any_failed = reading::judge(&round)
                .values()
                .any(|(outcome, _)| *outcome == Outcome::Failed);
            if any_failed {
                let ask = || self.prober.control_failed(target, &spec.policy);
                round.control_failed = Some(*control.failed.get_or_init(ask).await);
            }
        }
        round
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
