"""Models built in memory with seeded random weights, no file and no download needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.errors import UserError

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model


def _builder(module: str, function: str, name: str, **arguments: Any) -> Callable[..., Model]:
    def build(**sizes: int) -> Model:
        # Late: listing the names must not load xDSL.
        builder = getattr(import_module(module), function)
        _check_sizes(name, builder, sizes)
        return builder(name, **{**arguments, **sizes})

    return build


def _check_sizes(name: str, builder: Callable[..., Model], sizes: Mapping[str, int]) -> None:
    taken = [size for size in SIZES if size in signature(builder).parameters]
    for size, value in sizes.items():
        if size not in taken:
            raise UserError(f"{name} has no {size}; it takes {', '.join(taken)}")
        if value < 1:
            raise UserError(f"{name}: {size} must be positive, found {value}")
    parameters = signature(builder).parameters
    if {"tokens", "max_length"} <= sizes.keys() and parameters["max_length"].default is None:
        raise UserError(
            f"{name}: expected tokens (of whole sequences) or max_length (of entries with a "
            "cache), found both"
        )


SIZES = ("tokens", "batch", "layers", "max_length")
"""What a user may choose of a built-in model."""

FAMILIES = (
    "vit",
    "deit",
    "bert",
    "minilm",
    "roberta",
    "distilbert",
    "gpt2",
    "whisper",
    "bart",
    "t5",
    "llama",
    "qwen2",
    "smollm",
    "mistral",
)
"""Architectures that take a user's weights (`compiler.models.families`)."""

_VIT = "softex_mlir.compiler.models.vit"
_TEXT = "softex_mlir.compiler.models.text"
_WHISPER = "softex_mlir.compiler.models.whisper"
_LLAMA = "softex_mlir.compiler.models.llama"
_BART = "softex_mlir.compiler.models.bart"
_T5 = "softex_mlir.compiler.models.t5"

BUILTIN: dict[str, Callable[..., Model]] = {
    "demo-vit": _builder(
        _VIT, "vit", "demo-vit", image=32, patch=8, hidden=64, layers=2, heads=2, classes=10
    ),
    "vit-tiny": _builder(_VIT, "vit", "vit-tiny", hidden=192, heads=3),
    "vit-small": _builder(_VIT, "vit", "vit-small", hidden=384, heads=6),
    "vit-base": _builder(_VIT, "vit", "vit-base"),
    "bert-base": _builder(_TEXT, "bert", "bert-base", tokens=128),
    "distilbert": _builder(_TEXT, "bert", "distilbert", tokens=128, layers=6, types=0),
    "mobilebert": _builder(_TEXT, "mobilebert", "mobilebert", tokens=128),
    "gpt2-small": _builder(_TEXT, "gpt2", "gpt2-small", tokens=128),
    "gpt2": _builder(_TEXT, "gpt2", "gpt2", tokens=128),
    "llama-15m": _builder(
        *(_LLAMA, "llama", "llama-15m"), hidden=288, layers=6, heads=6, mlp=768, vocabulary=32000
    ),
    "whisper-tiny": _builder(_WHISPER, "whisper", "whisper-tiny"),
    "demo-whisper": _builder(
        *(_WHISPER, "whisper", "demo-whisper"),
        **{"mels": 16, "source": 32, "hidden": 64, "encoder_layers": 1, "layers": 1, "heads": 2},
        **{"vocabulary": 200, "max_length": 64},
    ),
    "bart-base": _builder(_BART, "bart", "bart-base"),
    "t5-small": _builder(_T5, "t5", "t5-small"),
    "demo-bart": _builder(
        *(_BART, "bart", "demo-bart"),
        **{"tokens": 24, "max_length": 64, "hidden": 64, "encoder_layers": 1, "layers": 1},
        **{"heads": 2, "vocabulary": 200},
    ),
    "demo-t5": _builder(
        *(_T5, "t5", "demo-t5"),
        **{"tokens": 24, "max_length": 64, "hidden": 64, "encoder_layers": 1, "layers": 1},
        **{"heads": 2, "head_size": 32, "mlp": 96, "vocabulary": 200},
    ),
    "demo-bert": _builder(
        _TEXT, "bert", "demo-bert", tokens=24, hidden=64, layers=2, heads=2, vocabulary=200
    ),
    "demo-gpt2": _builder(
        _TEXT, "gpt2", "demo-gpt2", tokens=24, hidden=64, layers=2, heads=2, vocabulary=200
    ),
    "demo-llama": _builder(
        *(_LLAMA, "llama", "demo-llama"),
        **{"tokens": 24, "hidden": 64, "layers": 2, "heads": 4, "key_heads": 2},
        mlp=96,
        vocabulary=200,
    ),
}
"""Built-in models by name; each is built, with its weights, when its factory is called, which takes
any of `SIZES`."""


def built_in(
    name: str, sizes: Mapping[str, int], weights: Path | None = None, config: Path | None = None
) -> Model:
    """A built-in model, or an architecture with a user's weights (then in float32).

    `sizes` holds any of `SIZES` that the architecture has. `weights` is a safetensors file with
    Hugging Face's names, `config` its `config.json`, by default the one beside it.

    Raises:
        UserError: there is no such model or size, or the files do not fit it.
    """
    from softex_mlir.compiler.origin import named_origin

    model = _built(name, sizes, weights, config)
    named_origin(name, sizes, weights, config).mark(model.module)
    return model


def _built(name: str, sizes: Mapping[str, int], weights: Path | None, config: Path | None) -> Model:
    if weights is None:
        if name in BUILTIN:
            return BUILTIN[name](**sizes)
        advice = "an architecture needs --weights FILE.safetensors" if name in FAMILIES else ""
        raise UserError(
            f"{name}: {advice or 'no built-in model of that name'}; built in: {', '.join(BUILTIN)}"
        )
    if name not in FAMILIES:
        raise UserError(f"{name}: weights belong to an architecture, one of {', '.join(FAMILIES)}")
    from softex_mlir.compiler.models import families

    _check_sizes(name, families.FAMILIES[name].build, sizes)
    return families.load(name, weights, config, sizes)


def vit_base(layers: int = 12, batch: int = 1) -> Model:
    """ViT-base/16 at 224x224: 197 tokens, 768 wide, 12 heads."""
    from softex_mlir.compiler.models.vit import vit

    return vit("vit-base", layers=layers, batch=batch)


def demo_vit() -> Model:
    """The small ViT of the examples: 17 tokens, 64 wide, 2 layers."""
    return BUILTIN["demo-vit"]()


def single_operation(kind: str, rows: int, columns: int) -> Model:
    """A model of one operation on an input x [rows, columns]: softmax, gelu or layer_norm."""
    from softex_mlir.abi import Port
    from softex_mlir.compiler.models.builder import ModelBuilder
    from softex_mlir.dialects import transformer as t

    b = ModelBuilder(f"{kind}-{rows}x{columns}", [Port("x", (rows, columns), "float32")])
    b.layer = kind
    (x,) = b.arguments
    if kind == "layer_norm":
        return b.finish({"y": b.layer_norm(x, kind)})
    operations = {"softmax": t.SoftmaxOp, "gelu": t.GeluOp}
    if kind not in operations:
        raise ValueError(f"expected softmax, gelu or layer_norm, found {kind!r}")
    return b.finish({"y": b.add(operations[kind](x))})


LAYERS: dict[int, Callable[[], Model]] = {
    n: _builder(_VIT, "vit", "vit-base", layers=n) for n in (1, 2, 4, 8, 12, 24)
}
"""ViT-base by its number of layers."""

TOKENS: dict[int, Callable[[], Model]] = {
    n: _builder(_TEXT, "bert", "bert-base", layers=1, tokens=n, types=0, vocabulary=1000)
    for n in (128, 256, 512, 1024, 2048)
}
"""One layer of BERT-base by its number of tokens."""

BENCHMARKS: dict[str, Callable[[], Model]] = {
    **{
        f"{name}, {n} tokens": _builder(_TEXT, builder, name, tokens=n)
        for name, builder in (
            ("bert-base", "bert"),
            ("mobilebert", "mobilebert"),
            ("gpt2-small", "gpt2"),
        )
        for n in (128, 384, 512)
    },
    "vit-base, batch 8": _builder(_VIT, "vit", "vit-base", batch=8),
}
"""Models of the benchmark table."""
