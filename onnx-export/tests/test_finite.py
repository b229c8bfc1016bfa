"""No number that is none, or that half precision cannot hold, gets into an export in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor

from onnx_export.checkpoint import Checkpoint
from onnx_export.compare import refuse_difference
from onnx_export.contract import ModelContract
from onnx_export.errors import CheckpointError
from onnx_export.finite import Vanished, refuse_beyond_half, refuse_constants
from onnx_export.freeu import FreeUScales
from onnx_export.prompt import encode_prompt
from onnx_export.schedule import alphas_cumprod
from onnx_export.unet import ExportedUnet, LatentSize
from onnx_export.verify import Expected, expected, probe, verify
from onnx_export.watch import Watched
from tests.chain import MakeChain
from tests.conftest import HEIGHT, WIDTH
from tests.contracts import read_contract
from tests.refusals import TEXT, UNET, VAE, Accepted, change, refused, rewrite

HALF = ("--dtype", "fp16")
HALF_WEIGHTS = ("--weights", "fp16")
NORMS = {UNET: "conv_norm_out.weight", VAE: "decoder.conv_norm_out.weight"}
FIRST = {UNET: "conv_in.weight", VAE: "decoder.conv_in.weight"}


def scaled(tensor: str, factor: float) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: tensors | {tensor: tensors[tensor] * factor}


def with_one(tensor: str, value: float) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """Returns an edit that sets a tensor's last value."""

    def edit(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        tensors[tensor].view(-1)[-1] = value
        return tensors

    return edit


@pytest.mark.parametrize("options", [(), HALF, HALF_WEIGHTS])
@pytest.mark.parametrize(
    ("file", "tensor"), [*FIRST.items(), *NORMS.items(), (TEXT, "final_layer_norm.bias")]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused_in_every_precision(
    capsys: pytest.CaptureFixture[str],
    copy: Path,
    file: str,
    tensor: str,
    value: float,
    options: tuple[str, ...],
) -> None:
    rewrite(copy / file, with_one(tensor, value))
    code, line = refused(capsys, copy, *options)
    assert code == 3
    assert f"{(copy / file).parent} has {tensor} with 1 of" in line
    assert ("NaN" if np.isnan(value) else "infinite") in line


def test_a_weight_that_float32_cannot_hold_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    rewrite(copy / VAE, lambda t: t | {FIRST[VAE]: 1e300 * t[FIRST[VAE]].double()})
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / 'vae'} has {FIRST[VAE]} with" in line


@pytest.mark.parametrize("options", [HALF, HALF_WEIGHTS])
@pytest.mark.parametrize(
    ("file", "advice"),
    [(UNET, "export it with --dtype fp32"), (VAE, "a VAE that was made for half precision")],
)
def test_a_weight_beyond_half_precision_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, advice: str, options: tuple[str, ...]
) -> None:
    rewrite(copy / file, with_one(FIRST[file], -65510.0))
    code, line = refused(capsys, copy, *options)
    assert code == 3
    assert f"{(copy / file).parent} has {FIRST[file]} with a value of -65510" in line
    assert "half precision ends at 65504" in line
    assert advice in line


def test_a_weight_beyond_half_precision_is_right_in_single(accepted: Accepted, copy: Path) -> None:
    rewrite(copy / UNET, with_one(FIRST[UNET], -65510.0))
    accepted(copy)


def test_vectors_stay_in_single_precision_under_half_weights(
    capsys: pytest.CaptureFixture[str], accepted: Accepted, copy: Path
) -> None:
    rewrite(copy / VAE, with_one("encoder.conv_in.bias", 70000.0))
    accepted(copy, weights="fp16")
    code, line = refused(capsys, copy, *HALF)
    assert code == 3
    assert "has encoder.conv_in.bias with a value of 70000" in line


@pytest.mark.parametrize(
    ("file", "part", "advice"),
    [(UNET, "the UNet", "with --dtype fp32"), (VAE, "the VAE", "made for half precision")],
)
def test_what_overflows_on_the_way_is_refused_in_half_precision(
    capsys: pytest.CaptureFixture[str],
    accepted: Accepted,
    copy: Path,
    file: str,
    part: str,
    advice: str,
) -> None:
    """As the VAE of some checkpoints does, though each of its weights could be held."""

    def enlarge(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        weight = tensors[FIRST[file]]
        return tensors | {FIRST[file]: weight * (60000.0 / weight.abs().max())}

    rewrite(copy / file, enlarge)
    accepted(copy)
    code, line = refused(capsys, copy, *HALF)
    assert code == 3
    assert f"{part} computes" in line
    assert FIRST[file].removesuffix(".weight") in line
    assert "half precision ends at 65504" in line
    assert advice in line


@pytest.mark.parametrize(("file", "part"), [(UNET, "the UNet"), (VAE, "the VAE")])
def test_what_overflows_on_the_way_is_refused_in_single_precision(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, part: str
) -> None:
    rewrite(copy / file, lambda t: t | {FIRST[file]: torch.full_like(t[FIRST[file]], 3e38)})
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{part} computes" in line
    assert f"in {'unet.' if file == UNET else ''}{FIRST[file].removesuffix('.weight')}" in line


def test_what_comes_near_the_end_of_half_precision_is_said() -> None:
    assert Watched("the VAE", 30000.0, "decoder").note() == ""
    assert (
        Watched("the VAE", 60000.0, "decoder")
        .note()
        .startswith("the VAE: decoder reaches 60,000 and half precision ends at 65,504")
    )


def test_weights_that_half_precision_rounds_to_nothing_are_counted(
    accepted: Accepted, copy: Path
) -> None:
    def fade(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        tensors["conv_out.weight"].view(-1)[:7] = 2e-8
        return tensors | {"conv_in.weight": torch.full_like(tensors["conv_in.weight"], 1e-9)}

    rewrite(copy / UNET, fade)
    count = 7 + Checkpoint.open(copy).unet().conv_in.weight.numel()
    assert (
        f"unet: {count} weights are too small for half precision and become 0; "
        "all of conv_in.weight"
    ) in accepted(copy, dtype="fp16", weights="fp16")
    assert not any("too small" in line for line in accepted(copy))


def test_what_half_precision_holds_is_decided_at_its_ends() -> None:
    path = Path("unet")
    assert refuse_beyond_half({"a": torch.tensor([65504.0, 2**-24])}, path, False) == Vanished()
    assert refuse_beyond_half({"a": torch.tensor([1.0, 2**-26])}, path, False) == Vanished(1)
    with pytest.raises(CheckpointError):
        refuse_beyond_half({"a": torch.tensor([65505.0])}, path, False)


@pytest.mark.parametrize(
    ("embedding", "options", "reason"),
    [
        (np.full((77, 24), np.nan, np.float32), (), "with 1848 values that are not finite"),
        (np.full((77, 24), 1e300), (), "not finite in float32, inf for token 0 among them"),
        (np.full((77, 24), 7e4, np.float32), HALF, "reaches 70000, and half precision ends"),
        (np.ones((77, 24), np.int64), (), "is no array of floats but of int64"),
        (np.ones((76, 24), np.float32), (), "of shape (1, 76, 24)"),
        (np.ones((2, 77, 24), np.float32), (), "of shape (2, 77, 24)"),
    ],
)
def test_an_embedding_is_of_its_shape_and_finite(
    capsys: pytest.CaptureFixture[str],
    copy: Path,
    embedding: np.ndarray,
    options: tuple[str, ...],
    reason: str,
) -> None:
    path = copy / "prompt.npy"
    np.save(path, embedding)
    code, line = refused(capsys, copy, "--prompt-embedding", path, *options)
    assert code == 3
    assert reason in line


def test_an_embedding_that_is_missing_empty_or_constant_is_named(
    capsys: pytest.CaptureFixture[str], accepted: Accepted, copy: Path
) -> None:
    path = copy / "prompt.npy"
    code, line = refused(capsys, copy, "--prompt-embedding", path)
    assert code == 3
    assert f"{path} is missing" in line
    path.touch()
    code, line = refused(capsys, copy, "--prompt-embedding", path)
    assert code == 3
    assert f"{path} is empty (0 bytes): save the prompt embedding with numpy.save" in line
    np.save(path, np.ones((1, 77, 24), np.float16))
    assert f"{path} has the same number everywhere" in accepted(copy, prompt_embedding=path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"beta_end": 1.0}, "beta_end 1.0, expected two numbers between 0 and 1"),
        ({"beta_start": 0.0}, "beta_start 0.0 and beta_end 0.012, expected"),
        ({"beta_start": -0.1}, "the first below the second"),
        ({"beta_start": 0.02}, "the first below the second"),
        ({"beta_end": "0.012"}, "beta_end '0.012', expected a number"),
        ({"beta_end": True}, "beta_end True, expected a number"),
        ({"beta_start": 1e-30}, "alphas_cumprod 1 at timestep 0"),
        ({"beta_start": 0.9, "beta_end": 0.99}, "alphas_cumprod 0 at timestep"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr True"),
        ({"prediction_type": "sample"}, "prediction_type 'sample'"),
        ({"num_train_timesteps": 100}, "num_train_timesteps 100"),
    ],
)
def test_a_schedule_leaves_less_of_the_image_at_every_timestep(
    capsys: pytest.CaptureFixture[str], copy: Path, settings: dict[str, Any], reason: str
) -> None:
    change(copy / "scheduler/scheduler_config.json", **settings)
    code, line = refused(capsys, copy)
    assert code == 3
    assert "scheduler_config.json has" in line
    assert reason in line


def test_the_schedule_is_diffusers_own(sd2: Path) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_pretrained(sd2 / "scheduler")
    ours = alphas_cumprod(Checkpoint.open(sd2).schedule)
    np.testing.assert_allclose(ours, scheduler.alphas_cumprod.numpy(), rtol=2e-5)


def test_a_constant_of_a_graph_that_is_not_finite_is_named() -> None:
    tensor = ir.tensor(np.array([1.0, np.inf], np.float16), name="scale")
    value = ir.Value(name="scale", const_value=tensor)
    folded = ir.Node("", "Constant", [], [ir.AttrTensor("value", ir.tensor(np.float32(np.nan)))])
    folded.outputs[0].name = "folded"
    for nodes, values, name in (([], [value], "scale"), ([folded], [], "folded")):
        graph = ir.Graph([], [], nodes=nodes, initializers=values, opset_imports={"": 20})
        with pytest.raises(CheckpointError, match=f"the graph of vae has the constant {name} with"):
            refuse_constants(ir.Model(graph, ir_version=10), "vae")


@pytest.fixture(scope="module")
def wanted(sd2: Path) -> Expected:
    checkpoint = Checkpoint.open(sd2)
    unet = ExportedUnet(checkpoint.unet(), LatentSize(HEIGHT // 8, WIDTH // 8), FreeUScales())
    prompt = encode_prompt(checkpoint, "", 24).embedding
    return expected(probe(HEIGHT, WIDTH, prompt, checkpoint.schedule), unet, checkpoint.vae(), ())


def test_an_export_that_is_whole_is_verified(sd2_chain: MakeChain, wanted: Expected) -> None:
    chain = sd2_chain()
    verify(chain.folder, read_contract(ModelContract, chain.folder), wanted)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("vae_encoder", "VAE encoder"),
        ("vae_decoder", "VAE decoder"),
        ("unet/segment_0", "UNet"),
        ("unet/segment_4", "UNet"),
    ],
)
def test_graphs_that_give_other_numbers_or_none_are_refused(
    sd2_chain: MakeChain, wanted: Expected, tmp_path: Path, file: str, what: str
) -> None:
    folder = shutil.copytree(sd2_chain().folder, tmp_path / "model")
    contract = read_contract(ModelContract, folder)
    data = folder / f"{file}.data"
    weights = np.frombuffer(data.read_bytes(), np.float32)
    data.write_bytes((1.2 * weights).astype(np.float32).tobytes())
    with pytest.raises(CheckpointError, match=f"the exported {what} is .* away from"):
        verify(folder, contract, wanted)
    data.write_bytes(np.full_like(weights, np.nan).tobytes())
    name = Path(file).name
    with pytest.raises(CheckpointError, match=rf"{name}.onnx gives \w+ with .* not finite"):
        verify(folder, contract, wanted)
    data.write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"the exported {name}.onnx cannot be run"):
        verify(folder, contract, wanted)


def test_a_difference_that_is_no_number_is_refused() -> None:
    right = np.array([1.0, 2.0], np.float32)
    refuse_difference("UNet", right, right, 0.0)
    with pytest.raises(CheckpointError, match="is nan away from"):
        refuse_difference("UNet", np.array([1.0, np.nan]), right, 0.1)
    with pytest.raises(CheckpointError, match="gives 3 everywhere"):
        refuse_difference("UNet", np.full(2, 3.0), np.full(2, 3.0), 0.1)
    with pytest.raises(CheckpointError, match=r"gives \(3,\), and the checkpoint \(2,\)"):
        refuse_difference("UNet", np.ones(3), right, 0.1)
