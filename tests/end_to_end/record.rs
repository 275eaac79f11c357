//! Configuration against the record: what is configured may change, break or vanish, and so may rows;
//! what serves goes on.

use serde_json::{Value, json};
use understudy::sim::{Kind, Region};

use crate::handler::Handler;
use crate::stage::{
    Stage, ask, counted_round, entries, fire, fire_and_read, get, hasty, order, site,
    two_endpoints, until,
};

const GROUP: &str = "/api/groups/contoso";
const LOOKUP: &str = "/api/groups/contoso/active";

fn why() -> Value {
    json!({"reason": "the test says so"})
}

/// A group over these sites; every site's endpoint is contoso's in the region of that name.
fn group(stage: &Stage, name: &str, sites: &[&str]) -> String {
    let mut text = format!("[[groups]]\nname = \"{name}\"\n");
    for site in sites {
        let url = format!("{}/http/{site}/contoso-web", stage.sim.base_url());
        text.push_str(&format!(
            "[[groups.sites]]\nregion = \"{site}\"\n[[groups.sites.http]]\nname = \"web\"\nurl = \"{url}\"\n"
        ));
    }
    text
}

/// Three regions and the group contoso over the first two.
async fn contoso() -> Stage {
    let mut world = two_endpoints(&["contoso"]);
    world.regions.push(Region::new("francecentral"));
    world.add_endpoint(None, "francecentral", "contoso-web", 200, "well");
    let stage = Stage::set(world, hasty()).await;
    stage.configure_groups(&group(&stage, "contoso", &["westeurope", "northeurope"]));
    stage
}

/// Another configuration, and a process that reads it.
async fn reconfigured(stage: &Stage, before: Handler, groups: &str) -> Handler {
    before.kill();
    stage.configure_groups(groups);
    stage.handler().await
}

async fn reasons(app: &Handler) -> String {
    let health = ask(app, "GET", "/api/health", "").await;
    let reasons = health.body["reasons"].as_array().expect("reasons");
    assert_eq!(health.status == 200, reasons.is_empty(), "{health:?}");
    health.body["reasons"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_site_that_is_no_longer_configured_is_served_and_not_moved() {
    let stage = contoso().await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let before = get(&app, LOOKUP).await;
    let others = group(&stage, "contoso", &["northeurope", "francecentral"]);
    let app = reconfigured(&stage, app, &others).await;
    stage.sim.break_region("westeurope");
    for _ in 0..3 {
        counted_round(&app).await;
    }
    let shown = get(&app, LOOKUP).await;
    for what in ["site", "generation", "since", "ready", "accounts"] {
        assert_eq!(shown[what], before[what], "{what}");
    }
    let group = get(&app, GROUP).await;
    assert_eq!(group["hold"], Value::Null, "{group}");
    assert_eq!(site(&group, "westeurope")["verdict"], "misconfigured");
    assert_eq!(site(&group, "westeurope")["role"], Value::Null);
    assert_eq!(site(&group, "northeurope")["role"], "primary");
    let said = group["explanation"].to_string();
    assert!(said.contains("no longer configured"), "{said}");
    assert_eq!(
        get(&app, "/api/groups?verdict=misconfigured").await["groups"][0]["group"],
        "contoso"
    );

    let answer = order(&app, "contoso", "switchover", why()).await;
    answer.fails(409, "SourceUnfit");
    let group = order(&app, "contoso", "failover", why()).await.done();
    assert_eq!(group["active"], "northeurope");
    assert_eq!(group["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_configuration_is_bad_is_answered_from_its_record() {
    let stage = contoso().await;
    let app = stage.handler().await;
    order(&app, "contoso", "switchover", why()).await.done();
    let before = get(&app, LOOKUP).await;
    let groups = [
        group(&stage, "contoso", &["westeurope"]),
        group(&stage, "newco", &["westeurope", "northeurope"]).replace("http://", "ftp://"),
        group(&stage, "fabrikam", &["westeurope", "northeurope"]),
    ]
    .concat();
    let app = reconfigured(&stage, app, &groups).await;
    let shown = get(&app, LOOKUP).await;
    for what in ["site", "generation", "since", "ready", "accounts"] {
        assert_eq!(shown[what], before[what], "{what}");
    }
    let answered = get(&app, GROUP).await;
    assert_eq!(answered["mode"], Value::Null);
    assert_eq!(answered["active"], "northeurope");
    assert_eq!(entries(&app, "contoso", "switchover").await.len(), 1);
    let answer = order(&app, "contoso", "failback", why()).await;
    answer.fails(409, "GroupMisconfigured");
    for path in ["/api/groups/newco", "/api/groups/newco/active"] {
        ask(&app, "GET", path, "").await.fails(404, "GroupNotFound");
    }
    let answer = order(&app, "newco", "failback", why()).await;
    answer.fails(404, "GroupNotFound");
    let reasons = reasons(&app).await;
    assert!(reasons.contains("groups[0].sites"), "{reasons}");
    assert!(
        reasons.contains("groups[1].sites[0].http[0].url"),
        "{reasons}"
    );
    assert!(
        reasons.contains("groups[1].sites[1].http[0].url"),
        "{reasons}"
    );

    // The good one is served and moved.
    counted_round(&app).await;
    stage.sim.break_region("westeurope");
    until("the good group moves", async || {
        fire(&app).await;
        let shown = get(&app, "/api/groups/fabrikam").await;
        (shown["active"] == "northeurope").then_some(())
    })
    .await;
    assert_eq!(get(&app, GROUP).await["generation"], 1);
    let listed = get(&app, "/api/groups").await;
    assert_eq!(listed["groups"].as_array().unwrap().len(), 2, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_configuration_leaves_every_group_on_its_record() {
    let stage = contoso().await;
    let app = stage.handler().await;
    order(&app, "contoso", "switchover", why()).await.done();
    app.kill();
    let text = stage.configuration();
    stage.configure(&format!("{text}\n[[groups]\nname = fabrikam\n"));
    let app = stage.handler().await;
    assert_eq!(get(&app, LOOKUP).await["site"], "northeurope");
    assert_eq!(get(&app, GROUP).await["generation"], 1);
    let answer = order(&app, "contoso", "failback", why()).await;
    answer.fails(409, "GroupMisconfigured");
    ask(&app, "GET", "/api/groups/fabrikam/active", "")
        .await
        .fails(404, "GroupNotFound");
    let reasons = reasons(&app).await;
    assert!(reasons.contains("is not TOML here"), "{reasons}");
    assert!(!reasons.contains("AccountKey"), "{reasons}");
    fire(&app).await;
    assert_eq!(get(&app, GROUP).await["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_order_of_sites_changes_roles_and_never_the_active_site() {
    let stage = contoso().await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let since = get(&app, LOOKUP).await["since"].clone();
    let turned = group(&stage, "contoso", &["northeurope", "westeurope"]);
    let app = reconfigured(&stage, app, &turned).await;
    for _ in 0..2 {
        counted_round(&app).await;
    }
    let shown = get(&app, GROUP).await;
    assert_eq!(shown["active"], "westeurope");
    assert_eq!(shown["generation"], 0);
    assert_eq!(shown["since"], since);
    assert_eq!(shown["sites"][0]["site"], "northeurope");
    assert_eq!(shown["sites"][0]["role"], "primary");
    assert_eq!(site(&shown, "westeurope")["role"], "secondary");
    assert_eq!(shown["hold"], Value::Null, "{shown}");
    let group = order(&app, "contoso", "failback", why()).await.done();
    assert_eq!(group["active"], "northeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_made_by_the_tick_and_never_by_a_look() {
    let stage = contoso().await;
    let app = stage.handler().await;
    for path in [
        LOOKUP,
        GROUP,
        "/api/groups",
        "/api/groups/contoso/history",
        "/api/groups/contoso/active?min=0&after=5",
        "/api/status",
    ] {
        assert_eq!(ask(&app, "GET", path, "").await.status, 200, "{path}");
    }
    ask(&app, "GET", "/api/health", "").await;
    let shown = get(&app, LOOKUP).await;
    assert_eq!(shown["site"], "westeurope");
    assert_eq!(shown["generation"], 0);
    assert_eq!(stage.all_rows().await, []);
    assert_eq!(stage.sim.count(Kind::Endpoint), 0, "nor does it probe");
    fire(&app).await;
    let rows = stage.rows_of("group").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].properties["group"], "contoso");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_has_vanished_is_rebuilt_from_history_and_said() {
    let stage = contoso().await;
    let app = stage.handler().await;
    order(&app, "contoso", "switchover", why()).await.done();
    order(&app, "contoso", "failback", why()).await.done();
    order(&app, "contoso", "failover", why()).await.done();
    order(&app, "contoso", "pause", why()).await.done();
    app.kill();
    stage.remove_row("group.contoso").await;

    // A process that never knew the row does not fall back to the primary.
    let app = stage.handler().await;
    let shown = get(&app, LOOKUP).await;
    assert_eq!(shown["site"], "northeurope");
    assert_eq!(shown["generation"], 3);
    assert_eq!(stage.rows_of("group").await.len(), 0);
    let said = fire_and_read(&app).await.join("\n");
    assert!(said.contains("the row of contoso had vanished"), "{said}");
    assert!(said.contains("generation 3 on northeurope"), "{said}");
    let rows = stage.rows_of("group").await;
    assert_eq!(rows[0].properties["generation"], 3, "{:?}", rows[0]);
    assert_eq!(get(&app, GROUP).await["generation"], 3);
    let said = fire_and_read(&app).await.join("\n");
    assert!(!said.contains("vanished"), "it is said once: {said}");
    let group = order(&app, "contoso", "failback", why()).await.done();
    assert_eq!(group["generation"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_finds_the_generation_of_a_row_that_has_vanished() {
    let stage = contoso().await;
    let app = stage.handler().await;
    order(&app, "contoso", "switchover", why()).await.done();
    stage.remove_row("group.contoso").await;
    let other = stage.handler().await;
    let body = json!({"reason": "x", "ifGeneration": 0});
    let answer = order(&other, "contoso", "failback", body).await;
    answer.fails(412, "GenerationMismatch");
    let group = order(&other, "contoso", "failback", why()).await.done();
    assert_eq!(group["active"], "westeurope");
    assert_eq!(group["generation"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_renamed_or_removed_is_gone_and_the_new_one_starts_anew() {
    let stage = contoso().await;
    let app = stage.handler().await;
    order(&app, "contoso", "switchover", why()).await.done();
    let renamed = group(&stage, "northwind", &["westeurope", "northeurope"]);
    let app = reconfigured(&stage, app, &renamed).await;
    let before = stage.rows_of("group").await;
    fire(&app).await;
    for path in [GROUP, LOOKUP, "/api/groups/contoso/history"] {
        ask(&app, "GET", path, "").await.fails(404, "GroupNotFound");
    }
    let answer = order(&app, "contoso", "failback", why()).await;
    answer.fails(404, "GroupNotFound");
    let listed = get(&app, "/api/groups").await;
    assert_eq!(listed["groups"].as_array().unwrap().len(), 1);
    let shown = get(&app, "/api/groups/northwind").await;
    assert_eq!(shown["active"], "westeurope");
    assert_eq!(shown["generation"], 0);
    let after = stage.rows_of("group").await;
    assert_eq!(after.len(), 2);
    assert_eq!(after[0], before[0], "the old row is left alone");

    // Named as before, it is where it was.
    let back = group(&stage, "contoso", &["westeurope", "northeurope"]);
    let app = reconfigured(&stage, app, &back).await;
    assert_eq!(get(&app, LOOKUP).await["site"], "northeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_about_the_policy_stops_orders_nowhere_and_the_timer_everywhere() {
    let stage = contoso().await;
    let text = stage.configuration();
    stage.configure(&text.replace("hold = \"1s\"", "hold = \"soon\""));
    let app = stage.handler().await;
    counted_round(&app).await;
    assert!(reasons(&app).await.contains("policy.hold"));
    stage.sim.break_region("westeurope");
    let shown = until("it is held", async || {
        fire(&app).await;
        let shown = get(&app, GROUP).await;
        shown["hold"].is_object().then_some(shown)
    })
    .await;
    assert_eq!(shown["hold"]["code"], "ObserveMode", "{shown}");
    assert_eq!(get(&app, LOOKUP).await["generation"], 0);
    let shown = order(&app, "contoso", "failover", why()).await.done();
    assert_eq!(shown["active"], "northeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_serve_stays_up_and_goes_on_from_the_record() {
    let stage = contoso().await;
    let app = stage.handler().await;
    order(&app, "contoso", "switchover", why()).await.done();
    app.kill();
    let text: toml::Table = stage.configuration().parse().unwrap();
    let store = |key: &str| text["store"][key].as_str().unwrap();
    let settings = [
        (
            "UNDERSTUDY__STORE__CONNECTION_STRING",
            store("connection_string"),
        ),
        ("UNDERSTUDY__STORE__TABLE_PREFIX", store("table_prefix")),
    ];
    stage.lose_configuration();
    let app = stage.handler_with(&settings).await;
    assert_eq!(get(&app, LOOKUP).await["site"], "northeurope");
    let said = reasons(&app).await;
    assert!(said.contains("no such file"), "{said}");
    fire(&app).await;
    assert_eq!(get(&app, GROUP).await["generation"], 1);

    // Without the store as well it is up, and says both.
    let app = stage.handler().await;
    assert_eq!(ask(&app, "GET", "/", "").await.status, 200);
    let answer = ask(&app, "GET", LOOKUP, "").await;
    answer.fails(503, "StoreUnavailable");
    let said = reasons(&app).await;
    assert!(said.contains("no such file"), "{said}");
    assert!(said.to_lowercase().contains("store"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn app_settings_override_the_file() {
    let stage = contoso().await;
    let app = stage
        .handler_with(&[("UNDERSTUDY__POLICY__MODE", "observe")])
        .await;
    counted_round(&app).await;
    stage.sim.break_region("westeurope");
    until("it would move", async || {
        fire(&app).await;
        let shown = get(&app, GROUP).await;
        (shown["hold"]["code"] == "ObserveMode").then_some(())
    })
    .await;
    for _ in 0..2 {
        counted_round(&app).await;
    }
    let refused = entries(&app, "contoso", "refused").await;
    assert_eq!(
        refused.len(),
        1,
        "what would have happened, once: {refused:?}"
    );
    assert_eq!(refused[0]["to"], "northeurope");
    assert_eq!(refused[0]["hold"]["code"], "ObserveMode");
    assert_eq!(refused[0]["actor"], "understudy");

    let app = stage
        .handler_with(&[("UNDERSTUDY__POLICY__MODE", "maybe")])
        .await;
    let said = reasons(&app).await;
    assert!(said.contains("UNDERSTUDY__POLICY__MODE"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_notices_that_nobody_sweeps() {
    let stage = contoso().await;
    let often = [("UNDERSTUDY__CONTROLLER__SCHEDULE", "* * * * * *")];
    let app = stage.handler_with(&often).await;
    let health = until("it is noticed", async || {
        let health = ask(&app, "GET", "/api/health", "").await;
        (health.status == 503).then_some(health)
    })
    .await;
    let said = health.body["reasons"].to_string();
    assert!(said.contains("no sweep has ended yet"), "{said}");
    // The platform's timer has died; an outside scheduler does the same.
    let ticked = ask(&app, "POST", "/api/tick", "").await.done();
    assert_eq!(ticked["counted"], true);
    until("it is noticed", async || {
        let health = ask(&app, "GET", "/api/health", "").await;
        (health.status == 200).then_some(())
    })
    .await;
}
