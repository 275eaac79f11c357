//! The one HTTP client: everything that this binary asks of the world goes through it. And the words in
//! which its faults, and other programs' answers, are told to people.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::LazyLock;
use std::time::Duration;

use url::Url;

use crate::model::secret::HIDDEN;

/// A connection that is not made within this time counts as refused.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Connections idle for longer are not used again. Many servers and balancers close them after a minute,
/// some after less; a request sent into a connection that is just being closed looks like a failure.
const IDLE_LIMIT: Duration = Duration::from_secs(4);

/// Connections to one host that are kept while nobody uses them. A sweep of hundreds of probes of one host opens as many;
/// what comes next needs a few of them, and each takes some 15 KiB.
const IDLE_MOST: usize = 128;

/// Loopback, and the link-local addresses of the platform's own services.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16";

/// The app settings that name where CA certificates are, instead of where the system keeps them.
const CERTIFICATE_SETTINGS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A client that follows no redirects and keeps connections. Each request sets its own total time limit. On a
/// machine without CA certificates it trusts nobody, so that what needs no TLS works all the same.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<reqwest::Client, String> {
    checked_client().map(|(client, _)| client)
}

/// The same, and a line for people where the machine has no CA certificates: what follows, and what to do.
///
/// # Errors
/// When TLS cannot be set up.
pub fn checked_client() -> Result<(reqwest::Client, Option<String>), String> {
    if let Ok(client) = builder().build() {
        return Ok((client, None));
    }
    // What differs is only whom it trusts: if this can be made, the certificates were what was wrong.
    let client = builder()
        .tls_certs_only(std::iter::empty())
        .build()
        .map_err(|error| {
            let causes = causes(&error);
            let last = causes.last().map(ToString::to_string);
            format!("TLS could not be set up: {}", last.unwrap_or_default())
        })?;
    let named = CERTIFICATE_SETTINGS
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    Ok((client, Some(no_certificates(&named.collect::<Vec<_>>()))))
}

/// What is told where no CA certificate could be read, while these settings say where they are.
fn no_certificates(named: &[&str]) -> String {
    if named.is_empty() {
        return "this machine has no CA certificates, so nothing can be reached over https://: install them in \
                its image (the package ca-certificates), or name a PEM file that holds them in SSL_CERT_FILE (an app \
                setting, or a variable of the environment)"
            .to_owned();
    }
    let named = named.join(" and ");
    format!(
        "no CA certificates can be read from where {named} points, so nothing can be reached over https://: name a \
         PEM file that holds them, or remove the setting, so that the image's own are used"
    )
}

fn builder() -> reqwest::ClientBuilder {
    proxies()
        .into_iter()
        .fold(
            reqwest::Client::builder().no_proxy(),
            reqwest::ClientBuilder::proxy,
        )
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .pool_idle_timeout(IDLE_LIMIT)
        .pool_max_idle_per_host(IDLE_MOST)
        .user_agent(concat!("understudy/", env!("CARGO_PKG_VERSION")))
}

/// The proxies that the environment names, for everything but this machine and its platform: the identity
/// endpoint, an emulator or a simulator is behind no proxy.
fn proxies() -> Vec<reqwest::Proxy> {
    let setting = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .filter(|value| !value.is_empty())
    };
    let mut spared = NEVER_PROXIED.to_owned();
    if let Some(more) = setting(["NO_PROXY", "no_proxy"]) {
        spared.push(',');
        spared.push_str(&more);
    }
    let all = || setting(["ALL_PROXY", "all_proxy"]);
    let http = setting(["http_proxy", "HTTP_PROXY"]).or_else(all);
    let https = setting(["HTTPS_PROXY", "https_proxy"]).or_else(all);
    [
        http.and_then(|url| reqwest::Proxy::http(url).ok()),
        https.and_then(|url| reqwest::Proxy::https(url).ok()),
    ]
    .into_iter()
    .flatten()
    .map(|proxy| proxy.no_proxy(reqwest::NoProxy::from_string(&spared)))
    .collect()
}

/// What kept a request from being answered, in words for people. Never holds the URL.
#[must_use]
pub fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() && error.is_connect() {
        return format!("no connection within {}", span(CONNECT_LIMIT));
    }
    let chain = causes(error);
    if let Some(words) = chain.iter().find_map(|cause| known_cause(*cause)) {
        return words.to_owned();
    }
    let last = chain.last().map(ToString::to_string).unwrap_or_default();
    let tls = [
        "certificate",
        "handshake",
        "tls",
        "alert",
        "corrupt message",
        "peer ",
    ];
    let lower = last.to_lowercase();
    if tls.iter().any(|word| lower.contains(word)) {
        return format!("TLS failed: {}", plain(&last, &[]));
    }
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if error.is_builder() {
        return format!("the request cannot be made: {}", plain(&last, &[]));
    }
    if last.is_empty() {
        return "the connection failed".to_owned();
    }
    format!("the connection failed: {}", plain(&last, &[]))
}

fn causes<'a>(error: &'a reqwest::Error) -> Vec<&'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn Error + 'static)| {
        (*cause).source()
    })
    .collect()
}

fn known_cause(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    let text = cause.to_string();
    if text.contains("dns error") || text.contains("failed to lookup address") {
        return Some("name not found");
    }
    if text.contains("message completed") || text.contains("unexpected EOF") {
        return Some("the connection was closed before the answer was complete");
    }
    // What hyper calls an invalid header or version is not HTTP.
    if text.starts_with("invalid HTTP") {
        return Some("the answer is not HTTP");
    }
    match cause.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::ConnectionRefused => Some("connection refused"),
        ErrorKind::ConnectionReset => Some("connection reset"),
        ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            Some("the connection was closed before the answer was complete")
        }
        ErrorKind::HostUnreachable => Some("host unreachable"),
        ErrorKind::NetworkUnreachable => Some("network unreachable"),
        _ => None,
    }
}

/// The host and port of a URL: what a reading says was asked. Empty where there is none.
#[must_use]
pub fn place(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return String::new();
    };
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

/// The longest text that is taken over from somebody else's answer, in characters.
const LONGEST_QUOTE: usize = 240;

/// Somebody else's text, fit to be shown: one line, not too long, without the secrets that we know of and
/// without anything that looks like a token.
#[must_use]
pub fn plain(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, HIDDEN);
    }
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if holds_token(word) { HIDDEN } else { word })
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Whether a word holds a JSON Web Token, a signature of a SAS, or a key in a query.
fn holds_token(word: &str) -> bool {
    static MARKS: LazyLock<[&str; 5]> =
        LazyLock::new(|| ["eyJ", "sig=", "accessToken=", "access_token", "AccountKey="]);
    MARKS.iter().any(|mark| word.contains(mark))
}

/// A duration for people: `10 s`, `1.5 s`, `250 ms`.
#[must_use]
pub fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return format!("{millis} ms");
    }
    if millis.is_multiple_of(1000) {
        return format!("{} s", millis / 1000);
    }
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases = [(10_000, "10 s"), (1_500, "1.5 s"), (250, "250 ms")];
        for (millis, text) in cases {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn missing_certificates_are_told_with_what_to_do() {
        let image = no_certificates(&[]);
        assert!(
            image.contains("ca-certificates") && image.contains("SSL_CERT_FILE"),
            "{image}"
        );
        let setting = no_certificates(&["SSL_CERT_DIR"]);
        assert!(
            setting.contains("SSL_CERT_DIR points") && setting.contains("remove"),
            "{setting}"
        );
    }

    #[test]
    fn a_foreign_text_is_one_short_line_without_secrets() {
        let text = plain("no\r\n  way: hunter2 token eyJhbGciOi.x.y", &["hunter2"]);
        assert_eq!(text, "no way: [secret] token [secret]");
        assert_eq!(
            plain(&"ä".repeat(5000), &[]).chars().count(),
            LONGEST_QUOTE + 1
        );
    }

    #[test]
    fn a_place_has_a_port_and_nothing_secret() {
        let cases = [
            ("https://user:pw@example.org/a?key=1", "example.org:443"),
            ("http://127.0.0.1:7071/x", "127.0.0.1:7071"),
            ("nonsense", ""),
        ];
        for (url, expected) in cases {
            assert_eq!(place(url), expected);
        }
    }
}
