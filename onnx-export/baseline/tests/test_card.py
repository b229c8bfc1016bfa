"""The released code's work is timed by what any Python with torch and diffusers has."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from baseline.card import Card, main
from baseline.freeu import freeu_by_fft
from baseline.widths import WIDTHS


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_an_image_is_as_many_evaluations_as_the_released_code_makes(
    dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--device", "cpu", "--width", "golden", "--size", "128x64", "--repeat", "1"]
    assert main([*small, "--dtype", dtype]) == 0
    figures = json.loads(capsys.readouterr().out)
    each = figures["seconds_of_each"]
    steps = 50 * each["inversion"] + 20 * (each["injected"] + each["plain"])
    assert figures["evaluations"] == 170
    assert figures["seconds_an_image"] == pytest.approx(steps + each["encode"] + each["decode"])


def test_half_precision_predicts_what_single_does() -> None:
    cards = [Card(WIDTHS["golden"], "cpu", dtype) for dtype in (torch.float32, torch.float16)]
    latents = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(1))
    for card in cards:
        card.prompt = torch.ones_like(card.prompt)
    with torch.no_grad():
        single, half = (card.evaluate(latents.to(card.dtype)) for card in cards)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), single, atol=0.02, rtol=0.02)


def test_frequencies_of_half_precision_are_filtered_in_single() -> None:
    hidden = torch.randn(1, 4, 9, 18, generator=torch.Generator().manual_seed(1))
    half = freeu_by_fft(hidden.half(), 1.2, 0.9)
    torch.testing.assert_close(half.float(), freeu_by_fft(hidden, 1.2, 0.9), atol=0.01, rtol=0.01)


def test_torch_and_diffusers_are_all_that_is_imported() -> None:
    # Those are what the bundle for a machine with a GPU has of this package.
    own = ["attention", "card", "freeu", "precision", "widths"]
    of = "onnx_export", "baseline"
    text = f"import sys, baseline.card; print([n for n in sys.modules if n.split('.')[0] in {of}])"
    folder = Path(__file__).parents[2]
    command = [sys.executable, "-c", text]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert sorted(ast.literal_eval(told.stdout)) == ["baseline", *(f"baseline.{n}" for n in own)]
