#!/bin/bash
# Runs every fuzz target for FUZZ_SECONDS, one after the other, and fails if one of them found something.
#
#   tools/fuzz.sh [TARGET...]
#
# It starts from the seeds in fuzz/corpus and from all that former runs found, which .build/fuzz/corpus keeps. A crash is
# left in fuzz/artifacts; with its fix it becomes a seed, under a name that says what it was.
#
# The compiler's coverage counters are a nightly feature: RUSTC_BOOTSTRAP lets the stable compiler that builds everything
# else use them. Sanitizers are left out, because the crates under test have no unsafe code.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTC_BOOTSTRAP=1 RUST_BACKTRACE=0 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/.build/fuzz/target}"
version=0.13.2
tool=.build/fuzz/bin/cargo-fuzz
found=.build/fuzz/corpus
limits=(-max_len=4096 -timeout=10 -rss_limit_mb=1024)

[ -x "$tool" ] || cargo install --quiet --locked --root .build/fuzz "cargo-fuzz@$version"

if [ $# = 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi

failed=
for target in "$@"; do
    mkdir -p "$found/$target" "fuzz/corpus/$target"
    words=(); case $target in uwsgi_packet | from_uwsgi) ;; *) words=(-dict=fuzz/http.dict) ;; esac
    "$tool" run --sanitizer none --fuzz-dir fuzz "$target" "$found/$target" "fuzz/corpus/$target" -- \
        "${limits[@]}" "${words[@]}" -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=1 || failed="$failed $target"
done
[ -z "$failed" ] || { echo "found something:$failed (see above, and fuzz/artifacts)" >&2; exit 1; }
