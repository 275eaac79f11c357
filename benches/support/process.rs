//! Processes that are measured: started, watched through `/proc`, and ended when they are done with.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Try;
use super::client::{Client, Request};
use super::used::{Used, used_by};

/// How long a process may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A process of ours. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    port: u16,
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
