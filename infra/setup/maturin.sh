#!/bin/sh
# Makes .cache/maturin, what builds the wheel, with every file checked by SHA-256 (requirements.sh).
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/maturin
PACKAGES=infra/setup/wheel.txt
STAMP="$TARGET/made-from-$(sha256sum "$PACKAGES" | cut -c 1-16)"
if [ -f "$STAMP" ]; then exit 0; fi

echo "making $TARGET"
python3 -m venv --clear "$TARGET"
"$TARGET/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --only-binary :all: --requirement "$PACKAGES"
touch "$STAMP"
