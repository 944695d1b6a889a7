"""RedMulE's matrix product, bit for bit: ``Z = X W + Y`` as chains of BF16 FMAs.

For every output element, in ascending order of the inner index n, ``z = bf16(x * w + z)`` with one
rounding (nearest even) a step, starting from Y. The array has eight FMAs a row, so a last group
shorter than eight is completed with steps ``fma(+0, +0, z)``: a -0 becomes +0, nothing else
changes. The result does not depend on the tiling, the array's other sizes or stalls.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.isa_sim.numerics.bf16 import CANONICAL_NAN, Bf16Array, Bits, from_bits, to_bits

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

PARALLEL_FMAS = 3_000_000
"""From this many FMAs on, sharing the rows among the host's cores pays."""


def host_cores() -> int:
    """Cores of the host that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@cache
def _threads() -> tuple[int, ThreadPoolExecutor]:
    from concurrent.futures import ThreadPoolExecutor

    count = host_cores()
    return count, ThreadPoolExecutor(count, thread_name_prefix="gemm")


def gemm_bits(x: Bits, w: Bits, z: Bits, columns: int = 8) -> None:
    """:func:`gemm` in place on bit patterns: ``z[M, K]`` holds Y before and Z after.

    ``x``: uint16[M, N], ``w``: uint16[N, K]; ``columns`` is the array's H.
    ``z`` must be C-contiguous.
    """
    m, n = x.shape
    k = w.shape[1]
    if m == 0 or k == 0:
        return
    if n:
        from softex_mlir.isa_sim.numerics.gemm_kernels import ROWS, gemm_serial

        x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
        if m * n * k >= PARALLEL_FMAS and m >= 2 * ROWS:
            count, pool = _threads()
            share = -(-m // (ROWS * count)) * ROWS
            rest = [
                pool.submit(gemm_serial, x[row : row + share], w, z[row : row + share])
                for row in range(share, m, share)
            ]
            gemm_serial(x[:share], w, z[:share])
            for job in rest:
                job.result()
        else:
            gemm_serial(x, w, z)
    else:
        z[(z & 0x7FFF) > 0x7F80] = CANONICAL_NAN
    if n % columns:
        z[z == 0x8000] = 0


def gemm(x: Any, w: Any, y: Any = None, columns: int = 8) -> Bf16Array:
    """``x @ w + y`` as RedMulE computes it.

    ``x``: BF16 [..., M, N]; ``w``: BF16 [N, K]; ``y``: BF16, broadcast to [..., M, K] (default
    +0). ``columns`` is the array's chain length H, which only decides whether a -0 survives.
    """
    x_bits, w_bits = to_bits(x), to_bits(w)
    if x_bits.ndim < 2 or w_bits.ndim != 2 or x_bits.shape[-1] != w_bits.shape[0]:
        raise ValueError(
            f"expected x [..., M, N] and w [N, K], found {x_bits.shape} and {w_bits.shape}"
        )
    shape = (*x_bits.shape[:-1], w_bits.shape[1])
    z = np.zeros(shape, np.uint16) if y is None else np.broadcast_to(to_bits(y), shape).copy()
    rows = int(np.prod(shape[:-1]))
    gemm_bits(x_bits.reshape(rows, -1), w_bits, z.reshape(rows, -1), columns)
    return from_bits(z)
