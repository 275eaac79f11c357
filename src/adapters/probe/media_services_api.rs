//! The API of a Media Services account: one read, and what its answer amounts to. ARM's manner and MK.IO's.
//!
//! | answer | outcome |
//! | --- | --- |
//! | 200 with the service's own body | ok |
//! | 200 with anything else, broken off, a redirect, 408, 5xx, none at all | failed |
//! | 429 | throttled |
//! | 401, 403 with a token from memory | one more attempt with a new one |
//! | 401, 403 with a new token, any other 4xx | denied |
//! | 404, 410, `ResourceNotFound`, or its provider is not there any more | missing |
//! | our identity is refused a token | denied |
//! | no token could be had, and it answers any 4xx but 408 without one | unknown |
//! | none, as its URL or token cannot be sent | unknown |
//! | its turn to be read has not come in time | unknown |

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::exchange::{Answer, Kept, Limits, get};
use super::http::{in_time, throttled};
use super::media_services_known::Known;
use super::{Finding, Tools};
use crate::adapters::azure::arm::scope;
use crate::adapters::azure::error_body::ErrorBody;
use crate::adapters::azure::identity::IdentityError;
use crate::adapters::azure::pace::Turn;
use crate::model::media::{MediaKind, MediaServicesSpec, ResourceKind};
use crate::model::policy::Policy;
use crate::model::sample::{Outcome, TokenFact};
use crate::model::secret::Secret;

/// Transforms whose jobs are looked at.
pub const TRANSFORMS: usize = 8;

/// Requests to the API that are under way at once for one account.
pub const READS_AT_ONCE: usize = 3;

/// How much of an answer is read, in bytes. A job's entry has about two kilobytes.
const ANSWER_LIMIT: usize = 2 * 1024 * 1024;

/// What was read this short a time ago is as good as new, however often it is asked for; and this long ago it is not.
const FRESH_AT_LEAST: SignedDuration = SignedDuration::from_secs(15);
const FRESH_AT_MOST: SignedDuration = SignedDuration::from_mins(5);

/// Versions of the API, by what is read. The newest of each family.
const ACCOUNTS: &str = "2023-01-01";
const ENCODING: &str = "2022-07-01";

/// What ARM calls a service that is no longer there.
const GONE: [&str; 6] = [
    "ResourceNotFound",
    "ParentResourceNotFound",
    "NoRegisteredProviderFound",
    "InvalidResourceNamespace",
    "InvalidResourceType",
    "MissingSubscriptionRegistration",
];

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// The account itself. With MK.IO a project has no resource of its own: its transforms stand for it.
    Account,
    /// The first page of transforms.
    Transforms,
    /// A page of jobs: of one transform, or with MK.IO of all; the newest first; with an instant, those made before.
    Jobs(Option<String>, Option<jiff::Timestamp>),
    /// One streaming endpoint or live event.
    Resource(ResourceKind, String),
}

impl Thing {
    /// What people call it.
    pub fn words(&self) -> String {
        match self {
            Self::Account => "the account".to_owned(),
            Self::Transforms => "the list of transforms".to_owned(),
            Self::Jobs(..) => "a list of jobs".to_owned(),
            Self::Resource(kind, name) => kind.named(name),
        }
    }

    fn url(&self, spec: &MediaServicesSpec) -> String {
        match self {
            Self::Account if spec.kind == MediaKind::Azure => spec.api_url("", ACCOUNTS),
            Self::Account | Self::Transforms => spec.api_url("/transforms", ENCODING),
            Self::Jobs(transform, before) => {
                let below = match transform {
                    Some(name) => format!("/transforms/{name}/jobs"),
                    None => "/jobs".to_owned(),
                };
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                query.append_pair("$orderby", "properties/created desc");
                if let Some(at) = before {
                    query.append_pair("$filter", &format!("properties/created lt {at:.0}"));
                }
                let url = spec.api_url(&below, ENCODING);
                let mark = if url.contains('?') { '&' } else { '?' };
                // What comes after a plus is read differently by different servers.
                format!("{url}{mark}{}", query.finish().replace('+', "%20"))
            }
            Self::Resource(kind, name) => spec.resource_url(*kind, name, ""),
        }
    }

    /// Where it is below the account, if every round needs it.
    fn path(&self) -> Option<String> {
        match self {
            Self::Account | Self::Jobs(..) => None,
            Self::Transforms => Some("transforms".to_owned()),
            Self::Resource(kind, name) => Some(format!("{}/{name}", kind.segment())),
        }
    }

    /// As little of its body as a probe needs.
    fn gist(&self, body: &Value) -> Value {
        match self {
            Self::Account | Self::Jobs(..) => Value::Null,
            Self::Transforms => {
                let all = body["value"].as_array().map_or(&[][..], Vec::as_slice);
                let names = all.iter().take(TRANSFORMS);
                let names: Vec<Value> = names.map(|each| json!({ "name": each["name"] })).collect();
                json!({ "value": names })
            }
            Self::Resource(..) => {
                let properties = &body["properties"];
                json!({ "properties": {
                    "resourceState": properties["resourceState"],
                    "hostName": properties["hostName"],
                } })
            }
        }
    }

    /// Whether this is the service's own body.
    fn fits(&self, spec: &MediaServicesSpec, body: &Value) -> bool {
        match self {
            Self::Account if spec.kind == MediaKind::Azure => body["properties"].is_object(),
            Self::Account | Self::Transforms | Self::Jobs(..) => body["value"].is_array(),
            Self::Resource(..) => body["properties"]["resourceState"].is_string(),
        }
    }
}

/// What one read brought.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What it amounts to.
    pub finding: Finding,
    /// The body of an answer that is well.
    pub body: Option<Value>,
    /// The answer says that there is no such thing.
    pub gone: bool,
    /// No answer, or one that says that the API itself is broken. A gateway's 502 and 504 speak of what is behind it.
    pub silent: bool,
    /// It was read shortly before, and not now.
    pub earlier: bool,
}

impl Heard {
    fn nothing(finding: Finding) -> Self {
        Self {
            finding,
            body: None,
            gone: false,
            silent: false,
            earlier: false,
        }
    }
}

/// With what the API is asked.
#[derive(Debug)]
enum Credential {
    /// This token, which may be replaced by a newer one.
    Identity { secret: Secret, fresh: bool },
    /// The token of the settings.
    Fixed(Secret),
    /// None could be had: why.
    None(String),
    /// None is given to us: what a person must mend.
    Refused(String),
}

/// The API of one account, for one probe.
pub struct Api<'a> {
    tools: &'a Tools,
    spec: &'a MediaServicesSpec,
    known: &'a Known,
    limits: Limits,
    credential: Credential,
    places: Semaphore,
    /// For how long what was read stands in for what has no turn to be read.
    fresh_for: SignedDuration,
}

impl<'a> Api<'a> {
    /// Gets the token. Takes at most half of what is left of the probe's time.
    pub async fn open(
        tools: &'a Tools,
        spec: &'a MediaServicesSpec,
        known: &'a Known,
        limits: Limits,
        policy: &Policy,
    ) -> Self {
        let credential = match (spec.kind, &spec.token) {
            (MediaKind::Mkio, Some(token)) => Credential::Fixed(token.clone()),
            (MediaKind::Mkio, None) => Credential::Refused("no token is configured".to_owned()),
            (MediaKind::Azure, _) => identity_token(tools, spec, limits).await,
        };
        Self {
            tools,
            spec,
            known,
            limits,
            credential,
            places: Semaphore::new(READS_AT_ONCE),
            fresh_for: policy
                .probe_interval
                .saturating_mul(3)
                .clamp(FRESH_AT_LEAST, FRESH_AT_MOST),
        }
    }

    /// What a reading says of the token.
    pub const fn token_fact(&self) -> TokenFact {
        match self.credential {
            Credential::Identity { .. } | Credential::Fixed(_) => TokenFact::NotNeeded,
            Credential::None(_) | Credential::Refused(_) => TokenFact::Absent,
        }
    }

    /// Reads one thing.
    pub async fn read(&self, thing: &Thing) -> Heard {
        // The semaphore is never closed; without a permit we would only be less polite.
        let _place = self.places.acquire().await;
        let turn = match self.turn(thing).await {
            Ok(turn) => turn,
            Err(heard) => return heard,
        };
        let heard = self.read_now(thing).await;
        drop(turn);
        if let Some(path) = thing.path() {
            let body = heard.body.as_ref().map(|body| thing.gist(body));
            self.known.note_answer(&path, self.tools.clock.now(), body);
        }
        heard
    }

    /// A turn to read; where none comes in time, what was read shortly before, if that was well. This deployment then
    /// reads more there than ARM lets it, and each thing a little less often than asked for.
    async fn turn(&self, thing: &Thing) -> Result<Turn, Heard> {
        let lane = self.spec.subscription();
        let desk = &self.tools.media;
        let Some(path) = thing.path() else {
            return desk
                .extras()
                .turn_now(lane)
                .ok_or_else(|| self.no_turn(thing));
        };
        let since = self.tools.clock.now().checked_sub(self.fresh_for);
        let known = since.ok().and_then(|since| self.known.answer(&path, since));
        let wait = match known {
            Some(_) => self.limits.left() / 8,
            None => self.limits.left() / 2,
        };
        match (desk.pacer().turn_within(lane, wait).await, known) {
            (Some(turn), _) => Ok(turn),
            (None, Some(body)) => {
                let well = Finding {
                    outcome: Outcome::Ok,
                    detail: None,
                };
                Err(Heard {
                    body: Some(body),
                    earlier: true,
                    ..Heard::nothing(well)
                })
            }
            (None, None) => Err(self.no_turn(thing)),
        }
    }

    fn no_turn(&self, thing: &Thing) -> Heard {
        let line = format!(
            "{} was not read: this deployment reads so much there that its turn has not come",
            thing.words()
        );
        Heard::nothing(Finding::new(Outcome::Unknown, line))
    }

    async fn read_now(&self, thing: &Thing) -> Heard {
        match &self.credential {
            Credential::Fixed(secret) => self.ask(thing, Some(secret)).await.1,
            Credential::Identity { secret, fresh } => self.ask_twice(thing, secret, *fresh).await,
            Credential::Refused(line) => {
                let finding = Finding::new(Outcome::Denied, line.clone());
                Heard::nothing(finding)
            }
            Credential::None(why) => {
                let (status, heard) = self.ask(thing, None).await;
                let is_alive = matches!(status, 400..=407 | 409..=499);
                match is_alive {
                    true => {
                        let line =
                            format!("no token ({why}); its API is alive and answered {status}");
                        Heard::nothing(Finding::new(Outcome::Unknown, line))
                    }
                    false => heard,
                }
            }
        }
    }

    /// Once, and once more with a new token where the one from memory is refused.
    async fn ask_twice(&self, thing: &Thing, secret: &Secret, fresh: bool) -> Heard {
        let (status, first) = self.ask(thing, Some(secret)).await;
        if !matches!(status, 401 | 403) {
            return first;
        }
        let now = self.tools.clock.now();
        if fresh || self.known.was_refused(secret, now) {
            self.known.note_refused(secret, now);
            return first;
        }
        let scope = scope(&self.spec.arm_base);
        let next = self.tools.media.identity().instead_of(&scope, secret);
        match tokio::time::timeout(self.limits.left() / 2, next).await {
            Ok(Ok(got)) => {
                let secret = got.held.token.secret;
                let (status, second) = self.ask(thing, Some(&secret)).await;
                if matches!(status, 401 | 403) {
                    self.known.note_refused(&secret, now);
                }
                second
            }
            Ok(Err(error)) => {
                let line = format!("answered {status}; no new token could be had: {error}");
                let outcome = match error {
                    IdentityError::Unavailable(_) => Outcome::Unknown,
                    IdentityError::Refused(_) => Outcome::Denied,
                };
                Heard::nothing(Finding::new(outcome, line))
            }
            Err(_) => {
                let line = format!("answered {status}; no new token came in time");
                Heard::nothing(Finding::new(Outcome::Unknown, line))
            }
        }
    }

    /// One request.
    async fn ask(&self, thing: &Thing, token: Option<&Secret>) -> (u16, Heard) {
        let mut kept = Kept::up_to(ANSWER_LIMIT);
        let url = thing.url(self.spec);
        let answer = get(&self.tools.http, &url, token, self.limits, &mut kept).await;
        match answer {
            Ok(answer) => (answer.status, self.judge(thing, &answer, &kept, token)),
            Err(none) => {
                let line = format!("{}: {}", self.whose(), none.detail);
                let heard = Heard {
                    silent: none.outcome == Outcome::Failed,
                    ..Heard::nothing(Finding::new(none.outcome, line))
                };
                (0, heard)
            }
        }
    }

    fn judge(&self, thing: &Thing, answer: &Answer, kept: &Kept, token: Option<&Secret>) -> Heard {
        let status = answer.status;
        let whose = self.whose();
        let nothing = |outcome, line| Heard::nothing(Finding::new(outcome, line));
        if status == 200 {
            if let Some(broken) = &answer.broken {
                return nothing(Outcome::Failed, format!("{whose}: {broken}"));
            }
            let body = serde_json::from_slice::<Value>(&kept.bytes).ok();
            return match body.filter(|body| thing.fits(self.spec, body)) {
                Some(body) => Heard {
                    body: Some(body),
                    ..Heard::nothing(in_time(answer, self.limits))
                },
                None => {
                    let what = thing.words();
                    let line = format!("{whose} answered 200 with something that is not {what}");
                    nothing(Outcome::Failed, line)
                }
            };
        }
        let said = ErrorBody::read(&kept.bytes, token);
        let line = format!("{whose} answered {status}{said}");
        let says_gone = said.code.is_some_and(|code| {
            let mut gone = GONE.into_iter();
            gone.any(|each| code.eq_ignore_ascii_case(each))
        });
        let is_gone = matches!(status, 404 | 410) || (400..500).contains(&status) && says_gone;
        match status {
            _ if is_gone => Heard {
                gone: true,
                ..nothing(Outcome::Missing, line)
            },
            429 => Heard::nothing(throttled(answer)),
            401 | 403 => nothing(Outcome::Denied, format!("{line} ({})", self.mend())),
            408 => nothing(Outcome::Failed, line),
            400..500 => nothing(Outcome::Denied, line),
            _ => Heard {
                silent: status >= 500 && !matches!(status, 502 | 504),
                ..nothing(Outcome::Failed, line)
            },
        }
    }

    /// Whose API it is.
    pub const fn whose(&self) -> &'static str {
        match self.spec.kind {
            MediaKind::Azure => "ARM",
            MediaKind::Mkio => "MK.IO",
        }
    }

    /// What a person does where it refuses us.
    const fn mend(&self) -> &'static str {
        match self.spec.kind {
            MediaKind::Azure => "give the identity a role on the account that may read it",
            MediaKind::Mkio => "put a token that is valid into the app setting that `token` names",
        }
    }
}

async fn identity_token(tools: &Tools, spec: &MediaServicesSpec, limits: Limits) -> Credential {
    let scope = scope(&spec.arm_base);
    let asked = tools.media.identity().get(&scope);
    match tokio::time::timeout(limits.left() / 2, asked).await {
        Ok(Ok(got)) => Credential::Identity {
            secret: got.held.token.secret,
            fresh: got.fresh,
        },
        Ok(Err(IdentityError::Unavailable(line))) => Credential::None(line),
        Ok(Err(IdentityError::Refused(line))) => Credential::Refused(line),
        Err(_) => Credential::None("none came in time".to_owned()),
    }
}
