"""The operations of level L1 in ordinary floating point, for comparison and constant folding.

Two kinds: `float32` rounds nothing beyond numpy's float32, `bf16` does what a framework does when
it runs a model in BF16: accumulate in float32, round the result of every operation to bf16.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from softex_mlir.compiler.row_operations.binary import BINARY
from softex_mlir.compiler.row_operations.unary import UNARY

Array = npt.NDArray[Any]


def _softmax(x: Array) -> Array:
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


class FloatArithmetic:
    """Arithmetic in float32, with the result of every operation rounded to bf16 if `rounded`."""

    def __init__(self, *, rounded: bool):
        self.rounded = rounded

    def _out(self, x: Array) -> Array:
        result = np.asarray(x, np.float32)
        if not self.rounded:
            return result
        with np.errstate(invalid="ignore"):
            return result.astype(ml_dtypes.bfloat16).astype(np.float32)

    def value(self, x: Array) -> Array:
        """A parameter or input as this arithmetic holds it."""
        return self._out(x) if x.dtype.kind not in "iub" else x

    def unary(self, name: str, x: Array) -> Array:
        """An elementwise function or softmax."""
        function = _softmax if name == "softmax" else UNARY[name].real
        with np.errstate(over="ignore"):
            return self._out(function(x))

    def binary(self, name: str, a: Array, b: Array) -> Array:
        """An elementwise operation; operands of equal shape."""
        return self._out(BINARY[name].real(a, b))

    def gemm(self, x: Array, w: Array, y: Array | None) -> Array:
        """x @ w + y, with the sum rounded once."""
        product = x @ w
        return self._out(product if y is None else product + y)

    def linear_in_f32(
        self,
        x: Array,
        w: Array,
        bias: Array | None,
        chunk: int,
        function: str,
        residual: Array | None,
    ) -> Array:
        """A linear layer; the chunks of its sums make no difference."""
        del chunk
        y = self.gemm(x, w, bias)
        if function != "none":
            y = self.unary(function, y)
        return y if residual is None else self.binary("add", y, residual)

    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        bias: Array,
        chunk: int | None = None,
        summed: int | None = None,
    ) -> Array:
        """One head: softmax(q @ k^T + bias) @ v, bias [1 or queries, at least keys columns]; the
        chunks of keys and of sums make no difference."""
        scores = self._out(self._out(q @ k.T) + bias[:, : len(k)])
        return self._out(self.unary("softmax", scores) @ v)

    def in_software(self) -> FloatArithmetic:
        """Whoever computes a function, it is the same here."""
        return self

    def widened(self) -> FloatArithmetic:
        """The arithmetic of products whose sums are in f32: the same."""
        return self

    def layer_norm(self, x: Array, gamma: Array, beta: Array, eps: float) -> Array:
        """Layer norm of the rows."""
        mean = x.mean(axis=-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        return self._out((x - mean) / np.sqrt(variance + np.float32(eps)) * gamma + beta)

    def rms_norm(self, x: Array, gamma: Array, eps: float) -> Array:
        """Root-mean-square norm of the rows."""
        square = (x * x).mean(axis=-1, keepdims=True)
        return self._out(x / np.sqrt(square + np.float32(eps)) * gamma)
