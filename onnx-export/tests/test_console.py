"""Words beside the work may be lost; they fail nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from onnx_export.console import plain

PROGRAM = """
from onnx_export.console import show, tell
from onnx_export.errors import ExportError, exit_code_of
import sys

def work():
    for line in range(3):
        tell(line)
        show(line)
    if "fail" in sys.argv:
        raise ExportError("it failed")

sys.exit(exit_code_of("program", work))
"""


def test_a_name_that_a_terminal_would_obey_is_told_without_that() -> None:
    name = "a\x1b]0;pwned\x07\x9b31m\u202e.png"
    assert plain(f"{name}\n\té") == "a\ufffd]0;pwned\ufffd\ufffd31m\ufffd.png\n\té"


def code(redirection: str, *words: str) -> int:
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", PROGRAM, *words]
    return subprocess.run(command, cwd=Path(__file__).parent.parent, check=False).returncode


@pytest.mark.parametrize(
    "redirection", [">/dev/full 2>/dev/full", "<&- >&- 2>&-", ">/dev/null 2>&-"]
)
def test_work_whose_words_cannot_be_written_is_done(redirection: str) -> None:
    assert code(redirection) == 0
    assert code(redirection, "fail") == 1


def test_work_whose_reader_went_away_is_done() -> None:
    for words, expected in [((), 0), (("fail",), 1)]:
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for pipe in (program.stdout, program.stderr):
            assert pipe is not None
            pipe.close()
        assert program.wait() == expected
