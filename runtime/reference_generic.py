"""Loop nests (`linalg.generic`) of level L1, executed iteration space at a time with numpy.

Elements of parallel loops are independent, so they are computed as arrays; reduction loops run in
order, the last one fastest, as the cores do. Every f32 operation rounds once and gives the
canonical NaN, comparisons, minima and integer division are those of RISC-V.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float32Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
)
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Attribute, Block, Operation, SSAValue

from softex_mlir.compiler.bodies.expand_math import expanded
from softex_mlir.compiler.loop_nest import Access, LoopNest, captured_constants
from softex_mlir.dialects.transformer import shape_of
from softex_mlir.isa_sim.numerics import bf16, f32

Array = npt.NDArray[Any]
BF16 = np.dtype(ml_dtypes.bfloat16)
BOOLEAN = IntegerType(1)
CHUNK = 1 << 22
"""Iterations of the parallel loops that are computed at once."""


def evaluate_generic(
    op: linalg_ops.GenericOp, operands: Sequence[Array], *, exact: bool, rounded: bool = False
) -> list[Array]:
    """Results of a loop nest on given operands (its inputs, then its start values).

    `exact`: bf16 arrays, with the bits that the cores compute. Otherwise float32 arrays and numpy's
    functions; `rounded` rounds where the body does.
    """
    nest = LoopNest.of(op)
    body = expanded(op.body.block) if exact else op.body.block
    run = _Body(body, exact, rounded)
    dtypes = [_dtype(value.type.get_element_type(), exact) for value in op.results]  # pyright: ignore
    results = [
        np.zeros(shape_of(value), dtype) for value, dtype in zip(op.results, dtypes, strict=True)
    ]
    parallel = [d for d, reduces in enumerate(nest.reduction) if not reduces]
    serial = [d for d, reduces in enumerate(nest.reduction) if reduces]
    inputs = [np.asarray(x, order="C") for x in operands[: len(nest.inputs)]]
    chunk = max(1, CHUNK // prod(nest.extents[d] for d in serial))
    for ranges in _chunks([nest.extents[d] for d in parallel], chunk):
        _evaluate_chunk(nest, run, inputs, results, parallel, serial, ranges)
    return results


def evaluate_body(block: Block, arguments: Sequence[Array]) -> Array:
    """The result of a body without loops of its own, bit for bit, for arrays of equal shape."""
    (result,) = _Body(block, exact=True, rounded=False)(arguments, (), {})
    return result


def _chunks(extents: Sequence[int], most: int) -> Iterator[list[range]]:
    """Ranges of the parallel loops, the outermost cut to about `most` iterations."""
    if not extents:
        yield []
        return
    inner = prod(extents[1:])
    step = max(1, most // max(inner, 1))
    for first in range(0, extents[0], step):
        rest = [range(n) for n in extents[1:]]
        yield [range(first, min(first + step, extents[0])), *rest]


def _evaluate_chunk(
    nest: LoopNest,
    run: _Body,
    inputs: list[Array],
    results: list[Array],
    parallel: list[int],
    serial: list[int],
    ranges: list[range],
) -> None:
    sizes = tuple(len(r) for r in ranges)
    starts = [0] * len(nest.extents)
    for d, r in zip(parallel, ranges, strict=True):
        starts[d] = r.start
    views = [
        _view(x, access, parallel, starts, sizes)
        for x, access in zip(inputs, nest.inputs, strict=True)
    ]
    outs = [
        _view(y, access, parallel, starts, sizes)
        for y, access in zip(results, nest.outputs, strict=True)
    ]
    index: dict[int, Any] = {}
    for position, (d, r) in enumerate(zip(parallel, ranges, strict=True)):
        shape = [1] * len(sizes)
        shape[position] = len(r)
        index[d] = np.arange(r.start, r.stop, dtype=np.int64).reshape(shape)
    if not serial:
        for out, value in zip(outs, run(views, [None] * len(outs), index), strict=True):
            out[...] = value
        return
    if run.chain is not None:
        outs[0][...] = _accumulated(nest, run, run.chain, inputs, parallel, serial, starts, sizes)
        return
    sums: list[Any] = [
        np.full(sizes, start, out.dtype) for start, out in zip(nest.initial, outs, strict=True)
    ]
    for step in product(*(range(nest.extents[d]) for d in serial)):
        for d, i in zip(serial, step, strict=True):
            index[d] = np.int64(i)
        taken = [
            _stepped(x, access, parallel, starts, sizes, serial, step)
            for x, access in zip(inputs, nest.inputs, strict=True)
        ]
        sums = run(taken, sums, index)
    for out, value in zip(outs, sums, strict=True):
        out[...] = value


def _accumulated(
    nest: LoopNest,
    run: _Body,
    chain: Chain,
    inputs: list[Array],
    parallel: list[int],
    serial: list[int],
    starts: list[int],
    sizes: tuple[int, ...],
) -> Array:
    """A sum or product whose terms do not depend on it: all terms at once, added in order."""
    loops = [*parallel, *serial]
    space = (*sizes, *(nest.extents[d] for d in serial))
    views = [
        _view(x, access, loops, starts, space)
        for x, access in zip(inputs, nest.inputs, strict=True)
    ]
    index: dict[int, Any] = {}
    for position, d in enumerate(loops):
        shape = [1] * len(space)
        shape[position] = space[position]
        index[d] = starts[d] + np.arange(space[position], dtype=np.int64).reshape(shape)
    terms = np.broadcast_to(_wide(run.term(chain, views, index)), space)
    start = np.full((*sizes, 1), nest.initial[0], np.float32)
    line = np.concatenate([start, terms.reshape(*sizes, -1)], axis=-1)
    with np.errstate(all="ignore"):
        # accumulate adds strictly in order, reduce would add pairwise
        return f32.canonical(chain.function.accumulate(line, axis=-1)[..., -1])


def _view(
    array: Array,
    access: Access,
    loops: Sequence[int],
    starts: Sequence[int],
    sizes: tuple[int, ...],
    fixed: int = 0,
) -> Array:
    """The operand's element of every iteration, by strides: no copy."""
    base = fixed
    strides = [0] * len(loops)
    for axis, stride in zip(access, array.strides, strict=True):
        at = axis.offset + sum(f * s for f, s in zip(axis.factors, starts, strict=True))
        base += at * stride
        for position, d in enumerate(loops):
            strides[position] += axis.factors[d] * stride
    flat = array.reshape(-1)[base // array.itemsize :]
    return np.lib.stride_tricks.as_strided(flat, sizes, strides)


def _stepped(
    array: Array,
    access: Access,
    loops: Sequence[int],
    starts: Sequence[int],
    sizes: tuple[int, ...],
    serial: Sequence[int],
    step: Sequence[int],
) -> Array:
    moved = sum(
        axis.factors[d] * i * stride
        for axis, stride in zip(access, array.strides, strict=True)
        for d, i in zip(serial, step, strict=True)
    )
    return _view(array, access, loops, starts, sizes, moved)


def _dtype(element: Attribute, exact: bool) -> np.dtype[Any]:
    if isinstance(element, BFloat16Type):
        return BF16 if exact else np.dtype(np.float32)
    if isinstance(element, Float32Type):
        return np.dtype(np.float32)
    if element == BOOLEAN:
        return np.dtype(np.bool_)
    return np.dtype(np.int32)


@dataclass(frozen=True)
class Chain:
    """A body that combines its accumulator with a term of the inputs."""

    function: np.ufunc
    term: SSAValue


def _chain(block: Block) -> Chain | None:
    """The chain that a body of one f32 accumulator is, if it is one."""
    last = block.last_op
    assert isinstance(last, linalg_ops.YieldOp)
    if len(last.operands) != 1:
        return None
    combination, accumulator = last.operands[0].owner, block.args[-1]
    functions = {"arith.addf": np.add, "arith.mulf": np.multiply}
    if not isinstance(combination, Operation) or combination.name not in functions:
        return None
    others = [value for value in combination.operands if value is not accumulator]
    if len(others) != 1 or len(tuple(accumulator.uses)) != 1:
        return None
    if not isinstance(accumulator.type, Float32Type):
        return None
    return Chain(functions[combination.name], others[0])


class _Body:
    """Executes a body on arrays."""

    def __init__(self, block: Block, exact: bool, rounded: bool):
        self.block = block
        self.exact = exact
        self.rounded = rounded
        self.constants: dict[SSAValue, Any] = {}
        self.steps: list[Operation] = []
        self.chain = _chain(block)
        for constant in captured_constants(block):
            self.constants[constant.result] = self._constant(constant)
        for op in block.ops:
            if isinstance(op, arith.ConstantOp):
                self.constants[op.result] = self._constant(op)
            else:
                self.steps.append(op)

    def _constant(self, op: arith.ConstantOp) -> Any:
        value = op.value
        if isinstance(value, FloatAttr):
            return _dtype(value.type, self.exact).type(value.value.data)
        assert isinstance(value, IntegerAttr)
        number = value.value.data
        if value.type == BOOLEAN:
            return np.bool_(number)
        if isinstance(value.type, IntegerType):
            return np.int32(((number + 2**31) % 2**32) - 2**31)
        return np.int64(number)

    def __call__(
        self, inputs: Sequence[Any], accumulators: Sequence[Any], index: dict[int, Any]
    ) -> list[Any]:
        values = self._values((*inputs, *accumulators), index)
        last = self.block.last_op
        assert last is not None
        return [values[value] for value in last.operands]

    def term(self, chain: Chain, inputs: Sequence[Any], index: dict[int, Any]) -> Any:
        """The terms of a chain."""
        return self._values(inputs, index)[chain.term]

    def _values(self, arguments: Sequence[Any], index: dict[int, Any]) -> dict[SSAValue, Any]:
        """All values that the arguments given are enough for."""
        values = dict(self.constants)
        values.update(zip(self.block.args, arguments, strict=False))
        with np.errstate(all="ignore"):
            for op in self.steps:
                if isinstance(op, linalg_ops.IndexOp):
                    values[op.result] = index[op.dim.value.data]
                elif op.results and all(operand in values for operand in op.operands):
                    values[op.results[0]] = self._step(op, [values[v] for v in op.operands])
        return values

    def _step(self, op: Operation, x: list[Any]) -> Any:
        kind = op.results[0].type
        if isinstance(op, arith.CmpfOp):
            return _PREDICATES[op.predicate.value.data](*map(_wide, x))
        if isinstance(op, arith.CmpiOp):
            return _INTEGER_PREDICATES[op.predicate.value.data](*x)
        if isinstance(op, arith.SelectOp):
            return _select(*x)
        if op.name in _CONVERSIONS:
            return self._convert(op, x[0])
        if isinstance(kind, BFloat16Type) and self.exact:
            return _exact_bf16(op.name, x)
        if isinstance(kind, BFloat16Type | Float32Type):
            found = _FLOAT.get(op.name) or _LIBRARY.get(op.name)
            if found is None:
                raise ValueError(f"{op.name} has no evaluation in a loop nest")
            result = f32.canonical(np.asarray(found(*map(_wide, x)), np.float32))
            return bf16.from_float(result).astype(np.float32) if self._rounds(kind) else result
        return _INTEGER[op.name](*x)

    def _rounds(self, kind: Attribute) -> bool:
        return self.rounded and isinstance(kind, BFloat16Type)

    def _convert(self, op: Operation, x: Any) -> Any:
        source, kind = op.operands[0].type, op.results[0].type
        match op.name:
            case "arith.extf":
                return f32.canonical(np.asarray(x, np.float32))
            case "arith.truncf":
                if self.exact:
                    return bf16.from_float(np.asarray(x, np.float32))
                return bf16.from_float(x).astype(np.float32) if self.rounded else x
            case "arith.bitcast":
                return np.asarray(x).view(np.int32 if isinstance(kind, IntegerType) else np.float32)
            case "arith.sitofp":
                return np.asarray(x).astype(np.float32)
            case "arith.uitofp":
                return (
                    np.asarray(x).astype(np.float32)
                    if source == BOOLEAN
                    else np.asarray(x).view(np.uint32).astype(np.float32)
                )
            case "arith.fptosi":
                return f32.to_int(x)
            case "arith.extui":
                return np.asarray(x).astype(np.int32)
            case "arith.extsi":
                return -np.asarray(x).astype(np.int32) if source == BOOLEAN else x
            case "arith.trunci":
                return (np.asarray(x) & 1).astype(np.bool_)
            case _:
                return np.asarray(x).astype(np.int32 if isinstance(kind, IntegerType) else np.int64)


def _select(condition: Any, yes: Any, no: Any) -> Array:
    shape = np.broadcast_shapes(np.shape(condition), np.shape(yes), np.shape(no))
    chosen = np.array(np.broadcast_to(no, shape))
    np.copyto(chosen, yes, where=condition)
    return chosen


def _wide(x: Any) -> Any:
    return np.asarray(x).astype(np.float32) if np.asarray(x).dtype == BF16 else x


def _exact_bf16(name: str, x: list[Any]) -> Any:
    match name:
        case "arith.addf":
            return bf16.add(*x)
        case "arith.subf":
            return bf16.sub(*x)
        case "arith.mulf":
            return bf16.mul(*x)
        case "math.fma":
            return bf16.fma(*x)
        case "arith.divf":
            quotient = np.asarray(x[0], np.float64) / np.asarray(x[1], np.float64)
            return bf16.from_bits(bf16.round_float64_bits(quotient))
        case _:
            return bf16.from_float(np.asarray(_FLOAT[name](*map(_wide, x)), np.float32))


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: compare(a, b) & ~(np.isnan(a) | np.isnan(b))


def _unordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: compare(a, b) | np.isnan(a) | np.isnan(b)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
}
_PREDICATES: dict[int, Callable[[Any, Any], Any]] = {
    0: lambda a, b: np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)), np.bool_),
    1: _ordered(_COMPARE["eq"]),
    2: _ordered(_COMPARE["gt"]),
    3: _ordered(_COMPARE["ge"]),
    4: _ordered(_COMPARE["lt"]),
    5: _ordered(_COMPARE["le"]),
    6: _ordered(_COMPARE["ne"]),
    7: lambda a, b: ~(np.isnan(a) | np.isnan(b)),
    8: _unordered(_COMPARE["eq"]),
    9: _unordered(_COMPARE["gt"]),
    10: _unordered(_COMPARE["ge"]),
    11: _unordered(_COMPARE["lt"]),
    12: _unordered(_COMPARE["le"]),
    13: _unordered(_COMPARE["ne"]),
    14: lambda a, b: np.isnan(a) | np.isnan(b),
    15: lambda a, b: np.ones(np.broadcast_shapes(np.shape(a), np.shape(b)), np.bool_),
}
_INTEGER_PREDICATES: dict[int, Callable[[Any, Any], Any]] = {
    0: np.equal,
    1: np.not_equal,
    2: np.less,
    3: np.less_equal,
    4: np.greater,
    5: np.greater_equal,
    6: lambda a, b: _unsigned(a) < _unsigned(b),
    7: lambda a, b: _unsigned(a) <= _unsigned(b),
    8: lambda a, b: _unsigned(a) > _unsigned(b),
    9: lambda a, b: _unsigned(a) >= _unsigned(b),
}


def _unsigned(x: Any) -> Any:
    return np.asarray(x).astype(np.int64) & 0xFFFFFFFF


def _nan_or(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: np.where(np.isnan(a) | np.isnan(b), np.float32(np.nan), function(a, b))


_FLOAT: dict[str, Callable[..., Any]] = {
    "arith.addf": np.add,
    "arith.subf": np.subtract,
    "arith.mulf": np.multiply,
    "arith.divf": np.divide,
    "arith.negf": np.negative,
    "arith.maxnumf": f32.maximum,
    "arith.minnumf": f32.minimum,
    "arith.maximumf": _nan_or(f32.maximum),
    "arith.minimumf": _nan_or(f32.minimum),
    "math.fma": f32.fma,
    "math.sqrt": np.sqrt,
    "math.absf": np.abs,
    "math.copysign": np.copysign,
}
"""Primitives: one rounding each."""


def _reciprocal_root(x: Any) -> Any:
    return 1 / np.sqrt(x)


_LIBRARY: dict[str, Callable[..., Any]] = {
    "math.exp": np.exp,
    "math.exp2": np.exp2,
    "math.expm1": np.expm1,
    "math.log": np.log,
    "math.log2": np.log2,
    "math.log10": np.log10,
    "math.log1p": np.log1p,
    "math.sin": np.sin,
    "math.cos": np.cos,
    "math.tan": np.tan,
    "math.asin": np.arcsin,
    "math.acos": np.arccos,
    "math.atan": np.arctan,
    "math.sinh": np.sinh,
    "math.cosh": np.cosh,
    "math.asinh": np.arcsinh,
    "math.acosh": np.arccosh,
    "math.atanh": np.arctanh,
    "math.tanh": np.tanh,
    "math.erf": f32.erf,
    "math.powf": np.power,
    "math.floor": np.floor,
    "math.ceil": np.ceil,
    "math.trunc": np.trunc,
    "math.roundeven": np.rint,
    "math.rsqrt": _reciprocal_root,
}
"""Functions that the cores compute by primitives, in ordinary floating point."""


def _divide(a: Any, b: Any) -> Any:
    """RISC-V `div`: towards zero, -1 by zero, no trap on overflow."""
    wide, other = np.asarray(a).astype(np.int64), np.asarray(b).astype(np.int64)
    quotient = np.abs(wide) // np.maximum(np.abs(other), 1)
    signed = np.where((wide < 0) != (other < 0), -quotient, quotient)
    return np.where(other == 0, -1, signed).astype(np.int32)


def _remainder(a: Any, b: Any) -> Any:
    """RISC-V `rem`: the dividend's sign, the dividend by zero."""
    wide, other = np.asarray(a).astype(np.int64), np.asarray(b).astype(np.int64)
    rest = np.sign(wide) * (np.abs(wide) % np.maximum(np.abs(other), 1))
    return np.where(other == 0, wide, rest).astype(np.int32)


def _wrapped(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operation modulo 2^32; of booleans, modulo 2."""

    def apply(a: Any, b: Any) -> Any:
        x, y = np.asarray(a), np.asarray(b)
        if x.dtype == np.bool_:
            return (function(x.astype(np.int32), y.astype(np.int32)) & 1).astype(np.bool_)
        result = function(x.astype(np.int64), y.astype(np.int64))
        return result.astype(x.dtype) if x.dtype == np.int64 else _int32(result)

    return apply


def _int32(x: Any) -> Any:
    return (np.asarray(x) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def _shift_left(a: Any, b: Any) -> Any:
    return _int32(np.asarray(a).astype(np.int64) << (np.asarray(b) & 31))


def _shift_right(a: Any, b: Any) -> Any:
    return np.asarray(a) >> (np.asarray(b) & 31)


def _shift_right_unsigned(a: Any, b: Any) -> Any:
    return _int32(_unsigned(a) >> (np.asarray(b).astype(np.int64) & 31))


_INTEGER: dict[str, Callable[..., Any]] = {
    "arith.addi": _wrapped(np.add),
    "arith.subi": _wrapped(np.subtract),
    "arith.muli": _wrapped(np.multiply),
    "arith.divsi": _divide,
    "arith.remsi": _remainder,
    "arith.andi": np.bitwise_and,
    "arith.ori": np.bitwise_or,
    "arith.xori": np.bitwise_xor,
    "arith.shli": _shift_left,
    "arith.shrsi": _shift_right,
    "arith.shrui": _shift_right_unsigned,
    "arith.maxsi": np.maximum,
    "arith.minsi": np.minimum,
}

_CONVERSIONS = frozenset(
    f"arith.{name}"
    for name in (
        "extf",
        "truncf",
        "bitcast",
        "sitofp",
        "uitofp",
        "fptosi",
        "extui",
        "extsi",
        "trunci",
        "index_cast",
    )
)
