//! A person's order: its form is checked here, everything else is decided elsewhere.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::fault::{Detail, Fault, INVALID};
use super::gate::{App, Ready};
use super::input::{self, Params, Segments, bad_duration, short};
use super::render::{self, MoveBody};
use super::{groups, who};
use crate::controller::GroupError;
use crate::controller::order::OrderAnswer;
use crate::controller::view::GroupView;
use crate::model::hold::Hold;
use crate::model::name::{GroupName, SiteName};
use crate::model::order::{Order, OrderKind, PAUSE_LIMIT};
use crate::model::spec::GroupSpec;

/// The longest reason, in characters: it is kept in the record and in every entry it leads to.
pub const REASON_LIMIT: usize = 1000;
/// The shortest pause.
const PAUSE_LEAST: SignedDuration = SignedDuration::from_secs(1);

/// An order as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderBody {
    reason: Option<String>,
    to: Option<String>,
    force: Option<bool>,
    dry_run: Option<bool>,
    if_generation: Option<u64>,
    #[serde(rename = "for")]
    lasting: Option<String>,
}

/// Its members: these names are refused in the query, where others are the host's.
pub const MEMBERS: [&str; 6] = ["reason", "to", "force", "dryRun", "ifGeneration", "for"];

#[derive(Debug, Serialize)]
struct WouldBody<'a> {
    would: Option<MoveBody<'a>>,
    hold: Option<&'a Hold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overridden: Option<&'a Hold>,
}

/// `POST groups/{group}/{order}`.
///
/// # Errors
/// 404 for an unknown group or order, 400 and 413 for the body, 400 for what belongs there and stands in the query,
/// 409 with the hold, 412 for another generation, 503 where the store is silent.
pub async fn door(
    Ready(app): Ready,
    Segments((group, order)): Segments<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    // The body itself, which may be large, is not kept for as long as the order takes.
    let sent = input::json::<OrderBody>(&input::read(body).await?);
    let kind = OrderKind::parse(&order.to_ascii_lowercase()).ok_or_else(Fault::no_route)?;
    let group = groups::name(&group)?;
    let spec = ordered(&app, &group).await?;
    let sent = sent?;
    let checked = misplaced(&uri).map_or_else(|| checked(kind, &sent, &spec), Err);
    let order = match checked {
        Ok(order) => order,
        Err(fault) => {
            return Err(other_generation(&app, &group, &sent)
                .await?
                .unwrap_or(fault));
        }
    };
    let order = Order {
        actor: who::actor(&headers, app.trust_principal),
        ..order
    };
    answer(&group, app.controller.order(&group, &order).await?)
}

/// What belongs into the body and stands in the query, where it would count for nothing: a dry run would be none.
fn misplaced(uri: &Uri) -> Option<Fault> {
    let params = Params::of(uri);
    let misplaced = MEMBERS.into_iter().filter(|name| params.has(name));
    let problems = misplaced.map(|name| Detail {
        code: INVALID,
        message: format!(
            "`{name}` stands in the query: an order's settings are members of its body, as in {{\"reason\": \"…\", \"dryRun\": true}}; nothing was done"
        ),
        target: name.to_owned(),
    });
    Fault::invalid_all(problems.collect())
}

/// The group as configured. One whose configuration is bad is looked up in the store, so that a group which
/// was never there is not found instead of misconfigured.
async fn ordered(app: &App, group: &GroupName) -> Result<Arc<GroupSpec>, Fault> {
    match app.controller.ordered(group) {
        Ok(spec) => Ok(spec),
        Err(error @ GroupError::Misconfigured(_)) => {
            view(app, group).await?;
            Err(error.into())
        }
        Err(error @ (GroupError::NotFound(_) | GroupError::Store(_))) => Err(error.into()),
    }
}

async fn view(app: &App, group: &GroupName) -> Result<GroupView, Fault> {
    groups::in_time(async { app.controller.view(group).await.map_err(Fault::from) }).await
}

/// The generation is compared before everything else, so before what is wrong with the rest of the order.
async fn other_generation(
    app: &App,
    group: &GroupName,
    sent: &OrderBody,
) -> Result<Option<Fault>, Fault> {
    let Some(wanted) = sent.if_generation else {
        return Ok(None);
    };
    let generation = view(app, group).await?.state.generation;
    Ok((generation != wanted).then(|| mismatch(group, generation)))
}

fn mismatch(group: &GroupName, generation: u64) -> Fault {
    Fault::new(
        StatusCode::PRECONDITION_FAILED,
        "GenerationMismatch",
        format!(
            "{group} has generation {generation}, not the one that the order names: look again before you order"
        ),
    )
}

/// The order that a body stands for, still without who gives it.
///
/// # Errors
/// 400 with everything that is wrong with it at once.
pub fn checked(kind: OrderKind, sent: &OrderBody, spec: &GroupSpec) -> Result<Order, Fault> {
    let mut problems = Vec::new();
    let mut wrong = |target: &str, message: String| {
        problems.push(Detail {
            code: INVALID,
            message,
            target: target.to_owned(),
        });
    };
    let reason = sent
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|reason| !reason.is_empty());
    match reason {
        None if kind.needs_reason() => wrong(
            "reason",
            format!("`{}` needs a `reason`: why, in your words", kind.as_str()),
        ),
        None => {}
        Some(reason) => {
            if let Some(problem) = reason_problem(reason) {
                wrong("reason", problem);
            }
        }
    }
    let to = sent.to.as_deref().map(SiteName::from);
    if let Some(to) = &to
        && let Some(problem) = target_problem(kind, to, spec)
    {
        wrong("to", problem);
    }
    let lasting = match sent.lasting.as_deref().map(|text| pause_length(kind, text)) {
        None => None,
        Some(Ok(length)) => Some(length),
        Some(Err(problem)) => {
            wrong("for", problem);
            None
        }
    };
    match Fault::invalid_all(problems) {
        Some(fault) => Err(fault),
        None => Ok(Order {
            kind,
            actor: String::new(),
            reason: reason.map(str::to_owned),
            to,
            force: sent.force.unwrap_or(false),
            dry_run: sent.dry_run.unwrap_or(false),
            if_generation: sent.if_generation,
            lasting,
        }),
    }
}

fn reason_problem(reason: &str) -> Option<String> {
    let length = reason.chars().count();
    if length > REASON_LIMIT {
        return Some(format!(
            "`reason` has {length} characters, more than {REASON_LIMIT}"
        ));
    }
    let unreadable = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    reason
        .contains(unreadable)
        .then(|| "`reason` holds a control character".to_owned())
}

fn target_problem(kind: OrderKind, to: &SiteName, spec: &GroupSpec) -> Option<String> {
    if spec.site(to).is_none() {
        let sites: Vec<&str> = spec.sites.iter().map(|site| site.name.as_str()).collect();
        return Some(format!(
            "`to` is `{}`, not a site of {}: {}",
            short(to.as_str()),
            spec.name,
            sites.join(", ")
        ));
    }
    let elsewhere = kind == OrderKind::Failback && !spec.is_primary(to);
    elsewhere.then(|| {
        format!("a failback goes to the primary, not to {to}: order a switchover to get there")
    })
}

fn pause_length(kind: OrderKind, text: &str) -> Result<SignedDuration, String> {
    if kind != OrderKind::Pause {
        return Err(format!(
            "only a pause has `for`, `{}` has not",
            kind.as_str()
        ));
    }
    let length = input::duration(text).ok_or_else(|| bad_duration("for", text))?;
    if (PAUSE_LEAST..=PAUSE_LIMIT).contains(&length) {
        Ok(length)
    } else {
        Err(format!(
            "`for` is `{}`: a pause lasts from 1 s to {} h",
            short(text),
            PAUSE_LIMIT.as_hours()
        ))
    }
}

fn answer(group: &GroupName, answer: OrderAnswer) -> Result<Response, Fault> {
    match answer {
        OrderAnswer::Done(view) => Ok(Json(render::whole(&view)).into_response()),
        OrderAnswer::Nothing(view) => Ok(Json(render::unchanged(&view)).into_response()),
        OrderAnswer::Running(view) => {
            let place = HeaderValue::from_str(&format!("/api/groups/{group}"))
                .map_err(|_| Fault::internal())?;
            let body = Json(render::whole(&view));
            Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], body).into_response())
        }
        OrderAnswer::Would {
            moving,
            hold,
            overridden,
        } => Ok(Json(WouldBody {
            would: moving.as_deref().map(render::planned),
            hold: hold.as_ref(),
            overridden: overridden.as_ref(),
        })
        .into_response()),
        OrderAnswer::Refused(hold) => Err(Fault::held(hold)),
        OrderAnswer::GenerationMismatch { generation } => Err(mismatch(group, generation)),
    }
}
