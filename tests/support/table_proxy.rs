//! A proxy in front of Azurite that spoils single exchanges, or all of them for a time, in ways the emulator
//! never does.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};

/// What happens to one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: for exchanges before the one that is meant.
    None,
    /// It reaches the service; the answer is dropped with the connection.
    DropAnswer,
    /// It reaches the service; no answer ever comes.
    HangAfter,
    /// It never reaches the service; no answer ever comes.
    HangBefore,
    /// It never reaches the service; the answer is 503.
    Busy,
    /// It reaches the service; the answer is 500.
    ErrorAfter,
    /// It reaches the service twice; the second answer is given.
    Twice,
    /// It reaches the service; the answer ends in the middle.
    Truncate,
    /// It reaches the service; the answer has no ETag.
    NoEtag,
    /// It reaches the service a second late.
    Slow,
    /// It never reaches the service; the answer is that others wrote first.
    Outrun,
    /// It never reaches the service; the connection is closed.
    Close,
    /// It reaches the service when [`Proxy::let_go`] is called.
    Held,
}

/// A running proxy. Writes to `/Tables` are never spoiled.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    writes: Arc<Mutex<VecDeque<Fault>>>,
    reads: Arc<Mutex<VecDeque<Fault>>>,
    seen: Arc<Mutex<Vec<String>>>,
    always: Arc<Mutex<Option<Fault>>>,
    upstream: u16,
    accepting: Mutex<Option<AbortHandle>>,
    gate: Arc<Gate>,
}

/// Where exchanges are held.
struct Gate {
    held: watch::Sender<usize>,
    passes: Semaphore,
}

impl Proxy {
    /// Starts one in front of this port.
    pub async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            writes: Arc::default(),
            reads: Arc::default(),
            seen: Arc::default(),
            always: Arc::default(),
            upstream,
            accepting: Mutex::default(),
            gate: Arc::new(Gate {
                held: watch::Sender::new(0),
                passes: Semaphore::new(0),
            }),
        };
        proxy.accept(listener);
        proxy
    }

    fn accept(&self, listener: TcpListener) {
        let (writes, reads) = (Arc::clone(&self.writes), Arc::clone(&self.reads));
        let (seen, always) = (Arc::clone(&self.seen), Arc::clone(&self.always));
        let (upstream, gate) = (self.upstream, Arc::clone(&self.gate));
        let accepting = tokio::spawn(async move {
            // Its connections end with it.
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (writes, reads) = (Arc::clone(&writes), Arc::clone(&reads));
                let (seen, always) = (Arc::clone(&seen), Arc::clone(&always));
                let gate = Arc::clone(&gate);
                open.spawn(async move {
                    let next = |line: &str| {
                        seen.lock().unwrap().push(line.to_owned());
                        if let Some(fault) = *always.lock().unwrap() {
                            return fault;
                        }
                        let queue = if line.starts_with("GET") {
                            &reads
                        } else {
                            &writes
                        };
                        let fault = if line.contains("/Tables ") {
                            None
                        } else {
                            queue.lock().unwrap().pop_front()
                        };
                        fault.unwrap_or(Fault::None)
                    };
                    let _ = exchange(client, upstream, &gate, next).await;
                });
                while open.try_join_next().is_some() {}
            }
        });
        *self.accepting.lock().unwrap() = Some(accepting.abort_handle());
    }

    /// Spoils every exchange from now on, writes to `/Tables` too; `None` ends that.
    pub fn spoil_all(&self, fault: Option<Fault>) {
        *self.always.lock().unwrap() = fault;
    }

    /// Nobody listens any more, and every connection is broken.
    pub fn stop(&self) {
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            accepting.abort();
        }
    }

    /// Listens again, at the same port.
    pub async fn restart(&self) {
        let began = std::time::Instant::now();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", self.port)).await {
                Ok(listener) => break listener,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        self.accept(listener);
    }

    /// From now on every connection is dropped without an answer.
    pub fn close(&self) {
        self.spoil_all(Some(Fault::Close));
    }

    /// From now on nothing is answered.
    pub fn fall_silent(&self) {
        self.spoil_all(Some(Fault::HangBefore));
    }

    /// Ends either.
    pub fn open(&self) {
        self.spoil_all(None);
    }

    /// Spoils the next writes, in order.
    pub fn spoil_writes(&self, faults: &[Fault]) {
        self.writes.lock().unwrap().extend(faults);
    }

    /// Waits until so many exchanges have come to be held, since the start.
    pub async fn holds(&self, count: usize) {
        let mut held = self.gate.held.subscribe();
        let waiting = held.wait_for(|held| *held >= count);
        let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
        assert!(waited.is_ok(), "nothing came to be held");
    }

    /// Lets one that is held go on.
    pub fn let_go(&self) {
        self.gate.passes.add_permits(1);
    }

    /// Spoils the next reads, in order.
    pub fn spoil_reads(&self, faults: &[Fault]) {
        self.reads.lock().unwrap().extend(faults);
    }

    /// Takes back the faults that are left.
    pub fn forgive(&self) {
        self.writes.lock().unwrap().clear();
        self.reads.lock().unwrap().clear();
    }

    /// Whether every fault has been used.
    pub fn is_spent(&self) -> bool {
        self.writes.lock().unwrap().is_empty() && self.reads.lock().unwrap().is_empty()
    }

    /// The request lines since the last call.
    pub fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn exchange(
    mut client: TcpStream,
    upstream: u16,
    gate: &Gate,
    next: impl FnOnce(&str) -> Fault,
) -> std::io::Result<()> {
    let request = read_request(&mut client).await?;
    let text = String::from_utf8_lossy(&request);
    let fault = next(text.lines().next().unwrap_or_default());
    match fault {
        Fault::Busy => return client.write_all(BUSY).await,
        Fault::HangBefore => return hang(&mut client).await,
        Fault::Close => return Ok(()),
        Fault::Outrun => return client.write_all(OUTRUN).await,
        Fault::Held => {
            gate.held.send_modify(|held| *held += 1);
            if let Ok(pass) = gate.passes.acquire().await {
                pass.forget();
            }
        }
        Fault::Slow => tokio::time::sleep(Duration::from_secs(1)).await,
        Fault::Twice => {
            forward(upstream, &request).await?;
        }
        _ => {}
    }
    let mut answer = forward(upstream, &request).await?;
    match fault {
        Fault::DropAnswer => Ok(()),
        Fault::HangAfter => hang(&mut client).await,
        Fault::ErrorAfter => client.write_all(ERROR).await,
        Fault::Truncate => client.write_all(&answer[..answer.len() - 20]).await,
        Fault::NoEtag => {
            let text = String::from_utf8(answer).unwrap();
            answer = text
                .replace("etag: ", "x-none: ")
                .replace("ETag: ", "x-none: ")
                .into_bytes();
            client.write_all(&answer).await
        }
        _ => client.write_all(&answer).await,
    }
}

const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nContent-Length: 69\r\nConnection: close\r\n\r\n{\"odata.error\":{\"code\":\"ServerBusy\",\"message\":{\"value\":\"is\\nbusy\"}}}\n";
const OUTRUN: &[u8] = b"HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\nContent-Length: 80\r\nConnection: close\r\n\r\n{\"odata.error\":{\"code\":\"UpdateConditionNotSatisfied\",\"message\":{\"value\":\"no\"}}}\n";
const ERROR: &[u8] = b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Until the client gives up.
async fn hang(client: &mut TcpStream) -> std::io::Result<()> {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.map(|_| ())
}

async fn forward(upstream: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut service = TcpStream::connect(("127.0.0.1", upstream)).await?;
    let first_line = request.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    service.write_all(&request[..first_line]).await?;
    service.write_all(b"connection: close\r\n").await?;
    service.write_all(&request[first_line..]).await?;
    let mut answer = Vec::new();
    // The service may reset a connection that it has answered in full.
    match service.read_to_end(&mut answer).await {
        Err(error) if answer.is_empty() => Err(error),
        Ok(_) | Err(_) => Ok(answer),
    }
}

async fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&buffer[..count]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse().unwrap());
        if request.len() >= end + 4 + length {
            return Ok(request);
        }
    }
}
