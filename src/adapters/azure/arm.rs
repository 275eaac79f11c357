//! ARM, as far as probes need it: minting a Video Indexer account's token, and reading the account.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error_body::ErrorBody;
use super::identity::{Identity, IdentityError};
use crate::adapters::http::{plain, span, why};
use crate::model::secret::Secret;
use crate::model::spec::VideoIndexerSpec;

/// The newest stable version of the `Microsoft.VideoIndexer` API.
const API_VERSION: &str = "2025-04-01";

/// One request to ARM is given up after this time.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes. An account is 3 KB, a token 2 KB.
const ANSWER_LIMIT: usize = 256 * 1024;

const PUBLIC: &str = "https://management.azure.com";

/// ARM's base URLs in the clouds that have their own; each is its own audience.
const SOVEREIGN: [&str; 2] = [
    "https://management.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
];

/// Why ARM did not do what we asked. The text never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArmError {
    /// It failed or did not answer, or our own identity's endpoint did: try again.
    #[error("{0}")]
    Unavailable(String),
    /// It is asked too often: try again.
    #[error("{0}")]
    Throttled(String),
    /// It refused us, or cannot even be asked: a person must mend something.
    #[error("{0}")]
    Denied(String),
    /// It knows no such resource.
    #[error("{0}")]
    Missing(String),
}

impl From<IdentityError> for ArmError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Unavailable(line) => Self::Unavailable(line),
            IdentityError::Refused(line) => Self::Denied(line),
        }
    }
}

/// What ARM says of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountResource {
    /// For example `Succeeded`, `Failed`, `Deleting`.
    pub provisioning_state: Option<String>,
    /// The data plane's GUID.
    pub account_id: Option<String>,
}

/// ARM, asked with this deployment's identity.
#[derive(Debug, Clone)]
pub struct Arm {
    http: reqwest::Client,
    identity: Identity,
}

/// Which request.
struct Ask<'a> {
    method: Method,
    base: &'a str,
    path: String,
    body: Option<serde_json::Value>,
}

impl Arm {
    /// ARM over this client and identity.
    #[must_use]
    pub const fn new(http: reqwest::Client, identity: Identity) -> Self {
        Self { http, identity }
    }

    /// Mints a token for one account that may read it. ARM mints one only for an identity that is Contributor or
    /// Owner of the account, whatever the token itself may do.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn generate_access_token(&self, spec: &VideoIndexerSpec) -> Result<Secret, ArmError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Minted {
            access_token: String,
        }
        let minted: Minted = self
            .send(&Ask {
                method: Method::POST,
                base: &spec.arm_base,
                path: format!("{}/generateAccessToken", spec.resource_id()),
                body: Some(serde_json::json!({"permissionType": "Reader", "scope": "Account"})),
            })
            .await?;
        if minted.access_token.trim().is_empty() {
            return Err(ArmError::Unavailable(
                "ARM minted an empty token".to_owned(),
            ));
        }
        Ok(Secret::new(minted.access_token))
    }

    /// Reads one account.
    ///
    /// # Errors
    /// When ARM does not say.
    pub async fn account(&self, spec: &VideoIndexerSpec) -> Result<AccountResource, ArmError> {
        let resource: serde_json::Value = self
            .send(&Ask {
                method: Method::GET,
                base: &spec.arm_base,
                path: spec.resource_id(),
                body: None,
            })
            .await?;
        let text = |name: &str| {
            resource
                .pointer(&format!("/properties/{name}"))
                .and_then(serde_json::Value::as_str)
                .map(|value| plain(value, &[]))
        };
        Ok(AccountResource {
            provisioning_state: text("provisioningState"),
            account_id: text("accountId"),
        })
    }

    /// One request, and one more with a new identity token if ARM does not believe the one from memory.
    async fn send<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, ArmError> {
        let scope = scope(ask.base);
        let got = self.identity.get(&scope).await?;
        let secret = got.held.token.secret;
        match self.send_with(ask, &secret).await? {
            (StatusCode::UNAUTHORIZED, _) if !got.fresh => {
                let next = self.identity.instead_of(&scope, &secret).await?;
                let secret = next.held.token.secret;
                let (status, body) = self.send_with(ask, &secret).await?;
                read(status, &body, &secret)
            }
            (status, body) => read(status, &body, &secret),
        }
    }

    async fn send_with(
        &self,
        ask: &Ask<'_>,
        secret: &Secret,
    ) -> Result<(StatusCode, Vec<u8>), ArmError> {
        let url = format!("{}{}?api-version={API_VERSION}", ask.base, ask.path);
        let mut request = self
            .http
            .request(ask.method.clone(), url)
            .bearer_auth(secret.reveal());
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let answer = async {
            let mut response = request.send().await?;
            let status = response.status();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > ANSWER_LIMIT {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((status, body))
        };
        match tokio::time::timeout(REQUEST_LIMIT, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let line = format!("ARM cannot be reached: {}", why(&error));
                Err(match error.is_builder() {
                    // That speaks of the settings or the token, and not of ARM.
                    true => ArmError::Denied(line),
                    false => ArmError::Unavailable(line),
                })
            }
            Err(_) => Err(ArmError::Unavailable(format!(
                "ARM did not answer within {}",
                span(REQUEST_LIMIT)
            ))),
        }
    }
}

/// What our identity is asked a token for. A proxy or a simulator in front of ARM has no audience of its own.
pub(in crate::adapters) fn scope(base: &str) -> String {
    let audience = SOVEREIGN
        .iter()
        .find(|known| base.eq_ignore_ascii_case(known))
        .unwrap_or(&PUBLIC);
    format!("{audience}/.default")
}

fn read<T: DeserializeOwned>(
    status: StatusCode,
    body: &[u8],
    secret: &Secret,
) -> Result<T, ArmError> {
    if status.is_success() {
        return serde_json::from_slice(body).map_err(|_| {
            ArmError::Unavailable(format!(
                "ARM answered {status} with something that is not its answer"
            ))
        });
    }
    let reason = ErrorBody::read(body, Some(secret));
    let said = format!("ARM answered {}{reason}", status.as_u16());
    Err(match status.as_u16() {
        401 => ArmError::Denied(format!("{said} (it does not believe our identity's token)")),
        403 => ArmError::Denied(format!(
            "{said} (give the identity the role Contributor on the account: only Contributor and Owner may do \
             Microsoft.VideoIndexer/accounts/generateAccessToken/action)"
        )),
        404 | 410 => ArmError::Missing(said),
        429 => ArmError::Throttled(said),
        408 | 500.. => ArmError::Unavailable(said),
        400..500 => ArmError::Denied(said),
        _ => ArmError::Unavailable(format!("{said}, which is not ARM's way")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_its_audience_and_a_proxy_has_the_public_one() {
        let cases = [
            (
                "https://management.azure.com",
                "https://management.azure.com/.default",
            ),
            (
                "https://management.usgovcloudapi.net",
                "https://management.usgovcloudapi.net/.default",
            ),
            (
                "http://127.0.0.1:8080",
                "https://management.azure.com/.default",
            ),
        ];
        for (base, expected) in cases {
            assert_eq!(scope(base), expected);
        }
    }

    #[test]
    fn every_answer_of_arm_has_its_meaning() {
        let secret = Secret::new("top-secret");
        let kind = |status: u16, body: &str| -> &'static str {
            let status = StatusCode::from_u16(status).unwrap();
            match read::<serde_json::Value>(status, body.as_bytes(), &secret) {
                Ok(_) => "ok",
                Err(ArmError::Unavailable(_)) => "unavailable",
                Err(ArmError::Throttled(_)) => "throttled",
                Err(ArmError::Denied(_)) => "denied",
                Err(ArmError::Missing(_)) => "missing",
            }
        };
        let cases = [
            (200, "{}", "ok"),
            (200, "<html>", "unavailable"),
            (204, "", "unavailable"),
            (302, "", "unavailable"),
            (400, "", "denied"),
            (401, "{}", "denied"),
            (403, "{}", "denied"),
            (404, "{}", "missing"),
            (408, "", "unavailable"),
            (409, "", "denied"),
            (410, "", "missing"),
            (429, "", "throttled"),
            (500, "", "unavailable"),
            (504, "<html>", "unavailable"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_is_told_without_the_token() {
        let body =
            br#"{"error":{"code":"AuthorizationFailed","message":"no top-secret for\nyou"}}"#;
        let status = StatusCode::CONFLICT;
        let refused = read::<serde_json::Value>(status, body, &Secret::new("top-secret"));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "ARM answered 409: AuthorizationFailed: no [secret] for you"
        );
    }
}
