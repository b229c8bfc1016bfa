"""The mean IoU of each arm as a picture: a point for each seed, a bar for their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from downstream.arms import ArmKind
from downstream.bootstrap import Verdict
from downstream.results import ArmResult
from downstream.store import write_whole

BARS = {
    ArmKind.SOURCE: "#8d99a6",
    ArmKind.COLOUR_TRANSFER: "#c9a227",
    ArmKind.RUN: "#2f6f9f",
    ArmKind.SOURCE_AND_RUN: "#7fb2d6",
    ArmKind.ORACLE: "#4f8a4f",
}
MARKS = {Verdict.HELPS: "helps", Verdict.HARMS: "harms", Verdict.UNTOLD: "not told"}


def draw(path: Path, panels: Mapping[str, Sequence[ArmResult]]) -> None:
    """Writes a picture with a panel for each title; all have the same axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = max(len(results) for results in panels.values())
    figure = Figure(figsize=(1.6 + 4.2 * len(panels), 1.3 + 0.42 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (title, results) in zip(axes, panels.items(), strict=True):
        places = range(len(results))
        axis.barh(
            places, [result.miou.mean for result in results],
            color=[BARS[result.kind] for result in results], height=0.68,
        )  # fmt: skip
        for place, result in zip(places, results, strict=True):
            seeds = result.miou.seeds
            axis.plot(seeds, [place] * len(seeds), "o", color="#1d2733", markersize=3.5)
            against = result.against_source
            if against is not None:
                text = f"{against.difference:+.1f}, {MARKS[against.verdict]}"
                axis.annotate(
                    text, (max(result.miou.mean, *seeds), place), (6, 0),
                    textcoords="offset points", va="center", fontsize=8,
                )  # fmt: skip
        axis.axvline(results[0].miou.mean, color="#8d99a6", linewidth=0.8, linestyle="--", zorder=0)
        axis.set_title(title, fontsize=10)
        axis.set_yticks(list(places), [result.name for result in results], fontsize=9)
        axis.set_xlabel("mean IoU, %", fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    largest = max(max(result.miou.seeds) for results in panels.values() for result in results)
    axes[0].set_xlim(0, max(1.0, largest * 1.32))
    axes[0].invert_yaxis()
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=130))
