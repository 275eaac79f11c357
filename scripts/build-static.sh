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

tools=target/static-tools
say() { echo "==> $*"; }

# Both by version, and the list as a whole: a pipe that is closed early would read as not installed.
installed=$("$tools/bin/python" -m pip list --format=freeze 2>/dev/null) || installed=
if [ "$(grep -cxF -e "cargo-zigbuild==$ZIGBUILD" -e "ziglang==$ZIG" <<<"$installed")" != 2 ]; then
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
say "$binary: $size bytes"
say "check it: scripts/check-static.sh $binary; package it: $binary package"
