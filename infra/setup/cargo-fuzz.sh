#!/bin/sh
# Puts cargo-fuzz into .cache/cargo-fuzz, unless this version of it is installed; building it takes a minute. It needs
# a C++ compiler for libFuzzer, and no nightly toolchain.
set -eu

VERSION=0.13.2

cd "$(dirname "$0")/../.."
TARGET=.cache/cargo-fuzz
if [ "$(cargo fuzz --version 2> /dev/null)" = "cargo-fuzz $VERSION" ]; then exit 0; fi
if ! command -v c++ > /dev/null; then
    echo "a C++ compiler is needed to fuzz: apt-get install g++" >&2
    exit 3
fi
if [ -x "$TARGET/bin/cargo-fuzz" ] && [ "$("$TARGET/bin/cargo-fuzz" --version)" = "cargo-fuzz $VERSION" ]; then exit 0; fi
cargo install --quiet --locked --version "$VERSION" --root "$TARGET" cargo-fuzz
