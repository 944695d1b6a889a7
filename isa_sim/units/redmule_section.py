"""RedMulE's section of a machine description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from softex_mlir.isa_sim.units.unit import Fault

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

_MOST_CYCLES = 4096


@dataclass(frozen=True)
class RedMulEDescription:
    """The tensor unit: ``rows`` x ``columns`` BF16 FMAs with ``pipeline_registers`` each.

    The switches say which restrictions of the published RTL hold; see ``units/redmule.py``.
    """

    base: int
    rows: int
    columns: int
    pipeline_registers: int
    queue_depth: int
    min_inner: int
    exact_leftovers: bool = field(default=False, kw_only=True)
    requires_soft_clear: bool
    macfg_last: bool
    masked_rows: bool
    max_stored_rows: int
    soft_clear_cycles: int
    tiler_cycles: int
    trigger_cycles: int
    preload_single_tile: tuple[int, ...]
    preload_more_tiles: tuple[int, ...]

    @property
    def tile_columns(self) -> int:
        """Width of an output tile in elements, D = H * (P + 1)."""
        return self.columns * (self.pipeline_registers + 1)


RANGES: dict[str, tuple[float, float]] = {
    "rows": (1, 256),
    "columns": (1, 64),
    "pipeline_registers": (0, 63),
    "queue_depth": (1, 2),
    "min_inner": (1, 65535),
    "max_stored_rows": (1, (1 << 31) - 1),
    "soft_clear_cycles": (0, _MOST_CYCLES),
    "tiler_cycles": (0, _MOST_CYCLES),
    "trigger_cycles": (0, _MOST_CYCLES),
}


SHAPE = ("rows", "columns", "pipeline_registers")
"""Fields that say which array it is."""

RECORDED_SHAPE = (24, 8, 3)
"""The array whose bits, limits and cycles were recorded on the unit's RTL."""

_PUBLISHED: dict[str, int | bool] = {
    "queue_depth": 1,
    "min_inner": 17,
    "exact_leftovers": False,
    "requires_soft_clear": True,
    "macfg_last": True,
    "masked_rows": False,
    "max_stored_rows": 65535,
}
"""Restrictions of the published RTL."""


def inherited(section: RedMulEDescription, given: Mapping[str, Any]) -> RedMulEDescription:
    """A section as another array has it: cycles recorded for an array are that array's."""
    if all(given.get(key, getattr(section, key)) == getattr(section, key) for key in SHAPE):
        return section
    return replace(section, preload_single_tile=(), preload_more_tiles=())


def unrecorded(section: RedMulEDescription) -> tuple[str, ...]:
    """What no recording covers."""
    found: list[str] = []
    shape = tuple(getattr(section, key) for key in SHAPE)
    if shape != RECORDED_SHAPE:
        found.append("RedMulE {}x{}x{}".format(*shape))
    lifted = [key for key, value in _PUBLISHED.items() if getattr(section, key) != value]
    if lifted:
        found.append(f"RedMulE repaired in {', '.join(lifted)} (RTL not seen)")
    return tuple(found)


def faults(machine: Machine, unit: RedMulEDescription) -> Iterator[Fault]:
    """What does not go together in a section, or with the machine's memory."""
    reach = unit.columns * unit.pipeline_registers
    if unit.rows > reach:
        yield (
            "rows",
            f"must be at most columns x pipeline_registers = {reach}, found {unit.rows}: "
            f"the nearest arrays are {reach}x{unit.columns}x{unit.pipeline_registers} and "
            f"{unit.rows}x{unit.columns}x{-(-unit.rows // unit.columns)}",
        )
    widest = 2 * machine.cluster.tcdm_banks
    if unit.tile_columns > widest:
        yield (
            "columns",
            f"x (pipeline_registers + 1) must be at most {widest}, what the {widest // 2} banks "
            f"give a cycle, found {unit.tile_columns}: the most columns are "
            f"{widest // (unit.pipeline_registers + 1)}",
        )
    for name in ("preload_single_tile", "preload_more_tiles"):
        entries: tuple[int, ...] = getattr(unit, name)
        if len(entries) not in (0, unit.rows):
            yield (
                name,
                f"must have one entry a row ({unit.rows}) or none (estimated), "
                f"found {len(entries)}",
            )
        if not all(0 <= cycles <= _MOST_CYCLES for cycles in entries):
            yield name, f"must be cycles of 0..{_MOST_CYCLES:,}"
