"""One encoder layer in many ONNX spellings: each must import, fuse and agree with ONNX itself."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_harness import HIDDEN, TOKENS, Graph, agree

LAYERS = [
    *product(("matmul", "transposed", "gemm"), ("op",), ("separate",), ("div",)),
    *product(("matmul",), ("pow", "twice"), ("separate",), ("mul",)),
    *product(("matmul", "gemm"), ("op",), ("fused", "batched"), ("tanh",)),
]


@pytest.mark.parametrize(("linear", "norm", "attention", "gelu"), LAYERS)
def test_encoder_layer(tmp_path: Path, linear: str, norm: str, attention: str, gelu: str) -> None:
    g = Graph()
    y = g.layer("x", linear, norm, attention, gelu)
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, TOKENS, HIDDEN))]
    model = g.save(tmp_path / "m.onnx", info, y)
    x = np.random.default_rng(0).standard_normal((1, TOKENS, HIDDEN)).astype(np.float32)
    ops = agree(tmp_path / "m.onnx", model, {"x": x})
    assert ops["attention"] == 1
    assert ops["layer_norm"] == 2
    assert ops["linear"] == (4 if attention == "fused" else 6)
    assert not ops.keys() & {"matmul", "softmax", "gelu", "add", "mul", "transpose"}


def test_half_precision_weights(tmp_path: Path) -> None:
    g = Graph(dtype=np.float16)
    y = g.layer("x", "matmul", "op", "separate", "div")
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT16, (1, TOKENS, HIDDEN))]
    model = g.save(tmp_path / "m.onnx", info, y)
    x = np.random.default_rng(0).standard_normal((1, TOKENS, HIDDEN)).astype(np.float16)
    assert agree(tmp_path / "m.onnx", model, {"x": x})["attention"] == 1


@pytest.mark.parametrize("spelling", ["sub_mul", "where", "causal"])
def test_mask_input(tmp_path: Path, spelling: str) -> None:
    g = Graph()
    axes = g.constant([1, 2], np.int64)
    wide = g.node("Unsqueeze", "mask", axes)
    lowest = float(np.finfo(np.float32).min)
    if spelling == "sub_mul":
        number = g.node("Cast", wide, to=TensorProto.FLOAT)
        away = g.node("Sub", g.constant(1.0), number)
        bias = g.node("Mul", away, g.constant(lowest))
    else:
        seen = g.node("Cast", wide, to=TensorProto.BOOL)
        if spelling == "causal":
            triangle = g.constant(np.tri(TOKENS, dtype=bool)[None, None], np.bool_)
            seen = g.node("And", seen, triangle)
        bias = g.node("Where", seen, g.constant(0.0), g.constant(-np.inf))
    y = g.layer("x", "matmul", "op", "separate", "div", bias)
    info = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, TOKENS, HIDDEN)),
        helper.make_tensor_value_info("mask", TensorProto.INT64, (1, TOKENS)),
    ]
    model = g.save(tmp_path / "m.onnx", info, y)
    x = np.random.default_rng(0).standard_normal((1, TOKENS, HIDDEN)).astype(np.float32)
    mask = np.ones((1, TOKENS), np.int64)
    mask[0, 13:] = 0
    ops = agree(tmp_path / "m.onnx", model, {"x": x, "mask": mask})
    assert ops["mask_to_bias"] == 1
    assert ops["attention"] == 1
