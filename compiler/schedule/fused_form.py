"""What the scheduler reads in the fused form: kinds of operations, and layers."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation

from softex_mlir.compiler.row_operations import binary, unary
from softex_mlir.dialects import transformer as tf
from softex_mlir.errors import UserError

UNARY: tuple[type[Operation], ...] = (
    *(record.op for record in unary.UNARY.values() if record.kernel is not None),
    tf.SoftmaxOp,
)
BINARY: tuple[type[Operation], ...] = tuple(
    record.op for record in binary.BINARY.values() if record.kernel is not None
)
NORMS = (tf.LayerNormOp, tf.RMSNormOp)


class UnsupportedError(UserError, ValueError):
    """Operations that have no implementation on the cluster."""


def layer_of(op: Operation) -> str:
    """The model's layer an operation is part of; empty if unknown."""
    layer = getattr(op, "layer", None) or op.attributes.get("layer")
    return layer.data if isinstance(layer, StringAttr) else ""
