//! The two ways in which a request reaches the handler as a request: proxied, and rebuilt.

use understudy::local::proxy::{HOP_BY_HOP, HOST_VERSION};
use understudy::local::route::decode;
use uuid::Uuid;

use super::wire::{Message, Payload, find};

/// Headers of the content, which the older mode loses.
const CONTENT: [&str; 9] = [
    "allow",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-md5",
    "content-range",
    "expires",
    "last-modified",
];

/// The request itself, with the proxy's marks.
pub fn proxied(request: &Message, port: u16, invocation: Uuid) -> Message {
    const SET: [&str; 8] = [
        "forwarded",
        "host",
        "x-azure-functions-hostversion",
        "x-azure-functions-invocationid",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-ms-invocation-id",
    ];
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            !HOP_BY_HOP.contains(&name.as_str()) && !SET.contains(&name.as_str())
        })
        .cloned()
        .collect();
    let public = find(&request.headers, "host").unwrap_or_default();
    for (name, value) in [
        ("Host", format!("127.0.0.1:{port}")),
        ("X-Forwarded-For", "127.0.0.1".to_owned()),
        ("X-Forwarded-Host", public.to_owned()),
        ("X-Forwarded-Proto", "http".to_owned()),
        ("X-Azure-Functions-HostVersion", HOST_VERSION.to_owned()),
        ("X-Azure-Functions-InvocationId", invocation.to_string()),
        ("x-ms-invocation-id", invocation.to_string()),
    ] {
        headers.push((name.to_owned(), value));
    }
    Message {
        headers,
        ..request.clone()
    }
}

/// A copy of the request, as much as the older mode makes of it.
///
/// # Errors
/// Where the host fails and the caller gets 500.
pub fn forwarded(request: &Message, invocation: Uuid) -> Result<Message, String> {
    if matches!(request.body, Payload::Chunked(_)) {
        return Err("'Transfer-Encoding: chunked' header can not be used when content object is not specified".to_owned());
    }
    let has_body = !request.body.bytes().is_empty();
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &request.headers {
        let lower = name.to_ascii_lowercase();
        if CONTENT.contains(&lower.as_str()) || (lower == "content-type" && !has_body) {
            continue;
        }
        match headers
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => headers.push((name.clone(), value.clone())),
        }
    }
    let agent = format!("Azure-Functions-Host/{HOST_VERSION}");
    match headers
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case("user-agent"))
    {
        Some((_, own)) => *own = format!("{own} {agent}"),
        None => headers.push(("User-Agent".to_owned(), agent)),
    }
    headers.push((
        "X-Azure-Functions-HostVersion".to_owned(),
        HOST_VERSION.to_owned(),
    ));
    headers.push((
        "X-Azure-Functions-InvocationId".to_owned(),
        invocation.to_string(),
    ));
    Ok(Message {
        method: request.method.clone(),
        target: rebuilt(&request.target),
        headers,
        body: if has_body {
            Payload::Sized(request.body.bytes().to_vec())
        } else {
            Payload::None
        },
    })
}

/// A copy that loses nothing on its way: a platform before the host has given the body its length.
pub fn copied(request: &Message, invocation: Uuid) -> Message {
    let mut copy = request.clone();
    if let Payload::Chunked(bytes) = &request.body {
        copy.body = Payload::Sized(bytes.clone());
    }
    for (name, value) in [
        ("X-Azure-Functions-HostVersion", HOST_VERSION.to_owned()),
        ("X-Azure-Functions-InvocationId", invocation.to_string()),
    ] {
        copy.headers.push((name.to_owned(), value));
    }
    copy
}

/// The path decoded and encoded again, the query taken apart and joined.
pub fn rebuilt(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = decode(path);
    // What was a question mark in the path begins a query, which the real one then replaces.
    let path = encode(
        decoded.split('?').next().unwrap_or_default(),
        "/:@!$&'()*+,;=",
    );
    let mut pairs: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match pairs
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            Some((_, values)) => values.push(value.into_owned()),
            None => pairs.push((name.into_owned(), vec![value.into_owned()])),
        }
    }
    let query: Vec<String> = pairs
        .iter()
        .map(|(name, values)| format!("{}={}", encode(name, ""), encode(&values.join(","), ",:/@")))
        .collect();
    if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// Percent-encodes all but letters, digits, `-._~` and these; a `%2F` that was left stays.
fn encode(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for (index, letter) in text.char_indices() {
        let is_left = letter == '%' && text[index..].to_ascii_uppercase().starts_with("%2F");
        let is_plain =
            letter.is_ascii_alphanumeric() || "-._~".contains(letter) || kept.contains(letter);
        if is_plain || is_left {
            encoded.push(letter);
        } else {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}
