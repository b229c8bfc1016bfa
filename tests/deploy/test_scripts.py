"""The scripts of the shell, as ShellCheck reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rendered import REPOSITORY

# Those without an ending tell their shell in the first line.
SCRIPTS = ["*.sh", "*.sbatch", ".ci/run", "infra/deb/scripts/*"]


def test_shellcheck_finds_nothing(tools: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *SCRIPTS],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    files = [name for name in listed if name]
    assert len(files) > 40, files
    command = [str(tools / "shellcheck"), "--external-sources", "--severity=warning", *files]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
