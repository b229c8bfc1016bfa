"""How columns are taken in parts, how many programs a processor holds, and what a layer moves."""

from __future__ import annotations

from gpu_kernels.blocks import parts
from gpu_kernels.layers import PAPER, RELEASED, Layer, Place
from gpu_kernels.occupancy import PROCESSORS, programs
from gpu_kernels.traffic import GPUS, Layout

# Bytes of the graph at this size, by ONNX Runtime's profiler, in float16.
OF_GRAPH = 46.6e9
MOST = 0.3e9


def test_parts_are_powers_of_two_that_hold_all_columns() -> None:
    found = {width: parts(width) for width in (4, 16, 24, 40, 64, 80, 96, 100, 128, 160)}
    assert found == {
        4: (16, 0),
        16: (16, 0),
        24: (32, 0),
        40: (32, 16),
        64: (64, 0),
        80: (64, 16),
        96: (64, 32),
        100: (128, 0),
        128: (128, 0),
        160: (128, 32),
    }


def test_registers_and_shared_memory_bound_the_programs_of_a_processor() -> None:
    by_name = {processor.capability: processor for processor in PROCESSORS}
    assert programs(by_name["8.0"], 8, 128, 36864) == 2
    assert programs(by_name["8.6"], 8, 64, 49152) == 2
    assert programs(by_name["8.6"], 4, 32, 0) == 12
    assert programs(by_name["9.0"], 8, 255, 1024) == 1


def test_a_quantile_has_its_place_as_in_the_worker() -> None:
    assert Place.of(4, 0.25) == Place(0, 1, 0.75)
    assert Place.of(5, 1.0) == Place(4, 4, 0.0)


def test_the_largest_layer_moves_less_than_a_hundredth_of_what_its_graph_does() -> None:
    layout = Layout.of(Layer(8192, 8, 40), "fp16")
    for how, launches in ((None, 2), (RELEASED, 7), (PAPER, 7)):
        found = layout.injected(how)
        assert len(found) == launches
        assert sum(launch.once for launch in found) < MOST
        for processors in GPUS.values():
            waves = sum(launch.waves(processors) for launch in found)
            assert waves < min(MOST, OF_GRAPH / 100)
