"""Writes a bill of materials (CycloneDX): the crates in both programs, and libraries beside them.

Usage: bill.py OUT PLATFORM [cpu | cuda], where the last word tells which libraries are shipped with
the programs; SOURCE_DATE_EPOCH is the time that it bears. It has the same bytes of the same commit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = REPOSITORY / "infra/setup"
PROJECT = "synth2real"
# The crates that have the programs.
PROGRAMS = ("coordinator", "worker")
# Of packages, by the first word of their names.
LICENCES = {"onnxruntime": "MIT", "nvidia": "LicenseRef-NVIDIA"}


def main() -> None:
    out, platform, *kind = sys.argv[1:]
    packages = [named for word in kind for named in shipped(word)]
    Path(out).write_text(written(platform, packages, int(os.environ["SOURCE_DATE_EPOCH"])))


def shipped(kind: str) -> list[str]:
    """The packages whose libraries lie beside the programs, as `name==version`."""
    script = (SETUP / "onnxruntime.sh").read_text()
    [version] = re.findall(r"^VERSION=(.+)$", script, re.MULTILINE)
    if kind == "cpu":
        return [f"onnxruntime=={version}"]
    pins = re.findall(r"^([a-z0-9-]+==[^ ]+) ", (SETUP / "cuda.txt").read_text(), re.MULTILINE)
    return [f"onnxruntime-gpu=={version}", *pins]


def written(platform: str, packages: list[str], seconds: int) -> str:
    """The bill as a text that CycloneDX's own schema has accepted."""
    crates = compiled(platform)
    parts = {identity: crate(of) for identity, (of, _) in crates.items()}
    beside = [package(*named.split("==")) for named in packages]
    whole = Component(
        name=PROJECT,
        version=parts[roots(crates)[0]].version,
        type=ComponentType.APPLICATION,
        bom_ref=PROJECT,
        licenses=[licence("MIT")],
    )
    everything = [*parts.values(), *beside]
    made = datetime.fromtimestamp(seconds, UTC)
    told = "\n".join([made.isoformat(), *sorted(str(part.bom_ref) for part in everything)])
    bill = Bom(
        serial_number=uuid5(NAMESPACE_URL, told),
        metadata=BomMetaData(component=whole, timestamp=made),
        components=everything,
    )
    bill.register_dependency(whole, [*(parts[root] for root in roots(crates)), *beside])
    for identity, (_, needed) in crates.items():
        bill.register_dependency(parts[identity], [parts[other] for other in needed])
    text = str(JsonV1Dot6(bill).output_as_string(indent=1)) + "\n"
    if found := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"what was written is no bill of CycloneDX's: {found}")
    return text


def cargo(*words: str) -> str:
    command = ["cargo", *words, "--locked"]
    ended = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}")
    return ended.stdout


def compiled(platform: str) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """The crates that programs are compiled of, each with those that it needs to run."""
    text = cargo("metadata", "--format-version", "1", "--filter-platform", platform)
    metadata = json.loads(text)
    # Features are those of the programs alone there, which turn some crates off.
    chosen = [word for name in PROGRAMS for word in ("--package", name)]
    style = ["--edges", "normal", "--prefix", "none", "--format", "{p}"]
    tree = cargo("tree", *chosen, *style, "--target", platform)
    names = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())
    digests = {(of["name"], of["version"]): of.get("checksum") for of in lock["package"]}
    crates = {
        of["id"]: of | {"checksum": digests[of["name"], of["version"]]}
        for of in metadata["packages"]
        if (of["name"], f"v{of['version']}") in names
    }
    needed = {
        node["id"]: [
            of["pkg"]
            for of in node["deps"]
            if of["pkg"] in crates and any(kind["kind"] is None for kind in of["dep_kinds"])
        ]
        for node in metadata["resolve"]["nodes"]
    }
    return {identity: (of, needed[identity]) for identity, of in crates.items()}


def roots(crates: dict[str, tuple[dict[str, Any], list[str]]]) -> list[str]:
    return [
        key for key, (of, _) in crates.items() if of["source"] is None and of["name"] in PROGRAMS
    ]


def crate(of: dict[str, Any]) -> Component:
    # One of the project's own is on no registry, where another may have its name.
    ours = of["source"] is None
    name, version = of["name"], of["version"]
    digest = of["checksum"]
    return Component(
        name=name,
        group=PROJECT if ours else None,
        version=version,
        bom_ref=f"{PROJECT}/{name}@{version}" if ours else f"crate:{name}@{version}",
        licenses=[licence(expression(of))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
        purl=None if ours else PackageURL("cargo", None, name, version),
    )


def expression(of: dict[str, Any]) -> str:
    """What a crate names as its licence; none is guessed of one that has a text alone."""
    named = of["license"]
    if named is None:
        crate = f"{of['name']} {of['version']}"
        sys.exit(f"{crate} names no licence, only {of['license_file']}: give it a name in bill.py")
    return str(named)


def package(name: str, version: str) -> Component:
    return Component(
        name=name,
        version=version,
        bom_ref=f"package:{name}@{version}",
        licenses=[licence(LICENCES[name.split("-")[0]])],
        purl=PackageURL("pypi", None, name, version),
    )


def licence(told: str) -> License:
    # Older crates have a stroke in the place of a word.
    words = told.replace("/", " OR ").split()
    return LicenseFactory().make_from_string(" ".join(words))


if __name__ == "__main__":
    main()
