"""`lift-masks`: masks in front of a softmax, relative to the largest number of their row.

Softmax sees differences within a row only. In BF16, scores that -1e4 was added to have steps of 64:
where all keys of a query are masked, nothing would be left of them. `fuse-attention` writes its own
biases that way; this pass does it for what it left alone, such as masks that differ between heads,
and numbers that are added to all keys of a query. Several masks of the same scores are added to
each other first: a query may see no key by all of them that it sees by each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, bf16, f32
from xdsl.ir import Operation, SSAValue, Use
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars, elementwise, reduction
from softex_mlir.compiler.transforms.transformer.attention_bias import (
    ABSORBER,
    ABSORBING,
    BiasTerm,
    larger,
    relative,
    relative_element,
)
from softex_mlir.compiler.transforms.transformer.fuse_attention import find_scores, keeps_rows
from softex_mlir.compiler.transforms.transformer.l1_values import Constants, scale_of
from softex_mlir.dialects import transformer as t

PRODUCTS = (t.MatmulOp, t.LinearOp)


@dataclass(frozen=True)
class LiftMasksPass(ModulePass):
    """Biases of scores -> the same softmax, numbers that BF16 adds without loss."""

    name = "lift-masks"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        constants = Constants.of(ctx, op)
        lifted: set[SSAValue] = set()
        joined: dict[tuple[object, ...], SSAValue] = {}
        for softmax in [found for found in op.walk() if isinstance(found, t.SoftmaxOp)]:
            if _join(softmax, constants, joined):
                continue
            for bias in _biases(softmax.x):
                if bias not in lifted:
                    lifted.add(_lift(bias, t.shape_of(softmax.x)[-1], constants))


def _join(
    softmax: t.SoftmaxOp, constants: Constants, joined: dict[tuple[object, ...], SSAValue]
) -> bool:
    """Add all masks of some scores to each other in f32, then relative to the largest of a row, in
    place: which keys a query sees is what all of them say together. Whether it was done.

    Args:
        joined: sums by their terms; layers with the same masks share one.
    """
    chain = softmax.x
    while isinstance(reshape := chain.owner, t.ReshapeOp) and keeps_rows(reshape):
        chain = reshape.x
    scores = find_scores(chain)
    terms = [] if scores is None else scores.biases
    added = [term for term in terms if term.fill is None]
    varies = any(constants.data(term.value) is None for term in added)
    shape = t.shape_of(chain)
    if len(terms) < 2 or not varies or not all(_joins(term, shape) for term in terms):
        return False
    key = tuple((term.value, term.fill) for term in terms)
    made: list[Operation] = []
    if key not in joined:
        operands = [_finite(term.value, constants, made) for term in terms]
        fills = [term.fill for term in terms]

        def total(e: F32, v: Scalars) -> SSAValue:
            found = e.number(0.0)
            for value, fill in reversed(list(zip(v, fills, strict=True))):
                found = _after_term(e, found, value, fill)
            return found

        made += elementwise(operands, f32, total, layer=softmax.layer)
        sums = made[-1].results[0]
        if t.shape_of(sums)[-1:] != shape[-1:]:
            return False
        made += reduction(sums, [len(t.shape_of(sums)) - 1], f32, -np.inf, larger)
        pair = [sums, made[-1].results[0]]
        made += elementwise(pair, bf16, lambda e, v: relative_element(e, v, -np.inf))
        joined[key] = made[-1].results[0]
    for term in terms:
        owner = chain.owner
        if isinstance(owner, t.MaskFillOp):
            chain = owner.x
        else:
            assert isinstance(owner, t.AddOp)
            chain = owner.rhs if owner.lhs == term.value else owner.lhs
    for term in terms:
        if term.fill is not None and term.fill > ABSORBING:
            # the sum does not absorb the score that the mask replaces
            made.append(t.MaskFillOp(chain, term.value, 0.0))
            chain = made[-1].results[0]
    made.append(t.AddOp(chain, joined[key], layer=softmax.layer))
    if t.shape_of(softmax.x) != t.shape_of(chain):
        made.append(t.ReshapeOp(made[-1], t.shape_of(softmax.x)))
    Rewriter.insert_op(made, InsertPoint.before(softmax))
    softmax.operands[0] = made[-1].results[0]
    return True


def _joins(term: BiasTerm, shape: tuple[int, ...]) -> bool:
    """Whether a term is a mask of scores of a shape, nothing scaled behind it."""
    return term.factor == 1 and term.shape == shape and _is_mask(term.value)


def _finite(value: SSAValue, constants: Constants, made: list[Operation]) -> SSAValue:
    """A constant as BF16 holds it: what is finite stays so."""
    data = constants.data(value)
    if data is None:
        return value
    made.append(constants.make("mask", np.where(np.isfinite(data), data.clip(t.MASKED), data)))
    return made[-1].results[0]


def _after_term(e: F32, total: SSAValue, value: SSAValue, fill: float | None) -> SSAValue:
    """What a mask makes of the sum of those before it."""
    if fill is None:
        return e.add(total, value)
    number = max(fill, t.MASKED) if np.isfinite(fill) else fill
    return e.select(e.compare("olt", value, 0.0), e.number(number), total)


def _biases(value: SSAValue) -> list[SSAValue]:
    """What is added to scores; to what is no product, the numbers that whole rows have alike."""
    scores = find_scores(value)
    if scores is not None:
        if any(b.fill is not None and b.fill > ABSORBING for b in scores.biases):
            return []  # where all keys are masked, by one or the other, numbers as low are as good
        return [b.value for b in scores.biases if b.fill is None and b.factor > 0]
    owner = value.owner
    if not isinstance(owner, t.AddOp):
        return []
    for x, bias in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
        if x.type == value.type and _is_of_rows(bias):
            return [bias, *_biases(x)]
    return []


def _is_of_rows(bias: SSAValue) -> bool:
    return t.shape_of(bias)[-1:] in ((1,), ())


def _lift(bias: SSAValue, keys: int, constants: Constants) -> SSAValue:
    """Replace a bias in the scores it is added to; what replaced it."""
    sums = [use for use in bias.uses if _is_sum_of_scores(use)]
    data = constants.data(bias)
    made: list[Operation] = []
    # what is added to all keys of a row is its own largest
    if not sums or (t.shape_of(bias)[-1:] != (keys,) and not _is_of_rows(bias)):
        return bias
    if data is not None:
        shifted = relative(np.atleast_1d(data)).reshape(data.shape)
        if np.array_equal(shifted, data):
            return bias
        made.append(constants.make("relative_bias", shifted))
    elif t.shape_of(bias) and _is_mask(bias):
        made += reduction(bias, [len(t.shape_of(bias)) - 1], f32, -np.inf, larger)
        operands = [bias, made[-1].results[0]]
        made += elementwise(operands, bf16, lambda e, v: relative_element(e, v, -np.inf))
    else:
        return bias
    owner = bias.owner
    where = (
        InsertPoint.after(owner) if isinstance(owner, Operation) else InsertPoint.at_start(owner)
    )
    Rewriter.insert_op(made, where)
    for use in sums:
        use.operation.operands[use.index] = made[-1].results[0]
    return made[-1].results[0]


def _is_sum_of_scores(use: Use) -> bool:
    """Whether an operand is added to scores that only a softmax reads."""
    sum_ = use.operation
    return (
        isinstance(sum_, t.AddOp)
        and (
            _is_of_rows(sum_.operands[use.index])
            or find_scores(sum_.operands[1 - use.index]) is not None
        )
        and _only_softmax_reads(sum_.result)
    )


def _only_softmax_reads(value: SSAValue) -> bool:
    """Whether differences within a row are all that anybody sees of a value."""
    for use in value.uses:
        reader = use.operation
        if isinstance(reader, t.SoftmaxOp):
            continue
        passes = isinstance(reader, t.AddOp) or scale_of(reader) is not None
        passes |= isinstance(reader, t.ReshapeOp) and keeps_rows(reader)
        passes |= isinstance(reader, t.MaskFillOp) and reader.fill.value.data <= ABSORBER
        if not passes or not _only_softmax_reads(reader.results[0]):
            return False
    return True


def _is_mask(value: SSAValue) -> bool:
    """Whether a bias is computed from inputs and constants without a product: no other scores."""
    pending, seen = [value], set[SSAValue]()
    while pending:
        found = pending.pop()
        owner = found.owner
        if found in seen or not isinstance(owner, Operation):
            continue
        if isinstance(owner, PRODUCTS):
            return False
        seen.add(found)
        pending += owner.operands
    return True
