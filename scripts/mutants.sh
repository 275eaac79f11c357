#!/usr/bin/env bash
# Mutation testing of src/decision: scripts/mutants.sh [arguments of cargo-mutants, for example -f src/decision/guard.rs].
# Each mutant is built and tested against the decision's own tests; those that no test notices are listed in
# target/mutants/mutants.out/missed.txt: each wants a test, or a reason in docs/proof.md.
#
# The decision needs nothing but the model, so it is built without the rest: a second or two for each mutant instead of a
# minute. `cargo install cargo-mutants --locked --version 27.1.0` is needed.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

VERSION=27.1.0
if ! cargo mutants --version 2>/dev/null | grep -qx "cargo-mutants $VERSION"; then
    echo "cargo-mutants $VERSION is not there: cargo install cargo-mutants --locked --version $VERSION" >&2
    exit 1
fi

# One crate with its tests inside of it: one compilation for each mutant, and one program to link.
rest=target/mutants
# What a run that was broken off left half compiled must not be built upon.
rm -rf "$rest"/{src,tests,docs,target/debug/incremental}
mkdir -p "$rest/src/adapters" "$rest/tests/support"
cp -r src/model src/decision "$rest/src/"
cp -r src/adapters/alert "$rest/src/adapters/"
cp -r docs "$rest/"
cp -r tests/decision.rs tests/decision tests/scenarios tests/alerts.rs tests/alerts "$rest/tests/"
cp tests/support/{alert_bodies,random_world}.rs tests/support/scenario*.rs "$rest/tests/support/"
sed -i 's/use crate::random_world/use super::random_world/' "$rest/tests/decision.rs"
echo 'pub mod alert_bodies;' >"$rest/tests/support/mod.rs"
cp Cargo.lock rust-toolchain.toml "$rest/"
cat >"$rest/src/lib.rs" <<'RUST'
extern crate self as understudy;
pub mod adapters { pub mod alert; }
pub mod decision;
pub mod model;
#[cfg(test)]
#[path = "../tests/alerts.rs"]
mod alerts;
#[cfg(test)]
#[path = "../tests/decision.rs"]
mod decisions;
RUST
{
    printf '%s\n' '[package]' 'name = "understudy"' 'version = "0.1.0"' 'edition = "2024"' 'autotests = false' \
        '[lib]' 'doctest = false' '[dependencies]'
    grep -E '^(jiff|litemap|serde|serde_json|schemars|thiserror) = ' Cargo.toml
    printf '%s\n' '[dev-dependencies]'
    grep -E '^proptest = ' Cargo.toml
    printf '%s\n' '[workspace]' '[profile.dev]' 'debug = false' 'opt-level = 1' '[profile.dev.package."*"]' 'opt-level = 2'
} >"$rest/Cargo.toml"

if [ "$#" = 0 ]; then
    set -- --file 'src/decision/**'
fi
# Random histories are the same in every run, so that a mutant which only they notice is noticed again.
export PROPTEST_RNG_SEED=1
cargo mutants --dir "$rest" --in-place --output "$rest" "$@"
