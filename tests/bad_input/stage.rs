//! A real handler, and callers that speak to its port byte by byte.

use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::handler::{Handler, TWO_SITES};

/// The lookup that must be answered whatever others do.
pub const LOOKUP: &str = "/api/groups/contoso/active";
/// A busy machine may take this long for anything here.
const PATIENCE: Duration = Duration::from_secs(90);

/// A handler with a store of its own.
pub struct Stage {
    pub handler: Handler,
    _folder: TempDir,
}

impl Stage {
    /// A handler that has ticked once.
    pub async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("understudy.toml"), TWO_SITES).unwrap();
        let handler = Handler::start(folder.path(), &BTreeMap::new()).await;
        let stage = Self {
            handler,
            _folder: folder,
        };
        stage.is_well().await;
        stage
    }

    /// A caller with a connection of its own.
    pub async fn call(&self) -> Caller {
        let stream = TcpStream::connect(("127.0.0.1", self.handler.port()));
        Caller {
            stream: stream.await.expect("the port is open"),
            said: Vec::new(),
        }
    }

    /// Others are served: a lookup on a new connection.
    pub async fn serves(&self) {
        let answer = timeout(PATIENCE, self.handler.get(LOOKUP)).await;
        let (status, body) = answer.expect("a lookup is answered");
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("westeurope"), "{body}");
    }

    /// The process is there, ticks, takes orders and answers.
    pub async fn is_well(&self) {
        let (status, body) = self.handler.fire(&[]).await;
        assert_eq!(status, 200, "{body}");
        self.serves().await;
        let resumed = self.handler.post("/api/groups/contoso/resume", "{}").await;
        assert_eq!(resumed.0, 200, "{resumed:?}");
        let (status, body) = self.handler.get("/api/health").await;
        assert_eq!(status, 200, "{body}");
    }
}

/// One connection.
pub struct Caller {
    stream: TcpStream,
    said: Vec<u8>,
}

impl Caller {
    /// Sends bytes; false where the other side does not take them any more.
    pub async fn say(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .expect("it takes bytes or is closed")
            .is_ok()
    }

    /// The status of the next answer, with its body; `None` where the connection ends without one.
    pub async fn answer(&mut self) -> Option<(u16, String)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.take() {
                return Some(answer);
            }
            if !self.hear(deadline).await {
                return None;
            }
        }
    }

    /// Waits for the end of the connection; the statuses of what was answered before.
    pub async fn end(&mut self) -> Vec<u16> {
        let deadline = Instant::now() + PATIENCE;
        let mut statuses = Vec::new();
        loop {
            while let Some((status, _)) = self.take() {
                statuses.push(status);
            }
            if !self.hear(deadline).await {
                return statuses;
            }
        }
    }

    /// Ends our half.
    pub async fn hang_up(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn hear(&mut self, deadline: Instant) -> bool {
        let mut buffer = [0; 16_384];
        let read = tokio::time::timeout_at(deadline, self.stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| {
            panic!(
                "neither answered nor closed: {:?}",
                String::from_utf8_lossy(&self.said)
            )
        });
        let heard = read.unwrap_or(0);
        self.said.extend_from_slice(&buffer[..heard]);
        heard > 0
    }

    /// The first whole answer of what has come in.
    fn take(&mut self) -> Option<(u16, String)> {
        let text = String::from_utf8_lossy(&self.said).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .expect("a status");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |text| text.trim().parse().expect("a length"));
        let body = rest.get(..length)?.to_owned();
        self.said.drain(..head.len() + 4 + length);
        Some((status, body))
    }
}

/// How many connections a test may hold open here.
pub fn connections(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next());
    let soft: usize = soft
        .and_then(|text| text.parse().ok())
        .unwrap_or(usize::MAX);
    wanted.min(soft.saturating_sub(400))
}
