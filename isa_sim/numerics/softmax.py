"""SoftEx's softmax over the last axis, bit for bit.

The row runs through the unit's own order of operations: a running maximum a beat, exponentials by
:mod:`~softex_mlir.isa_sim.numerics.expp`, binary32 lane sums, four rotating partial sums that are
rescaled when the maximum rises, a Newton reciprocal, and a BF16 product in a second pass.
Source: the public SoftEx RTL, at zero-stall memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softex_mlir.isa_sim.numerics.bf16 import (
    NEGATIVE_INFINITY,
    Bf16Array,
    Bits,
    from_bits,
    to_bits,
)
from softex_mlir.isa_sim.numerics.expp import expp_table

LANES = (4, 8, 16, 32)


def _padded(bits: Bits, unit: int) -> Bits:
    """Rows continued with -inf to whole beats or chunks of `unit` elements."""
    rows, length = bits.shape
    padded = np.full((rows, -(-length // unit) * unit), NEGATIVE_INFINITY, np.uint16)
    padded[:, :length] = bits
    return padded


def _check_lanes(lanes: int) -> None:
    if lanes not in LANES:
        raise ValueError(f"lanes must be one of {LANES}, found {lanes}")


def softmax(x: Any, lanes: int = 16, constants: str = "rtl", chunk: int | None = None) -> Bf16Array:
    """Softmax over the last axis (BF16, any shape, length >= 1) as SoftEx computes it.

    ``chunk``: in jobs of so many elements, a multiple of ``lanes``, the last one padded with -inf,
    each row's state in a slot between them (:func:`accumulate`, :func:`normalise`). The
    denominator is then summed chunk by chunk. Spilled slots lose the value's sign, so that a
    denominator of infinity, from infinite scores, gives +inf where a whole row gives -inf.

    Every row is taken as if -inf followed it in memory, so all lengths are right, also ``lanes``
    itself (which the unit drops unless it is padded). What remains of the hardware: a row of
    only -inf gives -inf, elements of +inf give -inf and the others of their row NaN, and a first
    beat (``lanes`` elements) of only -inf before larger elements gives NaN.
    """
    _check_lanes(lanes)
    bits = to_bits(x)
    if bits.ndim == 0 or bits.shape[-1] == 0:
        raise ValueError(f"expected rows of at least one element, found shape {bits.shape}")
    from softex_mlir.isa_sim.numerics.softmax_kernels import softmax_rows, softmax_rows_by_chunks

    rows = bits.reshape(-1, bits.shape[-1])
    out = np.empty_like(rows)
    if chunk is None:
        softmax_rows(_padded(rows, lanes), lanes, expp_table(constants), out)
    else:
        if chunk < 1 or chunk % lanes:
            raise ValueError(f"chunk must be a positive multiple of {lanes} lanes, found {chunk}")
        softmax_rows_by_chunks(_padded(rows, chunk), chunk, lanes, expp_table(constants), out)
    return from_bits(out.reshape(bits.shape))


@dataclass(frozen=True)
class SoftmaxState:
    """What a row in chunks carries between jobs, as bit patterns.

    ``maximum`` is BF16. ``value`` is binary32: the denominator so far or, once ``inverted`` (by
    :func:`accumulate` with ``last``), its reciprocal.
    """

    maximum: int
    value: int
    inverted: bool = False


def accumulate(
    chunk: Any,
    state: SoftmaxState | None = None,
    *,
    last: bool = False,
    lanes: int = 16,
    constants: str = "rtl",
) -> SoftmaxState:
    """Take a chunk (1-D BF16, at least one element) of a row into maximum and denominator.

    ``state`` is that of the chunks before, None for the first. ``last`` inverts the denominator,
    which :func:`normalise` needs. A chunk is taken as if -inf followed it.
    """
    _check_lanes(lanes)
    if state is not None and state.inverted:
        raise ValueError("the row's denominator is inverted already: start from state None")
    bits = to_bits(chunk)
    if bits.ndim != 1 or bits.size == 0:
        raise ValueError(f"expected a 1-D chunk of at least one element, found {bits.shape}")
    from softex_mlir.isa_sim.numerics import softmax_kernels as kernels

    words = np.zeros(kernels.STATE_WORDS, np.int64)
    words[kernels.MAX] = NEGATIVE_INFINITY if state is None else state.maximum
    words[kernels.VALID] = state is not None
    before = np.uint32(0 if state is None else state.value).view(np.float32)
    x = _padded(bits[None], lanes)[0]
    table = expp_table(constants)
    kernels.accumulate(x, lanes, lanes, table, state is not None, before, words, 22)
    if last:
        kernels.invert(words)
    value = words[kernels.RECIPROCAL if last else kernels.DENOMINATOR]
    return SoftmaxState(int(words[kernels.MAX]), int(value), last)


def normalise(
    chunk: Any, state: SoftmaxState, *, lanes: int = 16, constants: str = "rtl"
) -> Bf16Array:
    """Softmax of a chunk (1-D BF16) of the row whose state is ``state`` (inverted)."""
    _check_lanes(lanes)
    if not state.inverted:
        raise ValueError("the row's denominator is not inverted: accumulate with last=True first")
    from softex_mlir.isa_sim.numerics import softmax_kernels as kernels
    from softex_mlir.isa_sim.numerics.bf16 import round_float32_bits

    bits = to_bits(chunk)
    x = _padded(bits[None], lanes)[0]
    out = np.empty_like(bits)
    rec16 = int(round_float32_bits(np.uint32(state.value).view(np.float32)))
    kernels.normalise(x, lanes, lanes, expp_table(constants), state.maximum, rec16, out)
    return from_bits(out)
