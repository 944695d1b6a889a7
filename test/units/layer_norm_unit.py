"""A third accelerator: LayerNorm normalises rows of BF16. For tests; nothing shipped knows of it.

Every row is read twice through a port of `lanes` elements, for its statistics and for the result,
which is written in turns with the second reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.accesses import (
    ADDRESS,
    JOB_REGISTERS,
    JOB_START,
    PENDING,
    PITCH,
    STREAM_COLUMNS,
    access_function,
)
from softex_mlir.isa_sim.units.common import JobOutcome, Memory, span
from softex_mlir.isa_sim.units.control import ControlPort
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.unit import Accesses, EnergyTerm, Execution, Trigger, Unit

START_CYCLES = 8
"""From the trigger to the first access."""
ROW_CYCLES = 20
"""Of a row, beside its beats: the inverse square root."""
REGISTERS = {"IN_ADDR": 0x20, "OUT_ADDR": 0x24, "SHAPE": 0x28}
"""SHAPE: rows in bits 31:16, columns below."""


@dataclass(frozen=True)
class LayerNormDescription:
    """A row-wise layer-norm unit of `lanes` elements a cycle."""

    base: int
    lanes: int
    pj_per_element: float


@njit(cache=True)
def normalise(x: Any, y: Any, columns: int) -> None:
    """float32 rows, one after the other: (x - mean) / sqrt(variance + 1e-5)."""
    for first in range(0, x.shape[0], columns):
        mean = np.float32(0.0)
        for i in range(first, first + columns):
            mean += x[i]
        mean /= np.float32(columns)
        variance = np.float32(0.0)
        for i in range(first, first + columns):
            variance += (x[i] - mean) * (x[i] - mean)
        scale = np.float32(1.0) / np.sqrt(variance / np.float32(columns) + np.float32(1e-5))
        for i in range(first, first + columns):
            y[i] = (x[i] - mean) * scale


def _wants(geometry: Any, job: Any, time: int, streams: Any) -> int:
    rows, columns = job[JOB_REGISTERS + 2] >> 16 & 0xFFFF, job[JOB_REGISTERS + 2] & 0xFFFF
    beats = -(-columns // geometry[0])
    each_beat = 2 * geometry[0]
    streams[PITCH] = streams[STREAM_COLUMNS + PITCH] = each_beat
    each = 3 * beats + 20
    since = time - job[JOB_START] - 8
    if since < 0 or since >= rows * each:
        return 1
    row, step = since // each, since % each
    if step < beats:
        streams[PENDING] += 1
        streams[ADDRESS] = job[JOB_REGISTERS] + each_beat * (row * beats + step)
    elif step >= each - 2 * beats:
        stream = (step - (each - 2 * beats)) % 2
        beat = row * beats + (step - (each - 2 * beats)) // 2
        streams[STREAM_COLUMNS * stream + PENDING] += 1
        streams[STREAM_COLUMNS * stream + ADDRESS] = job[JOB_REGISTERS + stream] + each_beat * beat
    return 1


def job_cycles(rows: int, columns: int, lanes: int) -> int:
    """From the trigger to the done event."""
    return START_CYCLES + rows * (3 * -(-columns // lanes) + ROW_CYCLES)


class LayerNormPort:
    """A LayerNorm of a running cluster."""

    def __init__(self, machine: Machine, functional: bool, stalls: bool, strict: bool):
        del stalls, strict
        section: LayerNormDescription = machine.section("layernorm")
        self.lanes = section.lanes
        self.base = machine.cluster.tcdm_base
        self.functional = functional

    def run(self, registers: Any, tcdm: Memory, trigger: Trigger) -> Execution:
        del trigger
        rows, columns = int(registers[2]) >> 16 & 0xFFFF, int(registers[2]) & 0xFFFF
        if rows * columns == 0:
            raise UnitFault("layernorm", "layernorm.shape", f"{rows} rows of {columns} hang")
        size = 2 * rows * columns
        first, last = span("layernorm", tcdm, self.base, int(registers[0]), size, "the input")
        start, end = span("layernorm", tcdm, self.base, int(registers[1]), size, "the output")
        if self.functional:
            wide = tcdm[first:last].view(np.uint16).astype(np.uint32) << 16
            result = np.empty(rows * columns, np.float32)
            normalise(wide.view(np.float32), result, columns)
            bits = result.view(np.uint32)
            rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
            tcdm[start:end].view(np.uint16)[:] = rounded.astype(np.uint16)
        cycles = job_cycles(rows, columns, self.lanes)
        rate = 3 * rows * -(-columns // self.lanes) / cycles
        return Execution(cycles, rows * columns, 3 * size, rate=rate, exposed=rate)

    def execute(self, words: tuple[int, ...], tcdm: Memory) -> JobOutcome:
        done = self.run(words, tcdm, Trigger(0))
        return JobOutcome(done.cycles, done.work, done.bytes, done.warnings)

    def footprint(self, registers: Any) -> list[tuple[int, int, bool]]:
        size = 2 * (int(registers[2]) >> 16 & 0xFFFF) * (int(registers[2]) & 0xFFFF)
        return [(int(registers[0]), size, False), (int(registers[1]), size, True)]

    def rewritten_from(self, registers: Any) -> int:
        del registers
        return 0

    def reset(self) -> None:
        pass

    def written(self, registers: Any, tcdm: Memory, time: int, end: int) -> None:
        pass

    def notes(self) -> tuple[str, ...]:
        return ()


def describe(registers: Mapping[str, int]) -> str:
    """A job in a few words."""
    return f"layer norm of {registers['SHAPE'] >> 16} rows of {registers['SHAPE'] & 0xFFFF}"


def _accesses(section: LayerNormDescription) -> Accesses:
    return Accesses((section.lanes,), access_function(_wants), 2 * section.lanes)


LAYER_NORM = Unit(
    name="layernorm",
    label="LayerNorm",
    event=14,
    stream=abi.COMPUTE,
    job_registers=REGISTERS,
    section=LayerNormDescription,
    ranges={"lanes": (1, 32), "pj_per_element": (0.0, 1e6)},
    describe=describe,
    control=lambda section: ControlPort(queue_depth=2),
    port=LayerNormPort,
    accesses=_accesses,
    energy=EnergyTerm(
        counted=lambda section, work, busy: work,
        picojoules=lambda machine: machine.section("layernorm").pj_per_element,
    ),
)
