"""The net under a schedule: no launch reads what nothing wrote, none loses bytes it still needs.

Both are followed launch by launch from what the kernels declare (operands, buffers, uses), without
the bookkeeping that decided the order and the waits. A failure is a fault of the scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from softex_mlir.compiler.schedule.intervals import Intervals
from softex_mlir.compiler.schedule.kernels.kernel import (
    ACQUIRE,
    DEPEND,
    ELEMENT_BYTES,
    X_LOADED,
    X_NEXT_READY,
    Z_FREE,
    Z_STEP,
    Operand,
    SlotUse,
)
from softex_mlir.compiler.schedule.timeline import DMA_OUT, STREAM_LIST, Held, Launch
from softex_mlir.compiler.schedule.views import Region
from softex_mlir.dialects.cluster import GlobalKind, StreamKind
from softex_mlir.errors import UserError

NEVER = np.iinfo(np.int32).max


class ScheduleError(UserError):
    """A schedule that would compute garbage. Not the input's fault: the scheduler's."""


def verify_launches(launches: Sequence[Launch]) -> None:
    """Check launches in their order.

    Raises:
        ScheduleError: a launch would read or overwrite the wrong bytes, in L2 or in the TCDM.
    """
    _verify_l2(launches)
    _verify_tcdm(launches)


def _fail(launch: Launch, number: int, problem: str) -> ScheduleError:
    layer = launch.layer or launch.operation
    return ScheduleError(
        f"the scheduler made launch {number}, {launch.kernel.title} (layer '{layer}'), which "
        f"{problem}; the program would be wrong, so there is none: please report the model"
    )


# region L2


@dataclass
class _Contents:
    """When the elements of a region are stored: values of `dma_out`'s counter, `NEVER` before."""

    region: Region
    stored: NDArray[np.int32]

    @staticmethod
    def of(region: Region) -> _Contents:
        stored = np.zeros((region.rows, region.pitch), np.int32)
        rows, columns = region.filled
        if region.kind is not GlobalKind.STATE:
            stored[:rows, :columns] = NEVER
        return _Contents(region, stored.reshape(-1))

    def box(self, operand: Operand, offset: int) -> NDArray[np.int32] | None:
        """The elements of an operand at an offset in bytes; None if some lie outside."""
        first = offset // ELEMENT_BYTES[operand.dtype]
        reach = [(n - 1) * s for n, s in zip(operand.shape, operand.strides, strict=True)]
        low, high = first + sum(min(r, 0) for r in reach), first + sum(max(r, 0) for r in reach)
        if low < 0 or high >= self.stored.size:
            return None
        strides = [4 * stride for stride in operand.strides]
        return as_strided(self.stored[first:], operand.shape, strides)


def _verify_l2(launches: Sequence[Launch]) -> None:
    """Elements of activations are stored once, and before a launch reads them."""
    last: dict[Region, int] = {}
    for number, launch in enumerate(launches):
        for region, _ in launch.addresses.values():
            last[region] = number
    contents: dict[Region, _Contents] = {}
    waited = 0
    for number, launch in enumerate(launches):
        waited = max(waited, launch.waits.get(DEPEND, 0))
        limits = {"load": launch.bases[DMA_OUT], "feed": waited}
        for operand in sorted(launch.kernel.operands(), key=lambda each: each.access == "store"):
            region, offset = launch.addresses[operand.name]
            place = f"operand {operand.name} in @{region.symbol}"
            constant = region.kind in (GlobalKind.WEIGHT, GlobalKind.INPUT)
            if operand.access == "own" or (constant and operand.access != "store"):
                continue
            if region not in contents:
                contents[region] = _Contents.of(region)
            box = contents[region].box(operand, offset)
            if box is None:
                raise _fail(launch, number, f"reaches past the end with {place}")
            if operand.access == "store":
                if constant or ((box != NEVER) & (box != 0)).any():
                    raise _fail(launch, number, f"stores {place} over what something else stored")
                box[...] = launch.stored
                continue
            stored = box.max()
            if stored == NEVER:
                raise _fail(launch, number, f"reads {place} before anything has written it")
            ahead = operand.name == "x_next"
            if stored > (launch.integers[X_NEXT_READY] if ahead else limits[operand.access]):
                raise _fail(launch, number, f"reads {place} without waiting for its results")
        for region in [region for region in contents if last[region] == number]:
            done = contents.pop(region)
            if region.kind is GlobalKind.OUTPUT and done.stored.max() == NEVER:
                raise _fail(launch, number, f"is the last one to store @{region.symbol}, not all")


# endregion
# region TCDM


def _verify_tcdm(launches: Sequence[Launch]) -> None:
    """What is overwritten is free: released by the launch before, and not left for one to come.

    `dma_out` begins a launch when all streams are done with those before, so only what `dma_in`
    touches first has to wait for others; and only chunks of X are left for later launches.
    """
    held = Intervals[Held]()
    reached = dict.fromkeys(STREAM_LIST, 0)
    fed = -1
    for number, launch in enumerate(launches):
        limit = launch.kernel.machine.cluster.tcdm_bytes
        if any(use.start < 0 or use.end > limit for use in launch.uses):
            raise _fail(launch, number, f"uses bytes outside the {limit} of the TCDM")
        if launch.kernel.advances()[0]:
            left = _left_by_another(launch)
            for start, end in left:
                for between in launches[fed + 1 : number]:
                    if any(use.start < end and start < use.end for use in between.uses):
                        title = between.kernel.title
                        raise _fail(launch, number, f"finds its X overwritten by {title}")
            fed = number
            for stream, name in ACQUIRE.items():
                reached[stream] = max(reached[stream], launch.waits.get(name, 0))
            out = StreamKind.DMA_OUT
            reached[out] = max(reached[out], launch.waits.get(DEPEND, 0))
            for use in launch.uses:
                if (use.start, use.end) in left:
                    continue  # read as it is
                for other in held.overlapping(use.start, use.end):
                    if not _is_free(launch, use, other, reached):
                        raise _fail(
                            launch,
                            number,
                            f"overwrites TCDM bytes {use.start} to {use.end} before "
                            f"{other.stream.value} has done the step {other.value} that frees them",
                        )
        for use in launch.uses:
            value = launch.bases[STREAM_LIST.index(use.stream)] + use.offset
            held.assign(use.start, use.end, Held(use.stream, value, use.family))


def _left_by_another(launch: Launch) -> list[tuple[int, int]]:
    """Bytes with chunks of X that an earlier launch loaded."""
    count = launch.integers.get(X_LOADED, 0)
    ring = [buffer for buffer in launch.kernel.buffers() if buffer.name == "x"] if count else []
    return [
        buffer.slot_range((launch.integers["first_x"] + chunk) % buffer.slots)
        for buffer in ring
        for chunk in range(count)
    ]


def _is_free(
    launch: Launch,
    use: SlotUse,
    other: Held,
    reached: Mapping[StreamKind, int],
) -> bool:
    """Whether bytes of an earlier launch are free when this launch touches them."""
    if use.family and use.family == other.family:
        return True
    known, engine = reached[other.stream], launch.kernel.engine
    if other.stream is engine and use.behind is not None:
        known = max(known, launch.bases[STREAM_LIST.index(engine)] - use.behind)
    if other.stream is StreamKind.DMA_OUT and use.lane >= 0:
        known = max(known, launch.integers[Z_FREE] + use.lane * launch.integers[Z_STEP])
    return other.value <= known


# endregion
