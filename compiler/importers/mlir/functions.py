"""Functions of a module, operation by operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    CallSiteLoc,
    FusedLoc,
    ModuleOp,
    NameLoc,
    StringAttr,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from softex_mlir.compiler.importers.mlir.constants import array_of, shape_of
from softex_mlir.compiler.importers.mlir.graph import Graph, Unreadable, Value
from softex_mlir.compiler.importers.mlir.named import named_operation
from softex_mlir.compiler.importers.mlir.scalars import scalar_operation
from softex_mlir.compiler.importers.mlir.syntax import LOWER, OTHER_WAYS, attribute_of, name_of
from softex_mlir.compiler.importers.mlir.tensors import tensor_operation
from softex_mlir.errors import UserError

FUNCTIONS = ("func.func", "util.func")
RETURNS = ("func.return", "util.return", "return")
CALLS = ("func.call", "util.call")
GLOBALS = ("util.global", "ml_program.global")
LOADS = ("util.global.load", "ml_program.global_load_const", "ml_program.global_load")
IMPORT = "hal.tensor.import"
SAME = ("hal.tensor.barrier", "hal.tensor.export")
"""What gives on what it is given, in IREE's runtime."""
IGNORED = ("cf.assert",)
"""What has no result and changes nothing."""
MOST_CALLS = 64
"""Functions within functions."""


class MlirError(UserError, ValueError):
    """A module that cannot be read as a model, with the place in its file."""


@dataclass
class FunctionReader:
    """Reads operations into a graph.

    Attributes:
        places: line and column of operations.
        symbols: functions and globals of the module by name.
    """

    file: str
    graph: Graph
    places: Mapping[Operation, tuple[int, int]]
    symbols: Mapping[str, Operation]
    values: dict[SSAValue, Value] = field(default_factory=dict[SSAValue, Value])
    depth: int = 0

    def read(self, block: Block) -> Sequence[Value]:
        """Read a function's body; its results."""
        for op in block.ops:
            name = name_of(op)
            if name in RETURNS:
                return [self.lookup(v) for v in op.operands]
            if name in IGNORED:
                continue
            self.graph.where = self._node_name(op)
            try:
                results = self._results(op, name)
                for value, result in zip(results, op.results, strict=True):
                    wanted = shape_of(result)
                    if value.shape != wanted and isinstance(result.type, TensorType):
                        raise Unreadable(f"gives {value.shape}, expected {wanted}")
                    self.values[result] = value
            except Unreadable as error:
                raise MlirError(f"{self.place(op)}: error: {name}: {error}") from None
        raise MlirError(f"{self.file}: error: a function without a return")

    def lookup(self, value: SSAValue) -> Value:
        """The value in the graph."""
        if value not in self.values:
            raise Unreadable("an operand that nothing before it computes")
        return self.values[value]

    def place(self, op: Operation) -> str:
        """Where an operation stands."""
        return ":".join([self.file, *map(str, self.places.get(op, ()))])

    def _node_name(self, op: Operation) -> str:
        """What the nodes of an operation are called: its name in the text if it was given one."""
        line, _ = self.places.get(op, (0, 0))
        return _given_name(op.location) or f"{name_of(op).rpartition('.')[2]}_line_{line}"

    def _results(self, op: Operation, name: str) -> Sequence[Value]:
        if name == "arith.constant":
            found = attribute_of(op, "value")
            assert found is not None
            return [self._constant(found, op)]
        if name in LOADS:
            return [self._loaded(op)]
        if name in CALLS:
            return self._called(op)
        if name == IMPORT:
            return [self.lookup(op.results[0])]
        if name.startswith(OTHER_WAYS):
            raise Unreadable(LOWER)
        operands = [self.lookup(v) for v in op.operands]
        if name in SAME:
            return operands
        tensor = tensor_operation(self.graph, op, operands, self.lookup)
        if tensor is not None:
            return [tensor]
        several = named_operation(self.graph, op, operands, self.lookup)
        if several is not None:
            return several
        scalar = scalar_operation(self.graph, op, operands)
        if scalar is None:
            raise Unreadable("is not supported here")
        return [scalar]

    def _constant(self, attribute: Attribute, op: Operation) -> Value:
        array = array_of(attribute)
        hint = op.results[0].name_hint or ""
        shape = tuple(int(n) for n in array.shape)
        same = array.size > 1 and not any(array.strides)
        if same:
            array = array.reshape(-1)[:1].reshape((1,) * len(shape))
        return self.graph.constant(array, shape, name="" if array.size == 1 else hint)

    def _symbol(self, op: Operation, *names: str) -> Operation:
        for name in names:
            given = attribute_of(op, name)
            if isinstance(given, SymbolRefAttr):
                found = self.symbols.get(given.root_reference.data)
                if found is not None:
                    return found
                raise Unreadable(f"no @{given.root_reference.data} in the module")
        raise Unreadable("expected the name of a symbol")

    def _loaded(self, op: Operation) -> Value:
        source = self._symbol(op, "global")
        for name in ("initial_value", "value"):
            given = attribute_of(source, name)
            if given is not None:
                return self._constant(given, op)
        raise Unreadable("a global without a value in the module")

    def _called(self, op: Operation) -> Sequence[Value]:
        function = self._symbol(op, "callee")
        if self.depth > MOST_CALLS:
            raise Unreadable("functions that call each other")
        operands = [self.lookup(v) for v in op.operands]
        block = function.regions[0].block
        inner = FunctionReader(
            self.file,
            self.graph,
            self.places,
            self.symbols,
            dict(zip(block.args, operands, strict=True)),
            self.depth + 1,
        )
        return inner.read(block)


def _given_name(location: Attribute) -> str:
    """The outermost name in a location."""
    match location:
        case NameLoc():
            return location.desc.data
        case CallSiteLoc():
            return _given_name(location.caller) or _given_name(location.callee)
        case FusedLoc():
            for one in cast("ArrayAttr[Attribute]", location.locations):
                if found := _given_name(one):
                    return found
            return ""
        case _:
            return ""


def symbols_of(module: ModuleOp) -> dict[str, Operation]:
    """Functions and globals by name, those of nested modules too."""
    found: dict[str, Operation] = {}
    for op in module.walk():
        name = attribute_of(op, "sym_name")
        if isinstance(name, StringAttr):
            found.setdefault(name.data, op)
    return found
