//! HTTP/1.1 written and read by hand: what is sent is exactly what a test says, no client tidies it.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request, or as much of it as the other side gets to see.
#[derive(Debug, Clone)]
pub struct Message {
    /// The method as it is written.
    pub method: String,
    /// Path and query as they are written.
    pub target: String,
    /// Headers in their order, without those of the body's framing.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Payload,
}

/// A body with its framing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// None, and no header of it.
    None,
    /// With `Content-Length`.
    Sized(Vec<u8>),
    /// With `Transfer-Encoding: chunked`.
    Chunked(Vec<u8>),
}

impl Payload {
    /// The bytes, however they are framed.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Sized(bytes) | Self::Chunked(bytes) => bytes,
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers in their order, as they are written.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

/// The first header of this name, whatever its case.
pub fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

impl Message {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Payload::None,
        }
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another body.
    pub fn body(mut self, body: Payload) -> Self {
        self.body = body;
        self
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        match &self.body {
            Payload::None => {}
            Payload::Sized(body) => text.push_str(&format!("Content-Length: {}\r\n", body.len())),
            Payload::Chunked(_) => text.push_str("Transfer-Encoding: chunked\r\n"),
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        match &self.body {
            Payload::None => {}
            Payload::Sized(body) => bytes.extend(body),
            Payload::Chunked(body) => {
                // Small enough that any real body comes in several.
                for chunk in body.chunks(100) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// Sends a request to a port of this machine and reads the whole answer.
///
/// # Errors
/// The connection's; `InvalidData` for what is no HTTP, `UnexpectedEof` for an answer that breaks off.
pub async fn send(port: u16, message: &Message) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    // An answer may come before all is sent; then the rest is of no interest.
    let written = stream.write_all(&message.bytes()).await;
    let mut reader = Reader {
        stream,
        buffer: Vec::new(),
    };
    match read_reply(&mut reader, &message.method).await {
        Ok(reply) => Ok(reply),
        Err(error) => Err(written.err().unwrap_or(error)),
    }
}

async fn read_reply(reader: &mut Reader, method: &str) -> io::Result<Reply> {
    loop {
        let head = reader.head().await?;
        let mut lines = head.split("\r\n");
        let status: u16 = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|line| line.get(..3)?.parse().ok())
            .ok_or_else(|| bad("a status line"))?;
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| bad("a header"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        if (100..200).contains(&status) {
            continue;
        }
        let is_chunked =
            find(&headers, "transfer-encoding").is_some_and(|kind| kind.contains("chunked"));
        let length = find(&headers, "content-length").map(str::parse::<usize>);
        let body = match (is_chunked, length) {
            _ if method == "HEAD" || status == 204 || status == 304 => Vec::new(),
            (true, _) => reader.chunks().await?,
            (false, Some(Ok(length))) => reader.take(length).await?,
            (false, Some(Err(_))) => return Err(bad("a length")),
            (false, None) => reader.rest().await?,
        };
        return Ok(Reply {
            status,
            headers,
            body,
        });
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not {what} of HTTP"))
}

struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Reader {
    /// Reads more; false at the end.
    async fn more(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    async fn until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            let at = self
                .buffer
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(at) = at {
                let found = self.buffer[..at].to_vec();
                self.buffer.drain(..at + mark.len());
                return Ok(found);
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn head(&mut self) -> io::Result<String> {
        let head = self.until(b"\r\n\r\n").await?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| bad("a chunk"))?;
            if size == 0 {
                // No trailers are expected: the rest is an empty line.
                self.until(b"\r\n").await?;
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            self.until(b"\r\n").await?;
        }
    }

    async fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.more().await? {}
        Ok(std::mem::take(&mut self.buffer))
    }
}
