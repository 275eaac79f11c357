//! Names: one type per kind of name, so that a site is never passed where a group is meant. Clones share
//! their text: ten thousand groups are named in many places.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The letters and digits of a name, a GUID or a word of Azure's, in lower case: it does not keep to one spelling.
#[must_use]
pub fn squeezed(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text that is already known to be such a name.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// The name of a failover group: `[a-z0-9-]{1,63}` where it comes from a configuration.
    GroupName
);
name_type!(
    /// The name of a site within its group; the region's name unless the configuration says otherwise.
    SiteName
);
name_type!(
    /// Where one deployment of Understudy runs.
    Vantage
);

/// Which kind of account this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// An Azure AI Video Indexer account.
    VideoIndexer,
    /// A Media Services account, or one of a service with the same shapes.
    MediaServices,
    /// An HTTP endpoint.
    Http,
}

impl Service {
    /// The name in answers: `videoIndexer`, `mediaServices`, `http`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VideoIndexer => "videoIndexer",
            Self::MediaServices => "mediaServices",
            Self::Http => "http",
        }
    }
}

/// One account of a group, wherever it is named: in evidence, in steps, in answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// Its site.
    pub site: SiteName,
    /// Its service.
    pub service: Service,
    /// Its name: the account's, or the endpoint's.
    pub name: String,
}

/// Something for each account of a group, in order. A group has few accounts and there may be ten thousand
/// groups: a sorted list of what is there takes a third of a tree's memory.
pub type ByAccount<T> = litemap::LiteMap<AccountKey, T>;

impl fmt::Display for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{}/{}",
            self.site,
            self.service.as_str(),
            self.name
        )
    }
}
