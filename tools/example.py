"""The example that `softex demo --save` writes: a small ViT as ONNX, inputs, and FP32 outputs."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from softex_mlir.files import write_atomically

IMAGE, PATCH, HIDDEN, HEADS, LAYERS, CLASSES = 32, 8, 64, 2, 2, 10
TOKENS = (IMAGE // PATCH) ** 2 + 1


class _Graph:
    """Nodes and seeded weights, named as a torch module's."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._generator = np.random.default_rng(0)

    def weight(self, name: str, *shape: int, scale: float | None = None) -> str:
        """Normal values that keep the size of what they multiply."""
        factor = math.prod(shape[:-1]) ** -0.5 if scale is None else scale
        values = self._generator.standard_normal(shape, np.float32)
        return self.constant(name, values * np.float32(factor))

    def constant(self, name: str, values: Any) -> str:
        """A tensor of the model."""
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """A node of one result, named as the node."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def norm(self, name: str, x: str) -> str:
        """Layer normalization."""
        scale = self.constant(f"{name}.weight", np.ones(HIDDEN, np.float32))
        bias = self.constant(f"{name}.bias", np.zeros(HIDDEN, np.float32))
        return self.node("LayerNormalization", f"{name}/out", x, scale, bias, epsilon=1e-6)

    def linear(self, name: str, x: str, inputs: int, outputs: int) -> str:
        """A linear layer."""
        weight = self.weight(f"{name}.weight", inputs, outputs)
        bias = self.weight(f"{name}.bias", outputs, scale=0.02)
        return self.node("Add", f"{name}/out", self.node("MatMul", f"{name}/mm", x, weight), bias)

    def attention(self, name: str, x: str) -> str:
        """Multi-head attention with its output projection."""
        width = HIDDEN // HEADS
        split = self.constant(f"{name}/split", np.array([1, TOKENS, HEADS, width]))
        heads = [
            self.node(
                "Transpose",
                f"{name}.{part}/heads",
                self.node(
                    "Reshape",
                    f"{name}.{part}/split",
                    self.linear(f"{name}.{part}", x, HIDDEN, HIDDEN),
                    split,
                ),
                perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3],
            )
            for part in ("query", "key", "value")
        ]
        scale = self.constant(f"{name}/scale", np.float32(width**-0.5))
        scores = self.node("MatMul", f"{name}/scores", heads[0], heads[1])
        scaled = self.node("Mul", f"{name}/scaled", scores, scale)
        shares = self.node("Softmax", f"{name}/softmax", scaled, axis=-1)
        context = self.node("MatMul", f"{name}/context", shares, heads[2])
        joined = self.node("Transpose", f"{name}/joined", context, perm=[0, 2, 1, 3])
        shape = self.constant(f"{name}/join", np.array([1, TOKENS, HIDDEN]))
        merged = self.node("Reshape", f"{name}/merged", joined, shape)
        return self.linear(f"{name}.output", merged, HIDDEN, HIDDEN)


def example_model() -> Any:
    """The model, `onnx.ModelProto`: image float32 [1, 3, 32, 32] to logits [1, 10]."""
    g = _Graph()
    kernel = g.weight("patch.weight", HIDDEN, 3, PATCH, PATCH, scale=(3 * PATCH * PATCH) ** -0.5)
    patches = g.node("Conv", "patch/out", "image", kernel, strides=[PATCH, PATCH])
    flat = g.constant("patch/shape", np.array([1, HIDDEN, TOKENS - 1]))
    rows = g.node(
        "Transpose", "patch/rows", g.node("Reshape", "patch/flat", patches, flat), perm=[0, 2, 1]
    )
    token = g.weight("cls_token", 1, 1, HIDDEN, scale=0.5)
    x = g.node("Concat", "tokens", token, rows, axis=1)
    x = g.node("Add", "embedded", x, g.weight("position", 1, TOKENS, HIDDEN, scale=0.1))
    for layer in range(LAYERS):
        name = f"layer.{layer}"
        attended = g.attention(f"{name}.attention", g.norm(f"{name}.norm1", x))
        x = g.node("Add", f"{name}/residual1", x, attended)
        inner = g.linear(f"{name}.mlp.fc1", g.norm(f"{name}.norm2", x), HIDDEN, 4 * HIDDEN)
        active = g.node("Gelu", f"{name}.mlp/gelu", inner)
        x = g.node(
            "Add", f"{name}/residual2", x, g.linear(f"{name}.mlp.fc2", active, 4 * HIDDEN, HIDDEN)
        )
    first = g.node("Gather", "first", g.norm("norm", x), g.constant("zero", np.int64(0)), axis=1)
    head = g.weight("head.weight", HIDDEN, CLASSES)
    g.node("MatMul", "logits", first, head)
    graph = helper.make_graph(
        g.nodes,
        "example",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, IMAGE, IMAGE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        g.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def save_example(folder: Path) -> tuple[Path, Path]:
    """Write `example.onnx` and `example.npz` (an image and ONNX's own FP32 logits).

    Raises:
        UserError: they cannot be written.
    """
    model = example_model()
    image = np.random.default_rng(1).standard_normal((1, 3, IMAGE, IMAGE)).astype(np.float32)
    reference: Any = ReferenceEvaluator(model)
    (logits,) = reference.run(None, {"image": image})
    arrays = io.BytesIO()
    np.savez(arrays, image=image, logits=np.asarray(logits))
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "example.onnx", folder / "example.npz"
    write_atomically(paths[0], model.SerializeToString())
    write_atomically(paths[1], arrays.getvalue())
    return paths
