"""`convert-transformer-to-linalg`: what no pattern took becomes a loop nest on the cores.

Runs behind fusion: operations of the graph form that remain, and broadcasts that are not rows
repeated in order, are written as `linalg.generic`, one rounding to bf16 each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import isfinite, prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, bf16, f32
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.compilation_context import weights_of
from softex_mlir.compiler.generic_builder import (
    PARALLEL,
    REDUCTION,
    Scalars,
    dimension_map,
    elementwise,
    generic,
    reduction,
)
from softex_mlir.compiler.row_operations.binary import BINARY
from softex_mlir.compiler.row_operations.unary import UNARY
from softex_mlir.compiler.transforms.transformer.split_token_sums import PART, sums_over_tokens
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.compiler.work import MOST_ON_CORES
from softex_mlir.dialects import transformer as t

MOST_POOLED = 4
"""Rows, or columns, of a product that pools tokens: it costs the cores as much as a few operations
on every element of what it pools, and RedMulE most of its rows."""

PIECE = 256
"""The most inner values of a product of two activations that RedMulE sums alone, by the parts of
`split-token-sums`, which are few enough for bf16; longer ones are pieces that the cores add in f32.
Sums of 4,096 positive random products are off by up to 1 % so; in one chain of 64 parts by 3 %."""

MOST_SUMMED = 8
"""Operands of a loop nest that adds."""


def _filled(op: t.MaskFillOp) -> list[Operation]:
    fill = op.fill.value.data
    # Finite values beyond what bf16 holds stay finite.
    number = max(fill, t.MASKED) if isfinite(fill) else fill

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.select(e.compare("olt", v[1], 0.0), e.number(number), v[0])

    return elementwise([op.x, op.mask], bf16, body, layer=op.layer)


def repeats_rows(lhs: tuple[int, ...], rhs: tuple[int, ...]) -> bool:
    """Whether row r of lhs meets row r modulo the rows of rhs: what a row-wise kernel does."""
    core = rhs
    while len(core) > 1 and core[0] == 1:
        core = core[1:]
    if len(lhs) == len(rhs) == 2 and lhs[1] == rhs[1] and lhs[0] % rhs[0] == 0:
        return True
    return bool(core) and core == lhs[len(lhs) - len(core) :]


def _is_row_operation(op: t.BinaryOp) -> bool:
    """Whether the row-wise kernels compute an operation."""
    if BINARY[_name(op)].kernel is None:
        return False
    lhs, rhs = t.shape_of(op.lhs), t.shape_of(op.rhs)
    return lhs == t.shape_of(op.result) and 0 < len(lhs) <= 3 and repeats_rows(lhs, rhs)


def _has_no_kernel(op: t.UnaryOp) -> bool:
    return not isinstance(op, t.SoftmaxOp) and UNARY[_name(op)].kernel is None


def _name(op: t.UnaryOp | t.BinaryOp) -> str:
    return op.name.removeprefix("transformer.")


def _reduce_mean(op: t.ReduceMeanOp) -> list[Operation]:
    """The sum in f32 in the order of memory, then the product with 1 / count."""
    axes = [int(a) for a in op.axes.get_values()]
    count = prod(t.shape_of(op.x)[a] for a in axes)
    total = reduction(
        op.x,
        axes,
        f32,
        0.0,
        lambda e, x: e.add(x[1], x[0]),
        keep=op.keep is not None,
        layer=op.layer,
    )
    scaled = elementwise(
        [total[-1].results[0]], bf16, lambda e, x: e.times(x[0], 1.0 / count), layer=op.layer
    )
    return [*total, *scaled]


def _is_small_sum(op: t.MatmulOp | t.LinearOp, weights: WeightStore) -> bool:
    """Whether float32 on the cores is worth its time: a pooling's product, or few sums."""
    a, b = op.operands[:2]
    macs = prod(t.shape_of(a)) * t.shape_of(b)[-1]
    small = min(t.shape_of(op.result)[-2:]) <= MOST_POOLED or macs <= MOST_ON_CORES
    takes_two = isinstance(op, t.LinearOp) or op.is_fused
    return takes_two and small and sums_over_tokens(op, weights)


def _product(op: t.MatmulOp | t.LinearOp) -> list[Operation]:
    """Sums in f32 in the order of memory; what ends a linear layer follows before the rounding."""
    a, b = op.operands[:2]
    shape = t.shape_of(op.result)
    rank = len(shape)
    outer = [AffineExpr.dimension(d) for d in range(rank)]
    lead, inner = outer[:-2], AffineExpr.dimension(rank)
    maps = [[*lead, outer[-2], inner], [*lead, inner, outer[-1]], outer]
    left, right, out = (dimension_map(rank + 1, found) for found in maps)
    total = generic(
        [a, b],
        [left, right],
        [(shape, f32, out)],
        [PARALLEL] * rank + [REDUCTION],
        lambda e, x: e.add(x[2], e.mul(x[0], x[1])),
        initial=[0.0],
        layer=op.layer,
    )
    ends = list(op.operands[2:])

    def end(e: F32, x: Scalars) -> SSAValue:
        found, *rest = x
        if isinstance(op, t.LinearOp):
            if op.bias is not None:
                found = e.add(found, rest.pop(0))
            if op.activation.data != "none":
                found = UNARY[op.activation.data].body(e, found)
        return e.add(found, rest.pop(0)) if rest else found

    rounded = elementwise([total[-1].results[0], *ends], bf16, end, layer=op.layer)
    return [*total, *rounded]


def _in_pieces(op: t.MatmulOp) -> list[Operation]:
    """A product as the sum in f32 of products over up to `PIECE` inner values each.

    Sums in f32 go over up to `MOST_SUMMED` of them at a time: a loop nest reads few operands.
    """
    made: list[Operation] = []
    inner = t.shape_of(op.a)[-1]
    longest = round_up(-(-inner // -(-inner // PIECE)), PART)
    for start in range(0, inner, longest):
        size = min(longest, inner - start)
        made += [*_piece(op.a, -1, start, size), *_piece(op.b, -2, start, size)]
        made.append(t.MatmulOp(made[-2], made[-1], layer=op.layer))
    left = [one.results[0] for one in made if isinstance(one, t.MatmulOp)]
    while len(left) > 1:
        last = len(left) <= MOST_SUMMED
        sums: list[SSAValue] = []
        for first in range(0, len(left), MOST_SUMMED):
            terms, element = left[first : first + MOST_SUMMED], bf16 if last else f32
            made += elementwise(terms, element, lambda e, x: reduce(e.add, x), layer=op.layer)
            sums.append(made[-1].results[0])
        left = sums
    return made


def _piece(x: SSAValue, axis: int, start: int, size: int) -> list[Operation]:
    offsets, sizes = [0] * len(t.shape_of(x)), list(t.shape_of(x))
    offsets[axis], sizes[axis] = start, size
    return [t.SliceOp(x, offsets, sizes)]


def _converted(op: Operation, weights: WeightStore) -> list[Operation] | None:
    """Operations that compute the same; None to keep an operation."""
    match op:
        case t.MatmulOp() | t.LinearOp() if _is_small_sum(op, weights):
            return _product(op)
        case t.MatmulOp() if op.inner > PIECE:
            return _in_pieces(op)
        case t.ReduceMeanOp():
            return _reduce_mean(op)
        case t.BinaryOp() if not _is_row_operation(op):
            pair = BINARY[_name(op)].body
            return elementwise([op.lhs, op.rhs], bf16, lambda e, x: pair(e, *x), layer=op.layer)
        case t.UnaryOp() if _has_no_kernel(op):
            single = UNARY[_name(op)].body
            return elementwise([op.x], bf16, lambda e, x: single(e, x[0]), layer=op.layer)
        case t.MaskFillOp():
            return _filled(op)
        case t.ExpandOp():
            shape = t.shape_of(op.result)
            return elementwise([op.x], bf16, lambda e, x: x[0], shape=shape, layer=op.layer)
        case _:
            return None


@dataclass(frozen=True)
class ConvertTransformerToLinalgPass(ModulePass):
    """Loop nests for what has no kernel of its own."""

    name = "convert-transformer-to-linalg"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        weights = weights_of(ctx)
        for inner in list(op.walk()):
            made = _converted(inner, weights)
            if made is None:
                continue
            Rewriter.insert_op(made, InsertPoint.before(inner))
            inner.results[0].replace_all_uses_with(made[-1].results[0])
            Rewriter.erase_op(inner)
