"""Rotary positions: in the epilogue of a linear layer where they can be, else rows on the cores."""

from __future__ import annotations

from itertools import product

import pytest
from sampling import matrix

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

SHAPES = ((1, 1, 64), (45, 4, 8), (100, 3, 64), (130, 2, 144), (30, 8, 12), (24, 16, 6), (9, 1, 40))
"""Rows, heads and their columns."""
MACHINES = ("paper", "48 KiB", "no RedMulE", "no SoftEx")


def rotary_model(rows: int, heads: int, size: int, *, seen: bool = False) -> Model:
    """A product of which the first heads are turned; `seen`: it is an output, too."""
    b = ModelBuilder("rotary", [Port("x", (rows, 96), "float32")])
    y = b.linear(b.arguments[0], heads * size, "q")
    turned = b.add(t.RotaryOp(y, b.normal("table", (rows, 2 * size))))
    return b.finish({"turned": turned} | ({"y": y} if seen else {}))


def machine_of(name: str) -> Machine:
    machine = Machine.load()
    match name:
        case "48 KiB":
            return machine.with_tcdm_bytes(48 * 1024)
        case "no RedMulE":
            return machine.without_redmule()
        case "no SoftEx":
            return machine.without_softex()
        case _:
            return machine


@matrix("shape, machine, seen", list(product(SHAPES, MACHINES, (False, True))), short=12)
def test_same_bits(shape: tuple[int, int, int], machine: str, seen: bool):
    rows, heads, size = shape
    model = rotary_model(rows, heads, size, seen=seen)
    program = Compilation.of(model, machine_of(machine)).program()
    kernels = {launch["kernel"] for launch in program.metadata["launches"]}
    fused = not seen and heads * size % 32 == 0
    assert any("_rotary" in kernel for kernel in kernels) == fused
    assert any(kernel.startswith("rotary") for kernel in kernels) == (not fused)
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def test_pinned_tiles_have_whole_heads():
    compilation = Compilation.of(
        rotary_model(45, 4, 48), Machine.load(), tile_overrides={"q": {"k": 64}}
    )
    with pytest.raises(UserError, match=r"k must be a multiple of 48 in 48\.\.192, found 64"):
        compilation.program()
