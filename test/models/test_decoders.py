"""Decoders with a cache from ONNX files as exporters write them (`record_decoders.py`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from softex_mlir.compiler.decoders import read_decoder
from softex_mlir.compiler.driver import Compilation
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.front_door import compile_and_check, named_model
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.decoder_check import DecoderCheck
from softex_mlir.runtime.onnx_reference import evaluate_onnx, load_widened, typed_inputs

FOLDER = Path(__file__).parent / "decoders"
FILES = sorted(path.stem for path in FOLDER.glob("*.onnx"))


def merged(path: Path, folder: Path) -> Path:
    """A file whose `use_cache_branch` chooses between two branches, as Optimum merged them."""
    model = onnx.load(path)
    graph = model.graph
    branches: list[onnx.GraphProto] = []
    for name in ("then", "else"):
        renamed = onnx.compose.add_prefix_graph(
            graph, f"{name}/", rename_inputs=False, rename_initializers=False
        )
        branches.append(helper.make_graph(list(renamed.node), name, [], list(renamed.output)))
    node = helper.make_node(
        "If",
        ["use_cache_branch"],
        [output.name for output in graph.output],
        then_branch=branches[0],
        else_branch=branches[1],
    )
    condition = helper.make_tensor_value_info("use_cache_branch", onnx.TensorProto.BOOL, [1])
    inputs = [*graph.input, condition]
    whole = helper.make_graph([node], "merged", inputs, list(graph.output), graph.initializer)
    target = folder / "merged.onnx"
    version, opsets = model.ir_version, model.opset_import
    onnx.save(helper.make_model(whole, opset_imports=opsets, ir_version=version), target)
    return target


def checked(path: Path, batch: int = 1) -> DecoderCheck:
    """A file against itself on whole sequences, in float32, with no cache."""
    watch = DecoderCheck(path, {}, True)
    model = read_decoder(path, {"max_length": 128, "batch": batch})
    model.module.verify()
    watch.observe("import", model)
    assert watch.errors["import"] < 1e-5
    return watch


@pytest.mark.parametrize("name", FILES)
def test_entries_compute_what_the_file_says(name: str):
    checked(FOLDER / f"{name}.onnx")


def attention_file(folder: Path, opset: int, *, scattered: bool) -> Path:
    """A layer of ONNX's `Attention` with a cache of its own, or one that `TensorScatter` fills."""
    random = np.random.default_rng(0)
    heads, groups, size, width, ids = 4, 2, 8, 32, 40
    shapes = {
        "table": (ids, width),
        "q.weight": (width, heads * size),
        "k.weight": (width, groups * size),
        "v.weight": (width, groups * size),
        "head": (heads * size, ids),
    }
    weights = [
        onnx.numpy_helper.from_array(random.standard_normal(shape).astype(np.float32) * 0.3, name)
        for name, shape in shapes.items()
    ]
    weights.append(onnx.numpy_helper.from_array(np.array([0, 0, -1, size]), "split"))
    weights.append(onnx.numpy_helper.from_array(np.array([0, 0, -1]), "join"))
    past = {c: f"past_key_values.0.{what}" for c, what in (("k", "key"), ("v", "value"))}
    present = {c: f"present.0.{what}" for c, what in (("k", "key"), ("v", "value"))}
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["x"])]
    for c in "qkv":
        nodes.append(helper.make_node("MatMul", ["x", f"{c}.weight"], [f"{c}.flat"]))
        nodes.append(helper.make_node("Reshape", [f"{c}.flat", "split"], [f"{c}.split"]))
        nodes.append(helper.make_node("Transpose", [f"{c}.split"], [c], perm=[0, 2, 1, 3]))
    integers = {"input_ids": ["batch", "tokens"]}
    if scattered:
        integers |= {"first": ["batch"], "lengths": ["batch"]}
        for c, name in past.items():
            node = helper.make_node("TensorScatter", [name, c, "first"], [present[c]], axis=2)
            nodes.append(node)
        operands, results = ["q", *present.values(), "", "", "", "lengths"], ["y"]
    else:
        operands, results = ["q", "k", "v", "", *past.values()], ["y", *present.values()]
    nodes.append(helper.make_node("Attention", operands, results, is_causal=1))
    nodes.append(helper.make_node("Transpose", ["y"], ["y.split"], perm=[0, 2, 1, 3]))
    nodes.append(helper.make_node("Reshape", ["y.split", "join"], ["y.flat"]))
    nodes.append(helper.make_node("MatMul", ["y.flat", "head"], ["logits"]))
    kind, cache = onnx.TensorProto.FLOAT, ["batch", groups, "places", size]
    inputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.INT64, dims)
        for name, dims in integers.items()
    ]
    inputs += [helper.make_tensor_value_info(name, kind, cache) for name in past.values()]
    outputs = [
        helper.make_tensor_value_info(name, kind, None) for name in ("logits", *present.values())
    ]
    graph = helper.make_graph(nodes, "attention", inputs, outputs, weights)
    path = folder / "attention.onnx"
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


@pytest.mark.parametrize(("opset", "scattered"), [(23, False), (24, False), (24, True)])
def test_attention_with_a_cache_of_its_own(opset: int, scattered: bool, tmp_path: Path):
    checked(attention_file(tmp_path, opset, scattered=scattered), batch=2)


def test_merged_files_are_read_at_the_branch_with_a_cache(tmp_path: Path):
    checked(merged(FOLDER / "gpt2.onnx", tmp_path))


@pytest.mark.parametrize("name", ["gpt2", "llama-dynamo"])
def test_sequences_of_a_batch_have_positions_of_their_own(name: str):
    checked(FOLDER / f"{name}.onnx", batch=2)


def test_the_cache_is_neither_copied_nor_repeated_for_grouped_heads():
    model = read_decoder(FOLDER / "llama.onnx", {"max_length": 128})
    for function in (op for op in model.module.ops if op.name == "func.func"):
        found = [op for op in function.walk() if isinstance(op, t.AttentionOp)]
        assert [op.heads_of_keys for op in found] == [2]
        for op in found:
            assert isinstance(op.k.owner, t.AppendOp)
            assert isinstance(op.v.owner, t.AppendOp)


def test_a_program_of_a_file_generates_and_agrees_with_the_evaluator():
    path = FOLDER / "llama.onnx"
    model = named_model(path, {"max_length": 128})
    compilation, line = compile_and_check(model)
    assert line.startswith("self-check: prefill and decode, import")
    program = compilation.program()
    made = program.generate([[3, 17, 60]], 4)
    ids = np.array([[3, 17, 60, *made.tokens[0]]])
    proto = load_widened(path)
    inputs = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "position_ids": np.arange(7)[None],
        **{f"past_key_values.0.{k}": np.zeros((1, 2, 0, 8), np.float32) for k in ("key", "value")},
    }
    logits = evaluate_onnx(proto, inputs, ["logits"])["logits"][0]
    assert made.tokens[0] == [int(np.argmax(row)) for row in logits[2:6]]
    decode = program.at("decode")
    one = {"input_ids": np.array([[5]]), "position": np.array([3])}
    result = session.run(decode, one)
    assert check(decode, result, {}, {}).identical


def test_a_step_with_a_fixed_past_is_a_model_like_any_other():
    path = FOLDER / "llama.onnx"
    cache = (1, 2, 11, 8)
    shapes = {
        "input_ids": (1, 1),
        "position_ids": (1, 1),
        "attention_mask": (1, 12),
        "past_key_values.0.key": cache,
        "past_key_values.0.value": cache,
    }
    compilation, line = compile_and_check(path, shapes=shapes)
    assert "import" in line
    assert "warning" not in line
    program = compilation.program()
    assert [port.name for port in program.outputs] == ["logits", "present.0.key", "present.0.value"]
    random = np.random.default_rng(0)
    inputs = {
        "input_ids": np.array([[7]]),
        "position_ids": np.array([[11]]),
        "attention_mask": np.ones((1, 12), np.int64),
        "past_key_values.0.key": random.standard_normal(cache, np.float32),
        "past_key_values.0.value": random.standard_normal(cache, np.float32),
    }
    result = session.run(program, inputs)
    assert check(program, result, {}).identical
    proto = load_widened(path)
    expected = evaluate_onnx(proto, typed_inputs(proto, inputs), ["logits"])["logits"]
    assert np.argmax(result.outputs["logits"]) == np.argmax(expected)


def test_files_without_a_cache_are_refused(tmp_path: Path):
    model = onnx.load(FOLDER / "gpt2.onnx")
    first = model.graph.input[0]
    graph = helper.make_graph(
        [helper.make_node("Cast", ["input_ids"], ["y"], to=onnx.TensorProto.FLOAT)],
        "none",
        [first],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
    )
    path = tmp_path / "none.onnx"
    onnx.save(helper.make_model(graph, opset_imports=model.opset_import), path)
    with pytest.raises(UserError, match="without --max-length"):
        read_decoder(path, {"max_length": 128})
    with pytest.raises(UserError, match="found tokens"):
        read_decoder(FOLDER / "gpt2.onnx", {"tokens": 3})


def test_masks_that_no_position_decides_are_refused(tmp_path: Path):
    """A query that sees every other key: neither all up to its own, nor the last of them."""
    model = onnx.load(FOLDER / "gpt2.onnx")
    softmax = next(n for n in model.graph.node if n.op_type == "Softmax")
    extra = [
        helper.make_node("Shape", [softmax.input[0]], ["odd.shape"]),
        helper.make_node("Constant", [], ["odd.axis"], value_ints=[3]),
        helper.make_node("Gather", ["odd.shape", "odd.axis"], ["odd.keys"]),
        helper.make_node("Constant", [], ["odd.start"], value_int=0),
        helper.make_node("Constant", [], ["odd.step"], value_int=1),
        helper.make_node("Squeeze", ["odd.keys"], ["odd.end"]),
        helper.make_node("Range", ["odd.start", "odd.end", "odd.step"], ["odd.range"]),
        helper.make_node("Constant", [], ["odd.two"], value_int=2),
        helper.make_node("Mod", ["odd.range", "odd.two"], ["odd.odd"]),
        helper.make_node("Cast", ["odd.odd"], ["odd.float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Constant", [], ["odd.low"], value_float=-1e9),
        helper.make_node("Mul", ["odd.float", "odd.low"], ["odd.mask"]),
        helper.make_node("Add", [softmax.input[0], "odd.mask"], ["odd.scores"]),
    ]
    index = list(model.graph.node).index(softmax)
    softmax.input[0] = "odd.scores"
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:index], *extra, *nodes[index:]])
    path = tmp_path / "odd.onnx"
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"neither a mask nor a table by position|up to a query"):
        Compilation.of(read_decoder(path, {"max_length": 128}))


def test_a_file_may_have_fewer_positions_than_blocks(tmp_path: Path):
    model = onnx.load(FOLDER / "gpt2.onnx")
    (table,) = (x for x in model.graph.initializer if x.name.endswith("wpe.weight"))
    rows = onnx.numpy_helper.to_array(table)[:40]
    table.CopyFrom(onnx.numpy_helper.from_array(rows, table.name))
    path = tmp_path / "short.onnx"
    onnx.save(model, path)
    watch = DecoderCheck(path, {}, True)
    watch.observe("import", read_decoder(path, {"max_length": 40}))
    assert watch.errors["import"] < 1e-5
    with pytest.raises(UserError, match=r"has positions for 40 tokens: .* found 41"):
        read_decoder(path, {"max_length": 41})


def test_sizes_that_a_decoder_does_not_have_are_refused():
    path = FOLDER / "gpt2.onnx"
    with pytest.raises(UserError, match="max_length must be positive, found 0"):
        read_decoder(path, {"max_length": 0})
    with pytest.raises(UserError, match="'batch_size' is no open dimension of heads"):
        read_decoder(path, {"max_length": 64}, {"batch_size": (2,)})
    program = Compilation.of(read_decoder(path, {"max_length": 50})).program()
    with pytest.raises(UserError, match="has room for 50"):
        program.generate([[1]], 51)
