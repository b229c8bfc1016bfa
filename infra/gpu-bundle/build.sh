#!/bin/sh
# Makes target/gpu-bundle, a folder that needs nothing but a driver of NVIDIA's, of target/release, and its parts, of which none
# has more than 60 MB, in target/gpu-bundle-parts. Needs `make build onnxruntime-gpu onnx-export`, 20 GB of memory and 15 GB of
# disk: models of Stable Diffusion 1.5's size are exported for their graphs.
set -eu

cd "$(dirname "$0")/../.."
if [ "$(uname -m)" != x86_64 ]; then
    echo "there is no wheel of ONNX Runtime with CUDA for $(uname -m)" >&2
    exit 3
fi
OUT=target/gpu-bundle
MADE=.cache/gpu-bundle
mkdir -p "$MADE"
WORK=$(mktemp -d target/gpu-bundle-XXXXXX)
trap 'rm -rf "$WORK"' EXIT
PYTHON=$PWD/onnx-export/.venv/bin/python

# export_model CHECKPOINT OUT WIDTH HEIGHT DTYPE
export_model() {
    CHECKPOINT=$(realpath "$1") MODEL=$(realpath "$2")
    (cd onnx-export && "$PYTHON" -m onnx_export "$CHECKPOINT" --out "$MODEL" --width "$3" --height "$4" --dtype "$5" \
        --weights "$5" --prompt-embedding "$CHECKPOINT/prompt_embedding.npy")
}

# make_checkpoint OUT WIDTH
make_checkpoint() {
    CHECKPOINT=$(realpath "$1")
    (cd onnx-export && "$PYTHON" -m baseline.checkpoint --width "$2" --out "$CHECKPOINT")
}

# What depends on the exporters alone stays in .cache until these change.
STAMP=$MADE/models-$(git ls-files -s onnx-export/onnx_export onnx-export/baseline onnx-export/requirements.txt \
    infra/gpu-bundle/gpu_check | sha256sum | cut -c 1-16)
if [ ! -d "$STAMP" ]; then
    rm -rf "$MADE"/models-*
    mkdir -p "$WORK/models/recipes" "$WORK/models/models"
    make_checkpoint "$WORK/golden" golden
    export_model "$WORK/golden" "$WORK/models/models/golden-fp16" 256 128 fp16
    make_checkpoint "$WORK/full" full
    for DTYPE in fp16 fp32; do
        export_model "$WORK/full" "$WORK/sd15" 1024 512 "$DTYPE"
        PYTHONPATH=infra/gpu-bundle "$PYTHON" -m gpu_check.recipe "$WORK/sd15" "$WORK/models/recipes/sd15-1024x512-$DTYPE"
        rm -rf "$WORK/sd15"
    done
    mv "$WORK/models" "$STAMP"
    rm -rf "$WORK/full"
fi

NVIDIA=$MADE/nvidia-$(sha256sum infra/setup/cuda.txt | cut -c 1-16)
if [ ! -d "$NVIDIA" ]; then
    rm -rf "$MADE"/nvidia-*
    echo "downloading NVIDIA's libraries (some 2.5 GB)"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --no-cache-dir --target "$WORK/cuda" --requirement infra/setup/cuda.txt
    for LICENCES in "$WORK"/cuda/*.dist-info/licenses; do
        mkdir -p "$WORK/cuda/nvidia/licences"
        cp -r "$LICENCES" "$WORK/cuda/nvidia/licences/$(basename "$(dirname "$LICENCES")" .dist-info)"
    done
    # Programs are built with these, and run without.
    find "$WORK/cuda/nvidia" -type d -name include -prune -exec rm -rf {} +
    find "$WORK/cuda/nvidia" -name '*.a' -delete
    mv "$WORK/cuda/nvidia" "$NVIDIA"
fi

mkdir "$WORK/programs"
for PROGRAM in synth2real worker; do strip --strip-all -o "$WORK/programs/$PROGRAM" "target/release/$PROGRAM"; done
infra/gpu-bundle/layout.sh "$OUT" "$WORK/programs" .cache/onnxruntime-gpu "$NVIDIA"
cp -r "$STAMP/." "$OUT/"
infra/gpu-bundle/python.sh "$OUT/python"
infra/licences/generate.sh "$OUT" cuda
du -sh "$OUT"
infra/gpu-bundle/parts.sh "$OUT" target/gpu-bundle-parts
