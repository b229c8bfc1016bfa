#!/bin/sh
# Makes .cache/rival with OpenVINO, which `make bench` times beside synth2real: in an environment of its own, for nothing
# else needs it. Makes it again when rival.txt changes. Every file is checked by SHA-256 (requirements.sh).
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/rival
PACKAGES=infra/setup/rival.txt
STAMP="$TARGET/made-from-$(sha256sum "$PACKAGES" | cut -c 1-16)"
if [ -f "$STAMP" ]; then exit 0; fi

echo "making $TARGET (OpenVINO: about 280 MB)"
python3 -m venv --clear "$TARGET"
"$TARGET/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --only-binary :all: --requirement "$PACKAGES"
touch "$STAMP"
