#!/bin/sh
# Says whether synth2real is right on this machine's GPU, and how fast, within ten minutes: --help has what may be chosen. Needs
# NVIDIA's driver; all else lies beside it. The figures go to gpu-check.json as well.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
# The interpreter that is shipped has libraries of its own, which programs that it starts do not get to see.
OWN=$HERE/python/usr
if [ -x "$OWN/bin/python3" ] && PYTHONHOME=$OWN LD_LIBRARY_PATH=$OWN/lib/own "$OWN/bin/python3" -c "" 2> /dev/null; then
    export PYTHONHOME="$OWN" PYTHONPATH="$HERE" SYNTH2REAL_CHECK_LIBRARIES="${LD_LIBRARY_PATH-}" LD_LIBRARY_PATH="$OWN/lib/own"
    exec "$OWN/bin/python3" -m gpu_check --root "$HERE" "$@"
fi
if ! command -v python3 > /dev/null; then
    echo "gpu-check.sh: the interpreter in $OWN cannot be started here, and there is no python3: install it" >&2
    exit 3
fi
PYTHONPATH=$HERE exec python3 -m gpu_check --root "$HERE" "$@"
