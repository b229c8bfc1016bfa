"""The units of systemd as they are read, and the drop-ins that are examples."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from rendered import REPOSITORY

FOLDER = REPOSITORY / "infra/systemd"
SERVE = FOLDER / "synth2real-serve.service"
WORKER = FOLDER / "synth2real-worker@.service"
ENVIRONMENT = FOLDER / "environment"
# Which examples README.md names for which unit.
DROP_INS = {
    SERVE: ["folders.conf", "credentials.conf", "token.conf"],
    WORKER: ["gpu.conf", "folders.conf", "credentials.conf"],
}
# What the package calls the programs, and what they are called where they are built.
PROGRAMS = {"/usr/bin/synth2real": "synth2real", "/usr/bin/synth2real-worker": "worker"}
# What the units ask for that every system has.
TARGETS = ("sysinit", "basic", "shutdown", "network-online", "remote-fs", "multi-user")


def examples(unit: Path) -> list[Path]:
    return [FOLDER / "examples" / name for name in DROP_INS[unit]]


def values(path: Path, key: str) -> list[str]:
    """What a key is set to, in the order of the file."""
    return re.findall(rf"^{key}=(.*)$", path.read_text(), re.MULTILINE)


def commands(path: Path) -> list[list[str]]:
    return [value.split() for value in values(path, "ExecStart") if value]


def variables(path: Path) -> dict[str, str]:
    pairs = [pair for value in values(path, "Environment") for pair in value.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def expanded(text: str, instance: str, folder: Path) -> str:
    """Text with the specifiers of a unit that has its folders below another one."""
    places = {"%i": instance, "%S": folder / "lib", "%C": folder / "cache", "%d": folder / "run"}
    for specifier, place in places.items():
        text = text.replace(specifier, str(place))
    assert "%" not in text, text
    return text


def installed(folder: Path, drop_ins: Iterable[str]) -> Path:
    """A root file system that has both units, the programs by name, and some of the drop-ins."""
    units = folder / "usr/lib/systemd/system"
    programs = folder / "usr/bin"
    for place in (units, programs):
        place.mkdir(parents=True)
    for name in PROGRAMS:
        program = folder / name.lstrip("/")
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    for target in TARGETS:
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    for unit in DROP_INS:
        (units / unit.name).write_text(unit.read_text())
        own = folder / "etc/systemd/system" / f"{unit.name}.d"
        own.mkdir(parents=True)
        for example in examples(unit):
            if example.name in drop_ins:
                (own / example.name).write_text(example.read_text())
    return folder


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
