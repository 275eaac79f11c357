//! What a lookup hands out: the accounts of the active site, resolved. The record keeps it, so that a
//! client is answered from the record even where the configuration has since become unreadable.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::SiteName;
use super::secret::masked;

/// The resolved answer for one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The site.
    pub site: SiteName,
    /// Its region's programmatic name.
    pub region: String,
    /// Its accounts.
    pub accounts: AnswerAccounts,
}

/// The accounts of a site as clients need them. What a client is handed may hold a key in its query, which no log
/// needs: `Debug` masks it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnswerAccounts {
    /// Its Video Indexer account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_indexer: Option<VideoIndexerAnswer>,
    /// Its Media Services account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_services: Option<MediaServicesAnswer>,
    /// Its HTTP endpoints by name.
    pub http: BTreeMap<String, String>,
}

impl fmt::Debug for AnswerAccounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let http: BTreeMap<&str, String> = self
            .http
            .iter()
            .map(|(name, url)| (name.as_str(), masked(url)))
            .collect();
        formatter
            .debug_struct("AnswerAccounts")
            .field("video_indexer", &self.video_indexer)
            .field("media_services", &self.media_services)
            .field("http", &http)
            .finish()
    }
}

/// A Video Indexer account for a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoIndexerAnswer {
    /// The data plane's GUID.
    pub account_id: String,
    /// The region segment of the data plane's URLs.
    pub location: String,
    /// Base URL of the data plane.
    pub api_base: String,
    /// The ARM resource id, for minting tokens.
    pub resource_id: String,
}

/// A Media Services account for a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaServicesAnswer {
    /// The account's name.
    pub account_name: String,
    /// Its resource id.
    pub resource_id: String,
    /// Host by streaming endpoint, as far as known.
    pub streaming_hosts: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_without_endpoints_have_an_empty_object_of_them() {
        let written = serde_json::to_string(&AnswerAccounts::default()).unwrap();
        assert_eq!(written, r#"{"http":{}}"#);
    }
}
