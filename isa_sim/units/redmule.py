"""RedMulE: registers, jobs, limits of the published RTL, exact execution, cycles.

``Z[M, K] = X[M, N] W[N, K] + Y`` in place in Z, N is the inner dimension. Measured on the unit's
public RTL (v2.0.4) at 24 x 8 in BF16 with ideal memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softex_mlir.arithmetic import round_up
from softex_mlir.isa_sim.units.common import JobOutcome, Memory, halves, span, words_of
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.redmule_section import RedMulEDescription

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

JOB_REGISTERS: Final = {
    "X_ADDR": 0x40,
    "W_ADDR": 0x44,
    "Z_ADDR": 0x48,
    "MCFG0": 0x4C,
    "MCFG1": 0x50,
    "MACFG": 0x54,
}
"""Job registers, name to byte offset from the unit's base. MACFG starts the tiler: it is last."""

MAX_SIZE: Final = 0xFFFF
"""Sizes are fields of 16 bits."""
MATMUL: Final = 0
GEMM: Final = 1
FORMAT_16_BIT: Final = 1
"""The I/O format of a BF16 build is Float16's code: "no cast" is hard-wired to it."""
_MEASURED_STEP: Final = 8
"""Columns of the array whose limits were recorded."""
MACFG_GEMM: Final = GEMM << 10 | FORMAT_16_BIT << 7
"""MACFG of every job the compiler makes."""


@dataclass(frozen=True)
class RedMulEJob:
    """A decoded job: byte addresses, sizes in elements, operation and format codes."""

    x: int
    w: int
    z: int
    m: int
    n: int
    k: int
    operation: int = GEMM
    format: int = FORMAT_16_BIT

    def registers(self) -> dict[str, int]:
        """The register values that program this job, MACFG last."""
        return {
            "X_ADDR": self.x,
            "W_ADDR": self.w,
            "Z_ADDR": self.z,
            "MCFG0": self.k << 16 | self.m,
            "MCFG1": self.n,
            "MACFG": self.operation << 10 | self.format << 7,
        }


@lru_cache(maxsize=4096)
def decode_words(words: tuple[int, ...]) -> RedMulEJob:
    """Decode job register words in address order (six; more are ignored)."""
    x, w, z, mcfg0, mcfg1, macfg = words[:6]
    return RedMulEJob(
        x,
        w,
        z,
        m=mcfg0 & 0xFFFF,
        k=mcfg0 >> 16,
        n=mcfg1 & 0xFFFF,
        operation=(macfg >> 10) & 7,
        format=(macfg >> 7) & 3,
    )


def decode(registers: Mapping[str, int] | Sequence[int]) -> RedMulEJob:
    """Decode a mapping of register names, or the job words in address order."""
    if isinstance(registers, Mapping):
        return decode_words(words_of("redmule", JOB_REGISTERS, registers))
    return decode_words(tuple(int(word) & 0xFFFFFFFF for word in registers))


def describe(registers: Mapping[str, int]) -> str:
    """A job in a few words, for listings: rows x inner x columns."""
    job = decode(registers)
    name = "gemm" if job.operation == GEMM else f"operation {job.operation}"
    return f"{name} {job.m}x{job.n}x{job.k}"


def _redmule(machine: Machine) -> RedMulEDescription:
    if machine.redmule is None:
        raise UnitFault("redmule", "redmule.absent", f"machine '{machine.name}' has no RedMulE")
    return machine.redmule


# --- cycles ----------------------------------------------------------------------------------


def preload_cycles(rows: int, tiles: int, unit: RedMulEDescription) -> int:
    """Cycles to fill the array before the first row of W: ``rows`` in the first of ``tiles``."""
    table = unit.preload_more_tiles if tiles > 1 else unit.preload_single_tile
    if table:
        return table[rows - 1]
    # Not measured for this array: X block, Y tile and W rows share one port, plus its latency.
    return unit.rows + unit.columns + rows + 10


def array_macs(m: int, n: int, k: int, unit: RedMulEDescription) -> int:
    """Multiply-accumulates the array goes through for a job: whole tiles, N in whole columns."""
    tiles = -(-m // unit.rows) * -(-k // unit.tile_columns)
    return tiles * unit.rows * unit.tile_columns * round_up(n, unit.columns)


def refill_stalls(m: int, n: int, k: int, unit: RedMulEDescription) -> int:
    """Cycles the array waits for X, where the last chunk of X (a tile's width) is short.

    An estimate (mean error 0.13 % of the job over the measured shapes of 24 x 8); 0 is exact
    elsewhere. Other arrays take its rule scaled by their step.
    """
    row_tiles, column_tiles = -(-m // unit.rows), -(-k // unit.tile_columns)
    padded = round_up(n, unit.columns)
    if padded <= 2 * unit.columns:
        # Short inner dimensions are barely measured.
        return max(0, 28 * (row_tiles * column_tiles - 2) + 6)
    short = padded == 3 * unit.columns
    if not short and padded % unit.tile_columns != unit.columns:
        return 0
    threshold = unit.rows * 5 // 6
    rest = m - (row_tiles - 1) * unit.rows
    full = (row_tiles - 1 + (rest >= threshold)) * column_tiles
    chunks = -(-n // unit.tile_columns)
    each = 22.0 if short else 10 / 3 * chunks + (1 if chunks % 3 == 0 else 2)
    return max(0, round(each * (full - 2)))


def array_cycles(m: int, n: int, k: int, unit: RedMulEDescription) -> int:
    """Cycles of a job from its start to the done event, without those in which it waits for X."""
    tiles = -(-m // unit.rows) * -(-k // unit.tile_columns)
    core = (unit.pipeline_registers + 1) * round_up(n, unit.columns) * tiles
    tail = (k - 1) % unit.tile_columns + 1 + unit.rows + 5
    return preload_cycles(min(m, unit.rows), tiles, unit) + core + tail


def redmule_run_cycles(m: int, n: int, k: int, machine: Machine) -> int:
    """Cycles of a job from its start (first busy cycle) to the done event."""
    unit = _redmule(machine)
    return array_cycles(m, n, k, unit) + refill_stalls(m, n, k, unit)


def start_delay(gap: int, machine: Machine) -> int:
    """Cycles from the trigger to the start; ``gap`` cycles lie between MACFG and trigger."""
    unit = _redmule(machine)
    return max(unit.trigger_cycles, unit.tiler_cycles - gap)


def redmule_cycles(m: int, n: int, k: int, machine: Machine, gap: int = 1) -> int:
    """Cycles of a job from the trigger to the done event."""
    return start_delay(gap, machine) + redmule_run_cycles(m, n, k, machine)


# --- limits ----------------------------------------------------------------------------------


def shortest_inner(unit: RedMulEDescription) -> int:
    """The shortest inner dimension that is right whatever the other sizes are.

    Measured for steps of 8: those of up to two are wrong, and with leftovers repaired those of one
    stay so. Arrays with longer steps were not measured, the rule is scaled for them.
    """
    if unit.min_inner <= 1 or unit.columns <= _MEASURED_STEP:
        return unit.min_inner
    steps = 1 if unit.exact_leftovers else 2
    return max(unit.min_inner, steps * unit.columns + 1)


def refills_late(n: int, unit: RedMulEDescription) -> bool:
    """Whether the last chunk of X is so short that the next one is not there in time."""
    return 1 <= n % unit.tile_columns <= unit.columns


def padded_inner_unit(n: int, alignment: int, unit: RedMulEDescription) -> int:
    """What to pad an inner dimension to a multiple of: the least multiple of `alignment`.

    Jobs of any multiple of it go in whole steps and are long enough, and that of `n` refills in
    time where the machine asks for it.
    """
    step = math.lcm(alignment, unit.columns)
    found = round_up(shortest_inner(unit), step)
    while not unit.exact_leftovers and refills_late(round_up(n, found), unit):
        found += step
    return found


def is_computed(m: int, n: int, k: int, unit: RedMulEDescription) -> bool:
    """Whether a job of these sizes is right whatever else there is in memory."""
    try:
        return not check_program_job(RedMulEJob(0, 0, 0, m, n, k), unit)
    except UnitFault:
        return False


def check(job: RedMulEJob, unit: RedMulEDescription) -> tuple[str, ...]:
    """Raise :class:`UnitFault` for a job the machine gets wrong or never finishes.

    Returns warnings: jobs that happen to be right, outside what software should rely on.
    """
    m, n, k = job.m, job.n, job.k
    shape = f"{m}x{n}x{k} (rows x inner x columns)"

    def require(condition: bool, rule: str, message: str) -> None:
        if not condition:
            raise UnitFault("redmule", f"redmule.{rule}", message)

    require(
        min(m, n, k) > 0,
        "sizes",
        f"{shape} has a size of 0 and hangs; set MCFG0 and MCFG1 before MACFG",
    )
    require(
        job.format == FORMAT_16_BIT,
        "format",
        f"I/O format {job.format} gives garbage in a BF16 array; use 1 (Float16)",
    )
    require(
        job.operation in (MATMUL, GEMM),
        "operation",
        f"operation {job.operation} (minimum/maximum) is not supported; use GEMM (1)",
    )
    row_tiles, column_tiles = -(-m // unit.rows), -(-k // unit.tile_columns)
    tiles = row_tiles * column_tiles
    stored = unit.rows * tiles
    require(
        stored <= unit.max_stored_rows,
        "stores",
        f"{shape} stores {stored} rows; from {unit.max_stored_rows + 1} on done never comes: "
        "split the job",
    )
    require(
        job.operation == GEMM or tiles == 1 or unit.min_inner <= 1,
        "operation",
        f"MATMUL of {tiles} tiles hangs; use GEMM on a zeroed Z",
    )
    if unit.exact_leftovers:
        shortest = shortest_inner(unit)
        require(
            n >= shortest,
            "inner",
            f"{shape}: an inner dimension below {shortest} is not repaired; pad it",
        )
        return ()
    step, shortest, width = unit.columns, shortest_inner(unit), unit.tile_columns
    padded = round_up(n, step)
    require(
        n > step or tiles == 1,
        "inner",
        f"{shape}: an inner dimension of up to {step} with {tiles} tiles hangs or is wrong; pad it",
    )
    require(
        n >= step or k <= width // 2,
        "inner",
        f"{shape}: an inner dimension below {step} is wrong from column {width // 2} on; "
        f"pad it to {shortest}",
    )
    require(
        n >= shortest or row_tiles == 1,
        "inner",
        f"{shape}: an inner dimension below {shortest} is wrong with {row_tiles} row tiles; "
        f"pad it to {shortest}",
    )
    require(
        not (
            row_tiles == 1
            and m >= 4
            and m < unit.rows
            and column_tiles > 1
            and n > width
            and refills_late(n, unit)
        ),
        "refill",
        f"{shape}: with 4..{unit.rows - 1} rows, several column tiles and N % {width} in 1..{step} "
        f"rows from 3 on are wrong; pad the inner dimension to a multiple of {width}",
    )
    require(
        row_tiles < padded or n % unit.columns == 0,
        "rows",
        f"{shape}: {row_tiles} row tiles and N % {unit.columns} != 0 give wrong rows from tile "
        f"{padded - 1} on; pad the inner dimension or split the rows",
    )
    if n < shortest:
        return (
            f"{shape}: an inner dimension below {shortest} is right only in few cases; "
            f"pad it to {shortest}",
        )
    return ()


def check_program_job(job: RedMulEJob, unit: RedMulEDescription) -> tuple[str, ...]:
    """As :func:`check`, with a warning for whatever depends on memory that is no operand."""
    warnings = check(job, unit)
    leak = leaking_rows(job.n, unit)
    if leak:
        warnings += (
            f"the memory behind W is multiplied by zero where N % {unit.columns} is "
            f"{job.n % unit.columns}, which is NaN where it holds Inf or NaN, found N = {job.n}: "
            "pad it with zeros",
        )
    return warnings


def leaking_rows(n: int, unit: RedMulEDescription) -> int:
    """Rows behind W that meet x = +0: the published RTL masks only the last P + 1 of a step."""
    rest = n % unit.columns
    if rest == 0 or unit.exact_leftovers:
        return 0
    return max(0, unit.columns - rest - (unit.pipeline_registers + 1))


def stored_rows(unit: RedMulEDescription, m: int) -> int:
    """Rows of Z that a job of ``m`` rows reads and writes: whole tiles unless it masks rows."""
    return m if unit.masked_rows else round_up(m, unit.rows)


# --- execution -------------------------------------------------------------------------------


class RedMulE:
    """One RedMulE. ``last_*`` describe the last job, for counters of energy and reports."""

    def __init__(self, machine: Machine, *, strict: bool = True):
        """Where not `strict`, operands that lie in no memory read as zeros, as on the bus, instead
        of being a :class:`UnitFault`."""
        self.machine = machine
        self.unit = _redmule(machine)
        self.strict = strict
        self.last_macs = 0
        self.last_bytes = 0
        self.last_warnings: tuple[str, ...] = ()
        self._known: dict[tuple[int, ...], tuple[int, int, int, tuple[str, ...]]] = {}

    def reset(self) -> None:
        """Soft clear. Nothing of a job outlives it here."""

    def run(
        self, registers: Any, tcdm: Memory, tcdm_base: int, functional: bool = True, **_: Any
    ) -> int:
        """Execute the job in the six register words; returns cycles from start to event.

        Without ``functional`` the memory stays as it is.
        """
        words = registers.tolist() if isinstance(registers, np.ndarray) else registers
        job = decode_words(tuple(word & 0xFFFFFFFF for word in words))
        if self.strict:
            outcome = self.execute(job, tcdm, tcdm_base, functional)
        else:
            outcome = self._execute_anywhere(job, tcdm, tcdm_base, functional)
        self.last_macs = outcome.operations
        self.last_bytes = outcome.bytes
        self.last_warnings = outcome.warnings
        return outcome.cycles

    def footprint(self, registers: Any) -> list[tuple[int, int, bool]]:
        """(address, bytes, is_write) of a job's operands; Z with all its rows."""
        job = decode(registers)
        z_bytes = 2 * stored_rows(self.unit, job.m) * job.k
        return [
            (job.x, 2 * job.m * job.n, False),
            (job.w, 2 * job.n * job.k, False),
            (job.z, z_bytes, False),
            (job.z, z_bytes, True),
        ]

    def execute(
        self, job: RedMulEJob, memory: Memory, base: int, functional: bool = True
    ) -> JobOutcome:
        """Execute ``job`` on ``memory`` (address ``base`` is its first byte), in place.

        ``cycles`` are those from start to event (:func:`redmule_run_cycles`).
        """
        m, n, k = job.m, job.n, job.k
        rows, cycles, traffic, warnings = self._facts(job)
        x_span = span("redmule", memory, base, job.x, 2 * m * n, f"X ({m}x{n})")
        w_span = span("redmule", memory, base, job.w, 2 * n * k, f"W ({n}x{k})")
        z_span = span("redmule", memory, base, job.z, 2 * rows * k, f"Z ({rows}x{k} stored rows)")
        if functional:
            x = halves(memory, *x_span).reshape(m, n)
            w = halves(memory, *w_span).reshape(n, k)
            z = halves(memory, *z_span).reshape(rows, k)
            if job.operation == MATMUL:
                z[:] = 0
            behind = self._behind(job, memory, w_span[1])
            self._multiply(x, w, z[:m], behind)
            if behind is not None and ((behind & 0x7F80) == 0x7F80).any():
                warnings += (
                    f"the {behind.shape[0]} rows of memory behind W meet x = 0 and hold Inf or "
                    f"NaN: pad the inner dimension to a multiple of {self.unit.columns}",
                )
            if rows > m:
                self._multiply(self._stale(x, rows), w, z[m:], behind)
            if z_span[0] & 1:
                memory[z_span[0] : z_span[1]] = z.reshape(-1).view(np.uint8)
        if rows > m:
            warnings += (
                f"{rows - m} rows behind Z's {m} are read and written back: allocate {rows} rows",
            )
        return JobOutcome(cycles, m * n * k, traffic, warnings)

    def _facts(self, job: RedMulEJob) -> tuple[int, int, int, tuple[str, ...]]:
        """Stored rows, cycles, traffic in bytes and warnings: the same for all jobs of a shape."""
        shape = job.m, job.n, job.k, job.format, job.operation
        if shape not in self._known:
            warnings = check(job, self.unit)
            rows = stored_rows(self.unit, job.m)
            cycles = redmule_run_cycles(job.m, job.n, job.k, self.machine)
            self._known[shape] = rows, cycles, self._traffic(job), warnings
        return self._known[shape]

    def _execute_anywhere(
        self, job: RedMulEJob, memory: Memory, base: int, functional: bool
    ) -> JobOutcome:
        """As :meth:`execute`; what lies outside the memory reads as zeros and is not kept."""
        sizes = {
            "x": 2 * job.m * job.n,
            "w": 2 * job.n * job.k,
            "z": 2 * stored_rows(self.unit, job.m) * job.k,
        }
        moved: dict[str, int] = {}
        end = memory.size
        for name, size in sizes.items():
            offset = getattr(job, name) - base
            if not 0 <= offset <= memory.size - size:
                moved[name] = base + end
                end += size
        if not moved:
            return self.execute(job, memory, base, functional)
        wide = np.zeros(end, np.uint8)
        wide[: memory.size] = memory
        outcome = self.execute(replace(job, **moved), wide, base, functional)
        memory[:] = wide[: memory.size]
        found = ", ".join(f"{name.upper()} at {getattr(job, name):#x}" for name in moved)
        return replace(
            outcome, warnings=(*outcome.warnings, f"{found} is in no memory: it reads as zeros")
        )

    def _multiply(self, x: Any, w: Any, z: Any, behind: Any) -> None:
        from softex_mlir.isa_sim.numerics.gemm import gemm_bits

        if behind is not None:
            gemm_bits(x, w, z, 1)
            gemm_bits(np.zeros((z.shape[0], behind.shape[0]), np.uint16), behind, z, 1)
            z[z == 0x8000] = 0
        else:
            gemm_bits(x, w, z, self.unit.columns)

    def _behind(self, job: RedMulEJob, memory: Memory, start: int) -> Any:
        """The rows behind W that meet x = +0."""
        leak = leaking_rows(job.n, self.unit)
        if leak == 0:
            return None
        rows = np.zeros(2 * leak * job.k, np.uint8)
        available = memory[start : start + rows.size]
        rows[: available.size] = available
        return rows.view(np.uint16).reshape(leak, job.k)

    def _stale(self, x: Any, rows: int) -> Any:
        """X of the rows behind M: what the row's buffer last held, its last 32-column chunk."""
        m, n = x.shape
        stale = np.zeros((rows - m, n), np.uint16)
        width = self.unit.tile_columns
        if m > self.unit.rows:
            chunk = (n - 1) // width * width
            held = np.zeros((rows - m, width), np.uint16)
            held[:, : n - chunk] = x[m - self.unit.rows : rows - self.unit.rows, chunk:]
            stale[:] = np.tile(held, (1, -(-n // width)))[:, :n]
        return stale

    def _traffic(self, job: RedMulEJob) -> int:
        """Bytes through the unit's port, each access counted with its elements only."""
        unit = self.unit
        row_tiles, column_tiles = -(-job.m // unit.rows), -(-job.k // unit.tile_columns)
        padded = -(-job.n // unit.columns) * unit.columns
        accesses = column_tiles * -(-job.n // unit.tile_columns) * job.m
        accesses += padded * column_tiles * row_tiles
        accesses += 2 * unit.rows * row_tiles * column_tiles
        return accesses * 2 * unit.tile_columns
