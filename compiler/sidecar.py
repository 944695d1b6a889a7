"""The file of weights beside a module's text: the module names it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Attribute

from softex_mlir.compiler.weight_layout import unpack_weight
from softex_mlir.compiler.weights import (
    DTYPES,
    TRANSFORMER,
    WeightError,
    WeightStore,
    weights_in,
)
from softex_mlir.dialects.cluster import GlobalKind, GlobalOp, SourceOp
from softex_mlir.files import read_bytes, write_atomically

WEIGHTS_ATTRIBUTE = "cluster.weights"
"""Of a module in a file: the file of its weights, as seen from the module's folder."""
MODEL_ATTRIBUTE = "cluster.model"
"""Of a module in a file: the model's name."""
RESUME_ATTRIBUTE = "cluster.resume"
"""Of a module in a file between two levels: the pass that comes next."""


@dataclass(frozen=True)
class Heading:
    """What a module's text says about where it comes from, which the module itself is without."""

    model: str = ""
    weights: Path | None = None
    resume: str = ""

    @staticmethod
    def take(module: ModuleOp, folder: Path) -> Heading:
        """The heading of a module read in a folder; it is taken off."""
        model = module.attributes.pop(MODEL_ATTRIBUTE, None)
        weights = module.attributes.pop(WEIGHTS_ATTRIBUTE, None)
        resume = module.attributes.pop(RESUME_ATTRIBUTE, None)
        return Heading(
            model.data if isinstance(model, StringAttr) else "",
            folder / weights.data if isinstance(weights, StringAttr) else None,
            resume.data if isinstance(resume, StringAttr) else "",
        )

    @contextmanager
    def on(self, module: ModuleOp, folder: Path | None) -> Generator[None]:
        """While it lasts, the module has the heading, for a file in a folder; None: anywhere."""
        given: dict[str, Attribute] = {}
        if self.model:
            given[MODEL_ATTRIBUTE] = StringAttr(self.model)
        if self.resume:
            given[RESUME_ATTRIBUTE] = StringAttr(self.resume)
        if self.weights is not None:
            given[WEIGHTS_ATTRIBUTE] = StringAttr(
                os.path.relpath(self.weights, folder) if folder else str(self.weights.resolve())
            )
        module.attributes |= given
        try:
            yield
        finally:
            for name in given:
                del module.attributes[name]


def _texts_missing(module: ModuleOp) -> list[SourceOp]:
    """What says where a program came from, but for the model's text, which is data beside it."""
    return [op for op in module.ops if isinstance(op, SourceOp) and not op.text.data]


def _of_program(module: ModuleOp, path: Path) -> WeightStore | None:
    """The data of a module in a program's file; None if the file is no program."""
    from softex_mlir.compiler.artifacts import weight_image
    from softex_mlir.runtime.elf_reader import read_elf

    data = read_bytes(path)
    if data[:4] != b"\x7fELF":
        return None
    elf = read_elf(data, str(path))
    found = WeightStore()
    if elf.transformer is not None:
        found.texts[TRANSFORMER] = elf.transformer
    for op in module.ops:
        if not isinstance(op, GlobalOp) or op.kind.data is not GlobalKind.WEIGHT or not op.tensor:
            continue
        image = weight_image(op)
        address = elf.symbols.get(image.symbol)
        packed = None if address is None else elf.bytes_at(address, image.bytes)
        if packed is None:
            raise WeightError(f"{path}: expected the weight @{image.symbol}, found none")
        elements = np.frombuffer(packed, DTYPES[image.dtype])
        if op.tensor.data not in found:
            array = unpack_weight(elements, image.layout, image.shape)
            found.add(op.tensor.data, array)
    return found


def take_weights(
    module: ModuleOp, path: Path, named: Path | None = None, *, required: bool = False
) -> WeightStore:
    """The weights of a module read from `path`: in the file `named`, or that of the same name.

    Raises:
        WeightError: the file cannot be read or does not fit, or does not exist if it is named or
            `required`.
    """
    beside = named or path.with_suffix(".safetensors")
    if not any(weights_in(module)) and not _texts_missing(module) and named is None:
        return WeightStore()
    if not beside.exists():
        if required or named is not None:
            raise WeightError(f"{path}: its weights are expected in {beside}, which does not exist")
        return WeightStore()
    in_program = _of_program(module, beside)
    weights = WeightStore.load(beside) if in_program is None else in_program
    for source in _texts_missing(module):
        if TRANSFORMER not in weights.texts:
            raise WeightError(f"{path}: the model's text is expected in {beside}, found none there")
        source.properties["text"] = StringAttr(weights.texts[TRANSFORMER])
    try:
        weights.check(module)
    except WeightError as error:
        raise WeightError(f"{path}: with the data in {beside.name}, {error}") from None
    return weights


def write_module(module: ModuleOp, name: str, weights: WeightStore, path: Path) -> None:
    """Write the module of a model as text, and its weights beside it if it has any.

    Raises:
        WeightError: `path` is where the weights would be.
        UserError: a file cannot be written.
    """
    beside = path.with_suffix(".safetensors")
    if beside == path:
        raise WeightError(f"{path}: the weights go there: name the module's file .mlir")
    # A device or a pipe has no file beside it.
    alone = (not any(weights_in(module)) and not weights.texts) or (
        path.exists() and not path.is_file()
    )
    if not alone:
        weights.save(beside)
    with Heading(name, None if alone else beside).on(module, path.parent):
        write_atomically(path, f"{module!s}\n")
