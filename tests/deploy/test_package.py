"""The Debian package: what its description says goes where, before anything is built."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import units
from rendered import REPOSITORY

CRATE = REPOSITORY / "coordinator"
# What is downloaded, compiled or written by the programs.
MADE = ("../.cache/", "target/")


@pytest.fixture(scope="module")
def package() -> dict[str, Any]:
    manifest = tomllib.loads((CRATE / "Cargo.toml").read_text())
    description: dict[str, Any] = manifest["package"]["metadata"]["deb"]
    return description


def files(package: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Source, place and mode of each file."""
    return [tuple(asset) for asset in package["assets"] if isinstance(asset, list)]


def test_every_file_that_is_not_made_is_there(package: dict[str, Any]) -> None:
    for source, *_ in files(package):
        if not source.startswith(MADE):
            assert list(CRATE.glob(source)) or (CRATE / source).is_file(), source
    for name in ("changelog", "maintainer-scripts"):
        assert (CRATE / package[name]).exists()


def test_what_is_made_is_what_the_script_makes(package: dict[str, Any]) -> None:
    script = (REPOSITORY / "infra/deb/build.sh").read_text()
    [made] = re.findall(r"^MADE=(.+)$", script, re.MULTILINE)
    sources = [source for source, *_ in files(package) if source.startswith(f"../{made}/")]
    names = {source.removeprefix(f"../{made}/").split("/")[0] for source in sources}
    assert names == {"man", "completions", "notices", "demo"}
    for name in names:
        assert f"$MADE/{name}" in script, name


def test_links_lead_to_the_programs_that_units_start(package: dict[str, Any]) -> None:
    links = {
        f"/{asset['dest']}": (Path("/") / asset["dest"]).parent / asset["link_name"]
        for asset in package["assets"]
        if isinstance(asset, dict)
    }
    [share] = set(links) - set(units.PROGRAMS)
    assert share == "/usr/lib/synth2real/share"
    assert links[share].as_posix() == "/usr/lib/synth2real/../../share"
    places = [(source, f"/{place}") for source, place, _ in files(package)]
    folders = set()
    for link, name in units.PROGRAMS.items():
        target = Path(links[link].as_posix().replace("/usr/bin/../", "/usr/"))
        assert (f"target/release/{name}", f"{target.parent}/") in places
        assert target.name == name
        folders.add(target.parent)
    # Where they look for the library.
    [folder] = folders
    [library] = [place for source, place in places if source.endswith("/libonnxruntime.so")]
    assert library == f"{folder.parent}/lib/"


def test_units_examples_and_the_user_are_where_systemd_and_people_look(
    package: dict[str, Any],
) -> None:
    places = {source: (place, mode) for source, place, mode in files(package)}
    for unit in units.DROP_INS:
        assert places[f"../infra/systemd/{unit.name}"] == ("usr/lib/systemd/system/", "644")
    assert places["../infra/systemd/environment"] == ("etc/synth2real/", "600")
    assert places["../infra/systemd/examples/*"][0] == "usr/share/doc/synth2real/examples/"
    assert places["../infra/deb/synth2real.conf"][0] == "usr/lib/sysusers.d/"
    users = re.findall(r"^u (\S+)", (REPOSITORY / "infra/deb/synth2real.conf").read_text(), re.M)
    for unit in units.DROP_INS:
        assert units.values(unit, "User") == users
    # Nobody wants them at work before there are settings.
    assert package["systemd-units"] == {"enable": False, "start": False}


def test_its_version_is_that_of_the_project(package: dict[str, Any]) -> None:
    workspace = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]
    version = f"{workspace['version']}-{package['revision']}"
    first = (CRATE / package["changelog"]).read_text().splitlines()[0]
    assert first.startswith(f"{package['name']} ({version}) ")
    told = (REPOSITORY / "infra/deb/README.md").read_text()
    assert f"synth2real_{version}_amd64.deb" in told


def test_its_licence_is_that_of_the_project() -> None:
    def words(text: str) -> list[str]:
        return [word for word in text.split() if word != "."]

    licence = (REPOSITORY / "LICENSE").read_text()
    copied = (REPOSITORY / "infra/deb/copyright").read_text().split("\nLicense: MIT\n")[-1]
    assert words(copied) == words(licence[licence.index("Permission is") :])
    assert (
        "Copyright: 2026 the synth2real authors" in (REPOSITORY / "infra/deb/copyright").read_text()
    )
    assert "Copyright (c) 2026 the synth2real authors" in licence
