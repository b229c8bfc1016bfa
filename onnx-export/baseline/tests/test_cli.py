"""The program converts files, and says in one line why it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from baseline import probe
from baseline.cli import main
from baseline.settings import Steps
from baseline.tests.conftest import GOLDEN, Golden
from onnx_export.errors import UsageError


def command(model: Path, out: Path, golden: Golden) -> list[str]:
    """Returns the arguments for a golden's files at a golden's size."""
    arguments = ["--model", str(model), "--out", str(out), "--width", "256", "--height", "128"]
    for option in ("content", "style"):
        for suffix, key in (("", "image"), ("-label", "label")):
            path = GOLDEN / "inputs" / golden.meta[f"{option}_{key}"]
            arguments += [f"--{option}{suffix}", str(path)]
    return arguments


def few_steps(golden: Golden) -> list[str]:
    """Returns the arguments for a golden's schedule and method."""
    return [
        *("--steps", str(golden.meta["steps"]), "--skip", str(golden.meta["skip"])),
        *("--class-adain-steps", golden.meta["class_adain_steps"].replace(",", "..")),
        *("--method", golden.method()),
    ]


def test_files_become_the_released_codes_image(golden_model: Path, tmp_path: Path) -> None:
    golden = Golden.open("cactif-night")
    noise, trace, times = (tmp_path / name for name in ("noise.npz", "trace.npz", "times.json"))
    drawn = {name: golden.arrays[f"noise_{name}"] for name in ("content", "style")}
    np.savez(noise, allow_pickle=False, **drawn)
    arguments = [*command(golden_model, tmp_path / "out.png", golden), *few_steps(golden)]
    files = ["--noise", str(noise), "--trace", str(trace), "--times", str(times)]
    assert main([*arguments, *files]) == 0

    image = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert (np.abs(image - golden.arrays["image_output"]) <= 1).mean() >= 0.999
    report = json.loads(times.read_text())
    assert report["unet_evaluations"] == {
        "inversion_content": 10,
        "inversion_style": 10,
        "denoising": 36,
        "total": 56,
    }
    assert set(report["seconds_per_evaluation"]) < set(report["seconds"])
    for seconds in (report["seconds"], report["cpu_seconds"]):
        total = seconds.pop("total")
        assert 0.0 < sum(seconds.values()) <= total
    assert report["peak_rss_bytes"] > 2**26
    with np.load(trace) as arrays:
        assert arrays["timesteps"].tolist() == golden.arrays["timesteps"].tolist()
        for step in range(6):
            for ours, theirs in (("latent", "latents"), ("noise_pred", "noise_pred")):
                expected = golden.arrays[f"step{step}_{theirs}"][0]
                np.testing.assert_allclose(arrays[f"step{step}_{ours}"], expected, atol=1e-3)
            before = golden.arrays[f"step{step}_before_adain"]
            np.testing.assert_allclose(arrays[f"step{step}_before_adain"], before, atol=1e-3)
        for name in ("latent_content", "latent_style"):
            np.testing.assert_allclose(arrays[name], golden.arrays[name], atol=1e-3)
        for name in ("label_content_latent", "label_style_latent"):
            assert (arrays[name] == golden.arrays[name]).mean() >= 0.995


def test_a_seed_decides_the_image(golden_model: Path, tmp_path: Path) -> None:
    golden = Golden.open("adain-snow")
    images = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = tmp_path / f"{name}.png"
        short = ["--steps", "3", "--skip", "1", "--method", "cross-image", "--seed", seed]
        assert main([*command(golden_model, out, golden), *short]) == 0
        images.append(out.read_bytes())
    assert images[0] == images[1] != images[2]


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        (["--width", "250"], 2, "width (250) must be a multiple of 64"),
        (["--skip", "50"], 2, "skip (50) must be at least 0 and less than steps (50)"),
        (["--steps", "0"], 2, "steps (0) must be at least 1"),
        (["--injected-steps", "2-4"], 2, "steps '2-4' are not ranges: write 5..15, 1.. or 0,2.."),
        (["--filter-fraction", "2"], 2, "filter fraction (2.0) must be from 0 to 1"),
        (["--content", "nothing.png"], 3, "nothing.png is not a file"),
        (["--model", "nowhere"], 3, "nowhere is not a folder"),
        (["--trace", "nowhere/trace.npz"], 3, "nowhere is not a folder"),
        (["--content-label", __file__], 3, "cannot identify image file"),
        (["--noise", "noise.npz"], 3, "has content of shape (2, 4, 16, 32)"),
        (["--noise", __file__], 3, "cannot be read as .npz"),
        (["--noise", "cut.npz"], 3, "cannot be read as .npz"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    changes: list[str],
    code: int,
    message: str,
    golden_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    draws = np.zeros((2, 4, 16, 32), np.float32)
    np.savez("noise.npz", content=draws, style=draws)
    Path("cut.npz").write_bytes(Path("noise.npz").read_bytes()[:-30])
    arguments = command(golden_model, tmp_path / "out.png", Golden.open("adain-snow"))
    assert main([*arguments, *changes]) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith("baseline: ")
    assert not (tmp_path / "out.png").exists()


def test_step_ranges_are_half_open() -> None:
    def members(text: str) -> list[int]:
        return [step for step in range(7) if step in Steps.parse(text)]

    assert members("2..4") == [2, 3]
    assert members("0,2..") == [0, 2, 3, 4, 5, 6]
    assert members("1") == [1]
    assert members("3..3") == []
    with pytest.raises(UsageError):
        Steps.parse("..3")


def test_the_probe_times_both_kinds_of_attention(
    golden_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.main(["--model", str(golden_model), "--size", "128x64", "--layers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [f"{kind} attention, batch {n}" for kind in ("explicit", "default") for n in (1, 3)]
    assert [line.split(":")[0] for line in lines[1:5]] == starts
    spreads = [line.rsplit(maxsplit=1)[1] for line in lines[1:5]]
    assert spreads[:2] == spreads[2:]
    assert len(lines) == 11
