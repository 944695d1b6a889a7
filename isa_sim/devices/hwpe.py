"""The control port of an accelerator (hwpe-ctrl): two contexts, banked job registers."""

from typing import Any

from softex_mlir.isa_sim.devices import events
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.events import job_at
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import control


@njit(cache=True)
def _hwpe_reset(dev: d.Devices, unit: int, wipe: bool) -> None:
    state = dev.unit[unit]
    state[d.LOCKED] = state[d.RUNNING] = state[d.STARTING_TIME] = -1
    state[d.NEXT_CONTEXT] = state[d.NEXT_ID] = state[d.FINISHED] = 0
    state[d.RUNNING_ID] = state[d.PENDING] = 0
    state[d.CLEARED] = 1
    state[d.LAST_DONE] = -1
    state[d.JOB :] = 0
    if wipe:
        state[d.BANK : d.JOB] = 0


@njit(cache=True)
def _acquire(dev: d.Devices, unit: int, core: int, time: int) -> int:
    """Lock the next context; the job id, -1 if none is free, -2 if one is locked already."""
    state = dev.unit[unit]
    if state[d.LOCKED] >= 0:
        return -2
    context = state[d.NEXT_CONTEXT]
    if state[job_at(context) + d.JOB_STATE] != d.FREE:
        return -1
    state[d.LOCKED] = context
    state[d.LOCKED_BY] = core
    state[d.STARTING_TIME] = -1
    state[job_at(context) + d.JOB_STATE] = d.PROGRAMMED
    state[job_at(context) + d.JOB_ACQUIRED] = time
    state[job_at(context) + d.JOB_ID] = state[d.NEXT_ID]
    state[d.NEXT_ID] = (state[d.NEXT_ID] + 1) & 0xFF
    return state[job_at(context) + d.JOB_ID]


@njit(cache=True)
def access_hwpe(
    dev: d.Devices, unit: int, core: int, time: int, offset: int, kind: int, value: int
) -> int:
    """A core's access to the control port of a unit; what became of it."""
    state = dev.unit[unit]
    until = time + dev.word[d.LATENCY]
    if state[d.PRESENT] == 0:
        return events.fault(dev, d.FAULT_NO_UNIT, unit)
    first = state[d.FIRST_REGISTER]
    if kind == d.STORE:
        if offset == control.SOFT_CLEAR:
            if state[d.PENDING] > 0:
                return events.fault(dev, d.FAULT_CLEAR_BUSY, unit)
            _hwpe_reset(dev, unit, value == 0)
            state[d.CLEAR_TIME] = until if value == 0 else -1
            dev.word[d.CODE] = unit
            events.finish(dev, until, 0)
            return d.SOFT_CLEAR
        if offset == control.FINISHED:
            state[d.FINISHED] = 0
            return events.finish(dev, until, 0)
        if offset == control.SW_EVT:
            events.raise_event(dev, core, state[d.EVENT], until)
            return events.finish(dev, until, 0)
        distance = until - state[d.CLEAR_TIME]
        if state[d.CLEAR_TIME] >= 0 and distance < state[d.CLEAR_CYCLES]:
            if dev.word[d.LENIENT] == 0:
                return events.fault(dev, d.FAULT_CLEAR_DISTANCE, distance << 8 | unit)
            state[d.LOST] += 1
            return events.finish(dev, until, 0)
        if state[d.LOCKED] < 0 and state[d.IMPLICIT_ACQUIRE] and state[d.PENDING] == 0:
            _acquire(dev, unit, core, time)
        context = state[d.LOCKED]
        if context < 0:
            return events.fault(dev, d.FAULT_NOT_ACQUIRED, offset)
        if offset == control.TRIGGER:
            if state[d.COMMITS] and value != 0:
                return events.fault(dev, d.FAULT_COMMIT_ONLY, offset)
            if state[d.STARTING] >= 0 and state[d.STARTING_TIME] < 0:
                return events.fault(dev, d.FAULT_ORDER, unit)
            if state[d.NEEDS_CLEAR] and not state[d.CLEARED]:
                return events.fault(dev, d.FAULT_NOT_CLEARED, unit)
            if state[d.PENDING] >= state[d.DEPTH]:
                return events.fault(dev, d.FAULT_QUEUE, unit)
            state[d.TRIGGER_GAP] = until - state[d.STARTING_TIME]
            state[d.LOCKED] = -1
            state[d.NEXT_CONTEXT] = 1 - context
            state[d.CLEARED] = 0
            state[job_at(context) + d.JOB_STATE] = d.QUEUED
            state[job_at(context) + d.JOB_CORE] = core
            dev.word[d.CODE] = unit
            dev.word[d.CONTEXT] = context
            dev.word[d.TRIGGER_TIME] = until
            events.finish(dev, until, 0)
            return d.TRIGGER
        register = (offset - first) // 4
        if offset < first or register >= state[d.REGISTERS]:
            return events.fault(dev, d.FAULT_REGISTER, offset)
        if offset == state[d.STARTING]:
            state[d.STARTING_TIME] = until
        elif state[d.STARTING_TIME] >= 0 and state[d.STARTING_LAST]:
            return events.fault(dev, d.FAULT_ORDER, unit)
        state[d.BANK + context * d.JOB_REGISTERS + register] = value
        events.finish(dev, until, 0)
        if offset == state[d.WATCHED] and value & state[d.WATCHED_BITS]:
            dev.word[d.CODE] = unit
            dev.word[d.CONTEXT] = context
            dev.word[d.TRIGGER_TIME] = until
            return d.WATCHED_WRITE
        return d.DONE
    if offset == control.ACQUIRE:
        return events.finish(dev, until, _acquire(dev, unit, core, time))
    if offset == control.FINISHED:
        finished = state[d.FINISHED]
        state[d.FINISHED] = 0
        return events.finish(dev, until, finished)
    if offset == control.STATUS:
        status = 0
        for context in range(2):
            if state[job_at(context) + d.JOB_STATE] == d.QUEUED:
                status |= 1 << (8 * context)
        return events.finish(dev, until, status)
    if offset == control.RUNNING_JOB:
        return events.finish(dev, until, state[d.RUNNING_ID])
    if first <= offset < first + 4 * state[d.REGISTERS]:
        if not state[d.READABLE]:
            return events.finish(dev, until, 0)
        context = state[d.LOCKED] if state[d.LOCKED] >= 0 else state[d.NEXT_CONTEXT]
        register = (offset - first) // 4
        return events.finish(dev, until, state[d.BANK + context * d.JOB_REGISTERS + register])
    return events.fault(dev, d.FAULT_REGISTER, offset)


@njit(cache=True)
def start_job(dev: d.Devices, log: Any, row: int, unit: int, context: int, duration: int) -> None:
    """Schedule the end of a triggered job that takes `duration` cycles from its trigger.

    A queued job's trigger counts from the FINISHED state of the one before it, one cycle
    before that one's done event. `log[row]` receives start and end.
    """
    state = dev.unit[unit]
    start = dev.word[d.TRIGGER_TIME]
    if state[d.PENDING] > 0:
        start = max(start, state[job_at(1 - context) + d.JOB_DONE] - 1)
    else:
        state[d.RUNNING] = context
        state[d.STARTED] = start
    state[d.PENDING] += 1
    done = start + duration
    state[job_at(context) + d.JOB_DONE] = done
    state[job_at(context) + d.JOB_LOG] = row
    log[row, 1] = start
    log[row, 2] = done
    events.update_next_event(dev)
