"""The harness finds what was planted: a good conversion helps, and wrong labels harm."""

from __future__ import annotations

from pathlib import Path

from downstream.perform import Request, perform
from downstream.tests.drawn import FakeRun, converted_well, shifted_labels, write_real

NUM_CONTENTS, NUM_REAL = 24, 20


def test_a_planted_good_conversion_helps_and_shifted_labels_harm(tmp_path: Path) -> None:
    FakeRun(tmp_path, "good", NUM_CONTENTS, "night", converted_well("night")).write()
    FakeRun(tmp_path, "bad", NUM_CONTENTS, "night", shifted_labels("night", 16)).write()
    done = perform(Request(
        runs=("good", "bad"), root=tmp_path, out=tmp_path / "out",
        real=write_real(tmp_path / "real", "night", NUM_REAL), with_source_and_run=False,
        steps=100, batch=4, crop=(128, 64), learning_rate=6e-3, device="cpu",
    ))  # fmt: skip
    verdicts = {arm["name"]: arm["against_source"] for arm in done.document["arms"]}
    assert verdicts["good"]["verdict"] == "helps", done.table
    assert verdicts["bad"]["verdict"] == "harms", done.table
    assert verdicts["good"]["difference"] > 5
