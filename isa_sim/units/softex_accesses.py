"""SoftEx's accesses to TCDM at a cycle of a job, for the contention model; compiled.

A softmax row is read (stream 0) beat by beat, then read and written (1) in turns; a beat of a sum
of N exponentials is read and written every N cycles.
"""

from typing import Any, Final

from softex_mlir.isa_sim.units.accesses import (
    ADDRESS,
    JOB_END,
    JOB_REGISTERS,
    JOB_START,
    PENDING,
    PITCH,
    STREAM_COLUMNS,
    access_function,
)
from softex_mlir.isa_sim.units.softex_section import SoftExDescription
from softex_mlir.isa_sim.units.unit import Accesses

_FIRST_READ: Final = 6
"""Cycles from the trigger to the first read of the input."""
_LAST_WRITE: Final = 3
"""Cycles from the last write to the done event."""
_READ_AHEAD: Final = 12
"""Cycles from the second read of a beat to its write."""

LANES: Final = 0
"""Column of the geometry."""
# The streams.
READ: Final = 0
WRITE: Final = STREAM_COLUMNS


def _wants(geometry: Any, job: Any, time: int, streams: Any) -> int:
    lanes = geometry[LANES]
    bytes_of_beat = 2 * lanes
    streams[READ + PITCH] = streams[WRITE + PITCH] = bytes_of_beat
    commands = job[JOB_REGISTERS + 3]
    length = job[JOB_REGISTERS + 2]
    beats = -(-length // (2 * lanes))
    since = time - job[JOB_START] - _FIRST_READ
    before = job[JOB_END] - _LAST_WRITE - time
    if commands >> 8 & 1:
        terms = max(1, commands >> 16 & 0xFF)
        each = max(2, terms)
        if since >= 2 and (since - 2) % each == 0 and (since - 2) // each < beats:
            streams[READ + PENDING] += 1
            beat = (since - 2) // each
            streams[READ + ADDRESS] = job[JOB_REGISTERS] + bytes_of_beat * beat
        if before >= 0 and before % each == 0 and before // each < beats:
            streams[WRITE + PENDING] += 1
            beat = beats - 1 - before // each
            streams[WRITE + ADDRESS] = job[JOB_REGISTERS + 1] + bytes_of_beat * beat
        return 1
    if not commands >> 1 & 1 and 0 <= since < beats:
        streams[READ + PENDING] += 1
        beat = since
        streams[READ + ADDRESS] = job[JOB_REGISTERS] + bytes_of_beat * beat
    if commands & 1:
        return 1
    back = before - _READ_AHEAD
    if back >= 0 and back % 2 == 0 and back // 2 < beats:
        streams[READ + PENDING] += 1
        beat = beats - 1 - back // 2
        streams[READ + ADDRESS] = job[JOB_REGISTERS] + bytes_of_beat * beat
    if before >= 0 and before % 2 == 0 and before // 2 < beats:
        streams[WRITE + PENDING] += 1
        beat = beats - 1 - before // 2
        streams[WRITE + ADDRESS] = job[JOB_REGISTERS + 1] + bytes_of_beat * beat
    return 1


WANTS: Final = access_function(_wants)


def of(unit: SoftExDescription) -> Accesses:
    """The accesses of a machine's SoftEx."""
    return Accesses((unit.lanes,), WANTS, access_bytes=2 * unit.lanes)
