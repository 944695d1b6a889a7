"""The units' models against recordings of the accelerators' public RTL.

Every function runs one file of recordings through the same entry points as the simulator and
counts what differs; ``softex bench calibration`` prints the table, the tests demand the zeros.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

RECORDINGS = Path(__file__).resolve().parents[2] / "test" / "golden"
"""Where a checkout keeps the recordings; an installed package has none."""


@dataclass(frozen=True)
class Calibration:
    """One comparison: ``cases`` of ``quantity`` of ``unit`` with the recordings in ``source``.

    For bits, errors count differing results (0 or 1 a case); for cycles, ``largest`` is in
    cycles and ``mean`` the mean relative error.
    """

    unit: str
    quantity: str
    source: str
    cases: int
    differing: int
    largest: float
    mean: float

    @property
    def in_cycles(self) -> bool:
        """Whether durations were compared, not bits."""
        return self.quantity.endswith("cycles")

    def __str__(self) -> str:
        if self.in_cycles:
            detail = f"largest {self.largest:+.0f} cycles, mean {self.mean:.3%}"
        else:
            detail = "bits"
        return (
            f"{self.unit:8} {self.quantity:34} {self.source:24} {self.cases:>7,} cases, "
            f"{self.differing:>3} differ, {detail}"
        )


def _bits(unit: str, quantity: str, source: str, found: Any, recorded: Any) -> Calibration:
    different = np.asarray(found) != np.asarray(recorded)
    count = int(different.sum())
    mean = count / different.size if different.size else 0.0
    return Calibration(unit, quantity, source, int(different.size), count, float(count > 0), mean)


def _cycles(unit: str, quantity: str, source: str, found: Any, recorded: Any) -> Calibration:
    expected: Any = np.asarray(recorded, np.int64)
    error: Any = np.asarray(found, np.int64) - expected
    differences: list[int] = error.tolist()
    worst = max(differences, key=abs, default=0)
    relative: Any = np.abs(error) / expected
    mean = float(relative.mean()) if error.size else 0.0
    count = int(np.count_nonzero(error))
    return Calibration(unit, quantity, source, int(error.size), count, float(worst), mean)


def _load(directory: Path, name: str) -> dict[str, Any]:
    with np.load(directory / name) as archive:
        return {key: archive[key] for key in archive}


def expp(directory: Path) -> Iterator[Calibration]:
    """All 65,536 inputs of expp, both sets of constants."""
    from softex_mlir.isa_sim.numerics.expp import expp_table

    for constants in ("rtl", "paper"):
        name = f"expp_{constants}.npy"
        recorded = np.load(directory / name)
        yield _bits("SoftEx", f"expp, {constants}", name, expp_table(constants), recorded)


def reciprocal(directory: Path) -> Iterator[Calibration]:
    """The Newton reciprocal of denominators."""
    from softex_mlir.isa_sim.numerics import softmax_kernels as kernels

    data = _load(directory, "reciprocal.npz")
    state = np.zeros(kernels.STATE_WORDS, np.int64)
    found = np.empty((data["den"].size, 2), np.int64)
    for i, denominator in enumerate(data["den"].tolist()):
        state[kernels.DENOMINATOR] = denominator
        kernels.invert(state)
        found[i] = state[kernels.RECIPROCAL], state[kernels.RECIPROCAL_BF16]
    recorded = np.stack([data["x2"], data["bf16"]], axis=1)
    yield _bits("SoftEx", "reciprocal", "reciprocal.npz", found, recorded)


def _with_lanes(lanes: int) -> Machine:
    text = f'extends = "paper"\nname = "paper"\n[softex]\nlanes = {lanes}\n'
    return Machine.from_toml(text)


def softmax(directory: Path, name: str) -> Iterator[Calibration]:
    """Whole rows: outputs, internal registers and duration."""
    from softex_mlir.isa_sim.job import run_job

    data = _load(directory, name)
    machine = _with_lanes(int(data["lanes"]))
    base = machine.cluster.tcdm_base
    longest = 2 * int(data["n"].max()) + 2 * data["tail"].shape[1]
    tcdm = np.zeros(2 * longest, np.uint8)
    found = np.empty((data["n"].size, 4), np.int64)
    durations = np.empty(data["n"].size, np.int64)
    outputs = np.empty_like(data["y"])
    for i, n in enumerate(data["n"].tolist()):
        row = slice(int(data["off"][i]), int(data["off"][i + 1]))
        memory = np.concatenate([data["x"][row], data["tail"][i]])
        tcdm[: 2 * memory.size] = memory.view(np.uint8)
        # What the unit does not write is recorded as 0xFFFF.
        tcdm[longest:] = 0xFF
        registers = {"IN_ADDR": base, "OUT_ADDR": base + longest, "TOT_LEN": 2 * n}
        result = run_job("softex", registers, tcdm, machine)
        outputs[row] = tcdm[longest : longest + 2 * n].view(np.uint16)
        found[i] = result.max, result.den, result.rec, result.rec_bf16
        durations[i] = result.cycles
    recorded = np.stack([data[key] for key in ("max", "den", "rec", "rec_bf16")], axis=1)
    done = data["times"][:, data["time_names"].tolist().index("EVT")]
    yield _bits("SoftEx", "softmax, elements", name, outputs, data["y"])
    yield _bits("SoftEx", "softmax, max den rec", name, found, recorded)
    yield _cycles("SoftEx", "softmax, cycles", name, durations, done)


def chunked(directory: Path) -> Iterator[Calibration]:
    """Rows in accumulation jobs and normalisation jobs, with state slots."""
    from softex_mlir.isa_sim.job import run_job
    from softex_mlir.isa_sim.units.softex_jobs import Command

    name = "chunked_L16.npz"
    data = _load(directory, name)
    machine = Machine.load("paper")
    base = machine.cluster.tcdm_base
    outputs = np.full_like(data["y"], 0xFFFF)
    states = np.empty(data["op_fin"].shape, np.int64)
    durations = np.empty(data["op_cycles"].size, np.int64)
    jobs = accumulations = divisions = 0
    for i, (_, _, _, slot, acc, div) in enumerate(data["info"].tolist()):
        first = int(data["off"][i])
        sizes = [
            data["acc_chunks"][accumulations : accumulations + acc].tolist(),
            data["div_chunks"][divisions : divisions + div].tolist(),
        ]
        tcdm = np.full(1 << 15, 0xFF, np.uint8)
        for stage, chunks in zip((Command.ACC_ONLY, Command.DIV_ONLY), sizes, strict=True):
            position = first
            for j, size in enumerate(chunks):
                tcdm[: 1 << 14].view(np.uint16)[:] = 0xFF80
                tcdm[: 2 * size] = data["x"][position : position + size].view(np.uint8)
                command = stage | slot << 16
                if stage is Command.ACC_ONLY and j == 0:
                    command |= Command.ACQUIRE_SLOT
                if j == len(chunks) - 1:
                    command |= Command.LAST
                registers = {
                    "IN_ADDR": base,
                    "OUT_ADDR": base + (1 << 14),
                    "TOT_LEN": 2 * size,
                    "COMMANDS": int(command),
                }
                tcdm[1 << 14 :] = 0xFF
                result = run_job("softex", registers, tcdm, machine)
                states[jobs] = result.max, result.den, result.rec, result.rec_bf16
                durations[jobs] = result.cycles
                jobs += 1
                if stage is Command.DIV_ONLY:
                    written = tcdm[1 << 14 :].view(np.uint16)[:size]
                    outputs[position : position + size] = written
                position += size
        accumulations += acc
        divisions += div
    yield _bits("SoftEx", "chunked softmax, elements", name, outputs, data["y"])
    yield _bits("SoftEx", "chunked softmax, max den rec", name, states, data["op_fin"])
    yield _cycles("SoftEx", "chunked softmax, cycles", name, durations, data["op_cycles"])


def _sum_job(s: Any, slopes: Any, weights: Any, machine: Machine) -> tuple[Any, int]:
    from softex_mlir.isa_sim.job import run_job
    from softex_mlir.isa_sim.units.softex_jobs import Command

    base, size = machine.cluster.tcdm_base, 2 * s.size
    tcdm = np.full(256 + 2 * size, 0xFF, np.uint8)
    tcdm[: 2 * slopes.size] = slopes.view(np.uint8)
    tcdm[128 : 128 + 2 * weights.size] = weights.view(np.uint8)
    tcdm[256 : 256 + size] = s.view(np.uint8)
    registers = {
        "IN_ADDR": base + 256,
        "OUT_ADDR": base + 256 + size,
        "TOT_LEN": size,
        "COMMANDS": int(Command.GELU_MODE) | slopes.size << 16,
        "A_ADDR": base,
        "B_ADDR": base + 128,
    }
    cycles = run_job("softex", registers, tcdm, machine).cycles
    return tcdm[256 + size :].view(np.uint16), cycles


def sum_of_exponentials(directory: Path) -> Iterator[Calibration]:
    """All inputs with three coefficient sets; random lengths, terms and coefficients."""
    machine = Machine.load("paper")
    name = "soe_exhaustive_L16.npz"
    data = _load(directory, name)
    for key in ("gelu_N2", "gelu_N4", "tr_N4"):
        found, cycles = _sum_job(data["s"], data[f"{key}_slope"], data[f"{key}_weight"], machine)
        yield _bits("SoftEx", f"sum of exponentials, {key}", name, found, data[f"{key}_y"])
        recorded = data[f"{key}_cycles"][:1]
        yield _cycles("SoftEx", f"sum of exponentials, {key}, cycles", name, [cycles], recorded)
    name = "soe_random_L16.npz"
    data = _load(directory, name)
    outputs = np.empty_like(data["y"])
    durations = np.empty(data["n"].size, np.int64)
    for i in range(data["n"].size):
        row = slice(int(data["off"][i]), int(data["off"][i + 1]))
        terms = slice(int(data["coff"][i]), int(data["coff"][i + 1]))
        slopes, weights = data["slope"][terms], data["weight"][terms]
        outputs[row], durations[i] = _sum_job(data["s"][row], slopes, weights, machine)
    yield _bits("SoftEx", "sum of exponentials, random", name, outputs, data["y"])
    yield _cycles("SoftEx", "sum of exponentials, random, cycles", name, durations, data["cycles"])


def fma(directory: Path) -> Iterator[Calibration]:
    """Single fused multiply-adds through the array."""
    from softex_mlir.isa_sim.numerics.bf16 import fma_bits

    data = _load(directory, "fma.npz")
    found = fma_bits(data["x"], data["w"], data["y"])
    # Seven zero-padded steps follow in the array: -0 shows as +0.
    found[found == 0x8000] = 0
    yield _bits("RedMulE", "fused multiply-add", "fma.npz", found, data["z"])


def gemm(directory: Path) -> Iterator[Calibration]:
    """Whole products."""
    from softex_mlir.isa_sim.numerics.gemm import gemm_bits

    data = _load(directory, "gemm.npz")
    found = data["Y"].copy()
    for i, (m, n, k) in enumerate(data["shape"].tolist()):
        x = data["X"][data["xoff"][i] : data["xoff"][i + 1]].reshape(m, n)
        w = data["W"][data["woff"][i] : data["woff"][i + 1]].reshape(n, k)
        z = found[data["zoff"][i] : data["zoff"][i + 1]].reshape(m, k)
        gemm_bits(x, w, z)
    yield _bits("RedMulE", "matrix product, elements", "gemm.npz", found, data["Z"])


def redmule_cycles(directory: Path) -> Iterator[Calibration]:
    """Durations of jobs the published RTL computes rightly; which jobs it does not."""
    from softex_mlir.isa_sim.units import redmule
    from softex_mlir.isa_sim.units.faults import UnitFault

    name = "cycles_24x8.csv"
    machine = Machine.load("paper")
    unit = machine.redmule
    assert unit is not None
    found: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    silent: list[bool] = []
    with (directory / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            m, n, k = int(row["M"]), int(row["N"]), int(row["K"])
            right = row["rtl_result"] == "ok"
            try:
                redmule.check(redmule.RedMulEJob(0, 0, 0, m, n, k), unit)
                faulty = False
            except UnitFault:
                faulty = True
            if not right:
                silent.append(not faulty)
            elif n >= unit.min_inner:
                stalls = -(-n // 8) * 8 == 24 or 1 <= n % 32 <= 8
                cycles = redmule.redmule_cycles(m, n, k, machine)
                found[stalls].append((cycles, int(row["cycles_trigger_to_event"])))
    for stalls, quantity in ((False, "job, cycles"), (True, "job with X refill stalls, cycles")):
        pairs = np.array(found[stalls], np.int64).reshape(-1, 2)
        yield _cycles("RedMulE", quantity, name, pairs[:, 0], pairs[:, 1])
    nothing = np.zeros(len(silent), np.bool_)
    yield _bits("RedMulE", "wrong jobs reported as faults", name, silent, nothing)


def slots_in_sequence(directory: Path) -> Iterator[Calibration]:
    """Slot jobs one after the other, queued and not: results and done events."""
    from softex_mlir.isa_sim.bus_sequence import run_sequence

    name = "sequences/softex_slots.npz"
    data = _load(directory, name)
    rows, width = data["x"].shape
    outputs = np.empty_like(data["y"])
    events: list[Any] = []
    for index, (start, end) in enumerate(pairwise(data["offset"].tolist())):
        tcdm = np.zeros(1 << 18, np.uint8)
        tcdm[0x1000 : 0x1000 + 2 * rows * width] = data["x"].view(np.uint8).reshape(-1)
        events.append(run_sequence("softex", data["accesses"][start:end], tcdm).events)
        found = tcdm[0x8000 : 0x8000 + 2 * rows * width].view(np.uint16)
        outputs[index] = found.reshape(rows, width)
    yield _bits("SoftEx", "slots in sequence, outputs", name, outputs, data["y"])
    found, recorded = np.concatenate(events), data["events"]
    yield _cycles("SoftEx", "slots in sequence, done events", name, found, recorded)


COMPARISONS: dict[str, Callable[[Path], Iterator[Calibration]]] = {
    "expp": expp,
    "reciprocal": reciprocal,
    "softmax": lambda directory: softmax(directory, "softmax_L16.npz"),
    "softmax, 8 lanes": lambda directory: softmax(directory, "softmax_L8.npz"),
    "softmax, rising maxima": lambda directory: softmax(directory, "rescale_L16.npz"),
    "softmax in chunks": chunked,
    "slots in sequence": slots_in_sequence,
    "sum of exponentials": sum_of_exponentials,
    "fma": fma,
    "gemm": gemm,
    "redmule cycles": redmule_cycles,
}
"""All comparisons by name."""


def calibrate(directory: Path | None = None) -> list[Calibration]:
    """Run every comparison with the recordings in ``directory`` (default: the checkout's)."""
    directory = directory or RECORDINGS
    if not directory.is_dir():
        raise UserError(
            f"no recordings at {directory}: they come with the source checkout (test/golden), "
            "not with the installed package; pass their directory"
        )
    return [found for compare in COMPARISONS.values() for found in compare(directory)]
