"""What the scheduler reads in the fused form: kinds of operations, and layers."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation

from softex_mlir.dialects import transformer as tf
from softex_mlir.errors import UserError

UNARY: dict[type[Operation], str] = {
    tf.GeluOp: "gelu",
    tf.GeluTanhOp: "gelu_tanh",
    tf.ReluOp: "relu",
    tf.TanhOp: "tanh",
    tf.SiluOp: "silu",
    tf.SigmoidOp: "sigmoid",
    tf.ExpOp: "exp",
    tf.SoftmaxOp: "softmax",
}
BINARY: dict[type[Operation], str] = {tf.AddOp: "add", tf.SubOp: "sub", tf.MulOp: "mul"}
NORMS = (tf.LayerNormOp, tf.RMSNormOp)


class UnsupportedError(UserError, ValueError):
    """Operations that have no implementation on the cluster."""


def layer_of(op: Operation) -> str:
    """The model's layer an operation is part of; empty if unknown."""
    layer = getattr(op, "layer", None) or op.attributes.get("layer")
    return layer.data if isinstance(layer, StringAttr) else ""
