"""Run a single accelerator job on a memory, without cores or a program.

>>> result = run_job("softex", {"IN_ADDR": a, "OUT_ADDR": b, "TOT_LEN": 2 * n}, tcdm)
>>> result.cycles
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.common import Memory, words_of
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.unit import Unit, UnitPort


@dataclass(frozen=True)
class JobResult:
    """Outcome of one job.

    ``cycles``: from the trigger to the done event, at zero-stall memory (RedMulE: with the
    trigger one cycle after the write to MACFG). ``max``, ``rec_bf16`` (BF16) and ``den``,
    ``rec`` (binary32) are SoftEx's registers at the end, as bit patterns. ``warnings`` name
    the quirks of the hardware that the job met.
    """

    cycles: int
    max: int = 0
    den: int = 0
    rec: int = 0
    rec_bf16: int = 0
    warnings: tuple[str, ...] = ()


# State slots outlive a job: each memory has its own units, for as long as it lives.
_ports: dict[int, tuple[Any, dict[tuple[str, str], UnitPort]]] = {}


def _port(unit: Unit, machine: Machine, memory: Memory) -> UnitPort:
    key = id(memory)
    entry = _ports.get(key)
    if entry is None or entry[0]() is not memory:
        fresh: dict[tuple[str, str], UnitPort] = {}
        entry = (weakref.ref(memory, lambda _: _ports.pop(key, None)), fresh)
        _ports[key] = entry
    ports = entry[1]
    if (unit.name, machine.hash) not in ports:
        ports[unit.name, machine.hash] = unit.port(machine, True, False, True)
    return ports[unit.name, machine.hash]


def check_memory(memory: Any) -> None:
    """Raise for what cannot stand for the TCDM and be changed in place."""
    if not isinstance(memory, np.ndarray):
        raise UserError(f"tcdm must be a 1-D uint8 array, found {type(memory).__name__}")
    array = cast(Memory, memory)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise UserError(f"tcdm must be a 1-D uint8 array, found {array.dtype} {array.shape}")
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise UserError("tcdm is changed in place: it must be contiguous and writable")


def run_job(
    unit: str,
    registers: Mapping[str, int],
    tcdm: Memory,
    machine: Machine | str | None = None,
) -> JobResult:
    """Execute one job of ``unit`` (``"redmule"``, ``"softex"``, …) and change ``tcdm`` in place.

    ``registers``: register names to values; job registers not given are 0. ``tcdm``: a writable
    1-D uint8 array whose first byte has the machine's TCDM base address (0x1000_0000).
    ``machine``: a description or its name, default ``paper``. The unit comes from a soft clear,
    except that SoftEx's state slots persist between the jobs on the same array, unless
    ``SOFT_CLEAR`` is among the registers. ``TRIGGER`` may be named too and changes nothing.

    Raises :class:`~softex_mlir.isa_sim.units.faults.UnitFault` for a job that the machine
    computes wrongly or never finishes, or whose operands are not all in ``tcdm``;
    :class:`~softex_mlir.errors.UserError` for arguments that are no job.
    """
    if machine is None or isinstance(machine, str):
        machine = Machine.load(machine or "paper")
    check_memory(tcdm)
    kind = registry.unit(unit)
    registers = dict(registers)
    registers.pop("TRIGGER", None)
    cleared = registers.pop("SOFT_CLEAR", None) is not None
    words = words_of(unit, kind.job_registers, registers)
    if machine.section(unit) is None:
        raise UnitFault(unit, f"{unit}.absent", f"machine '{machine.name}' has no {kind.label}")
    port = _port(kind, machine, tcdm)
    if cleared:
        port.reset()
    outcome = port.execute(words, tcdm)
    return JobResult(
        outcome.cycles,
        outcome.maximum,
        outcome.denominator,
        outcome.reciprocal,
        outcome.reciprocal_bf16,
        outcome.warnings,
    )
