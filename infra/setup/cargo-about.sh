#!/bin/sh
# Puts cargo-about into .cache/cargo-about, unless this version of it is there; building it takes minutes. It needs a C compiler.
set -eu

VERSION=0.9.3

cd "$(dirname "$0")/../.."
TARGET=.cache/cargo-about
if [ -x "$TARGET/bin/cargo-about" ] && [ "$("$TARGET/bin/cargo-about" --version)" = "cargo-about $VERSION" ]; then exit 0; fi
echo "building cargo-about $VERSION"
# It links with optimisation across crates, which takes longer than all that it is asked here.
CARGO_PROFILE_RELEASE_LTO=off cargo install --quiet --locked --version "$VERSION" --features cli --root "$TARGET" cargo-about
