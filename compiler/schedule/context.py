"""What scheduling keeps track of: memories, weights, tasks and the values they produce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation, SSAValue

from softex_mlir import abi
from softex_mlir.abi import Port
from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.loop_nest import is_start_value
from softex_mlir.compiler.schedule.kernels.kernel import Kernel, team_size
from softex_mlir.compiler.schedule.kernels.linear.geometry import LinearArena
from softex_mlir.compiler.schedule.l2_objects import L2Objects, WeightValue
from softex_mlir.compiler.schedule.operations.generics import generic_bytes
from softex_mlir.compiler.schedule.order import Task
from softex_mlir.compiler.schedule.search.tiling import (
    CapacityError,
    LinearSearch,
    LinearShape,
    Tile,
    linear_arena,
    row_blocks,
)
from softex_mlir.compiler.schedule.views import Address, Region, View
from softex_mlir.dialects import transformer as tf
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

UNARY = {
    "transformer.gelu": "gelu",
    "transformer.gelu_tanh": "gelu_tanh",
    "transformer.relu": "relu",
    "transformer.tanh": "tanh",
    "transformer.silu": "silu",
    "transformer.sigmoid": "sigmoid",
    "transformer.exp": "exp",
    "transformer.softmax": "softmax",
}
NORMS = (tf.LayerNormOp, tf.RMSNormOp)
BINARY = {"transformer.add": "add", "transformer.sub": "sub", "transformer.mul": "mul"}

ROWS_SHARE = 4
"""Beside matrix products, row-wise kernels take at most this fraction (1/n) of the TCDM."""

COPY_BYTES = 16384
"""Wanted size of a copy's transfer."""

PART_BLOCKS = 3
"""Blocks of rows in one launch of a row-wise operation."""

PARTS = 160
"""About the most launches of a row-wise operation, however many rows it has."""


class UnsupportedError(UserError, ValueError):
    """Operations that have no implementation on the cluster."""


@dataclass
class Written:
    """Elements of a region a task stores."""

    first: int
    end: int
    task: Task


@dataclass
class SchedulingContext:
    """L2 regions, weights, tasks so far and who wrote what; the layout of the TCDM."""

    machine: Machine
    overrides: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    tasks: list[Task] = field(default_factory=list[Task])
    memory: L2Objects = field(default_factory=L2Objects)
    inputs: list[Port] = field(default_factory=list[Port])
    outputs: list[Port] = field(default_factory=list[Port])
    values: dict[SSAValue, View | WeightValue] = field(
        default_factory=dict[SSAValue, "View | WeightValue"]
    )
    written: dict[Region, list[Written]] = field(default_factory=dict[Region, list[Written]])
    tiles: dict[LinearShape, Tile] = field(default_factory=dict[LinearShape, Tile])
    blocks: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def constants_offset(self) -> int:
        """Where TCDM constants begin: behind counters and stacks."""
        return abi.COUNTER_BYTES + abi.STACK_BYTES * self.machine.cluster.cores

    @property
    def base(self) -> int:
        """Where kernels' buffers begin."""
        terms = 0 if self.machine.softex is None else self.machine.softex.terms
        return round_up(self.constants_offset + 4 * round_up(terms, 2), 64)

    def plan(self, main: FuncOp) -> None:
        """Size the arenas: row-wise kernels first, matrix products get the rest."""
        tcdm = self.machine.cluster.tcdm_bytes
        shapes: list[LinearShape] = []
        for op in main.body.walk():
            shapes += self._linear_shapes(op)
        limit = max(4096, (tcdm - self.base) // (ROWS_SHARE if shapes else 1))
        need = 0
        norms = any(isinstance(op, NORMS) for op in main.body.walk())
        for op in main.body.walk():
            # these get a row for every core, others only where there is nothing more frequent
            by_row = isinstance(op, (*NORMS, tf.SoftmaxOp)) or not norms
            need = max(need, self._rows_bytes(op, limit, team_size(self.machine) if by_row else 1))
        if not shapes:
            need = max(need, limit)
        self.rows_limit = limit
        self.linear_base = round_up(self.base + need, 64)
        if self.linear_base > tcdm:
            raise CapacityError(
                f"row-wise operations need {need} bytes of TCDM, but only {tcdm - self.base} of "
                f"{tcdm} are left behind counters and stacks: use a larger TCDM"
            )
        search = LinearSearch(self.machine, shapes, tcdm - self.linear_base, self.overrides)
        sizes, self.tiles = search.search()
        self.arenas: dict[int, LinearArena] = {
            inner: linear_arena(size, self.linear_base) for inner, size in sizes.items()
        }
        for shape, tile in self.tiles.items():
            self.blocks[shape.m] = tile.m

    def _rows_bytes(self, op: Operation, limit: int, wanted: int) -> int:
        """TCDM bytes of a row-wise operation in blocks of `wanted` rows, or fewer to respect the
        limit."""
        if isinstance(op, tf.LayerNormOp):
            columns = tf.shape_of(op.result)[-1]
            fixed, row = 4 * columns + 128, 4 * columns + 128
        elif isinstance(op, tf.RMSNormOp):
            columns = tf.shape_of(op.result)[-1]
            fixed, row = 2 * columns + 64, 4 * columns + 128
        elif op.name in BINARY:
            columns = tf.shape_of(op.results[0])[-1]
            fixed, row = 64, 8 * columns + 256
        elif isinstance(op, tf.PositionIdsOp):
            fixed, row = 64, 16 * tf.shape_of(op.result)[-1] + 256
        elif isinstance(op, tf.SoftmaxOp):
            width = round_up(max(32, tf.shape_of(op.result)[-1]), 16)
            slot = 2 * width + 64
            third = self.machine.softex is not None and 64 + 3 * slot <= limit
            fixed, row = 64, (3 if third else 2) * slot
        elif op.name in UNARY or isinstance(op, tf.MaskToBiasOp):
            columns = max(32, tf.shape_of(op.results[0])[-1])
            fixed, row = 64, 14 * columns + 256
        elif isinstance(op, tf.EmbeddingOp):
            fixed, row = 0, 2 * tf.shape_of(op.result)[-1] + 64
        elif isinstance(op, linalg_ops.GenericOp):
            return generic_bytes(op, self.machine, limit)
        elif is_start_value(op) or isinstance(
            op, tf.LinearOp | tf.AttentionOp | tf.MatmulOp | tf.GetWeightOp | FuncOp
        ):
            return 0
        else:
            return 4096
        while wanted > 1 and fixed + wanted * row > limit:
            wanted -= 1
        need = fixed + wanted * row
        elementwise = op.name in BINARY or (op.name in UNARY and not isinstance(op, tf.SoftmaxOp))
        return min(need, limit) if elementwise else need  # longer rows go piece by piece

    def _linear_shapes(self, op: Operation) -> list[LinearShape]:
        layer = layer_of(op)
        if isinstance(op, tf.LinearOp):
            m, n = tf.shape_of(op.x)
            k = tf.shape_of(op.w)[1]
            return [
                LinearShape(
                    m,
                    round_up(n, 32),
                    round_up(k, 32),
                    op.activation.data,
                    op.residual is not None,
                    layer,
                )
            ]
        if isinstance(op, tf.MatmulOp):
            (m, n), k = tf.shape_of(op.a)[-2:], tf.shape_of(op.b)[-1]
            return [LinearShape(m, round_up(n, 32), round_up(k, 32), "none", False, layer)]
        return []

    def view(self, value: SSAValue | None) -> View:
        """A value in L2; weights become rows."""
        assert value is not None
        found = self.values[value]
        return self.memory.weight_rows(found) if isinstance(found, WeightValue) else found

    def producers(self, *views: View) -> list[Task]:
        """Tasks that store elements of these views."""
        found: dict[int, Task] = {}
        for view in views:
            first, end = view.extent
            for entry in self.written.get(view.region, ()):
                if entry.first < end and first < entry.end:
                    found[id(entry.task)] = entry.task
        return list(found.values())

    def task(
        self,
        op: Operation,
        kernel: Kernel,
        addresses: Mapping[str, View | Address],
        *,
        reads: Sequence[View],
        feeds: Sequence[View] = (),
        writes: Sequence[View],
        on_engine: bool = False,
        macs: int = 0,
    ) -> Task:
        """Append a task. `feeds` are the reads of `dma_in`."""
        feeders = self.producers(*feeds)
        task = Task(
            kernel,
            {k: v.address if isinstance(v, View) else v for k, v in addresses.items()},
            layer_of(op),
            op.name.split(".")[-1],
            on_engine,
            list({id(t): t for t in (*feeders, *self.producers(*reads))}.values()),
            feeders,
            macs,
        )
        self.tasks.append(task)
        for view in writes:
            first, end = view.extent
            self.written.setdefault(view.region, []).append(Written(first, end, task))
        return task

    # endregion

    def parts(self, rows: int, part: int) -> list[tuple[int, int]]:
        """Launches of a row-wise operation: pieces of the blocks that matrix products use; one
        launch where there are no products, which could begin with a piece."""
        if not self.tiles:
            return [(0, rows)]
        part = max(part, -(-rows // PARTS))
        found: list[tuple[int, int]] = []
        for start, size in row_blocks(self.machine, rows, self.blocks.get(rows, rows)):
            for first in range(0, size, part):
                found.append((start + first, min(part, size - first)))
        return found


def layer_of(op: Operation) -> str:
    """The model's layer an operation is part of; empty if unknown."""
    layer = getattr(op, "layer", None) or op.attributes.get("layer")
    return layer.data if isinstance(layer, StringAttr) else ""
