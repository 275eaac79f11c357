//! How this deployment's own tokens are fetched. `azure_identity` speaks the protocols; our transport sends its
//! requests where the settings say, and tells a failure from a refusal.
//!
//! A credential is made anew for each fetch. Its own cache would hold a lock while it fetches, and would not give
//! out a token that is good for less than five minutes; `keeper` does that better.

use std::error::Error as _;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, Transport,
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, Executor, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId,
};
use jiff::Timestamp;
use url::Url;

use super::keeper::Token;
use super::lack::{IdentityError, cli_lack};
use super::token_body::as_documented;
use crate::adapters::http::{plain, span, why};
use crate::model::secret::Secret;

/// One attempt is given up after this time.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(4);

/// The pause before the second and last attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// The Azure CLI is a large Python program: it needs seconds to start.
const CLI_LIMIT: Duration = Duration::from_secs(30);

/// The largest answer of an identity endpoint that is looked at for a reason, in bytes.
const REASON_LIMIT: usize = 8 * 1024;

const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// Which identity this deployment uses, and where it is asked for.
#[derive(Debug, Clone)]
pub enum Source {
    /// The managed identity of the platform.
    Managed {
        /// `IDENTITY_ENDPOINT`.
        endpoint: Url,
        /// `IDENTITY_HEADER`. The platform changes it only with a new process, so it is read once.
        header: Option<Secret>,
        /// The client id of a user-assigned identity; `None` for the system-assigned one.
        client_id: Option<String>,
    },
    /// An application with a client secret.
    ClientSecret {
        /// The directory.
        tenant: String,
        /// The application.
        client_id: String,
        /// Its secret.
        secret: Secret,
        /// `AZURE_AUTHORITY_HOST`, else the public cloud's.
        authority: Url,
    },
    /// The login of the Azure CLI, on a developer's machine.
    AzureCli {
        /// The directory, if not the login's own.
        tenant: Option<String>,
    },
    /// What is set cannot be used; the line says what to do.
    Unusable(String),
}

impl Source {
    /// Chooses by what is set; touches no network. There is no chain: a chain can silently take the wrong identity.
    #[must_use]
    pub fn choose(setting: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| setting(name).filter(|value| !value.trim().is_empty());
        if let Some(endpoint) = set("IDENTITY_ENDPOINT") {
            return match Url::parse(&endpoint) {
                Ok(endpoint) => Self::Managed {
                    endpoint,
                    header: set("IDENTITY_HEADER").map(Secret::new),
                    client_id: set("AZURE_CLIENT_ID"),
                },
                Err(error) => Self::Unusable(format!("IDENTITY_ENDPOINT is not a URL: {error}")),
            };
        }
        let tenant = set("AZURE_TENANT_ID");
        match (tenant, set("AZURE_CLIENT_ID"), set("AZURE_CLIENT_SECRET")) {
            (Some(tenant), Some(client_id), Some(secret)) => {
                let host = set("AZURE_AUTHORITY_HOST").unwrap_or_else(|| PUBLIC_AUTHORITY.to_owned());
                match Url::parse(&host) {
                    Ok(authority) => Self::ClientSecret {
                        tenant,
                        client_id,
                        secret: Secret::new(secret),
                        authority,
                    },
                    Err(error) => {
                        Self::Unusable(format!("AZURE_AUTHORITY_HOST is not a URL: {error}"))
                    }
                }
            }
            (_, _, Some(_)) => Self::Unusable(
                "AZURE_CLIENT_SECRET is set, but AZURE_TENANT_ID or AZURE_CLIENT_ID is not: set all three"
                    .to_owned(),
            ),
            _ if set("AZURE_CLIENT_CERTIFICATE_PATH").is_some() => Self::Unusable(
                "AZURE_CLIENT_CERTIFICATE_PATH is set, but this version cannot sign with a certificate: use a \
                 managed identity, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
                    .to_owned(),
            ),
            (tenant, _, None) => Self::AzureCli { tenant },
        }
    }

    /// One token, with one more attempt if the first one failed. Bounded in time.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn fetch(&self, http: &reqwest::Client, scope: &str) -> Result<Token, IdentityError> {
        let first = self.attempt(http, scope).await;
        match (self, first) {
            (
                Self::Managed { .. } | Self::ClientSecret { .. },
                Err(IdentityError::Unavailable(_)),
            ) => {
                tokio::time::sleep(PAUSE).await;
                self.attempt(http, scope).await
            }
            (_, first) => first,
        }
    }

    async fn attempt(&self, http: &reqwest::Client, scope: &str) -> Result<Token, IdentityError> {
        let wire = Arc::new(Wire::new(http, self));
        let credential = self.credential(&wire)?;
        let limit = self.limit();
        let asked = tokio::time::timeout(limit, credential.get_token(&[scope], None)).await;
        let what = self.what();
        match asked {
            Err(_) => Err(IdentityError::Unavailable(format!(
                "{what} did not answer within {}",
                span(limit)
            ))),
            Ok(Ok(token)) => {
                let expires_at = Timestamp::from_second(token.expires_on.unix_timestamp())
                    .map_err(|_| {
                        IdentityError::Unavailable(format!(
                            "{what} gave a token without a sensible expiry"
                        ))
                    })?;
                Ok(Token {
                    secret: Secret::new(token.token.secret()),
                    expires_at,
                })
            }
            Ok(Err(error)) => Err(wire.failure().unwrap_or_else(|| self.unforeseen(&error))),
        }
    }

    fn credential(&self, wire: &Arc<Wire>) -> Result<Arc<dyn TokenCredential>, IdentityError> {
        let mut options = ClientOptions {
            transport: Some(Transport::new(Arc::clone(wire) as Arc<dyn HttpClient>)),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let made = match self {
            Self::Managed { client_id, .. } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: options,
                }))
                .map(|made| made as Arc<dyn TokenCredential>)
            }
            Self::ClientSecret {
                tenant,
                client_id,
                secret,
                ..
            } => {
                let mut cloud = CustomConfiguration::default();
                PUBLIC_AUTHORITY.clone_into(&mut cloud.authority_host);
                options.cloud = Some(Arc::new(CloudConfiguration::from(cloud)));
                ClientSecretCredential::new(
                    tenant,
                    client_id.clone(),
                    secret.reveal().to_owned().into(),
                    Some(ClientSecretCredentialOptions {
                        client_options: options,
                    }),
                )
                .map(|made| made as Arc<dyn TokenCredential>)
            }
            Self::AzureCli { tenant } => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                tenant_id: tenant.clone(),
                executor: Some(Arc::new(Cli)),
                ..AzureCliCredentialOptions::default()
            }))
            .map(|made| made as Arc<dyn TokenCredential>),
            Self::Unusable(line) => return Err(IdentityError::Refused(line.clone())),
        };
        made.map_err(|error| {
            IdentityError::Refused(format!(
                "{}: {}",
                self.what(),
                plain(&error.to_string(), &self.secrets())
            ))
        })
    }

    /// An error that our transport did not see: an answer that holds no token, or a tool that failed.
    fn unforeseen(&self, error: &azure_core::Error) -> IdentityError {
        match self {
            Self::AzureCli { .. } => IdentityError::Refused(cli_lack(&error.to_string())),
            _ => IdentityError::Unavailable(format!(
                "{} answered something that is not a token",
                self.what()
            )),
        }
    }

    const fn limit(&self) -> Duration {
        match self {
            Self::AzureCli { .. } => CLI_LIMIT,
            _ => ATTEMPT_LIMIT,
        }
    }

    const fn what(&self) -> &'static str {
        match self {
            Self::Managed { .. } => "the identity endpoint",
            Self::ClientSecret { .. } => "Entra ID",
            Self::AzureCli { .. } => "the Azure CLI",
            Self::Unusable(_) => "the identity",
        }
    }

    /// What a person has to do when it refuses.
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Managed {
                client_id: None, ..
            } => {
                "does the app have a system-assigned identity? For a user-assigned one set AZURE_CLIENT_ID"
            }
            Self::Managed { .. } => {
                "is the identity that AZURE_CLIENT_ID names assigned to the app?"
            }
            _ => "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        }
    }

    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Managed {
                header: Some(secret),
                ..
            }
            | Self::ClientSecret { secret, .. } => {
                vec![secret.reveal()]
            }
            _ => Vec::new(),
        }
    }

    /// Sends the request where the settings say. `azure_identity` reads the process's own environment, which in
    /// Azure says the same, but it accepts no authority on a loopback address.
    fn aim(&self, request: &mut Request) {
        match self {
            Self::Managed {
                endpoint, header, ..
            } => {
                let query = request.url().query().map(str::to_owned);
                let mut url = endpoint.clone();
                url.set_query(query.as_deref());
                *request.url_mut() = url;
                if let Some(header) = header {
                    request.insert_header("x-identity-header", header.reveal().to_owned());
                }
            }
            Self::ClientSecret { authority, .. } => {
                let mut url = authority.clone();
                url.set_path(request.url().path());
                *request.url_mut() = url;
            }
            Self::AzureCli { .. } | Self::Unusable(_) => {}
        }
    }
}

/// Carries one credential's requests, and keeps what went wrong.
#[derive(Debug)]
struct Wire {
    http: reqwest::Client,
    source: Source,
    failure: Mutex<Option<IdentityError>>,
}

impl Wire {
    fn new(http: &reqwest::Client, source: &Source) -> Self {
        Self {
            http: http.clone(),
            source: source.clone(),
            failure: Mutex::new(None),
        }
    }

    fn failure(&self) -> Option<IdentityError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Keeps the reason, and gives an error that `azure_core` does not retry: it would do so for minutes.
    fn fail(&self, reason: IdentityError) -> azure_core::Error {
        let error = azure_core::Error::with_message(ErrorKind::Credential, reason.to_string());
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        error
    }

    fn judge(&self, status: u16, body: &[u8]) -> IdentityError {
        let what = self.source.what();
        let reason = plain(&reason(body), &self.source.secrets());
        let colon = if reason.is_empty() { "" } else { ": " };
        match status {
            300..400 | 408 | 410 | 429 | 500.. => {
                IdentityError::Unavailable(format!("{what} answered {status}{colon}{reason}"))
            }
            _ => IdentityError::Refused(format!(
                "{what} refused with {status}{colon}{reason} ({})",
                self.source.remedy()
            )),
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        self.source.aim(&mut request);
        let response = match self.http.execute_request(&request).await {
            Ok(response) => response,
            Err(error) => {
                let cause = error
                    .source()
                    .and_then(|cause| cause.downcast_ref::<reqwest::Error>())
                    .map_or_else(|| "the request failed".to_owned(), why);
                return Err(self.fail(IdentityError::Unavailable(format!(
                    "{} cannot be reached: {cause}",
                    self.source.what()
                ))));
            }
        };
        let status = response.status();
        if status.is_success() {
            return match self.source {
                Source::Managed { .. } => documented(response).await,
                _ => Ok(response),
            };
        }
        let body = response.into_body().collect().await.unwrap_or_default();
        let looked_at = body.get(..REASON_LIMIT.min(body.len())).unwrap_or_default();
        Err(self.fail(self.judge(u16::from(status), looked_at)))
    }
}

/// An identity endpoint's answer in the shape that `azure_identity` reads; as it came where it holds no token.
async fn documented(response: AsyncRawResponse) -> azure_core::Result<AsyncRawResponse> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await?;
    let body = as_documented(&body, Timestamp::now()).map_or(body, Into::into);
    Ok(AsyncRawResponse::from_bytes(status, headers, body))
}

/// The reason that an identity endpoint or Entra ID gives, without its trace ids on further lines.
fn reason(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    ["error_description", "message", "Message", "error"]
        .iter()
        .find_map(|name| json.get(name).and_then(serde_json::Value::as_str))
        .and_then(|text| text.lines().next())
        .unwrap_or_default()
        .to_owned()
}

/// Runs the Azure CLI, and ends it when nobody waits for it any more.
#[derive(Debug)]
struct Cli;

#[async_trait::async_trait]
impl Executor for Cli {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> std::io::Result<std::process::Output> {
        tokio::process::Command::new(program)
            .args(args)
            .kill_on_drop(true)
            .stdin(std::process::Stdio::null())
            .output()
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn choose(settings: &[(&str, &str)]) -> Source {
        let settings: BTreeMap<&str, &str> = settings.iter().copied().collect();
        Source::choose(&|name| settings.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_choice_is_explicit() {
        let endpoint = ("IDENTITY_ENDPOINT", "http://localhost:4141/msi/token");
        let id = ("AZURE_CLIENT_ID", "11111111-1111-1111-1111-111111111111");
        let tenant = ("AZURE_TENANT_ID", "t");
        let secret = ("AZURE_CLIENT_SECRET", "s");
        assert!(matches!(
            choose(&[endpoint]),
            Source::Managed {
                client_id: None,
                ..
            }
        ));
        assert!(matches!(
            choose(&[endpoint, id, tenant, secret]),
            Source::Managed {
                client_id: Some(_),
                ..
            }
        ));
        assert!(matches!(
            choose(&[id, tenant, secret]),
            Source::ClientSecret { .. }
        ));
        assert!(matches!(choose(&[]), Source::AzureCli { tenant: None }));
        assert!(matches!(
            choose(&[tenant]),
            Source::AzureCli { tenant: Some(_) }
        ));
        assert!(matches!(
            choose(&[("IDENTITY_ENDPOINT", " ")]),
            Source::AzureCli { .. }
        ));
        for unusable in [
            vec![secret],
            vec![secret, id],
            vec![tenant, id, ("AZURE_CLIENT_CERTIFICATE_PATH", "/a.pem")],
            vec![("IDENTITY_ENDPOINT", "nonsense")],
        ] {
            assert!(
                matches!(choose(&unusable), Source::Unusable(_)),
                "{unusable:?}"
            );
        }
    }
}
