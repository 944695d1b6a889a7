"""`softex estimate` against simulations of the same models."""

import json
from collections.abc import Callable
from functools import partial

import pytest
from sampling import matrix

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models import BUILTIN, single_operation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.models.text import bert, gpt2
from softex_mlir.compiler.models.vit import vit
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.costs.estimate import estimate

MODELS: dict[str, Callable[[], Model]] = {
    "demo-vit": BUILTIN["demo-vit"],
    "demo-bert": BUILTIN["demo-bert"],
    "demo-gpt2": BUILTIN["demo-gpt2"],
    "vit, 49 patches": partial(vit, "vit", image=112, hidden=192, heads=3, layers=1),
    "bert, 160 tokens": partial(bert, tokens=160, hidden=256, heads=4, layers=1, vocabulary=500),
    "gpt2, 96 tokens": partial(gpt2, tokens=96, hidden=256, heads=4, layers=1, vocabulary=500),
    "softmax": partial(single_operation, "softmax", 128, 512),
    "gelu": partial(single_operation, "gelu", 128, 512),
    "layer_norm": partial(single_operation, "layer_norm", 128, 512),
}
CYCLES = 0.05
ENERGY = 0.12
"""Largest errors; `softex bench estimate` has those of more models."""


@matrix("name", list(MODELS), short=5)
def test_cycles_and_energy_are_near_those_of_a_simulation(name):
    compilation = Compilation.of(MODELS[name]())
    simulated = session.run(compilation.program(), functional=False).profile
    expected = estimate(compilation.outline(), compilation.machine)
    assert expected.cycles == pytest.approx(simulated.cycles, rel=CYCLES)
    assert expected.energy_j == pytest.approx(simulated.energy_j, rel=ENERGY)
    assert expected.macs == simulated.macs
    # what the work takes at least is less than what it takes
    assert 0 < expected.bound[1] <= expected.cycles
    assert 0 < simulated.bound[1] <= simulated.cycles
    for direction in ("dma_in", "dma_out"):
        # operands count once: tiles load them again, or keep them from launch to launch
        once, moved = (p.ledger.bytes[direction].sum() for p in (expected, simulated))
        assert 0.5 * moved < once < 1.1 * moved
    assert simulated.forecast == expected.cycles
    largest = max(simulated.kinds, key=lambda row: row.exclusive_cycles)
    found = {row.kind: row.exclusive_cycles / expected.cycles for row in expected.kinds}
    assert found[largest.kind] == pytest.approx(
        largest.exclusive_cycles / simulated.cycles, abs=0.1
    )


@pytest.mark.parametrize("name", ["demo-vit", "demo-gpt2"])
def test_the_estimate_of_a_model_is_that_of_its_program(name):
    compilation = Compilation.of(MODELS[name]())
    machine = compilation.machine
    of_model = estimate(compilation.outline(), machine).to_json()
    assert of_model == estimate(compilation.program().metadata, machine).to_json()
    rows = of_model["layers"]
    assert sum(row["exclusive_cycles"] for row in rows) == of_model["cycles"]
    assert sum(row["energy_j"] for row in rows) == pytest.approx(of_model["energy_j"])
    json.dumps(of_model)


@pytest.mark.parametrize("target", ["without_softex", "without_redmule"])
def test_machines_without_units_have_estimates(target):
    machine = getattr(Machine.load("paper"), target)()
    compilation = Compilation.of("demo-vit", machine)
    simulated = session.run(compilation.program(), functional=False)
    expected = estimate(compilation.outline(), machine)
    assert expected.cycles == pytest.approx(simulated.cycles, rel=0.3)


@pytest.mark.parametrize(("rows", "inner"), [(96, 64), (24, 1024)])
def test_products_in_f32_have_estimates(rows: int, inner: int):
    """Weights pass through integer registers; rows of long operands have pointers of their own."""
    b = ModelBuilder("wide", [Port("x", (rows, inner), "float32")])
    model = b.finish({"y": b.linear(b.arguments[0], 64, "only")})
    compilation = Compilation.of(model, accuracy="exact")
    simulated = session.run(compilation.program(), functional=False).profile
    expected = estimate(compilation.outline(), compilation.machine)
    assert expected.cycles == pytest.approx(simulated.cycles, rel=CYCLES)
