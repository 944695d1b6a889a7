"""An access of a core to what is behind the peripheral interconnect, compiled with numba.

Event unit and barriers, the control ports of the units, the DMA, the timer, the
end-of-computation register and the beginning of TCDM (the timeline counters, which go
this way so that synchronisation happens in exact global time order).

`access` performs one access of one core at one time; the run loop (`isa_sim.engine`) calls it,
and `device_events.complete`, which retires the unit events due at a time, in global time order.

Timing: an access of a core at cycle t takes effect in that order, and the core goes on at t + the
peripheral latency (1 for TCDM). A trigger is accepted at the end of its access.
A sleeping core resumes `event_wait_cycles` after its event, and not before
`event_wait_cycles` after it went to sleep; all cores of a barrier resume `barrier_cycles`
after the last arrival.
"""

from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.devices import events
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.dma import access_dma
from softex_mlir.isa_sim.devices.event_unit import access_event_unit
from softex_mlir.isa_sim.devices.hwpe import access_hwpe
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import control, dma, event_unit


@njit(cache=True)
def access(
    dev: d.Devices, core: int, time: int, address: int, size: int, kind: int, value: int, tp: int,
    tcdm: Any, l2: Any, dma_log: Any, stream_log: Any,
) -> int:  # fmt: skip
    """Perform one access of a core at a time; what became of it (DONE, SLEEP, TRIGGER, ...).

    The value of a load is in `dev.word[VALUE]`, the time the core goes on in
    `dev.word[UNTIL]`, the explanation of a fault in `[CODE]` and `[DETAIL]`.
    """
    address &= 0xFFFFFFFF
    value &= 0xFFFFFFFF
    word = address - dev.word[d.TCDM_BASE]
    if 0 <= word < abi.COUNTER_BYTES:
        if size != 4 or word % 4 != 0:
            return events.fault(dev, d.FAULT_WIDTH, address)
        if kind == d.STORE:
            if word < 4 * len(abi.STREAMS):
                used = dev.word[d.STREAM_USED]
                if used >= stream_log.shape[0]:
                    return d.LOG_FULL
                stream_log[used, 0] = time
                stream_log[used, 1] = word // 4
                stream_log[used, 2] = tp
                stream_log[used, 3] = value
                dev.word[d.STREAM_USED] = used + 1
            for byte in range(4):
                tcdm[word + byte] = (value >> (8 * byte)) & 0xFF
            return events.finish(dev, time + 1, 0)
        loaded = 0
        for byte in range(4):
            loaded |= np.int64(tcdm[word + byte]) << (8 * byte)
        return events.finish(dev, time + 1, loaded)
    offset = address - dev.word[d.PERIPHERAL_BASE]
    if offset < 0 or offset >= 0x10000:
        return events.fault(dev, d.FAULT_UNMAPPED, address)
    if size != 4 or offset % 4 != 0:
        return events.fault(dev, d.FAULT_WIDTH, address)
    until = time + dev.word[d.LATENCY]
    alias = offset - event_unit.ALIAS_OFFSET
    if 0 <= alias < event_unit.ALIAS_BYTES:
        return access_event_unit(dev, core, time, alias, kind, value)
    alias = offset - event_unit.GLOBAL_OFFSET
    if 0 <= alias < event_unit.ALIAS_BYTES:
        return access_event_unit(dev, core, time, alias, kind, value)
    alias = offset - dma.ALIAS_OFFSET
    if 0 <= alias < dma.ALIAS_BYTES:
        return access_dma(dev, core, time, alias, kind, value, tp, tcdm, l2, dma_log)
    alias = offset - dma.GLOBAL_OFFSET
    if 0 <= alias < dma.ALIAS_BYTES:
        return access_dma(dev, core, time, alias, kind, value, tp, tcdm, l2, dma_log)
    for unit in range(dev.unit.shape[0]):
        base = dev.unit[unit, d.OFFSET]
        if base <= offset < base + control.BYTES and dev.unit[unit, d.PRESENT]:
            return access_hwpe(dev, unit, core, time, offset - base, kind, value)
    if offset == 0 and kind == d.STORE:
        dev.word[d.EXIT_CODE] = events.signed(value)
        return d.END
    if 0x400 <= offset < 0x420 and kind != d.STORE:
        # The PULP timer has its counter at +8 and +12; the words before are its configuration.
        if offset == 0x408:
            return events.finish(dev, until, time & 0xFFFFFFFF)
        if offset == 0x40C:
            return events.finish(dev, until, time >> 32)
    return events.fault(dev, d.FAULT_UNMAPPED, address)
