#!/bin/sh
# Builds the wheel of this kind of machine into target/wheels: both programs, the demo, the Python packages that export models,
# licences and a bill of materials (CycloneDX).
set -eu

cd "$(dirname "$0")/../.."
infra/setup/maturin.sh
mkdir -p target/wheel
infra/licences/generate.sh target/wheel
PLATFORM=$(rustc --version --verbose | sed -n 's/^host: //p')
cargo build --release --locked --target "$PLATFORM" --package coordinator --package worker

# maturin takes the program of one crate, and everything else as files by where they are installed to.
DATA=target/wheel/data
rm -rf "$DATA"
mkdir -p "$DATA/scripts" "$DATA/data/share/synth2real"
strip --strip-all -o "$DATA/scripts/worker" "target/$PLATFORM/release/worker"
cp infra/wheel/synth2real-export "$DATA/scripts/"
# Settings, and what lies in folders beside them: no more than `synth2real demo` copies.
git ls-files -z -- infra/demo/run.toml 'infra/demo/*/**' | tar --null --files-from - --create --file - \
    | tar --extract --directory "$DATA/data/share/synth2real" --strip-components 1

mkdir -p target/wheels
rm -f target/wheels/synth2real-*.whl
# Of the same commit the same times in the archive.
SOURCE_DATE_EPOCH=$(git show --no-patch --format=%ct HEAD)
export SOURCE_DATE_EPOCH
.cache/maturin/bin/maturin build --release --target "$PLATFORM" --out target/wheels

# The tag tells the oldest C library, of which maturin has asked the one program.
WHEEL=$(echo target/wheels/synth2real-*.whl)
MINOR=$(echo "$WHEEL" | sed -n 's/.*manylinux_2_\([0-9]*\)_.*/\1/p')
NEEDED=$(objdump -T "$DATA/scripts/worker" | sed -n 's/.*(GLIBC_2\.\([0-9]*\).*/\1/p' | sort -n | tail -1)
if [ -z "$MINOR" ] || [ "$NEEDED" -gt "$MINOR" ]; then
    echo "$WHEEL: its tag promises glibc 2.${MINOR:-?}, and worker needs 2.$NEEDED" >&2
    exit 1
fi
echo "$WHEEL"
