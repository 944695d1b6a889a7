"""`softex bisect`: the first pass, or the first operation, from which results differ.

Passes on tensors are applied one by one, and the model is evaluated in float32 after each. What
they leave is evaluated in the hardware's arithmetic and compared, bit for bit, with the simulated
program that all later passes make of it; if that differs, operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.passes import ModulePass

from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.driver import Compilation, load_model
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.pipeline import stages
from softex_mlir.compiler.transforms.transformer.round_weights import RoundWeightsPass
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.reference import evaluate
from softex_mlir.runtime.self_check import SEED, TOLERANCE, relative_error, sample_inputs

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Step:
    """A pass, or several that only a program shows, and what results are like behind it.

    Attributes:
        error: largest difference from those before, of the largest value; 0 for the same bits.
        allowed: up to which it is what float32 itself does; None for what rounds on purpose.
        note: what it was compared with, or where it differs first.
    """

    name: str
    error: float
    allowed: float | None
    note: str = ""

    @property
    def differs(self) -> bool:
        """Whether results are others behind this step."""
        return self.allowed is not None and not self.error <= self.allowed


def bisect(
    source: str | Path,
    machine: Machine,
    passes: Sequence[ModulePass] = (),
    inputs: Mapping[str, Array] | None = None,
    tolerance: float = TOLERANCE,
    progress: Callable[[str], None] | None = None,
) -> list[Step]:
    """The steps of a compilation up to the first from which results differ, or all of them.

    Args:
        passes: those to look at; none: all of a compilation, and the program that it makes.
        inputs: by the model's names; random ones by default.
        tolerance: of float32 results, relative to the largest value of an output.

    Raises:
        UserError: the model cannot be read, or is scheduled already.
    """
    model = load_model(source, {})
    if model.level != "transformer":
        raise UserError(
            f"{model.source}: is scheduled: expected a model, or a program (m.elf), whose "
            "operations are compared one by one"
        )
    arrays = sample_inputs(model, SEED) if inputs is None else _chosen(model, inputs)
    context = CompilationContext(weights=model.weights, model_name=model.name)
    expected = _float(model, arrays)
    steps: list[Step] = []
    for number, step in enumerate(passes or stages(machine)["transformer"], 1):
        if progress is not None:
            progress(f"{number} {step.name}")
        step.apply(context, model.module)
        model.module.verify()
        found = _float(model, arrays)
        error = max(relative_error(found[name], wanted) for name, wanted in expected.items())
        rounds = isinstance(step, RoundWeightsPass)
        note = "rounds on purpose: what follows is compared with it" if rounds else ""
        steps.append(Step(step.name, error, None if rounds else tolerance, note))
        if steps[-1].differs:
            return steps
        expected = found if rounds else expected
    if passes:
        return steps
    if progress is not None:
        progress("the program, simulated")
    return [*steps, *_program(source, machine, arrays)]


def first_operation(program: Program, inputs: Mapping[str, Array] | None = None) -> list[Step]:
    """A program's operations one by one, up to the first whose bits are not the evaluator's.

    Raises:
        UserError: the program does not say what it was made of.
    """
    from softex_mlir.runtime.quality.operations import check_operations

    arrays = program.run(None if inputs is None else dict(inputs)).inputs
    steps: list[Step] = []
    for check in check_operations(program, arrays):
        steps.append(Step(check.layer, float(check.different), 0.0, str(check)))
        if check.different:
            break
    return steps


def _program(source: str | Path, machine: Machine, arrays: Mapping[str, Array]) -> list[Step]:
    """The compiled program against the evaluator, in bits."""
    compilation = Compilation.of(source, machine)
    program = compilation.program()
    result = program.run(dict(arrays))
    fused = compilation.model
    wanted = evaluate(
        fused.module, fused.weights, result.inputs, machine=machine, entry=fused.entry
    )
    levels = stages(machine)
    first, last = levels["jobs"][0].name, levels["riscv"][-1].name
    wrong = [name for name, array in wanted.items() if not _same_bits(result.outputs[name], array)]
    error = max(
        (relative_error(_wide(result.outputs[name]), _wide(wanted[name])) for name in wrong),
        default=0.0,
    )
    note = "bits of the program against the evaluator's"
    steps = [Step(f"{first} … {last}", error or float(bool(wrong)), 0.0, note)]
    return [*steps, *first_operation(program, arrays)[-1:]] if wrong else steps


def _chosen(model: Model, given: Mapping[str, Array]) -> dict[str, Array]:
    """The model's inputs of what a file holds."""
    missing = [port.name for port in model.inputs if port.name not in given]
    if missing:
        raise UserError(f"inputs {', '.join(missing)} are missing, found {', '.join(given)}")
    return {port.name: given[port.name] for port in model.inputs}


def _float(model: Model, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return evaluate(
        model.module, model.weights, dict(arrays), arithmetic="float32", entry=model.entry
    )


def _wide(array: Array) -> Array:
    return np.asarray(array, np.float64)


def _same_bits(one: Array, other: Array) -> bool:
    a, b = _wide(one), _wide(other)
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True))
