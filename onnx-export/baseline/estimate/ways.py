"""Who computes an image how: the evaluations, and the work of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from baseline.estimate import injection
from baseline.estimate.gpus import Gpu
from baseline.estimate.graphs import FUSED_NORMS, ONNX_RUNTIME, PYTORCH, Rules
from baseline.estimate.injection import Filter
from baseline.estimate.model import Model
from baseline.estimate.work import Kernel, Totals, Unit, Work, totals
from baseline.settings import Settings

BRANCHES = 3
"""The authors evaluate an output, its style and its content at once."""
PASSES = 2
"""The authors evaluate each executed step with injection and without."""


@dataclass(frozen=True)
class Evaluations:
    """How often the UNet is evaluated for an image; a content is shared by its styles.

    Styles are recorded once for a dataset, and not among these.
    """

    content: float
    injected: int
    plain: int

    @property
    def total(self) -> float:
        return self.content + self.injected + self.plain

    @staticmethod
    def of(settings: Settings, styles: int) -> Evaluations:
        """Returns the engine's: the output of a first step without injection is the content."""
        executed = settings.steps - settings.skip
        injected = injected_steps(settings)
        shared = 0 if injects(settings, 0) else 1
        return Evaluations(executed / styles, injected, executed - injected - shared)


def injects(settings: Settings, step: int) -> bool:
    """Returns whether a step injects."""
    return settings.method.injection and step in settings.injected_steps


def injected_steps(settings: Settings) -> int:
    """Returns how many executed steps inject."""
    return sum(injects(settings, step) for step in range(settings.steps - settings.skip))


@dataclass(frozen=True)
class Part:
    """Work that an image needs so many times."""

    name: str
    times: float
    work: Work

    @cached_property
    def kinds(self) -> Counter[Kernel]:
        """The kernels, each with how often it is there: many are alike."""
        return Counter(self.work)

    def seconds(self, gpu: Gpu) -> float:
        """Returns the seconds of doing it once."""
        return sum(count * kernel.seconds(gpu) for kernel, count in self.kinds.items())


@dataclass(frozen=True)
class Way:
    """A way to compute an image."""

    key: str
    name: str
    parts: tuple[Part, ...]

    def seconds(self, gpu: Gpu) -> float:
        """Returns the seconds of an image."""
        return sum(part.times * part.seconds(gpu) for part in self.parts)

    def totals(self) -> Totals:
        """Returns what an image asks for."""
        sums = [(part.times, totals(part.work)) for part in self.parts]
        return Totals(
            operations=sum(times * one.operations for times, one in sums),
            bytes=sum(times * one.bytes for times, one in sums),
            launches=round(sum(times * one.launches for times, one in sums)),
        )

    def captured(self, key: str, name: str) -> Way:
        """Returns this way with launches that the GPU makes itself."""
        parts = tuple(
            replace(part, work=tuple(replace(kernel, launches=0) for kernel in part.work))
            for part in self.parts
        )
        return Way(key, name, parts)


def ways(model: Model, settings: Settings, found: Filter | None, styles: int) -> list[Way]:
    """Returns all ways: ours as it is and after each change, its limit, and PyTorch's."""
    half = model.half
    now = tuple(k for layer in model.layers for k in injection.written(layer, found, half))
    one = tuple(k for layer in model.layers for k in injection.fused(layer, found, half))
    norms = ours("norms", "and NHWC, norms fused", model, (FUSED_NORMS, one), settings, styles)
    return [
        ours("now", "now", model, (ONNX_RUNTIME, now), settings, styles),
        ours("fused", "injected layers fused", model, (ONNX_RUNTIME, one), settings, styles),
        norms,
        norms.captured("captured", "and CUDA graphs"),
        limit(model, settings, styles),
        rewrite(model, settings, found, styles),
        authors(model, settings, found),
    ]


def ours(
    key: str,
    name: str,
    model: Model,
    how: tuple[Rules, Work],
    settings: Settings,
    styles: int,
) -> Way:
    """Returns the engine's way, branch after branch, with some rules and some injection."""
    rules, injected = how
    unet, own = model.unet(rules), model.own()
    number = Evaluations.of(settings, styles)
    parts = (
        Part("content", number.content, unet + own),
        Part("injected output", number.injected, unet + injected),
        Part("plain output", number.plain, unet + own),
        *vae(model, rules, styles),
    )
    return Way(key, name, parts)


def vae(model: Model, rules: Rules, styles: int) -> tuple[Part, Part]:
    """Returns encoding the content, once for its styles, and decoding."""
    encode = Part("encode", 1 / styles, model.encode(rules))
    return encode, Part("decode", 1, model.decode(rules))


@dataclass(frozen=True)
class Passes:
    """Passes of a content and its outputs through the UNet, as many as one image's share is."""

    name: str
    times: float
    batch: int
    injects: bool = False


def passes_of(settings: Settings, styles: int) -> list[Passes]:
    """Returns our evaluations with a content and all its outputs at once."""
    number = Evaluations.of(settings, styles)
    alone = settings.steps - settings.skip - number.injected - number.plain
    return [
        Passes("content", alone / styles, 1),
        Passes("injected pass", number.injected / styles, 1 + styles, injects=True),
        Passes("plain pass", number.plain / styles, 1 + styles),
    ]


def limit(model: Model, settings: Settings, styles: int) -> Way:
    """Returns what nothing can be faster than at these rates: operations alone, but for weights.

    Injection asks for no more of them than self-attention: scores and averages, each once. Weights
    are read once for the content of a step and all its outputs.
    """
    parts = []
    for some in passes_of(settings, styles):
        unet = model.unet(ONNX_RUNTIME, some.batch) + model.own(some.batch)
        kernel = bound(unet, model.half, model.unet_weights())
        parts.append(Part(some.name, some.times, (kernel,)))
    for part in vae(model, ONNX_RUNTIME, styles):
        parts.append(Part(part.name, part.times, (bound(part.work, model.vae_half, 0),)))
    return Way("limit", "the limit", tuple(parts))


def bound(work: Work, half: bool, weights: int) -> Kernel:
    """Returns operations and weights as one kernel."""
    unit = Unit.HALF if half else Unit.SINGLE
    return Kernel("all", weights, totals(work).operations, unit, launches=0)


def rewrite(model: Model, settings: Settings, found: Filter | None, styles: int) -> Way:
    """Returns PyTorch's way with our evaluations: a content and its outputs are a batch.

    Attention is `scaled_dot_product_attention` but where weights are stretched or exchanged.
    """
    maps = explicit(model, found, styles, 1)
    parts = [
        Part(
            some.name,
            some.times,
            model.unet(PYTORCH, some.batch) + (maps if some.injects else model.own(some.batch)),
        )
        for some in passes_of(settings, styles)
    ]
    parts += vae(model, PYTORCH, styles)
    return Way("pytorch", "PyTorch, the same evaluations", tuple(parts))


def authors(model: Model, settings: Settings, found: Filter | None) -> Way:
    """Returns PyTorch's way with the authors' evaluations: all steps inverted, passes twice."""
    executed, injected = settings.steps - settings.skip, injected_steps(settings)
    unet = model.unet(PYTORCH, BRANCHES)
    maps = explicit(model, found, 1, BRANCHES - 1)
    parts = (
        Part("inversion", settings.steps, model.unet(PYTORCH) + model.own()),
        Part("injected pass", injected, unet + maps),
        Part("plain pass", PASSES * executed - injected, unet + model.own(BRANCHES)),
        *vae(model, PYTORCH, 1),
    )
    return Way("authors", "PyTorch, the authors' evaluations", parts)


def explicit(model: Model, found: Filter | None, outputs: int, others: int) -> Work:
    """Returns PyTorch's injected layers of a batch."""
    layers = model.layers
    half = model.half
    return tuple(k for one in layers for k in injection.explicit(one, found, half, outputs, others))


def authors_evaluations(settings: Settings) -> int:
    """Returns how many latents the authors evaluate for an image."""
    return settings.steps + PASSES * BRANCHES * (settings.steps - settings.skip)
