//! What a step is about: which thing, at which URL, with which token, in which state it wants it.

use crate::model::media::ResourceKind;
use crate::model::moves::{Stage, Step};
use crate::model::name::{AccountKey, Service};
use crate::model::secret::Secret;
use crate::model::spec::{AccountSpec, GroupSpec, MediaKind, MediaServicesSpec};

/// The built-in role that may start and stop it, besides Contributor and Owner.
const fn role(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::StreamingEndpoint => "Media Services Streaming Endpoints Administrator",
        ResourceKind::LiveEvent => "Media Services Live Events Administrator",
    }
}

/// How its API is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// With a token of our identity for this scope.
    Identity(String),
    /// With this token.
    Bearer(Secret),
}

/// What an outside state means to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// It is as the step wants it.
    There,
    /// Something is under way; what comes of it is not ours to hurry.
    Passing,
    /// It has to be asked for.
    Off,
    /// It is going away, or already has, and so cannot be started. To be stopped it need not exist: nothing that is
    /// gone bills.
    Gone,
}

/// What a step is about.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) stage: Stage,
    pub(super) access: Access,
    /// The thing as people call it.
    pub(super) resource: String,
    /// What its requests are counted by.
    pub(super) subscription: String,
    pub(super) account: String,
    /// Where its state is read.
    pub(super) state_url: String,
    /// Where it is asked for.
    pub(super) action_url: String,
    kind: ResourceKind,
}

impl Target {
    /// What this step is about; `None` where there is nothing to be done.
    pub(super) fn of(spec: &GroupSpec, step: &Step) -> Result<Option<Self>, String> {
        let key = &step.account;
        match key.service {
            Service::VideoIndexer | Service::Http => return Ok(None),
            Service::MediaServices => {}
        }
        let media = media(spec, key).ok_or_else(|| {
            format!("{key} is no longer configured: bring it back, or order another move")
        })?;
        let resource = &step.resource;
        let (kind, name) = ResourceKind::split(resource)
            .ok_or_else(|| format!("`{resource}` is nothing that can be started or stopped"))?;
        let access = match (media.kind, &media.token) {
            (MediaKind::Azure, _) => {
                Access::Identity(crate::adapters::azure::arm::scope(&media.arm_base))
            }
            (MediaKind::Mkio, Some(token)) => Access::Bearer(token.clone()),
            (MediaKind::Mkio, None) => {
                return Err(format!("{key} has no token: set the app setting it names"));
            }
        };
        Ok(Some(Self {
            stage: step.stage,
            access,
            resource: resource.clone(),
            subscription: media.subscription().to_owned(),
            account: media.url(),
            kind,
            state_url: media.resource_url(kind, name, ""),
            action_url: media.resource_url(kind, name, &format!("/{}", step.stage.verb())),
        }))
    }

    /// What is to be done about a refusal of the token or the role.
    pub(super) fn what_to_grant(&self) -> String {
        match self.access {
            Access::Identity(_) => format!(
                "give the identity the role {} (or Contributor) on the account",
                role(self.kind)
            ),
            Access::Bearer(_) => "put a valid token into the app setting".to_owned(),
        }
    }

    /// What this state means.
    pub(super) fn judge(&self, state: &str) -> Reached {
        let is = |words: &[&str]| words.iter().any(|word| state.eq_ignore_ascii_case(word));
        match self.stage {
            Stage::Activate if is(&["Running"]) => Reached::There,
            Stage::Retire if is(&["Stopped", "Deleting", "Deleted"]) => Reached::There,
            _ if is(&["Deleting", "Deleted"]) => Reached::Gone,
            _ if is(&["Starting", "Stopping", "Allocating", "Scaling"]) => Reached::Passing,
            // Also a state that is new to us: asking shows what it is worth.
            _ => Reached::Off,
        }
    }
}

fn media<'a>(spec: &'a GroupSpec, key: &AccountKey) -> Option<&'a MediaServicesSpec> {
    let site = spec.site(&key.site)?;
    site.accounts.iter().find_map(|account| match account {
        AccountSpec::MediaServices(media) if media.account_name == key.name => Some(media),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(stage: Stage) -> Target {
        Target {
            stage,
            access: Access::Bearer(Secret::new("t")),
            resource: "live event studio".to_owned(),
            subscription: String::new(),
            account: String::new(),
            state_url: String::new(),
            action_url: String::new(),
            kind: ResourceKind::LiveEvent,
        }
    }

    #[test]
    fn states_mean_different_things_to_a_start_and_a_stop() {
        use Reached::{Gone, Off, Passing, There};
        for (state, to_start, to_stop) in [
            ("Running", There, Off),
            ("Stopped", Off, There),
            ("StandBy", Off, Off),
            ("Starting", Passing, Passing),
            ("stopping", Passing, Passing),
            ("Allocating", Passing, Passing),
            ("Scaling", Passing, Passing),
            ("Deleting", Gone, There),
            ("Deleted", Gone, There),
            ("SomethingNew", Off, Off),
        ] {
            assert_eq!(target(Stage::Activate).judge(state), to_start, "{state}");
            assert_eq!(target(Stage::Retire).judge(state), to_stop, "{state}");
        }
    }
}
