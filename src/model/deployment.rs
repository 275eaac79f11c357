//! What one deployment is configured to do, already checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;

use super::name::{GroupName, Vantage};
use super::secret::{Secret, masked};
use super::spec::GroupSpec;

/// The groups of one deployment, and what it needs to judge them.
#[derive(Clone)]
pub struct Deployment {
    /// Where it runs.
    pub vantage: Vantage,
    /// Asked when something failed, to tell our own network's fault.
    pub control_target: Option<String>,
    /// The time between two firings of the timer.
    pub schedule_interval: SignedDuration,
    /// The groups whose configuration is good.
    pub groups: BTreeMap<GroupName, Arc<GroupSpec>>,
    /// Which other groups are answered from their record.
    pub from_record: FromRecord,
    /// What is wrong with the configuration, or with the machine for it, in lines for people.
    pub problems: Vec<String>,
}

impl fmt::Debug for Deployment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Deployment")
            .field("vantage", &self.vantage)
            .field(
                "control_target",
                &self.control_target.as_deref().map(masked),
            )
            .field("schedule_interval", &self.schedule_interval)
            .field("groups", &self.groups)
            .field("from_record", &self.from_record)
            .field("problems", &self.problems)
            .finish()
    }
}

/// Groups without a good configuration that are still answered from their record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromRecord {
    /// These, whose configuration is bad.
    These(Vec<GroupName>),
    /// Any that has a row: the configuration as a whole cannot be read.
    Any,
}

impl FromRecord {
    /// Whether this group is answered from its record.
    #[must_use]
    pub fn holds(&self, group: &GroupName) -> bool {
        match self {
            Self::These(names) => names.contains(group),
            Self::Any => true,
        }
    }
}

impl Deployment {
    /// Whether a probe goes over TLS.
    #[must_use]
    pub fn probes_over_tls(&self) -> bool {
        const TLS: &str = "https://";
        let accounts = self
            .groups
            .values()
            .flat_map(|spec| &spec.sites)
            .flat_map(|site| &site.accounts)
            .flat_map(|account| account.asked_at());
        accounts.chain(self.control_target.as_deref()).any(|url| {
            url.get(..TLS.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(TLS))
        })
    }
}

/// Where the record is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSpec {
    /// Azure Table Storage, Azurite, or Azure Cosmos DB for Table.
    Table {
        /// How it is reached.
        access: TableAccess,
        /// The table's name: `<table_prefix>state`.
        table: String,
    },
    /// A local file, for local runs, demos and tests.
    Embedded {
        /// The folder that holds it.
        path: PathBuf,
    },
    /// The configuration does not say, or says it wrongly; the line is for people.
    Unusable(String),
}

/// How a table is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableAccess {
    /// By managed identity.
    Identity {
        /// `https://<account>.table.core.windows.net`, without a slash at the end.
        endpoint: String,
    },
    /// By a connection string: Azurite, an account key, a SAS, or Cosmos DB for Table.
    ConnectionString(Secret),
}

/// Everything that a process is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is served.
    pub deployment: Deployment,
    /// Where the record is kept.
    pub store: StoreSpec,
    /// Whether the platform's authenticated principal is believed: configured, and the platform's
    /// authentication is on.
    pub trust_principal: bool,
    /// NCRONTAB expression of the timer.
    pub schedule: String,
}
