"""Loops whose number of iterations is known when the model is read are written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from softex_mlir.compiler.importers.onnx.contrib import call, ints
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value, shape_of_value

MOST = 1024
"""Iterations that are written out; more would be a program of that many copies."""
Body = Callable[[Any, Sequence[Value]], list[Value]]
"""Results of a body graph, given its inputs."""


def scan(state: Importer, node: Node, run: Body) -> list[Value]:
    """A `Scan`: slices of some operands go in, slices of some results come out."""
    if node.opset < 9:
        raise Unsupported("with batches (before opset 9)", "export with opset 9 or later")
    body, count = node.attribute("body"), int(node.attribute("num_scan_inputs"))
    operands = node.inputs()
    states, sequences = operands[: len(operands) - count], operands[len(operands) - count :]
    results = len(body.output) - len(states)
    into = _ends(node, "input", count)
    out = _ends(node, "output", results)
    shapes = [shape_of_value(x) for x in sequences]
    axes = [axis_of(a, len(s)) for (a, _), s in zip(into, shapes, strict=True)]
    lengths = {s[a] for s, a in zip(shapes, axes, strict=True)}
    if len(lengths) != 1:
        raise Unsupported(f"sequences of {sorted(lengths)} elements")
    length = limited(lengths.pop())
    rows: list[list[Value]] = [[] for _ in range(results)]
    for step in range(length):
        slices = [
            call(state, "Gather", x, np.array(length - 1 - step if turned else step), axis=axis)
            for x, axis, (_, turned) in zip(sequences, axes, into, strict=True)
        ]
        made = run(body, [*states, *slices])
        states = made[: len(states)]
        for row, value in zip(rows, made[len(states) :], strict=True):
            row.append(value)
    joined = [
        stacked(state, row[::-1] if turned else row, axis)
        for row, (axis, turned) in zip(rows, out, strict=True)
    ]
    return [*states, *joined]


def _ends(node: Node, side: str, count: int) -> list[tuple[int, bool]]:
    """Axis of each sequence, and whether it runs backwards."""
    axes = node.attribute(f"scan_{side}_axes", [0] * count)
    directions = node.attribute(f"scan_{side}_directions", [0] * count)
    return [(int(a), bool(d)) for a, d in zip(axes, directions, strict=True)]


def loop(state: Importer, node: Node, run: Body) -> list[Value]:
    """A `Loop` whose trip count and conditions are constants."""
    body, trips = node.attribute("body"), node.constant(0, "trip count")
    going = node.constant(1, "condition")
    states: list[Value] = [node.input(i) for i in range(2, len(node.operands))]
    results = len(body.output) - 1 - len(states)
    rows: list[list[Value]] = [[] for _ in range(results)]
    last = MOST + 1 if trips is None else limited(int(trips.item()))
    step = 0
    while (going is None or going.all()) and step < last:
        limited(step + 1)
        made = run(body, [np.array(step), np.array(True), *states])
        going, states = made[0], made[1 : 1 + len(states)]
        if not isinstance(going, np.ndarray):
            raise Unsupported(
                "its condition is known at run time only", "export it with a fixed trip count"
            )
        for row, value in zip(rows, made[1 + len(states) :], strict=True):
            row.append(value)
        step += 1
    return [*states, *(stacked(state, row, 0) for row in rows)]


LOOPS: dict[str, Callable[[Importer, Node, Body], list[Value]]] = {"Scan": scan, "Loop": loop}


def limited(count: int) -> int:
    """A number of iterations; raises `Unsupported` beyond `MOST`."""
    if count > MOST:
        raise Unsupported(f"more than {MOST} iterations")
    return count


def stacked(state: Importer, parts: Sequence[Value], axis: int) -> Value:
    """Values side by side along a new dimension."""
    if not parts:
        raise Unsupported("no iterations, so its sequences have no shape")
    axis = axis_of(axis, len(shape_of_value(parts[0])) + 1)
    rows = [call(state, "Unsqueeze", part, ints(axis)) for part in parts]
    return rows[0] if len(rows) == 1 else call(state, "Concat", *rows, axis=axis)
