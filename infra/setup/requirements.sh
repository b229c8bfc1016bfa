#!/bin/sh
# Compiles what Python environments are made of, with the digest of every file: to be run when pyproject.toml or one
# of *.in has changed, and to renew what these do not name. The scripts that make environments install nothing else.
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/uv
STAMP="$TARGET/made-from-$(sha256sum infra/setup/uv.txt | cut -c 1-16)"
if [ ! -f "$STAMP" ]; then
    python3 -m venv --clear "$TARGET"
    "$TARGET/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --require-hashes --only-binary :all: --requirement infra/setup/uv.txt
    touch "$STAMP"
fi

# compile FILE OUTPUT OPTION...: for every platform, and for wheels only, so that no package runs code to be installed;
# options name what else is taken.
compile() {
    FILE=$1 OUTPUT=$2
    shift 2
    "$TARGET/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --only-binary :all: --custom-compile-command infra/setup/requirements.sh "$@" "$FILE" --output-file "$OUTPUT"
}

compile onnx-export/pyproject.toml onnx-export/requirements.txt --extra dev
# One package is there as source alone, so it is compiled by itself.
compile tests/readers/pyproject.toml tests/readers/requirements.txt \
    --project tests/readers --no-binary jsonpath-rw --no-emit-package jsonpath-rw
compile tests/readers/source.in tests/readers/source.txt --no-deps --no-binary jsonpath-rw
compile tests/deploy/pyproject.toml tests/deploy/requirements.txt --project tests/deploy
compile infra/setup/bill.in infra/setup/bill.txt
compile infra/setup/moto.in infra/setup/moto.txt
compile infra/setup/seaweedfs.in infra/setup/seaweedfs.txt
compile infra/setup/cuda.in infra/setup/cuda.txt
compile infra/setup/rival.in infra/setup/rival.txt
compile infra/setup/uv.in infra/setup/uv.txt
compile infra/setup/wheel.in infra/setup/wheel.txt
