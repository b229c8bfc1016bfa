"""Figures follow from the pixels that were counted, exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from downstream.bootstrap import Bootstrap, Interval, Verdict, compare, draws, resampled
from downstream.classes import NUM_CLASSES, UNKNOWN
from downstream.scores import OverSeeds, ious, mean_iou
from downstream.testing import confusion


def counted(*pixels: tuple[int, int, int]) -> np.ndarray:
    """Returns a confusion of `(label, prediction, pixels)`."""
    counts = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    for label, predicted, number in pixels:
        counts[label, predicted] += number
    return counts


def random_confusions(seed: int, seeds: int, images: int, right: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 50, (seeds, images, NUM_CLASSES, NUM_CLASSES))
    counts[..., range(NUM_CLASSES), range(NUM_CLASSES)] += right
    return counts


def test_a_confusion_counts_each_pixel_with_a_class_once() -> None:
    labels = np.array([[0, 0, 1], [UNKNOWN, 18, 1]], np.uint8)
    predicted = np.array([[0, 1, 1], [5, 18, 0]], np.uint8)
    counts = confusion(labels, predicted)
    expected = counted((0, 0, 1), (0, 1, 1), (1, 1, 1), (18, 18, 1), (1, 0, 1))
    np.testing.assert_array_equal(counts, expected)
    assert counts.dtype == np.int64


def test_confusions_of_parts_sum_up_to_that_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, NUM_CLASSES, (2, 64, 64)).astype(np.uint8)
    parts = sum(confusion(labels[at], predicted[at]) for at in range(64))
    np.testing.assert_array_equal(parts, confusion(labels, predicted))


def test_an_iou_is_what_is_right_of_what_is_either() -> None:
    each = ious(counted((0, 0, 6), (0, 1, 2), (1, 1, 2), (1, 2, 2)))
    assert each[0] == pytest.approx(100 * 6 / 8)
    assert each[1] == pytest.approx(100 * 2 / 6)
    # No label shows the others: what was taken for them is missing at the first two.
    assert np.isnan(each[2:]).all()
    assert mean_iou(counted((0, 0, 6), (0, 1, 2), (1, 1, 2), (1, 2, 2))) == pytest.approx(
        (75 + 100 / 3) / 2
    )


def test_the_mean_iou_of_a_set_is_of_summed_confusions_and_no_mean_of_means() -> None:
    first, second = counted((0, 0, 1), (1, 1, 1)), counted((0, 1, 98), (1, 1, 2))
    of_sums = mean_iou(first + second)
    assert of_sums == pytest.approx((100 * 1 / 99 + 100 * 3 / 101) / 2)
    assert of_sums != pytest.approx((mean_iou(first) + mean_iou(second)) / 2)


def test_a_deviation_is_that_of_a_sample() -> None:
    figure = OverSeeds((1.0, 2.0, 6.0))
    assert figure.mean == 3.0
    assert figure.deviation == pytest.approx(7**0.5)
    assert OverSeeds((1.0,)).deviation is None


def test_a_resample_is_exactly_the_score_of_the_images_that_were_drawn() -> None:
    confusions = random_confusions(1, seeds=2, images=3, right=30)
    every = list(itertools.product(range(3), repeat=3))
    drawn = np.array([np.bincount(draw, minlength=3) for draw in every])
    scores = resampled(confusions, drawn)
    for at, draw in enumerate(every):
        for seed in range(2):
            expected = mean_iou(sum(confusions[seed, image] for image in draw))
            assert scores[seed, at] == expected


def test_draws_are_seeded_and_each_has_as_many_as_there_are() -> None:
    first = draws(np.random.default_rng(5), 100, 7)
    np.testing.assert_array_equal(first, draws(np.random.default_rng(5), 100, 7))
    assert (first.sum(1) == 7).all()
    assert len({tuple(draw) for draw in first}) > 50


def test_with_one_image_and_equal_seeds_the_interval_is_the_difference() -> None:
    better = np.repeat(random_confusions(2, 1, 1, right=400), 3, axis=0)
    worse = np.repeat(random_confusions(3, 1, 1, right=100), 3, axis=0)
    compared = compare(better, worse, Bootstrap(resamples=50))
    difference = float(mean_iou(better[0, 0]) - mean_iou(worse[0, 0]))
    assert compared.difference == pytest.approx(difference)
    assert compared.interval.low == pytest.approx(difference)
    assert compared.interval.high == pytest.approx(difference)
    assert compared.verdict is Verdict.HELPS
    assert compare(worse, better, Bootstrap(resamples=50)).verdict is Verdict.HARMS


def test_the_same_confusions_tell_no_difference() -> None:
    confusions = random_confusions(4, 3, 5, right=100)
    compared = compare(confusions, confusions, Bootstrap())
    assert compared.interval == Interval(0.0, 0.0)
    assert compared.verdict.value == "no difference can be told"


def test_the_luck_of_seeds_is_no_effect() -> None:
    base = np.repeat(random_confusions(5, 1, 40, right=200), 3, axis=0)
    lucky = base.copy()
    # One of three trainings is better and one is a little worse.
    diagonal = range(NUM_CLASSES)
    lucky[0][..., diagonal, diagonal] += 200
    lucky[1][..., diagonal, diagonal] -= 10
    compared = compare(lucky, base, Bootstrap())
    assert compared.of_images.low > 0
    assert compared.verdict is Verdict.UNTOLD


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 2.0, "helps"), (-2.0, -0.1, "harms"), (-1.0, 1.0, "no difference can be told"),
     (0.0, 1.0, "no difference can be told"), (-1.0, 0.0, "no difference can be told")],
)  # fmt: skip
def test_an_interval_that_holds_zero_tells_nothing(low: float, high: float, verdict: str) -> None:
    assert Interval(low, high).verdict.value == verdict
