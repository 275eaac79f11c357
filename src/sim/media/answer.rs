//! The right answer to what is asked of one account, in ARM's manner or MK.IO's.

use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;

use super::super::call;
use super::super::faults::Service;
use super::account::{MediaAccount, StreamingLocator};
use super::ask::Ask;
use super::jobs::{self, Job};
use super::ledger::{Action, Begun, Books, Family, OperationStatus, Part};
use super::manner::{At, Manner, patient};
use super::{select, shapes};

/// Everything that an answer depends on besides what is asked.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) at: At<'a>,
    pub(super) manner: Manner,
    /// The account's place in the world.
    pub(super) number: usize,
    pub(super) account: &'a MediaAccount,
    /// The instant from which on no job was finished.
    pub(super) stuck_since: Option<Timestamp>,
}

impl<'a> Question<'a> {
    /// The answer.
    pub(super) fn answer(self, ask: &Ask) -> Response {
        match ask {
            Ask::Account => self
                .manner
                .one(shapes::account(self.at.state, self.account)),
            Ask::Transforms(name) => self.transforms(name.as_deref()),
            Ask::Jobs(transform, name) => self.jobs(transform.as_deref(), name.as_deref()),
            Ask::Parts(family, name) => self.parts(*family, name.as_deref()),
            Ask::Outputs(event, name) => self.outputs(event, name.as_deref()),
            Ask::Act(family, name, action) => self.act(*family, name, *action),
            Ask::Operation(..) | Ask::Outcome(..) if self.manner != Manner::Arm => self.nothing(),
            Ask::Operation(_, id) => self.operation(id),
            Ask::Outcome(family, name, id) => self.outcome(*family, name, id),
            Ask::Locators(name) => self.locators(name.as_deref()),
            Ask::Paths(name) => self.paths(name),
            Ask::Nothing => self.nothing(),
        }
    }

    fn nothing(self) -> Response {
        self.manner.failure(
            404,
            "NotFound",
            "The simulator's account has nothing there.",
        )
    }

    /// There is no such thing below the account.
    fn absent(self, path: &str) -> Response {
        let message = format!(
            "The Resource 'Microsoft.Media/mediaservices/{}/{path}' under resource group '{}' was not found. \
             For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            self.account.name, self.account.resource_group
        );
        self.manner.failure(404, "ResourceNotFound", &message)
    }

    fn transforms(self, name: Option<&str>) -> Response {
        let body = |name: &String| shapes::transform(self.account, name);
        match name {
            None => {
                let all = self.account.transforms.iter().map(body).collect();
                self.manner.list(self.at, all)
            }
            Some(name) => self.transform(name).map_or_else(
                || self.absent(&format!("transforms/{name}")),
                |name| self.manner.one(body(name)),
            ),
        }
    }

    fn transform(self, name: &str) -> Option<&'a String> {
        let mut transforms = self.account.transforms.iter();
        transforms.find(|each| each.eq_ignore_ascii_case(name))
    }

    fn jobs_of(self, transform: &str) -> Vec<Job> {
        let books = self.at.state.media.open();
        let key = (self.number, transform.to_owned());
        match books.jobs.get(&key) {
            Some(given) => given.clone(),
            None => jobs::of(Timestamp::now(), self.stuck_since),
        }
    }

    fn jobs(self, transform: Option<&str>, name: Option<&str>) -> Response {
        let transforms: Vec<&String> = match transform {
            None if self.manner == Manner::Arm => return self.nothing(),
            None => self.account.transforms.iter().collect(),
            Some(transform) => match self.transform(transform) {
                Some(transform) => vec![transform],
                None => return self.absent(&format!("transforms/{transform}")),
            },
        };
        let mut found = Vec::new();
        for transform in transforms {
            let jobs = match select::jobs(self.at.call, self.jobs_of(transform)) {
                Ok(jobs) => jobs,
                Err(sentence) => return self.manner.failure(400, "BadRequest", &sentence),
            };
            found.extend(jobs.into_iter().map(|job| (transform, job)));
        }
        let body = |(transform, job): &(&String, Job)| shapes::job(self.account, transform, job);
        match name {
            None => self.manner.list(self.at, found.iter().map(body).collect()),
            Some(name) => match found.iter().find(|(_, job)| job.name == name) {
                Some(job) => self.manner.one(body(job)),
                None => self.absent(&format!("transforms/jobs/{name}")),
            },
        }
    }

    /// The account's parts of a family.
    fn of_family(self, family: Family) -> impl Iterator<Item = Part> + use<'a> {
        let parts = self.account.parts();
        parts
            .filter(move |each| each.0 == family)
            .map(|(family, name, _)| Part::new(family, name))
    }

    /// The part of this name, in any case.
    pub(super) fn part(self, family: Family, name: &str) -> Option<Part> {
        self.of_family(family)
            .find(|each| each.name.eq_ignore_ascii_case(name))
    }

    fn shape(self, books: &Books, part: &Part) -> Option<Value> {
        let held = books.held(self.number, part)?;
        Some(shapes::part(self.at.state, self.account, part, held))
    }

    fn parts(self, family: Family, name: Option<&str>) -> Response {
        let books = self.at.state.media.open();
        match name {
            None => {
                let parts = self.of_family(family);
                let all = parts.filter_map(|part| self.shape(&books, &part)).collect();
                self.manner.list(self.at, all)
            }
            Some(name) => self
                .part(family, name)
                .and_then(|part| self.shape(&books, &part))
                .map_or_else(
                    || self.absent(&format!("{}/{name}", family.as_str())),
                    |shape| self.manner.one(shape),
                ),
        }
    }

    fn outputs(self, event: &str, name: Option<&str>) -> Response {
        let Some(part) = self.part(Family::LiveEvents, event) else {
            return self.absent(&format!("liveEvents/{event}"));
        };
        let books = self.at.state.media.open();
        let outputs = books.outputs(self.number, &part.name).iter();
        let mut shapes = outputs
            .filter(|each| name.is_none_or(|name| name.eq_ignore_ascii_case(each)))
            .map(|each| shapes::output(self.account, &part.name, each))
            .collect::<Vec<_>>();
        match (name, shapes.pop()) {
            (Some(_), Some(shape)) => self.manner.one(shape),
            (Some(name), None) => self.absent(&format!("liveEvents/{event}/liveOutputs/{name}")),
            (None, last) => {
                shapes.extend(last);
                self.manner.list(self.at, shapes)
            }
        }
    }

    fn act(self, family: Family, name: &str, action: Action) -> Response {
        let Some(part) = self.part(family, name) else {
            return self.absent(&format!("{}/{name}", family.as_str()));
        };
        let body = match serde_json::from_slice::<Value>(&self.at.call.body) {
            Ok(body) => body,
            Err(_) if self.at.call.body.is_empty() => Value::Null,
            Err(_) => {
                let message = "The request content was invalid and could not be deserialized.";
                return self.manner.failure(400, "InvalidRequestContent", message);
            }
        };
        let removes_outputs =
            action == Action::Stop && body["removeOutputsOnStop"].as_bool() == Some(true);
        let state = self.at.state;
        let begun = state.media.open().begin(
            self.account,
            self.number,
            (&part, action, removes_outputs),
            state.world.operation_time,
            || {
                let kind = Ask::Act(family, String::new(), action).kind();
                let (region, name) = (&self.account.region, &self.account.name);
                state.board.fate(Service::MediaServices, region, name, kind)
            },
        );
        match begun {
            Begun::Accepted(id) => {
                let account = self.account.resource_id();
                self.manner.accepted(self.at, &account, &part, &id)
            }
            Begun::Already => self.manner.finish(call::empty(200)),
            Begun::Busy => {
                let message = format!("Another long-running operation is in progress on {part}.");
                self.manner.failure(409, "Conflict", &message)
            }
            Begun::Refused(sentence) => self.manner.failure(409, "Conflict", &sentence),
        }
    }

    fn operation(self, id: &str) -> Response {
        let books = self.at.state.media.open();
        match books.operation(self.number, id) {
            Some(operation) => self.manner.one(shapes::operation(operation)),
            None => self.unknown_operation(id),
        }
    }

    fn outcome(self, family: Family, name: &str, id: &str) -> Response {
        let books = self.at.state.media.open();
        let operation = self.part(family, name).and_then(|part| {
            let operation = books.operation(self.number, id)?;
            (operation.part == part).then_some(operation)
        });
        let Some(operation) = operation else {
            return self.unknown_operation(id);
        };
        match operation.status {
            OperationStatus::InProgress => {
                self.manner.finish(patient(self.at.state, call::empty(202)))
            }
            OperationStatus::Failed => {
                let message = shapes::failed(operation);
                self.manner.failure(400, "OperationFailed", &message)
            }
            OperationStatus::Succeeded => self.shape(&books, &operation.part).map_or_else(
                || self.unknown_operation(id),
                |shape| self.manner.one(shape),
            ),
        }
    }

    fn unknown_operation(self, id: &str) -> Response {
        let message = format!("The operation '{id}' was not found.");
        self.manner.failure(404, "NotFound", &message)
    }

    fn locator(self, name: &str) -> Option<&'a StreamingLocator> {
        let mut locators = self.account.locators.iter();
        locators.find(|each| each.name.eq_ignore_ascii_case(name))
    }

    fn locators(self, name: Option<&str>) -> Response {
        let body = |locator: &StreamingLocator| shapes::locator(self.account, locator);
        match name {
            None => {
                let all = self.account.locators.iter().map(body).collect();
                self.manner.list(self.at, all)
            }
            Some(name) => self.locator(name).map_or_else(
                || self.absent(&format!("streamingLocators/{name}")),
                |locator| self.manner.one(body(locator)),
            ),
        }
    }

    fn paths(self, name: &str) -> Response {
        match self.locator(name) {
            Some(locator) => self.manner.one(shapes::paths(locator)),
            None => self.absent(&format!("streamingLocators/{name}")),
        }
    }
}
