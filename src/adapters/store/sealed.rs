//! The only way from the table client to the network. `azure_core` 0.21 prints credentials where it logs
//! (its redaction of headers is inverted) and parses XML with a parser that can be stalled; neither
//! can happen here, because it never holds a credential and never sees XML:
//!
//! - requests come in anonymous and are signed here, after `azure_core` has logged them;
//! - of an answer only the headers that are needed go back, and no XML body;
//! - nothing is retried, and every request ends by the call's deadline;
//! - what really happened is noted for whoever called, in our own words and without the URL.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core_021::headers::Headers;
use azure_core_021::{Body, BytesStream, HttpClient, Request, Response, StatusCode};
use base64::Engine;
use bytes::{Bytes, BytesMut};
use hmac::{Hmac, Mac};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::time::Instant;

use super::complaint::complaint;
use crate::adapters::http::plain;
use crate::model::secret::Secret;

/// A page holds at most 1,000 rows; a body beyond this is not the service's.
const BODY_LIMIT: usize = 256 * 1024 * 1024;
/// The headers of an answer that the table client needs and that mean something.
const KEPT: [&str; 3] = [
    "etag",
    "x-ms-continuation-nextpartitionkey",
    "x-ms-continuation-nextrowkey",
];
/// Headers without which 0.21 calls a successful write an error, although nobody reads them.
const FILLED: [(&str, &str); 5] = [
    ("preference-applied", "return-no-content"),
    ("x-ms-request-id", "00000000-0000-0000-0000-000000000000"),
    ("server", "unknown"),
    ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("x-ms-version", "2022-11-02"),
];

/// What signs a request.
#[derive(Debug, Clone)]
pub enum Signer {
    /// An account key.
    Key {
        /// The account.
        account: String,
        /// The key, in base64.
        key: Secret,
    },
    /// A shared access signature.
    Sas(Secret),
    /// A bearer token.
    Bearer(Secret),
}

impl Signer {
    /// A service's own words without our credential, which it may repeat.
    fn hide(&self, text: &str) -> String {
        let secret = match self {
            Self::Key { key: secret, .. } | Self::Sas(secret) | Self::Bearer(secret) => secret,
        };
        let mut parts = vec![secret.reveal()];
        let decoded;
        if let Self::Sas(pairs) = self {
            decoded = url::form_urlencoded::parse(pairs.reveal().as_bytes())
                .filter(|(name, _)| name == "sig")
                .map(|(_, value)| value.into_owned())
                .collect::<Vec<_>>();
            parts.extend(decoded.iter().map(String::as_str));
            let raw = pairs.reveal().split('&');
            parts.extend(raw.filter_map(|pair| pair.strip_prefix("sig=")));
        }
        plain(text, &parts)
    }
}

/// How the last request of a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// No whole answer came. `again` where the connection broke: asking again may help at once.
    Unreached {
        /// What was seen.
        detail: String,
        /// Whether a read may be sent again at once.
        again: bool,
    },
    /// The service answered.
    Answered {
        /// The status.
        status: u16,
        /// The service's code of the error, for example `TableNotFound`.
        code: Option<String>,
        /// The first line of its message.
        message: Option<String>,
    },
}

/// The transport of one call.
#[derive(Debug)]
pub struct Sealed {
    http: reqwest::Client,
    signer: Signer,
    deadline: Instant,
    ending: Arc<Mutex<Option<Ending>>>,
}

impl Sealed {
    /// A transport that signs with this and ends by then.
    #[must_use]
    pub fn new(http: reqwest::Client, signer: Signer, deadline: Instant) -> Self {
        Self {
            http,
            signer,
            deadline,
            ending: Arc::default(),
        }
    }

    /// Where the ending of the last request can be read.
    #[must_use]
    pub fn ending(&self) -> Arc<Mutex<Option<Ending>>> {
        Arc::clone(&self.ending)
    }

    fn note(&self, ending: Ending) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
    }

    async fn exchange(&self, request: &Request) -> Result<Exchanged, Failure> {
        let sent = self.signed(request)?;
        let mut answer = self.http.execute(sent).await?;
        let status = answer.status().as_u16();
        let mut headers = Headers::new();
        for (name, value) in FILLED {
            headers.insert(name, value);
        }
        for name in KEPT {
            if let Some(value) = answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
            {
                headers.insert(name, value.to_owned());
            }
        }
        let code = answer
            .headers()
            .get("x-ms-error-code")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let is_xml = answer
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.contains("xml"));
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Failure::new("the answer is larger than any page of rows"));
            }
            if !is_xml {
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Exchanged {
            status,
            headers,
            code,
            body: body.freeze(),
        })
    }

    fn signed(&self, request: &Request) -> Result<reqwest::Request, Failure> {
        let mut url = request.url().clone();
        let method = reqwest::Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|_| Failure::new("the request has no valid method"))?;
        let authorization = match &self.signer {
            Signer::Sas(pairs) => {
                let query = match url.query() {
                    Some(query) if !query.is_empty() => format!("{query}&{}", pairs.reveal()),
                    _ => pairs.reveal().to_owned(),
                };
                url.set_query(Some(&query));
                None
            }
            Signer::Bearer(token) => Some(format!("Bearer {}", token.reveal())),
            Signer::Key { account, key } => Some(shared_key(request, account, key)?),
        };
        let Body::Bytes(body) = request.body() else {
            return Err(Failure::new("the request has no plain body"));
        };
        let mut built = self
            .http
            .request(method, url)
            .timeout(self.deadline.saturating_duration_since(Instant::now()))
            .body(body.clone());
        for (name, value) in request.headers().iter() {
            built = built.header(name.as_str(), value.as_str());
        }
        // Updates and deletes ask for no format, and would be told their errors in XML.
        let accept = azure_core_021::headers::ACCEPT;
        if request.headers().get_optional_str(&accept).is_none() {
            built = built.header(accept.as_str(), "application/json;odata=fullmetadata");
        }
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_str(&authorization)
                .map_err(|_| Failure::new("the credential cannot be sent as a header"))?;
            value.set_sensitive(true);
            built = built.header(AUTHORIZATION, value);
        }
        Ok(built.build()?)
    }
}

/// The table service's form of Shared Key: method, no MD5, content type, date, and the path as sent.
fn shared_key(request: &Request, account: &str, key: &Secret) -> Result<String, Failure> {
    let header = |name: &'static str| {
        request
            .headers()
            .get_optional_str(&azure_core_021::headers::HeaderName::from_static(name))
            .unwrap_or_default()
    };
    let text = format!(
        "{}\n\n{}\n{}\n/{account}{}",
        request.method().as_ref(),
        header("content-type"),
        header("x-ms-date"),
        request.url().path()
    );
    let engine = base64::engine::general_purpose::STANDARD;
    let key = engine
        .decode(key.reveal())
        .map_err(|_| Failure::new("the account key is not base64"))?;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key)
        .map_err(|_| Failure::new("the account key has no valid length"))?;
    mac.update(text.as_bytes());
    let signature = engine.encode(mac.finalize().into_bytes());
    Ok(format!("SharedKey {account}:{signature}"))
}

/// A whole answer.
struct Exchanged {
    status: u16,
    headers: Headers,
    code: Option<String>,
    body: Bytes,
}

/// Why no whole answer came.
struct Failure {
    detail: String,
    again: bool,
}

impl Failure {
    fn new(detail: &str) -> Self {
        Self {
            detail: detail.to_owned(),
            again: false,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            return Self::new("no answer in time");
        }
        let again = !error.is_connect() && !error.is_builder();
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            detail = format!("{detail}: {cause}");
            source = cause.source();
        }
        Self { detail, again }
    }
}

#[async_trait]
impl HttpClient for Sealed {
    async fn execute_request(&self, request: &Request) -> azure_core_021::Result<Response> {
        use azure_core_021::error::{Error, ErrorKind};
        match self.exchange(request).await {
            Ok(Exchanged {
                status,
                headers,
                code,
                body,
            }) => {
                // 202 is a batch, which may have failed inside.
                let (told, message) = match status {
                    202 | 300.. => complaint(&body),
                    _ => (None, None),
                };
                let code = code.or(told).map(|code| self.signer.hide(&code));
                let message = message.map(|message| self.signer.hide(&message));
                self.note(Ending::Answered {
                    status,
                    code,
                    message,
                });
                let status = StatusCode::try_from(status)
                    .map_err(|_| Error::message(ErrorKind::Other, "no HTTP status"))?;
                Ok(Response::new(
                    status,
                    headers,
                    Box::pin(BytesStream::new(body)),
                ))
            }
            Err(Failure { detail, again }) => {
                self.note(Ending::Unreached { detail, again });
                Err(Error::message(ErrorKind::Io, "no whole answer"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use azure_core_021::headers::HeaderName;
    use azure_core_021::{Method, Url};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Sends one request to a server that gives this answer; what the server saw, and what came back.
    async fn send(signer: Signer, answer: &str) -> (String, Sealed, Option<Response>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = answer.to_owned();
        let server = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut seen = vec![0; 4096];
            let count = client.read(&mut seen).await.unwrap();
            client.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&seen[..count]).into_owned()
        });
        let url = format!("http://127.0.0.1:{port}/acct/t()?$filter=x");
        let mut request = Request::new(Url::parse(&url).unwrap(), Method::Get);
        request.insert_header("x-ms-date", "Thu, 01 Jan 1970 00:00:00 GMT");
        let deadline = Instant::now() + Duration::from_secs(10);
        let sealed = Sealed::new(reqwest::Client::new(), signer, deadline);
        let response = sealed.execute_request(&request).await.ok();
        (server.await.unwrap(), sealed, response)
    }

    const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

    #[tokio::test]
    async fn each_credential_is_added_on_the_wire_and_nowhere_else() {
        let secret = || Secret::new("c2VjcmV0");
        let key = Signer::Key {
            account: "acct".to_owned(),
            key: secret(),
        };
        let cases = [
            (
                Signer::Bearer(secret()),
                "authorization: Bearer c2VjcmV0\r\n",
            ),
            (
                Signer::Sas(Secret::new("sv=1&sig=c2VjcmV0%3D")),
                "$filter=x&sv=1&sig=c2VjcmV0%3D HTTP/1.1\r\n",
            ),
            // HMAC-SHA256, key "secret", of "GET\n\n\nThu, 01 Jan 1970 00:00:00 GMT\n/acct/acct/t()".
            (
                key,
                "authorization: SharedKey acct:sBxTb/0aQ+VshQo0Yxw5nfCA2p5fAlloClYV08qRDJY=\r\n",
            ),
        ];
        for (signer, expected) in cases {
            let (seen, sealed, _) = send(signer, EMPTY).await;
            assert!(seen.contains(expected), "{seen}");
            assert!(!format!("{sealed:?}").contains("c2VjcmV0"));
        }
    }

    #[tokio::test]
    async fn no_xml_and_no_header_of_no_use_goes_back() {
        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nETag: W/\"1\"\r\n\
                      Set-Cookie: a=b\r\nx-ms-error-code: AuthenticationFailed\r\nContent-Length: 4\r\n\r\n<a/>";
        let (_, sealed, response) = send(Signer::Bearer(Secret::new("x")), answer).await;
        let (status, headers, body) = response.unwrap().deconstruct();
        assert_eq!(u16::from(status), 403);
        assert_eq!(
            headers.get_optional_str(&HeaderName::from_static("etag")),
            Some("W/\"1\"")
        );
        assert_eq!(
            headers.get_optional_str(&HeaderName::from_static("set-cookie")),
            None
        );
        assert!(body.collect().await.unwrap().is_empty());
        let expected = Ending::Answered {
            status: 403,
            code: Some("AuthenticationFailed".to_owned()),
            message: None,
        };
        assert_eq!(sealed.ending().lock().unwrap().clone(), Some(expected));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"value\":[]}";
        let (_, sealed, response) = send(Signer::Sas(Secret::new("sig=x")), answer).await;
        assert!(response.is_none());
        let ending = sealed.ending().lock().unwrap().clone();
        let Some(Ending::Unreached { detail, again }) = ending else {
            panic!("{ending:?}");
        };
        assert!(
            again && !detail.contains("sig") && !detail.contains("http://"),
            "{detail}"
        );
    }

    #[tokio::test]
    async fn a_credential_across_the_place_where_a_message_is_cut_is_hidden_whole() {
        for before in [190, 195, 199, 230, 235] {
            let said = format!("{} hunter2hunter2", "x".repeat(before));
            let body = format!("{{\"odata.error\":{{\"message\":{{\"value\":\"{said}\"}}}}}}");
            let answer = format!(
                "HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let signer = Signer::Bearer(Secret::new("hunter2hunter2"));
            let (_, sealed, _) = send(signer, &answer).await;
            let ending = format!("{:?}", sealed.ending().lock().unwrap());
            assert!(
                ending.contains("xxx") && !ending.contains("hunter"),
                "{ending}"
            );
        }
    }

    #[tokio::test]
    async fn a_service_that_repeats_our_credential_is_not_repeated() {
        let answer = "HTTP/1.1 400 Bad\r\nx-ms-error-code: c2VjcmV0ZQ==\r\nContent-Length: 93\r\n\r\n\
                      {\"odata.error\":{\"message\":{\"value\":\"not (c2VjcmV0ZQ==) c2VjcmV0ZQ%3D%3D\\nsig=c2VjcmV0ZQ==\"}}}";
        for signer in [
            Signer::Bearer(Secret::new("c2VjcmV0ZQ==")),
            Signer::Sas(Secret::new("sv=1&sig=c2VjcmV0ZQ%3D%3D&se=2")),
            Signer::Key {
                account: "acct".to_owned(),
                key: Secret::new("c2VjcmV0ZQ=="),
            },
        ] {
            let expected = match &signer {
                Signer::Sas(_) => "not ([secret]) [secret]",
                _ => "not ([secret]) c2VjcmV0ZQ%3D%3D",
            };
            let (_, sealed, _) = send(signer, answer).await;
            let ending = sealed.ending().lock().unwrap().clone();
            let expected = Ending::Answered {
                status: 400,
                code: Some("[secret]".to_owned()),
                message: Some(expected.to_owned()),
            };
            assert_eq!(ending, Some(expected));
        }
    }
}
