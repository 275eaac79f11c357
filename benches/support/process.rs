//! Processes that are measured: started, watched through `/proc`, and ended when they are done with.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Try;
use super::client::{Client, Request};

/// How long a process may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// What the kernel counts CPU time in for `/proc`, on every architecture that Linux has today (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process of ours. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    port: u16,
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// CPU seconds, of all its threads.
    pub cpu: f64,
    /// Memory now, in MiB.
    pub resident: f64,
    /// The most memory that it ever had, in MiB.
    pub peak: f64,
}

impl Process {
    /// Starts it without a word: nobody reads along.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, port: u16) -> Try<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{:?} cannot be started: {error}", command.get_program()))?;
        Ok(Self { child, port })
    }

    /// Starts it and waits until it answers this path.
    ///
    /// # Errors
    /// When it ends, or does not answer in time.
    pub async fn start_until(command: Command, port: u16, path: &str) -> Try<Self> {
        let mut process = Self::start(command, port)?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("it ended before it answered: {status}").into());
            }
            if process.ask(&Request::get(path)).await.is_ok() {
                return Ok(process);
            }
            if Instant::now() >= deadline {
                return Err("it does not answer".into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// Asks it once.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(&self, request: &Request) -> Try<super::client::Reply> {
        Client::connect(self.address()).await?.ask(request).await
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn used(&self) -> Try<Used> {
        used_by(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process with this id has used so far.
///
/// # Errors
/// When the kernel does not say.
pub fn used_by(id: u32) -> Try<Used> {
    let folder = format!("/proc/{id}");
    let stat = std::fs::read_to_string(format!("{folder}/stat"))?;
    // The name in parentheses may hold anything; user and system time are the 12th and 13th after it.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| -> Try<f64> {
        Ok(fields
            .get(index)
            .ok_or("/proc/PID/stat is short")?
            .parse()?)
    };
    let status = std::fs::read_to_string(format!("{folder}/status"))?;
    Ok(Used {
        cpu: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        resident: mebibytes(&status, "VmRSS:")?,
        peak: mebibytes(&status, "VmHWM:")?,
    })
}

fn mebibytes(status: &str, name: &str) -> Try<f64> {
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("/proc/PID/status lacks a line")?
        .parse()?;
    Ok(kibibytes / 1024.0)
}

/// A port of this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A port that was free just now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Try<u16> {
    Ok(TcpListener::bind(local(0))?.local_addr()?.port())
}
