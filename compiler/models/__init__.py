"""Models built in memory with seeded random weights, no file and no download needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model


def _builder(module: str, function: str, name: str, **arguments: Any) -> Callable[[], Model]:
    def build() -> Model:
        # Late: listing the names must not load xDSL.
        return getattr(import_module(module), function)(name, **arguments)

    return build


_VIT = "softex_mlir.compiler.models.vit"
_TEXT = "softex_mlir.compiler.models.text"

BUILTIN: dict[str, Callable[[], Model]] = {
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
    "demo-bert": _builder(
        _TEXT, "bert", "demo-bert", tokens=24, hidden=64, layers=2, heads=2, vocabulary=200
    ),
    "demo-gpt2": _builder(
        _TEXT, "gpt2", "demo-gpt2", tokens=24, hidden=64, layers=2, heads=2, vocabulary=200
    ),
}
"""Built-in models by name; each is built, with its weights, when its factory is called."""


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
