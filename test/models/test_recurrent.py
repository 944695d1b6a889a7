"""What ONNX's reference overlooks of recurrent layers, against the operators' own equations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softex_mlir.compiler.driver import Compilation, load_model
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.onnx_reference import NoReference, evaluate_onnx
from softex_mlir.runtime.reference import evaluate

_HELPER: Any = helper  # its type stubs are partial
STEPS, BATCH, INPUTS, HIDDEN = 4, 3, 5, 6
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
Array = np.ndarray
Function = Callable[[Array], Array]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


FUNCTIONS: dict[str, Function] = {
    "Sigmoid": _sigmoid,
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
    "HardSigmoid": lambda x: np.clip(0.25 * x + 0.4, 0, 1),
    "ScaledTanh": lambda x: 1.5 * np.tanh(0.5 * x),
}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}

CASES: dict[str, tuple[str, dict[str, Any], list[int] | None]] = {
    "rnn": ("RNN", {"activations": ["Relu"], "clip": 0.5}, [2, 4, 1]),
    "gru": ("GRU", {"activations": ["HardSigmoid", "Tanh"], "clip": 0.7}, None),
    "gru_lengths": ("GRU", {"linear_before_reset": 1, "direction": "reverse"}, [1, 4, 3]),
    "lstm": ("LSTM", {"input_forget": 1, "clip": 0.3}, None),
    "lstm_both": ("LSTM", {"direction": "bidirectional"}, [4, 2, 3]),
    "lstm_functions": ("LSTM", {"activations": ["HardSigmoid", "ScaledTanh", "Relu"]}, None),
}


def _expected(kind: str, options: dict[str, Any], values: dict[str, Array]) -> list[Array]:
    """Y, then the last states."""
    direction = options.get("direction", "forward")
    backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    names = options.get("activations", DEFAULTS[kind] * len(backwards))
    limit = options.get("clip", np.inf)

    def applied(number: int, x: Array) -> Array:
        return FUNCTIONS[names[number]](np.clip(x, -limit, limit))

    y = np.zeros((STEPS, len(backwards), BATCH, HIDDEN))
    last_h, last_c = (np.zeros((len(backwards), BATCH, HIDDEN)) for _ in range(2))
    for d, turned in enumerate(backwards):
        w, r = values["w"][d], values["r"][d]
        wb, rb = np.split(values["b"][d], 2)
        for sequence in range(BATCH):
            h, c = np.zeros(HIDDEN), np.zeros(HIDDEN)
            steps = list(range(values["lengths"][sequence]))
            for step in reversed(steps) if turned else steps:
                x = w @ values["x"][step, sequence] + wb
                own = r @ h + rb
                if kind == "RNN":
                    h = applied(0, x + own)
                elif kind == "GRU":
                    xz, xr, xh = np.split(x, 3)
                    hz, hr, hh = np.split(own, 3)
                    z, reset = applied(0, xz + hz), applied(0, xr + hr)
                    if options.get("linear_before_reset"):
                        new = applied(1, xh + reset * hh)
                    else:
                        new = applied(1, xh + np.split(r, 3)[2] @ (reset * h) + np.split(rb, 3)[2])
                    h = (1 - z) * new + z * h
                else:
                    i, o, f, g = np.split(x + own, 4)
                    i, o, g = applied(0, i), applied(0, o), applied(1, g)
                    f = 1 - i if options.get("input_forget") else applied(0, f)
                    c = f * c + i * g
                    h = o * FUNCTIONS[names[2]](c)
                y[step, d, sequence] = h
            last_h[d, sequence], last_c[d, sequence] = h, c
    return [y, last_h, last_c][: 3 if kind == "LSTM" else 2]


def _model(name: str, *, run_time: bool) -> tuple[Any, dict[str, Array]]:
    kind, options, lengths = CASES[name]
    count = 2 if options.get("direction") == "bidirectional" else 1
    random, width = np.random.default_rng(5), GATES[kind] * HIDDEN
    shapes = {
        "x": (STEPS, BATCH, INPUTS),
        "w": (count, width, INPUTS),
        "r": (count, width, HIDDEN),
        "b": (count, 2 * width),
    }
    values: dict[str, Array] = {
        # Numbers that BF16 holds.
        n: np.round(random.standard_normal(s) * 16).astype(np.float32) / 16
        for n, s in shapes.items()
    }
    inputs = ["x", "w", "r", "b"] + (["lengths"] if lengths else [])
    outputs = ["y", "y_h", "y_c"][: 3 if kind == "LSTM" else 2]
    scaled: dict[str, Any] = {"activation_alpha": [0.25], "activation_beta": [0.4]}
    if "ScaledTanh" in options.get("activations", []):
        scaled: dict[str, Any] = {"activation_alpha": [0.25, 1.5], "activation_beta": [0.4, 0.5]}
    if "HardSigmoid" not in options.get("activations", []):
        scaled = {}
    node = _HELPER.make_node(kind, inputs, outputs, hidden_size=HIDDEN, **options, **scaled)
    values["lengths"] = np.array(lengths or [STEPS] * BATCH, np.int32)
    given = ["x", "lengths"] if run_time else ["x"]
    graph = helper.make_graph(
        [node],
        name,
        [
            helper.make_tensor_value_info(
                n, helper.np_dtype_to_tensor_dtype(values[n].dtype), values[n].shape
            )
            for n in given
        ],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(values[n], n) for n in inputs if n not in given],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made, values


@pytest.mark.parametrize("name", CASES)
def test_recurrent_layer(name: str, tmp_path: Path) -> None:
    kind, options, lengths = CASES[name]
    model, values = _model(name, run_time=lengths is not None)
    path = tmp_path / f"{name}.onnx"
    onnx.save(model, path)
    expected = _expected(kind, options, values)
    compilation = Compilation.of(load_model(path, {}), Machine.load("paper"))
    found = compilation.model
    inputs = {port.name: values[port.name] for port in found.inputs}
    results = evaluate(found.module, found.weights, inputs, arithmetic="float32")
    for port, array in zip(found.outputs, expected, strict=True):
        np.testing.assert_allclose(results[port.name], array, rtol=1e-4, atol=1e-5)
    program = compilation.program()
    result = session.run(program, inputs)
    assert check(program, result, inputs).identical
    for port, array in zip(found.outputs, expected, strict=True):
        assert np.abs(np.asarray(result.outputs[port.name], np.float32) - array).max() < 0.05


def test_reference_says_what_it_overlooks() -> None:
    model, values = _model("lstm", run_time=False)
    with pytest.raises(NoReference, match=r"overlooks clip, input_forget|ONNX Runtime"):
        evaluate_onnx(model, {"x": values["x"]}, ["y"])
