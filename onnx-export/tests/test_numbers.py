"""The exported graphs compute what diffusers computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diffusers import UNet2DConditionModel

from baseline.freeu import freeu_by_fft
from onnx_export.freeu import low_frequency_basis
from tests.chain import Chain, MakeChain
from tests.conftest import GOLDEN
from tests.reference import Reference


@pytest.mark.parametrize("timestep", [981, 401, 1])
def test_the_chain_predicts_what_diffusers_predicts(
    sd15: Path, sd15_chain: Chain, latents: np.ndarray, timestep: int
) -> None:
    expected = Reference(sd15).predict(latents[:1], timestep, sd15_chain.prompt_embedding())
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(sd15_chain.predict(latents[:1], timestep), expected, atol=1e-4)


def test_the_vae_encodes_and_decodes_what_diffusers_does(
    sd15: Path, sd15_chain: Chain, latents: np.ndarray, images: np.ndarray
) -> None:
    reference = Reference(sd15)
    np.testing.assert_allclose(sd15_chain.encode(images), reference.encode(images), atol=1e-4)
    np.testing.assert_allclose(sd15_chain.decode(latents), reference.decode(latents), atol=1e-4)


def test_a_batch_of_three_equals_three_singles(
    sd15_chain: Chain, latents: np.ndarray, images: np.ndarray
) -> None:
    together = sd15_chain.predict(latents, 601)
    singles = [sd15_chain.predict(one[None], 601) for one in latents]
    np.testing.assert_allclose(together, np.concatenate(singles), atol=1e-5)
    encoded = [sd15_chain.encode(one[None]) for one in images]
    np.testing.assert_allclose(sd15_chain.encode(images), np.concatenate(encoded), atol=1e-5)
    decoded = [sd15_chain.decode(one[None]) for one in latents]
    np.testing.assert_allclose(sd15_chain.decode(latents), np.concatenate(decoded), atol=1e-5)


def test_stable_diffusion_2_settings_are_understood(
    sd2: Path, sd2_chain: MakeChain, latents: np.ndarray
) -> None:
    chain = sd2_chain()
    expected = Reference(sd2).predict(latents, 500, chain.prompt_embedding())
    np.testing.assert_allclose(chain.predict(latents, 500), expected, atol=1e-4)
    assert [s["layer"]["heads"] for s in chain.segments[:-1]] == [4, 4, 2, 2]


def test_without_freeu_the_plain_unet_is_exported(
    sd2: Path, sd2_chain: MakeChain, latents: np.ndarray
) -> None:
    chain = sd2_chain(freeu=None, prompt="a street")
    prompt = chain.prompt_embedding()
    plain = Reference(sd2, freeu=False).predict(latents, 500, prompt)
    np.testing.assert_allclose(chain.predict(latents, 500), plain, atol=1e-4)
    assert np.abs(plain - Reference(sd2).predict(latents, 500, prompt)).max() > 1e-2
    assert chain.contract["freeu"] is None


def test_weights_in_half_precision_agree_loosely(
    sd2: Path, sd2_chain: MakeChain, latents: np.ndarray
) -> None:
    """Rounding a weight to float16 moves it by up to 2^-11, and the graph computes in float32:
    the result moves by about that, times a few for its depth."""
    chain = sd2_chain(weights="fp16")
    expected = Reference(sd2).predict(latents, 500, chain.prompt_embedding())
    predicted = chain.predict(latents, 500)
    assert predicted.dtype == np.float32
    assert relative_error(predicted, expected) < 4 * 2**-11
    sizes = [sum(f.stat().st_size for f in c.folder.rglob("*.data")) for c in (chain, sd2_chain())]
    assert sizes[0] < 0.65 * sizes[1]


def test_a_graph_in_half_precision_agrees_loosely(
    sd2: Path, sd2_chain: MakeChain, latents: np.ndarray, images: np.ndarray
) -> None:
    """Every tensor is rounded to 11 bits, some hundred times on the way: 1 % allows for their
    random sum, and a wrong normalisation or an overflow would be far beyond it."""
    chain, reference = sd2_chain(dtype="fp16", weights="fp16"), Reference(sd2)
    predicted = chain.predict(latents.astype(np.float16), 500)
    assert predicted.dtype == np.float16
    expected = reference.predict(latents, 500, chain.prompt_embedding())
    assert relative_error(predicted, expected) < 0.01
    encoded, decoded = (
        chain.encode(images.astype(np.float16)),
        chain.decode(latents.astype(np.float16)),
    )
    assert relative_error(encoded, reference.encode(images)) < 0.01
    assert relative_error(decoded, reference.decode(latents)) < 0.01


@pytest.mark.parametrize("size", [(1, 2), (2, 2), (2, 4), (3, 5), (16, 32)])
def test_two_small_products_equal_the_fourier_filter(size: tuple[int, int]) -> None:
    import torch

    basis = low_frequency_basis(*size)
    x = torch.randn(2, 6, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    flat = x.numpy().reshape(2, 6, -1)
    filtered = flat + (0.2 - 1.0) * (flat @ basis) @ basis.T
    expected = freeu_by_fft(x, 1.0, 0.2).numpy().reshape(2, 6, -1)
    np.testing.assert_allclose(filtered, expected, atol=1e-12)
    assert basis.shape[1] <= 7


@pytest.mark.parametrize("run", ["cactif-night", "adain-snow"])
def test_the_golden_predictions_are_reproduced(golden_chain: Chain, run: str) -> None:
    """At the last steps the reference's own trajectory has drifted by 1e-5 or so."""
    golden = np.load(GOLDEN / run / "golden.npz")
    steps = sum(name.endswith("_noise_pred") for name in golden)
    skip = len(golden["timesteps"]) - steps
    for step in range(steps):
        sample = golden["xts_content"][skip + step][None]
        predicted = golden_chain.predict(sample, int(golden["timesteps"][skip + step]))
        expected = golden[f"step{step}_noise_pred"][2]
        np.testing.assert_allclose(predicted[0], expected, atol=1e-4)


def test_the_golden_model_agrees_with_diffusers(golden_model: Path, golden_chain: Chain) -> None:
    golden, reference = np.load(GOLDEN / "cactif-night/golden.npz"), Reference(golden_model)
    sample = golden["xts_style"][-2:]
    expected = reference.predict(sample, 301, golden_chain.prompt_embedding())
    np.testing.assert_allclose(golden_chain.predict(sample, 301), expected, atol=1e-4)


def test_layers_hand_over_what_their_tensors_are_projected_from(
    golden_model: Path, golden_chain: Chain
) -> None:
    unet = UNet2DConditionModel.from_pretrained(golden_model / "unet")
    sample = np.load(GOLDEN / "cactif-night/golden.npz")["xts_style"][-1:]
    tensors = golden_chain.tensors(sample, 301)
    layers = [segment["layer"] for segment in golden_chain.segments[:-1]]
    full = [layer for layer in layers if layer["input"] is not None]
    assert len(full) == 3
    for layer in full:
        attention = unet.get_submodule(layer["name"])
        for role, linear in (("query", "to_q"), ("key", "to_k"), ("value", "to_v")):
            weight = attention.get_submodule(linear).weight.detach().numpy()
            expected = tensors[layer["input"]] @ weight.T
            np.testing.assert_allclose(tensors[layer[role]], expected, atol=1e-4)


def test_the_golden_images_are_encoded_and_decoded(golden_chain: Chain) -> None:
    golden = np.load(GOLDEN / "cactif-night/golden.npz")
    image = golden["image_content"].transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(golden_chain.encode(image), golden["latent_content"], atol=1e-4)
    last = max(name for name in golden if name.endswith("_latents"))
    decoded = golden_chain.decode(golden[last][:1])[0].transpose(1, 2, 0)
    pixels = np.round(np.clip(decoded / 2 + 0.5, 0, 1) * 255)
    assert np.abs(pixels - golden["image_output"]).max() <= 1


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Returns the root mean square of the difference over that of `expected`."""
    difference = actual.astype(np.float64) - expected
    return float(np.sqrt((difference**2).mean() / (expected.astype(np.float64) ** 2).mean()))
