#!/bin/sh
# Runs every fuzz target for some seconds, as many at once as there are cores. It begins with the files of the corpus
# and goes on where the last run ended.
#   run.sh SECONDS [TARGET]...
set -eu

SECONDS_EACH=${1:?usage: run.sh SECONDS [TARGET]...}
shift
cd "$(dirname "$0")/../.."
PATH=$PWD/.cache/cargo-fuzz/bin:$PATH
FUZZ=tests/fuzz
TARGETS=${*:-pictures labels arrays contracts records settings messages shards}

# Of the whole workspace, as every other target of the Makefile builds it: of one package alone, what others wrote has
# other features, and all of it would be compiled anew.
cargo build --quiet --locked --workspace --example seeds
"${CARGO_TARGET_DIR:-target}/debug/examples/seeds" "$FUZZ/corpus"
for TARGET in $TARGETS; do
    # Of no sanitizer, as memory is safe without one: then no nightly toolchain is needed either.
    cargo fuzz build --fuzz-dir "$FUZZ" --sanitizer none "$TARGET"
done
# -timeout: a hang; -malloc_limit_mb would need a sanitizer, so the programs count what they allocate themselves.
echo "$TARGETS" | tr ' ' '\n' | xargs -P "$(nproc)" -I '{}' sh -c '
    if cargo fuzz run --fuzz-dir '"$FUZZ"' --sanitizer none "{}" -- -max_total_time='"$SECONDS_EACH"' -timeout=25 \
        -rss_limit_mb=3072 -max_len=1048576 -print_final_stats=1 > '"$FUZZ"'/"{}".log 2>&1; then
        grep -E "^(Done|stat::number_of_executed|stat::peak_rss)" '"$FUZZ"'/"{}".log | sed "s/^/{}: /"
    else
        tail -n 30 '"$FUZZ"'/"{}".log | sed "s/^/{}: /" >&2
        exit 1
    fi'
