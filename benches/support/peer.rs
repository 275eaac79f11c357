//! Programs of others that ours is measured against: found where they are installed, started on free ports.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Try;
use super::process::{Process, free_port, local};
use super::table::skipped;

/// A program of a Debian package.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// What people call it.
    pub name: &'static str,
    program: &'static str,
    package: &'static str,
}

/// The key-value store that many keep such a record in.
pub const ETCD: Peer = Peer {
    name: "etcd",
    program: "etcd",
    package: "etcd-server",
};

/// The prober of Prometheus.
pub const BLACKBOX: Peer = Peer {
    name: "prometheus-blackbox-exporter",
    program: "prometheus-blackbox-exporter",
    package: "prometheus-blackbox-exporter",
};

/// The balancer, for its health checks.
pub const HAPROXY: Peer = Peer {
    name: "HAProxy",
    program: "haproxy",
    package: "haproxy",
};

impl Peer {
    /// Where it is; where it is not, that is said aloud.
    pub fn find(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/usr/bin".into()])
            .map(|folder| folder.join(self.program))
            .find(|file| file.is_file());
        if found.is_none() {
            skipped(self.name, self.package);
        }
        found
    }
}

/// A peer that runs, with the folder that it works in.
#[derive(Debug)]
pub struct Running {
    /// Its process.
    pub process: Process,
    _folder: TempDir,
}

/// etcd alone, as its own cluster.
///
/// # Errors
/// When it does not start.
pub async fn etcd(program: PathBuf) -> Try<Running> {
    let folder = TempDir::new()?;
    let (port, peer_port) = (free_port()?, free_port()?);
    let url = format!("http://{}", local(port));
    let peer_url = format!("http://{}", local(peer_port));
    let mut command = Command::new(program);
    command
        .args([
            "--data-dir".as_ref(),
            folder.path().join("data").as_os_str(),
        ])
        .args([
            "--listen-client-urls",
            &url,
            "--advertise-client-urls",
            &url,
        ])
        .args(["--listen-peer-urls", &peer_url])
        .args(["--initial-advertise-peer-urls", &peer_url])
        .args(["--initial-cluster", &format!("default={peer_url}")])
        .args(["--logger", "zap", "--log-level", "error"]);
    let process = Process::start_until(command, port, "/health").await?;
    Ok(Running {
        process,
        _folder: folder,
    })
}

/// The blackbox exporter with one module: an HTTP GET that wants 200.
///
/// # Errors
/// When it does not start.
pub async fn blackbox(program: PathBuf) -> Try<Running> {
    const MODULES: &str = "modules:\n  get:\n    prober: http\n    timeout: 10s\n    http:\n      valid_status_codes: [200]\n      preferred_ip_protocol: ip4\n";
    let folder = TempDir::new()?;
    let port = free_port()?;
    let file = folder.path().join("blackbox.yml");
    std::fs::write(&file, MODULES)?;
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--web.listen-address={}", local(port)))
        .arg("--log.level=error");
    let process = Process::start_until(command, port, "/-/healthy").await?;
    Ok(Running {
        process,
        _folder: folder,
    })
}

/// HAProxy with so many servers at one address, each checked once in `seconds`.
///
/// # Errors
/// When it does not start.
pub async fn haproxy(
    program: PathBuf,
    target: SocketAddr,
    servers: usize,
    seconds: u64,
) -> Try<Running> {
    let folder = TempDir::new()?;
    let file = folder.path().join("haproxy.cfg");
    // All it does is to check; without anything that listens it does not start.
    let port = free_port()?;
    let text = format!(
        "global\n  maxconn 1000\ndefaults\n  mode http\n  timeout connect 10s\n  timeout client 10s\n  timeout server 10s\nfrontend idle\n  bind {}\nbackend checked\n  option httpchk GET /haproxy\n  http-check expect status 200\n  default-server inter {seconds}s fastinter {seconds}s downinter {seconds}s\n  server-template s 1-{servers} {target} check\n",
        local(port)
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(&file);
    let process = Process::start_until(command, port, "/").await?;
    Ok(Running {
        process,
        _folder: folder,
    })
}
