//! Logging: one line per event on stdout, which the host collects (it takes stderr for errors).

use std::io::Write;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The settings that choose what is logged, the first that is set: `info`, `understudy=debug`, …
pub const FILTER_SETTINGS: [&str; 2] = ["UNDERSTUDY_LOG", "RUST_LOG"];
/// What is logged where neither is set.
const DEFAULT_FILTER: &str = "info";

/// Targets that never go below info, whatever the filter says: below it they print URLs with signatures
/// and headers with tokens (RUSTSEC-2026-0275 for `azure_core` 0.21).
const CAPPED: [&str; 14] = [
    "azure_core",
    "azure_data_tables",
    "azure_identity",
    "azure_storage",
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "reqwest",
    "rustls",
    "tokio_rustls",
    "tower",
    "tower_http",
    "typespec",
];

/// Sets logging up for this process. Once is enough; a second call changes nothing.
pub fn init() {
    let wanted = FILTER_SETTINGS
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|text| !text.trim().is_empty())
        .unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let (filter, refused) = match EnvFilter::try_new(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    let layer = fmt::layer()
        .with_ansi(false)
        .with_writer(Lines(std::io::stdout))
        .with_filter(filter.and(capped()));
    let is_first = tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .is_ok();
    if let Some(error) = refused.filter(|_| is_first) {
        tracing::warn!(
            "the log filter `{wanted}` cannot be read ({error}): logging at {DEFAULT_FILTER}"
        );
    }
}

fn capped() -> FilterFn {
    filter_fn(|event| {
        LevelFilter::from(*event.level()) <= LevelFilter::INFO || !is_capped(event.target())
    })
}

fn is_capped(target: &str) -> bool {
    let root = target.split("::").next().unwrap_or(target);
    CAPPED.iter().any(|capped| {
        root.strip_prefix(capped)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}

/// Writes each event as one line: a line break inside it would be a record of its own to the host.
struct Lines<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Lines<M> {
    type Writer = OneLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }
}

struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(&one_line(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn one_line(event: &[u8]) -> Vec<u8> {
    let text = event.strip_suffix(b"\n").unwrap_or(event);
    let mut line = Vec::with_capacity(event.len());
    for byte in text {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            other => line.push(*other),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(one_line(b"a\nb\r\nc\n"), b"a\\nb\\r\\nc\n");
        assert_eq!(one_line(b"a"), b"a\n");
    }

    #[test]
    fn clients_that_print_secrets_are_capped_with_all_their_modules() {
        for target in [
            "azure_core::http_client",
            "azure_core",
            "azure_data_tables::x",
            "hyper_util::client",
            "typespec_client_core::http",
            "reqwest::connect",
            "h2",
        ] {
            assert!(is_capped(target), "{target}");
        }
        for target in ["understudy::functions", "azure", "hyperion", "h2o"] {
            assert!(!is_capped(target), "{target}");
        }
    }
}
