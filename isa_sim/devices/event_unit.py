"""The event unit: masks, buffers, software events and barriers, compiled with numba."""

from softex_mlir.isa_sim.devices import events
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import event_unit


@njit(cache=True)
def _arrive(dev: d.Devices, barrier: int, cores: int, time: int) -> None:
    """Cores (a mask) arrive at a barrier; the last one releases everybody."""
    state = dev.barrier[barrier]
    state[1] |= cores
    if state[1] & state[0] != state[0] or state[0] == 0:
        return
    state[1] = 0
    wake = time + dev.word[d.BARRIER_CYCLES]
    bit = 1 << event_unit.EVENT_BARRIER
    for core in range(dev.word[d.CORES]):
        sleeping = dev.core[core, d.CORE_SLEEP]
        here = dev.core[core, d.CORE_BARRIER] == barrier
        if here and d.ON_BARRIER <= sleeping <= d.ON_BARRIER_CLEAR:
            if sleeping == d.ON_BARRIER:
                dev.core[core, d.CORE_BUFFER] |= bit
            events.wake(dev, core, wake, bit)
        elif state[2] >> core & 1 and cores >> core & 1 == 0:
            events.raise_event(dev, core, event_unit.EVENT_BARRIER, wake - dev.word[d.WAIT_CYCLES])


@njit(cache=True)
def access_event_unit(
    dev: d.Devices, core: int, time: int, offset: int, kind: int, value: int
) -> int:
    """A core's access to its event unit alias; what became of it."""
    latency = dev.word[d.LATENCY]
    if offset >= event_unit.BARRIER:
        barrier = (offset - event_unit.BARRIER) // event_unit.BARRIER_STRIDE
        register = (offset - event_unit.BARRIER) % event_unit.BARRIER_STRIDE
        if barrier >= event_unit.BARRIERS:
            return events.fault(dev, d.FAULT_REGISTER, offset)
        state = dev.barrier[barrier]
        if kind == d.STORE:
            if register == event_unit.BARRIER_TRIGGER_MASK:
                state[0] = value
            elif register == event_unit.BARRIER_TARGET_MASK:
                state[2] = value
            elif register == event_unit.BARRIER_TRIGGER:
                _arrive(dev, barrier, value, time)
            elif register == event_unit.BARRIER_TRIGGER_SELF:
                _arrive(dev, barrier, 1 << core, time)
            else:
                return events.fault(dev, d.FAULT_REGISTER, offset)
            return events.finish(dev, time + latency, 0)
        if register == event_unit.BARRIER_TRIGGER_MASK:
            return events.finish(dev, time + latency, state[0])
        if register == event_unit.BARRIER_STATUS:
            return events.finish(dev, time + latency, state[1])
        if register == event_unit.BARRIER_TARGET_MASK:
            return events.finish(dev, time + latency, state[2])
        waits = register == event_unit.BARRIER_TRIGGER_WAIT
        if waits or register == event_unit.BARRIER_TRIGGER_WAIT_CLEAR:
            if kind != d.WAIT:
                return events.fault(dev, d.FAULT_WAIT, offset)
            if state[1] >> core & 1:
                return events.fault(dev, d.FAULT_BARRIER_TWICE, barrier)
            dev.core[core, d.CORE_SLEEP] = d.ON_BARRIER if waits else d.ON_BARRIER_CLEAR
            dev.core[core, d.CORE_SINCE] = time
            dev.core[core, d.CORE_BARRIER] = barrier
            _arrive(dev, barrier, 1 << core, time)
            return d.SLEEP
        return events.fault(dev, d.FAULT_REGISTER, offset)
    if kind == d.STORE:
        if offset == event_unit.MASK:
            dev.core[core, d.CORE_MASK] = value
        elif offset == event_unit.MASK_AND:
            dev.core[core, d.CORE_MASK] &= ~value
        elif offset == event_unit.MASK_OR:
            dev.core[core, d.CORE_MASK] |= value
        elif offset == event_unit.BUFFER_CLEAR:
            dev.core[core, d.CORE_BUFFER] &= ~value
        elif 0 <= offset - event_unit.SW_EVENT_TRIGGER < 4 * event_unit.SW_EVENTS:
            event = (offset - event_unit.SW_EVENT_TRIGGER) // 4
            for target in range(dev.word[d.CORES]):
                if value == 0 or value >> target & 1:
                    events.raise_event(dev, target, event, time + latency)
        else:
            return events.fault(dev, d.FAULT_REGISTER, offset)
        return events.finish(dev, time + latency, 0)
    if offset == event_unit.MASK:
        return events.finish(dev, time + latency, dev.core[core, d.CORE_MASK])
    if offset == event_unit.BUFFER:
        return events.finish(dev, time + latency, dev.core[core, d.CORE_BUFFER])
    if offset == event_unit.BUFFER_MASKED:
        pending = dev.core[core, d.CORE_BUFFER] & dev.core[core, d.CORE_MASK]
        return events.finish(dev, time + latency, pending)
    clears = offset == event_unit.EVENT_WAIT_CLEAR
    if clears or offset == event_unit.EVENT_WAIT:
        pending = dev.core[core, d.CORE_BUFFER] & dev.core[core, d.CORE_MASK]
        if pending != 0:
            if clears:
                dev.core[core, d.CORE_BUFFER] &= ~pending
            return events.finish(dev, time + dev.word[d.WAIT_CYCLES], pending)
        if kind != d.WAIT:
            return events.fault(dev, d.FAULT_WAIT, offset)
        dev.core[core, d.CORE_SLEEP] = d.ON_EVENT_CLEAR if clears else d.ON_EVENT
        dev.core[core, d.CORE_SINCE] = time
        return d.SLEEP
    return events.fault(dev, d.FAULT_REGISTER, offset)
