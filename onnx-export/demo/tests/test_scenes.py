"""The scenes are deterministic and fully labelled; the committed dataset is what they draw."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.classes import COLOURS, Label
from demo.dataset import STYLES, dataset_files, in_colour
from demo.looks import LOOKS
from demo.scene import make_scene

COMMITTED = Path(__file__).parents[3] / "infra/demo/data"


def drawn(seed: int, look: str) -> tuple[np.ndarray, np.ndarray]:
    image, labels = make_scene(seed).render(LOOKS[look], 256, 128, supersampling=1)
    return np.asarray(image), np.asarray(labels)


def test_a_seed_always_draws_the_same_scene() -> None:
    for first, second in zip(drawn(3, "night"), drawn(3, "night"), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("look", LOOKS)
def test_every_pixel_has_a_known_label(look: str) -> None:
    for seed in range(3):
        assert set(np.unique(drawn(seed, look)[1])) <= set(Label)


@pytest.mark.parametrize("look", sorted(set(LOOKS) - {"day"}))
def test_a_look_changes_colours_and_no_geometry(look: str) -> None:
    day, day_labels = drawn(5, "day")
    other, other_labels = drawn(5, look)
    np.testing.assert_array_equal(day_labels, other_labels)
    for label in (Label.SKY, Label.ROAD, Label.BUILDING):
        mask = day_labels == label
        difference = np.abs(day[mask].mean(axis=0) - other[mask].mean(axis=0))
        assert difference.max() > 10, f"{label.name} looks the same by day and in {look}"


def test_label_colours_are_told_apart() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS) == len(Label)


def test_a_colour_label_map_leads_back_to_the_ids() -> None:
    _, labels = make_scene(7).render(LOOKS["day"], 128, 64, supersampling=1)
    colours = np.asarray(in_colour(labels, "RGBA"))[:, :, :3]
    for label in np.unique(np.asarray(labels)):
        mask = np.asarray(labels) == label
        assert (colours[mask] == COLOURS[Label(label)]).all()


def test_the_committed_contents_are_what_the_code_draws() -> None:
    """Checks the first content, image and label map: the others come from the same code."""
    for name, image in islice(dataset_files(), 2):
        committed = Image.open(COMMITTED / name)
        assert committed.mode == image.mode
        np.testing.assert_array_equal(np.asarray(committed), np.asarray(image))


def test_the_committed_dataset_is_complete() -> None:
    contents = [f"{number:05}.png" for number in range(1, 13)]
    for folder in ("images", "labels"):
        assert sorted(p.name for p in (COMMITTED / "gta5" / folder).iterdir()) == contents
    for style in STYLES:
        assert (COMMITTED / "style/images" / style.image_name).exists()
        assert (COMMITTED / "style/labels" / style.label_name).exists()
