#!/bin/sh
# Makes target/debian/synth2real_VERSION-1_ARCHITECTURE.deb of the programs in target/release, as `make build` leaves them, and of
# ONNX Runtime in .cache/onnxruntime. What goes where: [package.metadata.deb] of coordinator/Cargo.toml.
set -eu

cd "$(dirname "$0")/../.."
MADE=.cache/deb
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
if ! head -n 1 infra/deb/changelog | grep --quiet --fixed-strings "($VERSION-1)"; then
    echo "infra/deb/changelog does not begin with version $VERSION-1: add an entry" >&2
    exit 2
fi

rm -rf "$MADE"
mkdir -p "$MADE/completions"
for SHELL_NAME in bash zsh fish; do
    target/release/synth2real completions "$SHELL_NAME" > "$MADE/completions/$SHELL_NAME"
done
target/release/synth2real man --out "$MADE/man" > "$MADE/man.log"
# Other packages may have a worker, so that both its program and its page have a name of their own.
sed -e 's/^\.TH worker /.TH synth2real\\-worker /' -e 's/^worker \\- /synth2real\\-worker \\- /' \
    -e 's/^\\fBworker\\fR/\\fBsynth2real\\-worker\\fR/' "$MADE/man/worker.1" > "$MADE/man/synth2real-worker.1"
rm "$MADE/man/worker.1"
infra/licences/generate.sh "$MADE/notices" cpu
# Settings, and what lies in folders beside them.
mkdir "$MADE/demo"
git ls-files -z -- infra/demo/run.toml 'infra/demo/*/**' | tar --null --files-from - --create --file - \
    | tar --extract --directory "$MADE/demo" --strip-components 2

# Of the same commit the same bytes.
SOURCE_DATE_EPOCH=$(git show --no-patch --format=%ct HEAD)
export SOURCE_DATE_EPOCH
CARGO_DEB=$(infra/setup/cargo-deb.sh)
"$CARGO_DEB" --no-build --locked --strip --package coordinator --output target/debian/
