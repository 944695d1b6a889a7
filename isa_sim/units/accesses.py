"""How a unit tells the contention model, compiled, which accesses to TCDM its jobs make when.

Two functions a unit, called through their addresses, over flat int64 arrays:

    wants(geometry, job, time, pending, pointer) -> cycles until the job wants more
    address(geometry, job, stream, pending, pointer) -> byte address of the stream's next access

`geometry`: the unit's own numbers. `job`: the job's row of the job log, its registers from
`JOB_REGISTERS` on, in address order. `pending`: accesses that each of the `STREAMS` streams still
wants. `pointer`: `POINTER_COLUMNS` numbers a stream, the unit's own but for column 1, which the
model counts up with every access granted; -1 before the job's first cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from softex_mlir.isa_sim.jit import numba_types, pointer_function

STREAMS: Final = 3
POINTER_COLUMNS: Final = 3
GEOMETRY_WORDS: Final = 8

# Columns of the job log.
JOB_START: Final = 1
JOB_END: Final = 2
JOB_REGISTERS: Final = 8

_WORD: Any = numba_types.int64
_WORDS: Any = numba_types.CPointer(numba_types.int64)
SIGNATURE: Final = _WORD(_WORDS, _WORDS, _WORD, _WORDS, _WORDS)


def access_function(function: Callable[..., int]) -> int:
    """The address of a function, compiled; the cache keeps its code."""
    return pointer_function(SIGNATURE, function)
