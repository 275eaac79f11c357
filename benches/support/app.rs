//! `understudy serve` in a folder of its own: groups of two HTTP endpoints, the embedded store.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::Try;
use super::client::{Reply, Request};
use super::plain::Answer;
use super::process::{Process, free_port};

/// Headers that a server sets by itself.
const SET_BY_THE_SERVER: [&str; 3] = ["content-length", "date", "connection"];

/// A configured app; its processes come and go.
#[derive(Debug)]
pub struct App {
    folder: TempDir,
}

impl App {
    /// An app of so many groups, each with an endpoint in two regions on the server at `target`.
    ///
    /// # Errors
    /// When its folder cannot be written.
    pub fn new(groups: usize, target: SocketAddr, probe_interval: &str) -> Try<Self> {
        let folder = TempDir::new()?;
        let mut text = format!(
            "[store]\nkind = \"embedded\"\npath = \"state\"\n\n[policy]\nprobe_interval = \"{probe_interval}\"\n\n"
        );
        for index in 0..groups {
            let _ = writeln!(text, "[[groups]]\nname = \"{}\"", group(index));
            for region in ["westeurope", "northeurope"] {
                let _ = writeln!(
                    text,
                    "[[groups.sites]]\nregion = \"{region}\"\n[[groups.sites.http]]\nname = \"web\"\nurl = \"http://{target}/{region}/{index}\"",
                );
            }
        }
        std::fs::write(folder.path().join("understudy.toml"), text)?;
        Ok(Self { folder })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a process of it and waits for its first answer.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(&self) -> Try<Process> {
        let port = free_port()?;
        Process::start_until(self.command(port), port, "/").await
    }

    /// The command that starts a process of it.
    pub fn command(&self, port: u16) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_understudy"));
        command
            .arg("serve")
            .current_dir(self.folder())
            .env_clear()
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
        command
    }

    /// Keeps an answer in the folder, for the plain server that is to give the same.
    ///
    /// # Errors
    /// When it has no tag, or the folder cannot be written.
    pub fn keep(&self, path: &str, reply: &Reply) -> Try<std::path::PathBuf> {
        let headers = reply
            .headers
            .iter()
            .filter(|(name, _)| !SET_BY_THE_SERVER.contains(&name.as_str()))
            .cloned()
            .collect();
        let answer = Answer {
            path: path.to_owned(),
            headers,
            etag: reply
                .header("etag")
                .ok_or("the lookup has no tag")?
                .to_owned(),
            body: reply.body.clone(),
        };
        let file = self.folder().join("answer.json");
        std::fs::write(&file, serde_json::to_vec(&answer)?)?;
        Ok(file)
    }
}

/// The name of a group.
pub fn group(index: usize) -> String {
    format!("tenant-{index:05}")
}

/// The path of a group's lookup.
pub fn lookup(index: usize) -> String {
    format!("/api/groups/{}/active", group(index))
}

/// One tick; it makes the rows that are missing, and probes what is due.
///
/// # Errors
/// When it fails, or no round counts.
pub async fn tick(process: &Process) -> Try {
    let reply = process.ask(&Request::post("/api/tick", "")).await?;
    if reply.status == 200 && reply.body.contains("true") {
        return Ok(());
    }
    Err(format!("the tick was answered {}: {}", reply.status, reply.body).into())
}
