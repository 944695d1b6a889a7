"""The state of an import: values by name, the module being built, and how nodes are evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from xdsl.dialects.builtin import StringAttr, TensorType, bf16
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.compiler.importers.onnx_masks import is_view_of_input, mask_base, positions
from softex_mlir.compiler.importers.onnx_values import (
    ActivationSequence,
    Array,
    Assignment,
    NanTest,
    Symbolic,
    Unsupported,
    Value,
    shape_of_value,
)
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t

GATHERS = ("Gather", "GatherElements", "GatherND")

Handler = Callable[["Importer", "Node"], "list[Value]"]


@dataclass
class Node:
    """An ONNX node with its operands' values and attributes."""

    proto: Any
    inputs: list[Value]
    opset: int

    @property
    def kind(self) -> str:
        """Operator type."""
        return self.proto.op_type

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return onnx.helper.get_attribute_value(attribute)
        return default

    def input(self, index: int) -> Value:
        """An operand; None if it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int, what: str) -> Array | None:
        """A constant operand; None if it is absent."""
        value = self.input(index)
        if value is None or isinstance(value, np.ndarray):
            return value
        raise Unsupported(f"its {what} must be a constant")

    def ints(self, index: int, name: str, what: str) -> list[int] | None:
        """Integers given as attribute (old opsets) or as constant operand (new ones)."""
        given = self.attribute(name)
        if given is not None:
            return [int(i) for i in given]
        found = self.constant(index, what)
        return None if found is None else [int(i) for i in found.ravel()]

    def activation(self, index: int) -> SSAValue:
        """An operand that must be an activation."""
        value = self.input(index)
        if isinstance(value, SSAValue):
            return value
        raise Unsupported(f"operand {index} must be an activation, found {describe(value)}")


def describe(value: Value) -> str:
    """A value for an error message."""
    if isinstance(value, np.ndarray):
        return f"a constant {value.dtype} {value.shape}"
    if isinstance(value, Symbolic):
        names = ", ".join(sorted(value.inputs))
        return f"a {value.sample.dtype} tensor {value.sample.shape} computed from input {names}"
    if isinstance(value, NanTest):
        return "a test for NaN"
    if isinstance(value, ActivationSequence):
        return f"a sequence of {len(value.parts)} activations"
    return "nothing" if value is None else f"an activation {shape_of_value(value)}"


@dataclass
class Importer:
    """Builds `@main` node by node."""

    opsets: list[Any]
    arguments: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    block: Block = field(default_factory=Block)
    weights: WeightStore = field(default_factory=WeightStore)
    weight_ops: list[Operation] = field(default_factory=lambda: list[Operation]())
    notes: list[str] = field(default_factory=lambda: list[str]())
    layer: StringAttr | None = None
    _constants: dict[tuple[int, bool], tuple[Array, SSAValue]] = field(
        default_factory=lambda: dict[tuple[int, bool], tuple[Array, SSAValue]]()
    )
    names: dict[int, str] = field(default_factory=lambda: dict[int, str]())
    """Names of constants by identity of the array."""

    def emit(self, op: t.TransformerOp) -> SSAValue:
        """Append an operation under the current layer."""
        op.layer = self.layer
        self.block.add_op(op)
        return op.results[0]

    # --- constants ----------------------------------------------------------------------------

    def constant(self, array: Array, *, splat: bool = True) -> SSAValue:
        """A constant as an SSA value: a splat if all elements are equal, else a parameter."""
        key = (id(array), splat)
        if key in self._constants:
            return self._constants[key][1]
        if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
            raise Unsupported(f"a constant of type {array.dtype}")
        data = array.astype(np.float32)
        flat = data.ravel()
        if splat and flat.size and bool((flat == flat[0]).all()) and np.isfinite(flat[0]):
            op: t.SplatOp | t.GetWeightOp = t.SplatOp(float(flat[0]), data.shape)
        else:
            kind = TensorType(bf16, data.shape)
            name = self.weights.add(self.names.get(id(array), "constant"), data)
            self.weight_ops.append(t.WeightOp(name, kind))
            op = t.GetWeightOp(name, kind)
        self.block.add_op(op)
        self._constants[key] = (array, op.result)
        return op.result

    def operand(self, value: Value, *, scores: tuple[int, ...] | None = None) -> SSAValue:
        """Any value as an operand of a floating-point operation."""
        if isinstance(value, np.ndarray):
            return self.constant(value)
        if isinstance(value, Symbolic):
            return self.mask(value)
        if isinstance(value, SSAValue):
            return value
        raise Unsupported(f"cannot use {describe(value)} as an operand")

    # --- integer inputs -----------------------------------------------------------------------

    def _argument_of(self, value: Symbolic) -> tuple[str, SSAValue]:
        if len(value.inputs) != 1:
            names = ", ".join(sorted(value.inputs))
            raise Unsupported(f"a value computed from several integer inputs ({names})")
        (name,) = value.inputs
        return name, self.arguments[name]

    def mask(self, value: Symbolic) -> SSAValue:
        """An additive attention bias computed from a mask input."""
        name, argument = self._argument_of(value)
        shape = t.shape_of(argument)
        if len(shape) != 2:
            raise Unsupported(f"mask input '{name}' has shape {shape}, expected [batch, keys]")
        base, inverted = mask_base(value, *shape)
        base_value = None if base is None else self.constant(base, splat=False)
        bias = self.emit(t.MaskToBiasOp(argument, shape[1], base_value, inverted=inverted))
        batch, queries = shape[0], 1 if base is None else len(base)
        return self.emit(t.ReshapeOp(bias, (batch, 1, queries, shape[1])))

    def ids(self, value: Symbolic) -> SSAValue:
        """Token ids [n] for an embedding: an input, or positions counted over one."""
        name, argument = self._argument_of(value)
        shape = t.shape_of(argument)
        if not is_view_of_input(value, shape):
            found = positions(value, shape)
            if found is None:
                raise Unsupported(
                    f"indices computed from the values of input '{name}' in another way than "
                    "counting tokens that are no padding; export the model so that they are an "
                    "input or a constant"
                )
            padding, offset, fill = found
            argument = self.emit(
                t.PositionIdsOp(argument, padding=padding, offset=offset, fill=fill)
            )
        return self.emit(t.ReshapeOp(argument, (value.sample.size,)))

    def derive(self, inputs: Sequence[Value], compute: Callable[[list[Array]], Array]) -> Symbolic:
        """A `Symbolic` computed from constants and other symbolic values."""
        names: frozenset[str] = frozenset()
        numbers: frozenset[int] = frozenset()
        for value in inputs:
            if isinstance(value, Symbolic):
                names |= value.inputs
                numbers |= value.numbers
            elif isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iu":
                numbers |= {int(value.ravel()[0])}

        def at(assignment: Assignment) -> Array:
            arrays: list[Any] = [v.at(assignment) if isinstance(v, Symbolic) else v for v in inputs]
            return compute(arrays)

        sample = compute([v.sample if isinstance(v, Symbolic) else v for v in inputs])  # type: ignore[misc]
        return Symbolic(names, at, np.asarray(sample), numbers)

    # --- evaluation ---------------------------------------------------------------------------

    def run(self, node: Node, arrays: Sequence[Array | None]) -> list[Array]:
        """Evaluate a node on arrays with ONNX's reference implementation."""
        if node.kind == "GatherElements":
            return [_gather_elements(arrays[0], arrays[1], node.attribute("axis", 0))]
        proto = onnx.NodeProto()
        proto.CopyFrom(node.proto)
        for index in range(len(proto.input)):
            if proto.input[index]:
                proto.input[index] = f"i{index}"
        # Activations have one type here, whatever the model calls it: CastLike of a constant and
        # an activation may meet a constant of another floating-point type.
        if len({a.dtype for a in arrays if a is not None and a.dtype.kind == "f"}) > 1:
            arrays = [
                a.astype(np.float32) if a is not None and a.dtype.kind == "f" else a for a in arrays
            ]
        names = [n for n in proto.input if n]
        given = {f"i{k}": a for k, a in enumerate(arrays) if a is not None and proto.input[k]}
        outputs = [o for o in proto.output if o]
        graph = onnx.helper.make_graph(
            [proto],
            "fold",
            [onnx.helper.make_value_info(n, onnx.TypeProto()) for n in dict.fromkeys(names)],
            [onnx.helper.make_value_info(n, onnx.TypeProto()) for n in outputs],
        )
        model = onnx.helper.make_model(graph, opset_imports=self.opsets)
        with np.errstate(all="ignore"):
            evaluator: Any = ReferenceEvaluator(model)
            found = evaluator.run(None, given)
        return [np.asarray(f) for f in found]  # type: ignore[arg-type]

    def fold(self, node: Node) -> list[Value]:
        """A node none of whose operands is an activation: a constant or a symbolic value."""
        if not any(isinstance(v, Symbolic) for v in node.inputs):
            return list(
                self.run(node, [v if isinstance(v, np.ndarray) else None for v in node.inputs])
            )
        data = node.input(0)
        if node.kind in GATHERS and isinstance(data, np.ndarray) and _is_uniform(data):
            # Buffers of zeros selected by computed positions, such as default token types.
            sample = self.derive(node.inputs, lambda arrays: self.run(node, arrays)[0]).sample
            return [np.full_like(sample, data.flat[0])]
        count = len([o for o in node.proto.output if o])
        return [
            self.derive(
                [v if v is not None else None for v in node.inputs],
                lambda arrays, i=i: self.run(node, arrays)[i],
            )
            for i in range(count)
        ]


def _is_uniform(array: Array) -> bool:
    """Whether all elements are equal."""
    return array.size > 0 and bool((array == array.flat[0]).all())


def _gather_elements(data: Array | None, indices: Array | None, axis: int) -> Array:
    """GatherElements; ONNX's reference implementation fails where indices are the smaller array."""
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


def initializer(tensor: Any, folder: str) -> Array:
    """Data of an initializer."""
    return numpy_helper.to_array(tensor, base_dir=folder)
