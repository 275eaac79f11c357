//! Names: one type per kind of name, so that a site is never passed where a group is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that is already known to be such a name.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
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
                Self(text.to_owned())
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
