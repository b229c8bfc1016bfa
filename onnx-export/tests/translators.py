"""Small translators, and the fixtures that are made of them.

    python -m tests.translators          writes ../tests/fixtures/translator*

`translator` takes all that one may take; `translator-contrast` takes the image alone, and gives
none where it shows one colour; `translator-cut` gives a smaller image than its contract says.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from onnx_export.compare import run
from onnx_export.contract import (
    Part,
    Source,
    TensorEntry,
    Translation,
    TranslatorContract,
)
from onnx_export.factory import Factory
from onnx_export.translator.export import Settings, export
from onnx_export.translator.network import Takes
from onnx_export.write import stored_file

FIXTURES = Path(__file__).parents[2] / "tests/fixtures"
HEIGHT, WIDTH = 128, 256
NOISE = (2, 32, 64)
ALL = Takes(
    names=("image", "label", "style", "noise"),
    height=HEIGHT,
    width=WIDTH,
    unknown="channel",
    noise=NOISE,
)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.InstanceNorm2d(outputs), nn.ReLU()
    )


class Residual(nn.Module):
    """A block of CycleGAN's middle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.InstanceNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Generator(nn.Module):
    """A generator as CycleGAN has them, small: down by four, residual blocks, up, tanh.

    **Source:** Zhu et al. 2017, appendix 7.2 (arXiv:1703.10593).
    **Differs:** it is narrow and upsamples before it convolves; beside the image it takes a label,
    the mean colour of a style, and noise at its middle, if it is made for these.
    """

    def __init__(self, inputs: str = "image", width: int = 6, blocks: int = 1) -> None:
        super().__init__()
        self.names = tuple(inputs.split(","))
        channels = {"image": 3, "label": 20, "style": 3, "noise": 0}
        taken = sum(channels[name] for name in self.names)
        self.first = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(taken, width, 7), nn.InstanceNorm2d(width), nn.ReLU()
        )
        self.down = nn.Sequential(
            convolution(width, 2 * width, 2), convolution(2 * width, 4 * width, 2)
        )
        noise = NOISE[0] if "noise" in self.names else 0
        self.middle = nn.Sequential(
            convolution(4 * width + noise, 4 * width), *[Residual(4 * width)] * blocks
        )
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), convolution(4 * width, 2 * width),
            nn.Upsample(scale_factor=2), convolution(2 * width, width),
        )  # fmt: skip
        self.last = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, *given: Tensor) -> Tensor:
        inputs = dict(zip(self.names, given, strict=True))
        if "style" in inputs:
            style = inputs["style"].mean((2, 3), keepdim=True)
            inputs["style"] = style.expand(-1, -1, *given[0].shape[2:])
        noise = inputs.pop("noise", None)
        hidden = self.down(self.first(torch.cat(list(inputs.values()), 1)))
        hidden = hidden if noise is None else torch.cat([hidden, noise], 1)
        return self.last(self.up(self.middle(hidden)))


@torch.no_grad()
def generator(inputs: str = "image", width: int = 6, seed: int = 7) -> nn.Module:
    """Returns a generator with seeded weights, to the last bit the same on every processor."""
    network, rng = Generator(inputs, width), np.random.default_rng(seed)

    def drawn(of: Tensor, spread: float) -> Tensor:
        return torch.from_numpy(spread * rng.standard_normal(of.shape))

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            spread = (2.0 / module.weight[0].numel()) ** 0.5
            module.weight.copy_(drawn(module.weight, spread))
            assert module.bias is not None
            module.bias.copy_(drawn(module.bias, 0.1))
    return network


class Contrast(nn.Module):
    """Stretches the colours of an image to all of 0..1: of one colour no number is left."""

    def forward(self, image: Tensor) -> Tensor:
        low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
        return (image - low) / (high - low)


CONTRAST = Takes(("image",), HEIGHT, WIDTH, input_range=(0.0, 255.0), output_range=(0.0, 1.0))


def write_fixtures(folder: Path) -> None:
    """Writes all three, beside what else their folders have."""
    everything = {"inputs": ",".join(ALL.names)}
    of_all = Factory("MODULE:FACTORY", "tests.translators:generator", everything)
    of_contrast = Factory("MODULE:FACTORY", "tests.translators:Contrast")
    for name, factory, takes in (
        ("translator", of_all, ALL),
        ("translator-contrast", of_contrast, CONTRAST),
    ):
        with tempfile.TemporaryDirectory() as given:
            made = Path(given) / name
            export(Settings(factory, None, made, takes, name=name))
            (folder / name).mkdir(parents=True, exist_ok=True)
            for path in made.iterdir():
                shutil.copy(path, folder / name)
    write_golden(folder / "translator")
    write_cut(folder / "translator-cut")


def golden_inputs() -> dict[str, np.ndarray]:
    """Returns an item as a worker has it: bytes, train ids (255: not known), and noise."""
    rng = np.random.default_rng(11)
    areas = (HEIGHT // 16, WIDTH // 16)
    train_ids = rng.integers(0, 20, areas).astype(np.uint8)
    train_ids[train_ids == 19] = 255
    image, style = (rng.integers(0, 256, (*areas, 3)).astype(np.uint8) for _ in range(2))
    return {
        "image": grown(image),
        "label": grown(train_ids),
        "style": grown(style),
        "noise": rng.standard_normal(NOISE).astype(np.float32),
    }


def grown(areas: np.ndarray) -> np.ndarray:
    """Returns areas of 16 x 16 pixels."""
    return areas.repeat(16, axis=0).repeat(16, axis=1)


def golden_output(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the image that torch makes of an item, `(height, width, 3)` in bytes."""
    network = generator(",".join(ALL.names)).eval()
    unit = {
        name: torch.from_numpy(inputs[name].transpose(2, 0, 1)[None].astype(np.float32)) / 127.5
        - 1.0
        for name in ("image", "style")
    }
    classes = np.where(inputs["label"] == 255, 19, inputs["label"])
    one_hot = torch.from_numpy(np.eye(20, dtype=np.float32)[classes].transpose(2, 0, 1)[None])
    noise = torch.from_numpy(inputs["noise"][None])
    with torch.no_grad():
        output = network(unit["image"], one_hot.contiguous(), unit["style"], noise)[0].numpy()
    rounded = np.rint(np.clip(output / 2 + 0.5, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(1, 2, 0))


def write_golden(folder: Path) -> None:
    """Writes an item and the image that torch makes of it."""
    inputs = golden_inputs()
    arrays = inputs | {"output": golden_output(inputs)}
    np.savez_compressed(folder / "golden.npz", allow_pickle=False, **arrays)


def write_cut(folder: Path) -> None:
    """Writes a graph that says it gives whole images, and gives rows of them up to a sum.

    What depends on values is not known before it is computed, so that no reader of the graph finds
    out.
    """
    shape = [1, 3, HEIGHT, WIDTH]
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["brightest", "rows"], ["end"]),
        helper.make_node("Cast", ["end"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "one"], ["ends"]),
        helper.make_node("Slice", ["image", "zero", "ends", "axis"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "cut",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor("rows", TensorProto.FLOAT, [], [HEIGHT / 2]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10, producer_name=""
    )
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "translator.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))
    image, output = (TensorEntry(name, "float32", tuple(shape)) for name in ("image", "output"))
    graph_file = stored_file(folder, path)
    contract = TranslatorContract(
        name="translator-cut",
        source=Source("by hand", graph_file.sha256),
        translation=Translation((0.0, 1.0), (0.0, 1.0), None),
        part=Part(graph=graph_file, data=None, inputs=(image,), outputs=(output,)),
    )
    contract.write(folder)
    (found,) = run(path, ["output"], {"image": np.ones(shape, np.float32)})
    assert found.shape == (1, 3, HEIGHT // 2, WIDTH)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.translators")
    parser.add_argument("--out", type=Path, default=FIXTURES, metavar="DIR")
    write_fixtures(parser.parse_args().out)
