"""`softex bisect` names the pass that changes what a model computes, and finds none otherwise."""

from dataclasses import dataclass

import pytest
from typer.testing import CliRunner
from xdsl.passes import ModulePass

from softex_mlir.compiler.compilation_context import weights_of
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import write_model
from softex_mlir.compiler.models import single_operation
from softex_mlir.compiler.transforms.transformer.canonicalize_transformer import (
    CanonicalizeTransformerPass,
)
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.bisection import bisect, first_operation
from softex_mlir.tools.softex import app


@dataclass(frozen=True)
class DoubleWeightsPass(ModulePass):
    """What a pass must not do."""

    name = "double-weights"

    def apply(self, ctx, op):
        name = next(o.sym_name.data for o in op.walk() if isinstance(o, t.WeightOp))
        weights = weights_of(ctx)
        weights.replace(name, weights[name] * 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.mlir"
    write_model(single_operation("layer_norm", 16, 64), path)
    return path


def test_a_pass_that_changes_results_is_named(model):
    passes = (CanonicalizeTransformerPass(), DoubleWeightsPass(), CanonicalizeTransformerPass())
    steps = bisect(model, Machine.load("paper"), passes)
    assert [step.differs for step in steps] == [False, True]
    assert steps[-1].name == "double-weights"
    assert steps[-1].error > 0.1


def test_a_compilation_changes_nothing(model, tmp_path):
    found = CliRunner().invoke(app, ["bisect", str(model), "-o", str(tmp_path / "steps.txt")])
    assert found.exit_code == 0, found.output
    text = (tmp_path / "steps.txt").read_text()
    assert "no difference" in text
    assert "pad-hardware-loops" in text
    assert max(map(len, text.splitlines())) <= 80


def test_programs_are_compared_operation_by_operation(model):
    program = Compilation.of(model, "paper").program()
    steps = first_operation(program)
    assert steps
    assert not any(step.differs for step in steps)


def test_scheduled_modules_and_unknown_passes_are_refused(model, tmp_path):
    Compilation.of(model, "paper").write("jobs", tmp_path / "jobs.mlir")
    with pytest.raises(UserError, match="is scheduled"):
        bisect(tmp_path / "jobs.mlir", Machine.load("paper"))
    found = CliRunner().invoke(app, ["bisect", str(model), "-p", "fuse-attentoin"])
    assert found.exit_code == 2
    assert "did you mean fuse-attention" in found.output
