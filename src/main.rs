//! The one binary: hands the command line to `cli` and turns its answer into an exit code.

/// Ticks over many groups take and give back much memory at once. The C libraries' own allocators keep it, and that
/// of the static binary is slow where several threads ask (docs/performance.md has the figures).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    understudy::cli::main()
}
