"""How much of a GPU's processor a kernel's programs keep busy, by the limits of CUDA's guide."""

from __future__ import annotations

from dataclasses import dataclass

WARP = 32
REGISTERS = 65536
# A warp gets registers by so many; of shared memory the driver keeps so much for each program.
REGISTERS_AT_A_TIME = 256
RESERVED_BYTES = 1024


@dataclass(frozen=True)
class Processor:
    """What a processor of a compute capability holds at a time, and whose kernels it runs."""

    capability: str
    architecture: int
    warps: int
    programs: int
    shared_bytes: int


# What is compiled for 8.0 runs on 8.6 and 8.9 too; the others run on their own GPUs alone.
ARCHITECTURES = (80, 90, 120)
PROCESSORS = (
    Processor("8.0", 80, 64, 32, 164 << 10),
    Processor("8.6", 80, 48, 16, 100 << 10),
    Processor("8.9", 80, 48, 24, 100 << 10),
    Processor("9.0", 90, 64, 32, 228 << 10),
    Processor("12.0", 120, 48, 24, 100 << 10),
)


def programs(processor: Processor, warps: int, registers: int, shared_bytes: int) -> int:
    """Returns how many programs of a kernel a processor holds at a time."""
    of_warp = -(-registers * WARP // REGISTERS_AT_A_TIME) * REGISTERS_AT_A_TIME
    return min(
        processor.programs,
        processor.warps // warps,
        REGISTERS // (of_warp * warps),
        processor.shared_bytes // (shared_bytes + RESERVED_BYTES),
    )


def occupancy(processor: Processor, warps: int, registers: int, shared_bytes: int) -> float:
    """Returns the share of a processor's warps that are there."""
    held = programs(processor, warps, registers, shared_bytes)
    return held * warps / processor.warps
