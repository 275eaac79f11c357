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

/// What a benchmark was started for.
#[derive(Debug)]
pub enum Role {
    /// To measure.
    Measure,
    /// To be the plain server that is compared with, or measured against.
    Serve(plain::Plain),
    /// Neither: `cargo test --all-targets` runs it without measuring.
    Nothing,
}

/// Reads the command line: cargo says `--bench`, we ourselves say `--serve-…`.
///
/// # Errors
/// When a plain server is asked for in a way that is not understood.
pub fn role() -> Try<Role> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(server) = plain::Plain::asked_for(&words)? {
        return Ok(Role::Serve(server));
    }
    if words.iter().any(|word| word == "--bench") {
        return Ok(Role::Measure);
    }
    println!("a benchmark: run it with `cargo bench --bench NAME`");
    Ok(Role::Nothing)
}
