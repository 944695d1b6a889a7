"""The element types of programs, by the names the note uses."""

from __future__ import annotations

import ml_dtypes
import numpy as np

DTYPES = {
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "i32": np.dtype(np.int32),
}
"""NumPy's type for each: activations and weights are bf16, ids and masks i32; constants that meet
no activation (frequencies of positions) f32."""
