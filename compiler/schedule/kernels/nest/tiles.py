"""A loop nest cut into tiles: how many there are, where each begins, what it touches."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from softex_mlir.compiler.schedule.kernels.emitter import Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.nest.geometry import NestOperand, NestShape


@dataclass(frozen=True)
class NestTiles:
    """`tile` iterations of each loop at a time; accumulators start from `initial`.

    The last tile of a parallel loop that its tiles do not divide begins early: some elements are
    computed twice.
    """

    nest: NestShape
    tile: tuple[int, ...]
    initial: tuple[float | int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Tiles along each loop."""
        return tuple(-(-n // t) for n, t in zip(self.nest.extents, self.tile, strict=True))

    @property
    def passes(self) -> int:
        """Tiles along the reduction loops: each adds to the same accumulators."""
        return prod(self.counts[self.nest.parallel :])

    @property
    def steps(self) -> int:
        """All tiles."""
        return prod(self.counts)

    def box(self, operand: NestOperand) -> tuple[int, ...]:
        """Elements of each axis that a tile touches."""
        return tuple(
            high - low + 1 for low, high in (axis.reach(self.tile) for axis in operand.axes)
        )

    def moves(self, operand: NestOperand) -> bool:
        """Whether tiles touch different boxes of the operand."""
        return any(
            count > 1 and any(axis.factors[d] for axis in operand.axes)
            for d, count in enumerate(self.counts)
        )

    def named(self) -> list[tuple[str, NestOperand]]:
        """Operands and results with their names in the kernel."""
        named = [(f"x{i}", operand) for i, operand in enumerate(self.nest.inputs)]
        return named + [(f"y{i}", operand) for i, operand in enumerate(self.nest.outputs)]

    def starts(self, s: StreamEmitter, step: Index) -> list[Index]:
        """First iteration of each loop in a step's tile."""
        found: list[Index] = []
        inner = self.steps
        loops = zip(self.nest.extents, self.tile, self.counts, self.nest.reduction, strict=True)
        for extent, tile, count, reduces in loops:
            inner //= count
            if count == 1:
                found.append(0)
                continue
            number = s.mod(s.div(step, inner), count)
            start = s.mul(number, tile)
            if extent % tile and not reduces:
                start = s.smaller(start, extent - tile)
            found.append(start)
        return found

    def corner(self, s: StreamEmitter, operand: NestOperand, starts: list[Index]) -> list[Index]:
        """First index of every axis that a tile touches."""
        corner: list[Index] = []
        for axis in operand.axes:
            low, _ = axis.reach(self.tile)
            index: Index = low
            for factor, start in zip(axis.factors, starts, strict=True):
                index = s.add(index, s.mul(start, factor)) if factor else index
            corner.append(index)
        return corner

    def slot(self, s: StreamEmitter, name: str, operand: NestOperand, step: Index) -> Index:
        """Where a step's box is; results stay in place while passes add to them."""
        if not self.moves(operand):
            return 0
        return s.mod(s.div(step, self.passes) if name.startswith("y") else step, 2)
