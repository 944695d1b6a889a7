"""SoftEx: exact execution of its jobs on the TCDM, with the state slots of rows in chunks.

Registers, decoding and closed-form cycles are in :mod:`.softex_jobs`. The quirks of the published
RTL are executed as they are, and named in the outcome's warnings; a machine with
``softex.masked_tail`` has right lane enables instead.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.isa_sim.units.common import JobOutcome, Memory, span
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.softex_jobs import (
    CastFormat,
    Kind,
    SoftExJob,
    accumulate_cycles,
    check,
    decode,
    decode_words,
    normalise_cycles,
    port_loads,
    soe_cycles,
    softmax_cycles,
)
from softex_mlir.isa_sim.units.softex_slots import Slot, StateSlots

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

NEGATIVE_INFINITY = 0xFF80
RESCALE_HAZARD = (
    "maxima rise in close beats of a row: with memory stalls the published RTL may lose a rescale "
    "or hang there; the simulator keeps the order of the stall-free unit"
)
"""Warning of rows that are only safe without memory stalls."""
NO_OPERATION_CYCLES = 4
"""Trigger to event of a NO_OP."""
START_CYCLES = 3
"""From the cycle in which a job begins to the one in which the unit looks for its slot."""
_IDLE_CYCLES = 64
"""A time in which every state slot arrives."""
_ON_SLOTS = (Kind.ACCUMULATE, Kind.NORMALISE)


class SoftEx:
    """One SoftEx: executes jobs, keeps the state slots between them.

    ``last_*`` describe the last job, for counters of energy and reports. With ``memory_stalls``
    (set by who runs the unit on a contended memory), rows whose rescalings depend on their absence
    are warned about.
    """

    def __init__(self, machine: Machine, *, strict: bool = True):
        if machine.softex is None:
            raise UnitFault("softex", "softex.absent", f"machine '{machine.name}' has no SoftEx")
        from softex_mlir.isa_sim.numerics import softmax_kernels
        from softex_mlir.isa_sim.numerics.expp import expp_table

        self.machine = machine
        self.strict = strict
        self.softex = machine.softex
        self.lanes = machine.softex.lanes
        self._kernels = softmax_kernels
        self._table = expp_table(machine.softex.expp)
        self._state = np.zeros(softmax_kernels.STATE_WORDS, np.int64)
        self._first_cycle = 14 + 2 * (self.lanes.bit_length() - 1)
        self._plans: dict[tuple[int, ...], tuple[int, int, int, int, int, int]] = {}
        self._outcomes: dict[tuple[tuple[int, ...], int], JobOutcome] = {}
        self._memory: Memory | None = None
        self._softmax_job: Any = None
        self.memory_stalls = False
        self.last_lane_cycles = 0
        self.last_bytes = 0
        self.last_warnings: tuple[str, ...] = ()
        self.slots = StateSlots(self.softex, strict=strict)
        self.reset()

    def reset(self) -> None:
        """Soft clear: state slots and the address of their spill area are lost, the arbiter of
        loads starts over."""
        self.slots = self.slots.cleared()
        self.loads = 0
        self._begun = self._idle = 0
        self.last_moves: tuple[tuple[int, int, bool], ...] = ()

    # --- entry points ------------------------------------------------------------------------

    def run(
        self,
        registers: Any,
        tcdm: Memory,
        tcdm_base: int,
        functional: bool = True,
        time: int | None = None,
    ) -> int:
        """Execute the job in the eight register words; returns cycles from trigger to event.

        ``time`` is the cycle at which the job begins, the one of its trigger or the last one of
        the job before: state slots that are still on their way then make it late. None: the unit
        was idle long enough, and the job's slot is requested for it. Without ``functional`` the
        memory stays as it is but for state slots and the closed-form duration is returned.
        """
        words = tuple(registers.tolist() if isinstance(registers, np.ndarray) else registers)
        if not functional:
            outcome = self._dry_outcome(words, tcdm, tcdm_base, time)
        else:
            cycles = self._quick_softmax(words, tcdm, tcdm_base)
            if cycles >= 0:
                return cycles
            job = decode_words(tuple(word & 0xFFFFFFFF for word in words))
            outcome = self.execute(job, tcdm, tcdm_base, time)
        self.last_lane_cycles = outcome.operations
        self.last_bytes = outcome.bytes
        self.last_warnings = outcome.warnings
        return outcome.cycles

    def _dry_outcome(
        self, words: tuple[int, ...], memory: Memory, base: int, time: int | None
    ) -> JobOutcome:
        """The outcome of a job that is not executed; its state slot takes its way."""
        job = decode_words(tuple(word & 0xFFFFFFFF for word in words))
        late = 0
        if job.kind in _ON_SLOTS or job.kind is Kind.NOTHING:
            check(job, self.softex)
            late, _ = self._begin(job, memory, base, time)
        turn = self.loads % 4
        outcome = self._outcomes.get((words, turn))
        if outcome is None:
            check(job, self.softex)
            cycles = self.cycles(job)
            outcome = JobOutcome(cycles, self.lanes * cycles, self._traffic(job))
            self._outcomes[words, turn] = outcome
        self.loads += port_loads(job, self.lanes)
        if job.kind in _ON_SLOTS:
            self._end(job, NEGATIVE_INFINITY, 0, outcome.cycles)
        return replace(outcome, cycles=outcome.cycles + late) if late else outcome

    def cycles(self, job: SoftExJob) -> int:
        """Closed-form duration (no rising maxima, slots in place), trigger to event."""
        if job.kind is Kind.SUM_OF_EXPONENTIALS:
            return soe_cycles(job.elements, job.terms, self.machine, self.loads)
        if job.kind is Kind.SOFTMAX:
            return softmax_cycles(job.elements, self.machine)
        if job.kind is Kind.ACCUMULATE:
            return accumulate_cycles(job.elements, self.machine, job.last)
        if job.kind is Kind.NORMALISE:
            return normalise_cycles(job.elements, self.machine)
        return NO_OPERATION_CYCLES

    def footprint(self, registers: Any) -> list[tuple[int, int, bool]]:
        """(address, bytes, is_write) of what enters and leaves the job just executed.

        With the elements behind a row that the published RTL takes into it, and the spill area.
        """
        job = decode(registers)
        if job.kind is Kind.NOTHING:
            return []
        size = job.length_bytes
        if job.kind is Kind.SUM_OF_EXPONENTIALS:
            ranges = [(job.slopes, 2 * job.terms, False), (job.weights, 2 * job.terms, False)]
        else:
            beats = job.beats(self.lanes)
            taken = (beats - 1) * self.lanes + self._enabled(job, beats)
            size = size if job.cast_input else max(size, 2 * taken)
            ranges = [] if job.kind is Kind.SOFTMAX else list(self.last_moves)
        ranges.append((job.input, size, False))
        if job.kind is not Kind.ACCUMULATE:
            ranges.append((job.output, job.length_bytes, True))
        return ranges

    def request_slot(self, registers: Any, memory: Memory, base: int, time: int) -> None:
        """A write to COMMANDS at cycle ``time``: it requests a slot at once, not the trigger."""
        job = decode(registers)
        if job.requests_slot:
            self.slots.request(job, time, memory, base)

    def execute(
        self, job: SoftExJob, memory: Memory, base: int, time: int | None = None
    ) -> JobOutcome:
        """Execute ``job`` on ``memory`` (address ``base`` is its first byte), in place.

        ``time``: as in :meth:`run`.
        """
        check(job, self.softex)
        late, slot = self._begin(job, memory, base, time)
        if job.kind is Kind.NOTHING:
            return JobOutcome(NO_OPERATION_CYCLES, 0, 0)
        if job.kind is Kind.SUM_OF_EXPONENTIALS:
            outcome = self._sum_of_exponentials(job, memory, base)
        else:
            outcome = self._softmax(job, memory, base, slot)
        self.loads += port_loads(job, self.lanes)
        if job.kind in _ON_SLOTS:
            kept = outcome.reciprocal if job.last else outcome.denominator
            self._end(job, outcome.maximum, kept, outcome.cycles)
        return replace(outcome, cycles=outcome.cycles + late) if late else outcome

    def _begin(
        self, job: SoftExJob, memory: Memory, base: int, time: int | None
    ) -> tuple[int, Slot]:
        """Let a job begin; how late it is because of its slot, and the state it finds."""
        if time is None:
            time = self._idle + _IDLE_CYCLES
            if job.cache_base is not None:
                self.slots.set_cache_base(job.cache_base, self._idle, memory, base)
            if job.requests_slot:
                self.slots.request(job, self._idle + 1, memory, base)
        start = found = time + START_CYCLES
        if job.cache_base is not None:
            self.slots.set_cache_base(job.cache_base, start, memory, base)
        slot = Slot()
        if job.kind in _ON_SLOTS:
            found, slot = self.slots.begin(job, start, memory, base)
            # Loads of states take turns with all others.
            self.last_moves = tuple(self.slots.moved)
            self.slots.moved.clear()
            self.loads += sum(not is_write for _, _, is_write in self.last_moves)
        self._begun = time + found - start
        self._idle = max(self._idle, self._begun)
        return found - start, slot

    def _end(self, job: SoftExJob, maximum: int, value: int, cycles: int) -> None:
        """Let a slot job end, ``cycles`` from its beginning to its done event."""
        last = self._begun + cycles - 1
        self.slots.end(job, maximum, value, last)
        self._idle = max(self._idle, last)

    def _quick_softmax(self, words: tuple[int, ...], memory: Memory, base: int) -> int:
        """An ordinary whole row, as :meth:`execute` does it; -1 for anything else.

        A program has tens of thousands of these jobs with few different register values.
        """
        plan = self._plans.get(words)
        if plan is None:
            plan = self._plan(words, base)
            self._plans[words] = plan
        source, target, length, enabled, reach, traffic = plan
        if length == 0 or reach > memory.size:
            return -1
        if memory is not self._memory:
            self._memory = memory
            self._softmax_job = self._kernels.softmax_job.bind(
                memory[: memory.size & ~1].view(np.uint16),
                self.lanes,
                self._table,
                self._state,
                self._first_cycle,
            )
        inversion = self._softmax_job(source, target, length, enabled)
        if inversion < 0:
            return -1
        cycles = int(inversion) + 28 + 2 * -(-length // self.lanes)
        self.loads += 2 * -(-length // self.lanes)
        self.last_lane_cycles = self.lanes * cycles
        self.last_bytes = traffic
        hazard = self.memory_stalls and cycles > softmax_cycles(length, self.machine)
        self.last_warnings = (RESCALE_HAZARD,) if hazard else ()
        return cycles

    def _plan(self, words: tuple[int, ...], base: int) -> tuple[int, int, int, int, int, int]:
        """Element indices, length, lanes of the last beat, end in bytes, traffic of a plain row.

        The length is 0 for a job that is not a plain row within the memory.
        """
        job = decode_words(tuple(word & 0xFFFFFFFF for word in words))
        beats = job.beats(self.lanes)
        rest = job.elements % self.lanes
        plain = (
            job.kind is Kind.SOFTMAX
            and job.cache_base is None
            and not (job.cast_input or job.cast_output)
            and job.length_bytes % 2 == 0
            and (rest == 0 or not self.softex.masked_tail)
            and min(job.input, job.output) >= base
            and (job.input - base) % 2 == 0
            and (job.output - base) % 2 == 0
        )
        enabled = self._enabled(job, beats) if plain and beats else 0
        if not plain or enabled == 0:
            return 0, 0, 0, 0, 0, 0
        source, target = job.input - base, job.output - base
        reach = max(source + 2 * beats * self.lanes, target + job.length_bytes)
        traffic = self._traffic(job)
        return source // 2, target // 2, job.elements, enabled, reach, traffic

    # --- softmax -----------------------------------------------------------------------------

    def _enabled(self, job: SoftExJob, beats: int) -> int:
        """Lanes of the last beat that take part."""
        lanes, elements = self.lanes, job.elements
        rest = elements % lanes
        if self.softex.masked_tail:
            return rest or lanes
        if rest == 0:
            # The published RTL enables no lane at all if the row is a single whole beat.
            return lanes if beats > 1 else 0
        # The byte strobe of the rest is used as a lane strobe.
        return min(2 * rest, lanes)

    def _softmax(self, job: SoftExJob, memory: Memory, base: int, slot: Slot) -> JobOutcome:
        kernels, lanes, state = self._kernels, self.lanes, self._state
        beats = job.beats(lanes)
        enabled = self._enabled(job, beats)
        warnings: list[str] = []
        x = self._input(job, memory, base, beats, enabled, warnings)
        writes = job.kind is not Kind.ACCUMULATE
        out, store = self._output(job, memory, base) if writes else (x[:0], None)
        dropped = enabled == 0
        if dropped:
            warnings.append(
                f"a {'row' if job.kind is Kind.SOFTMAX else 'chunk'} of exactly {lanes} elements "
                "is dropped by the published RTL: it enters neither maximum nor denominator, and "
                "nothing is written; make it longer with -inf"
            )
        target = np.empty_like(out) if dropped else out

        if job.kind is Kind.SOFTMAX:
            kernels.softmax_row(x, lanes, enabled, self._table, state, target, self._first_cycle)
            cycles = int(state[kernels.INVERSION]) + 28 + 2 * beats
        elif job.kind is Kind.ACCUMULATE:
            cycles = self._accumulate(job, slot, x, enabled)
        else:
            cycles = self._normalise(job, slot, x, enabled, target)
        if state[kernels.REDUCTION] < 0 and job.kind is not Kind.NORMALISE:
            raise UnitFault("softex", "softex.accumulator", "the accumulator never gets empty")
        if state[kernels.DENOMINATOR] & 0x7F800000 == 0x7F800000 and enabled:
            warnings.append(
                "the denominator is not finite: the row has +inf, only -inf, or nothing above "
                f"-inf in its first {lanes} elements"
            )
        if store is not None and not dropped:
            store(out)
        if self.memory_stalls and cycles > self.cycles(job):
            warnings.append(RESCALE_HAZARD)
        values = [int(value) for value in state[2:5]]
        return JobOutcome(
            cycles,
            lanes * cycles,
            self._traffic(job),
            tuple(warnings),
            int(state[kernels.MAX]),
            values[0],
            values[1],
            values[2],
        )

    def _input(
        self,
        job: SoftExJob,
        memory: Memory,
        base: int,
        beats: int,
        enabled: int,
        warnings: list[str],
    ) -> Any:
        """The elements as uint16[beats * lanes], with what follows the row in memory."""
        start, stop = span("softex", memory, base, job.input, job.length_bytes, "the input")
        if job.cast_input:
            return _decode_table(job.cast_input)[memory[start:stop]]
        size = beats * self.lanes
        stop = min(start + 2 * size, memory.size - (memory.size - start) % 2)
        window = memory[start:stop].view(np.uint16)
        if window.size < size:
            whole = np.zeros(size, np.uint16)
            whole[: window.size] = window
            window = whole
        if self.softex.masked_tail:
            if size > job.elements:
                window = window.copy()
                window[job.elements :] = NEGATIVE_INFINITY
            return window
        last = (beats - 1) * self.lanes + enabled
        if last > job.elements and (window[job.elements : last] != NEGATIVE_INFINITY).any():
            warnings.append(
                f"the published RTL takes the {last - job.elements} elements behind the row into "
                "maximum and denominator; put -inf (0xFF80) there"
            )
        return window

    def _output(self, job: SoftExJob, memory: Memory, base: int) -> tuple[Any, Any]:
        """Where to write, and what to call afterwards if that is not the memory itself."""
        extra = self.lanes if job.cast_output else 0
        start, stop = span(
            "softex", memory, base, job.output, job.length_bytes + extra, "the output"
        )
        if not job.cast_output:
            return memory[start:stop].view(np.uint16), None
        table = _encode_table(job.cast_output)

        def store(values: Any) -> None:
            # The last store also writes a beat of zeros.
            memory[start : start + values.size] = table[values]
            memory[start + values.size : stop] = 0

        return np.empty(job.elements, np.uint16), store

    def _accumulate(self, job: SoftExJob, slot: Slot, x: Any, enabled: int) -> int:
        kernels, state = self._kernels, self._state
        state[:] = 0
        state[kernels.MAX] = NEGATIVE_INFINITY if job.acquire else slot.maximum
        state[kernels.VALID] = not job.acquire
        value = np.uint32(slot.value).view(np.float32)
        kernels.accumulate(
            x, self.lanes, enabled, self._table, not job.acquire, value, state, self._first_cycle
        )
        cycles = int(state[kernels.INVERSION]) + 1
        if job.last:
            kernels.invert(state)
            cycles += 18
        return cycles

    def _normalise(self, job: SoftExJob, slot: Slot, x: Any, enabled: int, out: Any) -> int:
        kernels, state = self._kernels, self._state
        state[:] = 0
        state[kernels.MAX] = slot.maximum
        state[kernels.RECIPROCAL] = slot.value
        rec16 = _narrow(slot.value)
        state[kernels.RECIPROCAL_BF16] = rec16
        above = kernels.normalise(x, self.lanes, enabled, self._table, slot.maximum, rec16, out)
        capacity = 2 * (self.lanes.bit_length() - 1) + 6
        if above > capacity:
            raise UnitFault(
                "softex",
                "softex.normalise",
                f"{above} beats exceed the maximum in slot {job.slot}; more than {capacity} "
                "duplicate input beats and may hang: accumulate the whole row first",
            )
        return 2 * job.beats(self.lanes) + 20

    # --- sum of exponentials -----------------------------------------------------------------

    def _sum_of_exponentials(self, job: SoftExJob, memory: Memory, base: int) -> JobOutcome:
        from softex_mlir.isa_sim.numerics.gelu import sum_of_exponentials_table

        softex = self.softex
        coefficients: list[tuple[int, ...]] = []
        for address, what in (
            (job.slopes, "the table of slopes"),
            (job.weights, "that of weights"),
        ):
            start, stop = span("softex", memory, base, address, 2 * job.terms, what)
            coefficients.append(tuple(memory[start:stop].view(np.uint16).tolist()))
        table = sum_of_exponentials_table(
            coefficients[0],
            coefficients[1],
            softex.accumulator_bits,
            softex.soe_rounding_carry,
            softex.expp,
        )
        cycles = soe_cycles(job.elements, job.terms, self.machine, self.loads)
        warnings: tuple[str, ...] = ()
        if job.requests_slot:
            warnings = (
                "COMMANDS asks for a state slot (ACC_ONLY or DIV_ONLY), which a sum of "
                "exponentials does not use: clear both bits",
            )
        size = job.length_bytes
        if size == 2 * self.lanes and not softex.masked_tail:
            warnings += (
                f"a job of exactly {self.lanes} elements writes nothing in the published RTL; "
                "split or lengthen it",
            )
        elif size:
            start, stop = span("softex", memory, base, job.input, size, "the input")
            first, end = span("softex", memory, base, job.output, size, "the output")
            if size % 2:
                padded = np.zeros(size + 1, np.uint8)
                available = memory[start : stop + 1]
                padded[: available.size] = available
                memory[first:end] = table[padded.view(np.uint16)].view(np.uint8)[:size]
            else:
                memory[first:end].view(np.uint16)[:] = table[memory[start:stop].view(np.uint16)]
        return JobOutcome(cycles, self.lanes * cycles, self._traffic(job), warnings)

    def _traffic(self, job: SoftExJob) -> int:
        """Bytes through the unit's port."""
        beats = job.beats(self.lanes)
        beat = self.lanes if job.cast_input else 2 * self.lanes
        if job.kind is Kind.SUM_OF_EXPONENTIALS:
            return 2 * beats * beat + 2 * -(-job.terms // 16) * 32
        passes = {Kind.SOFTMAX: 3, Kind.ACCUMULATE: 1, Kind.NORMALISE: 2}.get(job.kind, 0)
        return passes * beats * beat


def _narrow(word: int) -> int:
    """Binary32 bits to BF16 bits, nearest even."""
    if word & 0x7FFFFFFF > 0x7F800000:
        return 0x7FC0
    return (word + 0x7FFF + ((word >> 16) & 1)) >> 16


@lru_cache(maxsize=16)
def _decode_table(cast: CastFormat) -> Any:
    """BF16 bits of every input byte: ``u * 2^(integer bits + signed - 8)``.

    0 is decoded as the number of one place higher, as the RTL's leading-zero counter has it.
    """
    from softex_mlir.isa_sim.numerics.bf16 import round_float64_bits

    scale = 2.0 ** (cast.integer_bits + cast.signed - 8)
    values = np.arange(256, dtype=np.float64)
    if cast.signed:
        values[128:] -= 256
    values *= scale
    values[0] = 2 * scale
    return round_float64_bits(values)


@lru_cache(maxsize=16)
def _encode_table(cast: CastFormat) -> Any:
    """The byte of every BF16 result."""
    bits = np.arange(65536, dtype=np.int64)
    exponent, mantissa = (bits >> 7) & 0xFF, bits & 0x7F
    top = 127 + cast.signed + cast.integer_bits
    shifted = (256 + 2 * mantissa) >> np.clip(top - 1 - exponent, 0, 40)
    value = (shifted >> 1) + (shifted & 1)
    saturated = 0x3F if cast.signed else 0x00
    return np.where(exponent + 1 > top, saturated, value & 0xFF).astype(np.uint8)
