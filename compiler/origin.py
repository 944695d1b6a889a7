"""Where a model came from, so that whoever holds its program can ask the source what is right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

ATTRIBUTE = "transformer.source"
"""Of the module, at every level."""


@dataclass(frozen=True)
class Origin:
    """A model's source.

    Attributes:
        kind: "onnx", "mlir" (of tensors), "built-in", or "weights" of an architecture.
        name: of the built-in model or the architecture; empty for a file.
        path: the file, as the user named it; empty if there is none.
        sha256: of the file.
        config: the configuration beside weights, as the user named it; empty for the default.
        sizes: what the user chose of a built-in model: ``tokens=128 layers=2``.
        shapes: what the user chose of open shapes: ``input_ids=1,128``.
    """

    kind: str
    name: str = ""
    path: str = ""
    sha256: str = ""
    config: str = ""
    sizes: str = ""
    shapes: str = ""

    @property
    def chosen_sizes(self) -> dict[str, int]:
        """`sizes` by name."""
        return {name: int(value) for name, value in _pairs(self.sizes)}

    @property
    def chosen_shapes(self) -> dict[str, tuple[int, ...]]:
        """`shapes` by name."""
        return {name: tuple(map(int, value.split(","))) for name, value in _pairs(self.shapes)}

    def to_json(self) -> dict[str, str]:
        """The fields that say anything."""
        return {name: value for name, value in asdict(self).items() if value}

    def mark(self, module: ModuleOp) -> None:
        """Write it on a module."""
        from xdsl.dialects.builtin import DictionaryAttr, StringAttr

        entries = {name: StringAttr(value) for name, value in self.to_json().items()}
        module.attributes[ATTRIBUTE] = DictionaryAttr(entries)


def mark_bound(module: ModuleOp, bound: Mapping[str, str | float]) -> None:
    """Write what was asked of the distance from FP32 on a module, beside its source."""
    from xdsl.dialects.builtin import DictionaryAttr, StringAttr

    found = module.attributes.get(ATTRIBUTE)
    entries = dict(found.data) if isinstance(found, DictionaryAttr) else {}
    entries["bound"] = StringAttr(json.dumps(dict(bound)))
    module.attributes[ATTRIBUTE] = DictionaryAttr(entries)


def onnx_origin(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Origin:
    """An ONNX file."""
    texts = (f"{name}={','.join(map(str, shape))}" for name, shape in sorted(shapes.items()))
    return Origin("onnx", path=str(path), sha256=digest(path), shapes=" ".join(texts))


def mlir_origin(path: Path) -> Origin:
    """A module of linear algebra on tensors."""
    return Origin("mlir", path=str(path), sha256=digest(path))


def named_origin(
    name: str, sizes: Mapping[str, int], weights: Path | None, config: Path | None
) -> Origin:
    """A built-in model, or an architecture with weights."""
    chosen = " ".join(f"{size}={value}" for size, value in sorted(sizes.items()))
    if weights is None:
        return Origin("built-in", name, sizes=chosen)
    beside = "" if config is None else str(config)
    return Origin("weights", name, str(weights), digest(weights), beside, chosen)


def origin_of(module: ModuleOp) -> dict[str, str]:
    """What a module says about its source, as `Origin.to_json` gave it; empty if nothing."""
    from xdsl.dialects.builtin import DictionaryAttr, StringAttr

    found = module.attributes.get(ATTRIBUTE)
    if not isinstance(found, DictionaryAttr):
        return {}
    return {name: text.data for name, text in found.data.items() if isinstance(text, StringAttr)}


def read_origin(entries: object) -> Origin | None:
    """The origin in a program's note; None if it has none that this version can read."""
    if not isinstance(entries, Mapping):
        return None
    given = cast("Mapping[str, object]", entries)
    fields = Origin.__dataclass_fields__
    texts = {name: str(value) for name, value in given.items() if name in fields}
    if texts.get("kind") not in ("onnx", "mlir", "built-in", "weights"):
        return None
    found = Origin(**texts)
    try:
        _ = found.chosen_sizes, found.chosen_shapes
    except ValueError:
        return None
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _pairs(text: str) -> list[tuple[str, str]]:
    split = (entry.partition("=") for entry in text.split())
    return [(name, value) for name, _, value in split]
