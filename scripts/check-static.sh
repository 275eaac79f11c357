#!/usr/bin/env bash
# Holds what is promised of the binary that Azure gets: small, in need of nothing, and packaged it starts and
# answers in a root folder that holds nothing but the package. Without an argument the binary is built first.
#
#   scripts/check-static.sh [BINARY]
set -Eeuo pipefail
cd "$(dirname "$0")/.."

LIMIT=10000000
PATIENCE=30

say() { echo "==> $*"; }
fail() {
    echo "error: $*" >&2
    exit 1
}

[ $# -gt 0 ] || scripts/build-static.sh
binary=$(realpath "${1:-target/x86_64-unknown-linux-musl/azure/understudy}")
work=$(mktemp -d)
pid=
leave() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap leave EXIT

size=$(stat -c %s "$binary")
[ "$size" -le "$LIMIT" ] || fail "$binary has $size bytes, more than $LIMIT"
segments=$(readelf --program-headers --wide "$binary")
if grep -q INTERP <<<"$segments"; then fail "$binary names a loader"; fi
if grep -q DYNAMIC <<<"$segments"; then fail "$binary is linked dynamically: $(readelf --dynamic --wide "$binary")"; fi
say "$size bytes, no loader, nothing dynamic"

# The record is kept over https, but the first start below keeps it in a file. The sites are a port that refuses.
mkdir "$work/from"
cat >"$work/from/understudy.toml" <<'TOML'
[store]
endpoint = "https://account.table.core.windows.net"
[[groups]]
name = "contoso"
  [[groups.sites]]
  region = "westeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "http://127.0.0.1:9/health"
  [[groups.sites]]
  region = "northeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "http://127.0.0.1:9/health"
TOML
said=$(cd "$work/from" && env -i "$binary" package --binary "$binary" --out ../root 2>&1) || fail "not packaged: $said"
if grep "the binary" <<<"$said"; then fail "the package warns of the binary"; fi
root=$work/root
say "packaged: $(cd "$root" && find . -type f | wc -l) files are all that there is"

# The package is the root folder, and so the working directory as well, as under the host. Root may change it;
# others may where the kernel lets them be root among themselves.
program=/understudy
enter=(chroot)
if ! env -i "$(command -v chroot)" "$root" "$program" --version >/dev/null 2>&1; then
    enter=(unshare --map-root-user chroot)
    "${enter[@]}" "$root" "$program" --version >/dev/null ||
        fail "it does not start in $root, or this user may not change the root folder: try as root"
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# ask METHOD PATH: the status, and the body in $work/body.
ask() {
    curl --silent --noproxy '*' --max-time "$PATIENCE" --request "$1" \
        --output "$work/body" --write-out '%{http_code}' "http://127.0.0.1:$port$2"
}
# expect STATUS METHOD PATH TEXT
expect() {
    local status
    status=$(ask "$2" "$3") || fail "$2 $3 is not answered: $(cat "$work/log")"
    [ "$status" = "$1" ] || fail "$2 $3 is answered $status: $(cat "$work/body")"
    grep -q "$4" "$work/body" || fail "$2 $3 does not say $4: $(cat "$work/body")"
    say "$2 $3: $status, $4"
}
# start [SETTING=VALUE ...]: as the host does, in the root folder with nothing else, until GET / is answered.
start() {
    env -i PATH="$PATH" "$@" FUNCTIONS_CUSTOMHANDLER_PORT="$port" \
        "${enter[@]}" "$root" "$program" serve >"$work/log" 2>&1 </dev/null &
    pid=$!
    local deadline=$((SECONDS + PATIENCE))
    until [ "$(ask GET / || true)" = 200 ]; do
        kill -0 "$pid" 2>/dev/null || fail "it ended: $(cat "$work/log")"
        [ "$SECONDS" -lt "$deadline" ] || fail "GET / is not answered: $(cat "$work/log")"
        sleep 0.1
    done
    say "it answers GET /"
}
stop() {
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    pid=
}

start UNDERSTUDY__STORE__KIND=embedded UNDERSTUDY__STORE__PATH=/record
expect 200 POST /api/tick '"probed":1'
expect 200 GET /api/groups/contoso/active '"site":"westeurope"'
expect 200 GET /api/health '"status":"ok"'
stop
# There are no CA certificates either: whoever needs them is told.
start
expect 503 GET /api/health 'no CA certificates'
stop
say "it starts where there is nothing"
