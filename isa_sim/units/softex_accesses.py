"""SoftEx's accesses to TCDM at a cycle of a job, for the contention model; compiled.

A softmax row is read (stream 0) beat by beat, then read and written (1) in turns; a beat of a sum
of N exponentials is read and written every N cycles.
"""

from typing import Any, Final

from softex_mlir.isa_sim.units.accesses import JOB_END, JOB_REGISTERS, JOB_START, access_function
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
READ_BEAT: Final = 1
WRITE_BEAT: Final = 4
"""Pointers, flat: the beat each stream asks for next."""


def _wants(geometry: Any, job: Any, time: int, pending: Any, pointer: Any) -> int:
    lanes = geometry[LANES]
    commands = job[JOB_REGISTERS + 3]
    length = job[JOB_REGISTERS + 2]
    beats = -(-length // (2 * lanes))
    since = time - job[JOB_START] - _FIRST_READ
    before = job[JOB_END] - _LAST_WRITE - time
    if commands >> 8 & 1:
        terms = max(1, commands >> 16 & 0xFF)
        each = max(2, terms)
        if since >= 2 and (since - 2) % each == 0 and (since - 2) // each < beats:
            pending[0] += 1
            pointer[READ_BEAT] = (since - 2) // each
        if before >= 0 and before % each == 0 and before // each < beats:
            pending[1] += 1
            pointer[WRITE_BEAT] = beats - 1 - before // each
        return 1
    if not commands >> 1 & 1 and 0 <= since < beats:
        pending[0] += 1
        pointer[READ_BEAT] = since
    if commands & 1:
        return 1
    back = before - _READ_AHEAD
    if back >= 0 and back % 2 == 0 and back // 2 < beats:
        pending[0] += 1
        pointer[READ_BEAT] = beats - 1 - back // 2
    if before >= 0 and before % 2 == 0 and before // 2 < beats:
        pending[1] += 1
        pointer[WRITE_BEAT] = beats - 1 - before // 2
    return 1


def _address(geometry: Any, job: Any, stream: int, pending: Any, pointer: Any) -> int:
    return job[JOB_REGISTERS + stream] + 2 * geometry[LANES] * pointer[3 * stream + 1]


WANTS: Final = access_function(_wants)
ADDRESS: Final = access_function(_address)


def of(unit: SoftExDescription) -> Accesses:
    """The accesses of a machine's SoftEx."""
    return Accesses((unit.lanes,), WANTS, ADDRESS, access_bytes=2 * unit.lanes)
