//! The operator's verbs: the binary in another process, against a running handler.

use std::process::Stdio;

use serde_json::Value;

use crate::handler::Handler;
use crate::stage::{Stage, counted_round, entries, get, hasty, two_endpoints};

/// What a verb did.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        assert_eq!(self.err, "", "{self:?}");
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.done()).expect("the API's answer")
    }

    /// Demands this exit code, and these words among what is said of it.
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word}: {self:?}");
        }
    }
}

/// Runs a verb against this handler, as a script would: nobody sits at its input.
async fn run(handler: &Handler, words: &str) -> Said {
    run_at(&handler.url(""), words).await
}

/// Words are split at spaces; `_` stands for a space within one.
async fn run_at(url: &str, words: &str) -> Said {
    let words = words.split(' ').map(|word| word.replace('_', " "));
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_understudy"))
        .args(words)
        .env_clear()
        .env("UNDERSTUDY_URL", url)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the binary runs");
    Said {
        code: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

async fn contoso() -> (Stage, Handler) {
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let handler = stage.handler().await;
    (stage, handler)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_given_and_told() {
    let (_stage, app) = contoso().await;
    for (words, said) in [
        ("switchover contoso --reason a_test", "northeurope"),
        ("failback contoso --reason a_test --yes", "westeurope"),
        (
            "failover contoso --reason a_test --to northeurope -y",
            "northeurope",
        ),
        ("cancel contoso", "northeurope"),
        ("pause contoso --reason a_festival --for 90m", "a festival"),
        ("resume contoso", "northeurope"),
        ("acknowledge contoso --reason seen", "northeurope"),
        ("drill contoso", "history contoso"),
    ] {
        let out = run(&app, words).await.done();
        assert!(out.contains(said), "{words}: {out}");
        assert!(out.contains("contoso"), "{words}: {out}");
    }
    let group = get(&app, "/api/groups/contoso").await;
    assert_eq!(group["generation"], 3);
    let entry = entries(&app, "contoso", "failover").await.remove(0);
    assert_eq!(entry["reason"], "a test");

    let group = run(&app, "switchover contoso --reason a_test --json").await;
    assert_eq!(group.json()["generation"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_ends_with_1_and_says_what_to_do() {
    let (stage, app) = contoso().await;
    stage.sim.break_region("northeurope");
    run(&app, "failover contoso --reason x").await.fails(
        1,
        &[
            "TargetUnfit",
            "northeurope",
            "understudy explain contoso",
            "--force",
        ],
    );
    let refused = run(&app, "switchover contoso --reason x --json").await;
    refused.fails(1, &["TargetUnfit"]);
    let body: Value = serde_json::from_str(&refused.out).expect("the API's answer");
    assert_eq!(body["error"]["code"], "TargetUnfit");
    assert_eq!(body["hold"]["code"], "TargetUnfit");

    run(&app, "failover contoso --reason x --if-generation 4")
        .await
        .fails(1, &["GenerationMismatch", "understudy show contoso"]);
    run(&app, "failover nobody --reason x")
        .await
        .fails(1, &["GroupNotFound", "understudy status"]);
    run(&app, "failover contoso --reason x --to atlantis")
        .await
        .fails(
            1,
            &["InvalidRequest", "atlantis", "westeurope, northeurope"],
        );
    run(&app, "pause contoso --reason x --for 25h")
        .await
        .fails(1, &["InvalidRequest", "25h", "24 h"]);
    assert_eq!(get(&app, "/api/groups/contoso").await["generation"], 0);

    // Dry, forced, fenced.
    let dry = run(&app, "failover contoso --reason x --dry-run").await;
    assert_eq!(dry.code, 1, "{dry:?}");
    assert!(dry.out.contains("TargetUnfit"), "{dry:?}");
    let words = "failover contoso --reason x --dry-run --force --json";
    assert_eq!(run(&app, words).await.json()["would"]["forced"], true);
    assert_eq!(get(&app, "/api/groups/contoso").await["generation"], 0);
    let words = "failover contoso --reason x --force --if-generation 0 --yes";
    run(&app, words).await.done();
    let history = run(&app, "history contoso").await.done();
    assert!(history.contains("failover"), "{history}");
    assert!(history.contains("forced"), "{history}");
    assert!(history.contains("TargetUnfit"), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2_and_sends_nothing() {
    let (_stage, app) = contoso().await;
    for words in [
        "failover contoso",
        "pause contoso --reason _",
        "failover",
        "failover ../status --reason x",
        "failover contoso --reason x --if-generation one",
        "failover contoso --reason x --gently",
        "moveover contoso --reason x",
    ] {
        let said = run(&app, words).await;
        said.fails(2, &["error"]);
        assert_eq!(said.out, "", "{words}");
    }
    run_at("not a url", "status").await.fails(2, &["error"]);
    let history = run(&app, "history contoso --json").await.json();
    assert_eq!(history["entries"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_that_look_tell_what_the_app_tells() {
    let groups = ["contoso", "fabrikam"];
    let options = hasty().policy("probe_interval", "60s");
    let stage = Stage::set(two_endpoints(&groups), options).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    let out = run(&app, "status").await.done();
    for word in ["contoso", "fabrikam", "westeurope", "healthy"] {
        assert!(out.contains(word), "{word}: {out}");
    }
    let listed = run(&app, "status --json").await.json();
    assert_eq!(listed["groups"].as_array().unwrap().len(), 2);
    let none = run(&app, "status --verdict unhealthy --json").await.json();
    assert_eq!(none["groups"].as_array().unwrap().len(), 0);
    run(&app, "status --phase dancing")
        .await
        .fails(1, &["InvalidRequest", "moving, settled"]);

    let out = run(&app, "show contoso").await.done();
    for word in ["contoso", "northeurope", "contoso-web", "healthy"] {
        assert!(out.contains(word), "{word}: {out}");
    }
    let shown = run(&app, "show fabrikam --json").await.json();
    assert_eq!(shown["group"], "fabrikam");
    let out = run(&app, "explain contoso").await.done();
    assert!(out.contains("No move is asked for."), "{out}");

    // The address may come with the prefix, and a slash at its end.
    for url in ["/api", "/api/", "/"] {
        let out = run_at(&app.url(url), "show contoso").await.done();
        assert!(out.contains("contoso"), "{url}");
    }
    let url = app.url("");
    let words = format!("show contoso --url {url} --key not-a-secret");
    let said = run_at("http://127.0.0.1:9", &words).await.done();
    assert!(
        said.contains("contoso"),
        "the option wins over the variable"
    );
    assert!(!said.contains("not-a-secret"));
    run(&app, "show nobody").await.fails(1, &["GroupNotFound"]);
    app.kill();
    run_at("http://127.0.0.1:9", "status")
        .await
        .fails(1, &["http://127.0.0.1:9"]);
}
