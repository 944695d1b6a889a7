"""The division of a model between clusters that the cost model likes best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from softex_mlir.abi import MAIN, STREAMS
from softex_mlir.compiler.mesh.division import Division, Grid, MeshPhase, grids
from softex_mlir.compiler.mesh.noc import Noc
from softex_mlir.compiler.mesh.steps import ModelSteps
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.outline import outline
from softex_mlir.compiler.transforms.transformer.boxes import size_of
from softex_mlir.compiler.transforms.transformer.drop_unread import narrowed
from softex_mlir.compiler.transforms.transformer.parts_read import RULES, Parts
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError

Floats = npt.NDArray[np.float64]

PHASE_CYCLES = 2000
"""Boot, first loads and last stores of a program, about: a phase of little more costs as much."""
MOST_STEPS = 16
"""Of a phase."""


@dataclass(frozen=True)
class Planner:
    """Plans for any number of clusters; what it learns about operations serves all of them."""

    division: Division
    _costs: dict[object, Floats] = field(default_factory=lambda: dict[object, Floats]())

    @property
    def steps(self) -> ModelSteps:
        """The model's."""
        return self.division.steps

    def plan(self, noc: Noc, grid: Grid | None = None) -> tuple[MeshPhase, ...]:
        """The phases that are expected to take least time together, all divided by one grid if
        that is given.

        Raises:
            UserError: an operation has no schedule, however it is divided.
        """
        count = len(self.steps.operations)
        allowed = grids(noc.clusters) if grid is None else (grid,)
        known: dict[object, tuple[float, Grid]] = {}
        best: list[tuple[float, tuple[MeshPhase, ...]]] = [(0.0, ())]
        begins = [self.steps.can_begin(place) for place in range(count)]
        for last in range(1, count + 1):
            found = (np.inf, ())
            for first in range(max(0, last - MOST_STEPS), last):
                if not begins[first] or not np.isfinite(best[first][0]):
                    continue
                key = self._signature(first, last)
                if key not in known:
                    known[key] = self._best(first, last, noc, allowed)
                cycles, chosen = known[key]
                if best[first][0] + cycles < found[0]:
                    phases = (*best[first][1], MeshPhase(first, last, chosen))
                    found = (best[first][0] + cycles, phases)
            best.append(found)
        if not np.isfinite(best[-1][0]):
            raise UserError(f"{self.steps.model.name}: found no division between clusters")
        return best[-1][1]

    def _best(self, first: int, last: int, noc: Noc, allowed: Sequence[Grid]) -> tuple[float, Grid]:
        costs = [(self._cycles(MeshPhase(first, last, grid), noc), grid) for grid in allowed]
        return min(costs, key=lambda cost: cost[0])

    def _cycles(self, phase: MeshPhase, noc: Noc) -> float:
        """Of the cluster with most to do, or of the L2: streams of a program overlap."""
        sizes = self.division.different(phase)
        if not sizes:
            return 0.0
        asked = self.division.parts(phase, sizes[0][0])
        total = np.zeros(len(STREAMS) + 2)
        for op, parts in self.steps.parts(phase.first, phase.last, asked):
            total += self._cost(op, parts)
        busy = sum(count for _, count in sizes)
        l2 = total[len(STREAMS) :].max() * busy / noc.l2_bytes_per_cycle
        return max(total[: len(STREAMS)].max(), l2) + PHASE_CYCLES + noc.exchange_cycles

    def _cost(self, op: Operation, parts: Parts) -> Floats:
        """Cycles of each stream and bytes of each direction that an operation takes alone."""
        sizes = (size_of(parts.result), *map(size_of, parts.operands))
        key = (self._texts[op], sizes)
        if key not in self._costs:
            self._costs[key] = self._measured(op, parts)
        return self._costs[key]

    def _measured(self, op: Operation, parts: Parts) -> Floats:
        nothing = np.zeros(len(STREAMS) + 2)
        if isinstance(op, t.TransformerOp) and op.unit is not None and op.unit.data == "none":
            return nothing
        model = _alone(op, parts)
        if model is None:
            return nothing
        try:
            launches = outline(model, self.steps.machine, {})["launches"]
        except UserError:
            return nothing + np.inf
        return sum((np.array([*x["cycles"], *x["bytes"]], float) for x in launches), nothing)

    def _signature(self, first: int, last: int) -> object:
        """Equal for runs of steps that are the same work, such as those of another layer."""
        wanted = set(self.steps.wanted(first, last))
        operations = self.steps.operations[first:last]
        return tuple(
            (self._texts[op], self._distances[op], tuple(r in wanted for r in op.results))
            for op in operations
        )

    @cached_property
    def _texts(self) -> dict[Operation, str]:
        """Operations with their attributes and types, but no names."""
        return {op: _text(op) for op in self.steps.operations}

    @cached_property
    def _distances(self) -> dict[Operation, tuple[int, ...]]:
        """How many steps ago operands were computed; 0 of parameters, less of inputs."""
        places = {op: place for place, op in enumerate(self.steps.operations)}

        def distance(place: int, value: SSAValue) -> int:
            if isinstance(value.owner, Block):
                return -1
            return place - places[value.owner] if value.owner in places else 0

        return {op: tuple(distance(p, v) for v in op.operands) for op, p in places.items()}


def _text(op: Operation) -> str:
    attributes = {**op.properties, **op.attributes}
    shown = (f"{k}={v}" for k, v in sorted(attributes.items()) if k not in ("layer", "offsets"))
    types = (str(v.type) for v in (*op.operands, *op.results))
    regions = (str(region) for region in op.regions)
    return " ".join((op.name, *shown, *types, *regions))


def _alone(op: Operation, parts: Parts) -> Model | None:
    """An operation, or a part of it, as a model; None if the part is that of an operand."""
    used = [(v, b) for v, b in zip(op.operands, parts.operands, strict=True) if all(b)]
    types = [_part_type(value, size_of(box)) for value, box in used]
    weights = [isinstance(value.owner, t.GetWeightOp) for value, _ in used]
    block = Block(arg_types=[kind for kind, w in zip(types, weights, strict=True) if not w])
    arguments = iter(block.args)
    declared: list[Operation] = []
    operands: list[SSAValue] = []
    for kind, parameter in zip(types, weights, strict=True):
        if parameter:
            declared.append(t.WeightOp(f"w{len(declared)}", kind))
            block.add_op(got := t.GetWeightOp(f"w{len(declared) - 1}", kind))
            operands.append(got.result)
        else:
            operands.append(next(arguments))
    if type(op) in RULES:
        new = narrowed(op, parts.result, operands)
    else:
        new = op.clone(dict(zip(op.operands, operands, strict=True)))
    if new is None:
        return None
    block.add_op(new)
    block.add_op(ReturnOp(*new.results))
    kinds = ([a.type for a in block.args], [r.type for r in new.results])
    function = FuncOp(MAIN, kinds, Region(block))
    if isinstance(new, t.TransformerOp):
        new.layer = StringAttr("alone")
    return Model(ModuleOp([*declared, function]), WeightStore(), "alone")


def _part_type(value: SSAValue, shape: tuple[int, ...]) -> t.AnyTensor:
    kind = cast(t.AnyTensor, value.type)
    return TensorType(kind.get_element_type(), shape)
