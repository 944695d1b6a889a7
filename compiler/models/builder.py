"""Writing fused transformer modules by hand: one method a layer, weights drawn from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    FloatAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    bf16,
    f64,
    i32,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from softex_mlir.abi import MAIN, Port
from softex_mlir.compiler.model import Model, port_attributes
from softex_mlir.compiler.weights import Array, WeightStore
from softex_mlir.dialects import transformer as t

Parameters: TypeAlias = Callable[[str, tuple[int, ...]], Array]
"""The float32 values of a parameter, by its name and shape."""


class ModelBuilder:
    """Collects the operations of `@main`, or of one entry after the other; the weights are normal
    with deviation 0.02 by default, or what `parameters` says."""

    def __init__(
        self,
        name: str,
        inputs: Sequence[Port],
        *,
        seed: int = 0,
        parameters: Parameters | None = None,
        entry: str = MAIN,
    ):
        self.name = name
        self.weights = WeightStore()
        self.parameters = parameters
        self._random = np.random.default_rng(seed)
        # Drawing 100 M normal numbers takes seconds: parameters are windows on one block whose
        # length is prime, so that no two rows or layers repeat each other in step.
        self._noise = self._random.standard_normal(1_000_003, np.float32) * np.float32(0.02)
        self._rounded = self._noise.astype(ml_dtypes.bfloat16)
        self._declared: dict[str, t.WeightOp | t.StateOp] = {}
        self._functions: list[FuncOp] = []
        self.begin(entry, inputs)

    def begin(self, entry: str, inputs: Sequence[Port]) -> None:
        """Start a function, behind one that has ended. Weights and state are those of all."""
        self.entry = entry
        self.inputs = inputs
        self.layer = ""
        self._block = Block(
            arg_types=[
                TensorType(i32 if port.dtype.startswith("int") else bf16, port.shape)
                for port in inputs
            ]
        )
        self._values: dict[str, SSAValue] = {}

    @property
    def arguments(self) -> list[SSAValue]:
        """Arguments of the function, in the order of the inputs."""
        return list(self._block.args)

    def nest(self, ops: Sequence[Operation]) -> SSAValue:
        """Append the operations of a loop nest; its result."""
        for op in ops:
            self._block.add_op(op)
        if self.layer:
            ops[-1].attributes["layer"] = StringAttr(self.layer)
        return ops[-1].results[0]

    def state(self, name: str, shape: tuple[int, int]) -> t.StateOp:
        """A tensor that outlives a run, the same for all functions."""
        op = self._declared.get(name)
        if op is None:
            op = self._declared[name] = t.StateOp(name, TensorType(bf16, shape))
        assert isinstance(op, t.StateOp)
        return op

    def add(self, op: t.TransformerOp) -> SSAValue:
        """Append an operation to `@main` under the current layer name."""
        if self.layer:
            op.layer = StringAttr(self.layer)
        self._block.add_op(op)
        return op.results[0]

    def constant(self, name: str, array: Array) -> SSAValue:
        """A parameter with given values; the same name again is the same parameter."""
        if name not in self._declared:
            kind = TensorType(i32 if array.dtype == np.int32 else bf16, array.shape)
            data = array
            if array.dtype != np.int32 and self.parameters is None:
                data = array.astype(ml_dtypes.bfloat16, copy=False)
            self._declared[name] = t.WeightOp(self.weights.add(name, data), kind)
        found = self.declared(name)
        assert found is not None
        return found

    def declared(self, name: str) -> SSAValue | None:
        """A parameter that there is already; None if there is none of that name."""
        if name not in self._values and name in self._declared:
            op = t.GetWeightOp(name, self._declared[name].type)
            self._block.add_op(op)
            self._values[name] = op.result
        return self._values.get(name)

    def normal(
        self, name: str, shape: tuple[int, ...], *, mean: float = 0.0, scale: float = 1.0
    ) -> SSAValue:
        """A parameter of normal values: ``(mean + 0.02 * n) * scale``; or a given one, scaled."""
        if (found := self.declared(name)) is not None:
            return found
        if self.parameters is not None:
            return self.constant(name, self.parameters(name, shape) * np.float32(scale))
        if mean == 0.0 and scale == 1.0:
            return self.constant(name, self._window(self._rounded, shape))
        return self.constant(name, (self._window(self._noise, shape) + mean) * np.float32(scale))

    def transposed(self, name: str, shape: tuple[int, int]) -> SSAValue:
        """The transpose of a parameter; of the one of that name if it is used by itself, too."""
        if (found := self.declared(f"{name}.transposed")) is not None:
            return found
        values = self.weights[name] if name in self.weights else self.values_of(name, shape)
        return self.constant(f"{name}.transposed", values.T)

    def values_of(self, name: str, shape: tuple[int, ...]) -> Array:
        """The values of a parameter, given or drawn."""
        if self.parameters is not None:
            return self.parameters(name, shape)
        return self._window(self._noise, shape).copy()

    def _window(self, block: Array, shape: tuple[int, ...]) -> Array:
        size, start = int(np.prod(shape)), int(self._random.integers(len(block)))
        found = np.empty(size, block.dtype)
        place = 0
        while place < size:
            part = block[start : start + size - place]
            found[place : place + len(part)] = part
            place, start = place + len(part), 0
        return found.reshape(shape)

    def linear(
        self,
        x: SSAValue,
        columns: int,
        name: str,
        *,
        activation: str = "none",
        residual: SSAValue | None = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> SSAValue:
        """A linear layer with weights ``name.weight`` and ``name.bias``, scaled at build time."""
        outer, self.layer = self.layer, name
        w = self.normal(f"{name}.weight", (t.shape_of(x)[1], columns), scale=scale)
        b = self.normal(f"{name}.bias", (columns,), scale=scale) if bias else None
        result = self.add(t.LinearOp(x, w, b, residual, activation=activation))
        self.layer = outer
        return result

    def layer_norm(self, x: SSAValue, name: str, *, eps: float = 1e-12) -> SSAValue:
        """Layer norm over the columns."""
        outer, self.layer = self.layer, name
        columns = t.shape_of(x)[-1]
        gamma = self.normal(f"{name}.weight", (columns,), mean=1.0)
        beta = self.normal(f"{name}.bias", (columns,))
        result = self.add(t.LayerNormOp(x, gamma, beta, eps))
        self.layer = outer
        return result

    def rms_norm(self, x: SSAValue, name: str, *, eps: float) -> SSAValue:
        """RMS norm over the columns."""
        outer, self.layer = self.layer, name
        gamma = self.normal(f"{name}.weight", t.shape_of(x)[-1:], mean=1.0)
        result = self.add(t.RMSNormOp(x, gamma, eps))
        self.layer = outer
        return result

    def attention_bias(
        self, keys: int, *, causal: bool = False, window: int | None = None
    ) -> tuple[SSAValue, str]:
        """The constant bias of attention over `keys` keys and its `bias_rows`; causal attention
        sees the last `window` keys, if there is one."""
        bias = np.full((keys if causal else 1, t.padded_keys(keys)), -np.inf, np.float32)
        bias[:, :keys] = 0
        if causal:
            bias[:, :keys][np.triu_indices(keys, 1)] = t.MASKED
        if causal and window is not None and window < keys:
            bias[:, :keys][np.tril_indices(keys, -window)] = t.MASKED
        kind = "query" if causal else "all"
        return self.constant(f"attention_bias.{kind}.{keys}", bias), kind

    def self_attention(
        self,
        x: SSAValue,
        name: str,
        *,
        heads: int,
        batch: int,
        bias: SSAValue,
        bias_rows: str,
        columns: int | None = None,
        key_value: SSAValue | None = None,
    ) -> SSAValue:
        """Query, key and value projections and the attention itself."""
        width = columns or t.shape_of(x)[1]
        scale = 1.0 if self.scaled_later else 1 / math.sqrt(width // heads)
        q = self.linear(x, width, f"{name}.query", scale=scale)
        k = self.linear(x, width, f"{name}.key")
        v = self.linear(x if key_value is None else key_value, width, f"{name}.value")
        return self.attention(q, k, v, name, heads, batch, bias, bias_rows)

    @property
    def scaled_later(self) -> bool:
        """Whether 1/sqrt(d) is left to the fusion, as for an imported model."""
        return self.parameters is not None and self.entry == MAIN

    def fused_projections(
        self, x: SSAValue, name: str, heads: int
    ) -> tuple[SSAValue, SSAValue, SSAValue]:
        """Queries, keys and values as one product, queries scaled by 1/sqrt(d)."""
        (rows, width), where = t.shape_of(x), f"{name}.qkv"
        outer, self.layer = self.layer, where
        scale = 1.0 if self.scaled_later else 1 / math.sqrt(width // heads)

        def parameter(what: str, shape: tuple[int, ...]) -> SSAValue:
            if (found := self.declared(f"{where}.{what}")) is not None:
                return found
            values = self.values_of(f"{where}.{what}", shape)
            values[..., :width] *= scale
            return self.constant(f"{where}.{what}", values)

        w, b = parameter("weight", (width, 3 * width)), parameter("bias", (3 * width,))
        qkv = self.add(t.LinearOp(x, w, b))
        q, k, v = (self.add(t.SliceOp(qkv, [0, i * width], [rows, width])) for i in range(3))
        self.layer = outer
        return q, k, v

    def attention(
        self,
        q: SSAValue,
        k: SSAValue,
        v: SSAValue,
        name: str,
        heads: int,
        batch: int,
        bias: SSAValue,
        bias_rows: str,
        *,
        scaled: bool = False,
        key_heads: int | None = None,
    ) -> SSAValue:
        """Attention of projected queries; `scaled`: by 1/sqrt(d) already; `key_heads`: heads of
        keys and values, where they are fewer."""
        outer, self.layer = self.layer, name
        op = t.AttentionOp(
            *(q, k, v, bias),
            heads=heads,
            batch=batch,
            bias_rows=bias_rows,
            key_heads=None if key_heads == heads else key_heads,
        )
        if self.scaled_later and not scaled:
            op.scale = FloatAttr(1 / math.sqrt(t.shape_of(q)[1] // heads), f64)
        result = self.add(op)
        self.layer = outer
        return result

    def end(self, results: dict[str, SSAValue]) -> None:
        """The function gives `results`."""
        values = list(results.values())
        self._block.add_op(ReturnOp(*values))
        ports = [Port(name, t.shape_of(v), "float32") for name, v in results.items()]
        function = FuncOp(
            self.entry,
            ([a.type for a in self._block.args], [v.type for v in values]),
            Region(self._block),
            arg_attrs=ArrayAttr([port_attributes(p) for p in self.inputs]),
            res_attrs=ArrayAttr([port_attributes(p) for p in ports]),
        )
        self._functions.append(function)

    def finish(self, results: dict[str, SSAValue] | None = None) -> Model:
        """The model, after a function that gives `results` if it has not ended."""
        if results is not None:
            self.end(results)
        module = ModuleOp([*self._declared.values(), *self._functions])
        entry = self._functions[0].sym_name.data
        return Model(module, self.weights, self.name, f"builder {self.name}", entry=entry)
