//! Connections to the port: how many there are, how long one may say nothing, how long a request's head may
//! take. Whoever holds a connection open and sends nothing, or never ends a head, takes no place from
//! others and no memory.
//!
//! The host keeps its connections for long and calls again on them, so one that rests is left alone until the
//! host itself has given it up (its client does so after one or two minutes). What is closed early is what
//! no client of the host does: a head that was begun and does not come to its end. Bodies have a deadline of
//! their own ([`super::input`]).

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A request's head must be complete this long after its first byte.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// And within this many bytes; the host takes no more than 32 KiB of headers itself.
const HEAD_BYTES: usize = 128 * 1024;
/// A connection on which nothing happens is closed after this, long after the host has given it up.
const REST: Duration = Duration::from_secs(600);
/// How often both are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Connections at the same time, at most, and at most half of the files that this process may open: probes
/// and the store need some as well.
const MOST: usize = 4_096;
/// Files that a process may open where that cannot be found out.
const FILES: usize = 1_024;
/// Connections that are accepted and not yet taken up by the server.
const BACKLOG: usize = 64;
/// After a failure to accept, mostly for want of files, the next attempt waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing was ever said.
    Silent,
    /// A head has begun.
    Head,
    /// Between two requests.
    Resting,
    /// A request is being answered.
    Busy,
    /// It is to be closed; whoever reads from it next finds its end.
    Closed,
}

#[derive(Debug)]
struct Life {
    stage: Stage,
    since: Instant,
    head_bytes: usize,
    waker: Option<Waker>,
}

impl Life {
    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
    }

    fn heard(&mut self, bytes: usize) {
        match self.stage {
            Stage::Silent | Stage::Resting => {
                self.enter(Stage::Head);
                self.head_bytes = bytes;
            }
            Stage::Head => self.head_bytes = self.head_bytes.saturating_add(bytes),
            Stage::Busy | Stage::Closed => {}
        }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        let limit = match self.stage {
            Stage::Head => HEAD_DEADLINE,
            Stage::Silent | Stage::Resting => REST,
            Stage::Busy | Stage::Closed => return false,
        };
        now.duration_since(self.since) > limit
    }

    fn await_with(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
    }
}

/// One connection, as the server and the requests on it see it.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Mutex<Life>>);

impl Connection {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Life {
            stage: Stage::Silent,
            since: Instant::now(),
            head_bytes: 0,
            waker: None,
        })))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that the server is about to serve.
    #[must_use]
    pub fn of(stream: &IncomingStream<'_, Reception>) -> Self {
        stream.io().place.connection.clone()
    }

    /// Busy for as long as a request on it is answered.
    pub async fn attend<T>(&self, answering: impl Future<Output = T>) -> T {
        // It rests where the request is the next of several that came at once.
        self.turn(&[Stage::Head, Stage::Resting], Stage::Busy);
        let answer = answering.await;
        self.turn(&[Stage::Busy], Stage::Resting);
        answer
    }

    fn turn(&self, from: &[Stage], to: Stage) {
        let mut life = self.life();
        if from.contains(&life.stage) {
            life.enter(to);
        }
    }
}

/// All connections.
#[derive(Debug)]
struct Connections {
    all: Mutex<HashMap<u64, Connection>>,
    /// Those that are not closed.
    open: AtomicUsize,
    most: usize,
}

impl Connections {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, Connection>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more; where all are taken, the connections that are of least use lose theirs.
    /// `None` where every one is busy.
    fn place(self: &Arc<Self>, id: u64) -> Option<Place> {
        if self.open.load(Ordering::Relaxed) >= self.most {
            self.make_room();
        }
        if self.open.load(Ordering::Relaxed) >= self.most {
            return None;
        }
        let connection = Connection::new();
        self.all().insert(id, connection.clone());
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            id,
            connection,
            connections: Arc::clone(self),
        })
    }

    /// Closes one of sixteen: those that never said anything, then heads without an end, then those that
    /// rest, the oldest of each first. None that is busy.
    fn make_room(&self) {
        let mut idle: Vec<(Stage, Instant, Connection)> = self
            .all()
            .values()
            .map(|connection| {
                let life = connection.life();
                (life.stage, life.since, connection.clone())
            })
            .filter(|(stage, ..)| *stage < Stage::Busy)
            .collect();
        if idle.is_empty() {
            return;
        }
        idle.sort_by_key(|(stage, since, _)| (*stage, *since));
        let surplus = (self.most / 16).max(1);
        for (_, _, connection) in idle.iter().take(surplus) {
            self.close(connection, |life| life.stage < Stage::Busy);
        }
        tracing::warn!(
            "{} connections are open, as many as may be: the idle ones are closed",
            self.most
        );
    }

    fn close(&self, connection: &Connection, still: impl Fn(&Life) -> bool) {
        let mut life = connection.life();
        if life.stage == Stage::Closed || !still(&life) {
            return;
        }
        life.enter(Stage::Closed);
        self.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(waker) = life.waker.take() {
            waker.wake();
        }
    }

    /// Closes what is overdue.
    fn look(&self) {
        let now = Instant::now();
        let all: Vec<Connection> = self.all().values().cloned().collect();
        for connection in all {
            self.close(&connection, |life| life.is_overdue(now));
        }
    }
}

/// A connection's place among all, given up with the connection.
#[derive(Debug)]
struct Place {
    id: u64,
    connection: Connection,
    connections: Arc<Connections>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.close(&self.connection, |_| true);
        self.connections.all().remove(&self.id);
    }
}

/// The port with its rules.
#[derive(Debug)]
pub struct Reception {
    callers: mpsc::Receiver<Caller>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Reception {
    /// Takes over a port that is open. Whoever connects and says nothing waits here, where that costs next to
    /// nothing, and not in the server.
    ///
    /// # Errors
    /// When the port is lost.
    pub fn open(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let connections = Arc::new(Connections {
            all: Mutex::default(),
            open: AtomicUsize::new(0),
            most: MOST.min(open_files() / 2).max(1),
        });
        let (sender, callers) = mpsc::channel(BACKLOG);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&connections), sender));
        tasks.spawn(async move {
            let mut looks = tokio::time::interval(LOOK);
            loop {
                looks.tick().await;
                connections.look();
            }
        });
        Ok(Self {
            callers,
            address,
            _tasks: tasks,
        })
    }
}

impl Listener for Reception {
    type Io = Caller;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Caller, SocketAddr) {
        match self.callers.recv().await {
            Some(caller) => (caller, self.address),
            // The task that accepts never ends while we are here.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    connections: Arc<Connections>,
    sender: mpsc::Sender<Caller>,
) {
    for id in 0_u64.. {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(place) = connections.place(id) {
                    tokio::spawn(first_word(Caller { stream, place }, sender.clone()));
                }
            }
            Err(error) if is_of_the_caller(&error) => {}
            Err(error) => {
                tracing::error!("a connection could not be accepted: {error}");
                connections.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Waits until there is something to read, or the connection is closed.
async fn first_word(caller: Caller, sender: mpsc::Sender<Caller>) {
    let is_open = poll_fn(|context| {
        let mut life = caller.place.connection.life();
        if life.stage == Stage::Closed {
            return Poll::Ready(false);
        }
        life.await_with(context);
        caller
            .stream
            .poll_read_ready(context)
            .map(|ready| ready.is_ok())
    });
    if is_open.await {
        // An error means that the server is gone, and the connection with it.
        let _ = sender.send(caller).await;
    }
}

/// How many files this process may open; where the system does not tell, a number that is usual.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|numbers| numbers.split_whitespace().next())
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(FILES)
}

/// Who is at the other end.
#[derive(Debug)]
pub struct Caller {
    stream: TcpStream,
    place: Place,
}

impl AsyncRead for Caller {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Place {
            connection,
            connections,
            ..
        } = &this.place;
        let is_endless = |life: &Life| life.stage == Stage::Head && life.head_bytes > HEAD_BYTES;
        connections.close(connection, is_endless);
        let mut life = connection.life();
        if life.stage == Stage::Closed {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        match &polled {
            Poll::Pending => life.await_with(context),
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                life.heard(buffer.filled().len() - before);
            }
            Poll::Ready(_) => {}
        }
        polled
    }
}

impl AsyncWrite for Caller {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
