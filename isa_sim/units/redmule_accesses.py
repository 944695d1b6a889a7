"""RedMulE's accesses to TCDM at a cycle of a job, for the contention model; compiled.

The port takes turns between three streams (X, W, Y and Z): every P + 1 cycles a row of W is wanted,
once a chunk of the inner dimension the rows of X of the next one, once a tile the next Y and the
last Z. `pointer` holds, for each stream, tile, row and chunk of what it asks for next.
"""

from typing import Any, Final

from softex_mlir.isa_sim.units.accesses import JOB_END, JOB_REGISTERS, access_function
from softex_mlir.isa_sim.units.redmule_section import RedMulEDescription
from softex_mlir.isa_sim.units.unit import Accesses

# Columns of the geometry.
ROWS: Final = 0
WIDTH: Final = 1
COLUMNS: Final = 2
STEP: Final = 3
"""Cycles of a step of the inner dimension."""
TAIL: Final = 4
"""Cycles of a job behind its last step and column."""

# Pointers, flat: stream x, w, z times tile, row, chunk.
X_TILE: Final = 0
X_ROW: Final = 1
X_CHUNK: Final = 2
W_TILE: Final = 3
W_ROW: Final = 4
Z_TILE: Final = 6
Z_ROW: Final = 7
Z_NEXT: Final = 8


def _wants(geometry: Any, job: Any, time: int, pending: Any, pointer: Any) -> int:
    rows, width, step = geometry[ROWS], geometry[WIDTH], geometry[STEP]
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
        if position == -fill or (position > -fill and pointer[X_TILE] < 0):
            for index in range(9):
                pointer[index] = 0
            pending[0], pending[1], pending[2] = min(m, rows), geometry[COLUMNS], rows
        return -position if position >= -fill else -fill - position
    if position >= steady:
        if position == steady:
            pending[2] += rows
            pointer[Z_TILE], pointer[Z_ROW], pointer[Z_NEXT] = tiles - 1, 0, 0
        return job[JOB_END] - time
    tile = position // (step * padded)
    inner = position % (step * padded)
    if inner % step == 0:
        ahead = inner // step + geometry[COLUMNS]
        pointer[W_TILE], pointer[W_ROW] = tile + ahead // padded, ahead % padded
        pending[1] = min(pending[1] + 1, geometry[COLUMNS])
    chunk_cycles = step * width
    if inner % chunk_cycles == 0 or pointer[X_TILE] < 0:
        chunk = inner // chunk_cycles + 1
        ahead = tile
        if chunk >= -(-n // width):
            chunk, ahead = 0, tile + 1
        if ahead < tiles:
            here = min(rows, m - ahead // across * rows)
            # Met in its middle, part of the chunk is there already.
            pending[0] = max(0, here - inner % chunk_cycles // 2)
            pointer[X_TILE], pointer[X_ROW], pointer[X_CHUNK] = ahead, here - pending[0], chunk
    if inner == 0:
        loads = rows if tile + 1 < tiles else 0
        stores = rows if tile > 0 else 0
        pending[2] += loads + stores
        pointer[Z_TILE], pointer[Z_ROW] = tile, 0
        # Y of the next tile, then Z of the last one.
        pointer[Z_NEXT] = 1 if loads > 0 else -1
    return step - inner % step


def _address(geometry: Any, job: Any, stream: int, pending: Any, pointer: Any) -> int:
    rows, width = geometry[ROWS], geometry[WIDTH]
    k, n = job[JOB_REGISTERS + 3] >> 16 & 0xFFFF, job[JOB_REGISTERS + 4] & 0xFFFF
    across = -(-k // width)
    tile, row = pointer[3 * stream], pointer[3 * stream + 1]
    if stream == 2:
        tile += pointer[Z_NEXT] if row < rows else -1
    down, column = tile // across * rows, tile % across * width
    if stream == 0:
        return job[JOB_REGISTERS] + 2 * ((down + row) * n + pointer[X_CHUNK] * width)
    if stream == 1:
        return job[JOB_REGISTERS + 1] + 2 * (row * k + column)
    return job[JOB_REGISTERS + 2] + 2 * ((down + row % rows) * k + column)


WANTS: Final = access_function(_wants)
ADDRESS: Final = access_function(_address)


def of(unit: RedMulEDescription) -> Accesses:
    """The accesses of a machine's RedMulE."""
    step = unit.pipeline_registers + 1
    geometry = (unit.rows, unit.tile_columns, unit.columns, step, unit.rows + 5)
    return Accesses(geometry, WANTS, ADDRESS, access_bytes=2 * unit.tile_columns)
