//! The page for people: which site serves each group, how every site is, and why nothing moves. Plain HTML
//! without a script; it comes anew every few seconds.

use std::fmt::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::gate::Ready;
use super::{groups, render};
use crate::adapters::store::{RowProblem, StoreError};
use crate::controller::Controller;
use crate::controller::view::GroupView;
use crate::controller::wellbeing::Wellbeing;
use crate::model::moves::{Stage, Step};
use crate::model::state::GroupState;
use crate::model::verdict::Verdict;
use crate::model::words::count;

/// How often the page comes anew, in seconds.
const REFRESH: HeaderValue = HeaderValue::from_static("15");
/// Nothing is loaded and nothing is run; the style is in the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}\
caption{text-align:left;padding:.5rem 0}\
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem;border-bottom:1px solid #8886}\
ul{margin:0;padding-left:1.2rem}\
.unhealthy,.misconfigured,.failing{font-weight:bold}\
.failing{border:2px solid;padding:.5rem 1rem}";

/// `GET status`. The page is there even if the store is not, and says so.
pub async fn door(Ready(app): Ready) -> Response {
    let asking = groups::in_time(async { views(&app.controller).await.map_err(Into::into) });
    let (wellbeing, views) = tokio::join!(app.wellbeing(), asking);
    let status = if views.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let page = page(&wellbeing, views.as_ref().ok());
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // The page's own address may hold a key.
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::REFRESH, REFRESH),
    ];
    (status, headers, page).into_response()
}

/// All groups as shown, by name, and the rows that hide one.
struct Views {
    groups: Vec<GroupView>,
    unreadable: Vec<RowProblem>,
}

async fn views(controller: &Controller) -> Result<Views, StoreError> {
    let overview = controller.overview(false).await?;
    Ok(Views {
        groups: overview
            .groups(None)
            .filter_map(|(name, _)| controller.view_in(&overview, name))
            .collect(),
        unreadable: overview.unreadable.clone(),
    })
}

fn page(wellbeing: &Wellbeing, views: Option<&Views>) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Understudy</title>\n<style>",
    );
    page.push_str(STYLE);
    page.push_str("</style>\n</head>\n<body>\n<main>\n<h1>Understudy</h1>\n");
    let sweep = wellbeing.last_sweep.map_or_else(
        || "no sweep has ended yet".to_owned(),
        |at| format!("the last sweep ended at {}", time(at)),
    );
    let _ = writeln!(
        page,
        "<p>Seen from {}; {sweep}.</p>",
        escaped(wellbeing.vantage.as_str())
    );
    if !wellbeing.reasons.is_empty() {
        page.push_str("<section class=\"failing\">\n<h2>This app is not well</h2>\n");
        list(&mut page, &wellbeing.reasons);
        page.push_str("</section>\n");
    }
    match views {
        None => page.push_str("<p>The groups cannot be shown: the store does not answer.</p>\n"),
        Some(views) if views.groups.is_empty() => {
            page.push_str("<p>There is no group to show.</p>\n");
        }
        Some(views) => table(&mut page, &views.groups),
    }
    let unreadable = views.map_or(&[][..], |views| &views.unreadable);
    if !unreadable.is_empty() {
        page.push_str("<section class=\"failing\">\n<h2>Rows that cannot be read</h2>\n");
        let lines: Vec<String> = unreadable
            .iter()
            .map(|problem| format!("{}: {}", problem.key, problem.problem))
            .collect();
        list(&mut page, &lines);
        page.push_str("</section>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn table(page: &mut String, views: &[GroupView]) {
    let unwell = views
        .iter()
        .filter(|view| view.active_verdict() > Verdict::Degraded)
        .count();
    let moving = views
        .iter()
        .filter(|view| view.state.moving.is_some())
        .count();
    let _ = writeln!(
        page,
        "<table>\n<caption>{}, {moving} moving, {unwell} with an active site that is not well</caption>\n<thead><tr><th scope=\"col\">Group</th><th scope=\"col\">Active site</th><th scope=\"col\">Sites</th><th scope=\"col\">State</th></tr></thead>\n<tbody>",
        count(views.len(), "group")
    );
    for view in views {
        row(page, view);
    }
    page.push_str("</tbody>\n</table>\n");
}

fn row(page: &mut String, view: &GroupView) {
    let _ = write!(
        page,
        "<tr><th scope=\"row\">{}</th><td>{}<br>since {}, generation {}</td><td><ul>",
        escaped(view.name.as_str()),
        escaped(view.state.active().as_str()),
        time(view.state.since),
        view.state.generation
    );
    for site in &view.sites {
        let _ = write!(
            page,
            "<li>{}: <span class=\"{1}\">{1}</span></li>",
            escaped(site.site.as_str()),
            site.verdict.as_str()
        );
    }
    let _ = write!(page, "</ul></td><td>{}", render::phase(&view.state));
    if let Some(hold) = &view.hold {
        let _ = write!(
            page,
            "; held by {}: {}",
            hold.code.as_str(),
            escaped(&hold.message)
        );
    }
    let steps = steps(&view.state);
    if !steps.is_empty() {
        list(page, &steps);
    }
    page.push_str("<details><summary>Why</summary>");
    list(page, &view.explanation);
    page.push_str("</details></td></tr>\n");
}

/// What is started and stopped, and how far it is: by the move under way, then what earlier moves left.
fn steps(state: &GroupState) -> Vec<String> {
    let of_move = state.moving.iter().flat_map(|moving| {
        let site = |step: &Step| match step.stage {
            Stage::Activate => &moving.to,
            Stage::Retire => &moving.from,
        };
        moving.steps.iter().map(move |step| (step, site(step)))
    });
    let leftovers = state.leftovers.iter();
    let left = leftovers.flat_map(|rest| rest.steps.iter().map(|step| (step, &rest.site)));
    of_move
        .chain(left)
        .map(|(step, site)| {
            let detail = step.detail.as_ref();
            let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
            let state = step.state.as_str();
            format!("{} in {site}: {state}{detail}", step.name)
        })
        .collect()
}

fn list(page: &mut String, lines: &[String]) {
    page.push_str("<ul>");
    for line in lines {
        let _ = write!(page, "<li>{}</li>", escaped(line));
    }
    page.push_str("</ul>\n");
}

fn time(at: jiff::Timestamp) -> String {
    format!("<time datetime=\"{at}\">{at}</time>")
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
