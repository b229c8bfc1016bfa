"""Seconds an image from counts: what they depend on, their order, and how they are told."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baseline.estimate.cli import main
from baseline.estimate.gpus import GPUS, Gpu
from baseline.estimate.injection import Filter
from baseline.estimate.model import Model
from baseline.estimate.report import figure
from baseline.estimate.ways import Evaluations, Part, Way, authors_evaluations, ways
from baseline.estimate.work import Kernel, Unit
from baseline.rival import read_contract
from baseline.settings import METHODS, Settings, Steps

MODEL = Path(__file__).parents[3] / "tests/fixtures/golden-model"
GPU = Gpu(
    name="round",
    tensor_tflops=4.0,
    float32_tflops=1.0,
    gigabytes_per_second=1.0,
    launch_microseconds=5.0,
    tensor_share=0.5,
    float32_share=0.5,
    memory_share=0.5,
)
FILTERS = [
    Filter(0.25, query_rows=False, full_width_match=False),
    Filter(0.0, query_rows=False, full_width_match=False),
    Filter(0.25, query_rows=True, full_width_match=True),
]


def settings_of(method: str, injected: str = "1..") -> Settings:
    return Settings(METHODS[method], injected_steps=Steps.parse(injected))


@cache
def model_of(dtype: str) -> Model:
    return Model(MODEL, read_contract(MODEL), dtype)


@cache
def ways_of(method: str, dtype: str, styles: int, found: Filter = FILTERS[0]) -> dict[str, Way]:
    settings = settings_of(method)
    filtering = found if settings.method.filtering else None
    return {way.key: way for way in ways(model_of(dtype), settings, filtering, styles)}


def random_gpus(count: int) -> list[Gpu]:
    """Returns seeded GPUs of all kinds: each may be short of anything."""
    generator = np.random.default_rng(0)
    draws = [10.0 ** generator.uniform(-2.0, 4.0, 4) for _ in range(count)]
    return [
        Gpu(
            name="drawn",
            tensor_tflops=tensor,
            float32_tflops=single,
            gigabytes_per_second=memory,
            launch_microseconds=launch / 100.0,
        )
        for tensor, single, memory, launch in (map(float, draw) for draw in draws)
    ]


def test_a_kernel_takes_as_long_as_what_it_lacks_most() -> None:
    assert Kernel("computes", 1.0, 4e12, Unit.HALF).seconds(GPU) == 2.0
    assert Kernel("computes", 1.0, 4e12, Unit.TF32).seconds(GPU) == 4.0
    assert Kernel("computes", 1.0, 4e12, Unit.SINGLE).seconds(GPU) == 8.0
    assert Kernel("moves", 1e9, 1.0).seconds(GPU) == 2.0
    assert Kernel("is launched", 1.0, launches=2).seconds(GPU) == pytest.approx(1e-5)
    both = Part("both", 2.0, (Kernel("moves", 1e9), Kernel("computes", 0.0, 4e12)))
    assert Way("way", "way", (both, both)).seconds(GPU) == 2 * 2.0 * (2.0 + 8.0)


@pytest.mark.parametrize(
    ("method", "injected", "styles", "expected"),
    [
        ("cactif", "1..", 1, (20, 19, 0)),
        ("cactif", "1..", 3, (20 / 3, 19, 0)),
        ("cactif", "0..", 1, (20, 20, 0)),
        ("cross-image", "5..15", 1, (20, 10, 9)),
        ("adain", "1..", 1, (20, 0, 19)),
    ],
)
def test_evaluations_are_those_of_the_engine(
    method: str, injected: str, styles: int, expected: tuple[float, int, int]
) -> None:
    evaluations = Evaluations.of(settings_of(method, injected), styles)
    assert (evaluations.content, evaluations.injected, evaluations.plain) == expected
    assert evaluations.total == sum(expected)


def test_the_authors_evaluate_170_latents() -> None:
    assert authors_evaluations(settings_of("cactif")) == 170
    authors = ways_of("cactif", "fp16", 1)["authors"]
    times = {part.name: part.times for part in authors.parts}
    assert times == {
        "inversion": 50,
        "injected pass": 19,
        "plain pass": 21,
        "encode": 1,
        "decode": 1,
    }


def test_better_figures_never_take_longer() -> None:
    better = {
        "tensor_tflops": 2.0,
        "float32_tflops": 2.0,
        "gigabytes_per_second": 2.0,
        "launch_microseconds": 0.5,
        "tensor_share": 1.5,
        "float32_share": 1.2,
        "memory_share": 1.2,
    }
    counted = ways_of("cactif", "fp16", 1)
    for gpu, (name, factor) in itertools.product([*GPUS.values(), GPU], better.items()):
        changed: dict[str, Any] = {name: min(getattr(gpu, name) * factor, 1e4)}
        if name.endswith("_share"):
            changed[name] = min(changed[name], 1.0)
        improved = replace(gpu, **changed)
        for way in counted.values():
            assert way.seconds(improved) <= way.seconds(gpu)
    twice = replace(GPU, tensor_tflops=8.0, float32_tflops=2.0, gigabytes_per_second=2.0)
    twice = replace(twice, launch_microseconds=2.5)
    assert counted["now"].seconds(twice) == pytest.approx(counted["now"].seconds(GPU) / 2)


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_faster_than_the_limit_and_no_change_makes_slower(
    method: str, dtype: str
) -> None:
    found = FILTERS if METHODS[method].filtering else FILTERS[:1]
    for styles, one in itertools.product((1, 3), found):
        counted = ways_of(method, dtype, styles, one)
        for gpu in [*GPUS.values(), *random_gpus(8)]:
            took = {key: way.seconds(gpu) for key, way in counted.items()}
            slack = 1.0 + 1e-9
            assert all(took["limit"] <= other * slack for other in took.values())
            assert took["captured"] <= took["norms"] * slack
            assert took["norms"] <= took["fused"] * slack


def test_styles_share_what_their_content_costs() -> None:
    one, three = (ways_of("cactif", "fp16", styles) for styles in (1, 3))
    for key in ("now", "limit", "pytorch"):
        assert three[key].seconds(GPU) < one[key].seconds(GPU)
    assert three["authors"].seconds(GPU) == one["authors"].seconds(GPU)


def test_a_vae_of_its_own_precision_keeps_it() -> None:
    contract = {**read_contract(MODEL), "vae": {"dtype": "fp32", "weights": "fp32"}}
    half, mixed = Model(MODEL, read_contract(MODEL), "fp16"), Model(MODEL, contract, "fp16")
    assert (half.vae_half, mixed.half, mixed.vae_half) == (True, True, False)


def test_table_and_json_say_the_same_without_any_weight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(MODEL, model, ignore=shutil.ignore_patterns("*.data"))
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ntensor_tflops = 71\nfloat32_tflops = 35.6\ngigabytes_per_second = 936\n'
    )
    path = tmp_path / "estimate.json"
    arguments = ["--model", str(model), "--dtype", "fp16", "--styles", "3", "--gpu", "H100"]
    assert main([*arguments, "--gpu-file", str(own), "--json", str(path)]) == 0
    told = capsys.readouterr().out
    report = json.loads(path.read_text())
    assert (report["measured"], report["dtype"], report["styles"]) == (False, "fp16", 3)
    assert report["evaluations"] == pytest.approx(25.67, abs=0.01)
    assert [gpu["name"] for gpu in report["gpus"]] == ["H100", "own"]
    rows = [line.strip("| ").split(" | ") for line in told.splitlines() if line.startswith("|")]
    assert rows[0][:3] == ["seconds an image", "H100", "own"]
    assert {row[0] for row in rows[2:]} == {way["name"] for way in report["ways"].values()}
    for row, (key, way) in zip(rows[2:], report["ways"].items(), strict=True):
        assert row[0] == way["name"]
        assert row[1:3] == [figure(gpu["seconds"][key]) for gpu in report["gpus"]]
        for gpu in report["gpus"]:
            parts = sum(
                part["times"] * gpu["parts"][key][name] for name, part in way["parts"].items()
            )
            assert parts == pytest.approx(gpu["seconds"][key])
    assert "An estimate, nothing was measured" in told


def test_gpus_of_the_table_have_sources_and_all_are_estimated_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert all(gpu.source for gpu in GPUS.values())
    assert main(["--model", str(MODEL)]) == 0
    assert f"| {' | '.join(GPUS)} |" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "is no TOML"),
        ('name = "own"\ntensor_tflops = 1', "must have a GPU's keys"),
        ("{figures}\ntflops = 1", "must have a GPU's keys"),
        ("{figures}\ntensor_share = 1.5", "tensor_share (1.5) of own must be at most 1"),
        ("{figures}\nmemory_share = 0", "memory_share (0.0) of own must be a positive number"),
        ("{figures}\nlaunch_microseconds = nan", "launch_microseconds (nan)"),
        ('{figures}\ntensor_share = "half"', "tensor_share ('half') must be a number"),
        ("{figures}\nsource = 1", "source (1) must be a text"),
        ("#" * (1 << 17), "is longer than"),
    ],
)
def test_figures_that_are_none_are_refused_in_a_line(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = 'name = "own"\ntensor_tflops = 1\nfloat32_tflops = 1\ngigabytes_per_second = 1'
    path = tmp_path / "gpu.toml"
    path.write_text(text.replace("{figures}", figures))
    assert main(["--model", str(MODEL), "--gpu-file", str(path)]) == 3
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert expected in told.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--styles", "0"], 2),
        (["--skip", "50"], 2),
        (["--injected-steps", "one"], 2),
        (["--gpu-file", "nowhere.toml"], 3),
        (["--json", "nowhere/estimate.json"], 3),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(MODEL), *arguments]) == code
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)


@pytest.mark.parametrize(
    "contract",
    [
        [],
        {},
        {"dtype": "fp8"},
        {**read_contract(MODEL), "segments": [{"file": 1, "layer": None}]},
        {
            **read_contract(MODEL),
            "segments": [{"file": "a.onnx", "layer": {"tokens": -1, "heads": 8, "head_width": 40}}],
        },
        {**read_contract(MODEL), "vae": {"dtype": "int8"}},
    ],
)
def test_a_contract_that_is_none_is_told_in_a_line(
    contract: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.json").write_text(json.dumps(contract))
    assert main(["--model", str(tmp_path)]) == 3
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "model.json" in told.err


def test_figures_keep_two_digits() -> None:
    values = (84891.0, 12.34, 2.04, 0.567, 0.0341, 0.0)
    assert [figure(value) for value in values] == ["84891", "12", "2.0", "0.57", "0.034", "0"]
