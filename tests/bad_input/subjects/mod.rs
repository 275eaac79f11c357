//! What is read here that others wrote, each as one function of bytes: it makes an input of them, reads it,
//! and checks what must hold whatever was read. The property tests and the fuzz targets call the same
//! functions.
//!
//! The first byte says how the rest is meant: as the input itself, or as choices that turn a good
//! input into one that is almost good.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod alerts;
mod bodies;
mod dice;
mod nasty;
mod requests;
mod settings;
mod stored;

#[path = "../../support/alert_bodies.rs"]
pub mod alert_bodies;
#[path = "../../support/rows.rs"]
pub mod memory_rows;

pub use alerts::{alert, service_health};
pub use bodies::{envelope, order};
pub use requests::{headers, query};
pub use settings::configuration;
pub use stored::{good_rows, stored_row};

use std::sync::LazyLock;

use dice::Dice;
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};

/// A subject's name, what reads it, and good inputs to begin with.
pub struct Subject {
    pub name: &'static str,
    pub read: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every subject.
pub const ALL: [Subject; 8] = [
    Subject {
        name: "alert",
        read: alert,
        seeds: alerts::alert_seeds,
    },
    Subject {
        name: "service_health",
        read: service_health,
        seeds: alerts::service_health_seeds,
    },
    Subject {
        name: "order",
        read: order,
        seeds: bodies::order_seeds,
    },
    Subject {
        name: "envelope",
        read: envelope,
        seeds: bodies::envelope_seeds,
    },
    Subject {
        name: "configuration",
        read: configuration,
        seeds: settings::seeds,
    },
    Subject {
        name: "stored_row",
        read: stored_row,
        seeds: stored::seeds,
    },
    Subject {
        name: "query",
        read: query,
        seeds: requests::query_seeds,
    },
    Subject {
        name: "headers",
        read: headers,
        seeds: requests::header_seeds,
    },
];

/// The first byte of an input that is meant as it is.
const AS_IT_IS: u8 = 0;

/// How an input is meant.
enum Meant<'a> {
    AsItIs(&'a [u8]),
    Choices(Dice<'a>),
}

fn meant(data: &[u8]) -> Meant<'_> {
    match data.split_first() {
        None => Meant::AsItIs(data),
        Some((first, rest)) if first % 4 == AS_IT_IS => Meant::AsItIs(rest),
        Some((_, rest)) => Meant::Choices(Dice::new(rest)),
    }
}

/// A good input as a seed, and some bytes to choose by.
fn seeds(good: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let as_it_is = good.into_iter().map(|mut input| {
        input.insert(0, AS_IT_IS);
        input
    });
    let mut state = 7_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let choices = (0..64).map(|length| {
        let mut bytes = vec![1];
        bytes.extend((0..length * 2).map(|_| next()));
        bytes
    });
    as_it_is.chain(choices).collect()
}

/// Writes the seeds of a subject into the folder that this environment variable names, for a fuzzer to begin
/// with.
pub fn write_seeds(name: &str) {
    let Some(folder) = std::env::var_os("UNDERSTUDY_FUZZ_SEEDS").map(std::path::PathBuf::from)
    else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let subject = ALL.iter().find(|subject| subject.name == name).unwrap();
    for (number, seed) in (subject.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
    }
}

/// When everything here happens.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_772_360_000).unwrap()
}

/// What a caller is told stays short, whatever was sent, and repeats no control characters.
fn check_told(text: &str) {
    assert!(text.chars().count() <= 1_000, "told at length: {text}");
    assert!(
        !text.contains(char::is_control),
        "told with control characters: {text:?}"
    );
}

/// Waits for this; what the store does aside needs a runtime.
fn block_on<T>(waited_for: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread()
            .enable_time()
            .worker_threads(1)
            .build()
            .unwrap()
    });
    let _here = RUNTIME.enter();
    futures::executor::block_on(waited_for)
}

/// A refusal that is the caller's fault.
fn check_refusal(fault: understudy::functions::fault::Fault) {
    use axum::response::IntoResponse;
    let response = fault.into_response();
    assert!(response.status().is_client_error(), "{}", response.status());
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    let body = block_on(body).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let error = &body["error"];
    for part in ["message", "target", "code"] {
        check_told(error[part].as_str().unwrap_or_default());
    }
}
