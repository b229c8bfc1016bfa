# `make demo` and `make test` are the two commands; the rest are their parts.

.PHONY: bench bench-dashboard bench-dispatch bench-quality bench-scale demo proof test test-demo test-fleet test-gpu test-slurm test-rust test-export test-readers fuzz lint onnxruntime onnxruntime-gpu cuda-stand-in promtool chromium mounts onnx-export readers cargo-fuzz programs build help

CARGO_TEST := $(shell cargo nextest --version > /dev/null 2>&1 && echo "nextest run" || echo "test")
DEVICE := cuda:0
READERS := $(abspath .cache/readers/bin/python)
PYTHON_LINTS := $(abspath onnx-export/.venv/bin)
# How long each fuzz target runs.
FUZZ_SECONDS := 600

help:
	@echo "make demo            convert the example dataset, from a fresh checkout"
	@echo "make proof           does it help? every method on drawn streets: 40 minutes on two cores; goes on if it was ended"
	@echo "make test            every test of the project"
	@echo "make test-fleet      one shard in the hands of 75 workers that stop or die: minutes"
	@echo "make test-gpu        what a GPU computes beside the authors' numbers; CUDA and cuDNN by LD_LIBRARY_PATH"
	@echo "make test-slurm      one run as an array of a real Slurm, whose tasks are cancelled, killed and out of time: minutes"
	@echo "make fuzz            every fuzz target for FUZZ_SECONDS (600) on all cores; not a part of make test"
	@echo "make lint            formatting, lints, types, docs and dependencies, warnings as errors; advisories where their database is reached"
	@echo "make build           the synth2real and worker programs, in target/release"
	@echo "make bench           speed at Stable Diffusion's full width beside plain PyTorch: 20 GB of memory, 12 GB of disk, half an hour"
	@echo "make bench-scale     time and memory of a run of a million items"
	@echo "make bench-dashboard first paint of the dashboard with 250,000 items"
	@echo "make bench-quality   time of SSIM, FID and KID"
	@echo "make bench-dispatch  shards a second through broker and bucket"
	@echo "make onnx-export     the Python environment that exports models"
	@echo "make readers         the Python environment that reads exports back, in .cache/readers"
	@echo "make onnxruntime-gpu ONNX Runtime with CUDA, in .cache/onnxruntime-gpu"

demo: build
	target/release/synth2real run infra/demo/run.toml

# Everything stays in target/proof, so that an ended proof goes on.
proof: build onnx-export
	cd onnx-export && .venv/bin/python -m downstream.proof --work $(abspath target/proof) \
		--program $(abspath target/release/synth2real)

build: onnxruntime
	cargo build --release --locked --package coordinator --package worker
	ln -sf ../../.cache/onnxruntime/libonnxruntime.so target/release/libonnxruntime.so

test: test-rust test-export test-readers

# What a test needs and does not find fails it here; where nothing is promised it is left out, and says so.
test-rust test-export test-readers: export SYNTH2REAL_TESTS_PROMISED = 1

programs:
	cargo build --workspace --locked

test-rust: onnxruntime cuda-stand-in promtool chromium mounts programs
	infra/with-servers.sh cargo $(CARGO_TEST) --workspace --locked
	cargo test --workspace --locked --doc

# One of its tests compares the built program with pytorch-fid.
test-export: onnx-export onnxruntime programs
	cd onnx-export && SYNTH2REAL=$(abspath target/debug/synth2real) \
		ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) .venv/bin/python -m pytest -q

# Exports of the built program are read by the tools that they are for.
test-readers: readers onnxruntime programs
	cd tests/readers && SYNTH2REAL=$(abspath target/debug/synth2real) \
		ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) $(READERS) -m pytest

# New inputs that reach new code stay in tests/fuzz/corpus, what breaks something in tests/fuzz/artifacts.
fuzz: cargo-fuzz
	tests/fuzz/run.sh $(FUZZ_SECONDS)

# Kills the demo at five random moments and resumes it: minutes, so not part of `make test`.
test-demo: onnxruntime
	cargo build --workspace --locked
	cargo test --package tests --test resume --locked -- --ignored --nocapture

# Seventy-five workers that come and go: minutes, so not part of `make test`.
test-fleet: onnxruntime programs
	infra/with-servers.sh cargo test --workspace --locked --test fleet -- --ignored --nocapture

# On a machine with a GPU: the authors' numbers there, and that bytes depend neither on what shares a pass nor on attempts.
test-gpu: onnxruntime-gpu
	cargo build --workspace --locked
	ORT_DYLIB_PATH=$(abspath .cache/onnxruntime-gpu/libonnxruntime.so) SYNTH2REAL_TEST_DEVICE=$(DEVICE) \
		cargo $(CARGO_TEST) --workspace --locked --test goldens --test evaluations --test resume

# Tasks of a Slurm of the test's own that are cancelled, killed and out of time: minutes, so not part of `make test`.
test-slurm: onnxruntime programs
	ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) tests/slurm/run.sh target/debug/synth2real

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

lint: onnx-export readers
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package coordinator --no-default-features --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cd onnx-export && $(PYTHON_LINTS)/ruff check . && $(PYTHON_LINTS)/ruff format --check . && $(PYTHON_LINTS)/mypy
	cd tests/readers && $(PYTHON_LINTS)/ruff check . && $(PYTHON_LINTS)/ruff format --check . && \
		$(PYTHON_LINTS)/mypy --python-executable $(READERS)
	infra/setup/cargo-deny.sh
	.cache/cargo-deny/cargo-deny --locked check licenses bans sources
	infra/setup/advisories.sh

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

# Tests of full and read-only disks, and of disks whose power is cut, mount file systems of their own.
mounts:
	@infra/setup/mounts.sh

cargo-fuzz:
	@infra/setup/cargo-fuzz.sh

onnx-export:
	@infra/setup/onnx-export.sh

readers:
	@infra/setup/readers.sh
