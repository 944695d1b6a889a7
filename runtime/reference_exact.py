"""The operations of level L1 exactly as the units and the cores' code compute them."""

from __future__ import annotations

from functools import reduce
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from softex_mlir.compiler.row_operations.binary import BINARY
from softex_mlir.compiler.row_operations.finish import finish_body
from softex_mlir.compiler.row_operations.unary import UNARY
from softex_mlir.dialects.transformer import MASKED, padded_keys
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.numerics import rowwise
from softex_mlir.isa_sim.numerics.bf16 import saturated
from softex_mlir.runtime.reference_generic import evaluate_body

Array = npt.NDArray[Any]
BF16 = np.dtype(ml_dtypes.bfloat16)
INNER = 32
"""Inner dimensions are padded with zeros to a multiple of this."""


def pad(x: Array, axis: int, multiple: int, fill: float = 0.0) -> Array:
    """`x` with `axis` extended to a multiple of `multiple`."""
    missing = -x.shape[axis] % multiple
    if not missing:
        return x
    widths = [(0, missing if i == axis else 0) for i in range(x.ndim)]
    return np.pad(x, widths, constant_values=x.dtype.type(fill))


def before_softex(x: Array, lanes: int) -> Array:
    """Rows as SoftEx can take them: where the first beat is -inf alone and others are larger, its
    first element becomes finite."""
    with np.errstate(invalid="ignore"):
        values = x.astype(np.float32)
        unseen = ~(np.fmax.reduce(values[:, :lanes], axis=1) > -np.inf)
        seen = np.fmax.reduce(values, axis=1) > -np.inf
    x = x.copy()
    x[unseen & seen, 0] = MASKED
    return x


class ExactArithmetic:
    """Bit-exact arithmetic for one machine; bf16 in, bf16 out."""

    def __init__(self, machine: Machine | None = None):
        self.machine = machine if machine is not None else Machine.load("paper")

    def value(self, x: Array) -> Array:
        """A parameter or input as the cluster's memory holds it."""
        return x if x.dtype.kind in "iub" else saturated(x)

    def unary(self, name: str, x: Array) -> Array:
        """An elementwise function, or softmax of the rows."""
        rows = x.reshape(-1, x.shape[-1])
        return self._rows(name, rows).reshape(x.shape)

    def _rows(self, name: str, x: Array) -> Array:
        if name != "softmax":
            return UNARY[name].exact(x, self.machine)
        softex = self.machine.softex
        padded = pad(x, 1, padded_keys(x.shape[1]), -np.inf)
        if softex is not None:
            padded = before_softex(padded, softex.lanes)
        y = np.ascontiguousarray(self._softmax(padded)[:, : x.shape[1]])
        y[~(y[:, 0].astype(np.float32) >= 0)] = np.nan
        return y

    def _softmax(self, padded: Array, chunk: int | None = None) -> Array:
        softex = self.machine.softex
        if softex is None:
            return rowwise.softmax_software(padded)
        from softex_mlir.isa_sim.numerics.softmax import softmax

        return softmax(padded, lanes=softex.lanes, constants=softex.expp, chunk=chunk)

    def binary(self, name: str, a: Array, b: Array) -> Array:
        """add, sub or mul of equal shapes."""
        columns = a.shape[-1]
        kernel = BINARY[name].kernel
        if kernel is None:
            raise ValueError(f"{name} has no bit-exact definition; fusion should remove it")
        return kernel.exact(a.reshape(-1, columns), b.reshape(-1, columns)).reshape(a.shape)

    def gemm(self, x: Array, w: Array, y: Array | None) -> Array:
        """x @ w starting from the row (or matrix) y, as RedMulE or the cores accumulate it."""
        start = np.zeros((1, w.shape[1]), BF16) if y is None else y.reshape(-1, w.shape[1])
        start = np.ascontiguousarray(np.broadcast_to(start, (len(x), w.shape[1])))
        x = np.ascontiguousarray(pad(x, 1, INNER))
        w = np.ascontiguousarray(pad(w, 0, INNER))
        if self.machine.redmule is None:
            return rowwise.gemm_on_cores(x, w, start)
        from softex_mlir.isa_sim.numerics.gemm import gemm

        return gemm(x, w, start)

    def linear_in_f32(
        self,
        x: Array,
        w: Array,
        bias: Array | None,
        chunk: int,
        function: str,
        residual: Array | None,
    ) -> Array:
        """A linear layer with sums over `chunk` inner values at a time in f32, rounded once."""
        start = np.zeros((1, w.shape[1]), BF16) if bias is None else bias.reshape(1, -1)
        high, low = np.broadcast_to(start, (len(x), w.shape[1])), None
        for first in range(0, x.shape[1], chunk):
            inner = slice(first, first + chunk)
            high, low = rowwise.gemm_in_parts(x[:, inner], w[inner], high, low)
        if function == "none" and residual is None:
            return high
        assert low is not None
        body = finish_body(function, residual=residual is not None)
        rest = () if residual is None else (residual,)
        return evaluate_body(body, (high, low, *rest))

    def widened(self) -> ExactArithmetic:
        """The arithmetic of products whose sums are in f32."""
        return _WideArithmetic(self.machine.cores_alone())

    def in_software(self) -> ExactArithmetic:
        """The arithmetic of operations whose softmax or GELU is the cores'."""
        return ExactArithmetic(self.machine.without_softex())

    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        bias: Array,
        chunk: int | None = None,
        summed: int | None = None,
    ) -> Array:
        """One head over the padded keys of the bias, padded on to whole chunks of keys; values in
        partial sums over `summed` keys."""
        if chunk is not None:
            bias = pad(bias, 1, chunk, -np.inf)
        missing = bias.shape[1] - len(k)
        k_padded = np.pad(k, ((0, missing), (0, 0)))
        v_padded = np.pad(v, ((0, missing), (0, 0)))
        scores = self.gemm(q, k_padded.T, bias)
        weights = self._softmax(scores, chunk)
        if summed is None:
            return self.weighted(weights, v_padded, chunk)
        if chunk is not None:
            return self._weighted_in_parts(weights, v_padded, chunk, summed)
        numbers = np.arange(len(v_padded))[:, None] // summed
        total: Array | None = None
        for number in range(numbers[-1, 0] + 1):
            part = self.gemm(weights, np.where(numbers == number, v_padded, BF16.type(0)), None)
            total = part if total is None else self.binary("add", total, part)
        assert total is not None
        return total

    def _weighted_in_parts(self, weights: Array, values: Array, chunk: int, summed: int) -> Array:
        """Values weighed: a chain over `summed` keys, added chunk by chunk of keys."""
        if self.machine.softex is None and self.machine.redmule is not None:
            chunk = summed
        total = np.zeros((len(weights), values.shape[1]), BF16)
        for first in range(0, len(values), chunk):
            parts = [
                self.gemm(weights[:, at : at + summed], values[at : at + summed], None)
                for at in range(first, first + chunk, summed)
            ]
            in_chunk = reduce(lambda a, b: self.binary("add", a, b), parts)
            total = self.binary("add", total, in_chunk)
        return total

    def weighted(self, weights: Array, values: Array, chunk: int | None) -> Array:
        """Values weighed: one chain over all keys, whatever the chunks."""
        del chunk
        return self.gemm(weights, values, None)

    def layer_norm(self, x: Array, gamma: Array, beta: Array, eps: float) -> Array:
        """Layer norm of the rows."""
        rows = x.reshape(-1, x.shape[-1])
        return rowwise.layer_norm(rows, gamma, beta, eps).reshape(x.shape)

    def rms_norm(self, x: Array, gamma: Array, eps: float) -> Array:
        """Root-mean-square norm of the rows."""
        rows = x.reshape(-1, x.shape[-1])
        return rowwise.rms_norm(rows, gamma, eps).reshape(x.shape)


class _WideArithmetic(ExactArithmetic):
    """That of products on the cores whose sums are in f32, and of norms that round once."""

    def layer_norm(self, x: Array, gamma: Array, beta: Array, eps: float) -> Array:
        """Layer norm of the rows."""
        rows = x.reshape(-1, x.shape[-1])
        return rowwise.layer_norm_wide(rows, gamma, beta, eps).reshape(x.shape)

    def rms_norm(self, x: Array, gamma: Array, eps: float) -> Array:
        """Root-mean-square norm of the rows."""
        rows = x.reshape(-1, x.shape[-1])
        return rowwise.rms_norm_wide(rows, gamma, eps).reshape(x.shape)

    def gemm(self, x: Array, w: Array, y: Array | None) -> Array:
        """x @ w starting from the row (or matrix) y, rounded to bf16 at the end."""
        start = np.zeros((1, w.shape[1]), BF16) if y is None else y.reshape(-1, w.shape[1])
        return rowwise.gemm_wide(x, w, np.broadcast_to(start, (len(x), w.shape[1])))

    def weighted(self, weights: Array, values: Array, chunk: int | None) -> Array:
        """Values weighed chunk by chunk of keys, each sum rounded to bf16."""
        total: Array | None = None
        step = chunk or len(values)
        for first in range(0, len(values), step):
            keys = slice(first, first + step)
            total = self.gemm(weights[:, keys], values[keys], total)
        assert total is not None
        return total
