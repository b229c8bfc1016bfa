# `make demo` and `make test` are the two commands; the rest are their parts.

.PHONY: bench bench-baselines bench-busy bench-dashboard bench-dispatch bench-export bench-quality bench-scale deb demo gpu-bundle gpu-kernels methods proof test test-deb test-demo test-deploy test-fleet test-gpu test-images test-slurm test-wheel test-rust test-export test-readers fuzz lint onnxruntime onnxruntime-gpu cuda-stand-in promtool chromium mounts onnx-export readers deploy rival images cargo-fuzz programs build wheel help

CARGO_TEST := $(shell cargo nextest --version > /dev/null 2>&1 && echo "nextest run" || echo "test")
DEVICE := cuda:0
READERS := $(abspath .cache/readers/bin/python)
DEPLOY := $(abspath .cache/deploy/bin/python)
PYTHON_LINTS := $(abspath onnx-export/.venv/bin)
# How long each fuzz target runs.
FUZZ_SECONDS := 600

help:
	@echo "make demo            convert the example dataset, from a fresh checkout"
	@echo "make methods         every method on the example dataset, side by side, with its figures"
	@echo "make proof           does it help? every method on drawn streets: 40 minutes on two cores; goes on if it was ended"
	@echo "make test            every test of the project"
	@echo "make test-fleet      one shard in the hands of 75 workers that stop or die: minutes"
	@echo "make test-gpu        what a GPU computes beside the authors' numbers; CUDA and cuDNN by LD_LIBRARY_PATH"
	@echo "make test-slurm      one run as an array of a real Slurm, whose tasks are cancelled, killed and out of time: minutes"
	@echo "make test-deploy     chart, compose file, images and units by their schemas, and their programs as processes"
	@echo "make test-wheel      installs the wheel where nothing else is, and runs the demo, a resume and an audit there: minutes"
	@echo "make test-deb        lintian on the Debian package, which a Debian made by debootstrap installs and purges: minutes"
	@echo "make test-images     the CPU image on a Debian made by debootstrap: demo, drain and resume in it, as root: minutes"
	@echo "make fuzz            every fuzz target for FUZZ_SECONDS (600) on all cores; not a part of make test"
	@echo "make lint            formatting, lints, types, docs and dependencies, warnings as errors; advisories where their database is reached"
	@echo "make build           the synth2real and worker programs, in target/release"
	@echo "make wheel           both programs and the demo as a Python package, in target/wheels"
	@echo "make bench           speed at Stable Diffusion's full width beside plain PyTorch and OpenVINO: 20 GB of memory, 12 GB of disk, 40 minutes"
	@echo "make bench-baselines milliseconds an image of the methods without a model, at 1024x512"
	@echo "make bench-busy      processor seconds of a conversion beside a busy process"
	@echo "make bench-scale     time and memory of a run of a million items"
	@echo "make bench-export    time and memory of exports of 250,000 items, in every layout"
	@echo "make bench-dashboard first paint of the dashboard with 250,000 items"
	@echo "make bench-quality   time of SSIM, FID and KID"
	@echo "make bench-dispatch  shards a second through broker and bucket"
	@echo "make onnx-export     the Python environment that exports models"
	@echo "make deb             a Debian package of both programs, in target/debian"
	@echo "make gpu-bundle      one folder that says on a machine with a GPU whether all is right there: 15 GB of disk, minutes"
	@echo "make gpu-kernels     compiles the kernels for GPUs anew, which are kept in worker/engine/gpu-kernels: no GPU, half an hour"
	@echo "make images          container images of what is committed, with buildah, podman or docker"
	@echo "make readers         the Python environment that reads exports back, in .cache/readers"
	@echo "make onnxruntime-gpu ONNX Runtime with CUDA, in .cache/onnxruntime-gpu"

# Two of the contents are also converted by other methods, without the labels of styles, and the contact sheet has them beneath.
demo: build
	target/release/synth2real run infra/demo/run.toml
	target/release/synth2real compare infra/demo/run.toml --contact-sheet --contents 2 --styles 3 \
		--vary method=ast,reinhard --vary use_labels=false

# Every method on the demo, each with the styles' labels and without them where it works by class.
methods: build
	target/release/synth2real compare infra/demo/run.toml --contents 12 --styles 3 \
		--vary method=identity,reinhard,histogram,fda,adain,cross-image,cacti,cactif,ast --vary use_labels=true,false

# Everything stays in target/proof, so that an ended proof goes on.
proof: build onnx-export
	cd onnx-export && .venv/bin/python -m downstream.proof --work $(abspath target/proof) \
		--program $(abspath target/release/synth2real)

build: onnxruntime
	cargo build --release --locked --package coordinator --package worker
	ln -sf ../../.cache/onnxruntime/libonnxruntime.so target/release/libonnxruntime.so

wheel:
	@infra/wheel/build.sh

test: test-rust test-export test-readers test-deploy

# What a test needs and does not find fails it here; where nothing is promised it is left out, and says so.
test-rust test-export test-readers test-deploy: export SYNTH2REAL_TESTS_PROMISED = 1

programs:
	cargo build --workspace --locked

test-rust: onnxruntime cuda-stand-in promtool chromium mounts programs
	infra/with-servers.sh cargo $(CARGO_TEST) --workspace --locked
	cargo test --workspace --locked --doc

# Some of its tests run the built program: one compares it with pytorch-fid, others look at what it takes of a GPU.
test-export: onnx-export onnxruntime cuda-stand-in programs
	cd onnx-export && SYNTH2REAL=$(abspath target/debug/synth2real) \
		ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) .venv/bin/python -m pytest -q

# Exports of the built program are read by the tools that they are for.
test-readers: readers onnxruntime programs
	cd tests/readers && SYNTH2REAL=$(abspath target/debug/synth2real) \
		ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) $(READERS) -m pytest

# Chart, compose file and images by the schemas that are published for them, units by systemd itself, and the programs of the
# compose file, the units and the bundle for a GPU as processes.
test-deploy: deploy onnxruntime cuda-stand-in promtool programs
	cd tests/deploy && PROGRAMS=$(abspath target/debug) \
		ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) \
		$(abspath infra/with-servers.sh) $(DEPLOY) -m pytest

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
		cargo $(CARGO_TEST) --workspace --locked --test goldens --test goldens_ast --test evaluations --test resume

# Tasks of a Slurm of the test's own that are cancelled, killed and out of time: minutes, so not part of `make test`.
test-slurm: onnxruntime programs
	ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) tests/slurm/run.sh target/debug/synth2real

# The wheel in an environment of its own, with nothing else on the PATH: minutes, so not part of `make test`.
test-wheel: wheel
	infra/wheel/test.sh target/wheels/synth2real-*.whl

# A Debian of debootstrap's installs the package, uses it and purges it: minutes, so not part of `make test`.
test-deb: deb
	infra/with-servers.sh tests/deb/run.sh

# The CPU image is built on a Debian of debootstrap's and worked in as its user: minutes, so not part of `make test`.
test-images: build
	infra/with-servers.sh tests/images/run.sh target/release

# The model is made from seeded random numbers and stays in target/bench.
bench: onnxruntime onnx-export rival
	cargo build --release --locked --workspace --bins
	ORT_DYLIB_PATH=$(abspath .cache/onnxruntime/libonnxruntime.so) \
		cargo bench --workspace --bench speed --locked

bench-baselines:
	cargo bench --package tests --bench baselines --locked

# Processor seconds beside a busy process, over those alone.
bench-busy: onnxruntime
	cargo build --release --locked --workspace --bins
	cargo bench --package tests --bench busy --locked

# Time and memory of a run of a million items, and shards a second through broker and bucket.
bench-scale:
	cargo bench --package tests --bench scale --locked

# Exports of a run of 250,000 items, in every layout.
bench-export:
	cargo bench --package tests --bench export --locked

bench-quality:
	cargo bench --package tests --bench quality --locked

bench-dashboard: chromium
	cargo build --release --locked --workspace --bins
	infra/with-servers.sh cargo bench --package tests --bench dashboard --locked

bench-dispatch:
	infra/with-servers.sh cargo bench --package tests --bench dispatch --locked

lint: onnx-export readers deploy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package coordinator --no-default-features --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cd onnx-export && $(PYTHON_LINTS)/ruff check . && $(PYTHON_LINTS)/ruff format --check . && $(PYTHON_LINTS)/mypy
	cd tests/readers && $(PYTHON_LINTS)/ruff check . && $(PYTHON_LINTS)/ruff format --check . && \
		$(PYTHON_LINTS)/mypy --python-executable $(READERS)
	cd tests/deploy && $(PYTHON_LINTS)/ruff check . && $(PYTHON_LINTS)/ruff format --check . && \
		$(PYTHON_LINTS)/mypy --python-executable $(DEPLOY)
	$(PYTHON_LINTS)/ruff check --config tests/deploy/pyproject.toml tests/images infra/gpu-bundle infra/licences && \
		$(PYTHON_LINTS)/ruff format --config tests/deploy/pyproject.toml --check tests/images infra/gpu-bundle infra/licences && \
		$(PYTHON_LINTS)/mypy --strict tests/images
	cd infra/gpu-bundle && $(PYTHON_LINTS)/mypy --strict gpu_check
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

# What `make bench` is compared with, and nothing else needs.
rival:
	@infra/setup/rival.sh

deploy:
	@infra/setup/deploy.sh

images:
	@infra/images/build.sh

# What is compiled is kept: those who build the programs have no compiler for it. Its bytes are the same each time.
gpu-kernels: onnx-export
	cd onnx-export && .venv/bin/python -W ignore -m gpu_kernels --out $(abspath worker/engine/gpu-kernels)

# Models of full width are exported for their graphs; it is for another machine, and needs no GPU here.
gpu-bundle: build onnxruntime-gpu onnx-export
	@infra/gpu-bundle/build.sh

deb: build
	@infra/deb/build.sh
