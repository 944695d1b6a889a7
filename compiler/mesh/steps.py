"""A fused model as a sequence of steps, and which part of each a part of the results takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from xdsl.dialects.builtin import BFloat16Type, i32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.model import Model, entry_functions
from softex_mlir.compiler.transforms.transformer.boxes import Box, union, whole
from softex_mlir.compiler.transforms.transformer.parts_read import RULES, Parts
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

PRODUCTS = (t.LinearOp, t.AttentionOp, t.MatmulOp)


@dataclass(frozen=True)
class ModelSteps:
    """The operations of a fused model of one entry, parameters left out, in their order."""

    model: Model
    machine: Machine

    def __post_init__(self):
        if len(entries := entry_functions(self.model.module)) > 1:
            raise UserError(
                f"{self.model.name}: expected a model of one entry to divide between clusters, "
                f"found {', '.join(entries)}: leave --max-length out"
            )

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """What computes, in order."""
        block = self.model.main.body.block
        return tuple(op for op in block.ops if not isinstance(op, t.GetWeightOp | ReturnOp))

    @cached_property
    def names(self) -> Mapping[SSAValue, str]:
        """Names of what crosses from phase to phase: inputs as the model's, results by place."""
        ports = zip(self.model.main.body.block.args, self.model.inputs, strict=True)
        named: dict[SSAValue, str] = {value: port.name for value, port in ports}
        for place, op in enumerate(self.operations):
            named.update(dict.fromkeys(op.results, f"value_{place}"))
        return named

    @cached_property
    def results(self) -> tuple[SSAValue, ...]:
        """What the model gives."""
        last = self.model.main.body.block.last_op
        assert isinstance(last, ReturnOp)
        return tuple(last.operands)

    @cached_property
    def last_use(self) -> Mapping[SSAValue, int]:
        """The last step that reads a value; the number of steps for results of the model."""
        found: dict[SSAValue, int] = {}
        for place, op in enumerate(self.operations):
            for inner in op.walk():
                found.update(dict.fromkeys(inner.operands, place))
        return found | dict.fromkeys(self.results, len(self.operations))

    def given(self, first: int, last: int) -> tuple[SSAValue, ...]:
        """What steps from `first` up to before `last` take from before them, no parameters."""
        mine = set(self.operations[first:last])
        found: dict[SSAValue, None] = {}
        for op in self.operations[first:last]:
            for value in (value for inner in op.walk() for value in inner.operands):
                inside = value.owner in mine or _is_parameter(value)
                if not inside and value in self.names:
                    found[value] = None
        return tuple(found)

    def wanted(self, first: int, last: int) -> tuple[SSAValue, ...]:
        """What steps from `first` up to before `last` leave for later ones, or the model gives."""
        made = (result for op in self.operations[first:last] for result in op.results)
        return tuple(value for value in made if self.last_use.get(value, -1) >= last)

    def can_begin(self, place: int) -> bool:
        """Whether what is alive before a step can lie in L2: bf16 and i32 tensors can."""
        return all(_storable(value) for value in self.wanted(0, place))

    def parts(
        self, first: int, last: int, asked: Mapping[SSAValue, Box]
    ) -> Iterator[tuple[Operation, Parts]]:
        """What steps compute for parts of their results that are asked for, the last one first."""
        reads: defaultdict[SSAValue, list[Box]] = defaultdict(list)
        for value, box in asked.items():
            reads[value].append(box)
        for op in reversed(self.operations[first:last]):
            boxes = [box for result in op.results for box in reads[result] if all(box)]
            if not boxes:
                continue
            parts = _parts(op, boxes)
            yield op, parts
            for operand, box in zip(op.operands, parts.operands, strict=True):
                reads[operand].append(box)


def _parts(op: Operation, asked: Sequence[Box]) -> Parts:
    rule = RULES.get(type(op))
    if rule is not None:
        return rule(op, union(asked))
    operands = tuple(whole(t.shape_of(operand)) for operand in op.operands)
    return Parts(whole(t.shape_of(op.results[0])), operands)


def _is_parameter(value: SSAValue) -> bool:
    return isinstance(value.owner, t.GetWeightOp)


def _storable(value: SSAValue) -> bool:
    element = cast(t.AnyTensor, value.type).get_element_type()
    return isinstance(element, BFloat16Type) or element == i32
