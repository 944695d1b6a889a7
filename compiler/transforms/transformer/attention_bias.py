"""The bias of `transformer.attention`: all masks added to the scores, as rows of padded keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.transforms.transformer.l1_values import Array, Constants, trace
from softex_mlir.dialects import transformer as t

VERY_NEGATIVE = -1e4
"""Biases at or below this mean "masked"."""

Bias = tuple[SSAValue, str]
"""The operand and its `bias_rows`."""


def four_dimensions(shape: tuple[int, ...], batch: int, heads: int) -> tuple[int, ...] | None:
    """A bias shape as [batch or 1, heads or 1, queries or 1, keys]."""
    if len(shape) == 4:
        return shape
    if len(shape) < 3:
        return (1,) * (4 - len(shape)) + shape
    if len(shape) == 3:
        if shape[0] == batch * heads:
            return (batch, heads, *shape[1:])
        return (1, *shape) if shape[0] == 1 else None
    return None


@dataclass
class BiasBuilder:
    """Makes bias operands; layers with the same masks share one."""

    constants: Constants
    masks: dict[tuple[SSAValue, bool, int, bytes], Bias] = field(
        default_factory=dict[tuple[SSAValue, bool, int, bytes], Bias]
    )

    def build(
        self,
        biases: list[tuple[SSAValue, float]],
        batch: int,
        heads: int,
        keys: int,
        made: list[Operation],
    ) -> Bias | None:
        """The sum of `biases`, each with a factor; None if it cannot be expressed."""
        constant = np.zeros((1, 1, 1, keys), np.float32)
        dynamic: list[SSAValue] = []
        for value, factor in biases:
            data = self.constants.data(value)
            if data is None:
                dynamic.append(value)
                continue
            shape = four_dimensions(data.shape, batch, heads)
            if shape is None:
                return None
            with np.errstate(invalid="ignore", over="ignore"):
                constant = constant + data.reshape(shape) * np.float32(factor)
        constant = np.where(constant <= VERY_NEGATIVE, np.float32(t.MASKED), constant)
        if constant.shape[1] != 1:
            if not (constant == constant[:, :1]).all():
                return None
            constant = constant[:, :1]
        if constant.shape[-1] != keys:
            constant = np.broadcast_to(constant, (*constant.shape[:-1], keys))
        if len(dynamic) > 1:
            return None
        if dynamic:
            return self._dynamic(dynamic[0], constant, batch, heads, made)
        kinds = {(1, 1): "all", (1, 0): "query", (0, 1): "batch", (0, 0): "batch_query"}
        kind = kinds[int(constant.shape[0] == 1), int(constant.shape[2] == 1)]
        return self._padded(constant.reshape(-1, keys), made), kind

    def _padded(self, rows: Array, made: list[Operation]) -> SSAValue:
        """A parameter of these rows, with -inf in the columns that pad the keys."""
        keys = rows.shape[1]
        bias = np.full((len(rows), t.padded_keys(keys)), -np.inf, np.float32)
        bias[:, :keys] = rows
        name = f"attention_bias.{len(rows)}x{keys}"
        for existing, array in self.constants.store.items():
            if existing.startswith(name) and np.array_equal(array, bias):
                get = t.GetWeightOp(existing, TensorType(bf16, bias.shape))
                break
        else:
            get = self.constants.make(name, bias)
        made.append(get)
        return get.result

    def _dynamic(
        self, value: SSAValue, constant: Array, batch: int, heads: int, made: list[Operation]
    ) -> Bias | None:
        """A bias computed at run time, combined with the constant one."""
        shape = four_dimensions(t.shape_of(value), batch, heads)
        keys = constant.shape[3]
        if shape is None or shape[1] != 1 or shape[3] != keys or constant.shape[0] != 1:
            return None
        root = trace(value).root.owner
        if isinstance(root, t.MaskToBiasOp):
            return self._masked(root, constant.reshape(-1, keys), made)
        if constant.any():
            return None
        padded = t.padded_keys(keys)
        flat = t.ReshapeOp(value, (shape[0] * shape[2], keys))
        made.append(flat)
        result = flat.result
        if padded > keys:
            fill = np.full((shape[0] * shape[2], padded - keys), -np.inf, np.float32)
            padding = self.constants.make("attention_padding", fill)
            joined = t.ConcatOp([result, padding.result], 1)
            made += [padding, joined]
            result = joined.result
        # Every batch element may share one mask row (batch 1 broadcast) or have its own.
        single = {(1, 1): "all", (1, 0): "query", (0, 1): "batch", (0, 0): "batch_query"}
        return result, single[int(shape[0] == 1), int(shape[2] == 1)]

    def _masked(self, mask: t.MaskToBiasOp, rows: Array, made: list[Operation]) -> Bias | None:
        """The rows of a constant bias [queries or 1, keys] where the mask is set."""
        keys = rows.shape[1]
        if mask.base is not None:
            base = self.constants.data(mask.base)
            if base is None:
                return None
            rows = np.where((rows <= t.MASKED) | (base <= t.MASKED), t.MASKED, rows + base)
        inverted = mask.inverted is not None
        key = (mask.mask, inverted, keys, rows.astype(np.float32).tobytes())
        if key not in self.masks:
            padded = t.padded_keys(keys)
            base_value = self._padded(rows, made) if rows.any() else None
            # The layer of a mask that all layers share would mislead.
            new = t.MaskToBiasOp(mask.mask, padded, base_value, inverted=inverted)
            made.append(new)
            batch = t.shape_of(mask.mask)[0]
            kinds = ("all", "query") if batch == 1 else ("batch", "batch_query")
            self.masks[key] = new.result, kinds[base_value is not None and len(rows) > 1]
        return self.masks[key]
