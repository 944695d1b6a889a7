"""Outputs that are views of other values, of inputs, of weights, or of one another; and names of a
model that are spelled like the compiler's own. Expected values are numpy's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t

CASES = int(os.environ.get("FUZZ_CASES", "0")) // 1000 or 40


@dataclass
class Graph:
    """A model under construction, and what its values are."""

    builder: ModelBuilder
    inputs: dict[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    values: list[tuple[SSAValue, np.ndarray]] = field(
        default_factory=list[tuple[SSAValue, np.ndarray]]
    )

    def add(self, op: t.TransformerOp, expected: np.ndarray) -> None:
        self.values.append((self.builder.add(op), expected))

    def check(self, outputs: list[tuple[SSAValue, np.ndarray]]) -> None:
        """Compile, run and compare."""
        model = self.builder.finish({f"out{i}": value for i, (value, _) in enumerate(outputs)})
        found = Compilation.of(model).program().run(self.inputs).outputs
        for index, (_, expected) in enumerate(outputs):
            got = found[f"out{index}"].astype(np.float32)
            np.testing.assert_array_equal(got, expected, err_msg=f"output {index}")


@st.composite
def shapes_of(draw: st.DrawFn, count: int) -> list[int]:
    """Sizes whose product is `count`."""
    sizes: list[int] = []
    while count > 1 and len(sizes) < 3:
        size = draw(st.sampled_from([n for n in range(1, count + 1) if count % n == 0]))
        sizes.append(size)
        count //= size
    return [*sizes, count]


def view(draw: st.DrawFn, graph: Graph) -> None:
    """A reshape, slice or transposition of some value."""
    value, array = draw(st.sampled_from(graph.values))
    kind = draw(st.sampled_from(("reshape", "slice", "transpose")))
    if kind == "reshape":
        shape = draw(shapes_of(array.size))
        graph.add(t.ReshapeOp(value, shape), array.reshape(shape))
    elif kind == "slice":
        offsets = [draw(st.integers(0, n - 1)) for n in array.shape]
        sizes = [draw(st.integers(1, n - o)) for n, o in zip(array.shape, offsets, strict=True)]
        where = tuple(slice(o, o + n) for o, n in zip(offsets, sizes, strict=True))
        graph.add(t.SliceOp(value, offsets, sizes), array[where])
    else:
        order = draw(st.permutations(range(array.ndim)))
        graph.add(t.TransposeOp(value, order), array.transpose(order))


def work(draw: st.DrawFn, graph: Graph) -> None:
    """Something computed: rows on the cores, a product, or a concatenation."""
    value, array = draw(st.sampled_from(graph.values))
    kind = draw(st.sampled_from(("relu", "linear", "concat")))
    if kind == "linear":
        flat = array.reshape(-1, array.shape[-1])
        rows = graph.builder.add(t.ReshapeOp(value, flat.shape))
        # a selection of columns: exact, whatever was computed before
        columns = draw(st.integers(1, 40))
        chosen = [draw(st.integers(0, flat.shape[1] - 1)) for _ in range(columns)]
        w = np.zeros((flat.shape[1], columns), np.float32)
        w[chosen, range(columns)] = 1
        weight = graph.builder.constant(f"w{len(graph.values)}", w)
        graph.add(t.LinearOp(rows, weight), flat[:, chosen])
    elif kind == "concat":
        graph.add(t.ConcatOp([value, value], 0), np.concatenate([array, array]))
    else:
        graph.add(t.ReluOp(value), np.maximum(array, 0))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[tuple[SSAValue, np.ndarray]]]:
    """A small graph and the values it returns, some of them twice."""
    shape = draw(st.sampled_from([(4, 6), (3, 32), (2, 3, 8), (1, 5, 40)]))
    graph = Graph(ModelBuilder("outputs", [Port("x", shape, "float32")]))
    x, w = np.random.default_rng(draw(st.integers(0, 99))).integers(-9, 9, (2, *shape))
    graph.inputs["x"] = x.astype(np.float32)
    graph.values.append((graph.builder.arguments[0], graph.inputs["x"]))
    weight = graph.builder.constant("w", w.astype(np.float32))
    graph.values.append((weight, w.astype(np.float32)))
    for _ in range(draw(st.integers(1, 5))):
        draw(st.sampled_from((view, view, work)))(draw, graph)
    outputs = draw(st.lists(st.sampled_from(graph.values), min_size=2, max_size=3))
    return graph, outputs


@settings(max_examples=CASES, deadline=None)
@given(graphs())
def test_outputs_that_are_views(case: tuple[Graph, list[tuple[SSAValue, np.ndarray]]]) -> None:
    graph, outputs = case
    graph.check(outputs)


def test_names_spelled_like_the_compiler_s_own() -> None:
    """A weight may be called as a region, a kernel, a stream's function or a constant would be."""
    names = [f"{stem}_{n}" for n in range(12) for stem in ("add", "mul", "linear", "t", "concat")]
    names += ["zeros", "input.x", "output.out0", "softex_slopes", "softex_weights"]
    names += ["add_4x40", "add_4x40_1", "add_4x40_dma_out", "add_4x40_compute", "w.tiles_64x32"]
    graph = Graph(ModelBuilder("names", [Port("x", (4, 40), "float32")]))
    value, array = graph.builder.arguments[0], np.arange(160, dtype=np.float32).reshape(4, 40) % 7
    graph.inputs["x"] = array
    for index, name in enumerate(names):
        row = np.full(40, index % 5 - 2, np.float32)
        value = graph.builder.add(t.AddOp(value, graph.builder.constant(name, row)))
        array = array + row
    weight = graph.builder.constant("w", np.eye(40, 24, dtype=np.float32))
    value = graph.builder.add(t.LinearOp(value, weight))
    graph.check([(value, array[:, :24]), (graph.builder.arguments[0], graph.inputs["x"])])
