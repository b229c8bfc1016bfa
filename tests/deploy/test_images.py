"""The images: what their files promise, and what the script that builds them asks of each tool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rendered import REPOSITORY

IMAGES = REPOSITORY / "infra/images"
FILES = sorted(IMAGES.glob("Containerfile.*"))
SCRIPT = IMAGES / "build.sh"
TOOLS = ["buildah", "podman", "docker"]
DOCUMENTS = "/usr/share/doc/synth2real"
NOTICES = {"THIRD_PARTY.txt", "synth2real.cdx.json"}


def instructions(path: Path) -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line]


def last_stage(path: Path) -> list[tuple[str, str]]:
    found = instructions(path)
    start = max(at for at, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_there_are_two() -> None:
    assert [path.name for path in FILES] == ["Containerfile.cpu", "Containerfile.cuda"]


def test_hadolint_finds_nothing(tools: Path) -> None:
    command = [str(tools / "hadolint"), *map(str, FILES)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_bases_are_pinned_by_digest(path: Path) -> None:
    found = instructions(path)
    bases = dict(text.split("=", 1) for name, text in found if name == "ARG" and "=" in text)
    used = [text.split()[0] for name, text in found if name == "FROM"]
    assert sorted(used) == sorted(f"${{{name}}}" for name in bases)
    for name, base in bases.items():
        assert re.fullmatch(r"[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}", base), name
    # The C library of what is built is that of what runs.
    debian = {re.search(r"bookworm|trixie", base) for base in bases.values()}
    assert {found.group() for found in debian if found} == {"bookworm"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_what_runs_is_not_root_and_process_1_is_a_program(path: Path) -> None:
    stage = last_stage(path)
    names = [name for name, _ in stage]
    assert ("USER", "65532:65532") in stage
    # Nothing is run there, so no tool is needed in it, and nothing secret can be left behind.
    assert "RUN" not in names
    assert "ENTRYPOINT" not in names
    assert ("CMD", '["synth2real", "--help"]') in stage
    for name, text in stage:
        if name == "COPY" and "--chown" in text:
            assert text.endswith("/var/cache/synth2real/")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_it_is_labelled(path: Path) -> None:
    labels = " ".join(text for name, text in last_stage(path) if name == "LABEL")
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_programs_find_onnx_runtime_beside_them(path: Path) -> None:
    copied = [text.split() for name, text in last_stage(path) if name == "COPY"]
    library = [words for words in copied if any("onnxruntime" in word for word in words)]
    programs = [words for words in copied if "/made/bin/" in words]
    assert [words[-1] for words in library] == [words[-1] for words in programs]
    [folder] = {words[-1].rstrip("/") for words in programs}
    environment = " ".join(text for name, text in last_stage(path) if name == "ENV")
    assert f"PATH={folder}:" in environment


def test_every_file_that_is_copied_by_name_is_there() -> None:
    for path in FILES:
        for name, text in instructions(path):
            if name == "COPY" and "--from" not in text:
                for source in text.split()[:-1]:
                    if not source.startswith("notices/"):
                        assert (REPOSITORY / source).exists(), source


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_licences_and_bill_of_materials_lie_where_labels_say(path: Path) -> None:
    stage = last_stage(path)
    kind = path.suffix.removeprefix(".")
    assert ("COPY", f"LICENSE notices/{kind}/ {DOCUMENTS}/") in stage
    labels = " ".join(text for name, text in stage if name == "LABEL")
    assert f'synth2real.licences="{DOCUMENTS}/THIRD_PARTY.txt"' in labels
    assert f'synth2real.bill-of-materials="{DOCUMENTS}/synth2real.cdx.json"' in labels
    # The runtime's own LICENSE comes with its library, and would lie over the project's.
    programs = next(text for name, text in instructions(path) if "cargo build" in text)
    assert "LICENSE" not in programs


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder for tools that write down what is asked of them, and what they are shown."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for word in ("dirname", "git", "tar", "sed", "mktemp", "rm", "mkdir", "cp", "chmod"):
        found = shutil.which(word, path="/usr/bin:/bin")
        assert found, word
        (folder / word).symlink_to(found)
    for kind in ("cpu", "cuda"):
        notices = tmp_path / "notices" / kind
        notices.mkdir(parents=True)
        for name in NOTICES:
            (notices / name).write_text(kind)
    return folder


def stand_in(folder: Path, name: str) -> None:
    tool = folder / name
    tool.write_text(
        "#!/bin/sh\n"
        'for LAST; do :; done\necho "$0 $*" >> "$ASKED"\n'
        '(cd "$LAST" && /usr/bin/find . -type f) >> "$SHOWN"\n'
    )
    tool.chmod(0o755)


def build(folder: Path, *words: str, **variables: str) -> tuple[int, str, list[str], list[str]]:
    asked, shown = folder / "asked", folder / "shown"
    environment = {"PATH": str(folder), "ASKED": str(asked), "SHOWN": str(shown)}
    environment |= {"HOME": os.environ.get("HOME", "/"), "NOTICES": str(folder.parent / "notices")}
    environment |= variables
    ended = subprocess.run(
        ["/bin/sh", str(SCRIPT), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = asked.read_text().splitlines() if asked.exists() else []
    files = shown.read_text().splitlines() if shown.exists() else []
    return ended.returncode, ended.stderr, lines, files


@pytest.mark.parametrize("tool", TOOLS)
def test_whichever_tool_is_there_builds_both(stand_ins: Path, tool: str) -> None:
    stand_in(stand_ins, tool)
    code, told, asked, _ = build(stand_ins)
    assert code == 0, told
    cpu, cuda = asked
    for line, tag, file in (
        (cpu, "localhost/synth2real:0.1.0 ", "Containerfile.cpu "),
        (cuda, "localhost/synth2real:0.1.0-cuda ", "Containerfile.cuda "),
    ):
        assert line.split()[:2] == [str(stand_ins / tool), "build"]
        assert f"--tag {tag}" in line
        assert file in line
        assert "--build-arg VERSION=0.1.0 " in line
        assert re.search(r"--build-arg REVISION=[0-9a-f]{40} ", line)


def test_the_first_tool_is_taken_unless_another_is_named(stand_ins: Path) -> None:
    for tool in TOOLS:
        stand_in(stand_ins, tool)
    _, _, asked, _ = build(stand_ins, "cpu")
    assert Path(asked[0].split()[0]).name == "buildah"
    _, _, asked, _ = build(stand_ins, "cpu", IMAGE_TOOL="docker", IMAGE="registry/s2r", BASE="own")
    assert Path(asked[-1].split()[0]).name == "docker"
    assert "--tag registry/s2r:0.1.0 " in asked[-1]
    assert "--build-arg BASE=own " in asked[-1]


def test_no_more_than_what_is_committed_is_shown_to_a_tool(stand_ins: Path) -> None:
    stand_in(stand_ins, "podman")
    _, _, _, shown = build(stand_ins, "cpu")
    committed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "-z", "HEAD"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    made = {f"./notices/cpu/{name}" for name in NOTICES}
    assert set(shown) >= made
    assert {path.removeprefix("./") for path in set(shown) - made} <= set(committed)
    assert "./Cargo.lock" in shown
    assert not any(path.startswith(("./.git/", "./target/", "./.cache/")) for path in shown)


def test_without_a_tool_it_says_which_there_are(stand_ins: Path) -> None:
    code, told, _, _ = build(stand_ins)
    assert code == 3
    assert told == (
        "none of buildah, podman and docker is installed: install one, or name it in IMAGE_TOOL\n"
    )
    code, told, _, _ = build(stand_ins, "gpu")
    assert code == 2
    assert told.startswith("usage: ")


def test_without_rust_it_says_what_licences_need(stand_ins: Path) -> None:
    stand_in(stand_ins, "podman")
    code, told, asked, _ = build(stand_ins, NOTICES="")
    assert (code, asked) == (3, [])
    assert told == (
        "licences and bill of materials are made by cargo, which is not installed: "
        "install Rust, or name them in NOTICES\n"
    )
