"""Products computed the other way round: (x·w)ᵀ = wᵀ·xᵀ, in the same chain of additions.

RedMulE computes 24 rows and 32 columns at a time. 128 rows of x take it as long as 144, but 128
columns of xᵀ as long as 128, and the columns of w are many tiles of 24. The cores turn x before,
and the result block by block while RedMulE computes the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xdsl.ir import Operation

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.fused_form import factor_of, layer_of
from softex_mlir.compiler.schedule.search.costs import TRANSPOSE_CYCLES, core_cycles
from softex_mlir.compiler.schedule.search.tiles import LinearShape, Tile
from softex_mlir.compiler.schedule.search.tiling import LinearSearch
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.dialects import transformer as tf
from softex_mlir.isa_sim.machine import Machine

LONGER = 1.04
"""How much longer turned products take than predicted, as the DMA has more to bring for the first
chunk of a group than for others: simulated GPT-2's 50,257 columns."""

LEAST_GAIN = 0.02
"""Of a product's cycles, that predictions are good for."""


def shapes_of(
    products: Sequence[tf.LinearOp | tf.MatmulOp],
    machine: Machine,
    budget: int,
    overrides: Mapping[str, Mapping[str, int]],
) -> dict[Operation, LinearShape]:
    """The shapes of products as they are computed, in `budget` bytes of TCDM. Layers whose tiles
    are pinned stay as they are.

    Raises:
        CapacityError: the TCDM is too small.
    """
    found: dict[Operation, LinearShape] = {op: LinearShape.of(op) for op in products}
    candidates = {
        op: _turned(op, found[op])
        for op in products
        if isinstance(op, tf.LinearOp) and layer_of(op) not in overrides
        if _can_turn(op, found[op], machine)
    }
    if candidates:
        straight = LinearSearch(machine, found.values(), budget, overrides)
        turned = LinearSearch(machine, candidates.values(), budget)
        tiles, others = straight.search()[1], turned.search()[1]
        for op, shape in candidates.items():
            before = straight.cycles(found[op], tiles[found[op]])
            after = LONGER * turned.cycles(shape, others[shape])
            after += _turn_cycles(machine, shape, others[shape])
            if after < (1.0 - LEAST_GAIN) * before:
                found[op] = shape
    return found


def _turned(op: tf.LinearOp, shape: LinearShape) -> LinearShape:
    return replace(shape, m=tf.shape_of(op.result)[1], k=shape.m, turned=True)


def _can_turn(op: tf.LinearOp, shape: LinearShape, machine: Machine) -> bool:
    """Whether the rows of x fill whole columns of tiles, but not whole rows, of a product with a
    weight that has no epilogue and one sum."""
    unit = machine.redmule
    if unit is None or shape.m % ALIGNMENT or shape.m % unit.tile_columns:
        return False
    plain = op.bias is None and not shape.residual and shape.activation == "none"
    whole = shape.splits == 1 and not shape.wide and tf.shape_of(op.x)[1] == shape.n
    padded = round_up(shape.m, unit.rows) * shape.k
    less = round_up(tf.shape_of(op.result)[1], unit.rows) * shape.m < padded
    return plain and whole and less and factor_of(op) is None and _is_weight(op)


def _is_weight(op: tf.LinearOp) -> bool:
    return isinstance(op.w.owner, tf.GetWeightOp)


def _turn_cycles(machine: Machine, shape: LinearShape, tile: Tile) -> int:
    """Turning x, and the last block of the result, which nothing hides."""
    elements = shape.k * (shape.n + min(tile.m, shape.m))
    return core_cycles(machine, TRANSPOSE_CYCLES, elements)
