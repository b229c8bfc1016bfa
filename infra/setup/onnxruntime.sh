#!/bin/sh
# Puts ONNX Runtime's shared libraries into .cache/onnxruntime, out of its PyPI wheel, checked by SHA-256. With the word
# gpu, those that have CUDA's provider, into .cache/onnxruntime-gpu.
set -eu

VERSION=1.31.0
MACHINE=$(uname -m)
case "${1:-cpu}" in
    cpu) PACKAGE=onnxruntime ;;
    gpu) PACKAGE=onnxruntime-gpu ;;
    *) echo "usage: $0 [cpu|gpu]" >&2; exit 2 ;;
esac
case "$PACKAGE-$MACHINE" in
    onnxruntime-x86_64) SHA256=d4092b78fc5bab77ce6522393098cdb2535423045ecdcff15cc0d022162d6b66 ;;
    onnxruntime-aarch64) SHA256=37c7dfe398550afdf9670a29315dbb88e49d8afc473ffaf1f410376efbb9c80a ;;
    onnxruntime-gpu-x86_64) SHA256=f9a79e13492ce69cf58d7b97a7639bf407c8a4db291d9f6125131eac1d5758b9 ;;
    *) echo "no wheel of $PACKAGE is pinned for $MACHINE; set ORT_DYLIB_PATH to a libonnxruntime.so" >&2; exit 3 ;;
esac

cd "$(dirname "$0")/../.."
TARGET=.cache/$PACKAGE
if [ -f "$TARGET/$SHA256" ]; then exit 0; fi

if ! command -v python3 > /dev/null || ! python3 -m pip --version > /dev/null 2>&1; then
    echo "python3 with pip is needed to download ONNX Runtime: apt-get install python3-pip" >&2
    exit 3
fi
echo "downloading $PACKAGE $VERSION"
mkdir -p .cache
WORK=$(mktemp -d ".cache/$PACKAGE-XXXXXX")
trap 'rm -rf "$WORK"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --implementation cp --python-version 311 --platform "manylinux_2_28_$MACHINE" \
    --dest "$WORK" "$PACKAGE==$VERSION"
WHEEL=$(echo "$WORK"/onnxruntime*.whl)
if ! echo "$SHA256  $WHEEL" | sha256sum --check --quiet; then
    echo "$(basename "$WHEEL") is not the wheel that is pinned: expected SHA-256 $SHA256" >&2
    exit 3
fi
mkdir "$WORK/library"
python3 - "$WHEEL" "$WORK/library" <<'PYTHON'
import pathlib, shutil, sys, zipfile

wheel, target = sys.argv[1], pathlib.Path(sys.argv[2])
# A provider is looked for beside the library by its own name. That of TensorRT is not used.
wanted = {"LICENSE", "ThirdPartyNotices.txt", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"}
with zipfile.ZipFile(wheel) as archive:
    for member in archive.namelist():
        name = pathlib.Path(member).name
        if name.startswith("libonnxruntime.so"):
            name = "libonnxruntime.so"
        elif name not in wanted:
            continue
        with archive.open(member) as packed, (target / name).open("wb") as file:
            shutil.copyfileobj(packed, file)
PYTHON
test -s "$WORK/library/libonnxruntime.so"
touch "$WORK/library/$SHA256"
rm -rf "$TARGET"
mv "$WORK/library" "$TARGET"
