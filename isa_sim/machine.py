"""The hardware description: one TOML file a machine, read into frozen dataclasses.

The compiler, the simulator and the reports all read this one description. Every number of the
machine is a field here and a line in the TOML file; a program records :attr:`Machine.hash`.
Reading is strict: an unknown, missing or ill-typed key is an error that names file and line.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import struct
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

from softex_mlir.isa_sim.errors import UserError

MACHINES_DIRECTORY = Path(__file__).parent / "machines"


class MachineError(UserError, ValueError):
    """A machine description that cannot be used; the text names file, line and remedy."""


@dataclass(frozen=True)
class ClusterDescription:
    """Cores, memories and interconnect. Addresses and sizes in bytes, times in cycles."""

    cores: int
    tcdm_base: int
    tcdm_bytes: int
    tcdm_banks: int
    tcdm_starvation: int
    peripheral_base: int
    peripheral_latency_cycles: int
    l2_base: int
    l2_bytes: int
    l2_latency_cycles: int
    barrier_cycles: int
    icache_bytes: int
    icache_line_bytes: int
    icache_refill_cycles: int


@dataclass(frozen=True)
class CoreDescription:
    """Timing of a core by instruction class, in cycles (CV32E40P manual, RI5CY)."""

    fp_latency: int
    fdiv_latency: int
    fsqrt_latency: int
    mulh_cycles: int
    div_base_cycles: int
    div_max_cycles: int
    branch_taken_cycles: int
    branch_not_taken_cycles: int
    jump_cycles: int
    jump_register_cycles: int
    jump_register_hazard_cycles: int
    load_use_cycles: int
    misaligned_cycles: int
    csr_cycles: int
    csr_machine_cycles: int
    fence_cycles: int
    event_wait_cycles: int


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


@dataclass(frozen=True)
class SoftExDescription:
    """The softmax and sum-of-exponentials unit. Coefficients are BF16 bit patterns."""

    base: int
    lanes: int
    expp: str
    terms: int
    slopes: tuple[int, ...]
    weights: tuple[int, ...]
    accumulator_bits: int
    soe_rounding_carry: bool
    masked_tail: bool
    max_terms: int
    state_slots: int
    checked_slots: bool
    queue_depth: int
    queued_start_cycles: int


@dataclass(frozen=True)
class DmaDescription:
    """The cluster DMA between L2 and TCDM."""

    base: int
    bytes_per_cycle: int
    program_cycles: int
    burst_bytes: int
    outstanding: int
    queue: int


@dataclass(frozen=True)
class EnergyDescription:
    """Energy of events in pJ at ``reference_voltage``; leakage in mW and nW a byte."""

    reference_voltage: float
    base_pj_per_cycle: float
    core_pj_per_instruction: float
    core_sleep_pj_per_cycle: float
    redmule_pj_per_mac: float
    softex_pj_per_lane_cycle: float
    tcdm_pj_per_byte: float
    dma_pj_per_byte: float
    l2_pj_per_byte: float
    dram_pj_per_byte: float
    leakage_logic_mw: float
    leakage_tcdm_nw_per_byte: float


@dataclass(frozen=True)
class OperatingPoint:
    """A supply voltage (V) and the clock (Hz) that goes with it."""

    name: str
    voltage: float
    frequency_hz: float


@dataclass(frozen=True)
class Machine:
    """A complete description. ``redmule`` or ``softex`` is None where the cluster lacks it."""

    name: str
    cluster: ClusterDescription
    core: CoreDescription
    dma: DmaDescription
    energy: EnergyDescription
    operating_points: tuple[OperatingPoint, ...]
    redmule: RedMulEDescription | None
    softex: SoftExDescription | None

    @staticmethod
    def load(name_or_path: str | Path = "paper") -> Machine:
        """Read a shipped machine by name (``paper``, ``ideal``) or any description by path."""
        text = str(name_or_path)
        path = MACHINES_DIRECTORY / f"{text}.toml"
        if not re.fullmatch(r"\w+", text) or not path.exists():
            path = Path(name_or_path)
        if not path.exists():
            raise MachineError(
                f"no machine '{name_or_path}': expected one of {', '.join(shipped_machines())} "
                "or the path of a TOML description"
            )
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise MachineError(f"{path}: cannot read the machine: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise MachineError(f"{path}: not a text file: {error}") from error
        return Machine.from_toml(text, str(path))

    @staticmethod
    def from_toml(text: str, source: str = "<text>") -> Machine:
        """Read a description from TOML text; ``source`` names it in error messages."""
        return _Reader(text, source).machine()

    def to_toml(self) -> str:
        """The complete description as TOML; reading it gives an equal machine."""
        lines = [f"name = {_toml_value(self.name)}"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "name":
                continue
            if value is None:
                lines += ["", f"[{field.name}]", "present = false"]
            elif isinstance(value, tuple):
                for point in cast("tuple[Any, ...]", value):
                    lines += ["", f"[[{field.name}]]", *_toml_fields(point)]
            else:
                lines += ["", f"[{field.name}]", *_toml_fields(value)]
        return "\n".join(lines) + "\n"

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical text: equal descriptions have equal hashes."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def with_tcdm_bytes(self, tcdm_bytes: int) -> Machine:
        """The same machine with another TCDM size."""
        return _checked(replace(self, cluster=replace(self.cluster, tcdm_bytes=tcdm_bytes)))

    def without_redmule(self) -> Machine:
        """The same cluster without the tensor unit."""
        return replace(self, redmule=None)

    def without_softex(self) -> Machine:
        """The same cluster without the softmax unit."""
        return replace(self, softex=None)


def shipped_machines() -> tuple[str, ...]:
    """Names of the descriptions that come with the package."""
    return tuple(sorted(path.stem for path in MACHINES_DIRECTORY.glob("*.toml")))


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(item) for item in cast("tuple[Any, ...]", value)) + "]"
    return repr(value)


def _toml_fields(value: Any) -> list[str]:
    return [f"{f.name} = {_toml_value(getattr(value, f.name))}" for f in dataclasses.fields(value)]


class _Reader:
    """Turns TOML text into a machine; keeps the text to give errors a line."""

    def __init__(self, text: str, source: str):
        self.text = text
        self.source = source

    def machine(self) -> Machine:
        try:
            tree = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise MachineError(f"{self.source}: not TOML: {error}") from error
        parent = tree.pop("extends", None)
        base: Machine | None = None
        if parent is not None:
            beside = Path(self.source).parent / f"{parent}.toml"
            base = Machine.load(beside if beside.exists() else parent)
        hints = get_type_hints(Machine)
        for key in tree:
            if key not in hints:
                self.fail(None, key, f"unknown key '{key}'; expected one of {', '.join(hints)}")
        values: dict[str, Any] = {}
        for key, hint in hints.items():
            inherited = getattr(base, key) if base is not None else None
            if key not in tree:
                if inherited is None and not (base is not None and _optional(hint)):
                    self.fail(None, key, f"'{key}' is missing")
                values[key] = inherited
            elif key == "name":
                values[key] = self.scalar(None, key, str, tree[key])
            elif key == "operating_points":
                values[key] = self.points(tree[key])
            elif tree[key] == {"present": False} and _optional(hint):
                values[key] = None
            else:
                kind = next((a for a in get_args(hint) if a is not type(None)), hint)
                values[key] = self.table(key, kind, tree[key], inherited)
        machine = Machine(**values)
        try:
            return _checked(machine)
        except MachineError as error:
            section, _, rest = str(error).partition(".")
            key = rest.partition(" ")[0]
            raise MachineError(f"{self.where(section, key)}: {error}") from None

    def points(self, value: Any) -> tuple[OperatingPoint, ...]:
        key = "operating_points"
        if not isinstance(value, list) or not value:
            self.fail(None, key, f"'{key}' must be one or more [[{key}]] tables")
        points = cast("list[Any]", value)
        return tuple(self.table(key, OperatingPoint, item, None) for item in points)

    def table(self, section: str, kind: type, value: Any, inherited: Any) -> Any:
        if not isinstance(value, dict):
            self.fail(None, section, f"'{section}' must be a table")
        hints = get_type_hints(kind)
        given = cast("dict[str, Any]", value)
        for key in given:
            if key not in hints:
                self.fail(section, key, f"unknown key '{key}'; expected one of {', '.join(hints)}")
        result: dict[str, Any] = {}
        for key, hint in hints.items():
            if key in given:
                result[key] = self.scalar(section, key, hint, given[key])
            elif inherited is not None:
                result[key] = getattr(inherited, key)
            else:
                self.fail(section, "", f"'{key}' is missing in [{section}]")
        return kind(**result)

    def scalar(self, section: str | None, key: str, hint: Any, value: Any) -> Any:
        if type(value) in (int, float) and not 0 <= value < 1 << 62:
            self.fail(section, key, f"'{key}' must be a number from 0 to 2^62, found {value!r}")
        if hint is float and type(value) is int:
            return float(value)
        if hint == tuple[int, ...]:
            items = cast("list[Any]", value if isinstance(value, list) else [None])
            if all(type(item) is int for item in items):
                return tuple(items)
        elif type(value) is hint:
            return value
        wanted = (
            "a list of integers" if hint == tuple[int, ...] else f"a value of type {hint.__name__}"
        )
        self.fail(section, key, f"'{key}' must be {wanted}, found {value!r}")

    def where(self, section: str | None, key: str) -> str:
        """``file:line`` of a key, or of its section's header."""
        current, header = None, 0
        for number, line in enumerate(self.text.splitlines(), 1):
            if match := re.match(r"\s*\[+\s*([\w.]+)", line):
                current = match[1]
                if current == section or (section is None and current == key):
                    header = number
            elif current == section and re.match(rf"\s*{re.escape(key)}\s*=", line) and key:
                return f"{self.source}:{number}"
        return f"{self.source}:{header}" if header else f"{self.source}:1"

    def fail(self, section: str | None, key: str, message: str) -> Any:
        raise MachineError(f"{self.where(section, key)}: {message}")


_POSITIVE = {
    "cluster": ("tcdm_banks", "l2_bytes", "icache_bytes", "icache_line_bytes"),
    "dma": ("bytes_per_cycle", "burst_bytes", "outstanding", "queue"),
    "energy": ("reference_voltage",),
    "redmule": ("rows", "columns", "min_inner", "max_stored_rows"),
    "softex": ("max_terms", "state_slots"),
}
"""Fields that others divide by, or that cannot be nothing."""


def _optional(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _largest_tail(softex: SoftExDescription) -> float:
    """The largest sum of exponentials, at 0, as a BF16 value: NaN if a weight is no number."""
    words = struct.pack(f"<{2 * softex.terms}H", *(w for bits in softex.weights for w in (0, bits)))
    weights = struct.unpack(f"<{softex.terms}f", words)
    if not all(math.isfinite(weight) for weight in weights):
        return math.nan
    unit = 2.0**-softex.accumulator_bits
    total = sum(math.floor(abs(weight) / unit + 0.5) for weight in weights) * unit
    return math.floor(total * 2**8 + 0.5) / 2**8 if total >= 0.5 else total


def _checked(machine: Machine) -> Machine:
    """Raise if a value is out of the range the models are defined for."""

    def require(condition: bool, message: str) -> None:
        if not condition:
            raise MachineError(message)

    cluster, redmule, softex = machine.cluster, machine.redmule, machine.softex
    for part, names in _POSITIVE.items():
        for name in names:
            section = getattr(machine, part)
            require(section is None or getattr(section, name) > 0, f"{part}.{name} must be above 0")
    require(1 <= cluster.cores <= 32, f"cluster.cores must be 1..32, found {cluster.cores}")
    require(
        cluster.tcdm_bytes > 0 and cluster.tcdm_bytes % (4 * cluster.tcdm_banks) == 0,
        f"cluster.tcdm_bytes must be a multiple of 4 bytes x {cluster.tcdm_banks} banks, "
        f"found {cluster.tcdm_bytes}",
    )
    if redmule is not None:
        require(
            redmule.rows <= redmule.columns * redmule.pipeline_registers,
            f"redmule.rows must be at most columns x pipeline_registers = "
            f"{redmule.columns * redmule.pipeline_registers}, found {redmule.rows}",
        )
        require(
            redmule.queue_depth in (1, 2),
            f"redmule.queue_depth must be 1 or 2, found {redmule.queue_depth}",
        )
        for name in ("preload_single_tile", "preload_more_tiles"):
            entries = len(getattr(redmule, name))
            require(
                entries in (0, redmule.rows),
                f"redmule.{name} must have one entry a row ({redmule.rows}) or none (estimated), "
                f"found {entries}",
            )
    if softex is not None:
        require(
            softex.lanes in (4, 8, 16, 32),
            f"softex.lanes must be 4, 8, 16 or 32, found {softex.lanes}",
        )
        require(
            softex.expp in ("rtl", "paper"),
            f"softex.expp must be 'rtl' or 'paper', found '{softex.expp}'",
        )
        require(
            1 <= softex.terms <= softex.max_terms,
            f"softex.terms must be 1..{softex.max_terms}, found {softex.terms}",
        )
        for name in ("slopes", "weights"):
            patterns: tuple[int, ...] = getattr(softex, name)
            require(
                len(patterns) == softex.terms and all(0 <= bits < 65536 for bits in patterns),
                f"softex.{name} must be {softex.terms} BF16 bit patterns (as softex.terms says)",
            )
        require(
            8 <= softex.accumulator_bits <= 24,
            f"softex.accumulator_bits must be 8..24, found {softex.accumulator_bits}",
        )
        largest = _largest_tail(softex)
        require(
            largest <= 0.5,
            "softex.weights must add up to at most 1/2, the value of 1 - Φ at 0: "
            f"found {largest:.4g}",
        )
        require(
            softex.queue_depth in (1, 2),
            f"softex.queue_depth must be 1 or 2, found {softex.queue_depth}",
        )
    names = [point.name for point in machine.operating_points]
    require(len(set(names)) == len(names), f"operating_points.name must be unique, found {names}")
    return machine
