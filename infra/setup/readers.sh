#!/bin/sh
# Makes .cache/readers with the versions that tests/readers/pyproject.toml pins: the tools that exports are for, which
# read them back in the tests. Makes it again when these change. Every file is checked by SHA-256 (requirements.sh).
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/readers
PACKAGES=tests/readers/requirements.txt
SOURCES=tests/readers/source.txt
STAMP="$TARGET/made-from-$(cat "$PACKAGES" "$SOURCES" | sha256sum | cut -c 1-16)"
if [ -f "$STAMP" ]; then exit 0; fi

echo "making $TARGET (what reads exports: about 1.3 GB)"
python3 -m venv --clear "$TARGET"
install() {
    "$TARGET/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$@"
}
install --require-hashes --only-binary :all: --requirement "$PACKAGES"
# Of jsonpath-rw there is no wheel: setuptools, which is there by now, makes one of its source.
install --require-hashes --no-build-isolation --requirement "$SOURCES"
touch "$STAMP"
