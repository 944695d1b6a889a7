"""`arith` and `math` on arrays, as the evaluator of modules computes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.importers.mlir.constants import dtype_of, element_of, integer
from softex_mlir.compiler.importers.mlir.graph import Unreadable
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of

Array = npt.NDArray[Any]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _reciprocal_root(x: Array) -> Array:
    return np.reciprocal(np.sqrt(x))


def _error_function(x: Array) -> Array:
    return _erf(x).astype(x.dtype)


def _multiply_add(a: Array, b: Array, c: Array) -> Array:
    return a * b + c


def _quotient(a: Array, b: Array) -> Array:
    return np.trunc(a / b).astype(a.dtype)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "rem": np.fmod,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "maxnum": np.fmax,
    "minnum": np.fmin,
    "max": np.maximum,
    "min": np.minimum,
    "abs": np.abs,
    "absi": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "roundeven": np.rint,
    "trunc": np.trunc,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": _reciprocal_root,
    "erf": _error_function,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "pow": np.power,
    "fpowi": np.power,
    "ipowi": np.power,
    "fma": _multiply_add,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "divs": _quotient,
    "floordivs": np.floor_divide,
    "rems": np.fmod,
    "maxs": np.maximum,
    "mins": np.minimum,
    "select": np.where,
    "square": np.square,
    "reciprocal": np.reciprocal,
}
"""By the name without dialect and without the letter of the type."""
COMPARISONS: tuple[Callable[..., Any], ...] = (
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
)
ORDERED: dict[int, Callable[..., Any]] = {
    1: np.equal,
    2: np.greater,
    3: np.greater_equal,
    4: np.less,
    5: np.less_equal,
}
"""Comparisons of floats by predicate; those that NaN makes true are the opposites, from 8 on."""
OPPOSITES = {9: 5, 10: 4, 11: 3, 12: 2, 13: 1}
CONVERSIONS = ("ext", "trunc", "sitofp", "uitofp", "fptosi", "index_cast")


def widened(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that numbers of a type are computed in."""
    return np.dtype(np.float32) if dtype.itemsize == 2 and dtype.kind in "fV" else dtype


def widened_type(value: SSAValue) -> np.dtype[Any]:
    """The type that the elements of a value are computed in."""
    return widened(dtype_of(element_of(value.type)))


def scalar(op: Operation, operands: Sequence[Array]) -> Array:
    """`arith` and `math`, elementwise."""
    kind = name_of(op).partition(".")[2]
    if kind in ("cmpi", "cmpf"):
        return _compared(kind, integer(attribute_of(op, "predicate")), *operands)
    if any(kind.startswith(word) for word in CONVERSIONS) and kind != "trunc":
        signed = kind in ("extsi", "sitofp") and operands[0].dtype == np.bool_
        return np.asarray((-1 if signed else 1) * operands[0]).astype(widened_type(op.results[0]))
    for spelled in (kind, kind[:-1]):
        if spelled in FUNCTIONS:
            return FUNCTIONS[spelled](*operands)
    raise Unreadable(f"no evaluator for {name_of(op)}")


def _compared(kind: str, predicate: int, a: Array, b: Array) -> Array:
    if kind == "cmpi":
        if predicate >= len(COMPARISONS):
            raise Unreadable("no evaluator for unsigned comparisons")
        return COMPARISONS[predicate](a, b)
    if predicate in ORDERED:
        return ORDERED[predicate](a, b)
    if predicate in OPPOSITES:
        return ~np.asarray(ORDERED[OPPOSITES[predicate]](a, b))
    nan = np.isnan(a) | np.isnan(b)
    found = {6: (a != b) & ~nan, 7: ~nan, 8: (a == b) | nan, 14: nan}
    if predicate not in found:
        raise Unreadable("no evaluator for a comparison that is always true or false")
    return found[predicate]
