//! A hold: a named reason for not moving.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::runbook::Topic;

macro_rules! hold_codes {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The code of a hold, in the order in which they are looked at: the first that applies is shown.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum HoldCode { $($(#[$doc])* $name),* }

        impl HoldCode {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as answers and errors spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

hold_codes! {
    /// The group only observes.
    ObserveMode,
    /// A person has paused automatic moves.
    Paused,
    /// A move is under way.
    Moving,
    /// Not enough is known to move on.
    EvidenceIncomplete,
    /// Every site failed in one round through the one host they share.
    GlobalFault,
    /// Every site failed.
    AllSitesDown,
    /// No other site is fit.
    TargetUnfit,
    /// The active site is not fit for a planned move.
    SourceUnfit,
    /// A person forced the last move.
    Forced,
    /// The site has not been unhealthy, or the primary well, for long enough.
    HoldTime,
    /// The last automatic failover was too recent.
    CoolingDown,
    /// Too many automatic failovers in the last 24 hours.
    MoveBudgetSpent,
    /// Too many groups have unfinished steps.
    StormLimit,
    /// Failback waits for a person.
    FailbackIsManual,
}

/// A reason for not moving, as answers give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Which one.
    pub code: HoldCode,
    /// A sentence for people. It ends by naming the hold's section of the runbook.
    pub message: String,
    /// When it ends by itself, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Lets the message name the hold's section of the runbook, if it does not yet.
    pub fn name_section(&mut self) {
        self.message = Topic::Hold(self.code).named_in(&self.message);
    }
}
