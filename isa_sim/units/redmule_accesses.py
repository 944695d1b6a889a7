"""RedMulE's accesses to TCDM at a cycle of a job, for the contention model; compiled.

The port takes turns between three streams (X, W, Y and Z): every P + 1 cycles a row of W is wanted,
once a chunk of the inner dimension the rows of X of the next one, once a tile the next Y and the
last Z. The model asks every P + 1 cycles: what can be counted is not divided.
"""

from typing import Any, Final

from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import accesses
from softex_mlir.isa_sim.units.accesses import (
    ADDRESS,
    AGAIN,
    JOB_END,
    JOB_REGISTERS,
    LEFT,
    OWN,
    PENDING,
    PITCH,
    STREAM_COLUMNS,
    THEN,
    access_function,
)
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

# The streams.
X: Final = 0
W: Final = STREAM_COLUMNS
Z: Final = 2 * STREAM_COLUMNS

# Own numbers of a job.
BEGIN: Final = OWN
"""When its first step begins; -1 before the first call."""
TILE_CYCLES: Final = OWN + 1
TILES: Final = OWN + 2
ACROSS: Final = OWN + 3
"""Tiles beside each other."""
TILE: Final = OWN + 4
INNER: Final = OWN + 5
"""Cycle within the tile at the last call, if a step began there; -1 before."""
W_ROW: Final = OWN + 6
"""Row of W that is wanted next, the tile it is for, and its address."""
W_TILE: Final = OWN + 7
W_NEXT: Final = OWN + 8
NEXT_CHUNK: Final = OWN + 9
"""Cycle within the tile at which the next rows of X are wanted."""


@njit(cache=True)
def _describe(geometry: Any, job: Any, streams: Any) -> None:
    """What stays the same throughout a job."""
    rows, width, step = geometry[ROWS], geometry[WIDTH], geometry[STEP]
    m, k = job[JOB_REGISTERS + 3] & 0xFFFF, job[JOB_REGISTERS + 3] >> 16 & 0xFFFF
    n = job[JOB_REGISTERS + 4] & 0xFFFF
    streams[ACROSS] = -(-k // width)
    streams[TILES] = -(-m // rows) * streams[ACROSS]
    streams[TILE_CYCLES] = step * (-(-n // geometry[COLUMNS]) * geometry[COLUMNS])
    behind = geometry[TAIL] + (k - 1) % width + 1
    streams[BEGIN] = job[JOB_END] - behind - streams[TILE_CYCLES] * streams[TILES]
    streams[X + PITCH], streams[W + PITCH], streams[Z + PITCH] = 2 * n, 2 * k, 2 * k


@njit(cache=True)
def _enter(geometry: Any, job: Any, tile: int, inner: int, streams: Any) -> None:
    """Find a place in the steady part of a job."""
    width, step = geometry[WIDTH], geometry[STEP]
    k = job[JOB_REGISTERS + 3] >> 16 & 0xFFFF
    chunk_cycles = step * width
    streams[NEXT_CHUNK] = -(-inner // chunk_cycles) * chunk_cycles
    ahead = inner // step + geometry[COLUMNS]
    height = streams[TILE_CYCLES] // step
    streams[W_TILE], streams[W_ROW] = tile + ahead // height, ahead % height
    column = streams[W_TILE] % streams[ACROSS] * width
    streams[W_NEXT] = job[JOB_REGISTERS + 1] + 2 * (streams[W_ROW] * k + column)


@njit(cache=True)
def _want_x(geometry: Any, job: Any, tile: int, inner: int, streams: Any) -> None:
    """Ask for the rows of X of the chunk behind the present one, in this tile or the next."""
    rows, width, across = geometry[ROWS], geometry[WIDTH], streams[ACROSS]
    m, n = job[JOB_REGISTERS + 3] & 0xFFFF, job[JOB_REGISTERS + 4] & 0xFFFF
    chunk_cycles = geometry[STEP] * width
    if inner == streams[NEXT_CHUNK]:
        streams[NEXT_CHUNK] += chunk_cycles
    chunk = inner // chunk_cycles + 1
    if chunk >= -(-n // width):
        chunk, tile = 0, tile + 1
    if tile < streams[TILES]:
        down = tile // across * rows
        here = min(rows, m - down)
        # Met in its middle, part of the chunk is there already.
        streams[X + PENDING] = max(0, here - inner % chunk_cycles // 2)
        row = down + here - streams[X + PENDING]
        streams[X + ADDRESS] = job[JOB_REGISTERS] + 2 * (row * n + chunk * width)


@njit(cache=True)
def _go_to_z(geometry: Any, job: Any, tile: int, then: int, streams: Any) -> None:
    """Let the next accesses to Y or Z be the rows of a tile, and those of another after them."""
    rows, width, across = geometry[ROWS], geometry[WIDTH], streams[ACROSS]
    k = job[JOB_REGISTERS + 3] >> 16 & 0xFFFF
    z = job[JOB_REGISTERS + 2]
    streams[Z + ADDRESS] = z + 2 * (tile // across * rows * k + tile % across * width)
    streams[Z + THEN] = z + 2 * (then // across * rows * k + then % across * width)
    streams[Z + LEFT] = streams[Z + AGAIN] = rows


def _wants(geometry: Any, job: Any, time: int, streams: Any) -> int:
    rows, width, step = geometry[ROWS], geometry[WIDTH], geometry[STEP]
    m, k = job[JOB_REGISTERS + 3] & 0xFFFF, job[JOB_REGISTERS + 3] >> 16 & 0xFFFF
    if streams[BEGIN] < 0:
        _describe(geometry, job, streams)
    across, tiles, tile_cycles = streams[ACROSS], streams[TILES], streams[TILE_CYCLES]
    position = time - streams[BEGIN]
    if position < 0:
        # The first X, Y and W fill the array.
        fill = min(m, rows) + rows + geometry[COLUMNS]
        if position == -fill or (position > -fill and streams[X + ADDRESS] < 0):
            streams[X + PENDING], streams[X + ADDRESS] = min(m, rows), job[JOB_REGISTERS]
            streams[W + PENDING], streams[W + ADDRESS] = geometry[COLUMNS], job[JOB_REGISTERS + 1]
            streams[Z + PENDING], streams[Z + ADDRESS] = rows, job[JOB_REGISTERS + 2]
            streams[Z + LEFT] = 0
        return -position if position >= -fill else -fill - position
    steady = tile_cycles * tiles
    if position >= steady:
        if position == steady:
            streams[Z + PENDING] += rows
            _go_to_z(geometry, job, tiles - 1, tiles - 2, streams)
        return job[JOB_END] - time
    if streams[INNER] >= 0:
        # Called every step.
        tile, inner = streams[TILE], streams[INNER] + step
        if inner == tile_cycles:
            tile, inner = tile + 1, 0
        into = 0
    else:
        tile, inner = position // tile_cycles, position % tile_cycles
        into = inner % step
        _enter(geometry, job, tile, inner, streams)
    if into == 0:
        streams[TILE], streams[INNER] = tile, inner
        streams[W + ADDRESS] = streams[W_NEXT]
        streams[W + PENDING] = min(streams[W + PENDING] + 1, geometry[COLUMNS])
        streams[W_ROW] += 1
        streams[W_NEXT] += 2 * k
        if streams[W_ROW] * step == tile_cycles:
            streams[W_TILE] += 1
            streams[W_ROW] = 0
            streams[W_NEXT] = job[JOB_REGISTERS + 1] + 2 * (streams[W_TILE] % across * width)
    if inner == 0:
        streams[NEXT_CHUNK] = 0
    if inner == streams[NEXT_CHUNK] or streams[X + ADDRESS] < 0:
        _want_x(geometry, job, tile, inner, streams)
    if inner == 0:
        loads = rows if tile + 1 < tiles else 0
        stores = rows if tile > 0 else 0
        streams[Z + PENDING] += loads + stores
        # Y of the next tile, then Z of the last one.
        _go_to_z(geometry, job, tile + 1 if loads > 0 else tile - 1, tile - 1, streams)
    return step - into


WANTS: Final = access_function(_wants)


def of(unit: RedMulEDescription) -> Accesses:
    """The accesses of a machine's RedMulE."""
    step = unit.pipeline_registers + 1
    geometry = (unit.rows, unit.tile_columns, unit.columns, step, unit.rows + 5)
    assert len(geometry) <= accesses.GEOMETRY_WORDS
    return Accesses(geometry, WANTS, access_bytes=2 * unit.tile_columns)
