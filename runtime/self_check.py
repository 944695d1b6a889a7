"""The self-check of a compilation: the model against an independent implementation, step by step.

A run's `--check` compares two readers of the same IR, so it cannot see what import and fusion did
wrong. Here the model is evaluated on random inputs as it was imported and as it was fused, both in
float32, and compared with ONNX's reference implementation; then in the hardware's arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx
from xdsl.dialects.builtin import f32
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.driver import Compilation, load_model
from softex_mlir.compiler.loop_nest import element_type
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.origin import origin_of
from softex_mlir.compiler.outputs import ALL_OUTPUTS, OutputChoice
from softex_mlir.compiler.pipeline import FUSION
from softex_mlir.compiler.work import macs
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.runtime.onnx_reference import (
    NoReference,
    evaluate_onnx,
    load_widened,
    typed_inputs,
)
from softex_mlir.runtime.reference import evaluate

Array = npt.NDArray[Any]
Shapes = Mapping[str, tuple[int, ...]]

MOST_MACS = 1_000_000_000
"""Multiply-accumulates up to which a model is checked unless told otherwise (about 2 s)."""
TOLERANCE = 1e-4
"""Of float32 results, relative to the largest expected value of the output."""
NOISE = 4
"""Times the error that float32 alone makes, which is allowed too: scores - 20000 lose digits."""
HARDWARE_TOLERANCE = 0.1
"""Root mean square of the error in the hardware's arithmetic over that of the expected values."""
SEED = 0


class SelfCheckError(UserError):
    """The compiler changed what the model computes."""


@dataclass
class SelfCheck:
    """Watches a compilation: pass `observe` to `Compilation.of`, then call `finish`.

    Attributes:
        forced: True checks models of any size, False none, None those of up to `MOST_MACS`.
        outputs: those that are left behind the import.
    """

    source: str | Path | Model
    shapes: Shapes
    forced: bool | None = None
    outputs: OutputChoice = ALL_OUTPUTS
    skipped: str = ""
    """Why nothing is compared; empty if it is."""
    errors: dict[str, float] = field(default_factory=dict[str, float])
    """Largest relative error after import and after fusion."""
    _kind: str = ""
    """Of the source, if somebody else can evaluate it: "onnx" or "mlir"."""
    _inputs: dict[str, Array] = field(default_factory=dict[str, Array])
    _expected: dict[str, Array] = field(default_factory=dict[str, Array])

    def observe(self, stage: str, model: Model) -> None:
        """Compare the model as it stands after `import` or `fusion` with what is expected.

        Raises `SelfCheckError` if they differ.
        """
        if stage == "import":
            self._start(model)
        if self.skipped or (stage == "import" and not self._independent):
            return
        found = evaluate(
            model.module, model.weights, self._inputs, arithmetic="float32", entry=model.entry
        )
        worst = 0.0
        wanted_outputs = self._expected if stage == "import" else self._chosen
        for name, wanted in wanted_outputs.items():
            error = relative_error(found[name], wanted)
            if not error <= TOLERANCE and not error <= NOISE * self._noise.get(name, 0.0):
                raise SelfCheckError(self._blame(stage, name, error))
            worst = max(worst, error)
        self.errors[stage] = worst

    def finish(self, compilation: Compilation) -> str:
        """One line about what was compared, and how close the hardware's arithmetic comes."""
        model = compilation.model
        if model.level != "transformer":
            self.skipped = f"not possible: {model.source} is a module of level {model.level}"
        if self.skipped:
            return f"self-check: {self.skipped}"
        found = evaluate(
            model.module,
            model.weights,
            self._inputs,
            machine=compilation.machine,
            entry=model.entry,
        )
        worst = 0.0
        for name, wanted in self._chosen.items():
            finite = np.isfinite(wanted)
            scale = (
                float(np.sqrt(np.mean(np.square(wanted[finite], dtype=np.float64))))
                if finite.any()
                else 0.0
            )
            wrong = np.asarray(found[name], np.float64)[finite] - wanted[finite]
            error = float(np.sqrt(np.mean(np.square(wrong)))) if finite.any() else 0.0
            worst = max(worst, error / scale if scale else error)
        steps = ", ".join(f"{stage} {error:.1e}" for stage, error in self.errors.items())
        return f"self-check: {steps} of float32; {in_hardware(worst)}"

    @property
    def _chosen(self) -> dict[str, Array]:
        """What is expected of the outputs that are compiled."""
        return self.outputs.of(self._expected)

    @cached_property
    def _noise(self) -> dict[str, float]:
        """Relative errors of the expected outputs themselves: float32 against double."""
        if self._kind != "onnx":
            return {}
        assert not isinstance(self.source, Model)
        try:
            proto = load_widened(Path(self.source), onnx.TensorProto.DOUBLE)
            exact = evaluate_onnx(proto, typed_inputs(proto, self._inputs), list(self._expected))
        except NoReference:
            return {}
        return {name: relative_error(array, exact[name]) for name, array in self._expected.items()}

    @property
    def _independent(self) -> bool:
        """Whether somebody else evaluates the source."""
        return bool(self._kind)

    def _start(self, model: Model) -> None:
        """Inputs and expected outputs, or why there are none."""
        kind = origin_of(model.module).get("kind", "")
        self._kind = kind if kind in ("onnx", "mlir") and not isinstance(self.source, Model) else ""
        self.skipped = reason_to_skip(model, self.forced)
        if self.skipped:
            return
        self._inputs = sample_inputs(model, SEED)
        names = [port.name for port in model.outputs]
        if not self._independent:
            self._expected = evaluate(
                model.module, model.weights, self._inputs, arithmetic="float32", entry=model.entry
            )
            return
        assert not isinstance(self.source, Model)
        try:
            self._expected = self._evaluated(Path(self.source), names)
        except NoReference as error:
            self.skipped = f"not verified: {error}"

    def _evaluated(self, path: Path, names: list[str]) -> dict[str, Array]:
        """Outputs of the source, by somebody else."""
        if self._kind == "mlir":
            from softex_mlir.runtime.mlir_reference import evaluate_mlir

            return evaluate_mlir(path, self._inputs)
        proto = load_widened(path)
        return evaluate_onnx(proto, typed_inputs(proto, self._inputs), names)

    def _blame(self, stage: str, output: str, error: float) -> str:
        """What went wrong, and where first."""
        where = self._first_value() if stage == "import" else self._first_pass(output)
        return (
            f"{self.source if not isinstance(self.source, Model) else self.source.name}: "
            f"self-check: after {stage} output '{output}' differs from what the model computes by "
            f"{error:.2g} of its largest value ({TOLERANCE:g} is allowed){where}; this is a fault "
            "of the compiler: please report it (--no-self-check compiles nevertheless)"
        )

    def _first_value(self) -> str:
        """The first value of the graph that was imported wrongly."""
        if self._kind != "onnx":
            return ""
        assert not isinstance(self.source, Model)
        model = load_model(self.source, self.shapes)
        values: dict[SSAValue, Array] = {}

        def keep(op: Operation, result: Array) -> None:
            values[op.results[0]] = result

        evaluate(
            model.module,
            model.weights,
            self._inputs,
            arithmetic="float32",
            entry=model.entry,
            observe=keep,
        )
        proto = load_widened(Path(self.source))
        known = {name: value for name, value in model.origins.items() if value in values}
        try:
            expected = evaluate_onnx(proto, typed_inputs(proto, self._inputs), list(known))
        except NoReference:
            return ""
        for name, value in known.items():
            if not relative_error(values[value], expected[name]) <= TOLERANCE:
                kind = next(n.op_type for n in proto.graph.node if name in n.output)
                return f"; the first value that differs is '{name}' ({kind})"
        return ""

    def _first_pass(self, output: str) -> str:
        """The first pass after which the output is wrong."""
        if isinstance(self.source, Model):
            return ""
        model = load_model(self.source, self.shapes)
        self.outputs.apply(model)
        context = CompilationContext(weights=model.weights)
        for number, step in enumerate(FUSION, 1):
            step.apply(context, model.module)
            found = evaluate(
                model.module, model.weights, self._inputs, arithmetic="float32", entry=model.entry
            )
            if not relative_error(found[output], self._chosen[output]) <= TOLERANCE:
                return f"; the first pass after which it does is {step.name} (number {number})"
        return ""


def reason_to_skip(model: Model, forced: bool | None) -> str:
    """Why a model is not checked; empty if it is.

    Args:
        forced: True checks models of any size, False none, None those of up to `MOST_MACS`.
    """
    if forced is False:
        return "not asked for"
    count = macs(model.module)
    if forced is None and count > MOST_MACS:
        return (
            f"not run: {count / 1e9:.1f} GMACs are more than {MOST_MACS / 1e9:.0f} "
            "(--self-check runs it)"
        )
    return ""


def in_hardware(error: float) -> str:
    """How close the hardware's arithmetic comes, with a warning where that is far."""
    line = f"in the hardware's arithmetic {error:.1%} (rms)"
    if error <= HARDWARE_TOLERANCE:
        return line
    return f"{line}; warning: more than {HARDWARE_TOLERANCE:.0%} on random inputs"


def relative_error(found: Array, expected: Array) -> float:
    """The largest difference over the largest expected value; infinite for another shape, or NaN
    and infinities at other places. Finite values beyond those of BF16 count as its largest."""
    a, b = (
        np.where(np.isfinite(x), np.clip(x, t.MASKED, -t.MASKED), x)
        for x in (np.asarray(found, np.float64), np.asarray(expected, np.float64))
    )
    if a.shape != b.shape:
        return float("inf")
    special = ~np.isfinite(b)
    if not np.array_equal(a[special], b[special], equal_nan=True):
        return float("inf")
    if not np.isfinite(a[~special]).all():
        return float("inf")
    error = float(np.abs(a[~special] - b[~special]).max(initial=0.0))
    return error / max(float(np.abs(b[~special]).max(initial=0.0)), 1e-6)


def _is_counted(ids: SSAValue) -> bool:
    return any(isinstance(use.operation, t.PositionIdsOp) for use in ids.uses)


def sample_inputs(model: Model, seed: int) -> dict[str, Array]:
    """Random inputs that fit the model and that BF16 holds: normal values, ids within their
    tables, bytes, masks that hide some keys but never the first."""
    random = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for port, argument in zip(model.inputs, model.main.body.block.args, strict=True):
        limit = t.id_limit(argument)
        if port.dtype in ("uint8", "int8") and not t.ID_TENSOR.verifies(argument.type):
            low = 0 if port.dtype == "uint8" else -128
            arrays[port.name] = random.integers(low, low + 256, port.shape).astype(port.dtype)
        elif element_type(argument) == f32:
            arrays[port.name] = random.integers(0, 2, port.shape).astype(np.float32)
        elif not t.ID_TENSOR.verifies(argument.type):
            values = random.standard_normal(port.shape).astype(ml_dtypes.bfloat16)
            arrays[port.name] = values.astype(np.float32)
        elif limit is not None:
            arrays[port.name] = random.integers(0, limit, port.shape)
        elif port.shape[-1:] == (1,) and _is_counted(argument):
            # Positions counted over one token are those of any id, not of masks alone.
            arrays[port.name] = random.integers(2, 8, port.shape)
        else:
            mask = np.asarray(random.random(port.shape) < 0.75, np.int64)
            np.atleast_1d(mask)[..., :1] = 1
            arrays[port.name] = mask
    return arrays
