"""How a unit tells the contention model, compiled, which accesses to TCDM its jobs make when.

One function a unit, called through its address, over flat int64 arrays:

    wants(geometry, job, time, streams) -> cycles until the job wants more

`geometry`: the unit's own numbers. `job`: the job's row of the job log, its registers from
`JOB_REGISTERS` on, in address order. `streams`: what the job asks for, `STREAM_COLUMNS` numbers for
each of its `STREAMS` streams, the function's to set and the model's to bring up to date with
every access granted; behind them, from `OWN` on, numbers that only the function knows. Before the
job's first cycle nothing is pending and all else -1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from softex_mlir.isa_sim.jit import pointer_function

STREAMS: Final = 3
GEOMETRY_WORDS: Final = 8

# Columns of a stream.
PENDING: Final = 0
"""Accesses it still wants."""
ADDRESS: Final = 1
"""Byte address of the next one."""
PITCH: Final = 2
"""Bytes from one to the next."""
LEFT: Final = 3
"""Accesses until it goes on elsewhere; below 1: never."""
THEN: Final = 4
"""Where it goes on."""
AGAIN: Final = 5
"""`LEFT` from there on."""
STREAM_COLUMNS: Final = 6

OWN: Final = STREAMS * STREAM_COLUMNS
STREAM_WORDS: Final = OWN + 10

# Columns of the job log.
JOB_START: Final = 1
JOB_END: Final = 2
JOB_REGISTERS: Final = 8

_KINDS: Final = "ppip"
"""Of the arguments of `wants` (`jit.pointer_function`)."""


def access_function(function: Callable[..., int]) -> int:
    """The address of a function, compiled; the cache keeps its code."""
    return pointer_function(_KINDS, function)
