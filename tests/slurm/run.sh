#!/bin/sh
# One run as an array of four tasks of a real Slurm, of which one is cancelled, one killed and two run out of time: it ends
# with the bytes of `synth2real run`, and an audit finds nothing.
#   run.sh PROGRAM
set -eu

# Longest wait for anything that should happen, in seconds.
PATIENCE=900
RUN=slurm

cd "$(dirname "$0")/../.."
REPOSITORY=$PWD
SYNTH2REAL=$(realpath "${1:?usage: run.sh PROGRAM}")
export SYNTH2REAL
WORK=$(mktemp -d)
WHOLE=''

finish() {
    STATUS=$?
    trap - EXIT
    if [ -n "$WHOLE" ]; then kill -KILL "$WHOLE" 2> /dev/null || true; fi
    "$REPOSITORY/infra/setup/slurm.sh" stop || true
    if [ "$STATUS" = 0 ]; then
        rm -rf "$WORK"
    else
        echo "what was made and said is in $WORK" >&2
    fi
    exit "$STATUS"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "$*" >&2
    exit 1
}

# wait_until WHAT COMMAND...: waits until a command succeeds.
wait_until() {
    WHAT=$1
    shift
    TENTHS=0
    until "$@"; do
        TENTHS=$((TENTHS + 1))
        if [ "$TENTHS" -gt $((PATIENCE * 10)) ]; then fail "it did not come to pass in $PATIENCE s: $WHAT"; fi
        sleep 0.1
    done
}

# settings NAME: settings of the run with a storage root of this name. Their steps take minutes, as tasks must run out of time.
settings() {
    cat > "$WORK/$1.toml" << END
run = { name = "$RUN", root = "$WORK/$1" }
content = { root = "$REPOSITORY/infra/demo/data/gta5", layout = "gta5" }
style = { root = "$REPOSITORY/infra/demo/data/style" }
method = { steps = 80 }
model = { path = "$REPOSITORY/infra/demo/model" }
shards = { contents = 1, styles = 3 }
engine = { threads = 1 }
END
}

# submit [--resume] SBATCH-OPTION...: submits the run, and sets JOB and COLLECT.
submit() {
    RESUME=''
    if [ "$1" = --resume ]; then
        RESUME=$1
        shift
    fi
    # shellcheck disable=SC2086 # an option or none
    SAID=$("$REPOSITORY/infra/slurm/submit.sh" $RESUME "$WORK/array.toml" "$RUN" 4 --gres=none --cpus-per-task=1 "$@")
    JOB=$(echo "$SAID" | sed -n 's/^parts \([0-9]*\) .*/\1/p')
    COLLECT=$(echo "$SAID" | sed -n 's/^collect //p')
}

# part K: the log of a part.
part() {
    echo "$WORK/synth2real-${JOB}_$1.log"
}

has_image() {
    [ -n "$(find "$WORK/array/runs/$RUN/images" -name "$1.png" 2> /dev/null)" ]
}

# is_over JOB: whether it is neither waiting nor at work.
is_over() {
    [ -z "$(squeue --noheader --jobs="$1" 2> /dev/null)" ]
}

# state JOB: what became of it.
state() {
    scontrol --oneliner show job "$1" | sed -n 's/.* JobState=\([A-Z]*\).*/\1/p'
}

SLURM_CONF=$(infra/setup/slurm.sh start)
export SLURM_CONF SYNTH2REAL_ROOT="$WORK/array"
cd "$WORK"
settings array
settings whole
"$SYNTH2REAL" run whole.toml > whole.log 2>&1 &
WHOLE=$!

# Slurm looks every half minute whose time is up: these are told so after half a minute to one, and have three to end.
submit --time=4 --signal=B:USR1@180
# Twelve contents: three to each part.
wait_until "part 1 makes an image" has_image 00001
scancel "${JOB}_1"
wait_until "part 1 is cancelled" is_over "${JOB}_1"
[ "$(state "${JOB}_1")" = CANCELLED ] || fail "part 1 is $(state "${JOB}_1")"
grep --quiet 'part 1/4 stopped on request' "$(part 1)" || fail "part 1 did not finish its image"

wait_until "part 2 makes an image" has_image 00004
kill -KILL "$(pgrep --full -- "$SYNTH2REAL run $WORK/array.toml --part 2/4\$")"
wait_until "part 2 is over" is_over "${JOB}_2"
[ "$(state "${JOB}_2")" = FAILED ] || fail "part 2 is $(state "${JOB}_2")"

for PART in 3 4; do
    wait_until "part $PART runs out of time" grep --quiet "part $PART/4: its time is up" "$(part "$PART")"
    scontrol update JobId="${JOB}_$PART" TimeLimit=60
done
wait_until "all parts are over" is_over "$JOB"
for PART in 3 4; do
    [ "$(state "${JOB}_$PART")" = COMPLETED ] || fail "part $PART is $(state "${JOB}_$PART")"
    grep --quiet "part $PART/4 has ended: 9 of 9 images done" "$(part "$PART")" || fail "part $PART is not whole"
done
wait_until "what is there is collected" is_over "$COLLECT"
grep --quiet "shards of run $RUN are still to be made" "$WORK/synth2real-collect-$COLLECT.log" \
    || fail "the job that collects has not said what is missing"

submit --resume --time=60
echo "$SAID" | grep --quiet -- '--array=1,2$' || fail "other parts are resumed than 1 and 2: $SAID"
wait_until "the rest is over" is_over "$JOB"
wait_until "all is collected" is_over "$COLLECT"
[ "$(state "$COLLECT")" = COMPLETED ] || fail "the job that collects is $(state "$COLLECT")"

"$SYNTH2REAL" audit "$RUN"
[ -z "$("$REPOSITORY/infra/slurm/submit.sh" --resume "$WORK/array.toml" "$RUN" 4)" ] || fail "there is more to do"
wait "$WHOLE" || fail "what it is compared with was not made: $(tail -n 1 whole.log)"
WHOLE=''
for FOLDER in images labels contact-sheet.png; do
    diff --recursive "$WORK/array/runs/$RUN/$FOLDER" "$WORK/whole/runs/$RUN/$FOLDER" || fail "$FOLDER differs"
done
echo "an array of four tasks made what one process makes"
