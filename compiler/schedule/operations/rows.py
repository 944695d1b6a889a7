"""Operations on rows: norms, elementwise operations, softmax, masks."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.context import (
    BINARY,
    NORMS,
    PART_BLOCKS,
    UNARY,
    UnsupportedError,
    layer_of,
)
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of, team_size
from softex_mlir.compiler.schedule.kernels.nest.kernel import fit_nest
from softex_mlir.compiler.schedule.kernels.rows import RowOperand, RowsKernel
from softex_mlir.compiler.schedule.operations.generics import nest_kernel
from softex_mlir.compiler.schedule.operations.movement import Movement
from softex_mlir.compiler.schedule.search.tiling import (
    CapacityError,
)
from softex_mlir.compiler.schedule.views import Address, View
from softex_mlir.dialects import transformer as tf

WHOLE_ROWS = (*NORMS, tf.SoftmaxOp)
"""Operations whose result depends on all of a row."""

NARROWEST = 64
"""Columns of the narrowest piece of a row."""


class RowOperations(Movement):
    """Schedules row-wise operations."""

    def _rowwise(self, op: Operation) -> None:
        if _shift_of(op) is not None:
            return
        operands = list(op.operands)
        name = UNARY.get(op.name) or BINARY.get(op.name) or op.name.split(".")[-1]
        result = op.results[0]
        shape = tf.shape_of(result)
        columns, rows = shape[-1], prod(shape[:-1])
        target = self.memory.allocate(shape, dtype_of(result), name)
        out = target.matrix()
        assert out is not None
        parameters: tuple[float, ...] = ()
        views: list[View] = []
        modulus: list[int] = []
        period = rows
        if isinstance(op, tf.LayerNormOp | tf.RMSNormOp):
            parameters = (op.eps.value.data,)
        if isinstance(op, tf.MaskToBiasOp):
            self._mask_to_bias(op, target)
            return
        if isinstance(op, tf.PositionIdsOp):
            self._position_ids(op, target)
            return
        scale = op.lhs.owner if isinstance(op, tf.AddOp) else None
        if isinstance(scale, tf.MulOp) and _shift_of(scale) is op:
            name, operands = "mul_add", [*scale.operands, op.operands[1]]
        for operand in operands:
            view = self._matrix(op, self.view(operand))
            if view.shape[1] == 1 and columns > 1:
                raise UnsupportedError(
                    f"{op.name} (layer '{layer_of(op)}') repeats an operand of one column along "
                    "the rows: not supported, expand it before"
                )
            views.append(view)
            modulus.append(view.shape[0])
            if view.shape[0] not in (1, rows):
                period = view.shape[0]
        if modulus[0] == 1 and rows > 1:
            if name == "sub" or modulus[1] == 1:
                raise UnsupportedError(
                    f"{op.name} (layer '{layer_of(op)}') repeats its first operand: swap them"
                )
            views.reverse()
            modulus.reverse()
        inputs = tuple(
            RowOperand(columns, v.strides[0], count != 1 or rows == 1, v.dtype)
            if index == 0 or count != 1
            else RowOperand(columns, v.strides[0], False, v.dtype)
            for index, (v, count) in enumerate(zip(views, modulus, strict=True))
        )
        whole = RowsKernel(
            self.machine, name, rows, columns, 1, inputs, out.strides[0], self.base, parameters
        )
        for start, kernel in self._column_pieces(whole, op):
            for first, size in self._periodic_parts(rows, period, kernel.block):
                part = replace(kernel, rows=size, block=min(kernel.block, size))
                reads = [
                    (v if count == 1 else v.row_range(first % count, size)).columns(
                        start, kernel.columns
                    )
                    for v, count in zip(views, modulus, strict=True)
                ]
                stored = out.row_range(first, size).columns(start, kernel.columns)
                addresses: dict[str, View | Address] = {f"x{i}": v for i, v in enumerate(reads)}
                addresses["y"] = stored
                self.task(op, part, addresses, reads=reads, writes=[stored])
        self.values[result] = target

    def _column_pieces(self, kernel: RowsKernel, op: Operation) -> list[tuple[int, RowsKernel]]:
        """First columns of the pieces that the rows are cut into, and their kernels: one, unless
        every element stands by itself and a row is too long for the arena."""
        width = kernel.columns
        if not isinstance(op, WHOLE_ROWS):
            while width > NARROWEST and self._largest(kernel.narrowed(width)) is None:
                width = round_up(width // 2, NARROWEST)
        return [
            (start, self._fit(kernel.narrowed(min(width, kernel.columns - start)), op))
            for start in range(0, kernel.columns, width)
        ]

    def _generic(self, op: linalg_ops.GenericOp) -> None:
        results = [self.memory.allocate(tf.shape_of(r), dtype_of(r), "generic") for r in op.results]
        inputs = [self.view(operand) for operand in op.inputs]
        kernel = nest_kernel(op, self.machine, inputs, results, self.base)
        room = self.linear_base - self.base
        fitted = fit_nest(kernel, room)
        if fitted is None:
            raise CapacityError(
                f"linalg.generic (layer '{layer_of(op)}') does not fit {room} bytes of TCDM: "
                + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in kernel.buffers())
            )
        addresses: dict[str, View | Address] = {}
        for (name, operand), view in zip(fitted.tiles.named(), (*inputs, *results), strict=True):
            addresses[name] = replace(view, offset=view.offset + operand.offset)
        self.task(op, fitted, addresses, reads=inputs, writes=results)
        for result, view in zip(op.results, results, strict=True):
            self.values[result] = view

    def _periodic_parts(self, rows: int, period: int, block: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for first, size in self.parts(rows, PART_BLOCKS * block):
            while size > 0:
                share = min(size, period - first % period)
                found.append((first, share))
                first, size = first + share, size - share
        return found

    def _position_ids(self, op: tf.PositionIdsOp, target: View) -> None:
        ids, out = self._matrix(op, self.view(op.ids)), target.matrix()
        assert out is not None
        parameters = (op.padding.value.data, op.offset.value.data, op.fill.value.data)
        inputs = (RowOperand(ids.shape[1], ids.strides[0], True, "i32"),)
        kernel = RowsKernel(
            self.machine,
            "position_ids",
            out.shape[0],
            out.shape[1],
            1,
            inputs,
            out.strides[0],
            self.base,
            parameters,
            "i32",
        )
        self.task(op, self._fit(kernel, op), {"x0": ids, "y": out}, reads=[ids], writes=[out])
        self.values[op.result] = target

    def _mask_to_bias(self, op: tf.MaskToBiasOp, target: View) -> None:
        mask, out = self._matrix(op, self.view(op.mask)), target.matrix()
        assert out is not None
        streamed = RowOperand(mask.shape[1], mask.strides[0], op.base is None, "i32")
        base = None if op.base is None else self._matrix(op, self.view(op.base))
        inputs = (streamed,)
        if base is not None:
            inputs = (RowOperand(base.shape[1], base.strides[0]), streamed)
        # with a base, a launch a batch element: its mask row meets all rows of the base
        rows = out.shape[0] if base is None else base.shape[0]
        kernel = RowsKernel(
            self.machine,
            "mask_to_bias",
            rows,
            out.shape[1],
            1,
            inputs,
            out.strides[0],
            self.base,
            (1.0,) if op.inverted is not None else (),
        )
        kernel = self._fit(kernel, op)
        for index in range(out.shape[0] // rows):
            part = out.row_range(index * rows, rows)
            reads = [mask] if base is None else [base, mask.row_range(index, 1)]
            addresses: dict[str, View | Address] = {f"x{i}": read for i, read in enumerate(reads)}
            self.task(op, kernel, addresses | {"y": part}, reads=reads, writes=[part])
        self.values[op.result] = target

    def _largest(self, kernel: RowsKernel) -> RowsKernel | None:
        """The kernel with the largest block of rows that fits its arena."""
        team = team_size(self.machine)
        room = self.linear_base - self.base
        for block in (4 * team, 3 * team, 2 * team, *range(team, 0, -1)):
            if block > kernel.rows and block > team:
                continue
            found = replace(kernel, block=min(block, kernel.rows))
            if found.end - found.offset <= room:
                return found
        return self._largest(replace(kernel, third_slot=False)) if kernel.both_ways else None

    def _fit(self, kernel: RowsKernel, op: Operation) -> RowsKernel:
        """The kernel with the largest block of rows that fits its arena; there must be one."""
        found = self._largest(kernel)
        if found is not None:
            return found
        room = self.linear_base - self.base
        need = replace(kernel, block=1, third_slot=False)
        raise CapacityError(
            f"{op.name} (layer '{layer_of(op)}') needs {need.end - need.offset} bytes of TCDM for "
            f"one row of {kernel.columns} columns in two slots; {room} are there: "
            + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in need.buffers())
        )

    # endregion


def _shift_of(op: Operation) -> tf.AddOp | None:
    """The addition of a vector to a product with a vector, if it is the product's only use: both
    are one pass over the rows."""
    if not isinstance(op, tf.MulOp) or len(tf.shape_of(op.rhs)) != 1:
        return None
    uses = tuple(op.result.uses)
    following = uses[0].operation if len(uses) == 1 else None
    if not isinstance(following, tf.AddOp) or following.lhs is not op.result:
        return None
    return following if len(tf.shape_of(following.rhs)) == 1 else None
