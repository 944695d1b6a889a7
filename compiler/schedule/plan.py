"""The division of the TCDM and the tiles of all products: decided before anything is scheduled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

from xdsl.dialects.func import FuncOp
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation

from softex_mlir.abi import COUNTER_BYTES, STACK_BYTES
from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.bodies.tables import CoreTable
from softex_mlir.compiler.loop_nest import is_start_value
from softex_mlir.compiler.row_operations.unary import table_of
from softex_mlir.compiler.schedule.fused_form import (
    BINARY,
    NORMS,
    UNARY,
    factor_of,
    is_in_epilogue,
    layer_of,
)
from softex_mlir.compiler.schedule.kernels.copies import EmbeddingKernel
from softex_mlir.compiler.schedule.kernels.kernel import team_size
from softex_mlir.compiler.schedule.kernels.linear.geometry import LinearArena
from softex_mlir.compiler.schedule.kernels.nest.build import generic_bytes, least_generic_bytes
from softex_mlir.compiler.schedule.kernels.rows import least_bytes, one_row, wanted_bytes
from softex_mlir.compiler.schedule.search.capacity import LARGER, CapacityError
from softex_mlir.compiler.schedule.search.tile_costs import row_blocks
from softex_mlir.compiler.schedule.search.tiles import (
    LinearShape,
    SharedX,
    Slots,
    Tile,
    linear_arena,
)
from softex_mlir.compiler.schedule.search.tiling import LinearSearch
from softex_mlir.compiler.schedule.search.turning import Turned, turned_products
from softex_mlir.dialects import transformer as tf
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

ROWS_SHARE = 4
"""Beside matrix products, row-wise kernels take at most this fraction (1/n) of the TCDM."""

LEAST_ROWS = 4096
"""Bytes that row-wise kernels may take beside matrix products, however small the TCDM."""

ROWS = frozenset((*BINARY, *UNARY, *NORMS, tf.RotaryOp, tf.PositionIdsOp, tf.MaskToBiasOp))
"""Operations on rows."""

PARTS = 160
"""About the most launches of a row-wise operation, however many rows it has."""


def constants_offset(machine: Machine) -> int:
    """Where TCDM constants begin, in bytes: behind counters and stacks."""
    return COUNTER_BYTES + STACK_BYTES * machine.cluster.cores


def tables_of(module: Operation) -> tuple[CoreTable, ...]:
    """What the functions of a fused module look things up in, each once."""
    found: dict[CoreTable, None] = {}
    for op in module.walk():
        function = ""
        if isinstance(op, tf.LinearOp):
            function = op.activation.data
        elif isinstance(op, tf.UnaryOp):
            function = op.name.removeprefix("transformer.")
        table = table_of(function)
        if table is not None:
            found[table] = None
    return tuple(found)


def tables_offset(machine: Machine) -> int:
    """Where the tables of the cores' functions begin, in bytes: behind SoftEx's constants."""
    terms = 0 if machine.softex is None else machine.softex.terms
    return round_up(constants_offset(machine) + 4 * round_up(terms, 2), 64)


def buffers_offset(machine: Machine, module: Operation) -> int:
    """Where kernels' buffers begin for a fused module, in bytes from the start of the TCDM."""
    return tables_offset(machine) + sum(round_up(table.bytes, 64) for table in tables_of(module))


@dataclass(frozen=True)
class Plan:
    """Offsets and sizes in bytes."""

    machine: Machine
    base: int
    """Where buffers begin, those of row-wise kernels first."""
    rows_limit: int
    """What row-wise kernels may ask for."""
    linear_base: int
    """Where the slots of products begin."""
    tiles: Mapping[LinearShape, Tile]
    arenas: Mapping[Slots, LinearArena]
    """Where the slots of products lie that have the same."""
    blocks: Mapping[int, int]
    """Most rows of a block, by the rows of a product."""
    turned: Mapping[Operation, Turned]
    """Products that are computed the other way round."""

    @property
    def rows_room(self) -> int:
        """Bytes for row-wise kernels."""
        return self.linear_base - self.base

    def row_blocks(self, rows: int) -> list[tuple[int, int]]:
        """Blocks of rows of products with this many, as (first, rows)."""
        return row_blocks(self.machine, rows, self.blocks.get(rows, rows))

    def parts(self, rows: int, part: int) -> list[tuple[int, int]]:
        """Launches of a row-wise operation: pieces of the blocks that matrix products use; one
        launch where there are no products, which could begin with a piece."""
        if not self.tiles:
            return [(0, rows)]
        part = max(part, -(-rows // PARTS))
        found: list[tuple[int, int]] = []
        for start, size in self.row_blocks(rows):
            for first in range(0, size, part):
                found.append((start + first, min(part, size - first)))
        return found


def make_plan(main: FuncOp, machine: Machine, overrides: Mapping[str, Mapping[str, int]]) -> Plan:
    """Size the arenas: row-wise kernels first, matrix products get the rest.

    Raises:
        CapacityError: the TCDM is too small.
        UserError: `overrides` names a layer that is not there.
    """
    tcdm, base = machine.cluster.tcdm_bytes, buffers_offset(machine, main.parent_op() or main)
    ops = [op for op in main.body.walk() if not is_in_epilogue(op)]
    products = [op for op in ops if isinstance(op, tf.LinearOp | tf.MatmulOp)]
    shapes = [LinearShape.of(op) for op in products]
    layers = list(dict.fromkeys(shape.layer for shape in shapes))
    if unknown := [name for name in overrides if name not in layers]:
        raise UserError(
            f"tiles of layer {', '.join(map(repr, unknown))}: no matrix product has this name; "
            f"there are {', '.join(map(repr, layers)) or 'none'}"
        )
    room = tcdm - base
    limit = max(LEAST_ROWS, room // ROWS_SHARE) if shapes else max(64, room)
    need = 0
    norms = any(isinstance(op, NORMS) for op in ops)
    for op in ops:
        # these get a row for every core, others only where there is nothing more frequent
        by_row = isinstance(op, (*NORMS, tf.SoftmaxOp)) or not norms
        need = max(need, _rows_bytes(machine, op, limit, team_size(machine) if by_row else 1))
    if not shapes:
        need = max(need, limit)
    least = max(_least_bytes(machine, op) for op in ops)
    if base + least > tcdm:
        raise _overflow(machine, base, ops, shapes, overrides)
    linear_base = min(tcdm, round_up(base + max(least, need), 64))
    between = _cycles_between(machine, ops)

    shared = list(_sharing_x(products))
    search = LinearSearch(machine, shapes, tcdm - linear_base, overrides, between, shared)
    try:
        sizes, tiles = search.search()
    except CapacityError:
        # Slower row-wise operations may leave enough.
        linear_base = base + least
        search = LinearSearch(machine, shapes, tcdm - linear_base, overrides, between, shared)
        sizes, tiles = search.search()
    turned = turned_products(products, machine, search, tiles, overrides, base)
    arenas = {slots: linear_arena(size, linear_base, tcdm) for slots, size in sizes.items()}
    blocks = {shape.m: tile.m for shape, tile in tiles.items()}
    return Plan(machine, base, limit, linear_base, tiles, arenas, blocks, {**turned})


def _sharing_x(products: Sequence[Operation]) -> Iterator[SharedX]:
    """Products of one X, one behind the other, of different shapes."""
    linears = [op for op in products if isinstance(op, tf.LinearOp)]
    for _, run in groupby(linears, key=lambda op: op.x):
        ops = list(run)
        shapes = tuple(map(LinearShape.of, ops))
        if len(set(shapes)) > 1:
            factors = [factor_of(op) for op in ops]
            yield SharedX(shapes, any(op.result in factors for op in ops))


def _overflow(
    machine: Machine,
    base: int,
    ops: Sequence[Operation],
    shapes: Sequence[LinearShape],
    overrides: Mapping[str, Mapping[str, int]],
) -> CapacityError:
    """Every row-wise operation that has no kernel, and the products where they have no tile even
    with all of the room."""
    tcdm = machine.cluster.tcdm_bytes
    room = tcdm - base
    alike: dict[tuple[str, int], list[Operation]] = {}
    for op in ops:
        if (least := _least_bytes(machine, op)) > room:
            alike.setdefault((op.name, least), []).append(op)
    ordered = sorted(alike.items(), key=lambda item: -item[0][1])
    causes: list[CapacityError] = []
    for (name, least), group in ordered:
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        text = (
            f"{name} (layer '{layer_of(group[0])}'{more}) needs {least} bytes of TCDM, but only "
            f"{room} of {tcdm} are left behind counters and stacks: use a larger TCDM"
        )
        causes += [CapacityError(text).about(layer_of(op), name, LARGER) for op in group]
    try:
        LinearSearch(machine, shapes, room, overrides).search()
    except CapacityError as error:
        causes.append(error)
    (_, least), (heavy, *_) = ordered[0]
    columns = tf.shape_of(heavy.results[0])[-1]
    return CapacityError.of(causes, f"rows of {columns * room // least // 32 * 32} columns")


def _cycles_between(machine: Machine, ops: Iterable[Operation]) -> Counter[int]:
    """Predicted cycles of row-wise operations by their number of rows."""
    found: Counter[int] = Counter()
    team = team_size(machine)
    for op in ops:
        if type(op) in ROWS:
            *outer, _ = tf.shape_of(op.results[0]) or (1,)
            rows = prod(outer)
            kernel = replace(one_row(op, machine), rows=rows, block=min(rows, team))
            found[rows] += max(kernel.cycles())
    return found


def _least_bytes(machine: Machine, op: Operation) -> int:
    """TCDM bytes without which a row-wise operation has no kernel, in whole lines of 64."""
    if isinstance(op, linalg_ops.GenericOp):
        return round_up(least_generic_bytes(op, machine), 64)
    return round_up(least_bytes(op, machine), 64) if type(op) in ROWS else 0


def _rows_bytes(machine: Machine, op: Operation, limit: int, wanted: int) -> int:
    """TCDM bytes of a row-wise operation in blocks of `wanted` rows, or fewer to respect the
    limit."""
    if type(op) in ROWS:
        return wanted_bytes(op, machine, limit, wanted)
    if isinstance(op, linalg_ops.GenericOp):
        return generic_bytes(op, machine, limit)
    if isinstance(op, tf.EmbeddingOp | tf.WindowsOp):
        columns = tf.shape_of(op.result)[-1]
        return EmbeddingKernel(machine, 1, 1, columns, columns, columns, 1, 0).end
    if is_start_value(op) or isinstance(
        op, tf.LinearOp | tf.AttentionOp | tf.MatmulOp | tf.GetWeightOp | FuncOp
    ):
        return 0
    return min(LEAST_ROWS, limit)
