//! What stands between a caller and the functions: the platform's front end, and a port to call.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::Arc;

use super::wire::{Message, Payload, Reply, find};

/// Answers one request.
pub trait Serve: Send + Sync + 'static {
    /// The answer.
    fn serve(&self, request: Message) -> impl Future<Output = Reply> + Send;
}

/// The request as the front end hands it on: dot segments resolved, with its own headers.
pub fn entered(mut request: Message) -> Message {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path.to_owned(), format!("?{query}")),
        None => (request.target.clone(), String::new()),
    };
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => {}
            ".." if kept.len() > 1 => {
                kept.pop();
            }
            ".." => {}
            _ => kept.push(segment),
        }
    }
    let path = kept.join("/");
    request.target = format!("{}{query}", if path.is_empty() { "/" } else { &path });
    let host = find(&request.headers, "host")
        .unwrap_or_default()
        .to_owned();
    for (name, value) in [
        ("X-ARR-LOG-ID", "b6d93f1a-1e7f-4c5e-8f0e-5e3d1c6a7b90"),
        ("X-Forwarded-For", "198.51.100.7:50123"),
        ("X-Forwarded-Proto", "https"),
        ("X-SITE-DEPLOYMENT-ID", "app"),
        ("CLIENT-IP", "198.51.100.7:50123"),
        ("DISGUISED-HOST", host.as_str()),
        ("Max-Forwards", "10"),
    ] {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    request
}

/// Serves on a free port of this machine; gives the base address.
pub async fn listen(to: Arc<impl Serve>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().fallback(answer).with_state(to);
    let task = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (base, task)
}

async fn answer<S: Serve>(State(to): State<Arc<S>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut message = Message::new(
        parts.method.as_str(),
        parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str()),
    );
    for (name, value) in &parts.headers {
        if name != "content-length" && name != "transfer-encoding" {
            message.headers.push((
                name.to_string(),
                value.to_str().unwrap_or_default().to_owned(),
            ));
        }
    }
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default()
        .to_vec();
    message.body = if parts.headers.contains_key("content-length") {
        Payload::Sized(bytes)
    } else if parts.headers.contains_key("transfer-encoding") {
        Payload::Chunked(bytes)
    } else {
        Payload::None
    };
    let reply = to.serve(message).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        let lower = name.to_ascii_lowercase();
        if lower != "content-length" && lower != "transfer-encoding" && lower != "connection" {
            response = response.header(name, value);
        }
    }
    response
        .body(Body::from(reply.body))
        .expect("it was an answer")
}
