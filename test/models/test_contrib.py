"""ONNX Runtime's fused operators against outputs of ONNX Runtime itself.

`python test/models/test_contrib.py` records them again; it needs onnxruntime (1.32.0 made these).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.runtime.reference import evaluate

RECORDED = Path(__file__).parents[1] / "golden" / "contrib.npz"
B, T, H, N = 2, 6, 32, 4
MASK = np.array([[1] * 6, [1, 1, 1, 1, 0, 0]], np.int32)
POSITIONS = np.array([[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]])

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gelu": ("Gelu", "x", {}),
    "bias_gelu": ("BiasGelu", "x row", {}),
    "fast_gelu": ("FastGelu", "x row", {}),
    "quick_gelu": ("QuickGelu", "x", {"alpha": 1.5}),
    "skip_norm": ("SkipLayerNormalization", "x y row row row", {"epsilon": 1e-5}),
    "skip_rms": ("SkipSimplifiedLayerNormalization", "x y row", {"epsilon": 1e-5}),
    "fused_matmul": ("FusedMatMul", "x y", {"alpha": 0.25, "transB": 1}),
    "product_by_batch": ("FusedMatMul", "x z", {"transBatchB": 1}),
    "product_relu": (
        "FusedGemm",
        "flat qkv wide",
        {"alpha": 0.5, "beta": 2.0, "activation": "LeakyRelu", "activation_alpha": 0.2},
    ),
    "convolution_relu": (
        "FusedConv",
        "image filters three image",
        {"pads": [1, 1, 1, 1], "activation": "Relu"},
    ),
    "four_bits": ("MatMulNBits", "x packed scales", {"N": 8, "K": H, "bits": 4, "block_size": 16}),
    "embed": (
        "EmbedLayerNormalization",
        "ids segments words places types row row",
        {"epsilon": 1e-5},
    ),
    "attention": ("Attention", "x qkv wide", {"num_heads": N}),
    "attention_mask": ("Attention", "x qkv wide mask", {"num_heads": N, "scale": 0.5}),
    "attention_lengths": ("Attention", "x qkv wide lengths", {"num_heads": N}),
    "attention_places": ("Attention", "x qkv wide ends", {"num_heads": N}),
    "attention_causal": ("Attention", "x qkv wide", {"num_heads": N, "unidirectional": 1}),
    "attention_bias": ("Attention", "x qkv wide - - bias", {"num_heads": N}),
    "heads": ("MultiHeadAttention", "x y y wide mask", {"num_heads": N}),
    "heads_separate": ("MultiHeadAttention", "x keys keys wide", {"num_heads": N}),
    "heads_bias": ("MultiHeadAttention", "x y y - - bias", {"num_heads": N}),
    "rotary": ("RotaryEmbedding", "x positions cos sin", {"num_heads": N}),
    "rotary_pairs": ("RotaryEmbedding", "x first cos sin", {"num_heads": N, "interleaved": 1}),
}
INPUTS = (
    *("x", "y", "z", "ids", "segments", "mask", "lengths", "positions", "first", "ends"),
    *("keys", "flat", "image"),
)


def values() -> dict[str, Any]:
    random = np.random.default_rng(0)

    def normal(*shape: int, scale: float = 1.0) -> Any:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    angles = np.arange(16)[:, None] * 0.5 ** np.arange(H // N // 2)
    return {
        "x": normal(B, T, H),
        "y": normal(B, T, H),
        "row": normal(H),
        "qkv": normal(H, 3 * H, scale=0.2),
        "wide": normal(3 * H, scale=0.2),
        "bias": normal(1, N, T, T),
        "words": normal(20, H),
        "places": normal(10, H),
        "types": normal(2, H),
        "cos": np.cos(angles).astype(np.float32),
        "sin": np.sin(angles).astype(np.float32),
        "ids": random.integers(0, 20, (B, T)).astype(np.int32),
        "segments": random.integers(0, 2, (B, T)).astype(np.int32),
        "mask": MASK,
        "lengths": MASK.sum(1).astype(np.int32),
        "positions": POSITIONS,
        "first": np.array([4]),
        "ends": np.array([4, 6, 1, 2], np.int32),
        "keys": normal(B, N, 5, H // N),
        "flat": normal(T, H),
        "z": normal(H, B, 8),
        "image": normal(1, 3, 7, 7),
        "filters": normal(3, 3, 3, 3),
        "three": normal(3),
        "packed": random.integers(0, 256, (8, H // 16, 8)).astype(np.uint8),
        "scales": np.abs(normal(8, H // 16, scale=0.1)),
    }


def model(name: str) -> tuple[bytes, dict[str, Any]]:
    """A model of one node, and its inputs."""
    kind, operands, attributes = CASES[name]
    names = [operand if operand != "-" else "" for operand in operands.split()]
    data = values()
    node = helper.make_node(kind, names, ["out"], domain="com.microsoft", **attributes)
    if kind == "EmbedLayerNormalization":
        node.output.append("index")
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    used = [n for n in dict.fromkeys(names) if n]
    graph = helper.make_graph(
        [node],
        "fused",
        [
            helper.make_tensor_value_info(
                n, kinds.get(data[n].dtype, TensorProto.INT64), data[n].shape
            )
            for n in used
            if n in INPUTS
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(data[n], n) for n in used if n not in INPUTS],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return proto.SerializeToString(), {n: data[n] for n in used if n in INPUTS}


@pytest.mark.parametrize("name", CASES)
def test_fused_operator(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.onnx"
    data, inputs = model(name)
    path.write_bytes(data)
    compilation = Compilation.of(path)
    compilation.program()
    found = evaluate(compilation.model.module, compilation.model.weights, inputs)["out"]
    expected: Any = np.load(RECORDED)[name]
    error = np.abs(found.astype(np.float32) - expected).max()
    assert error <= 0.02 * np.abs(expected).max()


def test_programs_are_bit_identical(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    data, inputs = model("attention_mask")
    path.write_bytes(data)
    compilation = Compilation.of(path)
    found = compilation.program().run(inputs).outputs["out"]
    same = evaluate(compilation.model.module, compilation.model.weights, inputs)["out"]
    np.testing.assert_array_equal(found.view(np.uint16), same.view(np.uint16))


def test_causal_attention_to_other_tokens_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime lets the last of the queries see all keys."""
    monkeypatch.setitem(
        CASES,
        "refused",
        ("MultiHeadAttention", "x keys keys wide", {"num_heads": N, "unidirectional": 1}),
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(model("refused")[0])
    with pytest.raises(OnnxError, match="unidirectional of 6 queries to 5 keys"):
        import_onnx(path)


def test_what_is_not_done_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    CASES["refused"] = ("PackedAttention", "x y y", {"num_heads": N})
    data, _ = model("refused")
    del CASES["refused"]
    path.write_bytes(data)
    with pytest.raises(OnnxError, match="PackedAttention is not supported; export the model"):
        import_onnx(path)


def record() -> None:
    """Write what ONNX Runtime computes."""
    import onnxruntime  # pyright: ignore

    outputs: dict[str, Any] = {}
    for name in CASES:
        data, inputs = model(name)
        session: Any = onnxruntime.InferenceSession(data)  # pyright: ignore
        outputs[name] = session.run(["out"], inputs)[0]
    np.savez_compressed(RECORDED, **outputs)


if __name__ == "__main__":
    record()
