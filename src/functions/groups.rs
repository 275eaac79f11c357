//! Groups as people and programs look at them: the list, one group, its history.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::fault::Fault;
use super::gate::Ready;
use super::input::{Params, Segments, short};
use super::render::{self, EntryBody, GroupBody};
use crate::adapters::store::keys;
use crate::controller::GroupError;
use crate::controller::view::GroupView;
use crate::model::name::GroupName;
use crate::model::verdict::Verdict;

/// Entries on a page, at most.
pub const PAGE: usize = 100;
/// A look at groups is given up after this.
const ANSWER_LIMIT: Duration = Duration::from_secs(25);

#[derive(Debug, Serialize)]
struct GroupsBody<'a> {
    groups: Vec<GroupBody<'a>>,
    next: Option<String>,
    /// Rows that cannot be read, each perhaps a group that is missing from the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<UnreadableBody<'a>>,
}

#[derive(Debug, Serialize)]
struct UnreadableBody<'a> {
    row: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupName>,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct HistoryBody<'a> {
    entries: Vec<EntryBody<'a>>,
    next: Option<String>,
}

/// `GET groups`.
///
/// # Errors
/// 400 for a bad parameter, 503 where the store is silent.
pub async fn list(Ready(app): Ready, uri: Uri) -> Result<Response, Fault> {
    let params = Params::of(&uri);
    let filter = Filter::read(&params)?;
    let page = Page::read(&params)?;
    let mut views = in_time(async { app.controller.views().await.map_err(Fault::from) }).await?;
    views.groups.retain(|view| filter.lets_through(view));
    let (shown, next) = page.cut(&views.groups, |view| view.name.as_str());
    let unreadable = views.unreadable.iter().map(|problem| UnreadableBody {
        row: &problem.key,
        group: problem.group.as_ref(),
        message: &problem.problem,
    });
    let body = GroupsBody {
        groups: shown.iter().map(render::line).collect(),
        next,
        unreadable: unreadable.collect(),
    };
    Ok(Json(body).into_response())
}

/// `GET groups/{group}`.
///
/// # Errors
/// 404 for an unknown group, 503 where the store is silent.
pub async fn one(Ready(app): Ready, Segments(group): Segments<String>) -> Result<Response, Fault> {
    let group = name(&group)?;
    let controller = Arc::clone(&app.controller);
    let view = in_time(async { controller.view(&group).await.map_err(Fault::from) }).await?;
    Ok(Json(render::whole(&view)).into_response())
}

/// `GET groups/{group}/history`.
///
/// # Errors
/// 404 for an unknown group, 400 for a bad parameter, 503 where the store is silent.
pub async fn history(
    Ready(app): Ready,
    Segments(group): Segments<String>,
    uri: Uri,
) -> Result<Response, Fault> {
    let group = name(&group)?;
    let page = Page::read(&Params::of(&uri))?;
    if let Some(key) = &page.after
        && !keys::is_history(&group, key)
    {
        return Err(Fault::invalid_at(
            "next",
            format!("`next` is no token of the history of {group}"),
        ));
    }
    let controller = &app.controller;
    let found = in_time(async {
        controller
            .history(&group, page.after.as_deref(), page.top)
            .await
            .map_err(Fault::from)
    })
    .await?;
    let body = HistoryBody {
        entries: found
            .entries
            .iter()
            .map(|(_, entry)| render::entry(entry))
            .collect(),
        next: found.next.map(|key| URL_SAFE_NO_PAD.encode(key)),
    };
    Ok(Json(body).into_response())
}

/// A group's name as it stands in a path. What can be no name is not looked for.
///
/// # Errors
/// 404.
pub fn name(text: &str) -> Result<GroupName, Fault> {
    let is_name = (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name {
        Ok(GroupName::new(text))
    } else {
        Err(GroupError::NotFound(GroupName::new(short(text))).into())
    }
}

/// Bounds a look at groups.
///
/// # Errors
/// The question's own, and 503 where it takes too long.
pub async fn in_time<T>(asking: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(ANSWER_LIMIT, asking)
        .await
        .unwrap_or_else(|_| Err(Fault::store("the store did not answer in time")))
}

struct Filter {
    tenants: Vec<String>,
    phases: Vec<&'static str>,
    verdicts: Vec<Verdict>,
}

impl Filter {
    fn read(params: &Params) -> Result<Self, Fault> {
        Ok(Self {
            tenants: params
                .many("tenant")
                .iter()
                .map(|text| (*text).to_owned())
                .collect(),
            phases: choices(params, "phase", &["moving", "settled"], |phase| phase)?,
            verdicts: choices(params, "verdict", &Verdict::ALL, Verdict::as_str)?,
        })
    }

    fn lets_through(&self, view: &GroupView) -> bool {
        let tenant = view.spec.as_ref().and_then(|spec| spec.tenant.as_ref());
        (self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.contains(tenant)))
            && (self.phases.is_empty() || self.phases.contains(&render::phase(&view.state)))
            && (self.verdicts.is_empty() || self.verdicts.contains(&view.active_verdict()))
    }
}

fn choices<T: Copy>(
    params: &Params,
    key: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, Fault> {
    params
        .many(key)
        .into_iter()
        .map(|text| {
            let found = all
                .iter()
                .copied()
                .find(|one| word(*one).eq_ignore_ascii_case(text));
            found.ok_or_else(|| {
                let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
                Fault::invalid_at(
                    key,
                    format!(
                        "`{key}` is `{}`, not one of {}",
                        short(text),
                        words.join(", ")
                    ),
                )
            })
        })
        .collect()
}

/// Where a page begins and how long it is. The token holds the key of the last entry that was shown, so
/// that entries which come or go in between shift nothing.
struct Page {
    top: usize,
    after: Option<String>,
}

impl Page {
    fn read(params: &Params) -> Result<Self, Fault> {
        let top = match params.number("top")? {
            None => PAGE,
            Some(0) => {
                return Err(Fault::invalid_at("top", "`top` is 0: ask for at least 1"));
            }
            Some(top) => usize::try_from(top).unwrap_or(PAGE).min(PAGE),
        };
        let after = params
            .one("next")?
            .map(|token| {
                let bytes = URL_SAFE_NO_PAD.decode(token).ok();
                bytes
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(|| {
                        Fault::invalid_at("next", "`next` is no token of an earlier page")
                    })
            })
            .transpose()?;
        Ok(Self { top, after })
    }

    /// The part of a sorted list that this page shows, and the token of the next.
    fn cut<'a, T>(&self, all: &'a [T], key: impl Fn(&T) -> &str) -> (&'a [T], Option<String>) {
        let start = self
            .after
            .as_deref()
            .map_or(0, |after| all.partition_point(|entry| key(entry) <= after));
        let rest = all.get(start..).unwrap_or_default();
        let shown = rest.get(..self.top).unwrap_or(rest);
        let next = (rest.len() > shown.len())
            .then(|| shown.last().map(|last| URL_SAFE_NO_PAD.encode(key(last))))
            .flatten();
        (shown, next)
    }
}
