"""Where the elements of a loop nest lie: loops merged and ordered, operands by their strides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from softex_mlir.compiler.loop_nest import Access, Axis, LoopNest
from softex_mlir.compiler.schedule.kernels.kernel import Dtype
from softex_mlir.compiler.schedule.views import View

NARROWEST_RUN = 8
"""Elements further apart than this are fetched one by one, nearer ones with what is between."""


@dataclass(frozen=True)
class NestOperand:
    """An operand in L2: its axes from the outermost in memory, with their strides in elements.

    `offset`: elements from the view's first to the one at index 0 of every axis.
    """

    axes: Access
    strides: tuple[int, ...]
    offset: int
    dtype: Dtype

    def stride(self, loop: int) -> int:
        """Elements between neighbours in a loop."""
        return sum(
            axis.factors[loop] * stride
            for axis, stride in zip(self.axes, self.strides, strict=True)
        )


@dataclass(frozen=True)
class NestShape:
    """A loop nest on memory: parallel loops first, the last of them along the first result."""

    extents: tuple[int, ...]
    reduction: tuple[bool, ...]
    inputs: tuple[NestOperand, ...]
    outputs: tuple[NestOperand, ...]
    loops: tuple[tuple[int, ...], ...]
    """The original loops that became each loop, outermost first."""

    @property
    def reduces(self) -> bool:
        """Whether there are accumulators."""
        return any(self.reduction)

    @property
    def parallel(self) -> int:
        """Number of parallel loops."""
        return sum(not reduces for reduces in self.reduction)


def place_nest(
    nest: LoopNest, inputs: Sequence[View], outputs: Sequence[View], keep: Sequence[int] = ()
) -> NestShape:
    """Order and merge the loops of a nest. `keep`: loops whose index the body reads, not merged."""
    operands = [
        _operand(access, view, len(nest.extents))
        for access, view in zip((*nest.inputs, *nest.outputs), (*inputs, *outputs), strict=True)
    ]
    split = len(nest.inputs)
    loops = [d for d in range(len(nest.extents)) if nest.extents[d] > 1 or d in keep]
    first = operands[split]
    outer = sorted((d for d in loops if not nest.reduction[d]), key=lambda d: -abs(first.stride(d)))
    order = [*outer, *(d for d in loops if nest.reduction[d])]
    groups: list[list[int]] = []
    for d in order:
        if groups and _mergeable(nest, operands, groups[-1], d, keep):
            groups[-1].append(d)
        else:
            groups.append([d])
    extents: list[int] = []
    reduction: list[bool] = []
    for group in groups:
        size = 1
        for d in group:
            size *= nest.extents[d]
        extents.append(size)
        reduction.append(nest.reduction[group[0]])
    if all(reduction):
        # a nest needs a loop to deal out, if only of one iteration
        groups.insert(0, [])
        extents.insert(0, 1)
        reduction.insert(0, False)
    moved = [_regrouped(operand, groups, nest.extents) for operand in operands]
    return NestShape(
        tuple(extents),
        tuple(reduction),
        tuple(moved[:split]),
        tuple(moved[split:]),
        tuple(tuple(group) for group in groups),
    )


def _operand(access: Access, view: View, count: int) -> NestOperand:
    """Axes by falling stride; those that do not move become part of the offset."""
    offset = 0
    found: list[tuple[int, Axis]] = []
    for axis, stride in zip(access, view.strides, strict=True):
        if not any(axis.factors) or axis.size == 1:
            offset += axis.offset * stride
        else:
            found.append((stride, axis))
    found.sort(key=lambda pair: -pair[0])
    if not found:
        found = [(1, Axis(1, (0,) * count))]
    stride, last = found[-1]
    if 1 < stride <= NARROWEST_RUN:
        factors = tuple(f * stride for f in last.factors)
        size = (last.size - 1) * stride + 1
        found[-1] = (1, Axis(size, factors, last.offset * stride))
    elif stride != 1:
        found.append((1, Axis(1, (0,) * len(last.factors))))
    return NestOperand(
        tuple(axis for _, axis in found), tuple(s for s, _ in found), offset, view.dtype
    )


def _mergeable(
    nest: LoopNest,
    operands: Sequence[NestOperand],
    group: Sequence[int],
    d: int,
    keep: Sequence[int],
) -> bool:
    """Whether loop d continues the loops of a group in every operand."""
    before = group[-1]
    if d in keep or before in keep or nest.reduction[before] != nest.reduction[d]:
        return False
    for operand in operands:
        mine, other = _alone(operand, before), _alone(operand, d)
        if mine is None or other is None:
            return False
        if mine != nest.extents[d] * other:
            return False
    return True


def _alone(operand: NestOperand, loop: int) -> int | None:
    """The loop's stride if every axis it moves is moved by nothing else."""
    for axis in operand.axes:
        if axis.factors[loop] and (sum(f != 0 for f in axis.factors) > 1 or axis.offset):
            return None
    return operand.stride(loop)


def _regrouped(
    operand: NestOperand, groups: Sequence[Sequence[int]], extents: Sequence[int]
) -> NestOperand:
    """The operand in terms of merged loops; axes of one merged loop become one axis."""
    axes: list[Axis] = []
    strides: list[int] = []
    merged = {d: g for g, group in enumerate(groups) for d in group}
    done: set[int] = set()
    for axis, stride in zip(operand.axes, operand.strides, strict=True):
        used = {merged[d] for d, f in enumerate(axis.factors) if f and d in merged}
        group = next(iter(used)) if len(used) == 1 else None
        if group is not None and len(groups[group]) > 1:
            if group in done:
                continue
            done.add(group)
            last = groups[group][-1]
            step = operand.stride(last)
            size = 1
            for d in groups[group]:
                size *= extents[d]
            factors = tuple(int(g == group) for g in range(len(groups)))
            axes.append(Axis(size, factors))
            strides.append(step)
            continue
        factors = [0] * len(groups)
        for d, f in enumerate(axis.factors):
            if f and d in merged:
                factors[merged[d]] += f
        axes.append(replace(axis, factors=tuple(factors)))
        strides.append(stride)
    order = sorted(range(len(axes)), key=lambda i: -strides[i])
    found = tuple(axes[i] for i in order), tuple(strides[i] for i in order)
    if found[1][-1] != 1:
        found = (*found[0], Axis(1, (0,) * len(groups))), (*found[1], 1)
    return NestOperand(found[0], found[1], operand.offset, operand.dtype)
