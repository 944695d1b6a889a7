"""ONNX's own node tests as a conformance suite: every operator passed, refused or wrong.

A case is a model of one node (or of an operator's expansion) with inputs. Inputs that determine
shapes become constants, as in any model of static shapes. What is expected is what ONNX's reference
implementation computes in float32 from inputs rounded to BF16; integers and booleans must be equal.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from softex_mlir.compiler.driver import Compilation
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Table
from softex_mlir.runtime.onnx_reference import NoReference, evaluate_onnx, load_widened
from softex_mlir.runtime.reference import evaluate

Array = npt.NDArray[Any]
_ONNX: Any = onnx  # its type stubs are partial
_TENSOR = onnx.TensorProto

UNCOUNTED_TYPES = frozenset(
    number
    for name, number in _TENSOR.DataType.items()
    if name in ("DOUBLE", "UINT64", "STRING", "COMPLEX64", "COMPLEX128", "UNDEFINED")
    or name.startswith(("FLOAT8", "FLOAT4", "INT4", "UINT4", "INT2", "UINT2"))
)
"""Element types outside of what a BF16 cluster is for."""
UNCOUNTED_OPERATORS = frozenset(
    (
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "QLinearConv",
        "QLinearMatMul",
        "MatMulInteger",
        "ConvInteger",
    )
)
TRAINING = "ai.onnx.preview.training"

SHAPE_INPUTS: Mapping[str, tuple[str, ...]] = {
    "AffineGrid": ("size",),
    "CenterCropPad": ("shape",),
    "Col2Im": ("image_shape", "block_shape"),
    "Compress": ("condition",),
    "ConstantOfShape": ("input",),
    "CumSum": ("axis",),
    "DFT": ("dft_length", "axis"),
    "Dropout": ("ratio", "training_mode"),
    "Expand": ("shape",),
    "If": ("cond",),
    "Loop": ("M", "cond"),
    "MaxUnpool": ("output_shape",),
    "NonZero": ("X",),
    "OneHot": ("depth",),
    "Pad": ("pads", "axes"),
    "Range": ("start", "limit", "delta"),
    "Reshape": ("shape",),
    "Resize": ("roi", "scales", "sizes"),
    "STFT": ("frame_step", "frame_length"),
    "Slice": ("starts", "ends", "axes", "steps"),
    "Split": ("split",),
    "SplitToSequence": ("split",),
    "Squeeze": ("axes",),
    "Tile": ("repeats", "tiles", "axis"),
    "TopK": ("K",),
    "Trilu": ("k",),
    "Unique": ("X",),
    "Unsqueeze": ("axes",),
    "Upsample": ("scales",),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), ("size",)),
    "MelWeightMatrix": (
        "num_mel_bins",
        "dft_length",
        "sample_rate",
        "lower_edge_hertz",
        "upper_edge_hertz",
    ),
}
"""Inputs that determine shapes, by the operator's own names; `axes` of every reduction too."""

ROUNDINGS = 2.0**-7
"""Declared tolerance relative to the value: one rounding to BF16 of the result and one within."""
SCALE = 2.0**-8
"""Declared tolerance relative to the largest value of an output: what cancels leaves behind."""
CHAINS = 2.0**-5
"""Instead of both, of operators whose sums run through RedMulE's BF16 accumulators, or that are
several operations with a rounding each."""
CHAINED = frozenset(
    (
        "Attention",
        "CausalConvWithState",
        "Conv",
        "ConvTranspose",
        "DFT",
        "DeformConv",
        "Einsum",
        "GRU",
        "Gelu",
        "Gemm",
        "GroupNormalization",
        "InstanceNormalization",
        "LRN",
        "LSTM",
        "LayerNormalization",
        "LinearAttention",
        "LogSoftmax",
        "MatMul",
        "MeanVarianceNormalization",
        "NegativeLogLikelihoodLoss",
        "Pow",
        "RMSNormalization",
        "RNN",
        "Resize",
        "RotaryEmbedding",
        "STFT",
        "Scan",
        "Softmax",
        "SoftmaxCrossEntropyLoss",
    )
)


@dataclass(frozen=True)
class NodeCase:
    """A model and what it computes. `inputs` are those left to the run."""

    name: str
    operator: str
    model: Any
    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]


@dataclass(frozen=True)
class Outcome:
    """`verdict`: passed, refused, wrong, or skipped where it does not count."""

    name: str
    operator: str
    verdict: str
    reason: str = ""


def collect() -> list[Any]:
    """All of ONNX's node tests, in the order of their names."""
    from onnx.backend.test.case.node import collect_testcases

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        cases: list[Any] = collect_testcases()
    return sorted(cases, key=lambda case: case.name)


def uncounted(case: Any) -> str:
    """Why a case does not count; empty if it does."""
    nodes = list(_nodes(case.model.graph))
    for node in nodes:
        if node.domain == TRAINING or "training" in case.name:
            return "training"
        if node.op_type in UNCOUNTED_OPERATORS or node.domain == "ai.onnx.ml":
            return f"operator {node.op_type}"
    for value in (*case.model.graph.input, *case.model.graph.output):
        if not value.type.HasField("tensor_type"):
            return f"{value.type.WhichOneof('value') or 'untyped'}"
        element = int(value.type.tensor_type.elem_type)
        if element in UNCOUNTED_TYPES:
            return f"elements of type {_TENSOR.DataType.Name(element).lower()}"
    if any("Sequence" in node.op_type or "Optional" in node.op_type for node in nodes):
        return "sequences"
    return ""


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def prepare(case: Any) -> NodeCase:
    """A case with its shapes bound, its inputs rounded, and what is expected of it.

    Raises `NoReference` if nobody can say what is expected.
    """
    model = _ONNX.ModelProto()
    model.CopyFrom(case.model)
    arrays, outputs = case.data_sets[0]
    names = [value.name for value in model.graph.input]
    given = {name: _array(data) for name, data in zip(names, arrays, strict=True)}
    bound = {name for node in model.graph.node for name in _bound(node)} & set(given)
    expanded = _expanded_from(case.name)
    bound |= expanded & set(given)
    for name in sorted(bound):
        model.graph.initializer.append(numpy_helper.from_array(given.pop(name), name))
    kept = [value for value in model.graph.input if value.name not in bound]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    rounded = {name: round_to_bf16(array) for name, array in given.items()}
    wanted = [output.name for output in model.graph.output]
    unchanged = all(
        np.array_equal(rounded[n], given[n], equal_nan=_inexact(given[n])) for n in given
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _ONNX.save(model, path)
        wide = load_widened(path)
    widened = {
        name: array.astype(np.float32) if _inexact(array) else array
        for name, array in rounded.items()
    }
    try:
        with redirect_stdout(io.StringIO()):
            expected = evaluate_onnx(wide, widened, wanted)
    except NoReference:
        if not unchanged:
            raise
        expected = {n: _array(data) for n, data in zip(wanted, outputs, strict=True)}
    operator = case.model.graph.node[0].op_type if len(case.model.graph.node) == 1 else case.name
    return NodeCase(case.name, operator, model, rounded, expected)


def _array(data: Any) -> Array:
    return numpy_helper.to_array(data) if isinstance(data, _TENSOR) else np.asarray(data)


def _bound(node: Any) -> Iterator[str]:
    """Inputs of a node that determine shapes."""
    wanted = SHAPE_INPUTS.get(node.op_type, ("axes",) if node.op_type.startswith("Reduce") else ())
    if not wanted:
        return
    schema = _ONNX.defs.get_schema(node.op_type, domain=node.domain)
    for formal, name in zip(schema.inputs, node.input, strict=False):
        if formal.name in wanted:
            yield name


def _expanded_from(name: str) -> set[str]:
    """Shape inputs of the operator that a case is the expansion of have the formal names."""
    if "_expanded" not in name:
        return set()
    return {n for names in SHAPE_INPUTS.values() for n in names if n not in ("X", "input")}


def _inexact(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype == ml_dtypes.bfloat16


def round_to_bf16(array: Array) -> Array:
    """A floating-point array with its values rounded to BF16; anything else as it is."""
    if not _inexact(array):
        return array
    return array.astype(ml_dtypes.bfloat16).astype(array.dtype)


def run_case(case: NodeCase, machine: Machine, *, simulate: bool) -> Outcome:
    """Compile a case and compare: its program's outputs if `simulate`, else the evaluator's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{case.name}.onnx"
        _ONNX.save(case.model, path)
        try:
            compilation = Compilation.of(path, machine)
            model = compilation.model
            found: Mapping[str, Array] = evaluate(
                model.module, model.weights, case.inputs, machine=machine
            )
            if simulate:
                result = compilation.program().run(case.inputs)
                for name, array in found.items():
                    if not _same_bits(np.asarray(result.outputs[name]), array):
                        reason = f"'{name}' differs from the evaluator's"
                        return Outcome(case.name, case.operator, "wrong", reason)
                found = result.outputs
        except UserError as error:
            reason = str(error).replace(f"{path}: ", "")
            return Outcome(case.name, case.operator, "refused", " ".join(reason.split()))
    for name, wanted in case.expected.items():
        if wrong := difference(case, found[name], wanted):
            return Outcome(case.name, case.operator, "wrong", f"'{name}': {wrong}")
    return Outcome(case.name, case.operator, "passed")


def _same_bits(a: Array, b: Array) -> bool:
    if a.shape != b.shape:
        return False
    if _inexact(a):
        return bool(
            (a.astype(np.float32).view(np.uint32) == b.astype(np.float32).view(np.uint32)).all()
        )
    return bool((a == b).all())


def difference(case: NodeCase, found: Any, expected: Array) -> str:
    """What is wrong about an output; empty if it is within the declared tolerance."""
    found, wanted = np.asarray(found), np.asarray(expected)
    if found.shape != wanted.shape:
        return f"shape {found.shape} instead of {wanted.shape}"
    if not _inexact(wanted):
        if _inexact(found):
            return f"elements of type {found.dtype} instead of {wanted.dtype}"
        count = int((found.astype(np.int64) != wanted.astype(np.int64)).sum())
        return f"{count} of {wanted.size} {wanted.dtype} elements differ" if count else ""
    value, goal = found.astype(np.float64), wanted.astype(np.float64)
    # what BF16 cannot hold becomes infinite
    with np.errstate(over="ignore"):
        goal = np.where(
            np.isinf(goal.astype(ml_dtypes.bfloat16).astype(np.float64)) & np.isfinite(goal),
            np.copysign(np.inf, goal),
            goal,
        )
    tests: dict[str, Any] = {"NaN": np.isnan, "inf": np.isposinf, "-inf": np.isneginf}
    for name, test in tests.items():
        if (test(value) != test(goal)).any():
            return f"{test(value).sum()} {name} instead of {test(goal).sum()}"
    finite = np.isfinite(goal)
    if not finite.any():
        return ""
    error, size = np.abs(value[finite] - goal[finite]), np.abs(goal[finite])
    largest = float(size.max())
    chained = case.operator in CHAINED or "_expanded" in case.name
    bound = CHAINS * largest if chained else ROUNDINGS * size + SCALE * largest
    if (error <= bound).all():
        return ""
    worst = int(np.argmax(error - bound))
    return f"{value[finite][worst]:g} instead of {goal[finite][worst]:g} (largest {largest:g})"


def outcomes(cases: Iterable[Any], machine: Machine, *, simulate: bool = True) -> Iterator[Outcome]:
    """What becomes of every case."""
    for case in cases:
        if why := uncounted(case):
            yield Outcome(case.name, "", "skipped", why)
            continue
        try:
            prepared = prepare(case)
        except NoReference as error:
            yield Outcome(case.name, "", "skipped", f"no reference: {error}")
            continue
        yield run_case(prepared, machine, simulate=simulate)


def conformance(machine: Machine) -> list[Table]:
    """`softex bench onnx`: all cases by the evaluator, whose bits programs have."""
    found: list[Outcome] = []
    cases = collect()
    for number, outcome in enumerate(outcomes(cases, machine, simulate=False)):
        found.append(outcome)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number + 1} of {len(cases)} cases")
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    return tables(found)


def tables(found: Sequence[Outcome]) -> list[Table]:
    """Counts, wrong cases, and reasons of refusals with the cases they refuse."""
    verdicts = Counter(outcome.verdict for outcome in found)
    counted = len(found) - verdicts["skipped"]
    rows = [
        (name, str(verdicts[name]), f"{verdicts[name] / max(counted, 1):.1%}")
        for name in ("passed", "refused", "wrong")
    ]
    rows += [("counted", str(counted), ""), ("not counted", str(verdicts["skipped"]), "")]
    title = f"ONNX {_ONNX.__version__} node tests"
    result = [Table(title, ("verdict", "cases", "share"), tuple(rows))]
    for verdict in ("wrong", "refused", "skipped"):
        grouped: dict[str, list[str]] = {}
        for outcome in found:
            if outcome.verdict == verdict:
                grouped.setdefault(_kind(outcome.reason), []).append(outcome.name)
        ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
        lines = [(str(len(names)), reason, _some(names)) for reason, names in ordered]
        if lines:
            heads = ("cases", "reason", "for example")
            result.append(Table(f"{title}: {verdict}", heads, tuple(lines)))
    return result


def _kind(reason: str) -> str:
    """A refusal without what is the case's own."""
    head, _, rest = reason.partition("cannot be imported: ")
    text = rest.split(" (1x: ")[0] if rest else head
    return text[:160]


def _some(names: Sequence[str]) -> str:
    short = [name.removeprefix("test_") for name in names]
    return ", ".join(short[:3]) + (", …" if len(short) > 3 else "")
