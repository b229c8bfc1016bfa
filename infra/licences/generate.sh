#!/bin/sh
# Writes into a folder what the programs are made of: THIRD_PARTY.txt, the licences of all their crates, as the crates have them,
# and synth2real.cdx.json, a bill of materials (CycloneDX). What is read of a crate is its source on this machine.
#   generate.sh FOLDER [cpu | cuda]     with a word, libraries that are shipped with the programs stand in the bill
set -eu

FOLDER=${1:?usage: generate.sh FOLDER [cpu | cuda]}
KIND=${2:-}
mkdir -p "$FOLDER"
FOLDER=$(realpath "$FOLDER")
cd "$(dirname "$0")/../.."
infra/setup/cargo-about.sh >&2
infra/setup/bill.sh
# The sources of every platform are looked through.
cargo fetch --quiet --locked
.cache/cargo-about/bin/cargo-about generate --frozen --fail --manifest-path coordinator/Cargo.toml \
    --config infra/licences/about.toml --output-file "$FOLDER/THIRD_PARTY.txt" infra/licences/third-party.hbs
# Of the same commit the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git show --no-patch --format=%ct HEAD)}
export SOURCE_DATE_EPOCH
PLATFORM=$(rustc --version --verbose | sed -n 's/^host: //p')
# shellcheck disable=SC2086 # No word is given on where there is none.
.cache/bill/bin/python infra/licences/bill.py "$FOLDER/synth2real.cdx.json" "$PLATFORM" $KIND
