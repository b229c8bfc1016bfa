"""What the machine can do is measured at sizes that a test can wait for."""

from __future__ import annotations

import json

import pytest

from baseline import limit


def test_the_operations_of_stable_diffusions_unet_are_counted_without_doing_them() -> None:
    small, large = (limit.operations_of_unet(size) for size in ("512x256", "1024x512"))
    assert small == pytest.approx(372e9, rel=0.01)
    # Four times the latent, and attention that grows with its square.
    assert 4 * small < large < 16 * small


def test_a_report_names_libraries_sizes_and_shapes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(limit, "ORDER", 64)
    arguments = ["--size", "64x64", "--attention", "2x16x8", "--repeat", "1"]
    assert limit.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sgemm"].keys() == {"torch", "onnxruntime"}
    assert report["operations_of_unet"].keys() == {"64x64"}
    assert all(seconds > 0.0 for seconds in report["attention_seconds"].values())


@pytest.mark.parametrize(
    "arguments", [["--size", "512"], ["--attention", "8x0x40"], ["--repeat", "0"]]
)
def test_what_is_no_size_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert limit.main(arguments) == 2
    assert arguments[1] in capsys.readouterr().err
