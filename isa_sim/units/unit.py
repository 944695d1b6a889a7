"""A unit: everything the compiler and the simulator ask of an accelerator, in one record.

The clusters' accelerators (HWPEs) share a control port (:mod:`.control`) and differ in the rest:
a section of the machine description, job registers, what a job does to the TCDM and how long that
takes, which accesses it makes meanwhile, an event, names, a term of the energy. A :class:`Unit`
says it all; :mod:`.registry` holds those there are.

A job is executed when the compiled run loop comes back with its trigger. Loops over elements are
compiled functions over flat arrays, and so is what the contention model asks every cycle
(:mod:`.accesses`); decoding, names and reports are Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from softex_mlir.isa_sim.units import control
from softex_mlir.isa_sim.units.common import JobOutcome, Memory
from softex_mlir.isa_sim.units.control import ControlPort

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

Section = Any
"""An instance of a unit's `section` class. Every section has an int `base`, the byte address of
the unit's registers."""

Fault = tuple[str, str]
"""Key of a section, and what is wrong with its value."""


class Trigger(NamedTuple):
    """When a job was triggered.

    Attributes:
        time: cycle in which the trigger was accepted.
        gap: cycles from the write to the control port's `starting_register` to the trigger.
        previous_end: done event of the job triggered before, -1 for none.
    """

    time: int
    gap: int = 1
    previous_end: int = -1


class Execution(NamedTuple):
    """What a job did, and what the models of time and energy want to know of it.

    Attributes:
        cycles: from the trigger (or the end of the job before, if that comes later) to the done
            event, with zero-stall memory.
        work: operations, as the unit's :class:`EnergyTerm` counts them.
        bytes: read and written in TCDM.
        warnings: quirks of the hardware that the job met.
        rate: accesses of the port to TCDM a cycle.
        exposed: accesses a cycle that the unit waits for one by one.
        turnovers: bursts of `burst` accesses a cycle that the port is just able to do in time.
        burst: accesses of one of them.
    """

    cycles: int
    work: int
    bytes: int
    warnings: tuple[str, ...] = ()
    rate: float = 0.0
    exposed: float = 0.0
    turnovers: float = 0.0
    burst: int = 0


class UnitPort(Protocol):
    """One unit of a running cluster. Job registers are words in address order, int64."""

    def run(self, registers: Any, tcdm: Memory, trigger: Trigger) -> Execution:
        """Execute a job that was triggered.

        Raises :class:`~softex_mlir.isa_sim.units.faults.UnitFault` for one that the hardware
        computes wrongly or never finishes.
        """
        ...

    def execute(self, words: tuple[int, ...], tcdm: Memory) -> JobOutcome:
        """Execute a job on an idle unit, without a cluster; its `cycles` are from trigger to done
        event."""
        ...

    def footprint(self, registers: Any) -> list[tuple[int, int, bool]]:
        """(address, bytes, is write) of what the job just executed touched."""
        ...

    def rewritten_from(self, registers: Any) -> int:
        """Address from which a result is read and rewritten whatever it holds; 0 for none."""
        ...

    def reset(self) -> None:
        """A soft clear."""
        ...

    def written(self, registers: Any, tcdm: Memory, time: int, end: int) -> None:
        """A watched register was written at `time`; the job triggered last has its done event at
        `end`, or negative where that is as the unit said."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Warnings since the last call that are of no job."""
        ...


class Accesses(NamedTuple):
    """Which accesses to TCDM the unit's jobs make at a cycle, as compiled functions.

    Attributes:
        geometry: up to `accesses.GEOMETRY_WORDS` numbers of the unit that they want to know.
        wants: address of a function made with `accesses.access_function`, which says what the
            streams of a job want.
        access_bytes: of one access through the port.
    """

    geometry: tuple[int, ...]
    wants: int
    access_bytes: int


class Basis(StrEnum):
    """What a value of a machine description rests on."""

    measured = "measured"  # on the units' published RTL
    sourced = "sourced"  # a manual, a paper, published silicon
    derived = "derived"  # computed from published figures
    fitted = "fitted"  # chosen so that published totals come out
    assumed = "assumed"  # nobody published it
    given = "given"  # by a description, not the shipped one


class EnergySource(NamedTuple):
    """What an energy rests on, and in which words."""

    basis: Basis
    words: str


GIVEN = EnergySource(Basis.given, "by the machine description")


@dataclass(frozen=True)
class EnergyTerm:
    """What of a unit costs energy.

    Attributes:
        counted: (section, work of all jobs, cycles with a job under way) to the number charged.
        picojoules: of one of them, at the machine's reference voltage.
        each: what is counted, for reports.
        source: what the shipped machine's value rests on.
    """

    counted: Callable[[Section, int, int], int]
    picojoules: Callable[[Machine], float]
    each: str = "operation"
    source: EnergySource = GIVEN


def no_faults(machine: Machine, section: Section) -> Iterator[Fault]:
    """A section whose values go with each other whatever they are."""
    del machine, section
    return iter(())


def inherit_all(section: Section, given: Mapping[str, Any]) -> Section:
    """Every value of the section goes with any other."""
    del given
    return section


@dataclass(frozen=True)
class Unit:
    """A kind of accelerator.

    Attributes:
        name: of its section, in IR and in reports for programs.
        label: for people.
        event: number of the event its jobs raise, 9..15.
        stream: the stream (:data:`softex_mlir.abi.STREAMS`) whose cores drive it.
        job_registers: name to byte offset, in address order, 4 bytes apart.
        section: frozen dataclass of its section in a machine description; int `base` among the
            fields.
        ranges: smallest and largest value of its numbers, by key.
        describe: a job in a few words, from its registers by name.
        control: its control port on a machine that has this section.
        port: (machine, functional, stalls, strict) to a unit of a cluster after reset. Without
            `functional` it leaves the memory as it is; `stalls` says that the memory may deny
            accesses; where not `strict`, what the published hardware gets wrong between jobs
            happens, with a warning, instead of being a fault.
        accesses: what its jobs ask the TCDM for; only imported when a cluster runs.
        energy: its term of the energy.
        faults: what is wrong with a section on a machine, beyond ranges and addresses.
        inherited: what a description that gives some fields keeps of the section it extends.
        short_forms: name to the fields that ``name=AxB`` sets.
        unrecorded: what of a section no recording of the hardware covers, in a few words each.
        rtl: the revision of its published RTL that recordings were made from.
        standard: every description says whether it has one, with `present = false` if not. Others
            are absent where nothing is said.
        aside: a job keeps nothing for the next one, takes a time that its registers say, and
            nobody may look at its results before it ends: they may be computed meanwhile.
        long_jobs: contention lengthens a running job, window by window; else at its trigger.
        remedy: what would help a model that it binds.
    """

    name: str
    label: str
    event: int
    stream: str
    job_registers: Mapping[str, int]
    section: type
    ranges: Mapping[str, tuple[float, float]]
    describe: Callable[[Mapping[str, int]], str]
    control: Callable[[Section], ControlPort]
    port: Callable[[Machine, bool, bool, bool], UnitPort]
    accesses: Callable[[Section], Accesses]
    energy: EnergyTerm
    faults: Callable[[Machine, Section], Iterator[Fault]] = no_faults
    inherited: Callable[[Section, Mapping[str, Any]], Section] = inherit_all
    short_forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    unrecorded: Callable[[Section], tuple[str, ...]] = lambda section: ()
    rtl: str = ""
    standard: bool = False
    aside: bool = False
    long_jobs: bool = False
    remedy: str = "more of it"

    @property
    def registers(self) -> dict[str, int]:
        """All registers, name to byte offset from the unit's base."""
        return {**control.REGISTERS, **self.job_registers}

    @property
    def first_register(self) -> int:
        """Byte offset of the first job register."""
        return min(self.job_registers.values())

    def values(self, words: Any) -> dict[str, int]:
        """Job registers by name, from words in address order (further words are ignored)."""
        return {
            name: int(word) & 0xFFFFFFFF
            for name, word in zip(self.job_registers, words, strict=False)
        }
