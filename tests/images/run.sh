#!/bin/sh
# Builds the CPU image on a Debian that debootstrap has made, and works in it as its user with a root file system that is read
# alone. No registry of images is asked, and nothing is compiled: in the place of Rust's and Python's images are this Debian with
# what `make build` and `make onnxruntime` have made. Needs root, for chroot and mounts.
#   run.sh FOLDER     with the programs
#   DEMO_CONTENTS     how many contents of the demo are converted; 2 without it
set -eu

cd "$(dirname "$0")/../.."
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
PROGRAMS=$(realpath "${1:?usage: run.sh FOLDER}")
if [ "$(id -u)" != 0 ]; then
    echo "a root file system that is read alone is made by mounts: run it as root" >&2
    exit 3
fi
if ! command -v buildah > /dev/null; then
    need_apt buildah "it builds the image; install it"
    install_package buildah /usr/bin/buildah
fi
BASE=$(infra/setup/debian-base.sh)

WORK=$(mktemp -d)
finish() {
    STATUS=$?
    trap - EXIT
    buildah rm --all > /dev/null 2>&1 || true
    if [ "$STATUS" = 0 ]; then
        rm -rf --one-file-system "$WORK"
    else
        echo "what was made and said is in $WORK" >&2
    fi
    exit "$STATUS"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A store of images of its own, in plain folders.
cat > "$WORK/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$WORK/images"
runroot = "$WORK/running"
END
export CONTAINERS_STORAGE_CONF="$WORK/storage.conf" BUILDAH_ISOLATION=chroot IMAGE_TOOL=buildah
export IMAGE=localhost/synth2real-of-tests

# base NAME FROM FOLDER: an image that is another one with the files of a folder.
base() {
    CONTAINER=$(buildah from --pull-never "$2")
    buildah add --quiet "$CONTAINER" "$3" / > /dev/null
    buildah commit --quiet "$CONTAINER" "localhost/tests-$1" > /dev/null
    buildah rm "$CONTAINER" > /dev/null
}

echo "making the bases" >&2
base debian scratch "$BASE"
# Its cargo builds nothing: it puts the programs where a build leaves them.
mkdir -p "$WORK/rust/usr/local/bin" "$WORK/rust/programs" "$WORK/python/build/.cache"
cp --dereference "$PROGRAMS/synth2real" "$PROGRAMS/worker" "$WORK/rust/programs/"
strip "$WORK/rust/programs/synth2real" "$WORK/rust/programs/worker"
cat > "$WORK/rust/usr/local/bin/cargo" <<'END'
#!/bin/sh
set -eu
test "$*" = "build --release --locked --package coordinator --package worker"
mkdir -p target/release
cp /programs/synth2real /programs/worker target/release/
END
chmod 755 "$WORK/rust/usr/local/bin/cargo"
base rust localhost/tests-debian "$WORK/rust"
cp --recursive .cache/onnxruntime "$WORK/python/build/.cache/"
base python localhost/tests-debian "$WORK/python"
RUST=localhost/tests-rust PYTHON=localhost/tests-python BASE=localhost/tests-debian infra/images/build.sh cpu

VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
CONTAINER=$(buildah from --pull-never "$IMAGE:$VERSION")
buildah inspect --type image "$IMAGE:$VERSION" > "$WORK/image.json"
ROOT=$(buildah mount "$CONTAINER")
python3 tests/images/contained.py "$WORK/image.json" "$ROOT" "$WORK" "${DEMO_CONTENTS:-2}"
buildah umount "$CONTAINER" > /dev/null
echo "the image was built, and its programs worked as its user on a root file system that is read alone" >&2
