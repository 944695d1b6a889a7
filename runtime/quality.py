"""How close outputs are to the FP32 reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


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


def compare(found: npt.NDArray[Any], reference: npt.NDArray[Any]) -> Quality:
    """Compare an output with the reference of the same shape.

    A NaN or infinity in `found` gives a cosine of NaN: it never counts as agreement.
    """
    if found.shape != reference.shape:
        raise ValueError(f"shapes differ: found {found.shape}, reference {reference.shape}")
    a = found.astype(np.float64)
    b = reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference: npt.NDArray[np.float64] = np.abs(a - b)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    equal = bool(np.array_equal(a, b))
    with np.errstate(invalid="ignore"):
        product = float(np.dot(a.ravel(), b.ravel()))
    cosine = (1.0 if equal else 0.0) if norm == 0 else product / norm
    columns = a.shape[-1] if a.ndim else 1
    same: npt.NDArray[np.bool_] = np.equal(
        a.reshape(-1, columns).argmax(1), b.reshape(-1, columns).argmax(1)
    )
    top1 = np.count_nonzero(same) / same.size if a.size else 1.0
    return Quality(
        cosine,
        float(difference.max()) if difference.size else 0.0,
        float(difference.mean()) if difference.size else 0.0,
        float(np.sqrt(np.mean(b * b))) if b.size else 0.0,
        top1,
    )
