"""The state of an import: values by name, the module being built, and how nodes are evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerType, StringAttr, TensorType, bf16, f32, i32
from xdsl.ir import Attribute, Block, Operation, SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars, elementwise, i1
from softex_mlir.compiler.importers.onnx.file import data as file_data
from softex_mlir.compiler.importers.onnx.masks import Empty, mask_bias
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.positions import positions, shift_of
from softex_mlir.compiler.importers.onnx.values import (
    INTEGERS,
    Array,
    Assignment,
    Discrete,
    NanTest,
    Past,
    Symbolic,
    Unsupported,
    Value,
    check_width,
    describe,
    element_of,
)
from softex_mlir.compiler.importers.onnx.wide_integers import NodeOrigin
from softex_mlir.compiler.transforms.transformer.attention_bias import (
    masked_by_infinity,
    replace_masked_rows,
)
from softex_mlir.compiler.transforms.transformer.l1_values import trace
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t

GATHERS = ("Gather", "GatherElements", "GatherND")
ROW_WISE = ("Softmax", "LogSoftmax", "Hardmax")
"""Before opset 13 they work on all dimensions from the axis on; ONNX's reference overlooks that."""
OLD_SPELLINGS = {"DequantizeLinear": 19}
"""Operators that ONNX's reference implementation knows from this opset on, unchanged in meaning."""

_HELPER: Any = onnx.helper  # its type stubs are partial


class Decoding(Protocol):
    """What the import of a decoder with a cache does with constants and with its caches."""

    def constant(self, key: str, operator: str, index: int, array: Array) -> Value:
        """A constant operand of an operator on activations, or what stands for it because it
        depends on the number of tokens before."""
        ...

    def place(self, operands: list[Array | None], axis: int) -> None:
        """Give the table of a Gather rows for positions that it has none for."""
        ...

    def append(self, past: Past, rows: SSAValue) -> SSAValue:
        """A cache with the rows [batch, heads, tokens, size] of the next tokens."""
        ...


Handler = Callable[["Importer", "Node"], "list[Value]"]


@dataclass
class Importer:
    """Builds `@main` node by node."""

    folder: str = ""
    """Where the data of external tensors lies."""
    arguments: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    block: Block = field(default_factory=Block)
    weights: WeightStore = field(default_factory=WeightStore)
    weight_ops: list[Operation] = field(default_factory=lambda: list[Operation]())
    notes: list[str] = field(default_factory=lambda: list[str]())
    layer: StringAttr | None = None
    decoder: Decoding | None = None
    """What is known of a decoder with a cache; None for other models."""
    apply: Callable[[Node], Sequence[Value]] = lambda node: ()
    """Values of a node that a handler writes in place of its own; set by who reads the graph."""
    _constants: dict[tuple[int, bool], tuple[Array, SSAValue]] = field(
        default_factory=lambda: dict[tuple[int, bool], tuple[Array, SSAValue]]()
    )
    _others: dict[int, tuple[Array, SSAValue]] = field(
        default_factory=lambda: dict[int, tuple[Array, SSAValue]]()
    )
    _materialised: dict[int, tuple[Symbolic, SSAValue]] = field(
        default_factory=lambda: dict[int, tuple[Symbolic, SSAValue]]()
    )
    _narrowed: dict[SSAValue, SSAValue] = field(default_factory=lambda: dict[SSAValue, SSAValue]())
    places: dict[SSAValue, int] = field(default_factory=lambda: dict[SSAValue, int]())
    """Arguments that select slices, and of how many at least."""
    round_trips: frozenset[str] = frozenset()
    """Results of casts that nothing but casts reads."""
    node_origins: dict[Operation, NodeOrigin] = field(
        default_factory=lambda: dict[Operation, NodeOrigin]()
    )
    """Which nodes the operations were written for."""
    names: dict[int, str] = field(default_factory=lambda: dict[int, str]())
    """Names of constants by identity of the array."""

    def emit(self, op: t.TransformerOp) -> SSAValue:
        """Append an operation under the current layer."""
        op.layer = self.layer
        self.block.add_op(op)
        return op.results[0]

    def emit_all(self, operations: Sequence[Operation]) -> SSAValue:
        """Append the operations of a loop nest; the first result of the last one."""
        self.block.add_ops(operations)
        return operations[-1].results[0]

    # --- constants ----------------------------------------------------------------------------

    def constant(self, array: Array, *, splat: bool = True) -> SSAValue:
        """A constant as an SSA value: a splat if all elements are equal, else a parameter."""
        key = (id(array), splat)
        if key in self._constants:
            return self._constants[key][1]
        if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
            raise Unsupported(f"a constant of type {array.dtype}")
        data = array.astype(np.float32, copy=False)
        if splat and is_splat(data):
            op: t.SplatOp | t.GetWeightOp = t.SplatOp(float(data.flat[0]), data.shape)
        else:
            op = self._parameter(array, bf16, data)
        self.block.add_op(op)
        self._constants[key] = (array, op.result)
        return op.result

    def _parameter(self, array: Array, element: Attribute, data: Array) -> t.GetWeightOp:
        """A weight under the constant's name, and the operation that reads it."""
        kind = TensorType(element, data.shape)
        name = self.weights.add(self.names.get(id(array), "constant"), data)
        self.weight_ops.append(t.WeightOp(name, kind))
        return t.GetWeightOp(name, kind)

    def initializer(self, tensor: Any) -> Array:
        """Data of an initializer."""
        return file_data(tensor, Path(self.folder))

    def of_rank(self, value: SSAValue, rank: int) -> SSAValue:
        """A value with dimensions of size 1 in front, as broadcasting reads it."""
        missing = rank - len(t.shape_of(value))
        if missing <= 0:
            return value
        return self.emit(t.ReshapeOp(value, (*(1,) * missing, *t.shape_of(value))))

    def operand(self, value: Value) -> SSAValue:
        """Any value as an operand of a floating-point operation."""
        if isinstance(value, np.ndarray):
            return self.constant(value)
        if isinstance(value, Symbolic):
            return self.narrowed(self.materialised(value))
        if isinstance(value, SSAValue):
            return self.narrowed(value)
        raise Unsupported(f"cannot use {describe(value)} as an operand")

    def narrowed(self, value: SSAValue) -> SSAValue:
        """An activation as bf16: numbers computed from integers are float32 until then."""
        if element_of(value) == bf16:
            return value
        if isinstance(element_of(value), IntegerType):
            raise Unsupported("integers where floating-point numbers are expected")
        if value not in self._narrowed:
            narrow = elementwise([value], bf16, _saturated, layer=self.layer)
            self._narrowed[value] = self.emit_all(narrow)
        return self._narrowed[value]

    def tensor(self, value: Value, *, wide: bool = False) -> SSAValue:
        """Any value as an activation of its own element type; `wide` constants stay float32."""
        if isinstance(value, Symbolic):
            return self.materialised(value)
        if isinstance(value, np.ndarray):
            if value.dtype.kind in "iub":
                return self.integers(value)
            return self.numbers(value) if wide else self.constant(value, splat=False)
        if isinstance(value, SSAValue):
            return value
        if isinstance(value, Discrete) and value.element in INTEGERS:
            kind = i1 if value.element == onnx.TensorProto.BOOL else i32
            found = self.emit_all(
                elementwise(
                    [value.of],
                    kind,
                    lambda e, v: e.compare("une", v[0], 0.0) if kind == i1 else e.to_int(v[0]),
                    layer=self.layer,
                )
            )
            self._carry_origin(value, found)
            return found
        if isinstance(value, NanTest):
            return self.emit_all(
                elementwise(
                    [value.of], i1, lambda e, v: e.compare("uno", v[0], v[0]), layer=self.layer
                )
            )
        raise Unsupported(f"cannot use {describe(value)} as an operand")

    def _carry_origin(self, cast: Discrete, converted: SSAValue) -> None:
        """A conversion to integers is that of the cast it was put off by."""
        before, after = cast.of.owner, converted.owner
        if isinstance(before, Operation) and isinstance(after, Operation):
            origin = self.node_origins.get(before, NodeOrigin("", "Cast", True))
            wide = cast.element == onnx.TensorProto.INT64
            self.node_origins[after] = origin._replace(wide=wide)

    def selects(self, indices: SSAValue, size: int) -> None:
        """Indices, negative ones from the end, select one of some slices."""
        root = trace(indices).root
        if not isinstance(root.owner, Operation):
            self.places[root] = min(size, self.places.get(root, size))

    def note(self, text: str) -> None:
        """Tell users a decision, once."""
        self.notes += [] if text in self.notes else [text]

    def numbers(self, array: Array) -> SSAValue:
        """A constant of floating-point numbers in float32."""
        return self._typed(array, f32, array.astype(np.float32))

    def integers(self, array: Array) -> SSAValue:
        """An integer or boolean constant."""
        check_width(array)
        kind = i1 if array.dtype == np.bool_ else i32
        return self._typed(array, kind, array.astype(np.int64).astype(np.int32))

    def _typed(self, array: Array, element: Attribute, data: Array) -> SSAValue:
        """A constant of an element type other than bf16."""
        key = id(array)
        if key not in self._others:
            op = self._parameter(array, element, data)
            self.block.add_op(op)
            self._others[key] = (array, op.result)
        return self._others[key][1]

    # --- integer inputs -----------------------------------------------------------------------

    def _argument_of(self, value: Symbolic) -> tuple[str, SSAValue]:
        if len(value.inputs) != 1:
            names = ", ".join(sorted(value.inputs))
            raise Unsupported(f"a value computed from several integer inputs ({names})")
        (name,) = value.inputs
        return name, self.arguments[name]

    def materialised(self, value: Symbolic) -> SSAValue:
        """A value computed from integer inputs, by the nodes that compute it."""
        key = id(value)
        if key not in self._materialised:
            if value.build is None:
                raise Unsupported(f"cannot use {describe(value)} as an operand")
            layer = self.layer
            built = value.build()
            self.layer = layer
            self._materialised[key] = (value, built)
        return self._materialised[key][1]

    def bias(self, value: Value) -> SSAValue:
        """What is added to scores: a mask over keys if it is one, else what its nodes compute."""
        if not isinstance(value, Symbolic):
            return self.operand(value)
        try:
            return self.mask(value)
        except Unsupported:
            return self.narrowed(self.materialised(value))

    def mask(self, value: Symbolic) -> SSAValue:
        """An additive attention bias computed from a mask input."""
        name, argument = self._argument_of(value)
        shape, wanted = t.shape_of(argument), value.sample.shape
        if wanted and value.sample.size == prod(shape):
            # Every query has a row of its own, or all of a batch element share one.
            rows = value.sample.size // wanted[-1]
            value, argument = _by_rows(value, name, shape, rows), self._rows(argument, rows)
            shape = t.shape_of(argument)
        if len(shape) != 2:
            raise Unsupported(
                f"mask input '{name}' has shape {shape}, expected [batch, keys] or the shape of "
                "the mask"
            )
        found = mask_bias(value, *shape)
        if not found.same:
            note = f"mask '{name}': queries that see no key attend to all keys evenly"
            self.note(note)
        base = None if found.base is None else self.constant(found.base, splat=False)
        bias = self.emit(t.MaskToBiasOp(argument, shape[1], base, inverted=found.inverted))
        queries = 1 if found.base is None else len(found.base)
        if found.fill is not None and found.base is None:
            # Other masks may join it: what it hides is as far below the rest as in the source.
            bias = self.emit(t.MaskFillOp(bias, bias, found.fill))
        elif found.empty is Empty.OPEN:
            bias = self.emit_all(replace_masked_rows(bias, 0.0))
        elif found.empty is Empty.INFINITE:
            bias = self.emit_all(masked_by_infinity(bias))
        if value.sample.size == prod(shape) and found.base is None:
            return self.emit(t.ReshapeOp(bias, wanted))
        return self.emit(t.ReshapeOp(bias, (shape[0], 1, queries, shape[1])))

    def _rows(self, argument: SSAValue, rows: int) -> SSAValue:
        """An integer input as a matrix."""
        shape = t.shape_of(argument)
        if len(shape) == 2 and shape[0] == rows:
            return argument
        return self.emit(t.ReshapeOp(argument, (rows, prod(shape) // rows)))

    def ids(self, value: Symbolic, rows: int) -> tuple[SSAValue, int]:
        """(ids, c): indices of a table of `rows` rows are ids [n] + c.

        The ids are an input, or positions counted over one.
        """
        name, argument = self._argument_of(value)
        shape = t.shape_of(argument)
        shift = shift_of(value, shape, rows)
        if shift is None:
            found = positions(value, shape)
            if found is None:
                raise Unsupported(
                    f"indices computed from the values of input '{name}' in another way than "
                    "adding a number or counting tokens that are no padding",
                    "export the model so that they are an input or a constant",
                )
            padding, offset, fill = found
            argument = self.emit(
                t.PositionIdsOp(argument, padding=padding, offset=offset, fill=fill)
            )
        return self.emit(t.ReshapeOp(argument, (value.sample.size,))), shift or 0

    def derive(self, inputs: Sequence[Value], compute: Callable[[list[Array]], Any]) -> Symbolic:
        """A `Symbolic` computed from constants and other symbolic values."""
        names: frozenset[str] = frozenset()
        numbers: frozenset[int] = frozenset()
        for value in inputs:
            if isinstance(value, Symbolic):
                names |= value.inputs
                numbers |= value.numbers
            elif isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iu":
                numbers |= {int(value.ravel()[0])}

        operands: list[Any] = [v.sample if isinstance(v, Symbolic) else v for v in inputs]
        sample = np.asarray(compute(operands))

        def at(assignment: Assignment) -> Array:
            arrays: list[Any] = [v.at(assignment) if isinstance(v, Symbolic) else v for v in inputs]
            found = compute(arrays)
            if found.shape != sample.shape:
                listed = ", ".join(sorted(names))
                raise Unsupported(f"a shape that depends on the values of input {listed}")
            return found

        return Symbolic(names, at, sample, numbers)

    # --- evaluation ---------------------------------------------------------------------------

    def run(self, node: Node, arrays: Sequence[Array | None]) -> list[Array | None]:
        """Results of a node on arrays by ONNX's reference implementation; None where not asked for.

        Raises `Unsupported` if it cannot evaluate the node.
        """
        if node.kind in ROW_WISE and node.opset < 13 and node.attribute("axis", 1) != -1:
            raise Unsupported("of constants, over several dimensions")
        if node.kind == "GatherElements":
            return [gather_elements(arrays[0], arrays[1], node.attribute("axis", 0))]
        proto = onnx.NodeProto()
        proto.CopyFrom(node.proto)
        for index in range(len(proto.input)):
            if proto.input[index]:
                proto.input[index] = f"i{index}"
        names = [n for n in proto.input if n]
        given = {f"i{k}": a for k, a in enumerate(arrays) if a is not None and proto.input[k]}
        for name, value in node.captured.items():
            if not isinstance(value, np.ndarray):
                raise Unsupported(f"its body uses {describe(value)}")
            names.append(name)
            given[name] = value
        outputs = [o for o in proto.output if o]
        graph = onnx.helper.make_graph(
            [proto],
            "fold",
            [onnx.helper.make_value_info(n, onnx.TypeProto()) for n in dict.fromkeys(names)],
            [onnx.helper.make_value_info(n, onnx.TypeProto()) for n in outputs],
        )
        model = onnx.helper.make_model(graph, opset_imports=_imports(node))
        try:
            with np.errstate(all="ignore"):
                evaluator: Any = ReferenceEvaluator(model)
                found = iter(evaluator.run(None, given))
        except Exception as error:
            # It raises anything on nodes that make no sense or that it does not know.
            if node.schema is None:
                raise Unsupported(f"operator {node.key} is not supported") from error
            unknown = isinstance(error, RuntimeError)
            reason = (
                "it is not implemented there" if unknown else f"{type(error).__name__}, {error}"
            )
            raise Unsupported(
                f"it cannot be evaluated on constants by ONNX's reference implementation: {reason}"
            ) from error
        return [np.asarray(next(found)) if name else None for name in proto.output]

    def fold(self, node: Node) -> list[Value]:
        """A node none of whose operands is an activation: a constant or a symbolic value."""
        if not any(isinstance(v, Symbolic) for v in node.operands):
            arrays = [v if isinstance(v, np.ndarray) else None for v in node.operands]
            if self.decoder is not None and node.kind == "Gather":
                self.decoder.place(arrays, int(node.attribute("axis", 0)))
            return list(self.run(node, arrays))
        data = node.input(0)
        if node.kind in GATHERS and isinstance(data, np.ndarray) and _is_uniform(data):
            # Buffers of zeros selected by computed positions, such as default token types.
            sample = self.derive(node.operands, lambda arrays: self.run(node, arrays)[0]).sample
            return [np.full_like(sample, data.flat[0])]
        return [
            self.derive(node.operands, lambda arrays, i=i: self.run(node, arrays)[i])
            if name
            else None
            for i, name in enumerate(node.proto.output)
        ]


def _imports(node: Node) -> list[Any]:
    """Opsets of a model of one node."""
    version = max(node.opset, OLD_SPELLINGS.get(node.kind, 0))
    return [_HELPER.make_opsetid(node.proto.domain, version)]


def _saturated(e: F32, v: Scalars) -> SSAValue:
    """Finite numbers stay finite: the lowest float32 masks, -inf may give NaN."""
    (x,) = v
    limited = e.insert(arith.MaximumfOp(x, e.number(t.MASKED)))
    limited = e.insert(arith.MinimumfOp(limited, e.number(-t.MASKED)))
    return e.select(e.compare("olt", e.magnitude(x), np.inf), limited, x)


def _by_rows(value: Symbolic, name: str, shape: Sequence[int], rows: int) -> Symbolic:
    """A value with as many elements as its one input, as rows [rows, 1, 1, keys] of a matrix."""
    sample = value.sample.reshape(rows, 1, 1, -1)

    def at(assignment: Assignment) -> Array:
        return value.at({name: assignment[name].reshape(shape)}).reshape(sample.shape)

    return Symbolic(value.inputs, at, sample, value.numbers)


def _is_uniform(array: Array) -> bool:
    """Whether all elements are equal; weights, which are not, are not read for it."""
    first = array.reshape(-1)[:1]
    some = array.reshape(-1)[:64]
    return array.size > 0 and bool((some == first).all()) and bool((array == first[0]).all())


def is_splat(array: Array) -> bool:
    """Whether all elements are one finite number."""
    return _is_uniform(array) and bool(np.isfinite(array.flat[0]))


def gather_elements(data: Array | None, indices: Array | None, axis: int) -> Array:
    """GatherElements; ONNX's reference implementation fails where indices are the smaller array.

    Args:
        data: any shape.
        indices: of the same rank, no larger than data but for `axis`; the result has its shape.
    """
    assert data is not None
    assert indices is not None
    axis %= data.ndim
    part = tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(indices.shape))
    wrapped = np.where(indices < 0, indices + data.shape[axis], indices)
    return np.take_along_axis(data[part], wrapped, axis)


def layer_name(proto: Any) -> str:
    """The module a node came from: PyTorch's scope if the exporter recorded it, else its name."""
    for entry in proto.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            scopes = [s for s in re.findall(r"'([^']*)'", entry.value) if s]
            if len(scopes) > 1:
                return scopes[-2]
    name = proto.name or (proto.output[0] if proto.output else proto.op_type)
    parts = [p for p in name.split("/") if p]
    if name.startswith("/") and len(parts) > 1:
        return ".".join(parts[:-1])
    return name
