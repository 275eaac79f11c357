//! What the benchmarks share: processes of ours and of others, a client, figures and tables. Each benchmark
//! uses a part of it.
#![allow(dead_code)]

pub mod app;
pub mod client;
pub mod figures;
pub mod peer;
pub mod plain;
pub mod process;
pub mod table;
pub mod used;

use std::error::Error;

use tokio::runtime::Builder;

/// What went wrong, for the person who runs this.
pub type Trouble = Box<dyn Error + Send + Sync>;
/// The result of anything that can go wrong here.
pub type Try<T = ()> = Result<T, Trouble>;

/// Progress goes to stderr: stdout holds nothing but what belongs into a document.
pub fn say(line: &str) {
    eprintln!("    {line}");
}

/// How often each contender has its turn: `UNDERSTUDY_BENCH_TURNS`, where that is set, for a quick look.
pub fn turns(usual: usize) -> usize {
    std::env::var("UNDERSTUDY_BENCH_TURNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|turns| *turns > 0)
        .unwrap_or(usual)
}

/// Does what a benchmark was started for: cargo says `--bench` where it is to measure, we ourselves say `--serve-…`
/// where it is the plain server that is compared with. Else `cargo test --all-targets` runs it, and nothing is measured.
///
/// # Errors
/// When a plain server is asked for in a way that is not understood, and what is wrong with the measurement.
pub fn play(measure: impl FnOnce() -> Try) -> Try {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(server) = plain::Plain::asked_for(&words)? {
        return server.serve();
    }
    if words.iter().any(|word| word == "--bench") {
        return measure();
    }
    println!("a benchmark: run it with `cargo bench --bench NAME`");
    Ok(())
}

/// Measures on one thread, so that the benchmark takes little from what it measures.
///
/// # Errors
/// Those of the measurement.
pub fn on_one_thread(measure: impl Future<Output = Try>) -> Try {
    on(&mut Builder::new_current_thread(), measure)
}

/// Measures on as many threads as there are.
///
/// # Errors
/// Those of the measurement.
pub fn on_all_threads(measure: impl Future<Output = Try>) -> Try {
    on(&mut Builder::new_multi_thread(), measure)
}

fn on(runtime: &mut Builder, work: impl Future<Output = Try>) -> Try {
    runtime.enable_all().build()?.block_on(work)
}
