"""Numbers of the kernels, by Triton's interpreter, beside the definition in float64."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gpu_kernels.blocks import Blocks
from gpu_kernels.interpret import How
from gpu_kernels.layers import PAPER, RELEASED, Exchange, Filter, Layer
from gpu_kernels.tests import oracle
from gpu_kernels.traffic import Layout

STRENGTH = 1.67
# More tokens than some tiles, and no whole number of them.
TOKENS = 90
BLOCKS = Blocks(queries=64, keys=64, warps=4)
NAMES = ("query", "style_key", "style_value", "content_query", "content_key", "content_value")
GOLDEN = Path(__file__).parents[3] / "tests" / "fixtures" / "golden" / "attention.npz"
SINGLE = 1e-5
# The distance of numbers of half precision, where outputs are largest: the bound of the graphs.
HALF = 8e-3


@dataclass(frozen=True)
class Case:
    """What kernels are asked for, of which arrays."""

    how: How
    arrays: dict[str, np.ndarray]

    def expected(self) -> np.ndarray:
        """Returns what the definition says."""
        return oracle.injected(self.arrays, self.how.layer, self.how.strength, self.how.filter)


def filters() -> list[Filter | None]:
    """Returns every filter that settings can ask for, those between, and none and all weak."""
    exchanges: tuple[Exchange, ...] = ("columns", "rows")
    kinds = itertools.product(exchanges, (True, False), (True, False))
    ends = itertools.product(exchanges, (0.0, 1.0))
    return [
        None,
        *(Filter(0.25, exchange, by, over) for exchange, by, over in kinds),
        *(Filter(share, exchange, True, True) for exchange, share in ends),
    ]


def drawn(layer: Layer, dtype: type[np.floating], scale: float = 1.0) -> dict[str, np.ndarray]:
    """Returns normal numbers; queries and keys are so many times as large."""
    generator = np.random.default_rng(layer.width)
    shape = (layer.tokens, layer.heads * layer.width)
    times = {name: 1.0 if name.endswith("value") else scale for name in NAMES}
    drawn = {name: generator.standard_normal(shape) * times[name] for name in NAMES}
    if scale > 100:
        # Products of whole numbers are exact, in whatever order they are summed.
        drawn |= {name: np.round(drawn[name]) for name in NAMES if times[name] > 1}
    return {name: array.astype(np.float16).astype(dtype) for name, array in drawn.items()}


def cases() -> dict[str, Case]:
    """Returns every case by its name."""
    found = {}
    for width, heads in ((40, 2), (64, 1), (80, 2), (24, 3)):
        layer = Layer(TOKENS, heads, width)
        for dtype in (np.float32, np.float16):
            every = filters() if (width, dtype) == (40, np.float32) else [None, RELEASED, PAPER]
            for place, filter_ in enumerate(every):
                scale = 3.6 if dtype == np.float16 else 1.0
                case = Case(How(layer, STRENGTH, filter_, BLOCKS), drawn(layer, dtype, scale))
                found[f"{dtype.__name__} {width} filter {place}"] = case
    layer = Layer(TOKENS, 2, 40)
    for strength in (0.5, 20.0):
        case = Case(How(layer, strength, RELEASED, BLOCKS), drawn(layer, np.float32))
        found[f"float32 strength {strength}"] = case
    small = How(layer, STRENGTH, RELEASED, Blocks(32, 16, 4))
    found["float32 small tiles"] = Case(small, drawn(layer, np.float32))
    layer = Layer(TOKENS, 1, 64)
    for name, filter_ in (("none", None), ("released", RELEASED), ("paper", PAPER)):
        how = How(layer, STRENGTH, filter_, BLOCKS)
        found[f"float16 large scores {name}"] = Case(how, drawn(layer, np.float16, 180.0))
    return found | goldens() | odd_ones()


def tokens(array: np.ndarray) -> np.ndarray:
    """Returns `(heads, tokens, width)` as `(tokens, heads * width)`."""
    return array.transpose(1, 0, 2).reshape(array.shape[1], -1).astype(np.float32)


def goldens() -> dict[str, Case]:
    """Returns the authors' attention call."""
    of_golden = {"query": "query_output", "style_key": "key_style", "style_value": "value_style"}
    for role in ("query", "key", "value"):
        of_golden[f"content_{role}"] = f"{role}_content"
    with np.load(GOLDEN) as golden:
        heads, length, width = golden["query_output"].shape
        arrays = {name: tokens(golden[theirs]) for name, theirs in of_golden.items()}
    layer = Layer(length, heads, width)
    hows: dict[str, Filter | None] = {
        "cross_image": None,
        "released_output": RELEASED,
        "paper_output": PAPER,
    }
    return {
        f"golden {name}": Case(How(layer, STRENGTH, filter_, BLOCKS), arrays)
        for name, filter_ in hows.items()
    }


def odd_ones() -> dict[str, Case]:
    """Returns cases whose best matches are equal, and cases with what is no number."""
    layer = Layer(TOKENS, 2, 40)
    twice = drawn(layer, np.float32)
    for name in ("style_key", "style_value", "content_key"):
        # Keys that are the same, whose values are not: what is weak says which of them was taken.
        half = TOKENS // 2
        twice[name][half:] = twice[name][:half] if name.endswith("key") else twice[name][half:]
    found = {}
    for name, filter_ in (("released", RELEASED), ("paper", PAPER)):
        found[f"equal {name}"] = Case(How(layer, STRENGTH, filter_, BLOCKS), twice)
    filters_by_name = {"none": None, "released": RELEASED, "paper": PAPER}
    for role, value in itertools.product(NAMES[:3], (np.nan, np.inf)):
        for name, how in filters_by_name.items():
            arrays = drawn(layer, np.float32)
            arrays[role][:, 5] = value
            found[f"odd {role} {value} {name}"] = Case(How(layer, STRENGTH, how, BLOCKS), arrays)
    return found


@pytest.fixture(scope="module")
def asked() -> dict[str, Case]:
    return cases()


@pytest.fixture(scope="module")
def found(
    asked: dict[str, Case], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("kernels")
    arrays = {
        f"{case}/{name}": array for case, one in asked.items() for name, array in one.arrays.items()
    }
    arrays |= {f"{case}/how": np.array(one.how.json()) for case, one in asked.items()}
    np.savez(folder / "asked.npz", allow_pickle=False, **arrays)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "gpu_kernels.interpret",
        folder / "asked.npz",
        folder / "found.npz",
    ]
    root = Path(__file__).parents[2]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    ended = subprocess.run(
        command, env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    with np.load(folder / "found.npz") as archive:
        return dict(archive)


def worst(found: dict[str, np.ndarray], asked: dict[str, Case], start: str) -> dict[str, float]:
    """Returns how far the cases of a name are off at worst."""
    names = [name for name in asked if name.startswith(start)]
    assert names
    apart = {
        name: np.abs(found[name].astype(np.float64) - asked[name].expected()) for name in names
    }
    return {name: float(numbers.max()) for name, numbers in apart.items()}


def test_every_variant_is_what_the_definition_says(
    found: dict[str, np.ndarray], asked: dict[str, Case]
) -> None:
    off = worst(found, asked, "float32")
    assert max(off.values()) < SINGLE, off


def test_half_precision_differs_by_its_rounding_alone(
    found: dict[str, np.ndarray], asked: dict[str, Case]
) -> None:
    off = worst(found, asked, "float16")
    assert max(off.values()) < HALF, off


def test_the_authors_attention_comes_out(found: dict[str, np.ndarray]) -> None:
    with np.load(GOLDEN) as golden:
        for name in ("cross_image", "released_output", "paper_output"):
            np.testing.assert_allclose(
                found[f"golden {name}"], tokens(golden[name]), atol=SINGLE, rtol=0
            )


def test_of_equal_matches_the_one_at_the_smallest_index_is_taken(
    found: dict[str, np.ndarray], asked: dict[str, Case]
) -> None:
    off = worst(found, asked, "equal")
    assert max(off.values()) < SINGLE, off


def test_the_bytes_that_are_told_are_those_of_all_loads_and_stores(
    found: dict[str, np.ndarray], asked: dict[str, Case]
) -> None:
    told = {}
    for name, case in asked.items():
        if name.startswith("float16 40 "):
            layout = Layout(case.how.layer, "fp16", BLOCKS, BLOCKS)
            told[name] = sum(launch.asked for launch in layout.injected(case.how.filter))
    assert len(told) == 3
    assert told == {name: int(found[f"{name}/bytes"]) for name in told}


def test_what_is_not_finite_never_comes_out_as_numbers(found: dict[str, np.ndarray]) -> None:
    odd = [name for name in found if name.startswith("odd") and not name.endswith("/bytes")]
    assert odd
    hidden = [name for name in odd if np.isfinite(found[name]).all()]
    assert hidden == []
