"""Small ONNX graphs as exporters write them, and their comparison with ONNX's own reference."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.quality.metrics import compare
from softex_mlir.runtime.reference import evaluate

TOKENS, HIDDEN, HEADS = 20, 64, 2
SIZE = HIDDEN // HEADS


class Graph:
    """Writes nodes with fresh names."""

    def __init__(self, *, dtype: Any = np.float32, opset: int = 17):
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.dtype = dtype
        self.opset = opset
        self.random = np.random.default_rng(3)

    def constant(self, array: Any, dtype: Any = None) -> str:
        name = f"c{len(self.initializers)}"
        data = np.asarray(array, dtype or self.dtype)
        self.initializers.append(numpy_helper.from_array(data, name))
        return name

    def weight(self, *shape: int, scale: float = 0.1, mean: float = 0.0) -> str:
        return self.constant(self.random.standard_normal(shape) * scale + mean)

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def shaped(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.constant(shape, np.int64))

    def linear(self, x: str, inner: int, outer: int, kind: str) -> str:
        w, b = self.random.standard_normal((inner, outer)) * 0.1, self.weight(outer)
        match kind:
            case "matmul":
                return self.node("Add", b, self.node("MatMul", x, self.constant(w)))
            case "transposed":
                t = self.node("Transpose", self.constant(w.T), perm=[1, 0])
                return self.node("Add", self.node("MatMul", x, t), b)
            case _:
                rows = self.shaped(x, -1, inner)
                y = self.node("Gemm", rows, self.constant(w.T), b, transB=1)
                return self.shaped(y, 1, TOKENS, outer)

    def norm(self, x: str, kind: str) -> str:
        gamma, beta = self.weight(HIDDEN, mean=1.0), self.weight(HIDDEN)
        if kind == "op":
            return self.node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=1e-5)
        mean = self.node("ReduceMean", x, axes=[-1])
        d = self.node("Sub", x, mean)
        if kind == "pow":
            square = self.node("Pow", d, self.constant(2.0))
        else:
            again = self.node("Sub", x, mean)
            square = self.node("Mul", again, again)
        variance = self.node("ReduceMean", square, axes=[-1])
        root = self.node("Sqrt", self.node("Add", variance, self.constant(1e-5)))
        normal = self.node("Div", d, root)
        return self.node("Add", self.node("Mul", normal, gamma), beta)

    def attention(self, x: str, kind: str, linear: str, mask: str | None) -> str:
        scale = SIZE**-0.5
        if kind == "fused":
            qkv = self.linear(x, HIDDEN, 3 * HIDDEN, linear)
            parts = self.shaped(qkv, 1, TOKENS, 3, HEADS, SIZE)
            order = self.node("Transpose", parts, perm=[2, 0, 3, 1, 4])
            q, k, v = (
                self.node("Gather", order, self.constant(i, np.int64), axis=0) for i in range(3)
            )
            kt = self.node("Transpose", k, perm=[0, 1, 3, 2])
        elif kind == "batched":
            three: list[str] = []
            for _ in range(3):
                y = self.shaped(self.linear(x, HIDDEN, HIDDEN, linear), TOKENS, HEADS, SIZE)
                three.append(self.node("Transpose", y, perm=[1, 0, 2]))
            q, k, v = three
            kt = self.node("Transpose", k, perm=[0, 2, 1])
        else:
            four = [
                self.shaped(self.linear(x, HIDDEN, HIDDEN, linear), 1, TOKENS, HEADS, SIZE)
                for _ in range(3)
            ]
            q, v = (self.node("Transpose", four[i], perm=[0, 2, 1, 3]) for i in (0, 2))
            kt = self.node("Transpose", four[1], perm=[0, 2, 3, 1])
        if kind == "separate":
            scores = self.node("Div", self.node("MatMul", q, kt), self.constant(1 / scale))
        else:
            q = self.node("Mul", q, self.constant(scale))
            scores = self.node("MatMul", q, kt)
        if mask is not None:
            scores = self.node("Add", scores, mask)
        p = self.node("Softmax", scores, axis=-1)
        if kind == "separate":
            bad = self.node("IsNaN", p)
            p = self.node("Where", bad, self.constant(0.0), p)
        out = self.node("MatMul", p, v)
        if kind == "batched":
            return self.shaped(self.node("Transpose", out, perm=[1, 0, 2]), 1, TOKENS, HIDDEN)
        return self.shaped(self.node("Transpose", out, perm=[0, 2, 1, 3]), 1, TOKENS, HIDDEN)

    def gelu(self, x: str, kind: str) -> str:
        half, one = self.constant(0.5), self.constant(1.0)
        if kind == "tanh":
            cube = self.node("Mul", self.node("Mul", x, x), x)
            inner = self.node("Add", x, self.node("Mul", self.constant(0.044715), cube))
            tanh = self.node("Tanh", self.node("Mul", self.constant(0.7978845608), inner))
            return self.node("Mul", self.node("Mul", half, x), self.node("Add", one, tanh))
        if kind == "div":
            erf = self.node("Erf", self.node("Div", x, self.constant(2**0.5)))
            return self.node("Mul", self.node("Mul", x, self.node("Add", erf, one)), half)
        erf = self.node("Erf", self.node("Mul", x, self.constant(0.5**0.5)))
        return self.node("Mul", x, self.node("Mul", half, self.node("Add", erf, one)))

    def layer(
        self, x: str, linear: str, norm: str, attention: str, gelu: str, mask: str | None = None
    ) -> str:
        context = self.attention(self.norm(x, norm), attention, linear, mask)
        x = self.node("Add", x, self.linear(context, HIDDEN, HIDDEN, linear))
        inner = self.gelu(self.linear(self.norm(x, norm), HIDDEN, 2 * HIDDEN, linear), gelu)
        return self.node("Add", self.linear(inner, 2 * HIDDEN, HIDDEN, linear), x)

    def save(self, path: Path, inputs: list[Any], output: str) -> Any:
        self.nodes[-1].output[0] = "y"
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        graph = helper.make_graph(
            self.nodes,
            "g",
            inputs,
            [helper.make_tensor_value_info("y", kind, None)],
            self.initializers,
        )
        opset = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.save(model, path)
        return model


def agree(path: Path, model: Any, inputs: dict[str, Any], least: float = 0.999) -> Counter[str]:
    """Import, fuse and compare with ONNX's reference; the fused operations."""
    imported = import_onnx(path)
    fuse(imported, Machine.load("paper"))
    reference: Any = ReferenceEvaluator(model).run(None, inputs)
    expected = np.asarray(reference[0], np.float32)
    plain = evaluate(imported.module, imported.weights, inputs, arithmetic="float32")
    assert compare(plain["y"], expected).cosine > 0.9995
    exact = evaluate(imported.module, imported.weights, inputs)
    assert compare(exact["y"], expected).cosine > least
    block: Any = imported.main.body.block
    return Counter(op.name.removeprefix("transformer.") for op in block.ops)
