"""What the scheduler reads in the fused form: kinds of operations, and layers."""

from __future__ import annotations

from math import lcm

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.row_operations import binary, unary
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.dialects import transformer as tf
from softex_mlir.errors import UserError

UNARY: tuple[type[Operation], ...] = (
    *(record.op for record in unary.UNARY.values() if record.kernel is not None),
    tf.SoftmaxOp,
)
BINARY: tuple[type[Operation], ...] = tuple(
    record.op for record in binary.BINARY.values() if record.kernel is not None
)
WIDEST_HEADS = 512
"""Columns of whole heads that a tile may have to hold."""
NORMS = (tf.LayerNormOp, tf.RMSNormOp)


def shift_behind(op: Operation) -> tf.AddOp | None:
    """The addition of a vector to a product with a vector, if it is the product's only use: both
    are one pass over the rows."""
    if not isinstance(op, tf.MulOp) or len(tf.shape_of(op.rhs)) != 1:
        return None
    following = _only_user(op)
    if not isinstance(following, tf.AddOp) or following.lhs is not op.result:
        return None
    return following if len(tf.shape_of(following.rhs)) == 1 else None


def affine_behind(op: Operation) -> tf.MulOp | None:
    """The product with a vector, to which another is added, behind a linear layer's residual, if
    it is the layer's only use and both are parameters: the epilogue does them (NoNorm)."""
    if not isinstance(op, tf.LinearOp) or op.residual is None:
        return None
    scale = _only_user(op)
    if not isinstance(scale, tf.MulOp) or scale.lhs is not op.result:
        return None
    shift = shift_behind(scale)
    if shift is None:
        return None
    parameters = (scale.rhs.owner, shift.rhs.owner)
    return scale if all(isinstance(one, tf.GetWeightOp) for one in parameters) else None


def layer_with_affine(op: tf.AddOp) -> tf.LinearOp | None:
    """The linear layer whose epilogue ends with an addition, and the product before that."""
    scale = op.lhs.owner
    if not isinstance(scale, tf.MulOp) or not isinstance(scale.lhs.owner, tf.LinearOp):
        return None
    linear = scale.lhs.owner
    return linear if affine_behind(linear) is scale and shift_behind(scale) is op else None


def layer_with_factor(op: tf.MulOp) -> tf.LinearOp | None:
    """The linear layer whose epilogue ends with the product with another activation (the gate of
    a SwiGLU); of two layers the one without an activation."""
    if op.lhs.type != op.rhs.type or op.lhs is op.rhs:
        return None
    layers = [
        layer
        for layer in (op.rhs.owner, op.lhs.owner)
        if isinstance(layer, tf.LinearOp) and layer.residual is None and layer.wide is None
        if _only_user(layer) is op
    ]
    plain = [layer for layer in layers if layer.activation.data == "none"]
    return next(iter(plain or layers), None)


def factor_of(op: tf.LinearOp) -> SSAValue | None:
    """What a linear layer's result is multiplied by in its epilogue."""
    product = _only_user(op)
    if not isinstance(product, tf.MulOp) or layer_with_factor(product) is not op:
        return None
    return product.lhs if product.rhs is op.result else product.rhs


def rotary_behind(op: Operation) -> tf.RotaryOp | None:
    """The rotary positions of a linear layer's result, if they are its only use and it has no other
    epilogue: they are done in it, where tiles of whole heads are possible."""
    if not isinstance(op, tf.LinearOp) or op.wide is not None:
        return None
    if op.residual is not None or op.activation.data != "none":
        return None
    rotary = _only_user(op)
    if not isinstance(rotary, tf.RotaryOp) or rotary.x is not op.result:
        return None
    whole = lcm(rotary.head_size, ALIGNMENT) <= WIDEST_HEADS
    return rotary if whole and tf.shape_of(op.result)[1] % ALIGNMENT == 0 else None


def layer_with_rotary(op: tf.RotaryOp) -> tf.LinearOp | None:
    """The linear layer whose epilogue turns the heads of its result."""
    linear = op.x.owner
    if not isinstance(linear, tf.LinearOp) or rotary_behind(linear) is not op:
        return None
    return linear


def layer_ending_with(op: Operation) -> tf.LinearOp | None:
    """The linear layer whose epilogue ends with an operation on rows."""
    match op:
        case tf.AddOp():
            return layer_with_affine(op)
        case tf.MulOp():
            return layer_with_factor(op)
        case tf.RotaryOp():
            return layer_with_rotary(op)
        case _:
            return None


def is_in_epilogue(op: Operation) -> bool:
    """Whether a linear layer's epilogue computes an operation on rows."""
    if layer_ending_with(op) is not None:
        return True
    shift = shift_behind(op)
    return shift is not None and is_in_epilogue(shift)


def _only_user(op: Operation) -> Operation | None:
    uses = tuple(op.results[0].uses)
    return uses[0].operation if len(uses) == 1 else None


class UnsupportedError(UserError, ValueError):
    """Operations that have no implementation on the cluster."""


def layer_of(op: Operation) -> str:
    """The model's layer an operation is part of; empty if unknown."""
    layer = getattr(op, "layer", None) or op.attributes.get("layer")
    return layer.data if isinstance(layer, StringAttr) else ""
