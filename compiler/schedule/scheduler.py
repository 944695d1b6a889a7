"""From the fused `transformer` form to tasks: the walk over the operations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation

from softex_mlir.abi import Port
from softex_mlir.compiler.loop_nest import is_start_value
from softex_mlir.compiler.schedule.context import (
    BINARY,
    UNARY,
    UnsupportedError,
    layer_of,
)
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of
from softex_mlir.compiler.schedule.l2_objects import WeightValue
from softex_mlir.compiler.schedule.operations.products import Products
from softex_mlir.compiler.schedule.views import row_major
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.cluster import GlobalKind


class Scheduler(Products):
    """Turns operations into tasks."""

    def run(self, main: FuncOp) -> None:
        """Schedule all operations of `@main`."""
        self.plan(main)
        block = main.body.block
        self._check(block.ops)
        self.memory.name_weights(
            op.weight.root_reference.data for op in block.ops if isinstance(op, tf.GetWeightOp)
        )
        for index, argument in enumerate(block.args):
            name = _port_name(main, index, True) or f"input_{index}"
            dtype = dtype_of(argument)
            shape = tf.shape_of(argument)
            region = self.memory.add_input(name, shape, dtype)
            self.values[argument] = row_major(region, shape)
            limit = tf.id_limit(argument)
            entry = Port(name, shape, dtype, region.pitch, limit, region.symbol)
            self.inputs.append(entry)
        for op in block.ops:
            if isinstance(op, ReturnOp):
                self._return(main, op)
            else:
                self._operation(op)

    def _check(self, ops: Iterable[Operation]) -> None:
        known = (
            tf.GetWeightOp,
            tf.LinearOp,
            tf.AttentionOp,
            tf.LayerNormOp,
            tf.RMSNormOp,
            tf.MatmulOp,
            tf.EmbeddingOp,
            tf.MaskToBiasOp,
            tf.PositionIdsOp,
            tf.PatchifyOp,
            tf.SliceOp,
            tf.ConcatOp,
            tf.ReshapeOp,
            tf.TransposeOp,
            linalg_ops.GenericOp,
            ReturnOp,
        )
        bad = [
            f"{op.name} (layer '{layer_of(op)}')"
            for op in ops
            if not isinstance(op, known)
            and not is_start_value(op)
            and op.name not in UNARY
            and op.name not in BINARY
        ]
        if bad:
            raise UnsupportedError(
                "these operations cannot be scheduled: " + ", ".join(bad) + "; run the fusion "
                "passes first, or rewrite the model without them"
            )

    def _operation(self, op: Operation) -> None:
        if isinstance(op, tf.GetWeightOp):
            name = op.weight.root_reference.data
            self.values[op.result] = WeightValue(name, tf.shape_of(op.result), dtype_of(op.result))
        elif isinstance(op, tf.LinearOp):
            self._linear(op)
        elif isinstance(op, tf.MatmulOp):
            self._matmul(op)
        elif isinstance(op, tf.AttentionOp):
            self._attention(op)
        elif isinstance(op, tf.EmbeddingOp):
            self._embedding(op)
        elif isinstance(op, tf.ReshapeOp):
            x = self.view(op.x)
            shape = tf.shape_of(op.result)
            self.values[op.result] = x.reshaped(shape) or self._copy_reshaped(op, x, shape)
        elif isinstance(op, tf.SliceOp):
            self.values[op.result] = self.view(op.x).sliced(
                [int(v) for v in op.offsets.get_values()],
                [int(v) for v in op.sizes.get_values()],
                op.steps,
            )
        elif isinstance(op, tf.TransposeOp):
            order = [int(v) for v in op.permutation.get_values()]
            self.values[op.result] = self.view(op.x).permuted(order)
        elif isinstance(op, tf.ConcatOp):
            self._concat(op)
        elif isinstance(op, tf.PatchifyOp):
            self._patchify(op)
        elif isinstance(op, linalg_ops.GenericOp):
            self._generic(op)
        elif not is_start_value(op):
            self._rowwise(op)

    def _return(self, main: FuncOp, op: ReturnOp) -> None:
        for index, value in enumerate(op.arguments):
            name = _port_name(main, index, False) or f"output_{index}"
            view = self.view(value)
            shape = tf.shape_of(value)
            whole = replace(view, zero_padded=True) == row_major(view.region, shape)
            # not an input, a weight, or an output already
            own = view.region.kind in (GlobalKind.ACTIVATION, GlobalKind.TEMPORARY)
            if not (own and whole):
                view = self._copy(op, view, shape)
            region = view.region
            self.memory.make_output(region, name)
            self.outputs.append(Port(name, shape, view.dtype, region.pitch, symbol=region.symbol))

    # endregion


def _port_name(main: FuncOp, index: int, is_input: bool) -> str | None:
    attributes = main.arg_attrs if is_input else main.res_attrs
    if attributes is None:
        return None
    name = attributes.data[index].data.get("transformer.name")
    return getattr(name, "data", None)
