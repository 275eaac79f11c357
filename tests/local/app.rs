//! The binary as a real process: what its terminal shows, and its HTTP side.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::watch;

use super::stage::{PATIENCE, free_port};
use crate::program::understudy;

/// `local` or `demo` under way, with everything that its terminal shows.
pub struct App {
    pub process: Child,
    pub lines: watch::Receiver<Vec<String>>,
    pub client: reqwest::Client,
    pub base: String,
}

impl App {
    /// Starts the binary with this verb in this folder, on a free port.
    pub fn start(verb: &str, folder: &Path) -> Self {
        let port = free_port();
        let mut process = Command::from(understudy())
            .args([verb, "--port", &port.to_string()])
            .current_dir(folder)
            // What a killed run leaves behind goes with the folder.
            .env("TMPDIR", folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (sender, lines) = watch::channel(Vec::new());
        listen(
            process.stdout.take().unwrap(),
            process.stderr.take().unwrap(),
            sender,
        );
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            process,
            lines,
            client,
            base: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Waits for a line that contains this, and gives it.
    pub async fn shows(&self, text: &str) -> String {
        let mut lines = self.lines.clone();
        let shown = lines.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        match tokio::time::timeout(PATIENCE, shown).await {
            Ok(Ok(lines)) => lines
                .iter()
                .find(|line| line.contains(text))
                .unwrap()
                .clone(),
            _ => panic!(
                "\"{text}\" was not shown:\n{}",
                self.lines.borrow().join("\n")
            ),
        }
    }

    /// The index of the first line that contains this.
    pub fn place(&self, text: &str) -> usize {
        let lines = self.lines.borrow();
        lines
            .iter()
            .position(|line| line.contains(text))
            .unwrap_or_else(|| panic!("\"{text}\" was not shown:\n{}", lines.join("\n")))
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self
            .client
            .get(format!("{}/api/{path}", self.base))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Asks until the answer is as it should be; what is waited for may take a few rounds.
    pub async fn until(&self, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let answer = self
                    .client
                    .get(format!("{}/api/{path}", self.base))
                    .send()
                    .await;
                if let Ok(answer) = answer
                    && let Ok(body) = answer.json::<Value>().await
                    && is_right(&body)
                {
                    return body;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(body) => body,
            Err(_) => panic!(
                "{path} never was right:\n{}",
                self.lines.borrow().join("\n")
            ),
        }
    }

    /// Posts to the URL at the end of a printed command, as people who copy it do.
    pub async fn follow(&self, command: &str) {
        let url = command
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap();
        assert_eq!(
            self.client.post(url).send().await.unwrap().status(),
            200,
            "{command}"
        );
    }

    pub fn signal(&self, name: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([&format!("-{name}"), &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

fn listen(out: ChildStdout, err: ChildStderr, sender: watch::Sender<Vec<String>>) {
    let sender = std::sync::Arc::new(sender);
    let for_errors = sender.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(out).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|lines| lines.push(line));
        }
    });
    tokio::spawn(async move {
        let mut lines = BufReader::new(err).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            for_errors.send_modify(|lines| lines.push(format!("error: {line}")));
        }
    });
}
