//! The schema, the example and the page about settings say the same as the code.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use understudy::config::{self, check};
use understudy::model::policy::Policy;

use super::{GROUP, STORE, env, load_text};

const EXAMPLE: &str = include_str!("../../understudy.example.toml");
const PAGE: &str = include_str!("../../docs/configuration.md");

/// `(path of keys, its schema)`, lists without their index.
fn keys(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        found.push((path.clone(), value.clone()));
        keys(value, &path, found);
        keys(&value["items"], &path, found);
    }
}

fn all_keys() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    keys(&config::schema(), "", &mut found);
    found
}

#[test]
fn is_a_2020_12_schema_in_which_every_key_is_described_and_none_is_unknown() {
    let schema = config::schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let text = schema.to_string();
    assert!(!text.contains("null") && !text.contains("$ref"), "{text}");
    let all = all_keys();
    assert!(all.len() > 60, "{}", all.len());
    for (path, value) in all {
        assert!(value["description"].is_string(), "{path} {value}");
        assert!(
            value["type"].is_string() || value["oneOf"].is_array(),
            "{path} {value}"
        );
        if value["properties"].is_object() {
            assert_eq!(value["additionalProperties"], json!(false), "{path}");
        }
    }
}

#[test]
fn defaults_of_the_policy_are_those_in_force() {
    let mut text = "[policy]\n".to_owned();
    let mut count = 0;
    for (path, value) in all_keys() {
        let Some(key) = path.strip_prefix("policy.") else {
            continue;
        };
        if let Some(default) = value.get("default") {
            text.push_str(&format!("{key} = {default}\n"));
            count += 1;
        }
    }
    assert_eq!(
        count, 15,
        "all but fail_window, which follows fail_threshold"
    );
    let loaded = load_text(format!("{text}{STORE}{GROUP}"));
    assert_eq!(loaded.problems, []);
    let groups = &loaded.settings.deployment.groups;
    assert_eq!(groups.values().next().unwrap().policy, Policy::default());
}

#[test]
fn a_groups_own_policy_has_no_defaults_but_what_it_inherits() {
    let inherited = all_keys()
        .into_iter()
        .filter(|(path, _)| path.starts_with("groups.policy."))
        .collect::<Vec<_>>();
    assert_eq!(inherited.len(), 16);
    assert!(
        inherited
            .iter()
            .all(|(_, value)| value.get("default").is_none())
    );
}

#[test]
fn secrets_are_marked() {
    let secret: BTreeSet<String> = all_keys()
        .into_iter()
        .filter(|(_, value)| value["writeOnly"] == json!(true))
        .map(|(path, _)| path)
        .collect();
    let expected = [
        "groups.sites.media_services.token",
        "store.connection_string",
    ];
    assert_eq!(secret, expected.map(str::to_owned).into());
}

#[test]
fn the_example_is_good_and_every_key_of_it_is_known() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("understudy.example.toml");
    let checked = check(&path, &env(&[]));
    assert_eq!(checked.problems, []);
    // Whoever leaves the example's ids as they are is told.
    let other =
        (checked.warnings.iter()).filter(|finding| !finding.message.contains("placeholder"));
    assert_eq!(other.count(), 0, "{:?}", checked.warnings);
    let known: BTreeSet<String> = all_keys().into_iter().map(|(path, _)| path).collect();
    let table: toml::Table = EXAMPLE.parse().unwrap();
    let mut used = Vec::new();
    paths(&toml::Value::Table(table), "", &mut used);
    assert!(used.len() > 20);
    for path in used {
        assert!(known.contains(&path), "{path}");
    }
}

fn paths(value: &toml::Value, path: &str, found: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                found.push(path.clone());
                paths(value, &path, found);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| paths(item, path, found)),
        _ => {}
    }
}

#[test]
fn the_page_tells_every_key_with_its_default() {
    for (path, value) in all_keys() {
        let key = path.rsplit('.').next().unwrap();
        let row = PAGE
            .lines()
            .filter(|line| line.starts_with(&format!("| `{key}` |")))
            .collect::<Vec<_>>();
        let is_table = value["properties"].is_object() || value["items"]["properties"].is_object();
        if is_table {
            continue;
        }
        assert!(!row.is_empty(), "{path} is not told");
        if let Some(default) = value.get("default") {
            let shown = format!("`{default}`").replace(',', ", ");
            assert!(
                row.iter().any(|row| row.contains(&shown)),
                "{path}: {shown} is not in {row:?}"
            );
        }
    }
}
