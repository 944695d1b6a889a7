"""What a loop nest costs beside the hand-written kernel of the same function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import bf16, f32
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.generic_builder import elementwise, reduction
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Table, measure

Build = Callable[[ModelBuilder, list[SSAValue]], SSAValue]


@dataclass(frozen=True)
class Pair:
    """A function by a hand-written kernel of the cores, and as loop nests."""

    inputs: int
    by_hand: Build
    general: Build


def _general_add(b: ModelBuilder, x: list[SSAValue]) -> SSAValue:
    return b.nest(elementwise(x, bf16, lambda e, v: e.add(*v)))


def _general_tanh(b: ModelBuilder, x: list[SSAValue]) -> SSAValue:
    return b.nest(elementwise(x, bf16, lambda e, v: e.insert(math.TanhOp(v[0]))))


def _general_softmax(b: ModelBuilder, x: list[SSAValue]) -> SSAValue:
    """Five nests: largest elements, exponentials, their sums, reciprocals, products."""
    top = b.nest(
        reduction(x[0], [1], f32, -inf, lambda e, v: e.insert(arith.MaximumfOp(v[1], v[0])))
    )
    powers = b.nest(
        elementwise([x[0], top], f32, lambda e, v: e.insert(math.ExpOp(e.sub(v[0], v[1]))))
    )
    total = b.nest(reduction(powers, [1], f32, 0.0, lambda e, v: e.add(v[1], v[0])))
    inverse = b.nest(elementwise([total], f32, lambda e, v: e.div(e.number(1.0), v[0])))
    return b.nest(elementwise([powers, inverse], bf16, lambda e, v: e.mul(v[0], v[1])))


PAIRS = {
    "add": Pair(2, lambda b, x: b.add(t.AddOp(x[0], x[1])), _general_add),
    "tanh": Pair(1, lambda b, x: b.add(t.TanhOp(x[0])), _general_tanh),
    "softmax of rows": Pair(1, lambda b, x: b.add(t.SoftmaxOp(x[0])), _general_softmax),
}
"""By name. SoftEx is left out: what is compared is code for the cores."""


def model(name: str, *, general: bool, rows: int, columns: int) -> Model:
    """A model of one function of [rows, columns]."""
    pair = PAIRS[name]
    ports = [Port(f"x{i}", (rows, columns), "float32") for i in range(pair.inputs)]
    b = ModelBuilder(name, ports)
    b.layer = name
    build = pair.general if general else pair.by_hand
    return b.finish({"y": build(b, b.arguments)})


def cycles(machine: Machine, name: str, rows: int, columns: int) -> tuple[int, int]:
    """Cycles of the hand-written kernel and of the loop nests, from L2 to L2."""
    cores_only = machine.without_softex()
    found = [
        measure(
            name, lambda g=g: model(name, general=g, rows=rows, columns=columns), cores_only
        ).result.cycles
        for g in (False, True)
    ]
    return found[0], found[1]


def general_table(machine: Machine) -> Table:
    """The factor between both, which is to be at most 2."""
    rows: list[tuple[str, ...]] = []
    for name in PAIRS:
        for height, width in ((128, 768), (197, 3072)):
            by_hand, general = cycles(machine, name, height, width)
            count = height * width
            figures = f"{by_hand / count:.2f}", f"{general / count:.2f}"
            rows.append((f"{name} {height}x{width}", *figures, f"{general / by_hand:.2f}x"))
    head = ("operation", "by hand, cycles/element", "loop nests, cycles/element", "factor")
    return Table("Loop nests beside hand-written kernels of the cores, L2 to L2", head, tuple(rows))
