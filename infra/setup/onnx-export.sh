#!/bin/sh
# Makes onnx-export/.venv with the versions that pyproject.toml pins, and makes it again when they change. Every file is
# checked by SHA-256 (requirements.txt, which requirements.sh compiles), and no package runs code to be installed.
set -eu

cd "$(dirname "$0")/../../onnx-export"
STAMP=".venv/made-from-$(cat pyproject.toml requirements.txt | sha256sum | cut -c 1-16)"
if [ -f "$STAMP" ]; then exit 0; fi

echo "making onnx-export/.venv (torch and friends: about 6 GB)"
python3 -m venv --clear .venv
install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"
}
install --require-hashes --only-binary :all: --requirement requirements.txt
# What builds the package itself is among them.
install --no-index --no-build-isolation --editable .
touch "$STAMP"
