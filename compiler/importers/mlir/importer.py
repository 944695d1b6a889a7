"""Modules of linear algebra on tensors to the graph form of the `transformer` dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr, TensorType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from softex_mlir.compiler.importers.mlir.constants import dtype_of, element_of, shape_of
from softex_mlir.compiler.importers.mlir.functions import (
    FUNCTIONS,
    IMPORT,
    SAME,
    FunctionReader,
    MlirError,
    symbols_of,
)
from softex_mlir.compiler.importers.mlir.graph import Graph, Shape, Unreadable
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of, read_text
from softex_mlir.compiler.importers.onnx.importer import import_graph
from softex_mlir.compiler.model import Model
from softex_mlir.files import read_text as read_file

ENTRIES = ("main", "forward", "main_graph")
"""Names that exporters give the function to compile; a function that is alone has any."""
OWN = re.compile(
    r"(?:^|=)\s*\"?(?:transformer|cluster|redmule|softex|hwpe|xpulp|rv32|riscv\w*)\.\w",
    re.MULTILINE,
)
"""An operation of our levels."""
FOREIGN = re.compile(r"(?:^|=)\s*\"?(?!builtin\.|func\.)[a-z_]\w*\.\w", re.MULTILINE)
"""Any other operation but of functions."""
ASYNCHRONOUS = "$async"
"""What IREE appends to the name of the function that computes; others call it."""
GENERAL_FORM = {
    *("linalg.generic", "linalg.fill", "tensor.empty", "tensor.splat"),
    *("arith.constant", "func.return"),
}
"""Operations that the level `transformer` has, too."""


@dataclass(frozen=True)
class SourceModule:
    """A module as it was read, and its function to compile.

    Attributes:
        values: its inputs: its arguments, or what IREE's runtime makes of them.
        inputs: their names, shapes and types.
        outputs: names and types of its results.
    """

    file: str
    module: ModuleOp
    places: Mapping[Operation, tuple[int, int]]
    entry: Block
    values: tuple[SSAValue, ...]
    inputs: tuple[tuple[str, Shape, np.dtype[Any]], ...]
    outputs: tuple[tuple[str, np.dtype[Any]], ...]


def read_foreign(path: Path) -> SourceModule | None:
    """A module as other compilers write it; None if the file is one of our levels, or if there is
    nothing to read in it.

    Raises:
        MlirError: it has no function that a model can be.
        TextError: it is no valid text.
    """
    try:
        text = read_file(path)
    except (OSError, UnicodeDecodeError):
        return None
    if OWN.search(text) or not FOREIGN.search(text):
        return None
    found = _source(text, str(path))
    return None if _is_general_form(found) else found


def read_source(path: Path) -> SourceModule:
    """A module that `read_foreign` reads.

    Raises:
        MlirError: it is none.
    """
    found = read_foreign(path)
    if found is None:
        raise MlirError(f"{path}: error: expected linear algebra on tensors")
    return found


def _source(text: str, file: str) -> SourceModule:
    module, places = read_text(text, file)
    function = _entry(file, module)
    block = function.regions[0].blocks[0]
    imports = [op for op in block.ops if name_of(op) == IMPORT]
    values = tuple(op.results[0] for op in imports) or tuple(block.args)
    last = block.last_op
    try:
        inputs = tuple(
            (_input_name(value, i), *_typed(value.type)) for i, value in enumerate(values)
        )
        results = () if last is None else last.operands
        outputs = tuple((f"output_{i}", _typed(_exported(r))[1]) for i, r in enumerate(results))
    except Unreadable as error:
        raise MlirError(f"{file}: error: {error}") from None
    return SourceModule(file, module, places, block, values, inputs, outputs)


def _input_name(value: SSAValue, index: int) -> str:
    """The name of an argument in the text, or the one that IREE knows it by."""
    owner = value.owner
    if isinstance(owner, Operation):
        given = attribute_of(owner, "name")
        if isinstance(given, StringAttr):
            return given.data
        value = owner.operands[0]
    return value.name_hint or f"arg{index}"


def _exported(value: SSAValue) -> Attribute:
    """The type of a result, before IREE's runtime takes it."""
    owner = value.owner
    if isinstance(owner, Operation) and name_of(owner) in SAME:
        return owner.operands[0].type
    return value.type


def _is_general_form(source: SourceModule) -> bool:
    """Whether a module is of the level `transformer`, which has loop nests, too."""
    kinds = {name_of(op) for op in source.entry.ops}
    narrow = {np.dtype(ml_dtypes.bfloat16), np.dtype(np.int32), np.dtype(np.bool_)}
    types = {dtype for _, _, dtype in source.inputs} | {dtype for _, dtype in source.outputs}
    return kinds <= GENERAL_FORM and types <= narrow


def graph_of(source: SourceModule) -> Any:
    """The ONNX model that computes what a module's function does.

    Raises:
        MlirError: an operation has no place in it, with its line and column.
    """
    graph = Graph()
    reader = FunctionReader(source.file, graph, source.places, symbols_of(source.module))
    for argument, (name, shape, dtype) in zip(source.values, source.inputs, strict=True):
        graph.where = name
        reader.values[argument] = graph.input(name, shape, dtype)
    results = reader.read(source.entry)
    outputs = [
        (name, value, dtype) for (name, dtype), value in zip(source.outputs, results, strict=True)
    ]
    return graph.model(source.inputs, outputs)


def import_mlir(source: SourceModule, path: Path) -> Model:
    """Import a model from a module's text.

    Raises:
        MlirError, OnnxError: an operation is not supported.
    """
    return import_graph(graph_of(source), path)


def _entry(file: str, module: ModuleOp) -> Operation:
    found = {
        name: op
        for name, op in symbols_of(module).items()
        if name_of(op) in FUNCTIONS and op.regions and op.regions[0].blocks
    }
    for name, op in found.items():
        if name.endswith(ASYNCHRONOUS):
            return _checked(file, op)
    for name in ENTRIES:
        if name in found:
            return _checked(file, found[name])
    public = [
        op for op in found.values() if attribute_of(op, "sym_visibility") != StringAttr("private")
    ]
    if len(public) == 1:
        return _checked(file, public[0])
    names = ", ".join(f"@{name}" for name in found) or "none"
    raise MlirError(f"{file}: error: expected a function @main, found {names}")


def _checked(file: str, function: Operation) -> Operation:
    if len(function.regions[0].blocks) != 1:
        raise MlirError(f"{file}: error: expected one block in the function to compile")
    return function


def _typed(kind: Attribute) -> tuple[Shape, np.dtype[Any]]:
    if not isinstance(kind, TensorType):
        raise Unreadable(f"expected tensors as inputs and outputs, found {kind}")
    return shape_of(cast("Attribute", kind)), dtype_of(element_of(cast("Attribute", kind)))
