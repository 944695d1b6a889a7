"""Linear layers that `split-linear` splits by columns: the same bits, for every entry."""

from __future__ import annotations

import numpy as np

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

ROWS, INNER, WIDTH = 24, 64, 160
RNG = np.random.default_rng(7)
WEIGHT = RNG.standard_normal((INNER, 2 * WIDTH)).astype(np.float32) / 8
BIAS = RNG.standard_normal(2 * WIDTH).astype(np.float32)
X = RNG.standard_normal((ROWS, INNER)).astype(np.float32)


def geglu(*, joined: bool) -> Model:
    """A GeGLU whose halves are one product, or two."""
    b = ModelBuilder("geglu", [Port("x", (ROWS, INNER), "float32")])
    (x,) = b.arguments

    def product(first: int, last: int) -> t.LinearOp:
        w = b.constant(f"w{first}", WEIGHT[:, first:last])
        op = t.LinearOp(x, w, b.constant(f"b{first}", BIAS[first:last]))
        b.add(op)
        return op

    if joined:
        both = product(0, 2 * WIDTH)
        halves = [b.add(t.SliceOp(both, [0, i * WIDTH], [ROWS, WIDTH])) for i in (0, 1)]
    else:
        halves = [product(i * WIDTH, (i + 1) * WIDTH).result for i in (0, 1)]
    gate, value = halves
    return b.finish({"y": b.add(t.MulOp(b.add(t.GeluOp(gate)), value))})


def test_halves_are_layers_and_the_bits_stay():
    results: list[session.Result] = []
    for joined in (True, False):
        program = Compilation.of(geglu(joined=joined)).program()
        kernels = [launch["kernel"] for launch in program.metadata["launches"]]
        assert all(kernel.startswith("linear") for kernel in kernels), kernels
        result = session.run(program, {"x": X}, sanitize=True)
        assert result.run.races == ()
        assert check(program, result, {"x": X}).identical
        results.append(result)
    one, other = results
    assert np.array_equal(one.outputs["y"], other.outputs["y"])
    assert one.cycles == other.cycles


def two_entries(rows: int) -> Model:
    """Entries of `ROWS` and of `rows` rows that share their weights."""
    b = ModelBuilder("entries", [Port("x", (ROWS, INNER), "float32")], entry="many")
    for entry, count in (("many", ROWS), ("few", rows)):
        if entry == "few":
            b.begin(entry, [Port("x", (count, INNER), "float32")])
        (x,) = b.arguments
        both = b.add(t.LinearOp(x, b.constant("w", WEIGHT), b.constant("b", BIAS)))
        gate, value = (b.add(t.SliceOp(both, [0, i * WIDTH], [count, WIDTH])) for i in (0, 1))
        b.end({"y": b.add(t.MulOp(b.add(t.SiluOp(gate)), value))})
    return b.finish()


def test_entries_share_the_halves():
    """A weight is split for all entries, or for none."""
    for rows, parts in ((8, 2), (1, 1)):
        module = Compilation.of(two_entries(rows)).model.module
        assert len([op for op in module.ops if isinstance(op, t.WeightOp)]) == 2 * parts
        shapes = {t.shape_of(op.w) for op in module.walk() if isinstance(op, t.LinearOp)}
        assert shapes == {(INNER, 2 * WIDTH // parts)}


def test_launches_of_a_gate_and_its_factor_take_turns():
    """The cores have the time of two launches for the activation of one."""
    b = ModelBuilder("swiglu", [Port("x", (ROWS, INNER), "float32")])
    (x,) = b.arguments
    gate = b.linear(x, 4 * 32, "gate", activation="silu")
    up = b.linear(x, 4 * 32, "up")
    tiles = {"n": INNER, "k": 32, "group": 2}
    program = Compilation.of(
        b.finish({"y": b.add(t.MulOp(gate, up))}), tile_overrides={"gate": tiles, "up": tiles}
    ).program()
    layers = [launch["layer"] for launch in program.metadata["launches"]]
    assert layers == ["gate", "up"] * 2
    result = session.run(program, {"x": X}, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {"x": X}).identical
