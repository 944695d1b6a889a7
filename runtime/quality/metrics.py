"""How close outputs are to the FP32 reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quality:
    """Agreement of an output with its FP32 reference, over all elements."""

    cosine: float
    """Cosine of the angle between the two as vectors; 1 is perfect."""
    max_error: float
    """Largest absolute difference."""
    mean_error: float
    """Mean absolute difference."""
    reference_scale: float
    """Root mean square of the reference, to put the errors into proportion."""
    top1_agreement: float
    """Share of rows (last dimension) whose largest element is at the same place."""

    def __str__(self) -> str:
        return (
            f"cosine {self.cosine:.6f}, max error {self.max_error:.4g}, "
            f"mean error {self.mean_error:.4g} (reference rms {self.reference_scale:.4g}), "
            f"top-1 agreement {self.top1_agreement:.1%}"
        )


def compare(found: Array, reference: Array) -> Quality:
    """Compare an output with the reference of the same shape.

    A NaN or infinity in `found` gives a cosine of NaN: it never counts as agreement.
    """
    if found.shape != reference.shape:
        raise ValueError(f"shapes differ: found {found.shape}, reference {reference.shape}")
    a = found.astype(np.float64)
    b = reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference: npt.NDArray[np.float64] = np.abs(a - b)
    rows_a, rows_b = _rows(a), _rows(b)
    same: npt.NDArray[np.bool_] = np.equal(rows_a.argmax(1), rows_b.argmax(1))
    return Quality(
        cosine_of(a, b),
        float(difference.max()) if difference.size else 0.0,
        float(difference.mean()) if difference.size else 0.0,
        float(np.sqrt(np.mean(b * b))) if b.size else 0.0,
        np.count_nonzero(same) / same.size if a.size else 1.0,
    )


def cosine_of(a: Array, b: Array) -> float:
    """Cosine of the angle between two arrays as vectors; 1 for two of zeros."""
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norm == 0:
        return 1.0 if np.array_equal(a, b) else 0.0
    with np.errstate(invalid="ignore"):
        return float(np.dot(a.ravel(), b.ravel())) / norm


def top_agreement(found: Array, reference: Array, count: int) -> float:
    """Share of each row's `count` largest reference elements that are among those found."""
    a, b = _rows(found.astype(np.float64)), _rows(reference.astype(np.float64))
    count = min(count, a.shape[1])
    if not a.size:
        return 1.0
    first, second = (np.argsort(-x, axis=1, kind="stable")[:, :count] for x in (a, b))
    same: npt.NDArray[np.bool_] = np.equal(first[:, :, None], second[:, None, :])
    return np.count_nonzero(same) / first.size


def divergence(found: Array, reference: Array) -> float:
    """Mean Kullback-Leibler divergence of the rows' softmax from the reference's, in nats."""
    p, q = (log_softmax(_rows(x.astype(np.float64))) for x in (reference, found))
    sums: npt.NDArray[np.float64] = (np.exp(p) * (p - q)).sum(axis=1)
    return float(sums.mean())


def log_softmax(rows: Array) -> Array:
    """Logarithm of the softmax of each row."""
    shifted = rows - rows.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def surprise(logits: Array, ids: Array) -> float:
    """Mean negative log probability of each next token, in nats; its exponential is perplexity.

    logits: [batch, tokens, vocabulary]; ids: [batch, tokens].
    """
    chances = log_softmax(logits[:, :-1].astype(np.float64))
    taken: npt.NDArray[np.float64] = np.take_along_axis(chances, ids[:, 1:, None].astype(int), 2)
    return -float(taken.mean())


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's: the correlation of two vectors' ranks, in which equal elements share one."""
    p, q = _ranks(a), _ranks(b)
    spread = float(p.std() * q.std())
    if not spread:
        return 1.0 if np.array_equal(p, q) else 0.0
    product: npt.NDArray[np.float64] = (p - p.mean()) * (q - q.mean())
    return float(product.mean()) / spread


def _ranks(x: Array) -> npt.NDArray[np.float64]:
    _, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    middle: npt.NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return middle[places]


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1] if x.ndim else 1)
