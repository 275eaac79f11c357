//! The verbs that only look: `status`, `show`, `history`, `explain`.

use serde_json::Value;

use super::Printed;
use super::args::Filter;
use super::client::{Api, Reply};
use super::failure::Failure;
use super::render;
use super::shapes::{Entry, Group, GroupPage, HistoryPage};
use super::signals;

/// Every group that matches, all pages of them.
pub(super) async fn status(api: &Api, filter: &Filter, json: bool) -> Printed {
    let filters: Vec<(&str, &str)> = [
        ("tenant", &filter.tenant),
        ("phase", &filter.phase),
        ("verdict", &filter.verdict),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
    .collect();
    let replies = pages(api, &["groups"], &filters, json, true).await?;
    if json {
        return merged(replies, "groups");
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut unreadable = Vec::new();
    for reply in &replies {
        let page: GroupPage = reply.read()?;
        groups.extend(page.groups);
        unreadable = page.unreadable;
    }
    let mut text = render::status(&groups, !filters.is_empty());
    if !groups.is_empty() && groups.iter().all(|one| one.active_verdict() == "unknown") {
        let address = api.address();
        text.push_str(&format!(
            "Nothing is known of any active site. Has a round ended, and lately? {address}/health says when the last one \
             did; the timer makes them, and POST {address}/tick makes one now.\n"
        ));
    }
    for row in unreadable {
        text.push_str(&format!(
            "row {} cannot be read: {}\n",
            row.row, row.message
        ));
    }
    text.push_str(&api.unwell().await);
    Ok(text)
}

/// One group.
pub(super) async fn show(api: &Api, group: &str, json: bool) -> Printed {
    let reply = api.get(&["groups", group], &[], json).await?;
    let read: Group = reply.read()?;
    Ok(if json {
        reply.body
    } else {
        render::group(&read)
    })
}

/// A group's history: its newest page, or all of it.
pub(super) async fn history(api: &Api, group: &str, all: bool, json: bool) -> Printed {
    let replies = pages(api, &["groups", group, "history"], &[], json, all).await?;
    if json {
        return merged(replies, "entries");
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut more = false;
    for reply in &replies {
        let page: HistoryPage = reply.read()?;
        more = page.next.is_some();
        entries.extend(page.entries);
    }
    let mut text = render::history(group, &entries);
    if more {
        text.push_str(&format!(
            "\nThere is more: `understudy history {group} --all`\n"
        ));
    }
    Ok(text)
}

/// Why a group is where it is.
pub(super) async fn explain(api: &Api, group: &str, json: bool) -> Printed {
    let reply = api.get(&["groups", group], &[], json).await?;
    let read: Group = reply.read()?;
    if json {
        return Ok(reply.body);
    }
    if read.explanation.is_empty() {
        return Err(Failure::Failed(format!(
            "the app at {} explains nothing; `understudy show {group}` shows what it knows",
            api.address()
        )));
    }
    let mut text = String::new();
    for sentence in &read.explanation {
        text.push_str(&signals::with_short_ids(sentence));
        text.push('\n');
    }
    text.push_str(&api.unwell().await);
    Ok(text)
}

/// The first page, or all of them. A page that names itself as the next ends the walk.
async fn pages(
    api: &Api,
    path: &[&str],
    query: &[(&str, &str)],
    json: bool,
    all: bool,
) -> Result<Vec<Reply>, Failure> {
    let mut replies = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        if let Some(token) = &next {
            query.push(("next", token));
        }
        let reply = api.get(path, &query, json).await?;
        let after = reply
            .read::<Value>()?
            .get("next")
            .and_then(Value::as_str)
            .map(str::to_owned);
        replies.push(reply);
        if !all || after.is_none() {
            return Ok(replies);
        }
        if after == next {
            return Err(Failure::Failed(
                "the app gives the same page again and again; this is a fault of the app"
                    .to_owned(),
            ));
        }
        next = after;
    }
}

/// One page as it came; several as one answer of the same shape.
fn merged(replies: Vec<Reply>, list: &str) -> Printed {
    let mut items: Vec<Value> = Vec::new();
    let mut whole = Value::Null;
    let single = replies.len() == 1;
    for reply in replies {
        let mut page: Value = reply.read()?;
        let Some(Value::Array(found)) = page.get_mut(list).map(Value::take) else {
            return Err(Failure::Failed(format!(
                "the answer has no `{list}`, so it is none of Understudy's: is --url right?"
            )));
        };
        if single {
            return Ok(reply.body);
        }
        items.extend(found);
        whole = page;
    }
    if let Some(place) = whole.get_mut(list) {
        *place = Value::Array(items);
    }
    Ok(whole.to_string())
}
