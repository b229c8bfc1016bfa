"""What processes of tests write and answer, waited for."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# On a busy machine.
PATIENCE = 120


def wait_for(pattern: str, log: Path, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = re.search(pattern, log.read_text())
        if found:
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {log.read_text()}")


def get(url: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""


def wait_until_shown(words: str, url: str, token: str = "") -> None:
    deadline, shown = time.monotonic() + PATIENCE, ""
    while time.monotonic() < deadline:
        # It may listen before it answers.
        with contextlib.suppress(OSError):
            status, shown = get(url, token)
            if status == 200 and words in shown:
                return
        time.sleep(0.05)
    raise AssertionError(f"no {words} at {url}: {shown}")
