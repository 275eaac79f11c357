//! `function.json` against what is known of the host: names, bindings, settings in them, what disables, what is refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use understudy::local::function_json::{
    Function, HttpTrigger, Level, Loaded, Output, Source, Timer, Trigger, find_in, load, read,
};
use understudy::local::host_json::{self, HostJson};

fn host(more: Value) -> HostJson {
    let mut root =
        json!({"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "x"}}});
    for (name, value) in more.as_object().unwrap() {
        root[name] = value.clone();
    }
    host_json::read(&root.to_string(), &BTreeMap::new()).unwrap()
}

fn one(name: &str, config: &Value, settings: &[(&str, &str)]) -> Result<Option<Function>, String> {
    let settings = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    read(
        &Source::new(name, &config.to_string()),
        &host(json!({})),
        &settings,
    )
}

fn timer() -> Value {
    json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "%WHEN%"}]})
}

fn http(route: &str) -> Value {
    json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "methods": ["get"], "route": route},
        {"type": "http", "direction": "out", "name": "res"},
    ]})
}

fn as_timer(function: Result<Option<Function>, String>) -> Timer {
    match function.unwrap().unwrap().trigger {
        Trigger::Timer(timer) => timer,
        Trigger::Http(_) => panic!("a timer"),
    }
}

fn as_http(function: Result<Option<Function>, String>) -> HttpTrigger {
    match function.unwrap().unwrap().trigger {
        Trigger::Http(http) => http,
        Trigger::Timer(_) => panic!("http"),
    }
}

/// The file with one member of its first binding set, or taken away.
fn edited(mut config: Value, member: &str, value: Value) -> Value {
    config["bindings"][0][member] = value;
    config
}

#[test]
fn a_timer_and_its_defaults() {
    let plain = as_timer(one("Beat", &timer(), &[("WHEN", "0 */5 * * * *")]));
    assert_eq!(
        (plain.binding.as_str(), plain.schedule.to_string().as_str()),
        ("timer", "0 */5 * * * *")
    );
    assert!(plain.use_monitor && !plain.run_on_startup);
    let now = "2026-11-22T02:36:16Z".parse().unwrap();
    assert!(plain.is_monitored(now));
    let off = edited(timer(), "useMonitor", json!(false));
    let off = as_timer(one("Beat", &off, &[("WHEN", "0 */5 * * * *")]));
    assert!(!off.is_monitored(now));
    let fast = as_timer(one("Beat", &timer(), &[("WHEN", "*/30 * * * * *")]));
    assert!(fast.use_monitor && !fast.is_monitored(now));
    let eager = edited(timer(), "runOnStartup", json!(true));
    assert!(as_timer(one("Beat", &eager, &[("WHEN", "00:01:00")])).run_on_startup);
}

#[test]
fn an_http_trigger_and_its_defaults() {
    assert_eq!(
        as_http(one("Active", &http("/groups/{group}/active/"), &[])),
        HttpTrigger {
            binding: "req".to_owned(),
            output: Some(Output {
                name: "res".to_owned(),
                is_binary: false
            }),
            level: Level::Function,
            route: "groups/{group}/active".to_owned(),
            methods: vec!["GET".to_owned()],
            is_pure: true,
        }
    );
    let bare =
        json!({"bindings": [{"type": "HTTPTRIGGER", "name": "req", "authLevel": "Anonymous"}]});
    let bare = as_http(one("Active", &bare, &[]));
    assert_eq!(
        (bare.route.as_str(), bare.level, bare.is_pure),
        ("Active", Level::Anonymous, false)
    );
    assert!(bare.output.is_none() && bare.methods.is_empty());
    let mut two = http("x");
    let second =
        json!({"type": "http", "direction": "out", "name": "$return", "dataType": "binary"});
    two["bindings"].as_array_mut().unwrap().push(second);
    assert!(!as_http(one("Active", &two, &[])).is_pure, "two outputs");
}

#[test]
fn what_the_host_refuses_disables_only_this_function() {
    let http = || http("x");
    let timer = || edited(timer(), "schedule", json!("0 * * * * *"));
    let mut twice = http();
    twice["bindings"][1]["name"] = json!("REQ");
    let mut two_triggers = http();
    two_triggers["bindings"][1] = timer()["bindings"][0].clone();
    for (config, says) in [
        (json!([]), "no \"bindings\""),
        (
            json!({"bindings": []}),
            "At least one binding must be declared.",
        ),
        (
            json!({"Bindings": http()["bindings"]}),
            "At least one binding must be declared.",
        ),
        (
            json!({"bindings": [{"type": "http", "direction": "out", "name": "res"}]}),
            "0 of its bindings are triggers",
        ),
        (two_triggers, "2 of its bindings are triggers"),
        (twice, "Multiple bindings named"),
        (
            edited(http(), "name", json!("my_req")),
            "The binding name my_req is invalid.",
        ),
        (
            edited(http(), "name", json!("")),
            "The binding name  is invalid.",
        ),
        (
            edited(http(), "direction", json!("out")),
            "has direction out, not in",
        ),
        (
            edited(http(), "type", json!("queueTrigger")),
            "are not registered",
        ),
        (
            edited(http(), "type", json!("manualTrigger")),
            "needs the real host",
        ),
        (
            edited(http(), "authLevel", json!("everyone")),
            "AuthorizationLevel",
        ),
        (
            edited(http(), "methods", json!("get")),
            "methods is no list",
        ),
        (
            edited(http(), "route", json!("administrators")),
            "built in routes",
        ),
        (
            edited(http(), "route", json!("/Runtime/x")),
            "built in routes",
        ),
        (
            edited(http(), "route", json!("%NOBODYS%")),
            "'%NOBODYS%' does not resolve to a value.",
        ),
        (
            edited(http(), "route", json!("50%")),
            "does not have a closing '%'",
        ),
        (
            edited(timer(), "schedule", json!("every minute")),
            "was not recognized",
        ),
        (
            edited(timer(), "schedule", json!(null)),
            "was not recognized",
        ),
        (
            edited(timer(), "useMonitor", json!("perhaps")),
            "true or false",
        ),
        (
            json!({"bindings": timer()["bindings"], "retry": {"strategy": "fixedDelay"}}),
            "maxRetryCount",
        ),
    ] {
        let error = one("Active", &config, &[]).unwrap_err();
        assert!(error.contains(says), "{config}: {error}");
    }
}

#[test]
fn names_are_the_hosts() {
    let long = "a".repeat(129);
    for bad in [
        "host",
        "HOST",
        "9lives",
        "my.function",
        "Groß",
        "",
        long.as_str(),
    ] {
        let error = one(bad, &http("x"), &[]).unwrap_err();
        assert!(error.contains("not a valid function name"), "{bad}");
    }
    for good in ["A", "my_function-2", "hosts", &long[1..]] {
        assert!(one(good, &http("x"), &[]).is_ok(), "{good}");
    }
}

#[test]
fn settings_and_the_file_disable() {
    for (key, value) in [
        ("AzureWebJobs.Active.Disabled", "true"),
        ("AzureWebJobs_Active_Disabled", "1"),
        ("azurewebjobs_active_disabled", "True"),
    ] {
        let function = one("Active", &http("x"), &[(key, value)]).unwrap();
        assert!(function.is_none(), "{key}");
    }
    let other = [
        ("AzureWebJobs.Groups.Disabled", "true"),
        ("AzureWebJobs.Active.Disabled", "no"),
    ];
    assert!(one("Active", &http("x"), &other).unwrap().is_some());
    let mut off = http("x");
    off["Disabled"] = json!(true);
    assert!(one("Active", &off, &[]).unwrap().is_none());
    off["Disabled"] = json!("IS_OFF");
    let is_loaded = |settings: &[(&str, &str)]| one("Active", &off, settings).unwrap().is_some();
    assert!(!is_loaded(&[("IS_OFF", "1")]) && !is_loaded(&[("is_off", "True")]));
    assert!(is_loaded(&[]) && is_loaded(&[("IS_OFF", "no")]));
}

#[test]
fn a_policy_of_its_own_goes_before_the_apps() {
    let policy = |count: u32| json!({"strategy": "fixedDelay", "maxRetryCount": count, "delayInterval": "00:00:01"});
    let app = host(json!({"retry": policy(1)}));
    let mut own = http("x");
    let times = |config: &Value| {
        let function = read(
            &Source::new("A", &config.to_string()),
            &app,
            &BTreeMap::new(),
        );
        function.unwrap().unwrap().retry.unwrap().times
    };
    assert_eq!(times(&own), Some(1));
    own["retry"] = policy(2);
    assert_eq!(times(&own), Some(2));
}

fn loaded(functions: &[(&str, Value)], host: &HostJson) -> Result<Loaded, String> {
    let sources: Vec<Source> = functions
        .iter()
        .map(|(name, config)| Source::new(name, &config.to_string()))
        .collect();
    load(&sources, host, &BTreeMap::new())
}

fn names(loaded: &Loaded) -> Vec<&str> {
    let names = loaded.functions.iter();
    names.map(|function| function.name.as_str()).collect()
}

#[test]
fn the_rest_is_loaded_in_the_order_of_names() {
    let functions = [
        ("zebra", http("z")),
        ("Beta", json!({})),
        ("alpha", http("{*any}")),
        ("Zoo", http("Z")),
        ("off", json!({"disabled": true})),
    ];
    let all = loaded(&functions, &host(json!({}))).unwrap();
    assert_eq!(names(&all), ["alpha", "zebra"]);
    assert_eq!(all.disabled, ["off"]);
    assert!(all.errors["Beta"].contains("At least one binding"));
    assert!(
        all.errors["Zoo"].contains("conflicts with the route defined by function 'zebra'"),
        "{:?}",
        all.errors
    );
    assert_eq!(all.routes.find("GET", "/api/z").unwrap().function, "alpha");
    let few = host(json!({"functions": ["ZEBRA"]}));
    assert_eq!(names(&loaded(&functions, &few).unwrap()), ["zebra"]);
}

#[test]
fn routes_in_host_json_and_function_files_exclude_each_other() {
    let host = host(json!({"configurationProfile": "web-app-custom-handler"}));
    let error = loaded(&[("A", http("a"))], &host).unwrap_err();
    assert!(
        error.contains("Detected both function.json files"),
        "{error}"
    );
}

#[test]
fn other_kinds_need_a_bundle_and_then_the_real_host() {
    let config = edited(http("x"), "type", json!("queueTrigger"));
    let bundled = host(json!({"extensionBundle": {"id": "b", "version": "[4.*, 5.0.0)"}}));
    let all = loaded(&[("A", config)], &bundled).unwrap();
    assert!(all.errors["A"].contains("need the real host"));
}

#[test]
fn only_direct_folders_count_and_a_script_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let mut config = http("x");
    config["scriptFile"] = json!("run.sh");
    write("A/function.json", &format!("// a comment\n{config}"));
    write("deeper/B/function.json", &config.to_string());
    write("static/page.html", "");
    let found = find_in(folder.path()).unwrap();
    assert_eq!(found.len(), 1);
    let try_it = || read(&found[0], &host(json!({})), &BTreeMap::new());
    assert!(try_it().unwrap_err().contains("Invalid script file name"));
    write("A/run.sh", "");
    assert!(try_it().unwrap().is_some());
}

#[test]
fn what_cannot_be_read_is_told_and_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("A");
    std::fs::create_dir(&own).unwrap();
    assert_eq!(find_in(folder.path()).unwrap(), []);
    assert_eq!(find_in(&folder.path().join("nowhere")).unwrap(), []);
    // A file that leads to itself is there and cannot be read, not even by the superuser.
    std::os::unix::fs::symlink("function.json", own.join("function.json")).unwrap();
    let why = find_in(folder.path()).unwrap_err();
    assert!(why.contains("A/function.json cannot be read"), "{why}");
}

#[test]
fn a_setting_is_found_in_any_case() {
    let found = one("T", &timer(), &[("When", "00:00:30")]);
    assert_eq!(as_timer(found).schedule.to_string(), "00:00:30");
}
