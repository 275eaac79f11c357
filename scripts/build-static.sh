#!/usr/bin/env bash
# Builds the binary that Azure gets: static, so that it needs no C library of the image it starts in. The C parts
# (SQLite, the TLS library) are compiled by Zig for musl; Zig and its cargo command come into target/, nothing else
# of the machine is touched apart from rustup's target.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

ZIGBUILD=0.24.1
ZIG=0.17.1
TRIPLE=x86_64-unknown-linux-musl
PROFILE=azure
LIMIT=10000000

tools=target/static-tools
say() { echo "==> $*"; }

if ! "$tools/bin/python" -m pip list --format=freeze 2>/dev/null | grep -qx "cargo-zigbuild==$ZIGBUILD"; then
    say "installing cargo-zigbuild $ZIGBUILD and Zig $ZIG into $tools"
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet "cargo-zigbuild==$ZIGBUILD" "ziglang==$ZIG"
fi
if command -v rustup >/dev/null; then
    say "adding the target $TRIPLE"
    rustup target add "$TRIPLE"
fi

say "building for $TRIPLE"
PATH="$PWD/$tools/bin:$PATH" cargo zigbuild --locked --profile "$PROFILE" --bin understudy --target "$TRIPLE"

binary=target/$TRIPLE/$PROFILE/understudy
size=$(stat -c %s "$binary")
if [ "$size" -gt "$LIMIT" ]; then
    echo "error: $binary has $size bytes, more than $LIMIT" >&2
    exit 1
fi
say "$binary: $size bytes"
say "package it: $binary package"
