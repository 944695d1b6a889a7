"""Partial sums of linear layers: every epilogue, memory and target, bit for bit, without a race."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr, i64

from softex_mlir.abi import Port
from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.transforms.transformer.split_sums import split_sums
from softex_mlir.compiler.transforms.transformer.split_values import split_values
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

PAPER = Machine.load("paper")
MACHINES = {
    "paper": PAPER,
    "48 KiB": PAPER.with_tcdm_bytes(48 * 1024),
    "no SoftEx": PAPER.without_softex(),
    "no RedMulE": PAPER.without_redmule(),
}


def mlp(rows: int, inner: int, hidden: int, activation: str) -> Model:
    """Two linear layers with a residual around them."""
    b = ModelBuilder("mlp", [Port("x", (rows, inner), "float32")])
    x = b.arguments[0]
    y = b.linear(x, hidden, "first", activation=activation)
    return b.finish({"y": b.linear(y, inner, "second", residual=x)})


def attention(queries: int, keys: int, heads: int, key_heads: int, size: int) -> Model:
    """An attention that can see all its keys."""
    shapes = {"q": (queries, heads), "k": (keys, key_heads), "v": (keys, key_heads)}
    ports = [Port(name, (n, h * size), "float32") for name, (n, h) in shapes.items()]
    b = ModelBuilder("attention", ports)
    q, k, v = b.arguments
    bias, rows = b.attention_bias(keys)
    op = t.AttentionOp(q, k, v, bias, heads=heads, key_heads=key_heads, bias_rows=rows)
    return b.finish({"y": b.add(op)})


def compiled(model: Model, machine: Machine, chunk: int) -> Compilation:
    compilation = Compilation.of(model, machine)
    split_sums(compilation.model.module, chunk)
    return compilation


def chunks(compilation: Compilation) -> list[int]:
    module = compilation.model.module
    return [op.chunk for op in module.walk() if isinstance(op, t.LinearOp)]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("rows", "inner", "hidden", "activation", "chunk"),
    [
        (50, 64, 160, "gelu", 32),  # many partial sums, a last tile with rows to spare
        (7, 70, 128, "none", 64),  # an inner dimension that needs padding, few rows
        (72, 128, 96, "silu", 64),  # two partial sums, the least there are
    ],
)
def test_partial_sums_are_exact(
    rows: int, inner: int, hidden: int, activation: str, chunk: int, machine: str
):
    compilation = compiled(mlp(rows, inner, hidden, activation), MACHINES[machine], chunk)
    assert min(chunks(compilation)) <= chunk
    program = compilation.program()
    x = np.random.default_rng(0).standard_normal((rows, inner)).astype(np.float32)
    result = session.run(program, {"x": x}, machine=MACHINES[machine], sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@pytest.mark.parametrize(("n", "group"), [(32, 3), (64, 1), (64, 2), (128, 1), (128, 2)])
def test_rings_of_partial_sums_are_exact(n: int, group: int):
    """Chunks of one, two and all partial sums; two blocks of other numbers of rows."""
    model = mlp(76, 128, 96, "gelu")
    pins = {layer: {"m": 48, "n": n, "k": 32, "group": group} for layer in ("first", "second")}
    pins["second"]["n"] = 96 if n > 32 else 32
    compilation = Compilation.of(model, tile_overrides=pins)
    split_sums(compilation.model.module, 32)
    program = compilation.program()
    x = np.random.default_rng(0).standard_normal((76, 128)).astype(np.float32)
    result = session.run(program, {"x": x}, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@pytest.mark.parametrize("name", ["demo-vit", "demo-bert", "demo-gpt2"])
def test_models_with_partial_sums_are_exact(name: str):
    compilation = compiled(models.BUILTIN[name](), PAPER, 32)
    program = compilation.program()
    random = np.random.default_rng(0)
    inputs = {
        port.name: random.integers(0, port.limit, port.shape)
        if port.limit is not None
        else random.standard_normal(port.shape).astype(np.float32)
        for port in program.inputs
    }
    result = session.run(program, inputs, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("queries", "keys", "heads", "key_heads", "size", "chunk"),
    [
        (50, 50, 3, 3, 16, 32),  # two partial sums, keys that need padding
        (7, 130, 4, 2, 10, 64),  # grouped heads, few queries, three partial sums
    ],
)
def test_partial_sums_of_values_are_exact(
    queries: int, keys: int, heads: int, key_heads: int, size: int, chunk: int, machine: str
):
    model = attention(queries, keys, heads, key_heads, size)
    compilation = Compilation.of(model, MACHINES[machine])
    split_values(model.module, compilation.machine, chunk)
    assert [op.summed is not None for op in model.module.walk() if isinstance(op, t.AttentionOp)]
    program = compilation.program()
    random = np.random.default_rng(0)
    inputs = {
        port.name: random.standard_normal(port.shape).astype(np.float32) for port in program.inputs
    }
    result = session.run(program, inputs, machine=MACHINES[machine], sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def test_values_that_do_not_fit_stay_whole():
    model = attention(8, 256, 1, 1, 128)
    split_values(model.module, PAPER.with_tcdm_bytes(192 * 1024), 32)
    (op,) = (op for op in model.module.walk() if isinstance(op, t.AttentionOp))
    assert op.summed is None


def test_short_sums_lose_less():
    """Without a common sign, the error of a sum in bf16 grows with its length."""
    model = mlp(16, 768, 768, "none")
    x = {"x": np.random.default_rng(0).standard_normal((16, 768)).astype(np.float32)}
    errors: list[float] = []
    for chunk in (0, 384, 192, 64):
        module = compiled(model, PAPER, chunk).model.module
        exact = evaluate(module, model.weights, x)["y"].astype(np.float64)
        right = evaluate(module, model.weights, x, arithmetic="float32")["y"]
        errors.append(float(np.abs(exact - right).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.6 * errors[0]


def test_levels_decide_what_the_text_does_not_say():
    wide = mlp(8, 384, 64, "relu")
    assert chunks(Compilation.of(wide)) == [384, 64]
    assert chunks(Compilation.of(wide, accuracy="balanced")) == [192, 64]
    assert chunks(Compilation.of(wide)) == [192, 64]
    assert chunks(Compilation.of(wide, accuracy="fast")) == [384, 64]
    with pytest.raises(
        UserError, match=r"expected one of fast, balanced, high, exact, a bound .* found 'best'"
    ):
        Compilation.of(wide, accuracy="best")


@pytest.mark.parametrize(
    "model",
    [
        mlp(50, 70, 160, "gelu"),  # an inner dimension that needs padding
        mlp(7, 1280, 64, "tanh"),  # sums too long for the TCDM
        attention(90, 90, 4, 2, 16),  # several blocks of queries, grouped heads
    ],
)
def test_sums_in_f32_are_exact(model: Model):
    """On the cores alone, whatever units the machine has."""
    compilation = Compilation.of(model, PAPER.with_tcdm_bytes(64 * 1024), accuracy="exact")
    assert (compilation.machine.redmule, compilation.machine.softex) == (None, None)
    program = compilation.program()
    random = np.random.default_rng(0)
    inputs = {
        port.name: random.standard_normal(port.shape).astype(np.float32) for port in program.inputs
    }
    for array in inputs.values():
        # rows whose sums overflow, are infinite, are no numbers
        array[0], array[1, 0], array[2, 3] = array[0] * 5e37, np.inf, np.nan
    machine = PAPER.with_tcdm_bytes(64 * 1024)
    result = session.run(program, inputs, machine=machine, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def test_text_with_sums_in_f32_needs_no_option():
    first = Compilation.of(mlp(6, 64, 64, "none"), PAPER, accuracy="exact")
    again = Compilation.of(first.model, PAPER)
    assert again.machine.redmule is None
    assert Compilation.of(first.model, PAPER, accuracy="fast").machine.redmule is not None


def test_many_partial_sums_of_wide_products_compile():
    """Pooling many tokens: a chunk of eight partial sums had more transfers than registers."""
    ports = [Port("w", (1, 4096), "float32"), Port("x", (4096, 512), "float32")]
    b = ModelBuilder("pooling", ports)
    b.layer = "pooling"
    model = b.finish({"y": b.add(t.MatmulOp(*b.arguments))})
    for op in model.module.walk():
        if isinstance(op, t.MatmulOp):
            op.sum_chunk = IntegerAttr(64, i64)
    assert Compilation.of(model, PAPER).program()
