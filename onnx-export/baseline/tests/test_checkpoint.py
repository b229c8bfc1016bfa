"""Checkpoints have Stable Diffusion 1.5's shape, and the same seed gives the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from baseline.checkpoint import WIDTHS, main, make_unet, make_vae
from baseline.network import Network
from baseline.tests.conftest import Golden

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def test_full_width_is_that_of_stable_diffusion_1_5() -> None:
    with torch.device("meta"):
        unet, vae = make_unet(WIDTHS["full"]), make_vae(WIDTHS["full"])
    assert sum(weights.numel() for weights in unet.parameters()) == 859_520_964
    assert sum(weights.numel() for weights in vae.parameters()) == 83_653_863
    heads = {module.heads for name, module in unet.named_modules() if name.endswith(".attn1")}
    assert heads == {8}


def test_the_golden_model_has_the_goldens_prompt_and_six_explicit_layers(network: Network) -> None:
    expected = Golden.open("cactif-night").arrays["prompt_embedding"]
    np.testing.assert_array_equal(network.prompt.numpy(), expected)
    assert len(network.explicit_layers) == 6


def test_another_seed_gives_another_model(golden_model: Path, tmp_path: Path) -> None:
    for name, seed in (("same", "7"), ("other", "8")):
        assert main(["--out", str(tmp_path / name), "--width", "golden", "--seed", seed]) == 0
    weights = (golden_model / WEIGHTS).read_bytes()
    assert (tmp_path / "same" / WEIGHTS).read_bytes() == weights
    ours, others = load_file(golden_model / WEIGHTS), load_file(tmp_path / "other" / WEIGHTS)
    assert not torch.equal(ours["conv_in.weight"], others["conv_in.weight"])


def test_a_folder_with_files_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").write_text("mine")
    assert main(["--out", str(tmp_path), "--width", "golden"]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
