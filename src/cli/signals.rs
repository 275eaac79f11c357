//! The signals of a group for people: a few short lines for each, since ids of Azure are longer than a row of
//! a table can be.

use super::render::{maybe, maybe_time, plain};
use super::shapes::Signal;
use crate::model::signal::short_id;

/// No line is longer, so that it fits on a terminal of 100 columns.
const WIDTH: usize = 100;
/// How far what belongs to a signal stands behind its id.
const INDENT: &str = "    ";

/// Every signal: its id, what it says of which site, whether that counts, of what it speaks, how long it lives.
pub(super) fn list(signals: &[Signal], active: &str) -> String {
    let mut text = "signals\n".to_owned();
    for signal in signals {
        push(&mut text, "  ", &name(&signal.id));
        push(&mut text, INDENT, &weight(signal, active));
        if let Some(service) = &signal.service {
            push(&mut text, INDENT, &format!("of {}", resource(service)));
        }
        let (received, expires) = (
            maybe_time(signal.received_at.as_ref()),
            maybe_time(signal.expires_at.as_ref()),
        );
        push(
            &mut text,
            INDENT,
            &format!("received {received}, expires {expires}"),
        );
    }
    text
}

/// Its kind and stage, the site that it speaks of, and what that is worth.
fn weight(signal: &Signal, active: &str) -> String {
    let kind = plain(&signal.kind);
    let stage = match &signal.stage {
        Some(_) if signal.is_unclear => "unclear".to_owned(),
        stage => maybe(stage.as_ref()),
    };
    // An app that tells no site tells the region, by which a site is named unless it was given another name.
    let site = signal.site.as_ref().or(signal.region.as_ref());
    let about = site.map_or_else(String::new, |site| format!(" about {}", plain(site)));
    let said = format!("{kind}, {stage}{about}");
    if stage == "resolved" {
        return said;
    }
    let worth = match (signal.is_evidence, &signal.why) {
        (Some(true), _) if site.is_none_or(|site| site == active) => "evidence".to_owned(),
        (Some(true), _) => "no evidence while another site is active".to_owned(),
        (Some(false), Some(why)) => format!("only recorded: {}", plain(why)),
        (Some(false), None) => "only recorded".to_owned(),
        (None, _) => return said,
    };
    format!("{said}: {worth}")
}

/// The last part of an id of Azure. `--json` has all of it.
fn name(id: &str) -> String {
    short_id(&plain(id)).to_owned()
}

/// A text in which what the app wrote names alerts, with the last part of each id of Azure. A comma or the like
/// behind it stays.
pub(super) fn with_short_ids(text: &str) -> String {
    let words: Vec<String> = plain(text)
        .split(' ')
        .map(|word| {
            if !word.to_ascii_lowercase().starts_with("/subscriptions/") {
                return word.to_owned();
            }
            let id = word.trim_end_matches([',', ';', '.', ':', ')']);
            let rest = word.get(id.len()..).unwrap_or_default();
            format!("{}{rest}", short_id(id))
        })
        .collect();
    words.join(" ")
}

/// A service's name; of a resource id what follows its subscription and resource group.
fn resource(service: &str) -> String {
    let service = plain(service);
    match service.to_ascii_lowercase().rfind("/providers/") {
        Some(at) if service.starts_with('/') => {
            let rest = at + "/providers/".len();
            service.get(rest..).unwrap_or(&service).to_owned()
        }
        _ => service,
    }
}

/// Adds this text in lines of at most [`WIDTH`], broken between words; a longer word is broken anywhere.
fn push(text: &mut String, indent: &str, what: &str) {
    let room = WIDTH - indent.len();
    let mut line = String::new();
    let mut lines = Vec::new();
    for word in what.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if !line.is_empty() && line.chars().count() + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > room {
            let rest = word.split_off(room);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    lines.push(line);
    for line in lines {
        text.push_str(indent);
        text.push_str(&line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words_and_a_word_that_is_too_long_anywhere() {
        let mut text = String::new();
        push(
            &mut text,
            "  ",
            &format!("{} end", "word ".repeat(30).trim_end()),
        );
        push(&mut text, "  ", &"x".repeat(250));
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert!(text.lines().all(|line| line.starts_with("  ")), "{text}");
        let joined: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(joined.len(), 5, "{text}");
        assert_eq!(joined[2..].concat(), "x".repeat(250));
    }

    #[test]
    fn what_is_no_resource_id_is_left_alone() {
        assert_eq!(name("4KX9-B10"), "4KX9-B10");
        assert_eq!(name("a/b"), "a/b");
        assert_eq!(name("/subscriptions/1/alerts/2"), "2");
        assert_eq!(
            with_short_ids(
                "Alert /subscriptions/1/alerts/2, /Subscriptions/1/alerts/3; failed: a/b"
            ),
            "Alert 2, 3; failed: a/b"
        );
        let service = "Azure Applied AI Services \\ Azure Video Indexer";
        assert_eq!(resource(service), service);
    }
}
