//! What Azure reads beside the binary, carried inside it: `host.json` and every function's `function.json`, so
//! that `demo` and `package` work in any folder.

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
}
