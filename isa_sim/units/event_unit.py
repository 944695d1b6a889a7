"""Event unit: register map and event numbers (PULP `event_unit_flex`).

Every core sees its own copy through an alias at `ALIAS_OFFSET` from the peripheral base.
Events latch as one bit each: software re-checks its condition in a loop around a wait.
The behaviour is in `isa_sim.device_event_unit`; everything that writes or prints one of these
registers (compiler, simulator, inspector) takes the number from here.
"""

from typing import Final

from softex_mlir.abi import STREAMS

ALIAS_OFFSET: Final = 0x4000
"""Per-core alias, relative to the peripheral base."""
ALIAS_BYTES: Final = 0x400
GLOBAL_OFFSET: Final = 0x0800
"""The shared view; behaves as the alias of the core that uses it."""

MASK: Final = 0x00
MASK_AND: Final = 0x04
"""Write: clears the written bits of MASK."""
MASK_OR: Final = 0x08
"""Write: sets the written bits of MASK."""
BUFFER: Final = 0x20
BUFFER_MASKED: Final = 0x24
BUFFER_CLEAR: Final = 0x2C
"""Write: clears the written bits of BUFFER."""
EVENT_WAIT: Final = 0x38
"""Read with `cv.elw`: sleeps until BUFFER & MASK != 0, which it returns."""
EVENT_WAIT_CLEAR: Final = 0x3C
"""As EVENT_WAIT, and clears the bits it returns."""
SW_EVENT_TRIGGER: Final = 0x100
"""Write to + 4 * event: mask of target cores, 0 means all of them."""
SW_EVENTS: Final = 8

BARRIER: Final = 0x200
"""Barrier b has its registers at BARRIER + b * BARRIER_STRIDE."""
BARRIER_STRIDE: Final = 0x20
BARRIERS: Final = 8
BARRIER_TRIGGER_MASK: Final = 0x00
BARRIER_STATUS: Final = 0x04
BARRIER_TARGET_MASK: Final = 0x0C
BARRIER_TRIGGER: Final = 0x10
"""Write: the cores of the written mask arrive."""
BARRIER_TRIGGER_SELF: Final = 0x14
"""Write: this core arrives, without sleeping."""
BARRIER_TRIGGER_WAIT: Final = 0x18
BARRIER_TRIGGER_WAIT_CLEAR: Final = 0x1C
"""Read with `cv.elw`: this core arrives and sleeps until all of TRIGGER_MASK have."""

EVENT_DMA: Final = 8
EVENT_REDMULE: Final = 12
EVENT_SOFTEX: Final = 13
EVENT_BARRIER: Final = 16

EVENT_NAMES: Final[dict[int, str]] = {
    **{event: f"software event {event}" for event in range(SW_EVENTS)},
    **{event: f"counter of stream {name} advanced" for event, name in enumerate(STREAMS)},
    EVENT_DMA: "DMA transfer done",
    EVENT_BARRIER: "barrier",
}

REGISTER_NAMES: Final[dict[int, str]] = {
    MASK: "MASK",
    MASK_AND: "MASK_AND",
    MASK_OR: "MASK_OR",
    BUFFER: "BUFFER",
    BUFFER_MASKED: "BUFFER_MASKED",
    BUFFER_CLEAR: "BUFFER_CLEAR",
    EVENT_WAIT: "EVENT_WAIT",
    EVENT_WAIT_CLEAR: "EVENT_WAIT_CLEAR",
}

BARRIER_REGISTER_NAMES: Final[dict[int, str]] = {
    BARRIER_TRIGGER_MASK: "TRIGGER_MASK",
    BARRIER_STATUS: "STATUS",
    BARRIER_TARGET_MASK: "TARGET_MASK",
    BARRIER_TRIGGER: "TRIGGER",
    BARRIER_TRIGGER_SELF: "TRIGGER_SELF",
    BARRIER_TRIGGER_WAIT: "TRIGGER_WAIT",
    BARRIER_TRIGGER_WAIT_CLEAR: "TRIGGER_WAIT_CLEAR",
}


def register_name(offset: int) -> str:
    """Name of the event unit register at a byte offset of the alias, for people."""
    if offset >= BARRIER:
        barrier, register = divmod(offset - BARRIER, BARRIER_STRIDE)
        name = BARRIER_REGISTER_NAMES.get(register, f"+{register:#x}")
        return f"BARRIER{barrier}.{name}"
    if SW_EVENT_TRIGGER <= offset < SW_EVENT_TRIGGER + 4 * SW_EVENTS:
        return f"SW_EVENT_TRIGGER{(offset - SW_EVENT_TRIGGER) // 4}"
    return REGISTER_NAMES.get(offset, f"+{offset:#x}")
