//! How a table is reached: endpoint and credential, from a connection string or for the identity. No
//! error repeats any part of the string.

use base64::Engine;
use url::Url;

use crate::model::deployment::TableAccess;
use crate::model::secret::Secret;

/// The table endpoint of Azurite as it starts by default.
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10002/devstoreaccount1";
/// Where table endpoints are when the connection string does not say.
const DEFAULT_SUFFIX: &str = "core.windows.net";
/// Every storage account's scope, in all clouds.
const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// An endpoint and how to sign for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Base URL without a slash at the end, without a query.
    pub endpoint: String,
    /// What proves who we are.
    pub proof: Proof,
}

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A storage account's key, or a Cosmos DB account's.
    Key {
        /// The account's name.
        account: String,
        /// The key, in base64.
        key: Secret,
    },
    /// A shared access signature: the query string without a question mark.
    Sas(Secret),
    /// A token of our own identity for this scope.
    Identity {
        /// The scope.
        scope: String,
    },
}

/// To the table that is reached like this.
///
/// # Errors
/// One line that says what is wrong with the endpoint or the connection string.
pub fn to(access: &TableAccess) -> Result<Connection, String> {
    match access {
        TableAccess::Identity { endpoint } => for_identity(endpoint),
        TableAccess::ConnectionString(text) => parse(text.reveal()),
    }
}

/// For the identity, at this endpoint.
///
/// # Errors
/// One line that says what is wrong with the endpoint.
pub fn for_identity(endpoint: &str) -> Result<Connection, String> {
    let (url, query) = base(endpoint, "the store's endpoint")?;
    if query.is_some() {
        return Err(
            "the store's endpoint must not have a query; a SAS belongs into the connection string"
                .to_owned(),
        );
    }
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(format!(
            "the store's endpoint must begin with https://, since {} is not this machine and gets a token",
            url.host_str().unwrap_or("it")
        ));
    }
    Ok(Connection {
        proof: Proof::Identity { scope: scope(&url) },
        endpoint: bare(&url),
    })
}

/// Azure Cosmos DB for Table has a scope of its own, named after its cloud:
/// `acct.table.cosmos.azure.com` is `https://cosmos.azure.com/.default`.
fn scope(url: &Url) -> String {
    url.host_str()
        .and_then(|host| host.split_once(".table."))
        .filter(|(_, cloud)| cloud.starts_with("cosmos."))
        .map_or_else(
            || STORAGE_SCOPE.to_owned(),
            |(_, cloud)| format!("https://{cloud}/.default"),
        )
}

/// Reads a connection string.
///
/// # Errors
/// One line that says which part is missing or wrong, without its value.
pub fn parse(text: &str) -> Result<Connection, String> {
    let parts = Parts::read(text)?;
    if parts
        .get("UseDevelopmentStorage")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Ok(emulator(parts.get("DevelopmentStorageProxyUri")));
    }
    let (endpoint, query) = match parts.get("TableEndpoint") {
        Some(text) => base(text, "TableEndpoint in the connection string")?,
        None => base(
            &parts.default_endpoint()?,
            "the endpoint that the connection string makes",
        )?,
    };
    let sas = parts.get("SharedAccessSignature").or(query.as_deref());
    let proof = match (parts.get("AccountKey"), sas) {
        (Some(key), _) => {
            let is_base64 = base64::engine::general_purpose::STANDARD
                .decode(key)
                .is_ok();
            if !is_base64 {
                return Err(
                    "AccountKey in the connection string is not base64: copy it again".to_owned(),
                );
            }
            Proof::Key {
                account: parts
                    .get("AccountName")
                    .ok_or("the connection string has an AccountKey but no AccountName")?
                    .to_owned(),
                key: Secret::new(key),
            }
        }
        (None, Some(sas)) if sas.contains("sig=") => {
            Proof::Sas(Secret::new(sas.trim_start_matches('?')))
        }
        (None, Some(_)) => {
            return Err(
                "SharedAccessSignature in the connection string has no sig=: copy it again, whole"
                    .to_owned(),
            );
        }
        (None, None) => {
            return Err(
                "the connection string has neither an AccountKey nor a SharedAccessSignature"
                    .to_owned(),
            );
        }
    };
    Ok(Connection {
        endpoint: bare(&endpoint),
        proof,
    })
}

fn emulator(proxy: Option<&str>) -> Connection {
    // The proxy URI replaces scheme and host, as in Azure's own clients; the port stays the table's.
    let endpoint = proxy.map_or_else(
        || EMULATOR_ENDPOINT.to_owned(),
        |proxy| {
            format!(
                "{}:10002/{}",
                proxy.trim_end_matches('/'),
                azure_storage::EMULATOR_ACCOUNT
            )
        },
    );
    Connection {
        endpoint,
        proof: Proof::Key {
            account: azure_storage::EMULATOR_ACCOUNT.to_owned(),
            key: Secret::new(azure_storage::EMULATOR_ACCOUNT_KEY),
        },
    }
}

/// `Name=value` pairs; names are compared without case.
struct Parts<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let mut parts = Vec::new();
        for (index, part) in text.trim().split(';').enumerate() {
            if part.trim().is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=').ok_or_else(|| {
                format!(
                    "part {} of the connection string is not Name=value; it must look like \
                     DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net",
                    index + 1
                )
            })?;
            parts.push((name.trim(), value.trim()));
        }
        if parts.is_empty() {
            return Err("the connection string is empty".to_owned());
        }
        Ok(Self(parts))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty())
            .map(|(_, value)| *value)
    }

    fn default_endpoint(&self) -> Result<String, String> {
        let account = self
            .get("AccountName")
            .ok_or("the connection string names neither a TableEndpoint nor an AccountName")?;
        let is_name = account
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            return Err("AccountName in the connection string is not an account's name".to_owned());
        }
        Ok(format!(
            "{}://{account}.table.{}",
            self.get("DefaultEndpointsProtocol").unwrap_or("https"),
            self.get("EndpointSuffix").unwrap_or(DEFAULT_SUFFIX)
        ))
    }
}

fn base(text: &str, what: &str) -> Result<(Url, Option<String>), String> {
    let mut url = Url::parse(text).map_err(|error| format!("{what} is not a URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("{what} must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{what} must not hold a user or a password"));
    }
    let query = url.query().map(str::to_owned);
    url.set_query(None);
    url.set_fragment(None);
    Ok((url, query))
}

fn bare(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0LWtleQ==";
    const SIGNATURE: &str = "sv=2022-11-02&ss=t&sig=c2VjcmV0%3D";

    fn key(account: &str, key: &str) -> Proof {
        Proof::Key {
            account: account.to_owned(),
            key: Secret::new(key),
        }
    }

    #[test]
    fn every_usual_form_of_connection_string_is_read() {
        let sas = || Proof::Sas(Secret::new(SIGNATURE));
        let development = || key("devstoreaccount1", azure_storage::EMULATOR_ACCOUNT_KEY);
        let cases = [
            (
                "UseDevelopmentStorage=true".to_owned(),
                EMULATOR_ENDPOINT,
                development(),
            ),
            (
                "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite".to_owned(),
                "http://azurite:10002/devstoreaccount1",
                development(),
            ),
            (
                format!(
                    "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={KEY};EndpointSuffix=core.windows.net"
                ),
                "https://acct.table.core.windows.net",
                key("acct", KEY),
            ),
            (
                format!(
                    "accountname=acct; accountkey={KEY}; EndpointSuffix=core.chinacloudapi.cn;"
                ),
                "https://acct.table.core.chinacloudapi.cn",
                key("acct", KEY),
            ),
            (
                format!(
                    "AccountName=acct;AccountKey={KEY};TableEndpoint=https://acct.table.cosmos.azure.com:443/"
                ),
                "https://acct.table.cosmos.azure.com",
                key("acct", KEY),
            ),
            (
                format!(
                    "TableEndpoint=https://acct.table.core.windows.net/;SharedAccessSignature={SIGNATURE}"
                ),
                "https://acct.table.core.windows.net",
                sas(),
            ),
            (
                format!("TableEndpoint=https://acct.table.core.windows.net/?{SIGNATURE}"),
                "https://acct.table.core.windows.net",
                sas(),
            ),
            (
                format!("AccountName=acct;SharedAccessSignature=?{SIGNATURE}"),
                "https://acct.table.core.windows.net",
                sas(),
            ),
            (
                format!(
                    "AccountName=devstoreaccount1;AccountKey={KEY};TableEndpoint=http://127.0.0.1:4711/devstoreaccount1/;"
                ),
                "http://127.0.0.1:4711/devstoreaccount1",
                key("devstoreaccount1", KEY),
            ),
        ];
        for (text, endpoint, proof) in cases {
            let found = parse(&text).unwrap();
            assert_eq!(
                (found.endpoint.as_str(), found.proof),
                (endpoint, proof),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_the_string() {
        let cases = [
            ("", "is empty"),
            (
                "hunter2",
                "part 1 of the connection string is not Name=value",
            ),
            ("AccountName=hunter2", "neither an AccountKey nor"),
            (
                "AccountKey=aHVudGVyMg==",
                "neither a TableEndpoint nor an AccountName",
            ),
            ("AccountName=acct;AccountKey=hunter2!", "not base64"),
            (
                "AccountName=hunter2/x;AccountKey=aHVudGVyMg==",
                "not an account's name",
            ),
            ("AccountName=acct;SharedAccessSignature=hunter2", "no sig="),
            (
                "TableEndpoint=hunter2;SharedAccessSignature=sig=1",
                "is not a URL",
            ),
            (
                "TableEndpoint=ftp://hunter2;SharedAccessSignature=sig=1",
                "must begin with https://",
            ),
            (
                "TableEndpoint=https://u:hunter2@acct;SharedAccessSignature=sig=1",
                "must not hold a user",
            ),
            (
                "TableEndpoint=https://acct;AccountKey=aHVudGVyMg==",
                "no AccountName",
            ),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(
                !error.contains("hunter2") && !error.contains("aHVudGVyMg"),
                "{error}"
            );
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let found = parse(&format!("AccountName=acct;AccountKey={KEY}")).unwrap();
        assert!(!format!("{found:?}").contains(KEY));
    }

    #[test]
    fn the_scope_follows_the_kind_of_account() {
        let cases = [
            ("https://a.table.core.windows.net", STORAGE_SCOPE),
            ("https://a.table.core.usgovcloudapi.net", STORAGE_SCOPE),
            ("https://127.0.0.1:1/devstoreaccount1", STORAGE_SCOPE),
            (
                "https://a.table.cosmos.azure.com",
                "https://cosmos.azure.com/.default",
            ),
            (
                "https://a.table.cosmos.azure.cn:443/",
                "https://cosmos.azure.cn/.default",
            ),
        ];
        for (endpoint, expected) in cases {
            let found = for_identity(endpoint).unwrap().proof;
            assert_eq!(
                found,
                Proof::Identity {
                    scope: expected.to_owned()
                },
                "{endpoint}"
            );
        }
    }

    #[test]
    fn a_token_goes_to_no_other_machine_in_the_clear() {
        assert!(for_identity("http://a.table.core.windows.net").is_err());
        assert!(for_identity("http://127.0.0.1:10002/devstoreaccount1").is_ok());
        assert!(for_identity("https://a.table.core.windows.net/?sig=x").is_err());
    }
}
