"""`order-inner-dimension`: the same model in real numbers, with smaller errors in bf16."""

from __future__ import annotations

import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.transforms.transformer.columns_together import FROZEN, columns_together
from softex_mlir.compiler.transforms.transformer.order_inner_dimension import (
    order_inner_dimension,
)
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t
from softex_mlir.runtime.reference import evaluate
from softex_mlir.runtime.self_check import sample_inputs


def ordered(model: Model) -> WeightStore:
    weights = model.weights.copy()
    order_inner_dimension(model.module, weights)
    return weights


def moved(model: Model, weights: WeightStore) -> set[str]:
    return {n for n in weights if not np.array_equal(weights[n], model.weights[n])}


@pytest.mark.parametrize("name", ["demo-vit", "demo-bert", "demo-gpt2"])
def test_models_compute_the_same(name: str):
    model = Compilation.of(models.BUILTIN[name]()).model
    weights = ordered(model)
    assert moved(model, weights)
    inputs = sample_inputs(model, 0)
    before = evaluate(model.module, model.weights, inputs, arithmetic="float32")
    after = evaluate(model.module, weights, inputs, arithmetic="float32")
    for output, array in before.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(after[output], array, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("name", ["demo-vit", "demo-gpt2"])
def test_what_is_ordered_stays(name: str):
    model = Compilation.of(models.BUILTIN[name]()).model
    once = Model(model.module, ordered(model))
    assert not moved(once, ordered(once))


def test_inputs_outputs_and_heads_keep_their_places():
    b = ModelBuilder("attention", [Port("x", (8, 64), "float32")])
    x = b.arguments[0]
    bias, kind = b.attention_bias(8)
    y = b.self_attention(x, "attention", heads=2, batch=1, bias=bias, bias_rows=kind)
    model = b.finish({"y": b.linear(y, 64, "output", residual=x)})
    columns = columns_together(model.module)
    attention = next(op for op in model.module.walk() if isinstance(op, t.AttentionOp))
    for value in (attention.q, attention.v):
        groups = columns.groups[columns.of(value)].reshape(2, 32)
        assert (groups == groups[:, :1]).all()
        assert FROZEN not in groups
        assert groups[0, 0] != groups[1, 0]
    assert (columns.of(x) == FROZEN).all()


def test_parts_of_a_product_keep_their_places():
    """Columns that a slice takes stay in it; its neighbours may use another order."""
    b = ModelBuilder("parts", [Port("x", (8, 32), "float32")])
    y = b.linear(b.arguments[0], 128, "both")
    left, right = (b.add(t.SliceOp(y, [0, 64 * i], [8, 64])) for i in range(2))
    z = b.linear(b.add(t.SiluOp(left)), 32, "left")
    model = b.finish({"z": b.linear(right, 32, "right", residual=z)})
    weights = ordered(model)
    assert moved(model, weights) == {"both.weight", "both.bias", "left.weight", "right.weight"}
    first, second = np.split(weights["both.weight"].astype(np.float32), 2, axis=1)
    before = np.split(model.weights["both.weight"].astype(np.float32), 2, axis=1)
    for now, then in ((first, before[0]), (second, before[1])):
        assert sorted(map(tuple, now.T)) == sorted(map(tuple, then.T))


def test_small_terms_first_lose_less():
    b = ModelBuilder("mlp", [Port("x", (16, 64), "float32")])
    sizes = np.random.default_rng(0).permutation(np.geomspace(1e-3, 1, 768)).astype(np.float32)
    y = b.linear(b.arguments[0], 768, "up", activation="relu")
    w = np.random.default_rng(1).standard_normal((768, 32)).astype(np.float32) * sizes[:, None]
    model = b.finish({"y": b.add(t.LinearOp(y, b.constant("down", w)))})
    inputs = sample_inputs(model, 0)
    right = evaluate(model.module, model.weights, inputs, arithmetic="float32")["y"]
    errors = [
        float(np.abs(evaluate(model.module, w, inputs)["y"].astype(np.float64) - right).mean())
        for w in (model.weights, ordered(model))
    ]
    assert errors[1] < 0.75 * errors[0]


def test_nothing_moves_without_data():
    model = models.BUILTIN["demo-vit"]()
    some = model.weights.copy()
    some.remove(next(iter(some)))
    order_inner_dimension(model.module, some)
    assert all(some[name] is model.weights[name] for name in some)
