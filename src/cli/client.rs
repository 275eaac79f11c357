//! Asking a running app over its HTTP API. The key travels in a header and is never shown.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::args::AppArgs;
use super::failure::{ApiError, Failure};
use super::render;
use super::shapes::Health;
use crate::adapters::http;
use crate::model::secret::Secret;

/// The app answers an order within 30 s whatever its store does; this leaves the network five more.
const ANSWER_LIMIT: Duration = Duration::from_secs(35);

/// How the app is, is told beside an answer that is there already: it is not waited for longer than one read of its store
/// takes, and the way.
const HEALTH_LIMIT: Duration = Duration::from_secs(6);

/// Where the Functions host looks for a key; unlike the query, it is in no access log.
const KEY_HEADER: HeaderName = HeaderName::from_static("x-functions-key");

/// The app that is asked.
pub(super) struct Api {
    client: reqwest::Client,
    base: Url,
    key: Option<HeaderValue>,
    /// What to do where this machine has no CA certificates.
    no_certificates: Option<String>,
}

/// An answer that is no error.
pub(super) struct Reply {
    /// The status code, 200 to 299.
    pub(super) status: u16,
    /// The body as it came.
    pub(super) body: String,
    from: String,
}

impl Api {
    /// Takes the address and the key from the command line, or its environment.
    pub(super) fn new(args: &AppArgs) -> Result<Self, Failure> {
        let base = base(args.url.as_deref())?;
        let key = key(args.key.as_deref().map(Secret::new).as_ref())?;
        if key.is_some() && base.scheme() == "http" && !is_loopback(&base) {
            eprintln_quietly(
                "warning: the key travels unencrypted, because the address begins with http://",
            );
        }
        let (client, no_certificates) = http::checked_client().map_err(Failure::Failed)?;
        Ok(Self {
            client,
            base,
            key,
            no_certificates,
        })
    }

    /// The address as people know it.
    pub(super) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads something.
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        json: bool,
    ) -> Result<Reply, Failure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let group = path.get(1).copied();
        self.send(self.client.request(Method::GET, url), group, false, json)
            .await
    }

    /// What the app says is wrong with itself, for people: nothing where it is well, or says nothing.
    pub(super) async fn unwell(&self) -> String {
        let asking = self.client.get(self.url(&["health"])).timeout(HEALTH_LIMIT);
        let body = match asking.send().await {
            Ok(answer) => self.without_key(answer.text().await.unwrap_or_default()),
            Err(_) => return String::new(),
        };
        let health: Health = serde_json::from_str(&body).unwrap_or_default();
        if health.reasons.is_empty() {
            return String::new();
        }
        let lines = health.reasons.iter().map(|reason| render::plain(reason));
        let lines: String = lines.map(|line| format!("  {line}\n")).collect();
        format!("The app itself is not well, so moves may fail to come:\n{lines}")
    }

    /// Gives an order.
    pub(super) async fn post(
        &self,
        group: &str,
        order: &str,
        body: &serde_json::Value,
        json: bool,
    ) -> Result<Reply, Failure> {
        let url = self.url(&["groups", group, order]);
        let request = self.client.request(Method::POST, url).json(body);
        self.send(request, Some(group), true, json).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send(
        &self,
        request: RequestBuilder,
        group: Option<&str>,
        order: bool,
        json: bool,
    ) -> Result<Reply, Failure> {
        let mut request = request.timeout(ANSWER_LIMIT);
        if let Some(key) = &self.key {
            request = request.header(KEY_HEADER, key.clone());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(error, group, order))?;
        let status = answer.status().as_u16();
        let header = |name: HeaderName| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let seen = Seen {
            status,
            location: header(LOCATION),
            retry_after: header(RETRY_AFTER)
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())),
            content_type: header(CONTENT_TYPE),
        };
        let body = answer
            .text()
            .await
            .map_err(|error| self.unreachable(error, group, order))?;
        let body = self.without_key(body);
        if (200..300).contains(&status) {
            return Ok(Reply {
                status,
                body,
                from: self.address().to_owned(),
            });
        }
        Err(self.refusal(&seen, body, (group, order), json))
    }

    /// An answer never holds the key; one that comes from something else on the way may.
    fn without_key(&self, body: String) -> String {
        let key = self.key.as_ref().and_then(|key| key.to_str().ok());
        key.filter(|key| body.contains(key))
            .map_or(body.clone(), |key| body.replace(key, "[key]"))
    }

    fn unreachable(&self, error: reqwest::Error, group: Option<&str>, order: bool) -> Failure {
        let address = self.address();
        let mut text = if error.is_timeout() {
            format!("{address} gave no answer in time")
        } else {
            format!("{address} cannot be reached: {}", root_cause(&error))
        };
        if let Some(what_to_do) = &self.no_certificates
            && self.base.scheme() == "https"
        {
            text.push_str(&format!("\n  Certificates: {what_to_do}."));
            return Failure::Failed(text);
        }
        if order && !error.is_connect() {
            text.push_str(&format!(
                "\n  The order may have been taken all the same: look with `understudy show {}` before you repeat it.",
                group.unwrap_or("GROUP")
            ));
        } else if is_loopback(&self.base) {
            text.push_str(
                "\n  Is the app running there? `understudy local` starts it; --url or UNDERSTUDY_URL names another.",
            );
        } else {
            text.push_str(
                "\n  Check --url (or UNDERSTUDY_URL), and that this machine may reach the Function App.",
            );
        }
        Failure::Failed(text)
    }

    /// `asked` is the group, if one is named, and whether it was an order.
    fn refusal(
        &self,
        seen: &Seen,
        body: String,
        asked: (Option<&str>, bool),
        json: bool,
    ) -> Failure {
        let address = self.address();
        if let Some(error) = ApiError::read(&body) {
            let mut message = error.lines(asked.0, asked.1);
            if let Some(seconds) = &seen.retry_after {
                message.push_str(&format!(
                    "\n  It asks to wait {} s.",
                    render::plain(seconds)
                ));
            }
            return Failure::Refused {
                body: json.then_some(body),
                message,
            };
        }
        let key = if self.key.is_some() {
            "the key was not accepted: give a function key or a host key of this app"
        } else {
            "it wants a key: give a function key or a host key of the app"
        };
        let status = seen.status;
        Failure::Failed(match status {
            300..=399 => format!(
                "{address} redirects to {}; keys are not taken along, so give the right address as --url.",
                seen.host().unwrap_or_else(|| "another place".to_owned())
            ),
            401 | 403 => {
                format!("{address} answered {status}: {key}, as --key or UNDERSTUDY_KEY.")
            }
            404 => format!(
                "{address} answered 404 without saying what is missing ({}): is Understudy deployed there, and is --url its address without a route?",
                seen.kind(&body)
            ),
            502..=504 => format!(
                "{address} answered {status} ({}): the app is starting or stopped. Try again in a moment; see its log if it stays so.",
                seen.kind(&body)
            ),
            _ => format!(
                "{address} answered {status} ({}), which is no answer of Understudy: is --url right?",
                seen.kind(&body)
            ),
        })
    }
}

impl Reply {
    /// Its body as one of the shapes; fails where something else than Understudy answered.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.body).map_err(|error| {
            Failure::Failed(format!(
                "{} answered {} with {}, which is no answer of Understudy: is --url right?{}",
                self.from,
                self.status,
                kind_of(&self.body),
                if error.is_data() {
                    format!(" ({error})")
                } else {
                    String::new()
                }
            ))
        })
    }
}

/// What an error answer says besides its body.
struct Seen {
    status: u16,
    location: Option<String>,
    retry_after: Option<String>,
    content_type: Option<String>,
}

impl Seen {
    /// Scheme and host of a redirect; the rest of it may hold what is not to be shown.
    fn host(&self) -> Option<String> {
        let url = Url::parse(self.location.as_deref()?).ok()?;
        Some(format!("{}://{}", url.scheme(), url.host_str()?))
    }

    fn kind(&self, body: &str) -> String {
        match &self.content_type {
            Some(kind) if !body.trim().is_empty() => render::plain(kind),
            _ => kind_of(body).to_owned(),
        }
    }
}

fn kind_of(body: &str) -> &'static str {
    match body.trim_start().chars().next() {
        None => "an empty body",
        Some('<') => "a web page",
        Some('{' | '[') => "other JSON",
        Some(_) => "text",
    }
}

/// The innermost cause: the outer ones repeat the address and say less.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    render::plain(&cause.to_string())
}

fn base(url: Option<&str>) -> Result<Url, Failure> {
    let text = url.map(str::trim).filter(|url| !url.is_empty());
    let Some(text) = text else {
        return Err(Failure::Usage(
            "which app? Give its address as --url or in UNDERSTUDY_URL, for example \
             https://my-app.azurewebsites.net, or http://127.0.0.1:7071 for `understudy local`"
                .to_owned(),
        ));
    };
    // The address itself is not repeated where it may hold a key.
    let mut url = Url::parse(text).map_err(|error| {
        Failure::Usage(format!(
            "--url is no address ({error}): it looks like https://my-app.azurewebsites.net"
        ))
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Failure::Usage(
            "--url must begin with https:// (or http:// on this machine)".to_owned(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() || has_login(&url) {
        return Err(Failure::Usage(
            "--url is only the app's address, without ?code=, name or password: a key goes into --key or UNDERSTUDY_KEY"
                .to_owned(),
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let path = if path.ends_with("/api") {
        path
    } else {
        format!("{path}/api")
    };
    url.set_path(&path);
    Ok(url)
}

fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn key(key: Option<&Secret>) -> Result<Option<HeaderValue>, Failure> {
    let Some(text) = key
        .map(|key| key.reveal().trim())
        .filter(|key| !key.is_empty())
    else {
        return Ok(None);
    };
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Failure::Usage("the key has characters that no key has; copy it again".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A line on stderr; a closed stderr is no reason to fail.
fn eprintln_quietly(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_and_without_api() {
        for (given, meant) in [
            ("http://127.0.0.1:7071", "http://127.0.0.1:7071/api"),
            ("http://127.0.0.1:7071/", "http://127.0.0.1:7071/api"),
            ("http://127.0.0.1:7071/api", "http://127.0.0.1:7071/api"),
            ("http://127.0.0.1:7071/api/", "http://127.0.0.1:7071/api"),
            (" https://x.example/team ", "https://x.example/team/api"),
        ] {
            assert_eq!(base(Some(given)).unwrap().as_str(), meant);
        }
    }

    #[test]
    fn what_is_no_address_is_a_usage_error_that_repeats_no_key() {
        for given in [
            None,
            Some(""),
            Some("my-app.azurewebsites.net"),
            Some("ftp://x.example"),
            Some("https://x.example/api?code=s3cret"),
            Some("https://user:s3cret@x.example"),
        ] {
            let failure = base(given).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{given:?}");
            assert!(!failure.into_texts().1.contains("s3cret"), "{given:?}");
        }
    }

    #[test]
    fn a_key_is_marked_as_secret() {
        let value = key(Some(&Secret::new("abc\n"))).unwrap().unwrap();
        assert_eq!(value, "abc");
        assert!(!format!("{value:?}").contains("abc"));
        assert!(key(Some(&Secret::new(" "))).unwrap().is_none());
        let failure = key(Some(&Secret::new("a\nb"))).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
    }
}
