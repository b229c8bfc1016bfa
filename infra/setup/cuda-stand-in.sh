#!/bin/sh
# Makes .cache/cuda-stand-in, libraries that stand in for CUDA's and cuDNN's on a machine without a GPU: see
# tests/cuda/stand_in.c. Programs find them by LD_LIBRARY_PATH; in .cache/cuda-packages-stand-in they are packages as NVIDIA has
# them on PyPI, each a library of its own name, beside a driver.
set -eu

cd "$(dirname "$0")/../.."
if [ "$(uname -m)" != x86_64 ]; then
    echo "CUDA is not tested on $(uname -m): there is no wheel of ONNX Runtime with it" >&2
    exit 0
fi
infra/setup/onnxruntime.sh gpu

SOURCE=tests/cuda
TARGET=.cache/cuda-stand-in
PACKAGES=.cache/cuda-packages-stand-in
STAMP=$TARGET/$(cat "$SOURCE/stand_in.c" "$SOURCE/symbols.map" infra/setup/cuda-stand-in.sh | sha256sum | cut -d " " -f 1)
if [ -f "$STAMP" ]; then exit 0; fi
rm -rf $TARGET $PACKAGES
mkdir -p $TARGET $PACKAGES/driver $PACKAGES/nvidia/cu13/lib $PACKAGES/nvidia/cudnn/lib
compile() {
    cc -shared -fPIC -O1 -Wall -Wextra -Wno-unused-parameter -Werror $SOURCE/stand_in.c \
        -Wl,--version-script=$SOURCE/symbols.map "$@"
}
compile -o $TARGET/libcudart.so.13
for NAME in libcublas.so.13 libcublasLt.so.13 libcuda.so.1 libcudnn.so.9 libcurand.so.10; do
    ln -s libcudart.so.13 $TARGET/$NAME
done
cp $TARGET/libcudart.so.13 $PACKAGES/driver/libcuda.so.1
for NAME in cu13/lib/libcublas.so.13 cu13/lib/libcublasLt.so.13 cu13/lib/libcudart.so.13 cu13/lib/libcurand.so.10 \
    cudnn/lib/libcudnn.so.9; do
    compile -Wl,-soname,"$(basename $NAME)" -o $PACKAGES/nvidia/$NAME
done
touch "$STAMP"
