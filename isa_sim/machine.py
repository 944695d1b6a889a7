"""The hardware description: one TOML file a machine, read into frozen dataclasses.

The compiler, the simulator and the reports all read this one description. Every number of the
machine is a field here and a line in the TOML file; a program records :attr:`Machine.hash`.
Reading is strict: an unknown, missing or ill-typed key is an error that names file and line.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NoReturn, cast, get_type_hints

from softex_mlir.errors import UserError
from softex_mlir.files import toml_table
from softex_mlir.isa_sim.machine_limits import faults
from softex_mlir.isa_sim.machine_settings import SettingError, settings_tree
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.redmule_section import RedMulEDescription
from softex_mlir.isa_sim.units.softex_section import SoftExDescription
from softex_mlir.isa_sim.units.unit import Unit

MACHINES_DIRECTORY = Path(__file__).parent / "machines"
_LONGEST_BYTES = 1 << 20
_SAY_OR_EXTEND = 'say it, or begin with a machine that has it (extends = "paper")'
WINDOW: Final = 1024
"""Cycles for which the simulator runs one core after the other."""


class MachineError(UserError, ValueError):
    """A machine description that cannot be used; the text names file, line and remedy."""


class LimitError(MachineError):
    """A value that is out of its range, or does not go with another."""

    def __init__(self, section: str, key: str, problem: str):
        super().__init__(f"{section}.{key} {problem}" if section else f"{key} {problem}")
        self.section = section
        self.key = key


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
    """A complete description.

    ``units`` are the sections of the accelerators that the cluster has, in the order of
    :func:`~softex_mlir.isa_sim.units.registry.units`.
    """

    name: str
    cluster: ClusterDescription
    core: CoreDescription
    dma: DmaDescription
    energy: EnergyDescription
    operating_points: tuple[OperatingPoint, ...]
    units: tuple[Any, ...]

    def section(self, name: str) -> Any:
        """The section of the unit with this name; None if the cluster has none."""
        kind = registry.unit(name).section
        return next((unit for unit in self.units if type(unit) is kind), None)

    @cached_property
    def redmule(self) -> RedMulEDescription | None:
        """RedMulE's section, if there is one."""
        return self.section("redmule")

    @cached_property
    def softex(self) -> SoftExDescription | None:
        """SoftEx's section, if there is one."""
        return self.section("softex")

    @staticmethod
    def load(name_or_path: str | Path = "paper") -> Machine:
        """Read a shipped machine by name (``paper``, ``ideal``) or any description by path."""
        return _load(name_or_path, ())

    @staticmethod
    def from_toml(text: str, source: str = "<text>") -> Machine:
        """Read a description from TOML text; ``source`` names it in error messages."""
        return _Reader(text, source, ()).machine()

    def to_toml(self) -> str:
        """The complete description as TOML; reading it gives an equal machine."""
        lines = [f"name = {toml_value(self.name)}"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "units"):
                continue
            if isinstance(value, tuple):
                for point in cast("tuple[Any, ...]", value):
                    lines += ["", f"[[{field.name}]]", *_toml_fields(point)]
            else:
                lines += ["", f"[{field.name}]", *_toml_fields(value)]
        described: Any = self  # as in `_checked`
        for unit in registry.units_of(described):
            value = self.section(unit.name)
            keys = ["present = false"] if value is None else _toml_fields(value)
            lines += ["", f"[{unit.name}]", *keys]
        return "\n".join(lines) + "\n"

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical text: equal descriptions have equal hashes."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def __hash__(self) -> int:
        """Found once: a hundred fields are dear to hash, and kernels, which know their machine, are
        keys of tables."""
        return hash(self.hash)

    def with_tcdm_bytes(self, tcdm_bytes: int) -> Machine:
        """The same machine with another TCDM size."""
        return _checked(replace(self, cluster=replace(self.cluster, tcdm_bytes=tcdm_bytes)))

    def with_settings(self, settings: Iterable[str]) -> Machine:
        """The same machine with fields set as ``section.key=value``, the value as in TOML.

        ``section.present=false`` takes a unit away. Raises :class:`MachineError` as a file would.
        """
        try:
            tree = settings_tree(settings)
        except SettingError as error:
            raise MachineError(str(error)) from None
        for section, part in tree.items():
            if hasattr(self, section) and not dataclasses.is_dataclass(getattr(self, section)):
                raise MachineError(f"{section} has no fields that can be set one by one")
            if part.get("present") is False:
                tree[section] = {"present": False}
        try:
            return _Reader("", "--set", ()).machine_of(tree, self)
        except MachineError as error:
            raise MachineError(str(error).removeprefix("--set:1: ")) from None

    def without_redmule(self) -> Machine:
        """The same cluster without the tensor unit."""
        return self._without(RedMulEDescription)

    def without_softex(self) -> Machine:
        """The same cluster without the softmax unit."""
        return self._without(SoftExDescription)

    def cores_alone(self) -> Machine:
        """The same cluster with neither unit."""
        return self.without_redmule().without_softex()

    def _without(self, kind: type) -> Machine:
        return replace(self, units=tuple(unit for unit in self.units if type(unit) is not kind))


def _load(name_or_path: str | Path, inside: tuple[Path, ...]) -> Machine:
    """Read a description that those of `inside` extend."""
    path = _find(name_or_path)
    if path in inside:
        chain = " extends ".join(str(step) for step in (*inside[inside.index(path) :], path))
        raise MachineError(f"{inside[-1]}:1: descriptions extend each other: {chain}")
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_BYTES + 1)
    except OSError as error:
        raise MachineError(f"{path}: cannot read the machine: {error.strerror}") from error
    if len(data) > _LONGEST_BYTES:
        raise MachineError(f"{path}: not a machine: longer than {_LONGEST_BYTES:,} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MachineError(f"{path}: not a text file: {error}") from error
    return _Reader(text, str(path), (*inside, path)).machine()


def _find(name_or_path: str | Path) -> Path:
    """The file of a shipped machine or at a path."""
    text = str(name_or_path)
    shipped = MACHINES_DIRECTORY / f"{text}.toml"
    if re.fullmatch(r"\w+", text) and shipped.exists():
        return shipped
    if os.path.exists(text):
        return Path(text)
    raise MachineError(
        f"no machine '{name_or_path}': expected one of {', '.join(shipped_machines())} "
        "or the path of a TOML description"
    )


def shipped_machines() -> tuple[str, ...]:
    """Names of the descriptions that come with the package."""
    return tuple(sorted(path.stem for path in MACHINES_DIRECTORY.glob("*.toml")))


def toml_value(value: Any) -> str:
    """A value of a field as TOML spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in cast("tuple[Any, ...]", value)) + "]"
    return repr(value)


def _toml_fields(value: Any) -> list[str]:
    return [f"{f.name} = {toml_value(getattr(value, f.name))}" for f in dataclasses.fields(value)]


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


class _Reader:
    """Turns TOML text into a machine; keeps the text to give errors a line."""

    def __init__(self, text: str, source: str, files: tuple[Path, ...]):
        self.text = text
        self.source = source
        self.files = files
        """The file of the text behind those that extend it; none if the text is no file's."""

    def machine(self) -> Machine:
        try:
            tree = toml_table(self.text)
        except ValueError as error:
            raise MachineError(f"{self.source}: {error}") from error
        return self.machine_of(tree)

    def machine_of(self, tree: dict[str, Any], changed: Machine | None = None) -> Machine:
        """The machine of what the text says; of what it changes of one."""
        base = changed if changed is not None else self.base(tree.pop("extends", None))
        kinds = {key: hint for key, hint in _hints(Machine).items() if key != "units"}
        known = [*kinds, *(unit.name for unit in registry.units())]
        for key in tree:
            if key not in known:
                self.fail(None, key, f"unknown key '{key}'; expected one of {', '.join(known)}")
        values = {key: self.part(key, kind, tree, base) for key, kind in kinds.items()}
        sections = (self.unit(unit, tree, base) for unit in registry.units())
        values["units"] = tuple(section for section in sections if section is not None)
        try:
            return _checked(Machine(**values))
        except LimitError as error:
            place = self.where(error.section or None, error.key)
            raise MachineError(f"{place}: {error}") from None

    def part(self, key: str, kind: Any, tree: dict[str, Any], base: Machine | None) -> Any:
        """The value of a part that every machine has."""
        inherited = getattr(base, key) if base is not None else None
        if key not in tree:
            if inherited is None:
                self.fail(None, key, f"'{key}' is missing; {_SAY_OR_EXTEND}")
            return inherited
        if key == "name":
            return self.scalar(None, key, str, tree[key])
        if key == "operating_points":
            return self.points(tree[key])
        return self.table(key, kind, tree[key], inherited)

    def unit(self, unit: Unit, tree: dict[str, Any], base: Machine | None) -> Any:
        """The section of a unit; None where it is absent."""
        inherited = base.section(unit.name) if base is not None else None
        if unit.name not in tree:
            if base is None and unit.standard:
                self.fail(None, unit.name, f"'{unit.name}' is missing; {_SAY_OR_EXTEND}")
            return inherited
        if tree[unit.name] == {"present": False}:
            return None
        given = tree[unit.name]
        if inherited is not None and isinstance(given, dict):
            inherited = unit.inherited(inherited, cast("dict[str, Any]", given))
        return self.table(unit.name, unit.section, given, inherited)

    def base(self, parent: object) -> Machine | None:
        """The description that this one extends: a file beside its own, or a shipped one."""
        if parent is None:
            return None
        if not isinstance(parent, str):
            self.fail(
                None, "extends", f"'extends' must be the name of a machine, found {_short(parent)}"
            )
        if not self.files:
            return Machine.load(parent) if parent in shipped_machines() else self.unknown(parent)
        beside = self.files[-1].parent / f"{parent}.toml"
        return _load(beside if os.path.exists(beside) else parent, self.files)

    def unknown(self, name: str) -> NoReturn:
        """Raise for a base that is no shipped machine."""
        expected = ", ".join(shipped_machines())
        self.fail(None, "extends", f"'extends' must be one of {expected}, found {_short(name)}")

    def points(self, value: Any) -> tuple[OperatingPoint, ...]:
        key = "operating_points"
        if not isinstance(value, list) or not value:
            self.fail(None, key, f"'{key}' must be one or more [[{key}]] tables")
        points = cast("list[Any]", value)
        return tuple(self.table(key, OperatingPoint, item, None) for item in points)

    def table(self, section: str, kind: type, value: Any, inherited: Any) -> Any:
        if not isinstance(value, dict):
            self.fail(None, section, f"'{section}' must be a table")
        hints = _hints(kind)
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
            elif not hasattr(kind, key):  # programs made before a field hold its default
                self.fail(section, "", f"'{key}' is missing in [{section}]; {_SAY_OR_EXTEND}")
        return kind(**result)

    def scalar(self, section: str | None, key: str, hint: Any, value: Any) -> Any:
        if type(value) is int and not -(1 << 63) <= value < 1 << 63:
            self.fail(section, key, f"'{key}' must be a number of at most 64 bits")
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
        self.fail(section, key, f"'{key}' must be {wanted}, found {_short(value)}")

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

    def fail(self, section: str | None, key: str, message: str) -> NoReturn:
        raise MachineError(f"{self.where(section, key)}: {message}")


def _short(value: Any) -> str:
    """A value of any size for a message."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _checked(machine: Machine) -> Machine:
    """The machine, if every value is in the range the models are defined for."""
    # A checker that follows the editable install sees this class under two names.
    described: Any = machine
    for section, key, problem in faults(described):
        raise LimitError(section, key, problem)
    return machine
