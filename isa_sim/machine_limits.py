"""What a machine description may say: ranges of its numbers, and relations between them.

Everything that passes here works in the simulator: array bounds, shifts and loops of the compiled
code rely on it. The compiler asks for more (see `compiler.target`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import combinations
from typing import TYPE_CHECKING, Any

from softex_mlir.isa_sim.units import control, dma, event_unit, registry

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

_CYCLES = (0, 4096)
_SOME_CYCLES = (1, 4096)
"""Of what takes place at least once a cycle: without them a program's time could stand still."""
_PICOJOULES = (0.0, 1e6)
_ADDRESS = (0, (1 << 32) - 4)

RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "cluster": {
        "cores": (1, 32),
        "tcdm_base": _ADDRESS,
        "tcdm_bytes": (1 << 10, 1 << 24),
        "tcdm_banks": (1, 32),
        "tcdm_starvation": (0, 255),
        "peripheral_base": _ADDRESS,
        "peripheral_latency_cycles": _SOME_CYCLES,
        "l2_base": _ADDRESS,
        "l2_bytes": (1 << 12, 1 << 32),
        "l2_latency_cycles": _SOME_CYCLES,
        "barrier_cycles": _SOME_CYCLES,
        "icache_bytes": (4, 1 << 24),
        "icache_line_bytes": (4, 1 << 12),
        "icache_refill_cycles": _CYCLES,
    },
    "core": {
        "fp_latency": _CYCLES,
        "fdiv_latency": _SOME_CYCLES,
        "fsqrt_latency": _SOME_CYCLES,
        "mulh_cycles": _SOME_CYCLES,
        "div_base_cycles": _SOME_CYCLES,
        "div_max_cycles": _SOME_CYCLES,
        "branch_taken_cycles": _SOME_CYCLES,
        "branch_not_taken_cycles": _SOME_CYCLES,
        "jump_cycles": _SOME_CYCLES,
        "jump_register_cycles": _SOME_CYCLES,
        "jump_register_hazard_cycles": _CYCLES,
        "load_use_cycles": _CYCLES,
        "misaligned_cycles": _SOME_CYCLES,
        "csr_cycles": _SOME_CYCLES,
        "csr_machine_cycles": _SOME_CYCLES,
        "fence_cycles": _SOME_CYCLES,
        "event_wait_cycles": _SOME_CYCLES,
    },
    "dma": {
        "base": _ADDRESS,
        "bytes_per_cycle": (1, 1 << 10),
        "program_cycles": _CYCLES,
        "burst_bytes": (1, 1 << 16),
        "outstanding": (1, 1 << 10),
        "queue": (1, 1 << 10),
    },
    "energy": {
        "reference_voltage": (0.1, 10.0),
        "base_pj_per_cycle": _PICOJOULES,
        "core_pj_per_instruction": _PICOJOULES,
        "core_sleep_pj_per_cycle": _PICOJOULES,
        "redmule_pj_per_mac": _PICOJOULES,
        "softex_pj_per_lane_cycle": _PICOJOULES,
        "tcdm_pj_per_byte": _PICOJOULES,
        "dma_pj_per_byte": _PICOJOULES,
        "l2_pj_per_byte": _PICOJOULES,
        "dram_pj_per_byte": _PICOJOULES,
        "leakage_logic_mw": _PICOJOULES,
        "leakage_tcdm_nw_per_byte": _PICOJOULES,
    },
    "operating_points": {"voltage": (0.1, 10.0), "frequency_hz": (1e3, 1e12)},
}
"""Smallest and largest value of every number, by section and key; units have their own."""

PERIPHERAL_BYTES = 1 << 16
_LONGEST_NAME = 64

_Fault = tuple[str, str, str]
"""Section, key, what is wrong with it."""


def faults(machine: Machine) -> Iterator[_Fault]:
    """What makes a description unusable, the most basic first."""
    if problem := _name_problem(machine.name):
        yield "", "name", problem
    for section in fields(machine):
        value = getattr(machine, section.name)
        for part in value if isinstance(value, tuple) else (value,):  # pyright: ignore
            yield from _out_of_range(section.name, RANGES.get(section.name, {}), part)
    yield from _cluster(machine)
    yield from _dma(machine)
    taken = _taken_addresses()
    for unit in registry.units_of(machine):
        part = machine.section(unit.name)
        if part is None:
            continue
        yield from _out_of_range(unit.name, {"base": _ADDRESS, **unit.ranges}, part)
        yield from _unit_base(machine, unit.name, part.base, taken)
        taken.append((part.base - machine.cluster.peripheral_base, control.BYTES, unit.label))
        for key, problem in unit.faults(machine, part):
            yield unit.name, key, problem
    names = [point.name for point in machine.operating_points]
    for name in names:
        if problem := _name_problem(name):
            yield "operating_points", "name", problem
    if len(set(names)) < len(names):
        yield "operating_points", "name", f"must be unique, found {names}"


def _name_problem(name: str) -> str:
    if 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return ""
    return f"must be 1 to {_LONGEST_NAME} printable characters, found {name!r}"


def _out_of_range(
    section: str, ranges: Mapping[str, tuple[float, float]], part: Any
) -> Iterator[_Fault]:
    for key, (low, high) in ranges.items():
        value = getattr(part, key, None)
        if value is not None and not low <= value <= high:
            yield section, key, f"must be {low:,}..{high:,}, found {value:,}"


def _power_of_two(found: int) -> str:
    low = 1 << (found.bit_length() - 1)
    return f"must be a power of two, found {found}: the nearest are {low} and {2 * low}"


def _nearest(found: int, step: int) -> str:
    """The multiples of a step around a number."""
    low = found // step * step
    return f": the nearest are {low} and {low + step}" if low else f": the nearest is {step}"


def _cluster(machine: Machine) -> Iterator[_Fault]:
    cluster = machine.cluster
    banks, size = cluster.tcdm_banks, cluster.tcdm_bytes
    if banks & (banks - 1):
        yield "cluster", "tcdm_banks", _power_of_two(banks)
    if size % (4 * banks):
        yield (
            "cluster",
            "tcdm_bytes",
            f"must be a multiple of 4 bytes x {banks} banks, found {size}"
            f"{_nearest(size, 4 * banks)}",
        )
    line = cluster.icache_line_bytes
    if line & (line - 1):
        yield "cluster", "icache_line_bytes", _power_of_two(line)
    if cluster.icache_bytes % line:
        yield (
            "cluster",
            "icache_bytes",
            f"must be a multiple of the line's {line} bytes, found {cluster.icache_bytes}"
            f"{_nearest(cluster.icache_bytes, line)}",
        )
    if cluster.l2_bytes % 4:
        yield "cluster", "l2_bytes", f"must be a multiple of 4, found {cluster.l2_bytes}"
    if machine.core.div_max_cycles < machine.core.div_base_cycles:
        yield "core", "div_max_cycles", "must be at least div_base_cycles"
    spans = {
        "tcdm": (cluster.tcdm_base, size),
        "peripheral": (cluster.peripheral_base, PERIPHERAL_BYTES),
        "l2": (cluster.l2_base, cluster.l2_bytes),
    }
    for name, (base, length) in spans.items():
        if base % 4096:
            yield "cluster", f"{name}_base", f"must be a multiple of 4,096, found {base:#x}"
        if base + length > 1 << 32:
            yield (
                "cluster",
                f"{name}_base",
                f"and {length:,} bytes leave 32-bit addresses: found {base:#x}",
            )
    for (one, (base, length)), (other, (start, extent)) in combinations(spans.items(), 2):
        if base < start + extent and start < base + length:
            most = (
                f": at most {start - base:,} bytes of {one} fit before it" if start > base else ""
            )
            yield "cluster", f"{other}_base", f"overlaps {one}: found {start:#x}{most}"


def _dma(machine: Machine) -> Iterator[_Fault]:
    description = machine.dma
    if description.base != machine.cluster.peripheral_base + dma.GLOBAL_OFFSET:
        yield (
            "dma",
            "base",
            f"must be the peripheral base + {dma.GLOBAL_OFFSET:#x}, found {description.base:#x}",
        )
    if description.burst_bytes % description.bytes_per_cycle:
        yield (
            "dma",
            "burst_bytes",
            f"must be a multiple of the {description.bytes_per_cycle} bytes of a beat, "
            f"found {description.burst_bytes}"
            f"{_nearest(description.burst_bytes, description.bytes_per_cycle)}",
        )


_Area = tuple[int, int, str]
"""Offset from the peripheral base, bytes, owner."""


def _taken_addresses() -> list[_Area]:
    """What lies among the peripherals on every machine."""
    return [
        (0, 4, "the end of computation"),
        (0x400, 0x20, "the timer"),
        (event_unit.GLOBAL_OFFSET, event_unit.ALIAS_BYTES, "the event unit"),
        (event_unit.ALIAS_OFFSET, event_unit.ALIAS_BYTES, "the event unit"),
        (dma.GLOBAL_OFFSET, dma.ALIAS_BYTES, "the DMA"),
        (dma.ALIAS_OFFSET, dma.ALIAS_BYTES, "the DMA"),
    ]


def _unit_base(
    machine: Machine, section: str, base: int, taken: Iterable[_Area]
) -> Iterator[_Fault]:
    """A unit's registers lie among the peripherals, in nobody's way."""
    offset = base - machine.cluster.peripheral_base
    if base % 4 or not 0 <= offset <= PERIPHERAL_BYTES - control.BYTES:
        yield (
            section,
            "base",
            f"must be a multiple of 4 in the {PERIPHERAL_BYTES:,} bytes from the peripheral base, "
            f"found {base:#x}",
        )
    for start, size, owner in taken:
        if offset < start + size and start < offset + control.BYTES:
            yield section, "base", f"overlaps {owner}: found {base:#x}"
