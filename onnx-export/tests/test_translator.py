"""Exported translators give what their networks give, and what is none is refused in a line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from onnx_export.contract import TranslatorContract
from onnx_export.segmenter.sources import state_sha256
from onnx_export.translator.cli import main
from onnx_export.translator.network import CHANNEL, NAMES, ZEROS, Takes, labels
from tests.contracts import read_contract
from tests.networks import Exported
from tests.translators import (
    ALL,
    CONTRAST,
    FIXTURES,
    Contrast,
    Generator,
    generator,
    golden_inputs,
    golden_output,
    write_fixtures,
)

SMALL = ("--height", "16", "--width", "32")
CONVOLUTION = ("torch.nn:Conv2d", "--option", "in_channels=3", "--option", "out_channels=3")
POINTWISE = (*CONVOLUTION, "--option", "kernel_size=1")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures of the worker's tests, written anew."""
    folder = tmp_path_factory.mktemp("fixtures")
    write_fixtures(folder)
    return folder


def test_the_fixtures_are_what_their_script_writes(written: Path) -> None:
    names = sorted(path.relative_to(written) for path in written.rglob("*.*") if path.is_file())
    assert len(names) == 8
    for name in names:
        if name.suffix == ".npz":
            with np.load(written / name) as found, np.load(FIXTURES / name) as kept:
                assert set(found) == set(kept)
                # The last bit of a sum is the processor's.
                for key in found:
                    np.testing.assert_allclose(found[key].astype(float), kept[key], atol=1)
        else:
            assert (written / name).read_bytes() == (FIXTURES / name).read_bytes(), name


@pytest.mark.parametrize("batch", [1, 3])
def test_a_graph_gives_what_its_network_gives_of_any_batch(written: Path, batch: int) -> None:
    graph, network = Exported(written / "translator", "translator"), generator(",".join(ALL.names))
    given = ALL.examples(9, batch)
    with torch.no_grad():
        expected = network.eval()(*given).numpy()
    found = graph(*(each.numpy() for each in given))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # Alone an item gives what it gives among others.
    alone = graph(*(each[:1].numpy() for each in given))
    np.testing.assert_allclose(alone, found[:1], atol=1e-4)


def test_the_golden_is_the_networks_image_of_bytes() -> None:
    inputs = golden_inputs()
    with np.load(FIXTURES / "translator/golden.npz") as golden:
        for name in NAMES:
            assert np.array_equal(golden[name], inputs[name])
        difference = golden["output"].astype(int) - golden_output(inputs)
        assert np.ptp(golden["output"]) > 100
    assert np.abs(difference).max() <= 1


def test_an_image_of_one_colour_has_no_contrast_and_others_have_all_of_it(written: Path) -> None:
    graph = Exported(written / "translator-contrast", "translator")
    (image,) = CONTRAST.examples(3, 1)
    found = graph(image.numpy())
    np.testing.assert_allclose(found, Contrast()(image).numpy(), atol=1e-6)
    assert (found.min(), found.max()) == (0.0, 1.0)
    assert np.isnan(graph(np.full_like(image.numpy(), 7.0))).all()


def test_the_contract_describes_the_file(written: Path) -> None:
    contract = read_contract(TranslatorContract, written / "translator")
    assert contract.translation.unknown == CHANNEL
    assert contract.translation.input_range == contract.translation.output_range == (-1.0, 1.0)
    sha256 = state_sha256(generator(",".join(ALL.names)).state_dict())
    assert (contract.source.name, contract.source.sha256) == (
        "tests.translators:generator",
        sha256,
    )
    assert {entry.name: entry.shape for entry in contract.part.inputs} == {
        "image": ("batch", 3, 128, 256),
        "label": ("batch", 20, 128, 256),
        "style": ("batch", 3, 128, 256),
        "noise": ("batch", 2, 32, 64),
    }
    (output,) = contract.part.outputs
    assert (output.name, output.shape) == ("output", ("batch", 3, 128, 256))
    alone = read_contract(TranslatorContract, written / "translator-contrast")
    assert alone.translation.unknown is None
    assert alone.translation.input_range == (0.0, 255.0)


def test_labels_have_one_class_a_pixel_and_zeros_where_none_is_known() -> None:
    with_channel, without = (labels(4, 2, (32, 48), has) for has in (True, False))
    assert with_channel.shape == (2, 20, 32, 48)
    assert bool((with_channel.sum(1) == 1).all())
    assert torch.equal(without, with_channel[:, :19])
    assert bool((without.sum(1) == 0).any())


class OneByOne(nn.Module):
    """A network that was written for one image."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        if len(image) != 1:
            raise ValueError("one at a time")
        return self.layer(image)


def test_a_network_for_one_image_is_exported_for_one_with_weights_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / "own.pth", tmp_path / "out"
    network = OneByOne().eval()
    torch.save(network.state_dict(), weights)
    given = ["tests.test_translator:OneByOne", *SMALL, "--weights", str(weights)]
    ranges = ["--input-range", "0", "1", "--output-range", "-0.5", "0.5", "--name", "one"]
    assert main([*given, *ranges, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "image to images of 32x16, of a batch of one" in said.out + said.err
    contract = read_contract(TranslatorContract, out)
    assert (contract.name, contract.part.outputs[0].shape) == ("one", (1, 3, 16, 32))
    assert contract.translation.output_range == (-0.5, 0.5)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (contract.source.name, contract.source.sha256) == ("own.pth", digest)
    image = Takes(("image",), 16, 32, (0.0, 1.0)).examples(5, 1)[0]
    with torch.no_grad():
        expected = network(image).numpy()
    found = Exported(out, "translator")(image.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-6)


class Odd(nn.Module):
    """A network that gives something else than an image of its size."""

    def __init__(self, gives: str) -> None:
        super().__init__()
        self.gives = gives

    def forward(self, image: Tensor) -> object:
        given: dict[str, Callable[[], object]] = {
            "half": lambda: image[:, :, ::2],
            "grey": lambda: image[:, :1],
            "list": lambda: [image],
            "nan": lambda: image / (image - image),
            "same": lambda: torch.zeros_like(image) + 0.5,
            "raises": lambda: image @ image,
        }
        return given[self.gives]()


def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, *options: str) -> tuple[int, str]:
    """Runs the command line; returns its exit code and its one line."""
    out = tmp_path / "refused-out"
    code = main([*options, "--out", str(out)])
    line = capsys.readouterr().err.strip()
    assert "\n" not in line, line
    assert not out.exists()
    return code, line


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        ("half", "gives (1, 3, 8, 32) for image of 32x16, expected an image (1, 3, 16, 32)"),
        ("grey", "gives (1, 1, 16, 32) for image of 32x16"),
        ("list", "gives list for image of 32x16"),
        ("nan", "gives 1536 of 1536 values that are not finite for a seeded item"),
        ("same", "gives the same image for two different items"),
        ("raises", "fails on image of 32x16"),
    ],
)
def test_what_gives_no_image_of_its_size_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gives: str, words: str
) -> None:
    given = ("tests.test_translator:Odd", "--option", f"gives={gives}", *SMALL)
    code, line = refused(capsys, tmp_path, *given)
    assert (code, words in line) == (3, True), line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--inputs", "image,depth"), "--inputs has 'depth', which is none of image, label, style"),
        (("--inputs", "image,image"), "--inputs has image twice"),
        (("--inputs", "style,noise", "--noise", "8"), "has neither image nor label"),
        (("--inputs", "image,noise"), "--noise and noise in --inputs go together"),
        (("--noise", "8"), "--noise and noise in --inputs go together"),
        (("--unknown", ZEROS), "--unknown is of labels"),
        (("--height", "8"), "--height 8 must be 16 to 8192"),
        (("--height", "8192", "--width", "8192"), "must be 33000000 at most"),
        (("--input-range", "1", "-1"), "--input-range 1 -1 must be from"),
        (("--output-range", "0", "nan"), "--output-range 0 nan must be from"),
        (("--inputs", "image,noise", "--noise", "9999x9999x9"), "67108864 at most"),
    ],
)
def test_what_no_worker_can_give_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    code, line = refused(capsys, tmp_path, *POINTWISE, *SMALL, *options)
    assert (code, words in line) == (2, True), line


@pytest.mark.parametrize("noise", ["8x8", "0", "1x2x3x4", "-3", "8x"])
def test_a_shape_of_noise_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], noise: str
) -> None:
    with pytest.raises(SystemExit):
        main([*POINTWISE, *SMALL, f"--noise={noise}", "--out", str(tmp_path / "out")])
    assert "is neither a number" in capsys.readouterr().err


def test_an_earlier_export_is_kept_unless_it_is_to_be_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "translator.json").write_text("{}")
    assert main([*POINTWISE, *SMALL, "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert (out / "translator.json").read_text() == "{}"


def test_values_far_beyond_their_range_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(3)
    given = [*POINTWISE, *SMALL, "--input-range", "0", "255", "--output-range", "0", "1"]
    assert main([*given, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "beyond --output-range 0 1 becomes black or white" in said.out + said.err


def test_a_generator_without_noise_or_label_takes_an_image_alone() -> None:
    with torch.no_grad():
        assert Generator()(torch.zeros(1, 3, 16, 32)).shape == (1, 3, 16, 32)
