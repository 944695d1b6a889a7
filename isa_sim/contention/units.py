"""Which accesses to TCDM the units want at a cycle of their jobs; compiled with numba.

RedMulE's port takes turns between its three streams: every P + 1 cycles a row of W is wanted, once
a chunk of the inner dimension the rows of X of the next one, once a tile the next Y and the last Z.
SoftEx reads a softmax row beat by beat, then reads and writes in turns; of a sum of N
exponentials it reads and writes a beat every N cycles.
"""

from typing import Any, Final

from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.jit import njit

# Columns of the job log, as `cluster` writes it.
JOB_UNIT: Final = 0
JOB_START: Final = 1
JOB_END: Final = 2
JOB_REGISTERS: Final = 8

_FIRST_READ: Final = 6
"""SoftEx: cycles from the trigger to the first read of the input."""
_LAST_WRITE: Final = 3
"""SoftEx: cycles from the last write to the done event."""
_READ_AHEAD: Final = 12
"""SoftEx: cycles from the second read of a beat to its write."""

# Columns of the units' and memory's dimensions.
BANKS: Final = 0
STARVATION: Final = 1
ROWS: Final = 2
TILE_COLUMNS: Final = 3
COLUMNS: Final = 4
STEP: Final = 5
"""Cycles of a step of RedMulE's inner dimension."""
LANES: Final = 6
TAIL: Final = 7
"""Cycles of a RedMulE job behind its last step and column."""
GEOMETRY_WORDS: Final = 8


@njit(cache=True)
def _redmule_wants(geometry: Any, job: Any, time: int, pending: Any, pointer: Any) -> int:
    """Add what the job's three streams (X, W, Y and Z) want from this cycle on.

    Returns the cycles until they want more. `pointer` holds, for each stream, tile, row and chunk
    of what it asks for next.
    """
    rows, width, step = geometry[ROWS], geometry[TILE_COLUMNS], geometry[STEP]
    m, k = job[JOB_REGISTERS + 3] & 0xFFFF, job[JOB_REGISTERS + 3] >> 16 & 0xFFFF
    n = job[JOB_REGISTERS + 4] & 0xFFFF
    padded = -(-n // geometry[COLUMNS]) * geometry[COLUMNS]
    across = -(-k // width)
    tiles = -(-m // rows) * across
    last = (k - 1) % width + 1
    steady = step * padded * tiles
    position = steady - (job[JOB_END] - geometry[TAIL] - last - time)
    if position < 0:
        # The first X, Y and W fill the array.
        fill = min(m, rows) + rows + geometry[COLUMNS]
        if position == -fill or (position > -fill and pointer[0, 0] < 0):
            pointer[:, :] = 0
            pending[0], pending[1], pending[2] = min(m, rows), geometry[COLUMNS], rows
        return -position if position >= -fill else -fill - position
    if position >= steady:
        if position == steady:
            pending[2] += rows
            pointer[2, 0], pointer[2, 1], pointer[2, 2] = tiles - 1, 0, 0
        return job[JOB_END] - time
    tile = position // (step * padded)
    inner = position % (step * padded)
    if inner % step == 0:
        ahead = inner // step + geometry[COLUMNS]
        pointer[1, 0], pointer[1, 1] = tile + ahead // padded, ahead % padded
        pending[1] = min(pending[1] + 1, geometry[COLUMNS])
    chunk_cycles = step * width
    if inner % chunk_cycles == 0 or pointer[0, 0] < 0:
        chunk = inner // chunk_cycles + 1
        ahead = tile
        if chunk >= -(-n // width):
            chunk, ahead = 0, tile + 1
        if ahead < tiles:
            here = min(rows, m - ahead // across * rows)
            # Met in its middle, part of the chunk is there already.
            pending[0] = max(0, here - inner % chunk_cycles // 2)
            pointer[0, 0], pointer[0, 1], pointer[0, 2] = ahead, here - pending[0], chunk
    if inner == 0:
        loads = rows if tile + 1 < tiles else 0
        stores = rows if tile > 0 else 0
        pending[2] += loads + stores
        pointer[2, 0], pointer[2, 1] = tile, 0
        # Y of the next tile, then Z of the last one.
        pointer[2, 2] = 1 if loads > 0 else -1
    return step - inner % step


@njit(cache=True)
def _redmule_address(geometry: Any, job: Any, stream: int, pointer: Any) -> int:
    """Byte address of what a stream asks for next."""
    rows, width = geometry[ROWS], geometry[TILE_COLUMNS]
    k, n = job[JOB_REGISTERS + 3] >> 16 & 0xFFFF, job[JOB_REGISTERS + 4] & 0xFFFF
    across = -(-k // width)
    tile, row = pointer[stream, 0], pointer[stream, 1]
    if stream == 2:
        tile += pointer[2, 2] if row < rows else -1
    down, column = tile // across * rows, tile % across * width
    if stream == 0:
        return job[JOB_REGISTERS] + 2 * ((down + row) * n + pointer[0, 2] * width)
    if stream == 1:
        return job[JOB_REGISTERS + 1] + 2 * (row * k + column)
    return job[JOB_REGISTERS + 2] + 2 * ((down + row % rows) * k + column)


@njit(cache=True)
def _softex_wants(geometry: Any, job: Any, time: int, pending: Any, pointer: Any) -> None:
    """Add the reads (stream 0) and writes (1) of a job that fall on this cycle."""
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
            pointer[0, 1] = (since - 2) // each
        if before >= 0 and before % each == 0 and before // each < beats:
            pending[1] += 1
            pointer[1, 1] = beats - 1 - before // each
        return
    if not commands >> 1 & 1 and 0 <= since < beats:
        pending[0] += 1
        pointer[0, 1] = since
    if commands & 1:
        return
    back = before - _READ_AHEAD
    if back >= 0 and back % 2 == 0 and back // 2 < beats:
        pending[0] += 1
        pointer[0, 1] = beats - 1 - back // 2
    if before >= 0 and before % 2 == 0 and before // 2 < beats:
        pending[1] += 1
        pointer[1, 1] = beats - 1 - before // 2


@njit(cache=True)
def _softex_address(geometry: Any, job: Any, stream: int, pointer: Any) -> int:
    """Byte address of the beat a stream asks for next."""
    return job[JOB_REGISTERS + stream] + 2 * geometry[LANES] * pointer[stream, 1]


@njit(cache=True)
def wants(geometry: Any, unit: int, job: Any, time: int, pending: Any, pointer: Any) -> int:
    """Add what a unit's job wants at `time` to `pending`; the cycles until it wants more."""
    if unit == d.REDMULE:
        return _redmule_wants(geometry, job, time, pending, pointer)
    _softex_wants(geometry, job, time, pending, pointer)
    return 1


@njit(cache=True)
def address(geometry: Any, unit: int, job: Any, stream: int, pointer: Any) -> int:
    """Byte address of what a stream of a unit's job asks for next."""
    if unit == d.REDMULE:
        return _redmule_address(geometry, job, stream, pointer)
    return _softex_address(geometry, job, stream, pointer)
