#!/bin/sh
# Lays out a folder of what there is already, linked if it is on the same disk: programs, ONNX Runtime with CUDA, NVIDIA's
# libraries, goldens and what runs them. Programs find their libraries there as they do among Python packages.
#   layout.sh OUT PROGRAMS LIBRARY NVIDIA    folders: the one to make, with the programs, with ONNX Runtime, and `nvidia`
set -eu

if [ $# != 4 ]; then
    echo "usage: $0 OUT PROGRAMS LIBRARY NVIDIA" >&2
    exit 2
fi
OUT=$(realpath "$1") PROGRAMS=$(realpath "$2") LIBRARY=$(realpath "$3") NVIDIA=$(realpath "$4")
cd "$(dirname "$0")/../.."
if [ -e "$OUT" ] && [ ! -x "$OUT/gpu-check.sh" ]; then
    echo "$OUT is there and no bundle: name another folder" >&2
    exit 2
fi
rm -rf "$OUT"

# place FROM TO: links a file, or copies it.
place() {
    mkdir -p "$(dirname "$2")"
    ln "$1" "$2" 2> /dev/null || cp --dereference "$1" "$2"
}

# place_all FOLDER TO: the same with every file below a folder.
place_all() {
    (cd "$1" && find . -type f ! -name '*.pyc') | while read -r NAME; do
        place "$1/$NAME" "$2/$NAME"
    done
}

# The mark of a bundle comes first: one that was not finished is made again.
place infra/gpu-bundle/gpu-check.sh "$OUT/gpu-check.sh"
for PROGRAM in synth2real worker; do place "$PROGRAMS/$PROGRAM" "$OUT/bin/$PROGRAM"; done
PACKAGES=$OUT/lib/python3/site-packages
for FILE in "$LIBRARY"/*.so "$LIBRARY/LICENSE" "$LIBRARY/ThirdPartyNotices.txt"; do
    place "$FILE" "$PACKAGES/onnxruntime/capi/$(basename "$FILE")"
done
place_all "$NVIDIA" "$PACKAGES/nvidia"
place_all tests/fixtures/golden "$OUT/golden"
place_all tests/fixtures/golden-model "$OUT/models/golden-fp32"
mkdir -p "$OUT/recipes"
place_all infra/gpu-bundle/gpu_check "$OUT/gpu_check"
for MODULE in __init__ attention card freeu precision widths; do
    place "onnx-export/baseline/$MODULE.py" "$OUT/pytorch/baseline/$MODULE.py"
done
place LICENSE "$OUT/LICENSE"
