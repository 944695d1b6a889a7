"""Which products are computed the other way round: (x·w)ᵀ = wᵀ·xᵀ, in the same chain of additions.

RedMulE computes 24 rows and 32 columns at a time. 128 rows of x take it as long as 144, but 128
columns of xᵀ as long as 128, and the columns of w are many tiles of 24.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.fused_form import NORMS, affine_behind, factor_of, layer_of
from softex_mlir.compiler.schedule.kernels.linear.turned import BIAS_COLUMNS, TurnedKernel
from softex_mlir.compiler.schedule.kernels.rows import one_row
from softex_mlir.compiler.schedule.search.costs import (
    TRANSPOSE_CYCLES,
    core_cycles,
    dma_box_cycles,
)
from softex_mlir.compiler.schedule.search.tile_costs import row_blocks
from softex_mlir.compiler.schedule.search.tiles import LinearShape, Tile
from softex_mlir.compiler.schedule.search.tiling import MAX_TILE, LinearSearch
from softex_mlir.dialects import transformer as tf
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.redmule import is_computed

LEAST_GAIN = 0.02
"""Of a product's cycles, that predictions are good for."""


@dataclass(frozen=True)
class Turned:
    """Products of one x that are computed in a launch."""

    kernel: TurnedKernel
    ops: tuple[tf.LinearOp, ...]


def turned_products(
    products: Sequence[tf.LinearOp | tf.MatmulOp],
    machine: Machine,
    search: LinearSearch,
    tiles: Mapping[LinearShape, Tile],
    pinned: Container[str],
    offset: int,
) -> dict[tf.LinearOp, Turned]:
    """Products that are predicted to take less time turned, in the TCDM from `offset` on, than with
    the `tiles` that a search found. Layers whose tiles are pinned stay as they are, and all beside
    products with a ring of partial sums: its memory would have to be cleared behind each of them.
    """
    if any(tile.ring for tile in tiles.values()):
        return {}
    layers = [op for op in products if isinstance(op, tf.LinearOp) and layer_of(op) not in pinned]
    kernels = {op: _kernel(op, machine, offset) for op in layers}
    found: dict[tf.LinearOp, Turned] = {}
    for (_, kernel), group in groupby(layers, key=lambda op: (op.x, kernels[op])):
        if kernel is None:
            continue
        ops = tuple(group)
        kernel = replace(kernel, products=len(ops))
        shapes = [LinearShape.of(op) for op in ops]
        before = sum(search.costs.cycles(shape, tiles[shape]) for shape in shapes)
        after = max(kernel.cycles()) + _exposed_cycles(ops[0], kernel, tiles[shapes[0]])
        if after < (1.0 - LEAST_GAIN) * before:
            found |= dict.fromkeys(ops, Turned(kernel, ops))
    return found


def _kernel(op: tf.LinearOp, machine: Machine, offset: int) -> TurnedKernel | None:
    """The kernel of a product with a weight whose sums are whole, if the rows of x fill columns of
    RedMulE's tiles but not rows, and xᵀ fits the TCDM; with the longest jobs that fit."""
    unit, shape = machine.redmule, LinearShape.of(op)
    if unit is None or shape.wide or shape.splits > 1 or shape.residual or shape.software:
        return None
    weights = [op.w] if op.bias is None else [op.w, op.bias]
    if not all(isinstance(weight.owner, tf.GetWeightOp) for weight in weights):
        return None
    if factor_of(op) is not None or affine_behind(op) is not None:
        return None
    (rows, inner), columns = tf.shape_of(op.x), tf.shape_of(op.result)[1]
    if rows % unit.tile_columns or rows % BIAS_COLUMNS or columns < unit.rows or inner != shape.n:
        return None
    if round_up(columns, unit.rows) * rows >= round_up(rows, unit.rows) * shape.k:
        return None
    kernel = TurnedKernel(
        *(machine, rows, 0, 0, columns, shape.activation, op.bias is not None, 0, 1, offset)
    )
    for n in range(min(MAX_TILE, inner), 0, -shape.step):
        if inner % n or not is_computed(unit.rows, n, rows, unit):
            continue
        for slots in (2, 1):
            sized = replace(kernel, n=n, chunks=inner // n, turned_slots=slots)
            if sized.end <= machine.cluster.tcdm_bytes:
                return sized
    return None


def _exposed_cycles(op: tf.LinearOp, kernel: TurnedKernel, tile: Tile) -> int:
    """What nothing hides: the last rows' norm, turning x, the first chunk of it, the last tile."""
    machine, rows = kernel.machine, kernel.tokens
    cycles = core_cycles(machine, TRANSPOSE_CYCLES, rows * kernel.n * kernel.chunks)
    cycles += dma_box_cycles(machine, 2 * kernel.n * rows, 1) + kernel.tile_cycles
    if isinstance(op.x.owner, NORMS):
        _, last = row_blocks(machine, rows, tile.m)[-1]
        norm = replace(one_row(op.x.owner, machine), rows=last, block=kernel.team)
        cycles += max(norm.cycles())
    return cycles
