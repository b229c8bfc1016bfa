"""Work on trainings: the processes that do it, and what is told of it."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from downstream.arms import ArmOptions, build_arms
from downstream.pictures import Size
from downstream.progress import Progress
from downstream.real import open_real
from downstream.runs import RunOptions, open_run
from downstream.store import Store
from downstream.tests.drawn import EndedError, training
from downstream.work import Task, Work, run_tasks


@pytest.mark.usefixtures("fake_run", "real")
def test_steps_that_were_done_before_are_no_work_of_now(tmp_path: Path) -> None:
    arm = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)[0]
    real = open_real(tmp_path / "real", Size(64, 32))
    often = training(checkpoint_seconds=0.0)
    work = Work(often, real, Store(tmp_path / "out"), tmp_path / "trained")

    def end(told: tuple[str, int, int]) -> None:
        counted.append(told[1:])
        if len(counted) == 4:
            raise EndedError

    counted: list[tuple[int, int]] = []
    with pytest.raises(EndedError):
        work.do(Task(arm, 0), end)
    assert counted == [(1, 0)] * 4
    progress = Progress(18, 0, None, iter(range(0, 1000, 2)).__next__)
    run_tasks(work, [Task(arm, 0)], 1, progress)
    assert (progress.done, progress.worked) == (6, 2)
    run_tasks(
        dataclasses.replace(work, store=Store(tmp_path / "other")), [Task(arm, 0)], 1, progress
    )
    assert (progress.done, progress.worked) == (12, 2)


SLEEPER = """
import multiprocessing, time
from downstream.progress import Progress
from downstream.work import run_tasks

class Sleeping:
    name = "sleeping"

    def do(self, task, tell):
        tell(("asleep", 1, 0))
        time.sleep(120)

class Watched(Progress):
    def step(self, what, steps):
        super().step(what, steps)
        if self.done == 2:
            print(*(process.pid for process in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    run_tasks(Sleeping(), [Sleeping(), Sleeping()], 2, Watched(2))
"""


def test_all_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    package = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "sleeper.py")], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": package},
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        started = [int(process) for process in parent.stdout.readline().split()]
        parent.kill()
    assert len(started) == 3, "two of the pool, and the manager of their words"
    until = time.monotonic() + 20
    while any(map(is_running, started)) and time.monotonic() < until:
        time.sleep(0.1)
    going_on = [process for process in started if is_running(process)]
    for process in going_on:
        os.kill(process, signal.SIGKILL)
    assert not going_on, "they go on without their parent"


def is_running(process: int) -> bool:
    """Returns whether a process is there, and no mere entry of one that ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_progress_is_plain_lines_elsewhere_and_one_line_on_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream in (io.StringIO(), Terminal()):
        now = [0.0]
        progress = Progress(100, 20, stream, lambda now=now: now[0])  # type: ignore[misc]
        for _ in range(4):
            now[0] += 20.0
            progress.step("source only", 10)
        progress.close()
        said = capsys.readouterr().err
        if stream.isatty():
            assert "\r\x1b[Ksource only: 30 of 100 steps  0.5 steps/s, ETA 2 min 20 s" in (
                stream.getvalue()
            )
            assert said == ""
        else:
            assert said.splitlines() == [
                "source only: 40 of 100 steps  0.5 steps/s, ETA 2 min 0 s",
                "source only: 60 of 100 steps  0.5 steps/s, ETA 1 min 20 s",
            ]
