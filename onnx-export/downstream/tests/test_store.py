"""The folder of an experiment: written whole, of one experiment, worked on by one process."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import IO

import pytest

from downstream.perform import Request, perform
from downstream.store import Store, write_whole
from downstream.tests.drawn import EndedError, FakeRun, refused


def test_a_result_that_cannot_be_read_is_told_and_not_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read("source", 0, 1) is None
    store.result("source", 0).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        store.read("source", 0, 1)


def test_a_file_is_written_beside_by_one_process_only_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out/experiment.json"

    def write_within(file: IO[bytes]) -> None:
        write_whole(path, lambda other: other.write(b"inner"))
        file.write(b"outer")

    write_whole(path, write_within)
    assert path.read_bytes() == b"outer"

    def fail(_: IO[bytes]) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        write_whole(path, fail)
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_half_written_is_no_other_experiment(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "experiment.json.1-ab.new").write_text("{")
    store.begin({"runs": []})
    assert (tmp_path / "experiment.json").is_file()
    store.checkpoint("source", 0).parent.mkdir()
    store.checkpoint("source", 0).with_suffix(".pt.2-cd.new").write_bytes(b"PK")
    store.begin({"runs": []})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["experiment.json"]


def test_a_folder_of_another_experiment_or_of_something_else_is_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    perform(request_of)
    told = refused(lambda: perform(dataclasses.replace(request_of, steps=3)))
    assert told == (
        f"{request_of.out} holds another experiment (its recipe.steps is 2, not 3): give another "
        "--out, or move it away"
    )
    resized = dataclasses.replace(request_of, size=(48, 24))
    assert "(its size[0] is 32, not 48)" in refused(lambda: perform(resized))
    other = dataclasses.replace(request_of, out=fake_run.folder)
    assert "holds something that is no experiment" in refused(lambda: perform(other))


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    with store.locked():
        assert "another process works on" in refused(
            lambda: Store(store.folder).locked().__enter__()
        )
    with Store(store.folder).locked():
        pass
