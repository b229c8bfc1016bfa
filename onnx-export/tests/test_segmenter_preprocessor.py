"""What the preprocessor of a segmenter's folder does to the numbers of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnx_export.errors import CheckpointError
from onnx_export.segmenter.folder import UNSAID, steps_unsaid, stored_normalisation


def test_bytes_are_normalised_as_the_preprocessor_says(tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    settings = {"image_mean": [0.5, 0.25, 0.125], "image_std": [0.5, 0.5, 0.25]}
    for factor in ({}, {"rescale_factor": 0.00392156862745098}):
        found = stored_normalisation(path, settings | factor)
        assert (found.mean, found.std) == ((0.5, 0.25, 0.125), (0.5, 0.5, 0.25))
    of_bytes = {"do_rescale": False, "image_mean": [51, 102, 0], "image_std": [255, 127.5, 51]}
    found = stored_normalisation(path, of_bytes)
    assert (found.mean, found.std) == ((0.2, 0.4, 0.0), (1.0, 0.5, 0.2))
    found = stored_normalisation(path, settings | {"do_normalize": False})
    assert (found.mean, found.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    found = stored_normalisation(path, settings | {"do_rescale": None, "do_normalize": None})
    assert found.mean == (0.5, 0.25, 0.125)
    found = stored_normalisation(path, settings, UNSAID | {"do_normalize": None})
    assert (found.mean, found.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    # From -1 to 1.
    found = stored_normalisation(path, {"rescale_factor": 2 / 255, "image_mean": [1, 1, 1],
                                        "image_std": [1, 1, 1]})  # fmt: skip
    assert found.mean == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "image_mean as None, expected three numbers"),
        ({"image_mean": [0.5, 0.5]}, r"image_mean as \[0.5, 0.5\]"),
        ({"image_mean": [0.5, 0.5, "0"]}, "expected three numbers"),
        (
            {"image_mean": [0, 0, 0], "image_std": [1, 0, 1]},
            "expected numbers above 0: download it again",
        ),
        ({"rescale_factor": 0}, "rescale_factor as 0"),
        ({"rescale_factor": True}, "rescale_factor as True"),
        ({"rescale_factor": 1e-320}, "rescale_factor as 1e-320"),
        ({"rescale_factor": 1e-6}, "rescale_factor as 1e-06"),
        ({"rescale_factor": float("inf")}, "rescale_factor as inf"),
        ({"rescale_factor": 256}, "rescale_factor as 256, expected one such as 1/255"),
        ({"image_mean": [0, 0, 10**400]}, "expected three numbers"),
        (
            {"rescale_factor": 2e-6, "image_mean": [1e38, 0, 0], "image_std": [1, 1, 1]},
            "which float32 cannot hold",
        ),
        ({"image_mean": [0, 0, 0], "image_std": [1, 1, 1e-40]}, "which float32 cannot hold"),
        (
            {"do_flip_channel_order": True, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]},
            r"preprocessor_config\.json has the channels of images flipped .* in a --factory that",
        ),
    ],
)
def test_a_preprocessor_that_says_no_numbers_is_refused(
    tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        stored_normalisation(tmp_path / "preprocessor_config.json", settings)


@pytest.mark.parametrize(
    ("file", "model_type", "normalises", "flips"),
    [
        ({}, "segformer", True, False),
        ({}, "mobilevit", False, True),
        ({}, "a network of its own", True, False),
        ({"feature_extractor_type": "MobileViTFeatureExtractor"}, "segformer", False, True),
        ({"image_processor_type": "SegformerImageProcessorFast"}, "mobilevit", True, False),
        ({"image_processor_type": "TrainingArguments"}, "segformer", True, False),
        ({"image_processor_type": ["SegformerImageProcessor"]}, "mobilevit", False, True),
    ],
)
def test_what_a_preprocessor_does_not_say_is_what_its_class_does(
    file: dict[str, object], model_type: str, normalises: bool, flips: bool
) -> None:
    unsaid = steps_unsaid({"model_type": model_type}, file)
    assert unsaid["do_rescale"] is True
    assert unsaid["rescale_factor"] == pytest.approx(1 / 255)
    assert bool(unsaid["do_normalize"]) == normalises
    assert bool(unsaid.get("do_flip_channel_order")) == flips
