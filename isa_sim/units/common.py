"""What the units share: job outcomes and views of the memory they work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.units.faults import UnitFault

Memory = npt.NDArray[np.uint8]
"""The TCDM: one byte an entry, changed in place."""


@dataclass(frozen=True)
class JobOutcome:
    """What a job did. ``cycles`` as the executing unit defines them; the rest for reports.

    ``operations`` are FMAs (RedMulE) or lane-cycles (SoftEx), ``bytes`` the memory traffic.
    ``maximum``, ``denominator``, ``reciprocal`` and ``reciprocal_bf16`` are SoftEx's, as bit
    patterns.
    """

    cycles: int
    operations: int
    bytes: int
    warnings: tuple[str, ...] = ()
    maximum: int = 0
    denominator: int = 0
    reciprocal: int = 0
    reciprocal_bf16: int = 0


def words_of(
    unit: str, offsets: Mapping[str, int], registers: Mapping[str, int]
) -> tuple[int, ...]:
    """Job register words in address order; registers not given are 0."""
    for name, value in registers.items():
        if name not in offsets:
            raise UserError(
                f"{unit} has no job register '{name}': expected names among {', '.join(offsets)}"
            )
        if not hasattr(value, "__index__") or not -(1 << 31) <= int(value) < 1 << 32:
            raise UserError(f"{unit} register {name} holds 32 bits, found {value!r}")
    return tuple(int(registers.get(name, 0)) & 0xFFFFFFFF for name in offsets)


def span(
    unit: str, memory: Memory, base: int, address: int, size: int, what: str
) -> tuple[int, int]:
    """Offsets of ``size`` bytes at ``address``; a fault if they are not all in the memory."""
    start = address - base
    if start < 0 or start + size > memory.size:
        raise UnitFault(
            unit,
            f"{unit}.address",
            f"{what} lies at {address:#x}..{address + size:#x}, outside the TCDM "
            f"({base:#x}..{base + memory.size:#x})",
        )
    return start, start + size


def copy_in(memory: Memory, base: int, address: int, size: int) -> Memory:
    """A copy of ``size`` bytes at ``address``; outside the memory they are 0."""
    copy = np.zeros(size, np.uint8)
    start = address - base
    first, last = max(start, 0), min(start + size, memory.size)
    if first < last:
        copy[first - start : last - start] = memory[first:last]
    return copy


def copy_out(memory: Memory, base: int, address: int, data: Memory) -> None:
    """Store bytes at ``address``; what lies outside the memory is lost."""
    start = address - base
    first, last = max(start, 0), min(start + data.size, memory.size)
    if first < last:
        memory[first:last] = data[first - start : last - start]


def halves(memory: Memory, start: int, stop: int) -> npt.NDArray[np.uint16]:
    """Bytes as uint16: a view, or a copy where the address is odd."""
    part = memory[start:stop]
    return part.copy().view(np.uint16) if start & 1 else part.view(np.uint16)
