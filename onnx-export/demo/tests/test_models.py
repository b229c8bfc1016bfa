"""The networks have the size and the shape that the demo promises."""

from pathlib import Path

import numpy as np
import torch

from demo.checkpoint import write_checkpoint
from demo.ema import Ema
from demo.muon import orthogonal
from demo.unet import freeu_inside, make_prompt, make_scheduler, make_unet, sample_timesteps
from demo.vae import make_vae

MAX_BYTES = 15_000_000


def test_the_weights_in_half_precision_stay_small() -> None:
    weights = [*make_unet().parameters(), *make_vae().parameters()]
    assert 2 * sum(weight.numel() for weight in weights) <= MAX_BYTES


def test_freeu_changes_the_prediction_only_while_it_is_inside() -> None:
    torch.manual_seed(0)
    unet, prompt = make_unet().eval(), make_prompt(0)
    latent = torch.randn(1, 4, 8, 16)
    with torch.no_grad():
        before = unet(latent, 100, prompt).sample
        with freeu_inside(unet):
            inside = unet(latent, 100, prompt).sample
        after = unet(latent, 100, prompt).sample
    assert torch.equal(before, after)
    assert not torch.allclose(before, inside)


def test_timesteps_are_mostly_those_the_demo_runs() -> None:
    torch.manual_seed(0)
    timesteps = sample_timesteps(2000)
    assert timesteps.min() >= 0
    assert timesteps.max() < 1000
    assert 0.75 < (timesteps < 450).float().mean() < 0.85


def test_an_average_is_put_in_and_taken_out_again() -> None:
    layer = torch.nn.Linear(2, 2)
    ema = Ema(layer, 0.9)
    with torch.no_grad():
        layer.weight.add_(1.0)
    kept = layer.weight.detach().clone()
    ema.update()
    with ema.applied():
        assert not torch.equal(layer.weight, kept)
    assert torch.equal(layer.weight, kept)


def test_a_checkpoint_replaces_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    unet, vae = make_unet(), tmp_path / "vae"
    make_vae().save_pretrained(vae)
    for seed in (0, 1):
        write_checkpoint(out, unet, vae, make_scheduler(), make_prompt(seed))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "vae"]
    assert sorted(p.name for p in out.iterdir()) == ["prompt_embedding.npy", "scheduler",
                                                     "unet", "vae"]  # fmt: skip
    np.testing.assert_array_equal(np.load(out / "prompt_embedding.npy"), make_prompt(1).numpy())


def test_a_step_of_muon_has_nearly_equal_singular_values() -> None:
    matrix = torch.randn(24, 96, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5
    assert values.max() < 1.5
