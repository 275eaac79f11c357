//! Rows that people or newer versions wrote, and a store that goes away and comes back.

use std::time::Duration;

use serde_json::json;

use crate::azurite::Azurite;
use crate::handler::Handler;
use crate::stage::{
    Stage, ask, counted_round, fire, fire_and_read, get, hasty, order, two_endpoints, until,
    until_within,
};
use crate::table_proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn junk_rows_are_reported_left_alone_and_stop_no_other_group() {
    let groups = ["contoso", "fabrikam", "litware", "newer"];
    let stage = Stage::set(two_endpoints(&groups), hasty()).await;
    let app = stage.handler().await;
    // The table is made by the first write.
    order(&app, "contoso", "pause", json!({"reason": "x"})).await;
    order(&app, "contoso", "resume", json!({})).await;
    let junk = [
        ("group.fabrikam", json!({"hello": "world"})),
        (
            "group.litware",
            json!({"layoutVersion": 1, "group": "litware", "state": "{\"a\":"}),
        ),
        (
            "group.newer",
            json!({"layoutVersion": 2, "group": "newer", "state": "{}"}),
        ),
        (
            "group.nobody",
            json!({"layoutVersion": 1, "group": "contoso", "state": "[]"}),
        ),
        ("group._zz", json!({"x": true})),
        ("beat.elsewhere.1", json!({"vantage": 7})),
        ("alert.junk", json!({"alert": "no"})),
        ("dump", json!({"who": "me"})),
        (
            "history.contoso.0000000000000.99.junk",
            json!({"entry": "no"}),
        ),
    ];
    for (key, properties) in &junk {
        stage.put_row(key, properties.clone()).await;
    }
    let before = stage.all_rows().await;
    let mut said = String::new();
    for _ in 0..2 {
        said = fire_and_read(&app).await.join("\n");
    }
    for (key, _) in junk.iter().filter(|(key, _)| !key.starts_with("history")) {
        assert!(said.contains(&format!("row {key}")), "{key}: {said}");
    }
    for group in ["fabrikam", "litware", "newer"] {
        for path in ["", "/active"] {
            let path = format!("/api/groups/{group}{path}");
            let answer = ask(&app, "GET", &path, "").await;
            answer.fails(503, "StoreUnavailable");
            let said = answer.body["error"]["message"].as_str().unwrap();
            assert!(said.contains(&format!("group.{group}")), "{said}");
        }
        let what = json!({"reason": "x", "force": true});
        let answer = order(&app, group, "failover", what).await;
        answer.fails(503, "StoreUnavailable");
    }
    // The others are served, and moved.
    counted_round(&app).await;
    stage.sim.break_region("westeurope");
    until("contoso moves", async || {
        fire(&app).await;
        let shown = get(&app, "/api/groups/contoso/active").await;
        (shown["site"] == "northeurope").then_some(())
    })
    .await;
    let listed = get(&app, "/api/groups").await;
    assert_eq!(listed["groups"].as_array().unwrap().len(), 1, "{listed}");
    let unreadable = listed["unreadable"].as_array().unwrap();
    for group in ["fabrikam", "litware", "newer"] {
        let told = unreadable
            .iter()
            .any(|row| row["row"] == format!("group.{group}"));
        assert!(
            told,
            "{group} is missing from the list and nothing says so: {listed}"
        );
    }
    let (status, page) = app.get("/api/status").await;
    assert_eq!(status, 200);
    assert!(page.contains("group.fabrikam"), "{page}");
    let history = get(&app, "/api/groups/contoso/history").await;
    assert_eq!(history["entries"].as_array().unwrap().len(), 3, "{history}");
    let after = stage.all_rows().await;
    for (key, _) in junk {
        let of = |rows: &[understudy::adapters::store::rows::Row]| {
            rows.iter().find(|row| row.key == key).cloned()
        };
        assert_eq!(of(&after), of(&before), "{key}");
        assert!(of(&after).is_some(), "{key}");
    }

    // Whoever takes the junk away has the group back.
    stage.sim.mend_region("westeurope");
    stage.remove_row("group.fabrikam").await;
    fire(&app).await;
    let shown = get(&app, "/api/groups/fabrikam/active").await;
    assert_eq!(shown["site"], "westeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_heartbeat_is_replaced_and_the_rounds_go_on() {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let own = stage.rows_of("beat").await.remove(0);
    stage.remove_row(&own.key).await;
    stage
        .put_row(&own.key, json!({"evidence00": "not ours"}))
        .await;
    until("it is judged again", async || {
        fire(&app).await;
        let group = get(&app, "/api/groups/contoso").await;
        (group["sites"][0]["verdict"] == "healthy").then_some(())
    })
    .await;
    counted_round(&app).await;
    let after = stage.rows_of("beat").await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].properties["vantage"], own.properties["vantage"]);
}

async fn is_stale(app: &Handler) -> bool {
    let shown = get(app, "/api/groups/contoso/active").await;
    assert_eq!(shown["site"], "northeurope");
    shown["stale"].as_bool().expect("it is said")
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_outlive_the_store_and_say_so() {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let world = two_endpoints(&["contoso"]);
    let stage = Stage::set_at(world, hasty(), proxy.port).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let why = json!({"reason": "x"});
    order(&app, "contoso", "switchover", why.clone())
        .await
        .done();
    // This one has only read.
    let other = stage.handler().await;
    for app in [&app, &other] {
        assert!(!is_stale(app).await);
        let health = ask(app, "GET", "/api/health", "").await;
        assert_eq!(health.status, 200, "{health:?}");
    }
    let fresh = get(&other, "/api/groups/contoso/active").await;

    proxy.close();
    // The contract's own limit, in both directions.
    let limit = Duration::from_secs(30);
    for app in [&app, &other] {
        until_within(limit, "it shows", async || {
            is_stale(app).await.then_some(())
        })
        .await;
    }
    let stale = get(&other, "/api/groups/contoso/active").await;
    for what in ["site", "generation", "since", "ready", "accounts"] {
        assert_eq!(stale[what], fresh[what], "{what}");
    }
    for path in ["", "/history"] {
        let path = format!("/api/groups/contoso{path}");
        let answer = ask(&other, "GET", &path, "").await;
        answer.fails(503, "StoreUnavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    let health = until("health has noticed", async || {
        let health = ask(&other, "GET", "/api/health", "").await;
        (health.status == 503).then_some(health)
    })
    .await;
    let reasons = health.body["reasons"].to_string();
    assert!(reasons.contains("could not be reached"), "{reasons}");
    let (status, body) = app.fire(&[]).await;
    assert_eq!(status, 500, "the run failed: {body}");

    // A process that starts now knows nothing, and does not guess the primary.
    let cold = stage.handler().await;
    let answer = ask(&cold, "GET", "/api/groups/contoso/active", "").await;
    answer.fails(503, "StoreUnavailable");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(ask(&cold, "GET", "/", "").await.status, 200);

    proxy.open();
    for app in [&app, &other, &cold] {
        until_within(limit, "it clears", async || {
            let answer = ask(app, "GET", "/api/groups/contoso/active", "").await;
            (answer.status == 200 && answer.body["stale"] == false).then_some(())
        })
        .await;
        assert!(!is_stale(app).await);
    }
    fire(&app).await;
    until("health has noticed", async || {
        let health = ask(&other, "GET", "/api/health", "").await;
        (health.status == 200).then_some(())
    })
    .await;
    assert_eq!(get(&cold, "/api/groups/contoso").await["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_version_wrote_is_never_written_over() {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let app = stage.handler().await;
    let why = json!({"reason": "x"});
    order(&app, "contoso", "switchover", why.clone())
        .await
        .done();
    app.kill();
    // The row is lost, and the newest entry cannot be read: the generation must not fall.
    stage.remove_row("group.contoso").await;
    let newer = json!({"layoutVersion": 2, "group": "contoso", "generation": 9});
    stage
        .put_row("history.contoso.0000000000000.99.newer", newer)
        .await;
    let app = stage.handler().await;
    let said = fire_and_read(&app).await.join("\n");
    assert!(said.contains("contoso has no row"), "{said}");
    assert_eq!(stage.rows_of("group").await, []);
    let answer = ask(&app, "GET", "/api/groups/contoso/active", "").await;
    answer.fails(503, "StoreUnavailable");
    let answer = order(&app, "contoso", "failback", why).await;
    answer.fails(503, "StoreUnavailable");
    assert_eq!(stage.rows_of("group").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_says_nothing_keeps_nobody_waiting_for_long() {
    let proxy = Proxy::start(Azurite::shared().port()).await;
    let stage = Stage::set_at(two_endpoints(&["contoso"]), hasty(), proxy.port).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let why = json!({"reason": "x"});
    order(&app, "contoso", "switchover", why.clone())
        .await
        .done();
    let before = stage.rows_of("group").await;
    proxy.fall_silent();
    // The contract's limits, as those of a caller who gives up.
    let within =
        async |seconds: u64,
               asking: std::pin::Pin<Box<dyn Future<Output = crate::stage::Answer> + '_>>| {
            let limit = Duration::from_secs(seconds);
            tokio::time::timeout(limit, asking)
                .await
                .expect("an answer in time")
        };
    until_within(Duration::from_secs(30), "it shows", async || {
        let looking = ask(&app, "GET", "/api/groups/contoso/active", "");
        let answer = within(10, Box::pin(looking)).await;
        (answer.done()["stale"] == true).then_some(())
    })
    .await;
    let ordering = order(&app, "contoso", "failback", why.clone());
    let answer = within(30, Box::pin(ordering)).await;
    answer.fails(503, "StoreUnavailable");
    let cold = stage.handler().await;
    let looking = ask(&cold, "GET", "/api/groups/contoso/active", "");
    let answer = within(10, Box::pin(looking)).await;
    answer.fails(503, "StoreUnavailable");

    proxy.open();
    until_within(Duration::from_secs(30), "it clears", async || {
        (!is_stale(&app).await).then_some(())
    })
    .await;
    assert_eq!(stage.rows_of("group").await, before);
    let group = order(&app, "contoso", "failback", why).await.done();
    assert_eq!(group["generation"], 2);
}
