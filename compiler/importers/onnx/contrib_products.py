"""Products of ONNX Runtime with what it fuses into them: transposes, activations, 4-bit weights.

Source: ONNX Runtime's ContribOperators.md and its CPU kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from softex_mlir.compiler.importers.onnx.contrib import call
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.values import (
    Array,
    Unsupported,
    Value,
    shape_of_value,
)

PARAMETERS = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}
"""Activations that are fused into products, and the names of their parameters in order."""


def _activated(state: Importer, x: Value, kind: str, given: Sequence[float]) -> Value:
    """An activation of a product; without a name, the product."""
    if kind == "Clip":
        return call(state, "Clip", x, *(np.array(limit, np.float32) for limit in given))
    if not kind:
        return x
    if kind not in PARAMETERS:
        raise Unsupported(f"the activation {kind}")
    names = PARAMETERS[kind]
    parameters: dict[str, Any] = dict(zip(names, given, strict=False))
    return call(state, kind, x, **parameters)


def _text(node: Node, name: str) -> str:
    found: Any = node.attribute(name, b"")
    return found.decode()


@operator("com.microsoft.FusedMatMul", "com.microsoft.TransposeMatMul")
def fused_matmul(state: Importer, node: Node) -> list[Value]:
    operands: list[Value] = []
    for index, side in enumerate("AB"):
        x = node.input(index)
        order = list(range(len(shape_of_value(x))))
        if node.attribute(f"transBatch{side}", 0):
            order = [*order[1:-1], 0, order[-1]]
        if node.attribute(f"trans{side}", 0):
            order[-2:] = order[:-3:-1]
        moved = order != sorted(order)
        operands.append(call(state, "Transpose", x, perm=order) if moved else x)
    product = call(state, "MatMul", *operands)
    alpha = float(node.attribute("alpha", 1.0))
    if alpha == 1.0:
        return [product]
    return [call(state, "Mul", product, np.array(alpha, np.float32))]


@operator("com.microsoft.FusedGemm")
def fused_gemm(state: Importer, node: Node) -> list[Value]:
    factors = {name: float(node.attribute(name, 1.0)) for name in ("alpha", "beta")}
    turned = {name: int(node.attribute(name, 0)) for name in ("transA", "transB")}
    product = call(state, "Gemm", *node.inputs(), **factors, **turned)
    parameters = [
        float(node.attribute(f"activation_{name}", 0.0)) for name in ("alpha", "beta", "gamma")
    ]
    return [_activated(state, product, _text(node, "activation"), parameters)]


@operator("com.microsoft.FusedConv")
def fused_conv(state: Importer, node: Node) -> list[Value]:
    x, weights, bias, added = (node.input(i) for i in range(4))
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    given = {name: value for name in names if (value := node.attribute(name)) is not None}
    result = call(state, "Conv", x, weights, bias, **given)
    if added is not None:
        result = call(state, "Add", result, added)
    parameters: list[float] = list(node.attribute("activation_params", ()))
    return [_activated(state, result, _text(node, "activation"), parameters)]


@operator("com.microsoft.MatMulNBits", note="of constant weights, which become floating point")
def matmul_n_bits(state: Importer, node: Node) -> list[Value]:
    x, order, bias = node.input(0), node.input(4), node.input(5)
    node.attribute("accuracy_level")  # of how integers are multiplied
    if node.attribute("weight_prepacked", 0):
        raise Unsupported("weights packed for one processor")
    if order is not None:
        raise Unsupported("an order of groups (g_idx)")
    product = call(state, "MatMul", x, np.ascontiguousarray(_dequantised(node).T))
    return [product if bias is None else call(state, "Add", product, bias)]


def _dequantised(node: Node) -> Array:
    """Weights [N, K] of float32: blocks of a row share a scale and a zero point."""
    bits, size = int(node.attribute("bits", 4)), int(node.attribute("block_size"))
    rows, columns = int(node.attribute("N")), int(node.attribute("K"))
    if bits not in (2, 4, 8):
        raise Unsupported(f"weights of {bits} bits")
    packed = node.required(1, "weights")
    blocks = -(-columns // size)
    if packed.size != rows * blocks * size * bits // 8:
        raise Unsupported(f"weights of shape {packed.shape}")
    scales = node.required(2, "scales").reshape(rows, blocks, 1).astype(np.float32)
    zeros = node.constant(3, "zero points")
    numbers = _unpacked(packed.reshape(rows, -1), bits).reshape(rows, blocks, size)
    middle: Array = np.full((1, 1, 1), 1 << (bits - 1), np.float32)
    if zeros is not None and zeros.dtype == np.uint8:
        middle = _unpacked(zeros.reshape(rows, -1), bits)[:, :blocks, None]
    elif zeros is not None:
        middle = zeros.reshape(rows, blocks, 1).astype(np.float32)
    return ((numbers - middle) * scales).reshape(rows, -1)[:, :columns]


def _unpacked(data: Array, bits: int) -> Array:
    """Numbers of a row of bytes, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = (data[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    return parts.reshape(len(data), -1).astype(np.float32)
