"""Trainings and their tests: one after the other, or some at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from pathlib import Path

import torch
from torch import nn

from downstream.arms import Arm, Example
from downstream.errors import ExperimentError
from downstream.networks import build
from downstream.progress import Progress
from downstream.real import RealSet
from downstream.store import Store, write_whole
from downstream.testing import Test
from downstream.training import Training, train

POLL_SECONDS = 0.2

Told = tuple[str, int, int]
"""What is trained, the steps done since the last word, and those that were done before."""


@dataclass(frozen=True)
class Task:
    """An arm and a seed."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.arm.name}, seed {self.seed}"


@dataclass(frozen=True)
class Work:
    """What all tasks need. It goes to other processes."""

    training: Training
    test: RealSet
    store: Store
    trained: Path | None

    def do(self, task: Task, tell: Callable[[Told], None]) -> None:
        """Trains and tests, and stores what was counted."""
        examples = [Example(of.image, of.label, of.digest) for of in self.test.images]
        training, kept = self.training, None
        if self.trained is not None:
            kept = self.trained / f"{training.key(task.arm, task.seed)}.pt"
        network = None if kept is None else _kept(kept, training, task.seed)
        is_new = network is None
        if network is None:
            network = self._trained(task, tell)
        else:
            tell((task.name, 0, training.recipe.steps))
        confusions = Test(examples, training.size).confusions(network, training.device)
        if kept is not None and is_new:
            # Only what was tested: one that gives no numbers is of no use to others.
            state = network.state_dict()
            write_whole(kept, lambda file: torch.save(state, file))
        self.store.write(task.arm.key, task.seed, confusions)

    def _trained(self, task: Task, tell: Callable[[Told], None]) -> nn.Module:
        before = 0

        def told(steps: int, loss: float) -> None:
            nonlocal before
            # The first word after a training went on is of one step, too.
            tell((f"{task.name}, loss {loss:.3f}", 1, steps - before - 1))
            before = steps

        checkpoint = self.store.checkpoint(task.arm.key, task.seed)
        return train(self.training, task.arm, task.seed, checkpoint, told)


def _kept(path: Path, training: Training, seed: int) -> nn.Module | None:
    """Returns what an earlier experiment trained; none if it is not there or damaged."""
    if not path.is_file():
        return None
    network = build(training.network, training.weights, seed)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception:
        return None
    return network.to(training.device).eval()


def run_tasks(work: Work, tasks: Sequence[Task], jobs: int, progress: Progress) -> None:
    """Does all tasks; the first that fails ends the others."""
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            work.do(task, lambda told: _count(progress, told))
            progress.say(f"{task.name}: trained and tested; {progress.line()}")
        progress.close()
        return
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // jobs)
    manager = SyncManager(ctx=context)
    manager.start(end_with_parent)
    with manager:
        words: queue.Queue[Told] = manager.Queue()
        others = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(jobs, context, _begin, (threads,))
        try:
            doing = {pool.submit(_do, work, task, words): task for task in tasks}
            _watch(doing, words, progress)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise ExperimentError(
                    "a training was killed, as where memory is not enough: fewer --jobs need less"
                ) from error
            raise
        finally:
            progress.close()
        pool.shutdown()


def end_with_parent() -> None:
    """Ends this process when the one that started it has ended, be it killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait_for(process: multiprocessing.process.BaseProcess) -> None:
        process.join()
        os._exit(1)

    threading.Thread(target=wait_for, args=(parent,), daemon=True).start()


def _begin(threads: int) -> None:
    end_with_parent()
    torch.set_num_threads(threads)


def _do(work: Work, task: Task, words: queue.Queue[Told]) -> None:
    work.do(task, words.put)


def _count(progress: Progress, told: Told) -> None:
    what, steps, before = told
    progress.skip(before)
    progress.step(what, steps)


def _watch(doing: dict[Future[None], Task], words: queue.Queue[Told], progress: Progress) -> None:
    while doing:
        ended, _ = wait(doing, POLL_SECONDS, FIRST_COMPLETED)
        while not words.empty():
            _count(progress, words.get())
        for future in ended:
            task = doing.pop(future)
            future.result()
            progress.say(f"{task.name}: trained and tested; {progress.line()}")
