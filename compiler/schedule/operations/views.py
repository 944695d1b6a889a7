"""Weights, and operations that are views wherever that is possible."""

from __future__ import annotations

from softex_mlir.compiler.schedule.kernels.kernel import dtype_of
from softex_mlir.compiler.schedule.l2_objects import WeightValue
from softex_mlir.compiler.schedule.operations.copies import copy_reshaped
from softex_mlir.compiler.schedule.scheduling import Scheduling, schedules
from softex_mlir.dialects import transformer as tf


@schedules(tf.GetWeightOp)
def schedule_weight(op: tf.GetWeightOp, s: Scheduling) -> None:
    """Nothing yet: the layout depends on who reads the weight."""
    name = op.weight.root_reference.data
    s.values[op.result] = WeightValue(name, tf.shape_of(op.result), dtype_of(op.result))


@schedules(tf.ReshapeOp)
def schedule_reshape(op: tf.ReshapeOp, s: Scheduling) -> None:
    """A view, or a copy where rows change their length."""
    x, shape = s.view(op.x), tf.shape_of(op.result)
    s.values[op.result] = x.reshaped(shape) or copy_reshaped(s, op, x, shape)


@schedules(tf.SliceOp)
def schedule_slice(op: tf.SliceOp, s: Scheduling) -> None:
    """A view."""
    offsets, sizes = op.offsets.get_values(), op.sizes.get_values()
    s.values[op.result] = s.view(op.x).sliced(
        [int(v) for v in offsets], [int(v) for v in sizes], op.steps
    )


@schedules(tf.TransposeOp)
def schedule_transpose(op: tf.TransposeOp, s: Scheduling) -> None:
    """A view."""
    order = [int(v) for v in op.permutation.get_values()]
    s.values[op.result] = s.view(op.x).permuted(order)
