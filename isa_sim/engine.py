"""The run loop: cores, devices and unit completions in global time order, compiled with numba.

Of the cores that are awake, the one with the smallest local time goes next (the lowest number
of equals). It runs in the interpreter to the end of the current window or up to an access
to something shared (a device or a timeline counter); that access waits until no other core and
no unit completion is earlier. So everything that orders cores happens in exact time order, and
two runs of a program are the same cycle for cycle.

Data effects of a unit's job or a DMA transfer take place at its trigger (with late effects at its
completion), its events at its completion; a program without races cannot tell.

At the end of every window the contention model (`isa_sim.contention`) sets the cores' stall
rate for the next window and lengthens the jobs and transfers under way.
"""

from typing import Any, Final

from softex_mlir import abi
from softex_mlir.isa_sim.contention import windows as contention
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.interpreter import complete_access, run_core
from softex_mlir.isa_sim.core.memory import note_access
from softex_mlir.isa_sim.core.operations import DISCARD
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.dma import move_due
from softex_mlir.isa_sim.devices.events import complete, job_at
from softex_mlir.isa_sim.devices.peripherals import access
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.race import memory as sanitizer_memory
from softex_mlir.isa_sim.race import order as sanitizer_order
from softex_mlir.isa_sim.race import state as sanitizer_state

# Why the loop returns.
TRIGGER: Final = 0
SOFT_CLEAR: Final = 1
FAULT: Final = 2
END: Final = 3
DEADLOCK: Final = 4
DMA_LOG_FULL: Final = 5
SLICE: Final = 6
CORE_STOP: Final = 7
RACES: Final = 8
ACCESSES: Final = 9
"""The log of a core's accesses is full."""
WATCHED_WRITE: Final = 10
SLEEP_LOG_FULL: Final = 11
JOB_DONE: Final = 12
"""A job is about to end whose arithmetic has to take place before (`AWAITED`)."""

# Columns of the control words.
WINDOW_END: Final = 0
SLICE_END: Final = 2
CORE: Final = 3
"""Core of a fault or stop."""
STATUS: Final = 4
"""Status of `run_core` for CORE_STOP."""
NOW: Final = 5
CONTENTION: Final = 6
RECORDS: Final = 1
"""Somebody wants the cores' accesses."""
EFFECTS_TIME: Final = 7
"""Until when the arithmetic of awaited jobs has taken place."""
CONTROL_WORDS: Final = 8

_COPIED_BYTES: Final = 1 << 26
"""Bytes the DMA moves before the loop returns to Python."""


@njit(cache=True)
def _job_due(dev: d.Devices, time: int) -> bool:
    """Whether an awaited job ends by a time."""
    for unit in range(dev.unit.shape[0]):
        running = dev.unit[unit, d.RUNNING]
        awaited = dev.word[d.AWAITED] >> unit & 1
        if awaited and running >= 0 and dev.unit[unit, job_at(running) + d.JOB_DONE] <= time:
            return True
    return False


@njit(cache=True)
def _resume_woken(dev: d.Devices, state: Any, sleep_log: Any) -> None:
    for core in range(dev.word[d.CORES]):
        resume = dev.core[core, d.CORE_RESUME]
        if resume >= 0:
            entry = sleep_log[dev.word[d.SLEEP_USED]]
            entry[0] = core
            entry[1] = dev.core[core, d.CORE_SINCE]
            entry[2] = resume
            entry[3] = state.x[core, abi.RECORD_REGISTER]
            entry[4] = state.s[core, st.FAULT_PC]
            dev.word[d.SLEEP_USED] += 1
            dev.core[core, d.CORE_RESUME] = -1
            dev.core[core, d.CORE_PENDING] = 0
            extra = resume - state.s[core, st.CYCLE]
            complete_access(state, core, dev.core[core, d.CORE_RESULT], extra)


@njit(cache=True)
def _note_spent(dev: d.Devices, state: Any, step: Any) -> None:
    """Complete the record of a step with what the stream's cores have spent so far."""
    step[d.STREAM_SPENT :] = 0
    for core in range(dev.word[d.CORES]):
        if dev.core[core, d.CORE_STREAM] == step[1]:
            s = state.s[core]
            step[d.STREAM_SPENT] += s[st.INSTRUCTIONS]
            step[d.STREAM_SPENT + 1] += s[st.STALL_CYCLES]
            step[d.STREAM_SPENT + 2] += s[st.CONTENTION_STALLS]
            step[d.STREAM_SPENT + 3] += dev.core[core, d.CORE_STALLED]
            step[d.STREAM_SPENT + 4] += s[st.TCDM_LOADS] + s[st.TCDM_STORES]
            step[d.STREAM_SPENT + 5] += s[st.L2_ACCESSES]


@njit(cache=True)
def _note_shared(
    dev: d.Devices, state: Any, log: Any, core: int, time: int, address: int, kind: int
) -> None:
    """Append an access to a device or counter to the log, with what was loaded or stored."""
    s = state.s[core]
    note_access(s, log, core, s[st.FAULT_PC] & 0xFFFFFFFF, address, 4, int(kind == d.STORE), time)
    value = s[st.REQUEST_VALUE] if kind == d.STORE else dev.word[d.VALUE]
    log[core, s[st.LOG_USED] - 1, 5] = value & 0xFFFFFFFF


def _parts(
    dev: d.Devices, state: Any, program: Any, tcdm: Any, l2: Any, log: Any,
    job_log: Any, dma_log: Any, stream_log: Any, _sleep_log: Any, model: Any, *_: Any,
) -> Any:  # fmt: skip
    """What of `run` takes long to compile, in two halves (`jit.CompiledFunction`)."""
    record = state.x[0, abi.RECORD_REGISTER]
    there: list[Any] = [
        (access, (dev, 0, 0, 0, 0, 0, 0, record, tcdm, l2, dma_log, stream_log)),
    ]
    if log is not None:
        there.append((contention.close_window, (dev, state, model, log, job_log, dma_log, 0)))
    return [(run_core, (state, program, tcdm, l2, log, 0, 0))], there


@njit(cache=True, nogil=True, parts=_parts)
def run(
    dev: d.Devices, state: Any, program: Any, tcdm: Any, l2: Any, log: Any,
    job_log: Any, dma_log: Any, stream_log: Any, sleep_log: Any, model: Any, shadow: Any,
    control: Any,
) -> int:  # fmt: skip
    """Run until Python is needed; the reason.

    `log` takes the cores' accesses: for the race detector, whose state is `shadow`, for the
    contention model, or to record them. Each is None if nobody needs it.
    """
    cores = dev.word[d.CORES]
    while True:
        # Nested, here and below: numba prunes whole branches on None only.
        if shadow is not None:  # noqa: SIM102
            if shadow.word[sanitizer_state.RACE_FOUND]:
                return RACES
        # A turn wakes a core up to twice: the core that arrives at a barrier is its last.
        if dev.word[d.SLEEP_USED] + 2 * cores > sleep_log.shape[0]:
            return SLEEP_LOG_FULL
        core = -1
        time = d.NEVER
        for candidate in range(cores):
            if dev.core[candidate, d.CORE_SLEEP] == d.AWAKE and state.s[candidate, st.CYCLE] < time:
                time = state.s[candidate, st.CYCLE]
                core = candidate
        event = dev.word[d.NEXT_EVENT]
        earliest = min(time, event)
        if shadow is not None:  # noqa: SIM102
            if sanitizer_order.is_over(shadow, earliest):
                return END
        if earliest >= control[WINDOW_END]:
            if earliest == d.NEVER:
                return DEADLOCK
            now = control[WINDOW_END]
            control[NOW] = now
            rivals = False
            if control[CONTENTION] and log is not None:
                rivals = contention.close_window(dev, state, model, log, job_log, dma_log, now)
                if shadow is not None:
                    shadow.checked[:] = 0
                event = dev.word[d.NEXT_EVENT]
                earliest = min(time, event)
            # Windows in which nothing happens are skipped.
            skipped = 0 if rivals else max(0, (earliest - now) // contention.WINDOW)
            control[WINDOW_END] = now + (skipped + 1) * contention.WINDOW
            if now >= control[SLICE_END]:
                return SLICE
            continue
        if event <= time:
            if control[EFFECTS_TIME] < event and _job_due(dev, event):
                control[EFFECTS_TIME] = event
                return JOB_DONE
            if dev.word[d.LATE_EFFECTS]:
                move_due(dev, event, dma_log, tcdm, l2)
            if shadow is not None:
                sanitizer_order.before_completion(dev, shadow, event)
            complete(dev, event, job_log, dma_log)
            if shadow is not None:
                sanitizer_order.woken(dev, shadow)
            _resume_woken(dev, state, sleep_log)
            continue
        if dev.core[core, d.CORE_PENDING] == 0:
            status = run_core(state, program, tcdm, l2, log, core, control[WINDOW_END])
            if log is not None:
                if shadow is not None:
                    sanitizer_memory.flush(state, shadow, log, core)
                if status == st.LOG_FULL:
                    if control[RECORDS]:
                        return ACCESSES
                    state.s[core, st.LOG_USED] = 0
                    if shadow is not None:
                        shadow.checked[core] = 0
            if status == st.ACCESS:
                dev.core[core, d.CORE_PENDING] = 1
            elif status != st.LIMIT and status != st.LOG_FULL:
                if shadow is not None:  # noqa: SIM102
                    if shadow.word[sanitizer_state.ENDED_BY] >= 0:
                        return END
                control[CORE] = core
                control[STATUS] = status
                return CORE_STOP
            continue
        if log is not None:  # noqa: SIM102
            if control[RECORDS] and state.s[core, st.LOG_USED] >= log.shape[1]:
                return ACCESSES
        address = state.s[core, st.REQUEST]
        kind = state.s[core, st.REQUEST + 2]
        steps = dev.word[d.STREAM_USED]
        transfers = dev.word[d.DMA_USED]
        status = access(
            dev, core, time, address, state.s[core, st.REQUEST + 1], kind,
            state.s[core, st.REQUEST + 3], state.x[core, abi.RECORD_REGISTER],
            tcdm, l2, dma_log, stream_log,
        )  # fmt: skip
        if dev.word[d.STREAM_USED] > steps:
            _note_spent(dev, state, stream_log[steps])
        if dev.word[d.DMA_USED] > transfers:
            dma_log[transfers, d.DMA_PC] = state.s[core, st.FAULT_PC]
        if shadow is not None:  # noqa: SIM102
            if status != d.LOG_FULL and status != d.FAULT:
                sanitizer_order.after_access(
                    dev, shadow, core, time, address & 0xFFFFFFFF, kind,
                    state.s[core, st.REQUEST_VALUE], state.s[core, st.REQUEST_RD] == DISCARD,
                    status, state.s[core, st.FAULT_PC] & 0xFFFFFFFF,
                )  # fmt: skip
        if log is not None:  # noqa: SIM102
            if control[RECORDS] and status != d.RETRY and status != d.LOG_FULL:
                _note_shared(dev, state, log, core, time, address & 0xFFFFFFFF, kind)
                if shadow is not None:
                    shadow.checked[core] = state.s[core, st.LOG_USED]
        if (
            status == d.DONE
            or status == d.TRIGGER
            or status == d.SOFT_CLEAR
            or status == d.WATCHED_WRITE
        ):
            dev.core[core, d.CORE_PENDING] = 0
            complete_access(state, core, dev.word[d.VALUE], dev.word[d.UNTIL] - time)
            _resume_woken(dev, state, sleep_log)
            if status == d.TRIGGER:
                control[CORE] = core
                return TRIGGER
            if status == d.WATCHED_WRITE:
                control[CORE] = core
                return WATCHED_WRITE
            if status == d.SOFT_CLEAR and dev.unit[dev.word[d.CODE], d.KEEPS_STATE]:
                return SOFT_CLEAR
            if dev.word[d.COPIED] >= _COPIED_BYTES:
                # Few cycles of the program, much time of the host: Python looks for Ctrl-C.
                dev.word[d.COPIED] = 0
                return SLICE
        elif status == d.SLEEP:
            _resume_woken(dev, state, sleep_log)
        elif status == d.RETRY:
            dev.core[core, d.CORE_STALLED] += dev.word[d.UNTIL] - time
            state.s[core, st.CYCLE] = dev.word[d.UNTIL]
        elif status == d.LOG_FULL:
            return DMA_LOG_FULL
        else:
            control[CORE] = core
            control[NOW] = time
            if shadow is not None:
                if status == d.END:
                    pc = state.s[core, st.FAULT_PC] & 0xFFFFFFFF
                    sanitizer_order.at_end(shadow, core, time, time << 32 | pc)
                    dev.core[core, d.CORE_PENDING] = 0
                    state.s[core, st.CYCLE] = d.NEVER
                    continue
                if shadow.word[sanitizer_state.ENDED_BY] >= 0:
                    return END
            return END if status == d.END else FAULT
