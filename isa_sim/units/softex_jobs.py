"""SoftEx as software sees it: registers, commands, jobs and their closed-form durations.

Kept free of the numerics, so that the compiler can ask for costs and limits at no expense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntFlag
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from softex_mlir.arithmetic import round_up
from softex_mlir.isa_sim.units.common import words_of
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.softex_section import SoftExDescription
from softex_mlir.isa_sim.units.softex_sums import sum_cycles

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

JOB_REGISTERS: Final = {
    "IN_ADDR": 0x20,
    "OUT_ADDR": 0x24,
    "TOT_LEN": 0x28,
    "COMMANDS": 0x2C,
    "CACHE_BASE_ADDR": 0x30,
    "CAST_CTRL": 0x34,
    "A_ADDR": 0x38,
    "B_ADDR": 0x3C,
}
"""Job registers, name to byte offset from the unit's base."""

MAX_SLOT: Final = 0xFF
"""State slots are named by 8 bits; slot 0 misbehaves when it is alone in the slot file."""


class Command(IntFlag):
    """Bits of COMMANDS; bits 31:16 hold the state slot, or the number of terms."""

    ACC_ONLY = 1 << 0
    DIV_ONLY = 1 << 1
    ACQUIRE_SLOT = 1 << 2
    LAST = 1 << 3
    SET_CACHE_ADDR = 1 << 4
    NO_OP = 1 << 5
    INT_INPUT = 1 << 6
    INT_OUTPUT = 1 << 7
    GELU_MODE = 1 << 8


class Kind(Enum):
    """What a job computes."""

    SOFTMAX = "softmax"
    ACCUMULATE = "accumulate"
    NORMALISE = "normalise"
    SUM_OF_EXPONENTIALS = "sum of exponentials"
    NOTHING = "no operation"


@dataclass(frozen=True)
class CastFormat:
    """Fixed-point format of the 8-bit modes: integer bits (signed number) and signedness."""

    integer_bits: int
    signed: bool

    @staticmethod
    def decode(field: int) -> CastFormat:
        """From the 8 bits of CAST_CTRL."""
        bits = field & 0x7F
        return CastFormat(bits - 128 if bits & 0x40 else bits, bool(field & 0x80))


@dataclass(frozen=True)
class SoftExJob:
    """A decoded job. Addresses and ``length_bytes`` in bytes; ``slot`` 0..255."""

    kind: Kind
    input: int
    output: int
    length_bytes: int
    slot: int = 0
    acquire: bool = False
    last: bool = False
    requests_slot: bool = False
    terms: int = 0
    slopes: int = 0
    weights: int = 0
    cache_base: int | None = None
    cast_input: CastFormat | None = None
    cast_output: CastFormat | None = None

    @property
    def elements(self) -> int:
        """Elements of the vector."""
        return self.length_bytes if self.cast_input else (self.length_bytes + 1) // 2

    def beats(self, lanes: int) -> int:
        """Steps of ``lanes`` elements, the last one may be partial."""
        return -(-self.elements // lanes)


@lru_cache(maxsize=1 << 16)
def decode_words(words: tuple[int, ...]) -> SoftExJob:
    """Decode job register words in address order."""
    source, target, length, commands, cache, cast, slopes, weights = words
    flags = Command(commands & 0x1FF)
    if flags & Command.GELU_MODE:
        kind = Kind.SUM_OF_EXPONENTIALS
    elif flags & Command.NO_OP:
        kind = Kind.NOTHING
    elif flags & Command.DIV_ONLY:
        kind = Kind.NORMALISE
    elif flags & Command.ACC_ONLY:
        kind = Kind.ACCUMULATE
    else:
        kind = Kind.SOFTMAX
    return SoftExJob(
        kind,
        source,
        target,
        length,
        slot=(commands >> 16) & 0xFF,
        acquire=bool(flags & Command.ACQUIRE_SLOT),
        last=bool(flags & Command.LAST),
        requests_slot=bool(flags & (Command.ACC_ONLY | Command.DIV_ONLY)),
        terms=(commands >> 16) & 0xFF,
        slopes=slopes,
        weights=weights,
        cache_base=cache if flags & Command.SET_CACHE_ADDR else None,
        cast_input=CastFormat.decode(cast & 0xFF) if flags & Command.INT_INPUT else None,
        cast_output=CastFormat.decode((cast >> 8) & 0xFF) if flags & Command.INT_OUTPUT else None,
    )


def decode(registers: Mapping[str, int] | Sequence[int]) -> SoftExJob:
    """Decode a mapping of register names, or the eight job words in address order."""
    if isinstance(registers, Mapping):
        return decode_words(words_of("softex", JOB_REGISTERS, registers))
    return decode_words(tuple(int(word) & 0xFFFFFFFF for word in registers))


def describe(registers: Mapping[str, int]) -> str:
    """A job in a few words, for listings."""
    job = decode(registers)
    if job.kind is Kind.SUM_OF_EXPONENTIALS:
        return f"sum of exponentials {job.elements}, {job.terms} terms"
    if job.kind is Kind.SOFTMAX:
        return f"softmax {job.elements}"
    if job.kind is Kind.NOTHING:
        return "no operation"
    return f"{job.kind.value} {job.elements}, slot {job.slot}{', last' if job.last else ''}"


def _softex(machine: Machine) -> SoftExDescription:
    if machine.softex is None:
        raise UnitFault("softex", "softex.absent", f"the machine '{machine.name}' has no SoftEx")
    return machine.softex


def reduction_cycles(beats: int) -> int:
    """Cycles to reduce the partial sums of a row of ``beats`` beats (no rescaling)."""
    return (3, 7, 10, 11)[min(beats, 4) - 1]


def softmax_cycles(length: int, machine: Machine) -> int:
    """Trigger to done event of a softmax of ``length`` elements whose maximum does not rise.

    Every rise of the maximum among close beats may add up to three cycles.
    """
    lanes = _softex(machine).lanes
    beats = max(1, -(-length // lanes))
    return 3 * beats + 44 + 2 * (lanes.bit_length() - 1) + reduction_cycles(beats)


def accumulate_cycles(length: int, machine: Machine, last: bool = False) -> int:
    """Trigger to done event of an accumulation chunk, as :func:`softmax_cycles`."""
    lanes = _softex(machine).lanes
    beats = max(1, -(-length // lanes))
    total = beats + 17 + 2 * (lanes.bit_length() - 1) + reduction_cycles(beats)
    return total + 18 if last else total


def normalise_cycles(length: int, machine: Machine) -> int:
    """Trigger to done event of a normalisation chunk."""
    return 2 * max(1, -(-length // _softex(machine).lanes)) + 20


def soe_cycles(length: int, terms: int, machine: Machine, loads: int = 0) -> int:
    """Trigger to done event of a sum of ``terms`` exponentials over ``length`` elements.

    ``loads`` is what the unit loaded through its port since the last soft clear
    (:func:`port_loads`). Raises :class:`UnitFault` for a job that never ends because of it.
    """
    cycles = sum_cycles(terms, -(-length // _softex(machine).lanes), loads)
    if cycles is None:
        raise UnitFault(
            "softex",
            "softex.turn",
            f"a sum of {terms} exponentials hangs after {loads} loads of jobs since the last soft "
            "clear: with more than 16 terms, clear the unit before the job",
        )
    return cycles


def port_loads(job: SoftExJob, lanes: int) -> int:
    """Loads through the unit's port: its beats, twice for a softmax, and blocks of coefficients."""
    beats = job.beats(lanes)
    match job.kind:
        case Kind.NOTHING:
            return 0
        case Kind.SOFTMAX:
            return 2 * beats
        case Kind.SUM_OF_EXPONENTIALS:
            return beats + 2 * -(-job.terms // 16)
        case _:
            return beats


SOFT_CLEAR_CYCLES: Final = 5
"""From a soft clear to the first access that counts: writes before are lost, and an ACQUIRE takes
no context."""


def max_terms(softex: SoftExDescription) -> int:
    """Terms a job may have: the RTL's blocks of 16 coefficients fit 16 lanes only."""
    return min(softex.max_terms, {4: 4, 8: 8, 16: 32, 32: 16}[softex.lanes])


def check(job: SoftExJob, softex: SoftExDescription) -> None:
    """Raise :class:`UnitFault` for a job the hardware computes wrongly or never finishes."""

    def require(condition: bool, rule: str, message: str) -> None:
        if not condition:
            raise UnitFault("softex", f"softex.{rule}", message)

    if job.kind is Kind.NOTHING:
        return
    lanes = softex.lanes
    if job.kind is Kind.SUM_OF_EXPONENTIALS:
        limit = max_terms(softex)
        require(job.terms > 0, "terms", "a sum of 0 terms never finishes; use 1 or more")
        require(
            job.terms <= limit,
            "terms",
            f"{job.terms} terms deadlock with {lanes} lanes; use at most {limit}",
        )
        require(
            not job.cast_input and not job.cast_output,
            "cast",
            "sums of exponentials take and give BF16 only; clear INT_INPUT and INT_OUTPUT",
        )
        require(
            job.slopes % 2 == 0 and job.weights % 2 == 0,
            "alignment",
            f"coefficients at {job.slopes:#x} and {job.weights:#x}; addresses must be even",
        )
    else:
        require(
            bool(job.cast_input) == bool(job.cast_output),
            "cast",
            "INT_INPUT and INT_OUTPUT share one length: set both or none (alone, it hangs)",
        )
        require(job.length_bytes > 0, "length", "TOT_LEN is 0; a row has at least one element")
        if job.cast_input:
            require(
                job.elements % lanes == 0 and job.elements > lanes,
                "length",
                f"8-bit rows must be a multiple of {lanes} elements and longer than {lanes}, "
                f"found {job.elements}",
            )
        else:
            require(
                job.length_bytes % 2 == 0,
                "length",
                f"TOT_LEN must be even (2 bytes an element), found {job.length_bytes}",
            )
    if not job.cast_input:
        writes = job.kind is not Kind.ACCUMULATE
        require(
            job.input % 2 == 0 and (job.output % 2 == 0 or not writes),
            "alignment",
            f"input at {job.input:#x}, output at {job.output:#x}; addresses must be even",
        )


def check_program_job(
    job: SoftExJob, softex: SoftExDescription, *, minus_infinity_follows: bool = False
) -> None:
    """Raise :class:`UnitFault` for a job that no program should start: :func:`check`, and what the
    hardware lets pass with a result that is missing or depends on memory behind the row.

    ``minus_infinity_follows`` says that this memory holds -inf.
    """
    check(job, softex)
    lanes = softex.lanes
    if job.kind is Kind.NOTHING:
        return
    if job.elements < 1:
        raise UnitFault("softex", "softex.length", "a job has at least one element, found 0")
    if softex.masked_tail:
        return
    if job.elements == lanes:
        raise UnitFault(
            "softex",
            "softex.one_beat",
            f"a job of exactly {lanes} elements (one beat) is dropped and stores nothing: "
            "make it longer, in softmax with -inf",
        )
    reduces = job.kind in (Kind.SOFTMAX, Kind.ACCUMULATE)
    if reduces and job.elements % lanes and not minus_infinity_follows:
        raise UnitFault(
            "softex",
            "softex.tail",
            "memory after the row enters maximum and denominator when its length is no multiple "
            f"of {lanes}, found {job.elements}: put -inf behind it and say so with "
            "`minus_infinity_follows`",
        )


def padded_length(softex: SoftExDescription, elements: int) -> int:
    """Elements of the shortest job on whole beats that takes in so many; the published unit drops
    jobs of one beat."""
    return max((2 - softex.masked_tail) * softex.lanes, round_up(elements, softex.lanes))
