"""What nobody reads is not computed, and what is read has the same bits as before."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.text import bert, gpt2
from softex_mlir.compiler.models.vit import vit
from softex_mlir.compiler.outputs import OutputChoice
from softex_mlir.compiler.transforms.transformer.boxes import (
    Box,
    blocks,
    hull,
    joined,
    places,
    reshaped,
    shifted,
    within,
)
from softex_mlir.compiler.transforms.transformer.drop_unread import drop_unread
from softex_mlir.compiler.work import macs, unread_macs
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.runtime.reference import evaluate
from softex_mlir.runtime.self_check import sample_inputs

Random = np.random.Generator


def a_range(random: Random, size: int) -> range:
    """Some indices below a size, often one or all."""
    if random.random() < 0.3:
        return range(size)
    first = int(random.integers(size))
    last = first if random.random() < 0.4 else int(random.integers(first, size))
    return range(first, last + 1, int(random.integers(1, 4)))


@pytest.mark.parametrize("seed", range(200))
def test_ranges_are_what_sets_are(seed: int):
    random = np.random.default_rng(seed)
    a, b = a_range(random, 24), a_range(random, 24)
    assert {*a, *b} <= {*hull(a, b)}
    some = b[int(random.integers(len(b))) :: int(random.integers(1, 4))]
    assert [b[i] for i in places(some, b)] == [*some]
    first, count = int(random.integers(20)), int(random.integers(1, 9))
    assert [*within(a, first, count)] == [i - first for i in a if first <= i < first + count]
    assert sorted(shifted(a, 50, -2)) == sorted(50 - 2 * i for i in a)
    length = int(random.choice([1, 2, 3, 4, 6, 8]))
    outer, inner = blocks(a, length)
    product = {o * length + i for o in outer for i in inner}
    assert {*a} <= product == {*joined(outer, inner, length)}


@pytest.mark.parametrize("seed", range(100))
def test_boxes_of_another_shape_hold_the_same_elements(seed: int):
    random = np.random.default_rng(seed)
    shapes = [(4, 6), (24,), (2, 2, 6), (4, 3, 2), (1, 24, 1), (2, 12), (8, 3), (2, 1, 2, 6)]
    shape, other = (shapes[int(i)] for i in random.integers(len(shapes), size=2))
    box = tuple(a_range(random, n) for n in shape)
    mine, theirs = reshaped(box, shape, other)

    def elements(part: Box, sizes: tuple[int, ...]) -> list[int]:
        return np.arange(24).reshape(sizes)[np.ix_(*part)].ravel().tolist()

    assert elements(mine, shape) == elements(theirs, other)
    assert {*elements(box, shape)} <= {*elements(mine, shape)}


@dataclass
class Graph:
    """Random operations on random values before."""

    random: Random
    builder: ModelBuilder
    values: list[SSAValue] = field(default_factory=list[SSAValue])
    names: int = 0

    def weight(self, *shape: int) -> SSAValue:
        self.names += 1
        return self.builder.normal(f"w{self.names}", shape, mean=0.5, scale=2.0)

    def pick(self, rank: int | None = None) -> SSAValue:
        fitting = [v for v in self.values if rank in (None, len(t.shape_of(v)))]
        return fitting[int(self.random.integers(len(fitting)))]

    def grow(self) -> None:
        kinds = (
            self.linear,
            self.linear,
            self.norm,
            self.binary,
            self.attention,
            self.reshape,
            self.transpose,
            self.concat,
            self.part,
            self.matmul,
        )
        self.values.append(self.builder.add(kinds[int(self.random.integers(len(kinds)))]()))

    def linear(self) -> t.TransformerOp:
        x = self.pick(2)
        rows, inner = t.shape_of(x)
        columns = int(self.random.choice([12, 24]))
        fitting = [v for v in self.values if t.shape_of(v) == (rows, columns)]
        residual = fitting[0] if fitting and self.random.random() < 0.5 else None
        bias = self.weight(columns) if self.random.random() < 0.5 else None
        activation = str(self.random.choice(["none", "gelu", "relu"]))
        return t.LinearOp(x, self.weight(inner, columns), bias, residual, activation=activation)

    def norm(self) -> t.TransformerOp:
        x = self.pick()
        k = t.shape_of(x)[-1]
        match int(self.random.integers(4)):
            case 0:
                return t.LayerNormOp(x, self.weight(k), self.weight(k), 1e-5)
            case 1:
                return t.RMSNormOp(x, self.weight(k), 1e-5)
            case 2:
                return t.SoftmaxOp(x)
            case _:
                return t.SiluOp(x)

    def binary(self) -> t.TransformerOp:
        x = self.pick()
        shape = t.shape_of(x)
        others = [v for v in self.values if t.broadcast(shape, t.shape_of(v)) == shape]
        if len(shape) == 2:
            divisors = [n for n in range(1, shape[0] + 1) if shape[0] % n == 0]
            others.append(self.weight(int(self.random.choice(divisors)), shape[1]))
        others.append(self.weight(shape[-1]))
        kind = (t.AddOp, t.SubOp, t.MulOp)[int(self.random.integers(3))]
        return kind(x, others[int(self.random.integers(len(others)))])

    def attention(self) -> t.TransformerOp:
        q = self.pick(2)
        rows, columns = t.shape_of(q)
        batch = int(self.random.choice([n for n in (1, 2, 3, 4) if rows % n == 0]))
        heads = int(self.random.choice([n for n in (1, 2, 3) if columns % n == 0]))
        same = [v for v in self.values if t.shape_of(v) == (rows, columns)]
        k, v = (same[int(self.random.integers(len(same)))] for _ in range(2))
        kind = str(self.random.choice(t.AttentionOp.BIAS_ROWS))
        queries = rows // batch
        bias_rows = {"all": 1, "query": queries, "batch": batch, "batch_query": rows}[kind]
        bias = self.weight(bias_rows, t.padded_keys(queries))
        return t.AttentionOp(q, k, v, bias, heads=heads, batch=batch, bias_rows=kind)

    def reshape(self) -> t.TransformerOp:
        x = self.pick()
        shape = t.shape_of(x)
        if len(shape) == 2:
            splits = [n for n in (1, 2, 3, 4) if shape[0] % n == 0]
            n = int(self.random.choice(splits))
            return t.ReshapeOp(x, (n, shape[0] // n, shape[1]))
        if self.random.random() < 0.3 and shape[-1] % 2 == 0:
            return t.ReshapeOp(x, (*shape[:-2], shape[-2] * 2, shape[-1] // 2))
        return t.ReshapeOp(x, (int(np.prod(shape[:-1])), shape[-1]))

    def transpose(self) -> t.TransformerOp:
        x = self.pick()
        return t.TransposeOp(x, self.random.permutation(len(t.shape_of(x))).tolist())

    def concat(self) -> t.TransformerOp:
        x = self.pick()
        shape = t.shape_of(x)
        axis = int(self.random.integers(len(shape)))
        rest = (shape[:axis], shape[axis + 1 :])
        shapes = ((v, t.shape_of(v)) for v in self.values)
        fitting = [v for v, s in shapes if (s[:axis], s[axis + 1 :]) == rest]
        return t.ConcatOp([x, fitting[int(self.random.integers(len(fitting)))]], axis)

    def part(self) -> t.SliceOp:
        x = self.pick()
        boxes = [a_range(self.random, n) for n in t.shape_of(x)]
        backwards = self.random.random(len(boxes)) < 0.15
        offsets = [b[-1] if turn else b[0] for b, turn in zip(boxes, backwards, strict=True)]
        steps = [-b.step if turn else b.step for b, turn in zip(boxes, backwards, strict=True)]
        return t.SliceOp(x, offsets, [len(b) for b in boxes], steps)

    def matmul(self) -> t.TransformerOp:
        a = self.pick()
        shape = t.shape_of(a)
        return t.MatmulOp(a, self.weight(*shape[:-2], shape[-1], 12))


def random_model(seed: int) -> Model:
    """A model of random operations, of which parts are read."""
    random = np.random.default_rng(seed)
    builder = ModelBuilder("random", [Port("x", (12, 24), "float32")], seed=seed)
    graph = Graph(random, builder, builder.arguments)
    for _ in range(int(random.integers(3, 14))):
        graph.grow()
    results = {f"y{i}": builder.add(graph.part()) for i in range(int(random.integers(1, 3)))}
    return builder.finish(results)


def bits_before_and_after(model: Model) -> None:
    inputs = sample_inputs(model, 0)
    before, nominal = evaluate(model.module, model.weights, inputs), macs(model.module)
    drop_unread(model.module)
    model.module.verify()
    after = evaluate(model.module, model.weights, inputs)
    assert before.keys() == after.keys()
    for name, expected in before.items():
        np.testing.assert_array_equal(after[name].view(np.uint16), expected.view(np.uint16))
    assert macs(model.module) + unread_macs(model.module) <= nominal
    text = str(model.module)
    drop_unread(model.module)
    assert str(model.module) == text


@pytest.mark.parametrize("seed", range(150))
def test_random_models_keep_their_bits(seed: int):
    bits_before_and_after(random_model(seed))


@pytest.mark.parametrize("columns", [range(6), range(6, 12), range(8, 20), range(18, 24)])
def test_heads_that_share_keys_are_left_out_with_them(columns: range):
    """Four heads of 6, two to a head of keys: all of those that share it are computed."""
    builder = ModelBuilder("shared", [Port("x", (10, 24), "float32")])
    (x,) = builder.arguments
    k, v = (builder.linear(x, 12, name) for name in ("k", "v"))
    bias, kind = builder.attention_bias(5)
    attention = t.AttentionOp(x, k, v, bias, heads=4, key_heads=2, batch=2, bias_rows=kind)
    y = builder.add(attention)
    part = t.SliceOp(y, [3, columns.start], [4, len(columns)])
    model = builder.finish({"y": builder.add(part)})
    bits_before_and_after(model)
    groups = columns[-1] // 12 - columns[0] // 12 + 1
    (left,) = (op for op in model.module.walk() if isinstance(op, t.AttentionOp))
    assert (left.heads.value.data, left.heads_of_keys) == (2 * groups, groups)


def small_bert(batch: int) -> Model:
    return bert(hidden=48, layers=2, heads=3, vocabulary=50, tokens=8, batch=batch, masked=True)


def small_gpt2(batch: int) -> Model:
    return gpt2(hidden=48, layers=2, heads=3, vocabulary=50, tokens=8, batch=batch)


def small_llama(batch: int) -> Model:
    return llama(
        hidden=48, layers=2, heads=3, key_heads=1, mlp=64, vocabulary=50, tokens=8, batch=batch
    )


def small_vit(batch: int) -> Model:
    return vit(
        hidden=48,
        layers=2,
        heads=3,
        classes=5,
        image=16,
        patch=8,
        batch=batch,
        fused_qkv=True,
    )


MODELS = {"vit": small_vit, "bert": small_bert, "gpt2": small_gpt2, "llama": small_llama}
LEFT = {"vit": 0.75, "bert": 0.75, "gpt2": 0.75, "llama": 0.8}
"""At most this share of the multiply-accumulates is left of two layers."""


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_last_layers_are_computed_for_the_rows_that_are_read(name: str, batch: int):
    model = MODELS[name](batch)
    inputs = sample_inputs(model, 0)
    whole = evaluate(model.module, model.weights, inputs)
    choice = {"bert": OutputChoice(("pooler_output",)), "vit": OutputChoice()}
    chosen = choice.get(name, OutputChoice(last_token=True))
    chosen.apply(model)
    nominal = macs(model.module)
    bits_before_and_after(model)
    found = evaluate(model.module, model.weights, inputs)
    for output, expected in chosen.of(whole).items():
        np.testing.assert_array_equal(found[output].view(np.uint16), expected.view(np.uint16))
    assert macs(model.module) < LEFT[name] * nominal
    assert macs(model.module) + unread_macs(model.module) == nominal


@pytest.mark.parametrize("name", ["demo-vit", "demo-gpt2"])
def test_programs_compute_the_same_bits(name: str):
    chosen = OutputChoice(last_token=name == "demo-gpt2")
    model = BUILTIN[name]()
    inputs = sample_inputs(model, 1)
    whole = evaluate(model.module, model.weights, inputs)
    program = Compilation.of(model, "paper", outputs=chosen).program()
    assert program.metadata["unread_macs"] > 0
    result = program.run(inputs)
    for output, expected in chosen.of(whole).items():
        np.testing.assert_array_equal(result.outputs[output], expected.astype(np.float32))


def test_an_output_that_nobody_asks_for_is_not_computed():
    with pytest.raises(UserError, match=r"no output 'pooled' to keep: expected one of last_hidden"):
        OutputChoice(("pooled",)).apply(small_bert(1))
    with pytest.raises(UserError, match=r"the last token of output 'pooler_output'.*--keep-output"):
        OutputChoice(last_token=True).apply(small_bert(1))
