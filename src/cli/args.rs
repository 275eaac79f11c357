//! The command line: verbs and options, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::model::order::OrderKind;

/// The port on which `local` and `demo` serve unless told otherwise; the one that Azure's own tools use.
const DEFAULT_PORT: u16 = 7071;

/// Regional failover for Azure accounts that have none.
#[derive(Parser)]
#[command(
    name = "understudy",
    version,
    about,
    after_help = "Start with `understudy demo`: two simulated regions, one of which you may break."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
    #[command(flatten)]
    pub(super) app: AppArgs,
}

/// Where the app is, and how its answer is shown. Without `Debug`: it holds the key.
#[derive(Args)]
#[command(next_help_heading = "The app that status, show, history, explain and the orders talk to")]
pub(super) struct AppArgs {
    /// Its address, with or without /api
    #[arg(long, global = true, env = "UNDERSTUDY_URL", hide_env_values = true)]
    pub(super) url: Option<String>,
    /// A function or host key of it; better kept in the variable, which no process list shows
    #[arg(long, global = true, env = "UNDERSTUDY_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
    /// Print its answer as it is
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What the binary can be asked to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The custom handler: what the Functions host starts
    Serve,
    /// Run the whole app on this machine, without Azure
    Local {
        /// The port of the HTTP functions
        #[arg(long, default_value_t = DEFAULT_PORT)]
        port: u16,
        /// The configuration; understudy.toml of this folder unless given
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// The app against two simulated regions, with what to try
    Demo {
        /// The port of the HTTP functions
        #[arg(long, default_value_t = DEFAULT_PORT)]
        port: u16,
    },
    /// The folder and the zip archive that are deployed to Azure
    Package {
        /// The folder; the archive gets its name with .zip
        #[arg(long, value_name = "FOLDER", default_value = "dist")]
        out: PathBuf,
        /// The binary that goes into it; this one unless given
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
    },
    /// Check the configuration, or print its schema
    Config {
        #[command(subcommand)]
        what: ConfigVerb,
    },
    /// Every group: who serves, how it is, what holds it
    Status(Filter),
    /// One group: sites, accounts, signals, the move under way
    Show {
        /// The group's name
        #[arg(value_parser = group_name)]
        group: String,
    },
    /// What happened to a group, newest first
    History {
        /// The group's name
        #[arg(value_parser = group_name)]
        group: String,
        /// The whole history, not only its newest page
        #[arg(long)]
        all: bool,
    },
    /// Why a group is where it is, in sentences
    Explain {
        /// The group's name
        #[arg(value_parser = group_name)]
        group: String,
    },
    /// Leave the active site now; it need not have failed
    Failover(OrderArgs),
    /// Planned move between two fit sites
    Switchover(OrderArgs),
    /// Planned move back to the primary
    Failback(OrderArgs),
    /// Give up a move that has not flipped yet
    Cancel(OrderArgs),
    /// No automatic moves for a while
    Pause(OrderArgs),
    /// End a pause
    Resume(OrderArgs),
    /// You have seen it: ends cool-down, spent budget and the guard after a forced order
    Acknowledge(OrderArgs),
    /// Rehearse a switchover; nothing outside is changed
    Drill(OrderArgs),
}

impl Verb {
    /// Whether it is answered by a running app.
    pub(super) const fn asks_app(&self) -> bool {
        !matches!(
            self,
            Self::Serve
                | Self::Local { .. }
                | Self::Demo { .. }
                | Self::Package { .. }
                | Self::Config { .. }
        )
    }

    /// The order that it gives, or itself where it gives none.
    pub(super) fn into_order(self) -> Result<(OrderKind, OrderArgs), Self> {
        match self {
            Self::Failover(order) => Ok((OrderKind::Failover, order)),
            Self::Switchover(order) => Ok((OrderKind::Switchover, order)),
            Self::Failback(order) => Ok((OrderKind::Failback, order)),
            Self::Cancel(order) => Ok((OrderKind::Cancel, order)),
            Self::Pause(order) => Ok((OrderKind::Pause, order)),
            Self::Resume(order) => Ok((OrderKind::Resume, order)),
            Self::Acknowledge(order) => Ok((OrderKind::Acknowledge, order)),
            Self::Drill(order) => Ok((OrderKind::Drill, order)),
            other => Err(other),
        }
    }
}

/// What is done with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Every problem at once, with file and line
    Check {
        /// The file; UNDERSTUDY_CONFIG or understudy.toml of this folder unless given
        file: Option<PathBuf>,
    },
    /// The JSON Schema, for editors
    Schema,
}

/// Which groups are listed.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only this tenant's
    #[arg(long)]
    pub(super) tenant: Option<String>,
    /// Only those that are settled, or moving
    #[arg(long)]
    pub(super) phase: Option<String>,
    /// Only those whose active site is so: healthy, degraded, unhealthy, unknown, misconfigured
    #[arg(long)]
    pub(super) verdict: Option<String>,
}

/// An order's words.
#[derive(Debug, Clone, Args)]
pub(super) struct OrderArgs {
    /// The group's name
    #[arg(value_parser = group_name)]
    pub(super) group: String,
    /// Why; kept in the history. Needed for all but cancel, resume and drill
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Where to; the best other site unless given
    #[arg(long, value_name = "SITE")]
    pub(super) to: Option<String>,
    /// Go although a site is not fit; recorded as such
    #[arg(long)]
    pub(super) force: bool,
    /// Go through every gate, say what would happen, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Only if the group still has this generation
    #[arg(long, value_name = "N")]
    pub(super) if_generation: Option<u64>,
    /// How long a pause lasts, for example 90m; 60m unless given, at most 24h
    #[arg(long = "for", value_name = "DURATION")]
    pub(super) lasting: Option<String>,
    /// Do not ask back
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// A group's name goes into a path, so it is checked before anything is asked.
fn group_name(text: &str) -> Result<String, String> {
    let good = (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if good {
        Ok(text.to_owned())
    } else {
        Err("a group's name is 1 to 63 of a-z, 0-9 and -".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_order_has_a_verb_of_its_name() {
        for kind in OrderKind::ALL {
            let cli = Cli::try_parse_from(["understudy", kind.as_str(), "contoso"]).unwrap();
            let (read, order) = cli.verb.unwrap().into_order().unwrap();
            assert_eq!(read, kind);
            assert_eq!(order.group, "contoso");
        }
    }

    #[test]
    fn a_group_name_that_would_leave_its_place_in_the_path_is_refused() {
        for bad in ["", "..", "a/b", "A", "a b", "a?x", &"a".repeat(64)] {
            assert!(group_name(bad).is_err(), "{bad:?}");
        }
        assert!(group_name(&"a".repeat(63)).is_ok());
    }
}
