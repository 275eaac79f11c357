//! A small HTTP/1.1 client with kept connections. It does as little as it can, so that what is measured is
//! the server: requests are bytes made once, and of an answer only its status and its end are looked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Try;
use super::figures::{micros, quantile};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// A GET.
    pub fn get(path: &str) -> Self {
        Self::with("GET", path, &[], "")
    }

    /// A POST of JSON.
    pub fn post(path: &str, body: &str) -> Self {
        Self::with("POST", path, &[("Content-Type", "application/json")], body)
    }

    /// Any request.
    pub fn with(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        Self(format!("{text}\r\n{body}").into_bytes())
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, as it came.
    pub body: String,
}

impl Reply {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// One kept connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// What was read of the newest answer.
    read: Vec<u8>,
}

/// What an answer's head says of its body.
enum Rest {
    Bytes(usize),
    Chunks,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Try<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends a request and reads its answer to the end; its status.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not HTTP.
    pub async fn send(&mut self, request: &Request) -> Try<u16> {
        Ok(self.exchange(request).await?.0)
    }

    /// The same, with all of the answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not HTTP.
    pub async fn ask(&mut self, request: &Request) -> Try<Reply> {
        let (status, head) = tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .map_err(|_| "no answer in time")??;
        let text = std::str::from_utf8(&self.read[..head])?;
        let headers = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Reply {
            status,
            headers,
            body: String::from_utf8(self.read[head..].to_vec())?,
        })
    }

    /// Status and length of the head; the whole answer is in `read`.
    async fn exchange(&mut self, request: &Request) -> Try<(u16, usize)> {
        self.stream.write_all(&request.0).await?;
        self.read.clear();
        let head = loop {
            self.more().await?;
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let status = status(&self.read)?;
        match rest(&self.read[..head], status)? {
            Rest::Bytes(length) => {
                while self.read.len() < head + length {
                    self.more().await?;
                }
            }
            Rest::Chunks => {
                while !self.read.ends_with(b"\r\n0\r\n\r\n") {
                    self.more().await?;
                }
            }
        }
        Ok((status, head))
    }

    async fn more(&mut self) -> Try {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err("the connection was closed before the answer was complete".into());
        }
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn status(head: &[u8]) -> Try<u16> {
    let digits = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .ok_or("the answer is not HTTP/1.1")?;
    Ok(std::str::from_utf8(digits)?.parse()?)
}

fn rest(head: &[u8], status: u16) -> Try<Rest> {
    if status == 304 || status == 204 {
        return Ok(Rest::Bytes(0));
    }
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(&value[1..])?;
            return Ok(Rest::Bytes(digits.trim().parse()?));
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(Rest::Chunks);
        }
    }
    Err("the answer does not say where it ends".into())
}

/// What a load brought.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many answers.
    pub answers: f64,
    /// Answers per second.
    pub rate: f64,
    /// Half of the answers took no longer, in microseconds.
    pub median: f64,
    /// 99 of 100 answers took no longer, in microseconds.
    pub p99: f64,
}

impl Load {
    fn of(parts: Vec<Vec<Duration>>, taken: Duration) -> Try<Self> {
        let mut all: Vec<f64> = parts.into_iter().flatten().map(micros).collect();
        all.sort_by(f64::total_cmp);
        if all.is_empty() {
            return Err("nothing was answered".into());
        }
        let answers = all.len() as f64;
        Ok(Self {
            answers,
            rate: answers / taken.as_secs_f64(),
            median: quantile(&all, 0.5),
            p99: quantile(&all, 0.99),
        })
    }
}

/// As many requests as are answered: each connection asks again as soon as it has its answer.
///
/// # Errors
/// When an answer has another status than `expected`.
pub async fn as_many(
    address: SocketAddr,
    request: &Request,
    expected: u16,
    connections: usize,
    lasting: Duration,
) -> Try<Load> {
    let asking = |_, mut client: Client, begun: Instant| {
        let request = request.clone();
        async move {
            let mut taken = Vec::with_capacity(64 * 1024);
            let mut asked_at = Instant::now();
            while asked_at.duration_since(begun) < lasting {
                right(client.send(&request).await?, expected)?;
                let answered_at = Instant::now();
                taken.push(answered_at.duration_since(asked_at));
                asked_at = answered_at;
            }
            Ok(taken)
        }
    };
    let (parts, taken) = on_each(address, connections, asking).await?;
    Load::of(parts, taken)
}

/// A steady number of requests per second. A request that is late because its connection still waited for the
/// one before counts from when it should have been sent, so that a server that stalls is not let off.
///
/// # Errors
/// When an answer has another status than `expected`.
pub async fn steadily(
    address: SocketAddr,
    request: &Request,
    expected: u16,
    (per_second, connections): (u32, usize),
    lasting: Duration,
) -> Try<Load> {
    let gap = Duration::from_secs(1) / per_second;
    let each = gap * u32::try_from(connections)?;
    let asking = |index: usize, mut client: Client, begun: Instant| {
        let request = request.clone();
        async move {
            let mut taken = Vec::new();
            let mut due = begun + gap * u32::try_from(index)?;
            while due.duration_since(begun) < lasting {
                let was_free = Instant::now() < due;
                tokio::time::sleep_until(due.into()).await;
                // Our own timer is coarse; that is not the server's delay.
                let from = if was_free { Instant::now() } else { due };
                right(client.send(&request).await?, expected)?;
                taken.push(from.elapsed());
                due += each;
            }
            Ok(taken)
        }
    };
    let (parts, taken) = on_each(address, connections, asking).await?;
    Load::of(parts, taken)
}

/// Each of these once, spread over so many connections.
///
/// # Errors
/// When one is not answered with 200.
pub async fn each_once(address: SocketAddr, requests: &Arc<[Request]>, connections: usize) -> Try {
    let asking = |index, mut client: Client, _| {
        let requests = Arc::clone(requests);
        async move {
            for request in requests.iter().skip(index).step_by(connections) {
                right(client.send(request).await?, 200)?;
            }
            Ok(())
        }
    };
    on_each(address, connections, asking).await?;
    Ok(())
}

/// Opens the connections, then does this on each of them at the same time; what each brought, and how long
/// all of it took.
async fn on_each<F, T>(
    address: SocketAddr,
    connections: usize,
    work: impl Fn(usize, Client, Instant) -> F,
) -> Try<(Vec<T>, Duration)>
where
    F: Future<Output = Try<T>> + Send + 'static,
    T: Send + 'static,
{
    let clients = try_join_all((0..connections).map(|_| Client::connect(address))).await?;
    let begun = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(index, client)| tokio::spawn(work(index, client, begun)))
        .collect();
    let mut brought = Vec::with_capacity(connections);
    for task in tasks {
        brought.push(task.await??);
    }
    Ok((brought, begun.elapsed()))
}

fn right(status: u16, expected: u16) -> Try {
    if status == expected {
        return Ok(());
    }
    Err(format!("the answer is {status}, not {expected}").into())
}
