#!/usr/bin/env bash
# Runs a fuzz target: scripts/fuzz.sh TARGET|all [EXECUTIONS]. Ten million executions, if no number is given. It begins
# with the seeds of our own generators (tests/bad_input/subjects) and what earlier runs have found worth keeping.
#
# The stable compiler is enough: coverage comes from a pass of LLVM, and no sanitizer is asked for, since there is no
# `unsafe` in this crate to watch. `cargo install cargo-fuzz --locked --version 0.13.2` and a C++ compiler are needed.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

VERSION=0.13.2
TARGETS=(alert service_health order envelope configuration stored_row query headers)
wanted=${1:?which target? one of ${TARGETS[*]}, or all}
executions=${2:-10000000}
# Longer inputs find nothing that shorter ones do not, and more slowly.
MAX_LEN=4096

if ! cargo fuzz --version 2>/dev/null | grep -qx "cargo-fuzz $VERSION"; then
    echo "cargo-fuzz $VERSION is not there: cargo install cargo-fuzz --locked --version $VERSION" >&2
    exit 1
fi
[ "$wanted" = all ] || TARGETS=("$wanted")

for target in "${TARGETS[@]}"; do
    cargo fuzz build --sanitizer none --release "$target"
    corpus=fuzz/target/corpus/$target
    mkdir -p "$corpus" "fuzz/artifacts/$target"
    echo "==> $target: $executions executions"
    begun=$SECONDS
    UNDERSTUDY_FUZZ_SEEDS=$corpus cargo fuzz run --sanitizer none --release "$target" "$corpus" -- \
        -runs="$executions" -max_len=$MAX_LEN -reload=0 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=1 \
        2>&1 | grep --line-buffered -aEv '^#[0-9]+[[:space:]]+(NEW|REDUCE)|NEW_FUNC|# Uses:|recommended dictionary'
    echo "==> $target: $((SECONDS - begun)) s"
done
