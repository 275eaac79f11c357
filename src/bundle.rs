//! What Azure reads beside the binary, carried inside it: `host.json` and every function's `function.json`, so
//! that `demo` and `package` work in any folder.

use serde_json::{Value, json};

/// The repository's `host.json`.
pub const HOST_JSON: &str = include_str!("../host.json");

/// The timer function, whose schedule the configuration sets.
pub const TIMER: &str = "HealthCheck";

/// Every function's name with its `function.json`, in the order of names.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("Active", include_str!("../functions/Active/function.json")),
    ("Alert", include_str!("../functions/Alert/function.json")),
    ("Groups", include_str!("../functions/Groups/function.json")),
    ("Health", include_str!("../functions/Health/function.json")),
    (
        "HealthCheck",
        include_str!("../functions/HealthCheck/function.json"),
    ),
    ("Order", include_str!("../functions/Order/function.json")),
    ("Status", include_str!("../functions/Status/function.json")),
    ("Tick", include_str!("../functions/Tick/function.json")),
];

/// A timer's `function.json` with this schedule.
///
/// # Errors
/// What is wrong with the file, in a line for people.
pub fn with_schedule(text: &str, schedule: &str) -> Result<String, String> {
    let mut root: Value =
        serde_json::from_str(text).map_err(|error| format!("it is not valid JSON: {error}"))?;
    let bindings = root.get_mut("bindings").and_then(Value::as_array_mut);
    let mut timers = bindings
        .into_iter()
        .flatten()
        .filter(|binding| binding["type"] == json!("timerTrigger"))
        .peekable();
    if timers.peek().is_none() {
        return Err("it has no timerTrigger to give the configured schedule to".to_owned());
    }
    for timer in timers {
        timer["schedule"] = json!(schedule);
    }
    Ok(format!("{root:#}\n"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_is_the_folders_listing() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions");
        let listed: BTreeMap<String, String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let text = std::fs::read_to_string(entry.path().join("function.json")).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        let carried: BTreeMap<String, String> = FUNCTIONS
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        assert_eq!(carried, listed);
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn a_schedule_changes_nothing_but_the_schedule() {
        let (_, text) = FUNCTIONS.iter().find(|(name, _)| *name == TIMER).unwrap();
        let mut expected: Value = serde_json::from_str(text).unwrap();
        assert_ne!(expected["bindings"][0]["schedule"], "0 */5 * * * *");
        expected["bindings"][0]["schedule"] = json!("0 */5 * * * *");
        let changed = with_schedule(text, "0 */5 * * * *").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&changed).unwrap(), expected);
    }

    #[test]
    fn only_a_timer_has_a_schedule() {
        let (_, http) = FUNCTIONS[0];
        assert!(
            with_schedule(http, "x")
                .unwrap_err()
                .contains("no timerTrigger")
        );
        assert!(
            with_schedule("{", "x")
                .unwrap_err()
                .contains("not valid JSON")
        );
    }
}
