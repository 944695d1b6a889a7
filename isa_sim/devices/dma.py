"""The DMA's registers and transfers, compiled with numba."""

from typing import Any

import numpy as np

from softex_mlir.isa_sim.devices import events
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import dma


@njit(cache=True)
def _copy(
    dst: Any, src: Any, to: int, at: int, length: int, d2: int, s2: int, n2: int,
    d3: int, s3: int, n3: int,
) -> None:  # fmt: skip
    for k in range(n3):
        for j in range(n2):
            # Unsigned indices: numba then emits no wrap-around, and LLVM a vector copy.
            first = np.uint64(to + k * d3 + j * d2)
            source = np.uint64(at + k * s3 + j * s2)
            for i in range(np.uint64(length)):
                dst[first + i] = src[source + i]


@njit(cache=True)
def _move(dev: d.Devices, channel: int, reg: Any, tcdm: Any, l2: Any) -> None:
    """Copy what descriptor registers say; they have been checked."""
    to, at, length = reg[0] - dev.word[d.TCDM_BASE], reg[1] - dev.word[d.TCDM_BASE], reg[2]
    d2, s2, n2 = events.signed(reg[3]), events.signed(reg[4]), reg[5]
    d3, s3, n3 = events.signed(reg[6]), events.signed(reg[7]), reg[8]
    if channel == 1:
        to = reg[0] - dev.word[d.L2_BASE]
        _copy(l2, tcdm, to, at, length, d2, s2, n2, d3, s3, n3)
    elif 0 <= at < dev.word[d.TCDM_BYTES]:
        _copy(tcdm, tcdm, to, at, length, d2, s2, n2, d3, s3, n3)
    else:
        at = reg[1] - dev.word[d.L2_BASE]
        _copy(tcdm, l2, to, at, length, d2, s2, n2, d3, s3, n3)


@njit(cache=True)
def move_due(dev: d.Devices, time: int, log: Any, tcdm: Any, l2: Any) -> None:
    """Move the data of the transfers that end by `time`, where data move as late as they may."""
    for channel in range(2):
        state = dev.channel[channel]
        for index in range(state[d.CHANNEL_COUNT]):
            slot = (state[d.CHANNEL_HEAD] + index) % dev.word[d.DMA_QUEUE]
            at = d.QUEUE + slot * d.TRANSFER_COLUMNS
            if state[at + d.TRANSFER_DONE] > time:
                break
            _move(dev, channel, log[state[at + d.TRANSFER_LOG], 7:], tcdm, l2)


@njit(cache=True)
def _extent(length: int, stride_2: int, n2: int, stride_3: int, n3: int) -> tuple[int, int]:
    """Lowest and past-highest byte a transfer touches, relative to its address.

    Strides are 32-bit words and `n2 * n3` is below 2^32, so nothing overflows.
    """
    low = min(0, stride_2 * (n2 - 1)) + min(0, stride_3 * (n3 - 1))
    high = max(0, stride_2 * (n2 - 1)) + max(0, stride_3 * (n3 - 1)) + length
    return low, high


@njit(cache=True)
def _within(dev: d.Devices, base: int, size: int, address: int, low: int, high: int) -> bool:
    return address + low >= dev.word[base] and address + high <= dev.word[base] + dev.word[size]


@njit(cache=True)
def streaming(dev: d.Devices, length: int, runs: int) -> int:
    """Channel cycles of `runs` separate runs; `units.dma.streaming_cycles` compiled."""
    burst = dev.word[d.DMA_BURST]
    width = dev.word[d.DMA_WIDTH]
    spacing = -(-dev.word[d.L2_LATENCY] // dev.word[d.DMA_OUTSTANDING])
    full = length // burst
    rest = length % burst
    cycles = full * max(burst // width, spacing)
    if rest:
        cycles += max(-(-rest // width), spacing)
    return runs * cycles


@njit(cache=True)
def transfer_cycles(dev: d.Devices, descriptor: Any) -> int:
    """Channel cycles of the transfer that the descriptor registers describe."""
    length, n2, n3 = descriptor[2], descriptor[5], descriptor[8]
    d2, s2 = events.signed(descriptor[3]), events.signed(descriptor[4])
    d3, s3 = events.signed(descriptor[6]), events.signed(descriptor[7])
    # Runs that follow one another on both sides are one long run.
    if n2 > 1 and d2 == length and s2 == length:
        length, n2 = length * n2, 1
        if n3 > 1 and d3 == length and s3 == length:
            length, n3 = length * n3, 1
    return streaming(dev, length, n2 * n3)


@njit(cache=True)
def _launch(
    dev: d.Devices, core: int, time: int, channel: int, tp: int, tcdm: Any, l2: Any, log: Any
) -> int:
    """Launch a transfer: data move at once (or at the end), the completion is scheduled."""
    state = dev.channel[channel]
    until = time + dev.word[d.LATENCY]
    capacity = dev.word[d.DMA_QUEUE]
    if state[d.CHANNEL_COUNT] >= capacity:
        head = d.QUEUE + state[d.CHANNEL_HEAD] * d.TRANSFER_COLUMNS
        dev.word[d.UNTIL] = state[head + d.TRANSFER_DONE]
        return d.RETRY
    row = dev.word[d.DMA_USED]
    if row >= log.shape[0]:
        return d.LOG_FULL
    reg = dev.core[core, d.DMA_DESCRIPTOR :]
    dst, src, length = reg[0], reg[1], reg[2]
    d2, s2, n2 = events.signed(reg[3]), events.signed(reg[4]), reg[5]
    d3, s3, n3 = events.signed(reg[6]), events.signed(reg[7]), reg[8]
    if length <= 0 or n2 <= 0 or n3 <= 0:
        return events.fault(dev, d.FAULT_DMA_SHAPE, channel)
    # Not more bytes than the destination holds: the copy ends soon, and with at most 2^32
    # repetitions the extents below fit in 63 bits.
    room = dev.word[d.TCDM_BYTES] if channel == 0 else dev.word[d.L2_BYTES]
    if length > room or n2 > room // length or n3 > room // (length * n2):
        return events.fault(dev, d.FAULT_DMA_BYTES, channel)
    low, high = _extent(length, d2, n2, d3, n3)
    src_low, src_high = _extent(length, s2, n2, s3, n3)
    to_tcdm = _within(dev, d.TCDM_BASE, d.TCDM_BYTES, dst, low, high)
    from_tcdm = _within(dev, d.TCDM_BASE, d.TCDM_BYTES, src, src_low, src_high)
    latency = dev.word[d.L2_LATENCY]
    if channel == 0:
        if not to_tcdm:
            return events.fault(dev, d.FAULT_DMA_RANGE, 0)
        if from_tcdm:
            latency = 1
        elif not _within(dev, d.L2_BASE, d.L2_BYTES, src, src_low, src_high):
            return events.fault(dev, d.FAULT_DMA_RANGE, 1)
    else:
        if not from_tcdm:
            return events.fault(dev, d.FAULT_DMA_RANGE, 1)
        if not _within(dev, d.L2_BASE, d.L2_BYTES, dst, low, high):
            return events.fault(dev, d.FAULT_DMA_RANGE, 0)
    if not dev.word[d.LATE_EFFECTS]:
        _move(dev, channel, reg, tcdm, l2)
    begin = max(until + latency, state[d.CHANNEL_FREE])
    done = begin + transfer_cycles(dev, reg)
    state[d.CHANNEL_FREE] = done
    state[d.CHANNEL_BUSY] += done - begin
    state[d.CHANNEL_BYTES] += length * n2 * n3
    dev.word[d.COPIED] += length * n2 * n3
    state[d.CHANNEL_TRANSFERS] += 1
    slot = (state[d.CHANNEL_HEAD] + state[d.CHANNEL_COUNT]) % capacity
    identifier = state[d.CHANNEL_NEXT_ID]
    state[d.CHANNEL_NEXT_ID] = (identifier + 1) & 0x7FFFFFFF
    state[d.CHANNEL_COUNT] += 1
    at = d.QUEUE + slot * d.TRANSFER_COLUMNS
    state[at + d.TRANSFER_DONE] = done
    state[at + d.TRANSFER_ID] = identifier
    state[at + d.TRANSFER_CORE] = core
    state[at + d.TRANSFER_LOG] = row
    state[at + d.TRANSFER_BEGIN] = begin
    log[row, 0] = until
    log[row, 1] = begin
    log[row, 2] = done
    log[row, 3] = channel
    log[row, 4] = identifier
    log[row, 5] = core
    log[row, 6] = tp
    for index in range(9):
        log[row, 7 + index] = reg[index]
    log[row, d.DMA_STALLED] = 0
    dev.word[d.DMA_USED] = row + 1
    events.update_next_event(dev)
    return events.finish(dev, until, identifier)


@njit(cache=True)
def access_dma(
    dev: d.Devices, core: int, time: int, offset: int, kind: int, value: int, tp: int,
    tcdm: Any, l2: Any, log: Any,
) -> int:  # fmt: skip
    until = time + dev.word[d.LATENCY]
    if kind == d.STORE:
        register = (offset - dma.DST_ADDR) // 8
        if offset < dma.DST_ADDR or register >= 9 or (offset - dma.DST_ADDR) % 8 != 0:
            return events.fault(dev, d.FAULT_REGISTER, offset)
        dev.core[core, d.DMA_DESCRIPTOR + register] = value
        return events.finish(dev, until, 0)
    if offset == dma.NEXT_ID_0:
        return _launch(dev, core, time, 0, tp, tcdm, l2, log)
    if offset == dma.NEXT_ID_1:
        return _launch(dev, core, time, 1, tp, tcdm, l2, log)
    if offset == dma.STATUS_0 or offset == dma.STATUS_1:
        channel = 0 if offset == dma.STATUS_0 else 1
        return events.finish(dev, until, 1 if dev.channel[channel, d.CHANNEL_COUNT] > 0 else 0)
    if offset == dma.DONE_ID_0:
        return events.finish(dev, until, dev.channel[0, d.CHANNEL_DONE_ID])
    if offset == dma.DONE_ID_1:
        return events.finish(dev, until, dev.channel[1, d.CHANNEL_DONE_ID])
    register = (offset - dma.DST_ADDR) // 8
    if offset >= dma.DST_ADDR and register < 9 and (offset - dma.DST_ADDR) % 8 == 0:
        return events.finish(dev, until, dev.core[core, d.DMA_DESCRIPTOR + register])
    return events.fault(dev, d.FAULT_REGISTER, offset)
