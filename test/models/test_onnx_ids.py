"""What exporters compute from token ids: positions counted over the tokens that are no padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_harness import HIDDEN, TOKENS, Graph, agree

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.errors import UserError
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

VOCABULARY, PADDING = 50, 1


def counted(g: Graph, kind: str) -> str:
    """Positions in the spellings of RoBERTa (of ids) and OPT (of a mask)."""
    axis = g.constant(1, np.int64)
    if kind == "ids":
        same = g.node("Equal", "ids", g.constant(PADDING, np.int64))
        visible = g.node("Cast", g.node("Not", same), to=TensorProto.INT32)
        count = g.node("Mul", g.node("CumSum", visible, axis), visible)
        wide = g.node("Cast", count, to=TensorProto.INT64)
        return g.node("Add", wide, g.constant(PADDING, np.int64))
    count = g.node("Mul", g.node("CumSum", "ids", axis), "ids")
    return g.node("Add", g.node("Sub", count, g.constant(1, np.int64)), g.constant(2, np.int64))


def model(path: Path, kind: str, *, positions: int = TOKENS + 2, function: str = "") -> Any:
    """Word and position embeddings, token types from a buffer of zeros, layer norm, linear."""
    g = Graph()
    where = counted(g, kind)
    if function:
        where = g.node(function, where, g.constant(2, np.int64))
    types = g.node("Gather", g.constant(np.zeros(positions), np.int64), where, axis=0)
    rows = [
        g.node("Gather", g.weight(size, HIDDEN, scale=1.0), index, axis=0)
        for size, index in ((VOCABULARY, "ids"), (positions, where), (2, types))
    ]
    y = g.node("Add", g.node("Add", rows[0], rows[1]), rows[2])
    y = g.linear(g.norm(y, "op"), HIDDEN, HIDDEN, "matmul")
    info = [helper.make_tensor_value_info("ids", TensorProto.INT64, (2, TOKENS))]
    return g.save(path, info, y)


def sample(kind: str) -> Any:
    random = np.random.default_rng(0)
    if kind == "mask":
        return random.integers(0, 2, (2, TOKENS))
    ids = random.integers(0, VOCABULARY, (2, TOKENS))
    ids[:, 15:] = PADDING
    return ids


@pytest.mark.parametrize("kind", ["ids", "mask"])
def test_counted_positions(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.onnx"
    proto = model(path, kind)
    ops = agree(path, proto, {"ids": sample(kind)})
    assert ops["position_ids"] == 1
    assert ops["embedding"] == 2


def test_counted_positions_on_the_cluster(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model(path, "ids")
    compilation = Compilation.of(path)
    inputs = {"ids": sample("ids")}
    found = compilation.program().run(inputs).outputs["y"]
    expected = evaluate(compilation.model.module, compilation.model.weights, inputs)["y"]
    np.testing.assert_array_equal(found.view(np.uint16), expected.view(np.uint16))


def test_ids_beyond_the_table_are_refused_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model(path, "ids")
    program = Compilation.of(path).program()
    assert [port.limit for port in program.inputs] == [VOCABULARY]
    ids = sample("ids")
    for wrong in (VOCABULARY, -1):
        ids[0, 3] = wrong
        with pytest.raises(UserError, match=r"input 'ids': .* must be in 0\.\.49, found "):
            program.run({"ids": ids})


def test_too_few_positions(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model(path, "ids", positions=TOKENS)
    with pytest.raises(OnnxError, match="20 tokens need 22 positions, its table has 20"):
        import_onnx(path)


def test_other_functions_of_ids_are_computed(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    proto = model(path, "ids", function="Mod")
    assert agree(path, proto, {"ids": sample("ids")})["position_ids"] == 0


def indexed(path: Path, tokens: int, write: Any, rows: int = 12) -> Any:
    """Rows of a table at what `write` computes from the ids."""
    g = Graph()
    y = g.node("Gather", g.weight(rows, HIDDEN, scale=1.0), write(g), axis=0)
    info = [helper.make_tensor_value_info("ids", TensorProto.INT64, (1, tokens))]
    return g.save(path, info, g.node("Relu", y))


@pytest.mark.parametrize("shift", [2, 0, -1])
@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_positions_and_a_number(tmp_path: Path, tokens: int, shift: int) -> None:
    path = tmp_path / "m.onnx"
    proto = indexed(path, tokens, lambda g: g.node("Add", "ids", g.constant(shift, np.int64)))
    for ids in (np.arange(tokens), 9 - 3 * np.arange(tokens)):
        assert agree(path, proto, {"ids": ids[None]})["position_ids"] == 0


@pytest.mark.parametrize("tokens", [2, 3])
def test_few_counted_positions(tmp_path: Path, tokens: int) -> None:
    path = tmp_path / "m.onnx"
    proto = indexed(path, tokens, lambda g: counted(g, "mask"))
    for mask in ([1] * tokens, [0] + [1] * (tokens - 1), [1] + [0] * (tokens - 1)):
        assert agree(path, proto, {"ids": np.array([mask])})["position_ids"] == 1


def test_one_token_does_not_tell_counted_positions(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    proto = indexed(path, 1, lambda g: counted(g, "mask"))
    for mask in (0, 1):
        assert agree(path, proto, {"ids": np.array([[mask]])})["position_ids"] == 0


@pytest.mark.parametrize("special", [3, 11])
def test_a_number_with_a_meaning_of_its_own_is_no_position(tmp_path: Path, special: int) -> None:
    path = tmp_path / "m.onnx"

    def write(g: Graph) -> str:
        number = g.constant(special, np.int64)
        return g.node("Where", g.node("Equal", "ids", number), g.constant(0, np.int64), "ids")

    proto = indexed(path, 2, write)
    for ids in ([special, 2], [1, special], [special - 1, 0]):
        agree(path, proto, {"ids": np.array([ids])})


def test_what_is_not_computed_names_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"

    def write(g: Graph) -> str:
        ones = g.node("Unique", g.node("Mod", "ids", g.constant(3, np.int64)))
        return g.node("Slice", ones, *(g.constant([n], np.int64) for n in (0, 1)))

    indexed(path, 2, write)
    with pytest.raises(OnnxError, match="operator Unique is not supported"):
        import_onnx(path)


def test_a_hash_of_ids_is_no_shift(tmp_path: Path) -> None:
    """Only id 0 selects a row as (ids + 31) would: a probe of it alone could not fail."""
    graph = Graph()
    product = graph.node(
        "Mul", graph.node("Add", "ids", graph.constant(1, np.int64)), graph.constant(31, np.int64)
    )
    bucket = graph.node("Mod", product, graph.constant(32, np.int64))
    y = graph.node("Gather", graph.weight(32, 8, scale=1.0), bucket)
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, (1, 9))
    model = graph.save(tmp_path / "m.onnx", [ids], y)
    agree(tmp_path / "m.onnx", model, {"ids": np.arange(9)[None] * 11})


@pytest.mark.parametrize("functions", [[], ["Floor"], ["Identity", "Round"]])
def test_ids_that_are_floating_point_numbers(functions: list[str], tmp_path: Path) -> None:
    """Stay whole: BF16 holds no 257."""
    g = Graph()
    value = "ids"
    for function in functions:
        value = g.node(function, value)
    value = g.node("Cast", value, to=TensorProto.INT64)
    g.save(
        tmp_path / "m.onnx",
        [helper.make_tensor_value_info("ids", TensorProto.FLOAT, (3,))],
        g.node("Gather", g.weight(400, HIDDEN, scale=1.0), value),
    )
    program = Compilation.of(tmp_path / "m.onnx").program()
    ids = np.array([3.0, 257.0, 301.0], np.float32)
    result = program.run({"ids": ids})
    (table,) = g.initializers
    (found,) = result.outputs.values()
    expected = numpy_helper.to_array(table)[ids.astype(int)].astype(found.dtype)
    np.testing.assert_array_equal(np.asarray(found), expected)
    assert check(program, result, {"ids": ids}).identical
