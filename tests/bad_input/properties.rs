//! A fixed number of inputs of each kind in every run; `scripts/fuzz.sh` runs the same subjects for longer.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::subjects::{ALL, Subject};

/// Inputs of each subject in one run.
const CASES: u32 = 2_000;

fn subject(name: &str) -> &'static Subject {
    ALL.iter()
        .find(|subject| subject.name == name)
        .expect("it is listed")
}

/// Reads every seed, and then many inputs made by chance.
fn hold(name: &str) {
    let subject = subject(name);
    for seed in (subject.seeds)() {
        (subject.read)(&seed);
    }
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let inputs = prop::collection::vec(any::<u8>(), 0..120);
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&inputs, |input| {
        (subject.read)(&input);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

macro_rules! properties {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test] fn $test() { hold($name); })*

        #[test]
        fn every_subject_is_held() {
            let held = [$($name),*];
            let all: Vec<&str> = ALL.iter().map(|subject| subject.name).collect();
            assert_eq!(all, held);
        }
    };
}

properties! {
    alerts: "alert",
    service_health: "service_health",
    orders: "order",
    envelopes: "envelope",
    configurations: "configuration",
    stored_rows: "stored_row",
    queries: "query",
    headers: "headers",
}
