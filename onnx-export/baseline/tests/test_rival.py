"""What OpenVINO is given is the exported graph, whole; it is in no environment of tests itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from baseline.rival import inputs_of, main, read_contract

MODEL = Path(__file__).parents[3] / "tests/fixtures/golden-model"


def test_inputs_are_those_of_the_first_segment_and_come_again() -> None:
    contract = read_contract(MODEL)
    inputs, again = (inputs_of(MODEL, contract) for _ in range(2))
    wanted = contract["segments"][0]["inputs"]
    assert {entry["name"] for entry in wanted} == set(inputs)
    for entry in wanted:
        given = inputs[entry["name"]]
        shape = [1 if size == "batch" else size for size in entry["shape"]]
        assert (list(given.shape), str(given.dtype)) == (shape, entry["dtype"])
        assert np.array_equal(given, again[entry["name"]])


def test_every_tensor_between_segments_is_given_by_one_before_or_by_its_layer() -> None:
    contract = read_contract(MODEL)
    given = {entry["name"] for entry in contract["segments"][0]["inputs"]}
    for segment in contract["segments"]:
        assert {entry["name"] for entry in segment["inputs"]} <= given
        given |= {entry["name"] for entry in segment["outputs"]}
        if segment["layer"] is not None:
            given.add(segment["layer"]["output"])
    assert "noise_pred" in given


def test_wrong_usage_a_wrong_environment_and_no_model_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(MODEL), "--repeat", "0"]) == 2
    assert main(["--model", str(MODEL)]) == 2
    assert main(["--model", str(tmp_path)]) == 3
    (tmp_path / "model.json").write_text("no JSON")
    assert main(["--model", str(tmp_path)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 4
    assert "make rival" in told.err
    assert "model.json is no contract of an exported model" in told.err
