"""Rows left over from RedMulE's tiles on the cores: RedMulE's bits, no race, no unit in a fault."""

from __future__ import annotations

from itertools import product

from sampling import matrix

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

CASES = list(
    product(
        (193, 196, 197, 198),
        ({"n": 64, "k": 32, "group": 4}, {"n": 64, "k": 64, "group": 3}),
        (128, 192, 256),
        list(product(("none", "gelu"), ("", "residual", "residual_mul_add", "factor", "rotary"))),
        ("ideal", "softex=false", "paper"),
    )
)


@matrix("rows, tile, inner, epilogue, machine", CASES, short=3)
def test_odd_rows_have_the_same_bits(
    rows: int, tile: dict[str, int], inner: int, epilogue: tuple[str, str], machine: str
):
    activation, end = epilogue
    columns = 2 * tile["k"] * tile["group"]
    b = ModelBuilder("odd", [Port("x", (rows, inner), "float32")])
    (x,) = b.arguments
    r = b.linear(x, columns, "before")
    rest = r if "residual" in end else None
    if end == "rotary":
        activation = "none"
    y = b.linear(x, columns, "product", activation=activation, residual=rest)
    if end == "rotary":
        y = b.add(t.RotaryOp(y, b.normal("table", (rows, 2 * tile["k"]))))
    if end == "factor":
        y = b.add(t.MulOp(r, y))
    if "mul_add" in end:
        y = b.add(t.MulOp(y, b.normal("scale", (columns,), mean=1.0)))
        y = b.add(t.AddOp(y, b.normal("shift", (columns,))))
    tiles = {"m": 120, **tile}
    target = Machine.load("ideal") if machine == "ideal" else Machine.load("paper")
    if machine == "softex=false":
        target = target.without_softex()
    program = Compilation.of(
        b.finish({"y": y, "r": r}), target, tile_overrides={"before": tiles, "product": tiles}
    ).program()
    launches = [launch["kernel"] for launch in program.metadata["launches"]]
    # GELU without SoftEx may leave the cores no time
    busy = machine == "softex=false" and activation == "gelu"
    assert busy or any("on_cores" in kernel for kernel in launches), launches
    assert any(f"_{end}" in kernel for kernel in launches)
    assert all(kernel.startswith("linear") for kernel in launches)
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical
