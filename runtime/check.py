"""Compare a run with the reference evaluator bit for bit, and with FP32 where that is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.abi import MAIN
from softex_mlir.errors import UserError
from softex_mlir.runtime.embedded import embedded_model
from softex_mlir.runtime.quality.metrics import Quality, compare
from softex_mlir.runtime.reference import evaluate

if TYPE_CHECKING:
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.session import Result


@dataclass(frozen=True)
class OutputCheck:
    """How one output compares.

    Attributes:
        different: elements whose bits differ from the reference evaluator's; 0 is a pass.
        quality: against the FP32 reference, if there is one.
        plain_bf16: the same for an ordinary BF16 evaluation (FP32 sums, every result rounded).
    """

    name: str
    elements: int
    different: int
    quality: Quality | None
    plain_bf16: Quality | None


@dataclass(frozen=True)
class CheckReport:
    """The comparison of all outputs of a run, and what the FP32 reference is."""

    outputs: tuple[OutputCheck, ...]
    reference: str = "FP32"

    @property
    def identical(self) -> bool:
        """Whether every output has the reference evaluator's bits."""
        return not any(output.different for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        outputs = [asdict(output) for output in self.outputs]
        return {"identical": self.identical, "reference": self.reference, "outputs": outputs}

    def lines(self) -> list[str]:
        """The report for people."""
        lines: list[str] = []
        for output in self.outputs:
            verdict = (
                "bit-identical to the reference evaluator"
                if not output.different
                else f"DIFFERS from the reference evaluator in {output.different} elements"
            )
            lines.append(f"check {output.name}: {output.elements} elements, {verdict}")
            for title, quality in (
                (f"against {self.reference}", output.quality),
                ("plain BF16 against FP32", output.plain_bf16),
            ):
                if quality is not None:
                    lines.append(f"  {title}: {quality}")
        return lines


def check(
    program: Program,
    result: Result,
    reference: Mapping[str, np.ndarray],
    state: dict[str, np.ndarray] | None = None,
    *,
    title: str = "FP32",
) -> CheckReport:
    """Evaluate the program's transformer-level IR on the same inputs and compare.

    Args:
        reference: FP32 outputs by name (the model's, or `out_0`, `out_1`, … in the model's order).
        state: what the evaluator's runs before have left, which this one goes on from.
        title: what they are.

    Raises:
        UserError: the program does not carry its transformer-level IR.
    """
    module, weights = embedded_model(program)
    machine = program.machine
    entry = program.entry_name or MAIN
    expected = evaluate(module, weights, result.inputs, machine=machine, entry=entry, state=state)
    plain = (
        evaluate(module, weights, result.inputs, arithmetic="bf16", entry=entry)
        if reference
        else {}
    )
    checks: list[OutputCheck] = []
    for position, (name, array) in enumerate(result.outputs.items()):
        if name not in expected or expected[name].shape != array.shape:
            raise UserError(f"the program's text has no output {name!r} of shape {array.shape}")
        fp32 = reference.get(name, reference.get(f"out_{position}"))
        if fp32 is not None and fp32.shape != array.shape:
            raise UserError(
                f"reference for output {name!r}: expected shape {array.shape}, found {fp32.shape}"
            )
        checks.append(
            OutputCheck(
                name=name,
                elements=array.size,
                different=_different(array, expected[name]),
                quality=None if fp32 is None else compare(array, fp32),
                plain_bf16=None if fp32 is None else compare(plain[name], fp32),
            )
        )
    return CheckReport(tuple(checks), title)


@dataclass
class RunsCheck:
    """Runs that go on from one another against the evaluator, which keeps its own state.

    Attributes:
        runs, elements: compared so far.
        different: elements whose bits differ.
        first: the first run in which some do, counted from 1.
    """

    program: Program
    runs: int = 0
    elements: int = 0
    different: int = 0
    first: int | None = None

    def __post_init__(self) -> None:
        self._module, self._weights = embedded_model(self.program)
        self._state: dict[str, np.ndarray] = {}

    def add(self, entry: str, result: Result) -> None:
        """Evaluate an entry on the inputs of a run, behind those before, and compare."""
        expected = evaluate(
            *(self._module, self._weights, result.inputs),
            machine=self.program.machine,
            entry=entry,
            state=self._state,
        )
        self.runs += 1
        self.elements += sum(array.size for array in result.outputs.values())
        found = sum(_different(a, expected[name]) for name, a in result.outputs.items())
        if found and self.first is None:
            self.first = self.runs
        self.different += found

    def line(self) -> str:
        """The comparison for people."""
        verdict = (
            "bit-identical to the reference evaluator"
            if not self.different
            else f"DIFFERS from the reference evaluator in {self.different} elements, first in run "
            f"{self.first}"
        )
        return f"check: {self.elements} elements of {self.runs} runs, {verdict}"

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        names = ("runs", "elements", "different", "first")
        return {"identical": not self.different, **{name: getattr(self, name) for name in names}}


def _different(found: np.ndarray, expected: np.ndarray) -> int:
    bits = np.uint16 if found.dtype.itemsize == 2 else np.uint32
    return int(np.sum(found.view(bits) != expected.astype(found.dtype).view(bits)))
