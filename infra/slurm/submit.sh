#!/bin/sh
# Submits a run as an array of N tasks, and a job that makes manifest and report once these have ended.
#   submit.sh CONFIG RUN N [SBATCH-OPTION]...            every part
#   submit.sh --resume CONFIG RUN N [SBATCH-OPTION]...   the parts that have something to do, as `resume` finds them
# CONFIG is the run's settings, RUN its name and SYNTH2REAL_ROOT its storage root; options are for the array alone.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
PROGRAM=${SYNTH2REAL:-synth2real}

RESUMES=''
if [ "${1:-}" = --resume ]; then
    RESUMES=1
    shift
fi
if [ $# -lt 3 ]; then
    echo "usage: $0 [--resume] CONFIG RUN N [SBATCH-OPTION]..." >&2
    exit 2
fi
CONFIG=$1 RUN=$2 NUM_PARTS=$3
shift 3

ARRAY=--array=1-$NUM_PARTS
if [ -n "$RESUMES" ]; then
    CODE=0
    ARRAY=$("$PROGRAM" resume "$RUN" --parts "$NUM_PARTS") || CODE=$?
    # 1: shards are damaged, which it names, and the others can be made.
    if [ "$CODE" -gt 1 ] || [ -z "$ARRAY" ]; then exit "$CODE"; fi
fi

JOB=$(sbatch --parsable "$ARRAY" "$@" "$HERE/array.sbatch" "$CONFIG" "$NUM_PARTS")
# Beside the number there may be the name of the cluster.
JOB=${JOB%%;*}
COLLECT=$(sbatch --parsable --dependency="afterany:$JOB" "$HERE/collect.sbatch" "$RUN")
echo "parts $JOB $ARRAY"
echo "collect ${COLLECT%%;*}"
