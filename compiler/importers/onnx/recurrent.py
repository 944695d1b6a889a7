"""ONNX's recurrent layers, written out: a product for all inputs, then one a step for the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softex_mlir.compiler.importers.onnx.contrib import call, ints
from softex_mlir.compiler.importers.onnx.control_flow import limited, stacked
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value, shape_of_value

Function = Callable[[Value], Value]


@dataclass(frozen=True)
class _Direction:
    """A layer in one direction; parameters without their dimension of directions.

    Attributes:
        w, r: weights of inputs and state, [gates x hidden, inputs] and [gates x hidden, hidden].
        wb, rb: their biases, [gates x hidden].
        peepholes: [3 x hidden], or None.
        functions: activation functions in ONNX's order.
        clip: limit of what activation functions are given, or None.
    """

    state: Importer
    hidden: int
    w: Value
    r: Value
    wb: Value
    rb: Value
    peepholes: Value
    functions: Sequence[Function]
    clip: float | None

    def op(self, kind: str, *values: Value, **attributes: Any) -> Value:
        """The result of a standard operator."""
        return call(self.state, kind, *values, **attributes)

    def part(self, value: Value, number: int, axis: int = -1) -> Value:
        """A gate's part of what is held for all gates."""
        start = number * self.hidden
        return self.op("Slice", value, ints(start), ints(start + self.hidden), ints(axis))

    def activated(self, function: int, value: Value) -> Value:
        """An activation function of clipped inputs."""
        if self.clip is not None:
            limit = np.float32(self.clip)
            value = self.op("Clip", value, np.array(-limit), np.array(limit))
        return self.functions[function](value)

    def recurrent(self, value: Value, weights: Value) -> Value:
        """A state's product with weights [results, hidden]."""
        return self.op("MatMul", value, self.op("Transpose", weights, perm=[1, 0]))

    def from_inputs(self, x: Value) -> Value:
        """[steps, batch, gates x hidden] of all inputs."""
        product = self.op("MatMul", x, self.op("Transpose", self.w, perm=[1, 0]))
        return self.op("Add", product, self.wb)


Step = Callable[[_Direction, Value, Sequence[Value]], list[Value]]
"""Next states, the visible one first, of a step's share of the inputs and the states before."""


def _rnn_step(d: _Direction, x: Value, states: Sequence[Value]) -> list[Value]:
    own = d.op("Add", d.recurrent(states[0], d.r), d.rb)
    return [d.activated(0, d.op("Add", x, own))]


def _gru_step(d: _Direction, x: Value, states: Sequence[Value], *, before: bool) -> list[Value]:
    """Gates z, r, h; `before`: the reset gate multiplies the product instead of the state."""
    h, end = states[0], ints((3 if before else 2) * d.hidden)
    weights, biases = (d.op("Slice", v, ints(0), end, ints(0)) for v in (d.r, d.rb))
    own = d.op("Add", d.recurrent(h, weights), biases)
    z, r = (d.activated(0, d.op("Add", d.part(x, g), d.part(own, g))) for g in range(2))
    if before:
        reset = d.op("Mul", r, d.part(own, 2))
    else:
        reset = d.recurrent(d.op("Mul", r, h), d.part(d.r, 2, 0))
        reset = d.op("Add", reset, d.part(d.rb, 2))
    candidate = d.activated(1, d.op("Add", d.part(x, 2), reset))
    # (1 - z) candidate + z h
    return [d.op("Add", candidate, d.op("Mul", z, d.op("Sub", h, candidate)))]


def _lstm_step(d: _Direction, x: Value, states: Sequence[Value], *, coupled: bool) -> list[Value]:
    """Gates i, o, f, c; `coupled`: the forget gate is what the input gate leaves."""
    h, c = states
    gates = d.op("Add", x, d.op("Add", d.recurrent(h, d.r), d.rb))

    def gate(number: int, cell: Value) -> Value:
        value = d.part(gates, number)
        if d.peepholes is not None:
            value = d.op("Add", value, d.op("Mul", d.part(d.peepholes, number), cell))
        return d.activated(0, value)

    i = gate(0, c)
    f = d.op("Sub", np.array(1, np.float32), i) if coupled else gate(2, c)
    candidate = d.activated(1, d.part(gates, 3))
    cell = d.op("Add", d.op("Mul", f, c), d.op("Mul", i, candidate))
    return [d.op("Mul", gate(1, cell), d.functions[2](cell)), cell]


def _functions(state: Importer, node: Node, defaults: Sequence[str], count: int) -> list[Function]:
    """The activation functions of all directions; those with parameters take them in order."""
    given = [name.decode() for name in node.attribute("activations", [])]
    alphas = list(node.attribute("activation_alpha", []))
    betas = list(node.attribute("activation_beta", []))
    return [_function(state, name, alphas, betas) for name in given or list(defaults) * count]


PARAMETERS: dict[str, tuple[float | None, float | None]] = {
    "affine": (1.0, 0.0),
    "elu": (1.0, None),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01, None),
    "scaledtanh": (1.0, 1.0),
    "thresholdedrelu": (1.0, None),
}
"""Defaults of alpha and beta of the functions that take them."""
PLAIN = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
}
WITH_ALPHA = {"elu": "Elu", "leakyrelu": "LeakyRelu", "thresholdedrelu": "ThresholdedRelu"}


def _function(state: Importer, name: str, alphas: list[float], betas: list[float]) -> Function:
    kind = name.lower()
    default_alpha, default_beta = PARAMETERS.get(kind, (None, None))
    alpha = default_alpha if default_alpha is None or not alphas else alphas.pop(0)
    beta = default_beta if default_beta is None or not betas else betas.pop(0)
    if kind in PLAIN:
        return lambda x: call(state, PLAIN[kind], x)
    if kind in WITH_ALPHA:
        return lambda x: call(state, WITH_ALPHA[kind], x, alpha=alpha)
    if kind == "hardsigmoid":
        return lambda x: call(state, "HardSigmoid", x, alpha=alpha, beta=beta)
    a, b = np.array(alpha, np.float32), np.array(beta, np.float32)
    if kind == "affine":
        return lambda x: call(state, "Add", call(state, "Mul", x, a), b)
    if kind == "scaledtanh":
        return lambda x: call(state, "Mul", call(state, "Tanh", call(state, "Mul", x, b)), a)
    raise Unsupported(f"the activation function {name}")


@operator("RNN", note="written out step by step")
def rnn(state: Importer, node: Node) -> list[Value]:
    return _layer(state, node, _rnn_step, gates=1, states=1, defaults=("Tanh",))


@operator("GRU", note="written out step by step")
def gru(state: Importer, node: Node) -> list[Value]:
    before = bool(node.attribute("linear_before_reset", 0))

    def step(d: _Direction, x: Value, states: Sequence[Value]) -> list[Value]:
        return _gru_step(d, x, states, before=before)

    return _layer(state, node, step, gates=3, states=1, defaults=("Sigmoid", "Tanh"))


@operator("LSTM", note="written out step by step")
def lstm(state: Importer, node: Node) -> list[Value]:
    coupled = bool(node.attribute("input_forget", 0))

    def step(d: _Direction, x: Value, states: Sequence[Value]) -> list[Value]:
        return _lstm_step(d, x, states, coupled=coupled)

    return _layer(state, node, step, gates=4, states=2, defaults=("Sigmoid", "Tanh", "Tanh"))


def _layer(
    state: Importer, node: Node, step: Step, *, gates: int, states: int, defaults: Sequence[str]
) -> list[Value]:
    """All outputs of a layer: the visible states of all steps, then the last states."""
    direction = node.attribute("direction", b"forward").decode()
    turns = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    if direction not in turns:
        raise Unsupported(f"direction = {direction}")
    count, batch_first = len(turns[direction]), bool(node.attribute("layout", 0))
    x = node.input(0)
    if batch_first:
        x = call(state, "Transpose", x, perm=[1, 0, 2])
    steps, batch, _ = shape_of_value(x)
    hidden = shape_of_value(node.input(2))[-1]
    if node.attribute("hidden_size", hidden) != hidden:
        raise Unsupported(f"hidden_size differs from the {hidden} columns of R")
    functions = _functions(state, node, defaults, count)
    if len(functions) != count * len(defaults):
        raise Unsupported(f"{len(functions)} activation functions; {len(defaults)} a direction")
    lengths = node.input(4)
    if isinstance(lengths, np.ndarray) and (lengths == steps).all():
        lengths = None
    given = [node.input(5 + s) for s in range(states)]
    peepholes = node.input(7) if states == 2 else None
    rows: list[Value] = []
    ends: list[list[Value]] = [[] for _ in range(states)]
    for number, backwards in enumerate(turns[direction]):
        mine = functions[number * len(defaults) : (number + 1) * len(defaults)]
        layer = _direction(state, node, number, gates, hidden, peepholes, mine)
        first = [_initial(state, v, number, batch, hidden, batch_first) for v in given]
        visible, last = _run(layer, step, x, first, lengths, backwards=backwards)
        rows.append(visible)
        for end, value in zip(ends, last, strict=True):
            end.append(value)
    y = stacked(state, rows, 1)
    finals = [stacked(state, end, 0) for end in ends]
    if batch_first:
        y = call(state, "Transpose", y, perm=[2, 0, 1, 3])
        finals = [call(state, "Transpose", v, perm=[1, 0, 2]) for v in finals]
    return [y, *finals]


def _direction(
    state: Importer,
    node: Node,
    number: int,
    gates: int,
    hidden: int,
    peepholes: Value,
    functions: Sequence[Function],
) -> _Direction:
    def mine(value: Value) -> Value:
        return None if value is None else call(state, "Gather", value, np.array(number), axis=0)

    width = gates * hidden
    biases = mine(node.input(3))
    if biases is None:
        biases = np.zeros(2 * width, np.float32)
    wb, rb = (call(state, "Slice", biases, ints(i * width), ints((i + 1) * width)) for i in (0, 1))
    clip = node.attribute("clip")
    return _Direction(
        state,
        hidden,
        mine(node.input(1)),
        mine(node.input(2)),
        wb,
        rb,
        mine(peepholes),
        functions,
        None if clip is None else float(clip),
    )


def _initial(
    state: Importer, value: Value, number: int, batch: int, hidden: int, batch_first: bool
) -> Value:
    """[batch, hidden] of initial states, zeros where none are given."""
    if value is None:
        return np.zeros((batch, hidden), np.float32)
    return call(state, "Gather", value, np.array(number), axis=1 if batch_first else 0)


def _run(
    layer: _Direction,
    step: Step,
    x: Value,
    states: list[Value],
    lengths: Value,
    *,
    backwards: bool,
) -> tuple[Value, list[Value]]:
    """Visible states [steps, batch, hidden], and the last states.

    Behind the end of a sequence its states stay as they are, and what is visible is 0.
    """
    steps = limited(shape_of_value(x)[0])
    inputs = layer.from_inputs(x)
    rows: list[Value] = []
    for number in reversed(range(steps)) if backwards else range(steps):
        found = step(layer, layer.op("Gather", inputs, np.array(number), axis=0), states)
        visible = found[0]
        if lengths is not None:
            runs = layer.op("Greater", lengths, np.array(number, np.int32))
            runs = layer.op("Unsqueeze", runs, ints(-1))
            visible = layer.op("Where", runs, visible, np.zeros((1, 1), np.float32))
            found = [layer.op("Where", runs, *pair) for pair in zip(found, states, strict=True)]
        states = found
        rows.append(visible)
    return stacked(layer.state, rows[::-1] if backwards else rows, 0), states
