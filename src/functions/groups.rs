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
use crate::controller::overview::Overview;
use crate::controller::view::GroupView;
use crate::controller::{Controller, GroupError};
use crate::model::name::GroupName;
use crate::model::state::GroupState;
use crate::model::verdict::Verdict;

/// Entries on a page, at most.
pub const PAGE: usize = 100;
/// Groups that are looked at in one go.
const LOOKED_AT_ONCE: usize = 128;
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
    let controller = &app.controller;
    let to_go_on = page.after.is_some();
    let reading = async { controller.overview(to_go_on).await.map_err(Fault::from) };
    let overview = in_time(reading).await?;
    let (shown, next) = cut(controller, &overview, &filter, &page).await;
    let unreadable = overview.unreadable.iter().map(|problem| UnreadableBody {
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

/// The groups of one page, and the token of the next.
async fn cut(
    controller: &Controller,
    overview: &Overview,
    filter: &Filter,
    page: &Page,
) -> (Vec<GroupView>, Option<String>) {
    let mut shown: Vec<GroupView> = Vec::new();
    for (index, (name, state)) in overview.groups(page.after.as_deref()).enumerate() {
        if index % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1 {
            // A filter may look at ten thousand groups: others are served meanwhile.
            tokio::task::yield_now().await;
        }
        let spec = controller.deployment().groups.get(name);
        if !filter.wants(spec.and_then(|spec| spec.tenant.as_ref()), state) {
            continue;
        }
        let view = controller.view_in(overview, name);
        let Some(view) = view.filter(|view| filter.wants_verdict(view)) else {
            continue;
        };
        if shown.len() == page.top {
            let last = shown.last().map(|last| token(last.name.as_str()));
            return (shown, last);
        }
        shown.push(view);
    }
    (shown, None)
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
        next: found.next.as_deref().map(token),
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

/// Which groups of a list are asked for; an empty list lets everything through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Tenants.
    pub tenants: Vec<String>,
    /// `moving`, `settled`.
    pub phases: Vec<&'static str>,
    /// Verdicts of the active site.
    pub verdicts: Vec<Verdict>,
}

impl Filter {
    /// Reads a query.
    ///
    /// # Errors
    /// 400 for a word that is none.
    pub fn read(params: &Params) -> Result<Self, Fault> {
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

    fn wants(&self, tenant: Option<&String>, state: &GroupState) -> bool {
        (self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.contains(tenant)))
            && (self.phases.is_empty() || self.phases.contains(&render::phase(state)))
    }

    fn wants_verdict(&self, view: &GroupView) -> bool {
        self.verdicts.is_empty() || self.verdicts.contains(&view.active_verdict())
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Entries, from 1 to [`PAGE`].
    pub top: usize,
    /// The key of the last entry that was shown.
    pub after: Option<String>,
}

impl Page {
    /// Reads a query.
    ///
    /// # Errors
    /// 400 for a number that is none or 0, a token that is none, or either given twice.
    pub fn read(params: &Params) -> Result<Self, Fault> {
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
}

/// The token of the page after this entry.
fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}
