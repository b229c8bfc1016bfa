#!/bin/sh
# Builds the images of what is committed, with buildah, podman or docker, whichever is there first.
#   build.sh [cpu] [cuda]     both without a word
#   IMAGE                     their name; localhost/synth2real without it. Tags are VERSION and VERSION-cuda
#   IMAGE_TOOL                one of the three
#   BASE, RUST, PYTHON        bases in place of those that are pinned
#   NOTICES                   folder whose folders cpu and cuda infra/licences/generate.sh has written, where there is no Rust
set -eu

cd "$(dirname "$0")/../.."
if [ $# = 0 ]; then set -- cpu cuda; fi
for KIND in "$@"; do
    case "$KIND" in
        cpu | cuda) ;;
        *) echo "usage: $0 [cpu] [cuda]" >&2; exit 2 ;;
    esac
done
TOOL=${IMAGE_TOOL:-}
for ONE in buildah podman docker; do
    if [ -z "$TOOL" ] && command -v "$ONE" > /dev/null; then TOOL=$ONE; fi
done
if ! command -v "${TOOL:-buildah}" > /dev/null; then
    echo "none of buildah, podman and docker is installed: install one, or name it in IMAGE_TOOL" >&2
    exit 3
fi
if [ -z "${NOTICES:-}" ]; then
    if ! command -v cargo > /dev/null; then
        echo "licences and bill of materials are made by cargo, which is not installed: install Rust, or name them in NOTICES" >&2
        exit 3
    fi
    # They are those of what is committed.
    if ! git diff --quiet HEAD -- Cargo.lock '*Cargo.toml' infra/licences infra/setup; then
        echo "commit what has changed of Cargo.lock, Cargo.toml, infra/licences and infra/setup: images are of what is committed" >&2
        exit 2
    fi
elif [ ! -d "$NOTICES" ]; then
    echo "NOTICES ($NOTICES) is no folder: infra/licences/generate.sh writes its folders cpu and cuda" >&2
    exit 2
fi
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
REVISION=$(git rev-parse HEAD)
# Of the same commit the same bytes, as far as the tools go.
SOURCE_DATE_EPOCH=$(git show --no-patch --format=%ct HEAD)
export SOURCE_DATE_EPOCH

# No more than what is committed can get into a layer; of that, what programs are not made of is left out.
CONTEXT=$(mktemp -d)
trap 'rm -rf "$CONTEXT"' EXIT
git archive HEAD -- . ':(exclude)infra/demo' ':(exclude)onnx-export' ':(exclude)tests/fixtures' | tar -x -C "$CONTEXT"

# notices KIND: puts licences and a bill of materials beside it, for whoever may read the image.
notices() {
    mkdir -p "$CONTEXT/notices"
    if [ -n "${NOTICES:-}" ]; then
        cp -r "$NOTICES/$1" "$CONTEXT/notices/"
    else
        infra/licences/generate.sh "$CONTEXT/notices/$1" "$1"
    fi
    chmod -R a+rX "$CONTEXT/notices"
}

build() {
    notices "$1"
    FILE=infra/images/Containerfile.$1 TAG=${IMAGE:-localhost/synth2real}:$2
    set -- --build-arg "VERSION=$VERSION" --build-arg "REVISION=$REVISION"
    if [ -n "${BASE:-}" ]; then set -- "$@" --build-arg "BASE=$BASE"; fi
    if [ -n "${RUST:-}" ]; then set -- "$@" --build-arg "RUST=$RUST"; fi
    if [ -n "${PYTHON:-}" ]; then set -- "$@" --build-arg "PYTHON=$PYTHON"; fi
    if [ "$TOOL" != docker ]; then set -- "$@" --format oci --timestamp "$SOURCE_DATE_EPOCH"; fi
    echo "building $TAG with $TOOL" >&2
    "$TOOL" build "$@" --file "$CONTEXT/$FILE" --tag "$TAG" "$CONTEXT"
}

for KIND in "$@"; do
    case "$KIND" in
        cpu) build cpu "$VERSION" ;;
        cuda) build cuda "$VERSION-cuda" ;;
    esac
done
