#!/bin/sh
# Prints the path of cargo-deb, of the version that is pinned; puts it into .cache/cargo-deb first unless it is there. Building
# it takes minutes.
set -eu

VERSION=3.8.0

cd "$(dirname "$0")/../.."
TARGET=.cache/cargo-deb/bin/cargo-deb
for ONE in "$(command -v cargo-deb || true)" "$TARGET"; do
    if [ -x "$ONE" ] && [ "$("$ONE" --version)" = "cargo-deb $VERSION" ]; then
        echo "$ONE"
        exit 0
    fi
done
cargo install --quiet --locked --version "$VERSION" --root .cache/cargo-deb cargo-deb >&2
echo "$TARGET"
