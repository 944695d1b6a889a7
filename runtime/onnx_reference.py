"""What an ONNX model computes in float32, by somebody else's implementation.

ONNX's own reference implementation; ONNX Runtime, if it is installed, for what that one lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_cast import cast_to

from softex_mlir.compiler.importers.onnx.file import load_with_data
from softex_mlir.compiler.importers.onnx.graph import gather_elements

Array = npt.NDArray[Any]

_ONNX: Any = onnx  # its type stubs are partial
_TENSOR = onnx.TensorProto
NARROW = (_TENSOR.FLOAT16, _TENSOR.BFLOAT16)
"""Types whose every operation rounds; the comparison is about meaning, so they become float32."""
FLATTENING = ("Softmax", "LogSoftmax", "Hardmax")
"""Before opset 13 they work on all dimensions from the axis on: ONNX's reference overlooks that."""
RECURRENT = {
    "RNN": ("clip",),
    "GRU": ("clip", "activations"),
    "LSTM": ("clip", "activations", "input_forget"),
}
"""What ONNX's reference overlooks of recurrent layers, as it does the lengths of sequences."""


class GatherElements(OpRun):
    """The operator with fewer indices than data, on which ONNX's own implementation fails."""

    op_domain = ""

    def _run(self, data: Array, indices: Array, axis: int | None = None) -> tuple[Array]:
        return (gather_elements(data, indices, axis or 0),)


class Cast(OpRun):
    """Casts that keep to the range of integers, where ONNX leaves open what a cast gives."""

    op_domain = ""

    def _run(
        self, x: Array, to: Any = 0, saturate: int = 1, round_mode: str = "up"
    ) -> tuple[Array]:
        dtype = helper.tensor_dtype_to_np_dtype(to)
        if x.dtype.kind == "f" and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            x = np.clip(x, limits.min, limits.max)
        return (cast_to(x, to, bool(saturate), round_mode),)


class LRN(OpRun):
    """The operator over all channels; ONNX's own implementation covers as many as the batch has."""

    op_domain = ""

    def _run(
        self, x: Array, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int = 1
    ) -> tuple[Array]:
        around = [(0, 0), ((size - 1) // 2, size // 2), *[(0, 0)] * (x.ndim - 2)]
        squares = np.pad(x * x, around)
        total = sum(squares[:, k : k + x.shape[1]] for k in range(size))
        return ((x / (bias + alpha / size * total) ** beta).astype(x.dtype),)


class NoReference(Exception):
    """Nobody here can evaluate the model, and why."""


def load_widened(path: Path, kind: int = _TENSOR.FLOAT) -> Any:
    """An ONNX model whose narrower floating-point types are float32 (or double)."""
    narrow = NARROW if kind == _TENSOR.FLOAT else (*NARROW, _TENSOR.FLOAT)
    proto = load_with_data(path)
    _widen(proto.graph, narrow, kind)
    return proto


def _widen(graph: Any, narrow: tuple[int, ...], kind: int) -> None:
    for number, tensor in enumerate(graph.initializer):
        if tensor.data_type in narrow:
            graph.initializer[number].CopyFrom(_widened(tensor, kind))
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in narrow:
            value.type.tensor_type.elem_type = kind
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _widen(attribute.g, narrow, kind)
            elif attribute.HasField("t") and attribute.t.data_type in narrow:
                attribute.t.CopyFrom(_widened(attribute.t, kind))
            elif attribute.name in ("to", "dtype") and attribute.i in narrow:
                attribute.i = kind


def _widened(tensor: Any, kind: int) -> Any:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name)


def evaluate_onnx(
    proto: Any, inputs: Mapping[str, Array], names: Sequence[str]
) -> dict[str, Array]:
    """Values of a graph by name: outputs, or any other value of its nodes.

    Raises `NoReference` if no implementation here knows the model.
    """
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    overlooked = next((what for node in proto.graph.node if (what := _overlooked(node, opset))), "")
    if overlooked:
        why = f"ONNX's reference implementation overlooks {overlooked}"
        return _by_onnxruntime(proto, inputs, names, why)
    wanted = _ONNX.ModelProto()
    wanted.CopyFrom(proto)
    del wanted.graph.output[:]
    empty = onnx.TypeProto()
    wanted.graph.output.extend(helper.make_value_info(name, empty) for name in names)
    try:
        with np.errstate(all="ignore"):
            evaluator: Any = ReferenceEvaluator(wanted, new_ops=[GatherElements, Cast, LRN])
            found: list[Any] = evaluator.run(None, dict(inputs))
    except Exception as error:
        # It raises anything on what it does not implement.
        return _by_onnxruntime(proto, inputs, names, _reason(error, opset))
    return {name: np.asarray(array) for name, array in zip(names, found, strict=True)}


def _reason(error: Exception, opset: int) -> str:
    """Why ONNX's reference implementation gave nothing."""
    text = " ".join(str(error).split())
    lacks = re.match(r"No implementation for operator '(\w+)' domain '([\w.]*)'", text)
    if lacks is None:
        return text[:160]
    kind, domain = lacks.groups()
    of = f"{domain}.{kind}" if domain else f"{kind} of opset {opset}"
    return f"ONNX's reference implementation lacks {of}"


def typed_inputs(proto: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs in the types that a (widened) file gives them; what it does not take is left out."""
    kinds: dict[str, int] = {v.name: v.type.tensor_type.elem_type for v in proto.graph.input}
    return {
        name: array.astype(helper.tensor_dtype_to_np_dtype(kinds[name]))
        for name, array in inputs.items()
        if name in kinds
    }


def _overlooked(node: Any, opset: int) -> str:
    """What ONNX's reference leaves out of a node, or nothing."""
    given = {a.name: a for a in node.attribute}
    if node.op_type in FLATTENING and opset < 13:
        axis = int(given["axis"].i) if "axis" in given else 1
        return "" if axis == -1 else f"how {node.op_type} reads its axis in opset {opset}"
    if node.op_type == "Unsqueeze" and "axes" in given:
        axes = list(given["axes"].ints)
        return (
            "" if axes == sorted(axes) else f"that the order of {node.op_type}'s axes says nothing"
        )
    if node.op_type in RECURRENT:
        lengths = len(node.input) > 4 and node.input[4]
        left = [name for name in RECURRENT[node.op_type] if name in given]
        return ", ".join([*left, *(["sequence_lens"] if lengths else [])])
    return ""


def _by_onnxruntime(
    proto: Any, inputs: Mapping[str, Array], names: Sequence[str], why: str
) -> dict[str, Array]:
    if find_spec("onnxruntime") is None:
        raise NoReference(f"{why} (ONNX Runtime is not installed)")
    from importlib import import_module

    ort: Any = import_module("onnxruntime")
    own = [o.name for o in proto.graph.output]
    try:
        options: Any = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session: Any = ort.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found: list[Any] = session.run(own, dict(inputs))
    except Exception as error:
        raise NoReference(f"{why}; ONNX Runtime: {' '.join(str(error).split())[:160]}") from error
    values = dict(zip(own, found, strict=True))
    if any(name not in values for name in names):
        raise NoReference(why)
    return {name: np.asarray(values[name]) for name in names}
