"""How each ONNX operator runs: the page of operators and the reasons of refusals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx

from softex_mlir.compiler.importers.onnx.control_flow import LOOPS
from softex_mlir.compiler.importers.onnx.definitions import has_definition
from softex_mlir.compiler.importers.onnx.node import schema_of
from softex_mlir.compiler.importers.onnx.operators import OPERATORS

REFUSED = "refused"
QUANTISED = "quantised models are not supported: export the model in float"
_RANDOM = "draws random numbers when it runs: make them an input"
_STRINGS = "works on strings: do it before the model"
_VALUES = "the shape of its result depends on values: do it behind the model"
_SEQUENCES = (
    "sequences whose length is not known when the model is read: export tensors, one for each "
    "element or stacked into one"
)
_OPTIONAL = "optional values: export the branch that is used"
_NEVER = "nothing it could be made of is there yet: do it before or behind the model"


def _each(reason: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, reason)


REASONS = {
    **_each(_RANDOM, "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"),
    **_each(_RANDOM, "RandomUniform", "RandomUniformLike"),
    **_each(_STRINGS, "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit"),
    **_each(_STRINGS, "TfIdfVectorizer"),
    **_each(_VALUES, "NonMaxSuppression", "NonZero", "Unique"),
    **_each(_SEQUENCES, "ConcatFromSequence", "SequenceConstruct", "SequenceEmpty"),
    **_each(_SEQUENCES, "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap"),
    **_each(_OPTIONAL, "Optional", "OptionalGetElement", "OptionalHasElement"),
    "ImageDecoder": "decodes compressed images: do it before the model",
}
"""Why operators are refused that no other words tell."""
_READ = "when the model is read, from constants and shapes"
WHEN_READ = ("Constant", "ConstantOfShape", "MelWeightMatrix", "Range")
WINDOWS = ("BlackmanWindow", "HammingWindow", "HannWindow")
_PRODUCTS = "RedMulE"
_UNITS = {
    **_each(_PRODUCTS, "Conv", "ConvTranspose", "Einsum", "GRU", "Gemm"),
    **_each(_PRODUCTS, "GridSample", "LSTM", "MatMul", "RNN"),
    **_each(_PRODUCTS, "com.microsoft.FusedConv", "com.microsoft.FusedGemm"),
    **_each(_PRODUCTS, "com.microsoft.FusedMatMul", "com.microsoft.TransposeMatMul"),
    **_each(_PRODUCTS, "com.microsoft.MatMulNBits"),
    **_each("RedMulE, SoftEx", "Attention", "com.microsoft.Attention"),
    **_each("RedMulE, SoftEx", "com.microsoft.MultiHeadAttention"),
    **_each("RedMulE, SoftEx", "com.microsoft.GroupQueryAttention"),
    **_each("SoftEx", "Gelu", "Softmax", "com.microsoft.BiasGelu", "com.microsoft.FastGelu"),
    **_each("SoftEx", "com.microsoft.Gelu"),
    **_each("no unit: a view", "Flatten", "Identity", "Reshape", "SequenceAt", "Squeeze"),
    **_each("no unit: a view", "Dropout", "SplitToSequence", "Unsqueeze"),
    **_each("DMA, or a view", "Concat", "Expand", "Slice", "Split", "Tile", "Transpose"),
    **_each(_READ, "EyeLike", "Shape", "Size"),
}


@dataclass(frozen=True)
class Support:
    """How an operator runs.

    Attributes:
        runs: unit, "cores", "by its definition", "when the model is read" or "refused".
        note: what is supported of it, or why it is refused.
    """

    runs: str
    note: str = ""


def remedy(name: str) -> str:
    """What to do about an operator that is not supported."""
    words = ("quantize", "qlinear", "qgemm", "qattention", "integer", "nbits")
    if any(word in name.lower() for word in words):
        return QUANTISED
    if name.startswith("com.microsoft.nchwc."):
        return "laid out for one processor: save the model at ORT_ENABLE_EXTENDED or below"
    if name.startswith("com.microsoft."):
        return "export the model without ONNX Runtime's optimizer"
    return REASONS.get(name, "")


def way_out(name: str) -> str:
    """What to do about a node that is refused, whether or not its operator is supported."""
    known = remedy(name)
    if known or name not in OPERATORS:
        return known or _NEVER
    note = OPERATORS[name][1]
    what = f"of {name} runs: {note}" if note else f"in other forms {name} runs"
    return f"{what}; export another form, or do it before or behind the model"


def operator_support() -> dict[str, Support]:
    """Every operator of the current opset that is not deprecated, then those of other domains."""
    opset = int(onnx.defs.onnx_opset_version())
    standard: Iterable[str] = sorted({s.name for s in onnx.defs.get_all_schemas() if not s.domain})
    found = {
        name: _support(name, opset)
        for name in standard
        if not schema_of(name, "", opset).deprecated
    }
    rest = sorted(name for name in OPERATORS if name not in found)
    return found | {name: _support(name, opset) for name in rest}


def _support(name: str, opset: int) -> Support:
    if name in OPERATORS:
        note = OPERATORS[name][1].removeprefix("on the cores").removeprefix(", ")
        return Support(_UNITS.get(name, "cores"), note)
    if name in LOOPS:
        return Support("written out", "steps whose number is known when the model is read")
    if name == "If":
        return Support(_READ, "one branch; both where the condition is not known")
    if name == "DequantizeLinear":
        return Support(_READ, f"of weights; {QUANTISED}")
    if name in (*WHEN_READ, *WINDOWS):
        return Support(_READ)
    why = remedy(name)
    if not why and has_definition(schema_of(name, "", opset)):
        return Support("by its definition")
    return Support(REFUSED, why or _NEVER)


def operators_page() -> str:
    """The table of all operators as Markdown."""
    table, opset = operator_support(), onnx.defs.onnx_opset_version()
    refused = sum(s.runs == REFUSED for s in table.values())
    rows = [
        f"| {name} | {s.runs} | {s.note.replace('|', chr(92) + '|')} |" for name, s in table.items()
    ]
    return "\n".join(
        [
            "# ONNX operators",
            "",
            f"Of opset {opset}, with those of other domains, {len(table) - refused} operators run",
            f"and {refused} are refused. `cores` are loop nests where no unit serves. Whatever its",
            "operator, a node of constants or of shapes is computed when the model is read.",
            "`softex operators --markdown` prints this page.",
            "",
            "| operator | runs on | what is supported, or why not |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
