#!/bin/sh
# Makes onnx-export/.venv with the versions that pyproject.toml pins, and makes it again when they change.
set -eu

cd "$(dirname "$0")/../../onnx-export"
STAMP=".venv/made-from-$(sha256sum pyproject.toml | cut -c 1-16)"
if [ -f "$STAMP" ]; then exit 0; fi

echo "making onnx-export/.venv (torch and friends: about 6 GB)"
python3 -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
touch "$STAMP"
