"""Cluster DMA: register map (iDMA `reg32_3d`), transfers and their closed-form cost.

Two channels run at the same time: 0 moves L2 to TCDM (or TCDM to TCDM), 1 moves TCDM to
L2; each is an in-order queue. A transfer copies up to `reps_3 * reps_2` runs of `length`
bytes. Reading NEXT_ID launches what the core's register copy describes and returns the
transfer's id; ids of a channel increase by one, starting at 1.
"""

from dataclasses import dataclass
from typing import Final

ALIAS_OFFSET: Final = 0x4400
"""Per-core alias, relative to the peripheral base."""
ALIAS_BYTES: Final = 0x400
GLOBAL_OFFSET: Final = 0x1800
"""The shared view; behaves as the alias of the core that uses it."""

STATUS_0: Final = 0x04
"""Read: bit 0 is 1 while channel 0 has a transfer under way."""
STATUS_1: Final = 0x08
NEXT_ID_0: Final = 0x44
"""Read: launches a transfer to TCDM and returns its id; waits while the queue is full."""
NEXT_ID_1: Final = 0x48
"""Read: launches a transfer to L2 and returns its id; waits while the queue is full."""
DONE_ID_0: Final = 0x84
"""Read: id of the channel's last completed transfer."""
DONE_ID_1: Final = 0x88
DST_ADDR: Final = 0xD0
SRC_ADDR: Final = 0xD8
LENGTH: Final = 0xE0
"""Bytes of the innermost, contiguous run."""
DST_STRIDE_2: Final = 0xE8
SRC_STRIDE_2: Final = 0xF0
REPS_2: Final = 0xF8
DST_STRIDE_3: Final = 0x100
SRC_STRIDE_3: Final = 0x108
REPS_3: Final = 0x110

DESCRIPTOR: Final = (
    DST_ADDR,
    SRC_ADDR,
    LENGTH,
    DST_STRIDE_2,
    SRC_STRIDE_2,
    REPS_2,
    DST_STRIDE_3,
    SRC_STRIDE_3,
    REPS_3,
)
"""The descriptor registers in address order, 8 bytes apart."""

REGISTER_NAMES: Final[dict[int, str]] = {
    STATUS_0: "STATUS_0",
    STATUS_1: "STATUS_1",
    NEXT_ID_0: "NEXT_ID_0",
    NEXT_ID_1: "NEXT_ID_1",
    DONE_ID_0: "DONE_ID_0",
    DONE_ID_1: "DONE_ID_1",
    DST_ADDR: "DST_ADDR",
    SRC_ADDR: "SRC_ADDR",
    LENGTH: "LENGTH",
    DST_STRIDE_2: "DST_STRIDE_2",
    SRC_STRIDE_2: "SRC_STRIDE_2",
    REPS_2: "REPS_2",
    DST_STRIDE_3: "DST_STRIDE_3",
    SRC_STRIDE_3: "SRC_STRIDE_3",
    REPS_3: "REPS_3",
}


@dataclass(frozen=True)
class Transfer:
    """One DMA transfer: `reps_3 * reps_2` runs of `length` bytes; strides in bytes."""

    destination: int
    source: int
    length: int
    destination_stride_2: int = 0
    source_stride_2: int = 0
    reps_2: int = 1
    destination_stride_3: int = 0
    source_stride_3: int = 0
    reps_3: int = 1

    @property
    def bytes(self) -> int:
        """Bytes written by the transfer."""
        return self.length * self.reps_2 * self.reps_3

    def __str__(self) -> str:
        text = f"{self.source:#010x} -> {self.destination:#010x}, {self.length} bytes"
        if self.reps_2 > 1:
            text += (
                f" x {self.reps_2} (strides {self.source_stride_2} -> {self.destination_stride_2})"
            )
        if self.reps_3 > 1:
            text += (
                f" x {self.reps_3} (strides {self.source_stride_3} -> {self.destination_stride_3})"
            )
        return text


def streaming_cycles(
    length: int,
    runs: int,
    contiguous: bool,
    bytes_per_cycle: int,
    burst_bytes: int,
    latency: int,
    outstanding: int,
) -> int:
    """Cycles the channel is busy moving `runs` runs of `length` bytes, without first latency.

    A run is cut into bursts of at most `burst_bytes`; a burst costs its beats, and with
    `outstanding` bursts in flight at least `latency / outstanding` cycles. `contiguous`
    runs follow one another without a gap on both sides and are one long run.
    """
    if contiguous:
        length *= runs
        runs = 1
    full, rest = length // burst_bytes, length % burst_bytes
    spacing = -(-latency // outstanding)
    cycles = full * max(burst_bytes // bytes_per_cycle, spacing)
    if rest:
        cycles += max(-(-rest // bytes_per_cycle), spacing)
    return runs * cycles


def transfer_cycles(
    transfer: Transfer,
    *,
    bytes_per_cycle: int = 8,
    burst_bytes: int = 256,
    latency: int = 40,
    outstanding: int = 8,
) -> int:
    """Launch-to-completion cycles of a transfer on an idle channel (the scheduler's cost).

    Back-to-back transfers of one channel overlap their latencies: each further one costs
    only its `streaming_cycles`.
    """
    runs = transfer.reps_2 * transfer.reps_3
    contiguous = transfer.reps_3 == 1 and (
        transfer.reps_2 == 1
        or transfer.destination_stride_2 == transfer.source_stride_2 == transfer.length
    )
    return latency + streaming_cycles(
        transfer.length, runs, contiguous, bytes_per_cycle, burst_bytes, latency, outstanding
    )
