"""Licences and bill of materials: what is told of the programs, and where it goes with them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import bill as maker
import pytest
from cyclonedx.model.bom import Bom

import bills
from rendered import REPOSITORY

SCRIPT = REPOSITORY / "infra/licences/bill.py"
SECONDS = 1_790_000_000
PACKAGE = "synth2real.cdx.json"


@pytest.fixture(scope="module")
def platform() -> str:
    command = ["rustc", "--version", "--verbose"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    [host] = re.findall(r"^host: (.+)$", said, re.MULTILINE)
    return str(host)


@pytest.fixture(scope="module")
def text(platform: str) -> str:
    return maker.written(platform, maker.shipped("cpu"), SECONDS)


@pytest.fixture(scope="module")
def bill(text: str) -> Bom:
    return bills.read(text)


def test_a_bill_has_every_crate_of_the_programs_with_its_digest_and_licence(
    bill: Bom, platform: str
) -> None:
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())["package"]
    locked = {(of["name"], of["version"]): of.get("checksum") for of in lock}
    words = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none"]
    words += ["--package", "coordinator", "--package", "worker", "--target", platform]
    tree = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    wanted = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    crates = [part for part in bill.components if not (part.purl and part.purl.type == "pypi")]
    assert {(part.name, f"v{part.version}") for part in crates} == wanted
    for part in crates:
        digests = [digest.content for digest in part.hashes]
        checksum = locked[part.name, str(part.version)]
        assert digests == ([checksum] if checksum else []), part.name
        assert len(part.licenses) == 1, part.name
        # The names of ours are those of others at crates.io.
        assert (part.purl is None) == (checksum is None) == (part.group == "synth2real"), part.name


def test_all_that_is_in_a_bill_is_there_because_the_project_needs_it(bill: Bom) -> None:
    needed = {
        of.ref.value: {other.ref.value for other in of.dependencies} for of in bill.dependencies
    }
    assert bill.metadata.component
    reached: set[str | None] = set()
    waiting = [bill.metadata.component.bom_ref.value]
    while waiting:
        part = waiting.pop()
        if part not in reached:
            reached.add(part)
            waiting += needed[part]
    assert reached == set(needed)


def test_a_bill_of_one_commit_has_the_same_bytes_and_nothing_of_the_machine(
    text: str, platform: str, tmp_path: Path
) -> None:
    out = tmp_path / "bill"
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(SECONDS), "PYTHONHASHSEED": "12"}
    command = [sys.executable, str(SCRIPT), str(out), platform, "cpu"]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    assert out.read_text() == text
    for place in (str(REPOSITORY), str(Path.home()), "path+file"):
        assert place not in text


def test_libraries_that_are_shipped_are_those_that_are_pinned(bill: Bom) -> None:
    script = (REPOSITORY / "infra/setup/onnxruntime.sh").read_text()
    [version] = re.findall(r"^VERSION=(.+)$", script, re.MULTILINE)
    assert bills.packages(bill) == {"onnxruntime": version}
    cuda = dict(of.split("==") for of in maker.shipped("cuda"))
    assert cuda.pop("onnxruntime-gpu") == version
    pinned = (REPOSITORY / "infra/setup/cuda.txt").read_text()
    assert cuda == dict(re.findall(r"^([a-z0-9-]+)==(\S+)", pinned, re.MULTILINE))
    assert "nvidia-cudnn-cu13" in cuda


def test_both_go_into_wheel_package_images_and_bundle() -> None:
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert "target/wheel/THIRD_PARTY.txt" in wheel["project"]["license-files"]
    told = wheel["tool"]["maturin"]["sbom"]
    assert told == {"rust": False, "include": [f"target/wheel/{PACKAGE}"]}
    for script, asked in (
        ("wheel/build.sh", "generate.sh target/wheel\n"),
        ("deb/build.sh", 'generate.sh "$MADE/notices" cpu\n'),
        ("gpu-bundle/build.sh", 'generate.sh "$OUT" cuda\n'),
        ("images/build.sh", 'generate.sh "$CONTEXT/notices/$1" "$1"\n'),
    ):
        assert f"infra/licences/{asked}" in (REPOSITORY / "infra" / script).read_text(), script
    generate = (REPOSITORY / "infra/licences/generate.sh").read_text()
    for name in ("THIRD_PARTY.txt", PACKAGE):
        assert f'"$FOLDER/{name}"' in generate
