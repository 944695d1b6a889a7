"""Reading a graph node by node: values by name, and which refused nodes an output needs.

Nodes are read in the order of the file. One that cannot be imported leaves a `Broken` value and a
refusal behind; the refusals of those that no output depends on are nobody's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from xdsl.dialects.builtin import StringAttr, TensorType, bf16, f32
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx.blame import ENDED, blamed
from softex_mlir.compiler.importers.onnx.contrib import call
from softex_mlir.compiler.importers.onnx.control_flow import LOOPS
from softex_mlir.compiler.importers.onnx.definitions import definition, has_definition
from softex_mlir.compiler.importers.onnx.graph import Importer, layer_name
from softex_mlir.compiler.importers.onnx.node import Node, schema_of
from softex_mlir.compiler.importers.onnx.operators import OPERATORS
from softex_mlir.compiler.importers.onnx.support import WHEN_READ, way_out
from softex_mlir.compiler.importers.onnx.thresholds import Thresholds
from softex_mlir.compiler.importers.onnx.types import (
    FLOATS,
    check_result,
    element_type_of,
    infer,
    known_shape,
    tensor_type,
    type_of,
)
from softex_mlir.compiler.importers.onnx.values import (
    Broken,
    Symbolic,
    Unsupported,
    Value,
    element_of,
    shape_of_value,
)
from softex_mlir.compiler.importers.onnx.wide_integers import origin_of
from softex_mlir.errors import Refusal, UserError

SHAPE_ONLY = {"Shape", "Size"}
"""Operators whose result does not depend on the elements of their operand."""
STANDARD = ("", "ai.onnx")
OLDEST_OPSET = 7
"""Before it, operands were broadcast by attributes."""


@dataclass
class GraphReader:
    """Reads nodes into an `Importer`.

    Attributes:
        opsets: version of each domain.
        within: layer of a node whose definition is read; None for nodes of the file.
    """

    state: Importer
    ir_version: int
    opsets: Mapping[str, int]
    within: StringAttr | None = None
    scope: str = ""
    """Makes the names of a definition's values unique in the file."""
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    types: dict[str, Any] = field(default_factory=dict[str, Any])
    """ONNX type of every value that has one."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """What answers in steps in the graph."""
    _needs: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    _refused: dict[str, Refusal] = field(default_factory=dict[str, Refusal])
    """By the name of a value that cannot be computed."""

    def __post_init__(self) -> None:
        if self.within is None:
            self.state.apply = self.apply

    def define(self, name: str, value: Value, kind: Any) -> None:
        """Give a name a value. The first name of a constant is the one its parameter will have."""
        self.values[name] = value
        self.types[name] = kind
        if isinstance(value, np.ndarray):
            self.state.names.setdefault(id(value), name)

    def define_initializers(self, graph: Any) -> None:
        """Give a graph's initializers their values."""
        for tensor in graph.initializer:
            array = self.state.initializer(tensor)
            self.define(tensor.name, array, tensor_type(element_type_of(array), array.shape))

    def read(self, nodes: Iterable[Any]) -> None:
        """Read nodes in order."""
        for proto in nodes:
            inputs: list[str] = [name for name in proto.input if name]
            names = tuple(dict.fromkeys([*inputs, *captured_names(proto)]))
            self._needs.update(dict.fromkeys(proto.output, names))
            on_activation = any(_depends_on_elements(self.values.get(n)) for n in names)
            try:
                self._read(proto, names, on_activation)
            except Unsupported as error:
                refusal = error.refusal(_name(proto), proto.op_type)
                if not refusal.remedy:
                    refusal = replace(refusal, remedy=way_out(_full_name(proto)))
                self._refuse(proto.output, refusal, on_activation)
                self._stand_in(proto, on_activation)
            except UserError:
                raise
            except ENDED as error:
                refusal = Refusal(_name(proto), proto.op_type, self._blamed(proto, error), "")
                self._refuse(proto.output, refusal, on_activation)

    def refusals(self, outputs: Iterable[str]) -> list[Refusal]:
        """Why the outputs cannot be computed, in the order of the nodes."""
        needed: set[str] = set()
        pending = list(outputs)
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                pending.extend(self._needs.get(name, ()))
        found = {id(r): r for name, r in self._refused.items() if name in needed}
        return list(found.values())

    def _read(self, proto: Any, names: Iterable[str], on_activation: bool) -> None:
        for name in names:
            if name not in self.values:
                raise Unsupported(f"nothing before it computes '{name}'")
        operands = [self.values[n] if n else None for n in proto.input]
        standard = proto.domain in STANDARD
        if standard and proto.op_type == "If":
            self._read_if(proto, operands[0])
            return
        exact = not self.thresholds.exact.isdisjoint(proto.input)
        if exact and not self.thresholds.reads_exactly(proto):
            operands = [
                self._narrowed(v) if n in self.thresholds.exact else v
                for n, v in zip(proto.input, operands, strict=True)
            ]
        name = _full_name(proto)
        opset = self._opset(proto)
        known = (
            name in OPERATORS
            or name in LOOPS
            or has_definition(schema_of(proto.op_type, proto.domain, opset))
        )
        # what is made of shapes alone comes to nothing behind a refused node
        lost = name in WHEN_READ and any(isinstance(self.values[n], Broken) for n in names)
        if (on_activation or not standard) and not known and not lost:
            raise Unsupported(f"operator {name} is not supported", way_out(name))
        if any(isinstance(self.values[n], Broken) for n in names):
            self.values.update(dict.fromkeys(proto.output, Broken(on_activation)))
            return
        if standard and on_activation and opset < OLDEST_OPSET:
            raise Unsupported(
                f"opset {opset} is older than {OLDEST_OPSET}",
                "convert the model with onnx.version_converter",
            )
        types = [self.types.get(n) if n else None for n in proto.input]
        if self.state.decoder is not None:
            self._at_the_position(proto, operands, types)
        captured = {n: self.values[n] for n in captured_names(proto)}
        node = Node(proto, operands, types, opset, captured)
        self.state.layer = self._layer(node)
        folded = all(isinstance(v, np.ndarray | None) for v in operands)
        inferred = [None] * len(proto.output) if folded else infer(node, self.ir_version)
        node.results = inferred
        node.narrow, node.realise = self.state.narrowed, self.state.tensor
        results = self._results(node, on_activation)
        for index, output in enumerate(proto.output):
            if not output:
                continue
            value = results[index] if index < len(results) else None
            if value is None:
                reason = f"its output {node.output_name(index)} is not computed"
                self._refuse([output], Refusal(_name(proto), proto.op_type, reason), on_activation)
                continue
            if exact and output not in self.thresholds.exact:
                value = self._narrowed(value)
            check_result(value, inferred[index])
            self.define(output, value, type_of(value, inferred[index], types))

    def _narrowed(self, value: Value) -> Value:
        """Numbers that were held in float32 for others as the activations they are."""
        if isinstance(value, SSAValue) and element_of(value) == f32:
            return self.state.narrowed(value)
        return value

    def _at_the_position(self, proto: Any, operands: list[Value], types: list[Any]) -> None:
        """Replace constant operands that depend on how many tokens there were before."""
        assert self.state.decoder is not None
        if all(isinstance(v, np.ndarray | None) for v in operands):
            return
        for index, (name, value) in enumerate(zip(proto.input, operands, strict=True)):
            if isinstance(value, np.ndarray):
                key = f"{self.scope}{name}"
                found = self.state.decoder.constant(key, proto.op_type, index, value)
                operands[index] = found
                types[index] = type_of(found, types[index], [])

    def apply(self, node: Node) -> Sequence[Value]:
        """Values of a node that a handler wrote."""
        return self._results(node, any(map(_depends_on_elements, node.operands)))

    def _results(self, node: Node, on_activation: bool) -> Sequence[Value]:
        """Values of a node's outputs."""
        data = node.operands[0] if node.operands else None
        embedding = (
            node.kind == "Gather"
            and isinstance(data, np.ndarray)
            and isinstance(node.operands[1], Symbolic)
            and data.dtype.kind not in "iub"
        )
        if not (on_activation or embedding or node.key in SHAPE_ONLY or node.key != node.kind):
            return self._folded(node)
        return self._translated(node)

    def _translated(self, node: Node) -> Sequence[Value]:
        """What a node's handler makes of it, else what its definition says."""
        if node.key in LOOPS:
            return self._unrolled(node)
        defined = has_definition(node.schema)
        if node.key not in OPERATORS:
            return self._defined(node)
        try:
            results = self._handled(node)
            if unread := node.unread():
                raise Unsupported(f"{', '.join(unread)} is not supported")
        except Unsupported as error:
            if not defined:
                raise
            try:
                return self._defined(node)
            except Unsupported:
                raise error from None
        missing = [i for i, name in enumerate(node.proto.output) if name and _absent(results, i)]
        if not defined or not missing:
            return results
        try:
            others = self._defined(node)
        except Unsupported:
            return results
        return [others[i] if i in missing else v for i, v in enumerate(_padded(results, others))]

    def _handled(self, node: Node) -> list[Value]:
        """What a node's handler makes of it; the operations it writes are the node's."""
        if self.thresholds.is_at_risk(node):
            self.state.note(
                f"{node.kind} '{_name(node.proto)}' reads numbers in BF16: one close to a step may "
                "fall on its other side"
            )
        if self.thresholds.chooses_among_rounded(node):
            self.state.note(
                f"{node.kind} '{_name(node.proto)}' chooses among numbers rounded to BF16: of "
                "close ones another may be chosen"
            )
        block, origins = self.state.block, self.state.node_origins
        before = block.last_op
        try:
            results = list(OPERATORS[node.key][0](self.state, node))
        except MemoryError as error:
            reason = " ".join(str(error).split()) or "sizes that no memory holds"
            raise Unsupported(f"it needs more memory than there is: {reason}") from None
        kinds = [node.element_type(i) for i in range(len(node.operands))]
        kinds += [node.result_type(i) for i in range(len(node.proto.output))]
        origin = origin_of(_name(node.proto), node.kind, kinds)
        op = block.first_op if before is None else before.next_op
        while op is not None:
            origins.setdefault(op, origin)
            op = op.next_op
        return results

    def _defined(self, node: Node) -> list[Value]:
        """What the operators compute that a node is defined by."""
        model = definition(node, self.ir_version)
        written_in = {o.domain: int(o.version) for o in model.opset_import}
        opsets = {**self.opsets, **written_in}
        scope = f"{self.scope}{next((n for n in node.proto.output if n), '')}/"
        reader = GraphReader(self.state, self.ir_version, opsets, self._layer(node), scope)
        for name, value, kind in zip(node.proto.input, node.operands, node.types, strict=True):
            if name:
                reader.define(name, value, kind)
        for name, value in node.captured.items():
            reader.define(name, value, self.types.get(name))
        reader.define_initializers(model.graph)
        reader.read(model.graph.node)
        _raise(reader.refusals(n for n in node.proto.output if n), "definition")
        return [reader.values[name] if name else None for name in node.proto.output]

    def _body(self, body: Any, inputs: Sequence[Value]) -> list[Value]:
        """Results of a subgraph, given its inputs."""
        reader = replace(self, values={**self.values}, types={**self.types}, _refused={})
        reader.define_initializers(body)
        for formal, value in zip(body.input, inputs, strict=True):
            reader.define(formal.name, value, type_of(value, formal.type, []))
        reader.read(body.node)
        names = [output.name for output in body.output]
        _raise(reader.refusals(names), "body")
        return [reader.values[name] for name in names]

    def _unrolled(self, node: Node) -> list[Value]:
        """A loop, iteration by iteration."""

        results = LOOPS[node.kind](self.state, node, self._body)
        if unread := node.unread():
            raise Unsupported(f"{', '.join(unread)} is not supported")
        return results

    def _layer(self, node: Node) -> StringAttr:
        return self.within or StringAttr(layer_name(node.proto))

    def _folded(self, node: Node) -> Sequence[Value]:
        """Values known now, or computed from integer inputs and able to be translated later."""
        translatable = node.proto.domain in STANDARD and (
            node.kind in OPERATORS or node.kind in LOOPS or has_definition(node.schema)
        )
        try:
            folded = self.state.fold(node)
        except Unsupported:
            if not translatable or not any(isinstance(v, Symbolic) for v in node.operands):
                raise
            return self._translated(self._on_activations(node))
        translated: list[Sequence[Value]] = []

        def build(index: int) -> SSAValue:
            try:
                if not translatable:
                    raise Unsupported(f"operator {node.kind} is not supported")
                if not translated:
                    again = self._on_activations(node)
                    found = self._translated(again)
                    for value, kind in zip(found, again.results, strict=False):
                        check_result(value, kind)
                    translated.append(found)
                return self.state.tensor(translated[0][index])
            except Unsupported as error:
                error.about = error.about or (_name(node.proto), node.kind)
                raise

        return [
            replace(value, build=lambda i=i: build(i), memo=[])
            if isinstance(value, Symbolic) and value.build is None
            else value
            for i, value in enumerate(folded)
        ]

    def _on_activations(self, node: Node) -> Node:
        """A node whose operands that are computed from integer inputs are activations."""
        operands = [
            self.state.materialised(v) if isinstance(v, Symbolic) else v for v in node.operands
        ]
        self.state.layer = self._layer(node)
        return replace(node, operands=operands, _seen_inputs=set(), _seen_attributes=set())

    def _read_if(self, proto: Any, condition: Value) -> None:
        """The branch a constant condition chooses takes the node's place."""
        if not isinstance(condition, np.ndarray):
            self._read_both(proto, condition)
            return
        branch = _branch(proto, "then_branch" if condition.all() else "else_branch")
        self.define_initializers(branch)
        self.read(branch.node)
        for output, result in zip(proto.output, branch.output, strict=True):
            self._needs[output] = (result.name,)
            self.define(output, self.values[result.name], self.types.get(result.name))

    def _read_both(self, proto: Any, condition: Value) -> None:
        """Both branches are computed where the condition is not known, and elements chosen."""
        then, other = (
            self._body(_branch(proto, name), ()) for name in ("then_branch", "else_branch")
        )
        for output, a, b in zip(proto.output, then, other, strict=True):
            shapes = shape_of_value(a), shape_of_value(b)
            if shapes[0] != shapes[1]:
                raise Unsupported(
                    f"its condition is known at run time only, and its branches give {shapes[0]} "
                    f"and {shapes[1]}",
                    "export one branch as a model of its own",
                )
            chosen = call(self.state, "Where", condition, a, b)
            self.define(output, chosen, type_of(chosen, None, []))
        self.state.note(f"If '{_name(proto)}' computes both branches: its condition is an input")

    def _stand_in(self, proto: Any, on_activation: bool) -> None:
        """Give the results of a refused node values, so that what follows it is looked at too.

        Only numbers computed from activations, whose shape ONNX infers: nothing depends on their
        elements when the model is read.
        """
        operands = [self.values[n] if n else None for n in proto.input if n in ("", *self.values)]
        types = [self.types.get(n) if n else None for n in proto.input]
        if not on_activation or any(
            n and k is None for n, k in zip(proto.input, types, strict=True)
        ):
            return
        opset = self.opsets.get(proto.domain, self.opsets.get("", 1))
        try:
            inferred = infer(Node(proto, operands, types, opset, {}), self.ir_version)
        except (Unsupported, UserError, ValueError):
            return
        for name, kind in zip(proto.output, inferred, strict=False):
            shape = known_shape(kind)
            if name and shape is not None and kind.tensor_type.elem_type in FLOATS:
                self.values[name] = self.state.emit_all([EmptyOp([], TensorType(bf16, shape))])
                self.types[name] = kind

    def _blamed(self, proto: Any, error: Exception) -> str:
        """Why a node was not read."""
        operands = [self.values.get(n) if n else None for n in proto.input]
        types = [self.types.get(n) if n else None for n in proto.input]
        return blamed(self.state, proto, operands, types, self._opset(proto), error)

    def _opset(self, proto: Any) -> int:
        """The version of the operators of a node's domain."""
        return self.opsets.get(proto.domain, self.opsets.get("", 1))

    def _refuse(self, outputs: Iterable[str], refusal: Refusal, on_activation: bool) -> None:
        for name in filter(None, outputs):
            self.values[name] = Broken(on_activation)
            self.types.pop(name, None)
            self._refused[name] = refusal


def captured_names(proto: Any) -> list[str]:
    """Names of the outer graph that the subgraphs of a node use."""
    found: list[str] = []
    for attribute in proto.attribute:
        if not attribute.HasField("g"):
            continue
        graph = attribute.g
        own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
        own |= {name for node in graph.node for name in node.output}
        used = [name for node in graph.node for name in (*node.input, *captured_names(node))]
        used += [v.name for v in graph.output]
        found += [name for name in used if name and name not in own]
    return list(dict.fromkeys(found))


def _depends_on_elements(value: Value) -> bool:
    """Whether a value may depend on an activation's elements."""
    if isinstance(value, Broken):
        return value.activation
    return value is not None and not isinstance(value, np.ndarray | Symbolic)


def _raise(refusals: Sequence[Refusal], where: str) -> None:
    """Refuse a node for the first of what it consists of."""
    if refusals:
        first = refusals[0]
        reason = f"in its {where}, {first.operator}: {first.reason}"
        raise Unsupported(reason, first.remedy)


def _branch(proto: Any, wanted: str) -> Any:
    """A subgraph of an `If`."""
    found = next((a.g for a in proto.attribute if a.name == wanted), None)
    if found is None:
        raise Unsupported(f"it has no {wanted}")
    return found


def _absent(results: Sequence[Value], index: int) -> bool:
    return index >= len(results) or results[index] is None


def _padded(results: Sequence[Value], others: Sequence[Value]) -> list[Value]:
    """Results with as many elements as others."""
    return [*results, *[None] * (len(others) - len(results))]


def _full_name(proto: Any) -> str:
    return proto.op_type if proto.domain in STANDARD else f"{proto.domain}.{proto.op_type}"


def _name(proto: Any) -> str:
    return proto.name or (proto.output[0] if proto.output else "?")


def in_a_line(problems: Sequence[Refusal]) -> str:
    """What is wrong with inputs and outputs, which their reasons name."""
    return "; ".join(f"{p.reason} ({p.remedy})" if p.remedy else p.reason for p in problems)


def listed(refusals: Sequence[Refusal]) -> str:
    """All refusals as one message; equal ones are counted together."""
    nodes: Mapping[str, list[str]] = {}
    for refusal in refusals:
        unknown = refusal.reason.startswith("operator ")
        text = refusal.reason if unknown else f"{refusal.operator}: {refusal.reason}"
        text += f"; {refusal.remedy}" if refusal.remedy else ""
        nodes.setdefault(text, []).append(refusal.node)
    count = len(refusals)
    head = f"{count} node{'s' if count > 1 else ''} cannot be imported:"
    lines = [f"{text} ({len(names)}x: {', '.join(names)})" for text, names in nodes.items()]
    return "\n  ".join([head, *lines])
