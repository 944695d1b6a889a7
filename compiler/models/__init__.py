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
