#!/bin/sh
# Installs a wheel into a fresh environment, and there runs the demo, a resume and an audit with nothing on the PATH but what the
# wheel brings; pictures must be those that are committed.
#   test.sh WHEEL
set -eu

WHEEL=$(realpath "$1")
cd "$(dirname "$0")/../.."
COMMITTED=$(realpath infra/demo/contact-sheet.png)
infra/setup/bill.sh
READER=$PWD/.cache/bill/bin/python READ=$PWD/tests/deploy/bills.py
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

say() { echo "test-wheel: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

say "installing into $WORK/environment"
python3 -m venv "$WORK/environment"
"$WORK/environment/bin/python" -m pip install --quiet --disable-pip-version-check "$WHEEL"
cd "$WORK"
BIN=$WORK/environment/bin
# Nothing of this machine's settings, and no other program.
in_place_of_this() { exec env --ignore-environment HOME="$WORK" PATH="$BIN" LC_ALL=C.UTF-8 "$@"; }
alone() { (in_place_of_this "$@"); }

for PROGRAM in synth2real worker; do
    alone "$BIN/$PROGRAM" --version || fail "$PROGRAM does not start"
done
alone "$BIN/python" -m onnx_export --help > /dev/null
STATUS=0
alone "$BIN/synth2real-export" none --out none --height 512 --width 512 2> told || STATUS=$?
if [ $STATUS != 3 ] || ! grep --quiet 'synth2real\[export\]' told; then
    fail "synth2real-export does not say what it lacks: $(cat told)"
fi
TOLD=$(echo "$BIN"/../lib/python3*/site-packages/synth2real-*.dist-info)
"$READER" "$READ" "$TOLD/sboms/synth2real.cdx.json" || fail "its bill of materials is none"
for LINE in "- tokio " "Permission is hereby granted" "Apache License"; do
    grep --quiet --fixed-strings -e "$LINE" "$TOLD/licenses/target/wheel/THIRD_PARTY.txt" || fail "its licences lack '$LINE'"
done

say "converting"
BEFORE=$(date +%s)
alone "$BIN/synth2real" demo
say "the demo took $(($(date +%s) - BEFORE)) seconds"
cmp "$COMMITTED" synth2real-demo/out/runs/demo/contact-sheet.png || fail "the contact sheet is another one"

say "making again what is removed"
(cd synth2real-demo/out && find . -type f -path '*/images/*' | sort | xargs sha256sum > "$WORK/images")
rm synth2real-demo/out/runs/demo/images/*/00001.png
alone "$BIN/synth2real" demo
(cd synth2real-demo/out && sha256sum --check --quiet "$WORK/images") || fail "an image is another one"
cmp "$COMMITTED" synth2real-demo/out/runs/demo/contact-sheet.png || fail "the contact sheet is another one"

say "going on with what was ended"
rm -r synth2real-demo/out
in_place_of_this "$BIN/synth2real" demo > told 2>&1 &
RUNNING=$!
until [ -n "$(find synth2real-demo/out -path '*/images/*.png' 2> /dev/null)" ]; do
    if ! kill -0 $RUNNING 2> /dev/null; then
        fail "ended before its first image: $(cat told)"
    fi
    sleep 0.1
done
kill -KILL $RUNNING
wait $RUNNING || true
alone "$BIN/synth2real" demo
(cd synth2real-demo/out && sha256sum --check --quiet "$WORK/images") || fail "an image is another one"

alone "$BIN/synth2real" audit demo --root synth2real-demo/out
say "passed"
