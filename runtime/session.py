"""Run a program on the simulated cluster: inputs in, outputs, cycles and energy out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from softex_mlir.abi import Port
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.numerics.bf16 import LARGEST, saturated
from softex_mlir.runtime.dtypes import DTYPES
from softex_mlir.runtime.profile import Profile, build_profile

if TYPE_CHECKING:
    from softex_mlir.isa_sim.cluster import Cluster
    from softex_mlir.isa_sim.cluster_run import Effects
    from softex_mlir.isa_sim.records import JobRecord, RunResult
    from softex_mlir.runtime.program import Program


_NAN = b"\xc1\x7f"
"""A NaN in bf16 and, twice, in float32."""


@dataclass(frozen=True)
class Result:
    """What a run produced.

    Attributes:
        outputs: the model's outputs by name, `ml_dtypes.bfloat16` (or int32) arrays of the
            model's shapes.
        profile: cycles, time, energy, busy cycles a unit, figures a layer.
        notices: what was done to the inputs that the caller may not expect.
        run: the simulator's own record (job logs, counters).
    """

    outputs: dict[str, np.ndarray]
    profile: Profile
    notices: tuple[str, ...]
    inputs: dict[str, np.ndarray] = field(repr=False)
    run: RunResult = field(repr=False)

    @property
    def cycles(self) -> int:
        """Cluster cycles from reset to the end of the program."""
        return self.profile.cycles

    def _repr_html_(self) -> str:
        """The run, for notebooks."""
        from softex_mlir.runtime.report.notebook import profile_html

        return profile_html(self.profile, f"simulated on {self.profile.machine.name}")

    @property
    def energy_joules(self) -> float:
        """Energy at the first operating point of the machine, J."""
        return self.profile.energy_j


def run(
    program: Program,
    inputs: Mapping[str, np.ndarray] | None = None,
    *,
    machine: Machine | None = None,
    operating_point: str | None = None,
    sanitize: bool = False,
    functional: bool = True,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    lenient: bool = False,
    jobs: Callable[[JobRecord], None] | None = None,
    effects: Effects = "early",
    max_cycles: int | None = None,
    entry: str | None = None,
    memory: Memory | None = None,
) -> Result:
    """Simulate `program` once.

    Args:
        program: what to run.
        inputs: arrays by the model's input names; None draws seeded random inputs.
        machine: the machine to run on; must be the one the program was built for.
        operating_point: name of the voltage and clock that time and energy are reported at;
            default: the machine's first.
        sanitize: watch every memory access of a second run for races (slower).
        functional: False skips the arithmetic of the accelerators: outputs are undefined, cycles
            the same but for what depends on the data: SoftEx's rescaling, and the banks that
            cores meet at in a table (SiLU).
        seed: of the random inputs.
        progress: called now and then with the cycle reached.
        lenient: what goes wrong between jobs of the published RTL happens, with a warning,
            instead of being a fault.
        jobs: called with every job of a unit (see `runtime.job_vectors`).
        effects: "late" lets jobs and transfers read and write memory at their end instead of at
            their trigger: a missing wait shows as other bits.
        max_cycles: a program that has not ended by then is a fault.
        entry: which entry of a program with several; default: the one that `program` is at.
        memory: L2 as an earlier run of an entry has left it; this run goes on in it.

    Raises:
        UserError: an input has a wrong name, shape or dtype, or the machine is another one.
        SimulationFault: the program did something the hardware cannot do.
    """
    if entry is not None:
        program = program.at(entry)
    machine = machine or program.machine
    built_for = program.metadata["machine"]
    if program.machine.hash == machine.cores_alone().hash:
        machine = program.machine  # a program of the cores alone has no use for the units
    if machine.hash != program.machine.hash:
        raise UserError(
            f"the program was built for machine {built_for['name']!r} ({built_for['hash'][:12]}), "
            f"not for {machine.name!r} ({machine.hash[:12]}); "
            f"compile it again with --target {machine.name}"
        )
    if inputs is None:
        arrays, notices = random_inputs(program, seed), (f"no inputs given: random, seed {seed}",)
    else:
        arrays, notices = convert_inputs(program.inputs, inputs)
    kept = None if memory is None or not sanitize else Memory(memory.l2.copy())
    cluster = _ready(program, machine, arrays, memory)
    result = cluster.run(
        functional=functional,
        progress=progress,
        lenient=lenient,
        jobs=jobs,
        effects=effects,
        max_cycles=max_cycles,
    )
    outputs = {port.name: read_port(cluster, port) for port in program.outputs}
    if sanitize:
        # The detector shows counters late: it watches a run of its own, figures are of this one.
        # Memory that nobody wrote holds other values there.
        watching = _ready(program, machine, arrays, kept)
        watching.fill_never_written(_NAN)
        watched = watching.run(
            sanitize=True,
            functional=functional,
            progress=progress,
            lenient=lenient,
            max_cycles=max_cycles,
        )
        warnings = tuple(dict.fromkeys((*result.warnings, *watched.warnings)))
        races = watched.races
        if functional and not races:
            races = tuple(_unwritten(program, cluster, watching, watched.warnings))
        result = replace(result, races=races, warnings=warnings)
    profile = build_profile(program, machine, result, operating_point)
    return Result(outputs, profile, notices, arrays, result)


def _unwritten(
    program: Program, ran: Cluster, watched: Cluster, warnings: tuple[str, ...]
) -> Iterator[str]:
    """What in L2 depends on memory that nobody wrote, and the reads of it."""
    from softex_mlir.runtime.symbolizer import Symbolizer

    for address, size in ran.loaded_l2:
        one, other = (
            np.frombuffer(cluster.read_memory(address, size), np.uint8)
            for cluster in (ran, watched)
        )
        differing = np.flatnonzero(one != other)
        if not len(differing):
            continue
        first = address + int(differing[0])
        reads = "".join(f"\n  {warning}" for warning in warnings)
        yield (
            f"{len(differing)} bytes of L2, from {Symbolizer(program).buffer(first)} on, depend on "
            f"memory that nobody wrote: with other values there they differ{reads}"
        )


@dataclass
class Memory:
    """L2 with a program in it, and with the state that runs of its entries leave there."""

    l2: np.ndarray

    @staticmethod
    def of(program: Program) -> Memory:
        """L2 as the program's file has it: all state is zero."""
        return Memory(load(program, program.machine).l2)


def _ready(
    program: Program, machine: Machine, arrays: Mapping[str, np.ndarray], memory: Memory | None
) -> Cluster:
    """A cluster with the program and its inputs."""
    cluster = load(program, machine, memory)
    for port in program.inputs:
        write_port(cluster, port, arrays[port.name])
    return cluster


def load(program: Program, machine: Machine, memory: Memory | None = None) -> Cluster:
    """A cluster with the program in its memories, ready to run. With a `memory` only the TCDM is
    loaded."""
    from softex_mlir.isa_sim.cluster import Cluster
    from softex_mlir.runtime.symbolizer import Symbolizer

    l2 = None if memory is None else memory.l2
    cluster = Cluster(machine, symbolizer=Symbolizer(program), l2=l2)
    for segment in program.segments:
        data = segment.data
        if l2 is not None and segment.address >= machine.cluster.l2_base:
            data = b""
        cluster.load_segment(
            segment.address, data, segment.memory_bytes, executable=segment.executable
        )
    cluster.set_entry(program.entry)
    return cluster


def random_inputs(program: Program, seed: int) -> dict[str, np.ndarray]:
    """Seeded inputs: normal values for float inputs, ones for integer ones.

    One is an attended position of every mask, and an id of every table but those of one row.
    """
    generator = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for port in program.inputs:
        if port.dtype == "bf16":
            arrays[port.name] = generator.standard_normal(port.shape).astype(DTYPES["bf16"])
        elif port.dtype == "f32":
            arrays[port.name] = np.ones(port.shape, np.float32)
        else:
            highest = 1 if port.limit is None else min(1, port.limit - 1)
            arrays[port.name] = np.full(port.shape, highest, np.int32)
    return arrays


def convert_inputs(
    ports: tuple[Port, ...], inputs: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Inputs in the dtypes of the program, and a notice for every conversion of floats.

    Raises:
        UserError: a name, shape or dtype does not fit; all problems at once.
    """
    problems: list[str] = []
    notices: list[str] = []
    arrays: dict[str, np.ndarray] = {}
    names = [port.name for port in ports]
    unknown = [name for name in inputs if name not in names]
    if unknown:
        problems.append(f"unknown input {', '.join(map(repr, unknown))}")
    for port in ports:
        if port.name not in inputs:
            problems.append(f"input {port.name!r} is missing")
            continue
        array = np.asarray(inputs[port.name])
        wanted = DTYPES[port.dtype]
        if array.shape != port.shape:
            problems.append(
                f"input {port.name!r}: expected shape {port.shape}, found {array.shape}"
            )
        is_float = array.dtype.kind == "f" or array.dtype == DTYPES["bf16"]
        # BF16 holds every byte exactly: images need no conversion of their own.
        is_byte = array.dtype.kind in "iu" and array.dtype.itemsize == 1
        fits = not is_float if port.dtype == "i32" else is_float or is_byte
        if not fits or array.dtype.kind in "cOUSMm":
            expected = "integers" if port.dtype == "i32" else "floating-point numbers"
            problems.append(f"input {port.name!r}: expected {expected}, found {array.dtype}")
            continue
        if port.dtype == "i32" and array.size:
            low, high = int(array.min()), int(array.max())
            if port.limit is not None and not 0 <= low <= high < port.limit:
                problems.append(
                    f"input {port.name!r}: its values select rows of a table and must be in "
                    f"0..{port.limit - 1}, found {low}..{high}"
                )
                continue
            if port.values is not None and not port.values[0] <= low <= high <= port.values[1]:
                problems.append(
                    f"input {port.name!r}: its values must be in "
                    f"{port.values[0]}..{port.values[1]}, found {low}..{high}: others are no "
                    "index, or 64-bit integers computed from them do not fit 32 bits"
                )
                continue
            if not -(1 << 31) <= low <= high < 1 << 31:
                problems.append(f"input {port.name!r}: a value does not fit in 32 bits")
                continue
        limit_notice = f"input {port.name!r}: {array.dtype} converted to {port.dtype}"
        if is_float and array.dtype != wanted:
            notices.append(limit_notice)
        narrow = is_float and port.dtype == "bf16"
        arrays[port.name] = saturated(array) if narrow else array.astype(wanted)
        if narrow and array.dtype != wanted:
            wide = np.abs(array.astype(np.float64))
            beyond = int((np.isfinite(wide) & (wide > LARGEST)).sum())
            if beyond:
                notices.append(
                    f"input {port.name!r}: {beyond} values are beyond bf16 and became its largest"
                )
    if problems:
        expected = ", ".join(f"{port.name}: {port.dtype}{list(port.shape)}" for port in ports)
        raise UserError("; ".join(problems) + f" (the program takes {expected})")
    return arrays, tuple(notices)


def write_port(cluster: Cluster, port: Port, array: np.ndarray) -> None:
    """Place an input in the simulated L2, row by row at its pitch."""
    rows = np.zeros((port.rows, port.pitch), DTYPES[port.dtype])
    rows[:, : port.columns] = array.reshape(port.rows, port.columns)
    # The padding of the last row may lie past the tensor.
    flat = rows.reshape(-1)[: (port.rows - 1) * port.pitch + port.columns]
    cluster.write_memory(port.address, flat.view(np.uint8))


def read_port(cluster: Cluster, port: Port) -> np.ndarray:
    """An output from the simulated L2, in the model's shape."""
    elements = (port.rows - 1) * port.pitch + port.columns
    flat = np.zeros(port.rows * port.pitch, DTYPES[port.dtype])
    raw = cluster.read_memory(port.address, elements * port.item_bytes)
    flat[:elements] = np.frombuffer(raw, DTYPES[port.dtype])
    return flat.reshape(port.rows, port.pitch)[:, : port.columns].reshape(port.shape).copy()
