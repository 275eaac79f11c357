#!/usr/bin/env bash
# Runs every benchmark on this machine, one after the other, and prints their tables; with `--write` it puts them
# into docs/performance.md as well, each between its marks. Figures are worth something only on a machine that does
# nothing else.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

page=docs/performance.md
out=target/bench
write=no
[ "${1:-}" != "--write" ] || write=yes
mkdir -p "$out"

# The table of one benchmark in place of what stands between its marks.
fill() {
    local name=$1
    if ! grep -qx "<!-- bench:$name -->" "$page"; then
        echo "!!! $page has no place for $name" >&2
        return
    fi
    awk -v name="$name" -v table="$out/$name.md" '
        $0 == "<!-- bench:" name " -->" {
            print; print ""
            while ((getline line < table) > 0) print line
            inside = 1; next
        }
        $0 == "<!-- end:" name " -->" { inside = 0 }
        !inside { print }
    ' "$page" >"$out/page.md"
    cp "$out/page.md" "$page"
}

benches=()
for file in benches/*.rs; do
    benches+=("$(basename "$file" .rs)")
done
# Built first, so that no compiler runs beside a measurement.
cargo bench --locked --no-run
started=$SECONDS
for name in "${benches[@]}"; do
    begun=$SECONDS
    echo "==> $name" >&2
    cargo bench --locked --quiet --bench "$name" | tee "$out/$name.md"
    [ "$write" = no ] || fill "$name"
    echo "==> $name: $((SECONDS - begun)) s" >&2
done
echo "==> all benchmarks, $((SECONDS - started)) s; the tables are in $out" >&2
