#!/bin/sh
# Puts ONNX Runtime's shared library into .cache/onnxruntime, out of its PyPI wheel, checked by SHA-256.
set -eu

VERSION=1.31.0
case "$(uname -m)" in
    x86_64) SHA256=d4092b78fc5bab77ce6522393098cdb2535423045ecdcff15cc0d022162d6b66 ;;
    aarch64) SHA256=37c7dfe398550afdf9670a29315dbb88e49d8afc473ffaf1f410376efbb9c80a ;;
    *) echo "no ONNX Runtime wheel is pinned for $(uname -m); set ORT_DYLIB_PATH to a libonnxruntime.so" >&2; exit 3 ;;
esac
PLATFORM="manylinux_2_28_$(uname -m)"

cd "$(dirname "$0")/../.."
TARGET=.cache/onnxruntime
if [ -f "$TARGET/$SHA256" ]; then exit 0; fi

if ! command -v python3 > /dev/null || ! python3 -m pip --version > /dev/null 2>&1; then
    echo "python3 with pip is needed to download ONNX Runtime: apt-get install python3-pip" >&2
    exit 3
fi
echo "downloading ONNX Runtime $VERSION"
mkdir -p .cache
WORK=$(mktemp -d .cache/onnxruntime-XXXXXX)
trap 'rm -rf "$WORK"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --implementation cp --python-version 311 --platform "$PLATFORM" \
    --dest "$WORK" "onnxruntime==$VERSION"
WHEEL=$(echo "$WORK"/onnxruntime-*.whl)
if ! echo "$SHA256  $WHEEL" | sha256sum --check --quiet; then
    echo "$(basename "$WHEEL") is not the wheel that is pinned: expected SHA-256 $SHA256" >&2
    exit 3
fi
mkdir "$WORK/library"
python3 - "$WHEEL" "$WORK/library" <<'PYTHON'
import pathlib, sys, zipfile

wheel, target = sys.argv[1], pathlib.Path(sys.argv[2])
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if "libonnxruntime.so" in name:
            (target / "libonnxruntime.so").write_bytes(archive.read(name))
        elif name.endswith(("LICENSE", "ThirdPartyNotices.txt")):
            (target / pathlib.Path(name).name).write_bytes(archive.read(name))
PYTHON
test -s "$WORK/library/libonnxruntime.so"
touch "$WORK/library/$SHA256"
rm -rf "$TARGET"
mv "$WORK/library" "$TARGET"
