//! The handler's command line against what is known of the host.

use std::collections::BTreeMap;
use std::path::Path;

use understudy::local::command::{expand, of, variables, words};

use super::stage::host_json;

#[test]
fn arguments_are_split_at_spaces_and_only_double_quotes_group() {
    assert_eq!(
        words(r#"serve  now "a b" 'c d' x"y z" """#),
        ["serve", "now", "a b", "'c", "d'", "xy z", ""]
    );
    assert!(words("").is_empty());
}

#[test]
fn variables_are_filled_in_and_what_is_not_set_goes() {
    let environment = BTreeMap::from([("OWN".to_owned(), "a setting".to_owned())]);
    assert_eq!(expand("%OWN% %NOBODYS%x", &environment), "a setting x");
    assert_eq!(expand("50%", &environment), "50%");
}

#[test]
fn the_program_is_a_file_of_the_app_or_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut host = host_json(&["serve", "a b"]);
    host.arguments.push_str(" %FUNCTIONS_CUSTOMHANDLER_PORT%");
    let environment = variables(root, 4711, "id")
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    let line = of(root, &host, &environment);
    assert_eq!(line.program, Path::new("handler"));
    assert_eq!(line.arguments, ["serve", "a b", "4711"]);
    assert_eq!(line.directory, root);
    std::fs::create_dir(root.join("bin")).unwrap();
    std::fs::write(root.join("bin/handler"), "").unwrap();
    assert_eq!(of(root, &host, &environment).program, Path::new("handler"));
    host.worker_directory = Some("bin".to_owned());
    host.working_directory = Some("work".to_owned());
    let line = of(root, &host, &environment);
    assert_eq!(line.program, root.join("bin/handler"));
    assert_eq!(line.directory, root.join("work"));
}

#[test]
fn five_variables_are_added() {
    let added: BTreeMap<&str, String> = variables(Path::new("/app"), 7, "id").into();
    let expected = [
        ("FUNCTIONS_APP_ROOT_PATH", "/app"),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "7"),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "id"),
        ("FUNCTIONS_HTTPWORKER_ID", "id"),
        ("FUNCTIONS_HTTPWORKER_PORT", "7"),
    ];
    assert_eq!(
        added,
        expected
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    );
}
