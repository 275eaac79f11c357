//! What the terminal shows: every verb of the binary, with secrets in its options, its environment, its files and in
//! what it is answered.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::azurite::Azurite;
use crate::secret_echoes::Parrot;
use crate::secrets::{
    CLIENT_SECRET, FUNCTION_KEY, MKIO_TOKEN, QUERY_KEY, SIGNATURE, STORE_KEY, azure, with_store,
};
use crate::stage::{Stage, counted_round, hasty, order, two_endpoints, until};

const PLANTED: [&str; 9] = [
    CLIENT_SECRET,
    FUNCTION_KEY,
    MKIO_TOKEN,
    QUERY_KEY,
    SIGNATURE,
    STORE_KEY,
    "eyJ",
    "SharedKey ",
    azure_storage::EMULATOR_ACCOUNT_KEY,
];

fn search(what: &str, text: &str) {
    for secret in PLANTED {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is shown by {what}");
    }
}

/// Runs a verb in this folder; all that it printed.
async fn run(folder: &Path, words: &[&str], settings: &[(&str, &str)]) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_understudy"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .envs(settings.iter().copied())
        .env("RUST_LOG", "trace")
        .env("UNDERSTUDY_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).expect("text")
}

/// The verbs that ask the app.
const ASKING: [&[&str]; 15] = [
    &["status"],
    &["status", "--json"],
    &["status", "--verdict", "dancing"],
    &["show", "contoso"],
    &["show", "contoso", "--json"],
    &["show", "nobody"],
    &["history", "contoso", "--all"],
    &["explain", "contoso"],
    &["failover", "contoso", "--reason", "x", "--dry-run"],
    &["switchover", "contoso", "--reason", "x", "--yes"],
    &[
        "failback",
        "contoso",
        "--reason",
        "x",
        "--if-generation",
        "77",
    ],
    &["pause", "contoso", "--reason", "x", "--for", "1m"],
    &["resume", "contoso"],
    &["drill", "contoso", "--json"],
    &["acknowledge", "contoso", "--reason", "x"],
];

/// Runs all of them with the key as an option and in the environment.
async fn ask(folder: &Path, url: &str) {
    for words in ASKING {
        let with_option = [words, &["--key", FUNCTION_KEY]].concat();
        let at = ("UNDERSTUDY_URL", url);
        let said = run(folder, &with_option, &[at]).await;
        assert!(!said.is_empty(), "{words:?}");
        search(&format!("{words:?} at {url}"), &said);
        let said = run(folder, words, &[at, ("UNDERSTUDY_KEY", FUNCTION_KEY)]).await;
        search(&format!("{words:?} at {url}"), &said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_that_ask_an_app() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::set(two_endpoints(&["contoso"]), hasty()).await;
    let app = stage.handler().await;
    counted_round(&app).await;
    order(&app, "contoso", "pause", json!({"reason": "x"}))
        .await
        .done();
    ask(folder.path(), &app.url("")).await;
    ask(folder.path(), "http://127.0.0.1:1").await;
    let with_query = format!("{}?code={FUNCTION_KEY}", app.url("/api"));
    let with_login = format!("https://me:{FUNCTION_KEY}@app.example");
    for url in [with_query.as_str(), &with_login, FUNCTION_KEY] {
        let said = run(folder.path(), &["status", "--url", url], &[]).await;
        assert!(said.contains("error"), "{said}");
        search("status", &said);
    }
    let broken = format!("{FUNCTION_KEY}\nx");
    let words = ["status", "--url", "http://127.0.0.1:1", "--key", &broken];
    search("a broken key", &run(folder.path(), &words, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_that_ask_something_that_repeats_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let parrot = Parrot::start().await;
    let at = [
        ("UNDERSTUDY_URL", parrot.base.as_str()),
        ("UNDERSTUDY_KEY", FUNCTION_KEY),
    ];
    for status in [200, 302, 401, 403, 404, 409, 500, 503] {
        parrot.be(status);
        for words in [&["show", "contoso"][..], &["resume", "contoso", "--json"]] {
            let said = run(folder.path(), words, &at).await;
            search(&format!("{words:?} after {status}"), &said);
        }
        assert!(parrot.was_asked());
    }
}

fn media(token: &str) -> String {
    format!(
        "[[groups]]\nname = \"media\"\n[[groups.sites]]\nregion = \"westeurope\"\n[groups.sites.media_services]\nkind = \"mkio\"\naccount_name = \"p\"\ntoken = \"{token}\"\n[[groups.sites.http]]\nname = \"web\"\nurl = \"https://web.example/health?code={QUERY_KEY}\"\n[[groups.sites]]\nregion = \"northeurope\"\n[groups.sites.media_services]\nkind = \"mkio\"\naccount_name = \"q\"\ntoken = \"$MKIO_TOKEN\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_that_read_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let sas = format!("TableEndpoint=https://a.example;SharedAccessSignature=sv=1&sig={SIGNATURE}");
    let key = format!("AccountName=acct;AccountKey={STORE_KEY}");
    let host = format!("AccountKey={STORE_KEY};oops");
    let settings = [
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
        ("AzureWebJobsStorage", host.as_str()),
        ("MKIO_TOKEN", MKIO_TOKEN),
        ("UNDERSTUDY__STORE__CONECTION_STRING", STORE_KEY),
        ("UNDERSTUDY__POLICY__HOLD", STORE_KEY),
    ];
    for store in [
        format!("connection_string = \"{key}\""),
        format!("connection_string = \"{sas}\""),
        format!("connection_string = \"{STORE_KEY}\""),
        format!("kind = \"{STORE_KEY}\""),
        format!("table_prefix = \"{STORE_KEY}\"\nendpoint = \"https://a.example?sig={SIGNATURE}\""),
        format!("connection_string = \"{STORE_KEY}"),
        format!("{STORE_KEY} = 1"),
    ] {
        let text = format!("[store]\n{store}\n{}", media(MKIO_TOKEN));
        std::fs::write(folder.path().join("understudy.toml"), text).unwrap();
        for settings in [&settings[..], &[("MKIO_TOKEN", MKIO_TOKEN)]] {
            let said = run(folder.path(), &["config", "check"], settings).await;
            assert!(said.contains("warning") || said.contains("error"), "{said}");
            search(&format!("config check of {store}"), &said);
        }
        let words = ["package", "--binary", "/bin/sh", "--out", "dist"];
        let said = run(folder.path(), &words, &settings).await;
        search(&format!("package of {store}"), &said);
    }
    search(
        "the schema",
        &run(folder.path(), &["config", "schema"], &settings).await,
    );
}

/// `local` or `demo` under way, with everything it says in a file.
struct App {
    child: Child,
    base: String,
}

impl App {
    async fn start(verb: &str, folder: &Path, settings: &[(String, String)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let said = File::create(folder.join("said")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_understudy"))
            .args([verb, "--port", &port.to_string()])
            .current_dir(folder)
            .env_clear()
            .envs(settings.iter().cloned())
            .env("RUST_LOG", "trace")
            .env("UNDERSTUDY_LOG", "trace")
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap();
        Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Asks with a key, as in Azure.
    async fn ask(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("{}/api/{path}?code={FUNCTION_KEY}", self.base);
        let request = reqwest::Client::new().get(url);
        let answer = request
            .header("x-functions-key", FUNCTION_KEY)
            .send()
            .await
            .ok()?;
        let status = answer.status().as_u16();
        let headers = format!("{:?}", answer.headers());
        Some((status, headers + &answer.text().await.ok()?))
    }

    /// Waits until a round was seen and an order was taken, asks at every door, and searches all that was said.
    async fn search(mut self, folder: &Path) -> String {
        until("the group is judged", async || {
            let (status, text) = self.ask("groups/contoso").await?;
            (status == 200 && text.contains("lastProbe\":{")).then_some(())
        })
        .await;
        let mut heard = String::new();
        for path in [
            "groups",
            "groups/contoso",
            "groups/contoso/active",
            "status",
            "health",
            "nowhere",
        ] {
            heard.push_str(&self.ask(path).await.expect("an answer").1);
        }
        let order = format!("{}/api/groups/contoso/pause?code={FUNCTION_KEY}", self.base);
        let order = reqwest::Client::new()
            .post(order)
            .body("{\"reason\":\"x\"}");
        let answer = order.bearer_auth(FUNCTION_KEY).send().await.unwrap();
        heard.push_str(&answer.text().await.unwrap());
        let _ = self.child.kill();
        let _ = self.child.wait();
        search("an answer", &heard);
        let said = std::fs::read(folder.join("said")).unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        search("the terminal", &said);
        said
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_at_the_level_that_tells_most() {
    let (sim, environment) = azure().await;
    let folder = tempfile::tempdir().unwrap();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(checkout.join("host.json"), folder.path().join("host.json")).unwrap();
    for function in std::fs::read_dir(checkout.join("functions")).unwrap() {
        let from = function.unwrap().path();
        let to = folder.path().join(from.file_name().unwrap());
        std::fs::create_dir(&to).unwrap();
        std::fs::copy(from.join("function.json"), to.join("function.json")).unwrap();
    }
    let text = with_store(&sim, "in a setting").replacen("connection_string", "#", 1);
    let text = text.replacen(
        "[controller]",
        "[controller]\nschedule = \"* * * * * *\"",
        1,
    );
    let text = format!("{text}\n{}", media(MKIO_TOKEN));
    std::fs::write(folder.path().join("understudy.toml"), text).unwrap();
    let mut settings: Vec<(String, String)> = environment.clone().into_iter().collect();
    for (name, value) in [
        (
            "UNDERSTUDY__STORE__CONNECTION_STRING",
            Azurite::shared().connection_string(),
        ),
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("MKIO_TOKEN", MKIO_TOKEN.to_owned()),
    ] {
        settings.push((name.to_owned(), value));
    }
    let app = App::start("local", folder.path(), &settings).await;
    let said = app.search(folder.path()).await;
    let header = &environment["IDENTITY_HEADER"];
    assert!(!said.contains(header), "the identity header is shown");
    assert!(said.contains("Understudy on http://127.0.0.1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_at_the_level_that_tells_most() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("AZURE_CLIENT_SECRET".to_owned(), CLIENT_SECRET.to_owned())];
    let app = App::start("demo", folder.path(), &settings).await;
    let said = app.search(folder.path()).await;
    assert!(said.contains("/api/status"), "{said}");
}
