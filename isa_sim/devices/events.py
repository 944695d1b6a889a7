"""Completions of jobs and transfers, events, and what the devices' accesses hand back."""

from typing import Any

from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import event_unit

job_at = njit(cache=True)(d.job_at)


@njit(cache=True)
def signed(value: int) -> int:
    """A 32-bit word as a signed number."""
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value >= 0x80000000 else value


@njit(cache=True)
def wake(dev: d.Devices, core: int, time: int, value: int) -> None:
    """End the sleep of a core: it goes on at `time` with `value` as its load's result."""
    dev.core[core, d.CORE_SLEEP] = d.AWAKE
    dev.core[core, d.CORE_ASLEEP] += time - dev.core[core, d.CORE_SINCE]
    dev.core[core, d.CORE_RESUME] = time
    dev.core[core, d.CORE_RESULT] = value


@njit(cache=True)
def raise_event(dev: d.Devices, core: int, event: int, time: int) -> None:
    """Latch an event for a core at a time; wakes it if that is what it waits for."""
    dev.core[core, d.CORE_BUFFER] |= 1 << event
    pending = dev.core[core, d.CORE_BUFFER] & dev.core[core, d.CORE_MASK]
    state = dev.core[core, d.CORE_SLEEP]
    if d.ON_EVENT <= state <= d.ON_EVENT_CLEAR and pending != 0:
        if state == d.ON_EVENT_CLEAR:
            dev.core[core, d.CORE_BUFFER] &= ~pending
        wait = dev.word[d.WAIT_CYCLES]
        wake(dev, core, max(time, dev.core[core, d.CORE_SINCE]) + wait, pending)


@njit(cache=True)
def update_next_event(dev: d.Devices) -> None:
    """Recompute the time of the next completion of a unit or transfer."""
    next_event = d.NEVER
    for unit in range(dev.unit.shape[0]):
        running = dev.unit[unit, d.RUNNING]
        if running >= 0:
            next_event = min(next_event, dev.unit[unit, job_at(running) + d.JOB_DONE])
    for channel in range(2):
        if dev.channel[channel, d.CHANNEL_COUNT] > 0:
            head = dev.channel[channel, d.CHANNEL_HEAD]
            at = d.QUEUE + head * d.TRANSFER_COLUMNS
            next_event = min(next_event, dev.channel[channel, at + d.TRANSFER_DONE])
    dev.word[d.NEXT_EVENT] = next_event


@njit(cache=True)
def complete(dev: d.Devices, time: int, job_log: Any, dma_log: Any) -> None:
    """Retire every job and transfer that is done at or before `time`.

    The logs receive the times that contention has moved since the trigger or launch.
    """
    for unit in range(dev.unit.shape[0]):
        state = dev.unit[unit]
        while state[d.RUNNING] >= 0:
            context = state[d.RUNNING]
            done = state[job_at(context) + d.JOB_DONE]
            if done > time:
                break
            state[job_at(context) + d.JOB_STATE] = d.FREE
            state[d.FINISHED] = min(2, state[d.FINISHED] + 1)
            state[d.RUNNING_ID] = (state[d.RUNNING_ID] + 1) & 0xFF
            state[d.PENDING] -= 1
            state[d.LAST_DONE] = done
            state[d.BUSY] += done - state[d.STARTED]
            state[d.STARTED] = done
            job_log[state[job_at(context) + d.JOB_LOG], 2] = done
            other = 1 - context
            if state[job_at(other) + d.JOB_STATE] == d.QUEUED:
                state[d.RUNNING] = other
                job_log[state[job_at(other) + d.JOB_LOG], 1] = done - 1
            else:
                state[d.RUNNING] = -1
            raise_event(dev, state[job_at(context) + d.JOB_CORE], state[d.EVENT], done)
    for channel in range(2):
        state = dev.channel[channel]
        while state[d.CHANNEL_COUNT] > 0:
            at = d.QUEUE + state[d.CHANNEL_HEAD] * d.TRANSFER_COLUMNS
            done = state[at + d.TRANSFER_DONE]
            if done > time:
                break
            state[d.CHANNEL_HEAD] = (state[d.CHANNEL_HEAD] + 1) % dev.word[d.DMA_QUEUE]
            state[d.CHANNEL_COUNT] -= 1
            state[d.CHANNEL_DONE_ID] = state[at + d.TRANSFER_ID]
            row = state[at + d.TRANSFER_LOG]
            dma_log[row, 1] = state[at + d.TRANSFER_BEGIN]
            dma_log[row, 2] = done
            raise_event(dev, state[at + d.TRANSFER_CORE], event_unit.EVENT_DMA, done)
    update_next_event(dev)


@njit(cache=True)
def fault(dev: d.Devices, code: int, detail: int) -> int:
    """An access that the hardware does not take: its explanation for `diagnosis`."""
    dev.word[d.CODE] = code
    dev.word[d.DETAIL] = detail
    return d.FAULT


@njit(cache=True)
def finish(dev: d.Devices, time: int, value: int) -> int:
    """An access that ends at `time`, with `value` if it is a load."""
    dev.word[d.VALUE] = value
    dev.word[d.UNTIL] = time
    return d.DONE
