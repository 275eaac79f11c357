//! Where the record is kept.

use understudy::model::deployment::{StoreSpec, TableAccess};
use understudy::model::secret::Secret;

use super::{GROUP, lines, load_with};

const KEYED: &str = "AccountName=acct;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net";

fn load(store: &str, settings: &[(&str, &str)]) -> (StoreSpec, Vec<String>, Vec<String>) {
    let loaded = load_with(format!("{store}\n{GROUP}"), settings);
    let (problems, warnings) = (lines(&loaded.problems), lines(&loaded.warnings));
    assert_eq!(
        matches!(loaded.settings.store, StoreSpec::Unusable(_)),
        !problems.is_empty(),
        "{problems:?}"
    );
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
    (loaded.settings.store, problems, warnings)
}

fn keyed(text: &str) -> StoreSpec {
    StoreSpec::Table {
        access: TableAccess::ConnectionString(Secret::new(text)),
        table: "understudystate".to_owned(),
    }
}

fn identity(endpoint: &str, table: &str) -> StoreSpec {
    StoreSpec::Table {
        access: TableAccess::Identity {
            endpoint: endpoint.to_owned(),
        },
        table: table.to_owned(),
    }
}

const NONE: [&str; 0] = [];

#[test]
fn good_ones() {
    let endpoint =
        "[store]\nendpoint = \"https://acct.table.core.windows.net/\"\ntable_prefix = \"mine\"";
    let (store, _, warnings) = load(endpoint, &[]);
    assert_eq!(
        store,
        identity("https://acct.table.core.windows.net", "minestate")
    );
    assert_eq!(warnings, NONE);

    let (store, _, warnings) = load("", &[("UNDERSTUDY__STORE__CONNECTION_STRING", KEYED)]);
    assert_eq!(store, keyed(KEYED));
    assert_eq!(warnings, NONE);

    let (store, _, warnings) = load("[store]\nkind = \"embedded\"", &[]);
    assert_eq!(
        store,
        StoreSpec::Embedded {
            path: "understudy-state".into()
        }
    );
    assert_eq!(warnings, NONE);

    let azurite = "UseDevelopmentStorage=true";
    let (store, ..) = load("", &[("UNDERSTUDY__STORE__CONNECTION_STRING", azurite)]);
    assert_eq!(store, keyed(azurite));
}

#[test]
fn the_hosts_own_storage_with_a_warning() {
    let warning = |name: &str| {
        format!(
            "store: neither endpoint nor connection_string is given: the app's own storage ({name}) keeps the record, and fails with the app's region; give it an account of its own"
        )
    };
    let (store, _, warnings) = load("", &[("AzureWebJobsStorage", KEYED)]);
    assert_eq!(store, keyed(KEYED));
    assert_eq!(warnings, [warning("AzureWebJobsStorage")]);

    let (store, _, warnings) = load("", &[("AzureWebJobsStorage__accountName", "acct")]);
    assert_eq!(
        store,
        identity("https://acct.table.core.windows.net", "understudystate")
    );
    assert_eq!(warnings, [warning("AzureWebJobsStorage__accountName")]);

    let uri = "https://acct.table.core.usgovcloudapi.net/";
    let both = [
        ("AzureWebJobsStorage__accountName", "other"),
        ("AzureWebJobsStorage__tableServiceUri", uri),
    ];
    let (store, _, warnings) = load("", &both);
    assert_eq!(
        store,
        identity(uri.trim_end_matches('/'), "understudystate")
    );
    assert_eq!(warnings, [warning("AzureWebJobsStorage__tableServiceUri")]);
}

#[test]
fn without_the_apps_settings_at_hand_it_is_a_warning() {
    let loaded = load_with(GROUP, &[]);
    assert_eq!(lines(&loaded.problems), NONE);
    let warnings = lines(&loaded.warnings);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("AzureWebJobsStorage, which is not set here"),
        "{warnings:?}"
    );
    assert!(matches!(loaded.settings.store, StoreSpec::Unusable(_)));
}

#[test]
fn bad_ones() {
    for (text, settings, problem) in [
        (
            "",
            &[("FUNCTIONS_CUSTOMHANDLER_PORT", "7000")][..],
            "store: does not say where the record is kept: give endpoint or connection_string, or kind = \"embedded\" for a trial on one machine",
        ),
        (
            "[store]\nendpoint = \"http://acct.example\"",
            &[],
            "2: store.endpoint: http:// is refused: a bearer token is sent there; write https:// (http:// is for loopback only)",
        ),
        (
            "[store]\nendpoint = \"https://acct.table.core.windows.net/?sv=1&sig=c2VjcmV0\"",
            &[],
            "2: store.endpoint: must be a base URL, without `?` and `#`",
        ),
        (
            "[store]\nendpoint = \"https://acct.example\"\nconnection_string = \"AccountName=a;AccountKey=c2VjcmV0\"",
            &[],
            "3: store.connection_string: endpoint and connection_string are both given: keep one",
        ),
        (
            "[store]\ntable_prefix = \"my-table\"\nconnection_string = \"UseDevelopmentStorage=true\"",
            &[],
            "2: store.table_prefix: `my-table` makes no table name: it must begin with a letter, hold only letters and digits (A-Z, a-z, 0-9), and be up to 58 long",
        ),
        (
            "",
            &[("UNDERSTUDY__STORE__CONNECTION_STRING", "c2VjcmV0")],
            "UNDERSTUDY__STORE__CONNECTION_STRING: store.connection_string: is not a connection string of a table service: it names no TableEndpoint and no AccountName",
        ),
        (
            "",
            &[(
                "UNDERSTUDY__STORE__CONNECTION_STRING",
                "AccountName=c2VjcmV0",
            )],
            "UNDERSTUDY__STORE__CONNECTION_STRING: store.connection_string: holds no AccountKey and no SharedAccessSignature; to use the managed identity give endpoint instead",
        ),
        (
            "",
            &[(
                "UNDERSTUDY__STORE__CONNECTION_STRING",
                "TableEndpoint=x;SharedAccessSignature=c2VjcmV0",
            )],
            "UNDERSTUDY__STORE__CONNECTION_STRING: store.connection_string: its TableEndpoint is not a URL",
        ),
        (
            "",
            &[
                (
                    "UNDERSTUDY__STORE__CONECTION_STRING",
                    "AccountName=a;AccountKey=c2VjcmV0",
                ),
                ("AzureWebJobsStorage", KEYED),
            ],
            "UNDERSTUDY__STORE__CONECTION_STRING: unknown key; did you mean `connection_string`?",
        ),
        (
            "",
            &[("AzureWebJobsStorage", "c2VjcmV0")],
            "AzureWebJobsStorage: is not a connection string of a table service: it names no TableEndpoint and no AccountName",
        ),
        (
            "[store]\nkind = \"embedded\"\npath = \"\"",
            &[],
            "3: store.path: is empty: name a folder",
        ),
        (
            "[store]\nkind = \"disk\"",
            &[("AzureWebJobsStorage", KEYED)],
            "2: store.kind: `disk` is not one of `table`, `embedded`",
        ),
    ] {
        let (store, problems, _) = load(text, settings);
        assert_eq!(problems, [problem]);
        let StoreSpec::Unusable(line) = store else {
            panic!("{store:?}");
        };
        assert!(line.ends_with(problem), "{line}");
    }
}

#[test]
fn unwise_ones() {
    for (text, settings, warning) in [
        (
            "[store]\nconnection_string = \"AccountName=a;AccountKey=c2VjcmV0\"",
            &[][..],
            "2: store.connection_string: a secret stands in the file: give it as app setting UNDERSTUDY__STORE__CONNECTION_STRING",
        ),
        (
            "",
            &[(
                "UNDERSTUDY__STORE__CONNECTION_STRING",
                "TableEndpoint=http://tables.example;AccountName=a;AccountKey=c2VjcmV0",
            )],
            "UNDERSTUDY__STORE__CONNECTION_STRING: store.connection_string: the table service is reached over http://, not encrypted",
        ),
        (
            "[store]\nendpoint = \"https://acct.example\"",
            &[("UNDERSTUDY__STORE__CONNECTION_STRING", KEYED)],
            "2: store.endpoint: is not used: an app setting gives the connection string",
        ),
        (
            "[store]\nendpoint = \"http://127.0.0.1:10002/devstoreaccount1\"",
            &[],
            "2: store.endpoint: http:// is not encrypted; on loopback that is good for trials",
        ),
        (
            "[store]\nkind = \"embedded\"",
            &[("WEBSITE_SITE_NAME", "app")],
            "2: store.kind: embedded keeps the record on this one machine: in Azure it is lost and not shared; use table",
        ),
        (
            "[store]\nkind = \"embedded\"\ntable_prefix = \"x\"",
            &[],
            "3: store.table_prefix: is not used with kind embedded",
        ),
        (
            "[store]\npath = \"x\"\nendpoint = \"https://acct.example\"",
            &[],
            "2: store.path: is used only with kind embedded",
        ),
    ] {
        let (store, _, warnings) = load(text, settings);
        assert!(!matches!(store, StoreSpec::Unusable(_)), "{store:?}");
        assert_eq!(warnings, [warning]);
    }
}

#[test]
fn an_endpoint_by_app_setting_wins_over_the_files_connection_string() {
    let settings = [("UNDERSTUDY__STORE__ENDPOINT", "https://acct.example")];
    let (store, _, warnings) = load(
        "[store]\nconnection_string = \"AccountName=a;AccountKey=c2VjcmV0\"",
        &settings,
    );
    assert_eq!(store, identity("https://acct.example", "understudystate"));
    assert_eq!(
        warnings,
        ["2: store.connection_string: is not used: an app setting gives the endpoint"]
    );
}

#[test]
fn another_service_of_the_same_account_is_asked_about() {
    for (host, warned) in [
        ("acct.blob.core.windows.net", true),
        ("acct.queue.core.windows.net", true),
        ("acct.table.core.windows.net", false),
        ("acct.table.cosmos.azure.com", false),
        ("blob.example.com", false),
    ] {
        let (_, _, warnings) = load(&format!("[store]\nendpoint = \"https://{host}\""), &[]);
        let told = warnings
            .iter()
            .any(|line| line.contains("https://acct.table.core.windows.net"));
        assert_eq!(told, warned, "{warnings:?}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_one_trail() {
    let loaded = load_with("[groups]]\nx\n", &[]);
    assert!(!loaded.problems.is_empty());
    assert_eq!(lines(&loaded.warnings), NONE);
}
