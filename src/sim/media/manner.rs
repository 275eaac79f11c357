//! How answers are given: ARM's manner, and the two of MK.IO, which differ from it in errors, lists and
//! long-running operations.

use axum::response::Response;
use serde_json::{Value, json};

use super::super::call::{self, Call};
use super::super::{State, arm};
use super::ledger::Part;

/// Whose manner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// ARM.
    Arm,
    /// MK.IO's paths `/api/ams/{project}`: the same bodies, its own errors, no operations to poll.
    Ams,
    /// MK.IO's paths `/api/v1/projects/{project}/media`: bodies under `spec`, other pages of lists.
    Spec,
}

/// Where the answer to a request belongs: for links in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) state: &'a State,
    pub(super) call: &'a Call,
}

impl Manner {
    /// The headers that every answer carries.
    pub(super) fn finish(self, response: Response) -> Response {
        match self {
            Self::Arm => arm::finish(response),
            Self::Ams | Self::Spec => response,
        }
    }

    /// An error.
    pub(super) fn failure(self, status: u16, code: &str, message: &str) -> Response {
        match self {
            Self::Arm => arm::failure(status, code, message),
            Self::Ams | Self::Spec => {
                let reference = uuid::Uuid::new_v4().to_string();
                let error = json!({ "code": code, "detail": message, "extraDetail": {} });
                let body = json!({ "error": error, "status": status, "ref": reference });
                call::json(status, &body)
            }
        }
    }

    /// One resource.
    pub(super) fn one(self, resource: Value) -> Response {
        self.finish(call::json(200, &self.dressed(resource)))
    }

    /// A list, or the page of it that is asked for.
    pub(super) fn list(self, at: At<'_>, resources: Vec<Value>) -> Response {
        let total = resources.len();
        let size = match self {
            // How this manner asks for the next page is not known, so there is one.
            Self::Spec => total,
            Self::Arm | Self::Ams => at.state.world.media_page_size.max(1),
        };
        let skip = match at.call.query("$skiptoken").map(str::parse::<usize>) {
            None => 0,
            Some(Ok(skip)) => skip,
            Some(Err(_)) => return self.failure(400, "BadRequest", "$skiptoken is not ours."),
        };
        let page: Vec<Value> = resources
            .into_iter()
            .skip(skip)
            .take(size)
            .map(|resource| self.dressed(resource))
            .collect();
        let end = skip.saturating_add(page.len());
        let mut body = json!({ "value": page });
        if self == Self::Spec {
            let pagination = json!({ "start": 0, "end": end, "records": end, "total": total });
            body["supplemental"] = json!({ "pagination": pagination });
        } else if end < total {
            body["@odata.nextLink"] = json!(self.next_link(at, end));
        }
        self.finish(call::json(200, &body))
    }

    /// The same request from there on: ARM gives the whole URL, MK.IO what comes after its base.
    fn next_link(self, at: At<'_>, skip: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let kept = at.call.query.iter();
        for (key, value) in kept.filter(|(key, _)| !key.eq_ignore_ascii_case("$skiptoken")) {
            query.append_pair(key, value);
        }
        query.append_pair("$skiptoken", &skip.to_string());
        let base = match self {
            Self::Arm => format!("{}/arm", at.state.base_url),
            Self::Ams | Self::Spec => String::new(),
        };
        format!("{base}/{}?{}", at.call.segments.join("/"), query.finish())
    }

    /// A long-running operation has begun. MK.IO says no more than that: one looks at the resource.
    pub(super) fn accepted(self, at: At<'_>, account: &str, part: &Part, id: &str) -> Response {
        if self != Self::Arm {
            return call::empty(202);
        }
        let version = at.call.query("api-version").unwrap_or_default();
        let base = format!("{}/arm{account}", at.state.base_url);
        let poll = format!(
            "{base}/{}/{id}?api-version={version}",
            part.family.operations()
        );
        let outcome = format!(
            "{base}/{}/{}/operationlocations/{id}?api-version={version}",
            part.family.as_str().to_ascii_lowercase(),
            part.name
        );
        let mut response = call::with_header(call::empty(202), "azure-asyncoperation", &poll);
        response = call::with_header(response, "location", &outcome);
        self.finish(patient(at.state, response))
    }

    /// The resource as it is written in this manner.
    fn dressed(self, mut resource: Value) -> Value {
        if self == Self::Spec
            && let Value::Object(fields) = &mut resource
            && let Some(properties) = fields.remove("properties")
        {
            fields.insert("spec".to_owned(), properties);
            fields.remove("type");
        }
        resource
    }
}

/// The same answer with the time to wait, where the world names one.
pub(super) fn patient(state: &State, response: Response) -> Response {
    match state.world.operation_retry_after {
        Some(after) => call::with_header(response, "retry-after", &after.to_string()),
        None => response,
    }
}
