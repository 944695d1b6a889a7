"""Inputs and outputs as torch tensors, for programs that are called from torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from softex_mlir.errors import UserError


def by_name(names: Sequence[str], inputs: object) -> dict[str, Any]:
    """Inputs by the names of a program's ports: a mapping, a sequence in their order, or one.

    Raises:
        UserError: there are more or fewer of them than the program takes.
    """
    if isinstance(inputs, Mapping):
        return dict(cast("Mapping[str, Any]", inputs))
    many = isinstance(inputs, tuple | list)
    values = list(cast("Sequence[Any]", inputs)) if many else [inputs]
    if len(values) != len(names):
        raise UserError(f"expected {len(names)} inputs ({', '.join(names)}), found {len(values)}")
    return dict(zip(names, values, strict=True))


def is_tensor(value: object) -> bool:
    """Whether a value is a torch tensor; there are none unless torch is imported."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_array(tensor: Any) -> np.ndarray:
    """A tensor's values; bf16 as float32, which holds them all."""
    torch: Any = sys.modules["torch"]
    tensor = tensor.detach().cpu()
    return np.asarray(tensor.float() if tensor.dtype is torch.bfloat16 else tensor)


def to_tensor(array: np.ndarray) -> Any:
    """An array as a tensor; bf16 as float32."""
    torch: Any = sys.modules["torch"]
    return torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "V" else array.copy())
