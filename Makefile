# `make demo` and `make test` are the two commands; the rest are their parts.

.PHONY: bench bench-dashboard bench-dispatch bench-quality bench-scale demo test test-demo test-gpu test-rust test-export lint onnxruntime onnxruntime-gpu cuda-stand-in promtool chromium onnx-export build help

CARGO_TEST := $(shell cargo nextest --version > /dev/null 2>&1 && echo "nextest run" || echo "test")
DEVICE := cuda:0

help:
	@echo "make demo            convert the example dataset, from a fresh checkout"
	@echo "make test            every test of the project"
	@echo "make test-gpu        what a GPU computes beside the authors' numbers; CUDA and cuDNN by LD_LIBRARY_PATH"
	@echo "make lint            formatting, lints, docs and dependencies, warnings as errors"
	@echo "make build           the synth2real and worker programs, in target/release"
	@echo "make bench           speed at Stable Diffusion's full width beside plain PyTorch: 20 GB of memory, 12 GB of disk, half an hour"
	@echo "make bench-scale     time and memory of a run of a million items"
	@echo "make bench-dashboard first paint of the dashboard with 250,000 items"
	@echo "make bench-quality   time of SSIM, FID and KID"
	@echo "make bench-dispatch  shards a second through broker and bucket"
	@echo "make onnx-export     the Python environment that exports models"
	@echo "make onnxruntime-gpu ONNX Runtime with CUDA, in .cache/onnxruntime-gpu"

demo: build
	target/release/synth2real run infra/demo/run.toml

build: onnxruntime
	cargo build --release --locked --package coordinator --package worker
	ln -sf ../../.cache/onnxruntime/libonnxruntime.so target/release/libonnxruntime.so

test: test-rust test-export

test-rust: onnxruntime cuda-stand-in promtool chromium
	cargo build --workspace --locked
	infra/with-servers.sh cargo $(CARGO_TEST) --workspace --locked
	cargo test --workspace --locked --doc

# One of its tests compares the built program with pytorch-fid; without the program it is left out.
test-export: onnx-export onnxruntime
	cd onnx-export && SYNTH2REAL=$(abspath $(wildcard target/debug/synth2real)) \
		ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) .venv/bin/python -m pytest -q

# Kills the demo at five random moments and resumes it: minutes, so not part of `make test`.
test-demo: onnxruntime
	cargo build --workspace --locked
	cargo test --package tests --test resume --locked -- --ignored --nocapture

# On a machine with a GPU: the authors' numbers there, and that bytes depend neither on what shares a pass nor on attempts.
test-gpu: onnxruntime-gpu
	cargo build --workspace --locked
	ORT_DYLIB_PATH=$(abspath .cache/onnxruntime-gpu/libonnxruntime.so) SYNTH2REAL_TEST_DEVICE=$(DEVICE) \
		cargo $(CARGO_TEST) --workspace --locked --test goldens --test evaluations --test resume

# The model is made from seeded random numbers and stays in target/bench.
bench: onnxruntime onnx-export
	cargo build --release --locked --workspace --bins
	ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) \
		cargo bench --workspace --bench speed --locked

# Time and memory of a run of a million items, and shards a second through broker and bucket.
bench-scale:
	cargo bench --package tests --bench scale --locked

bench-quality:
	cargo bench --package tests --bench quality --locked

bench-dashboard: chromium
	cargo build --release --locked --workspace --bins
	infra/with-servers.sh cargo bench --package tests --bench dashboard --locked

bench-dispatch:
	infra/with-servers.sh cargo bench --package tests --bench dispatch --locked

lint: onnx-export
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cd onnx-export && .venv/bin/ruff check . && .venv/bin/ruff format --check .
	infra/setup/cargo-deny.sh
	.cache/cargo-deny/cargo-deny --locked check licenses bans sources

onnxruntime:
	@infra/setup/onnxruntime.sh

onnxruntime-gpu:
	@infra/setup/onnxruntime.sh gpu

# What the tests of CUDA run on: no GPU, but all that ONNX Runtime asks of one.
cuda-stand-in:
	@infra/setup/cuda-stand-in.sh

promtool:
	@infra/setup/prometheus.sh

chromium:
	@infra/setup/chromium.sh install > /dev/null

onnx-export:
	@infra/setup/onnx-export.sh
