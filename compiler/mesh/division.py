"""How the results of a phase are divided between a grid of clusters: by rows and columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from xdsl.ir import SSAValue

from softex_mlir.compiler.layer_names import name_layers
from softex_mlir.compiler.mesh.steps import PRODUCTS, ModelSteps
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.transforms.transformer.boxes import Box, size_of
from softex_mlir.dialects import transformer as t

Cell = tuple[int, int]
"""A cluster's place in a grid: which part of the rows, and of the columns."""


@dataclass(frozen=True)
class Grid:
    """So many parts of the rows times so many of the columns."""

    rows: int
    columns: int

    @property
    def cells(self) -> Iterator[Cell]:
        """All places, that of the largest parts first."""
        return product(range(self.rows), range(self.columns))

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


def grids(clusters: int) -> tuple[Grid, ...]:
    """Grids of so many clusters or of a part of them, the others being idle; the smallest first."""
    divisors = [n for n in range(1, clusters + 1) if clusters % n == 0]
    return tuple(Grid(used // n, n) for used in divisors for n in divisors if used % n == 0)


@dataclass(frozen=True)
class MeshPhase:
    """Steps from `first` up to before `last`, divided between the cells of a grid."""

    first: int
    last: int
    grid: Grid


@dataclass(frozen=True)
class Division:
    """The parts of a model's values that the clusters compute in a phase."""

    steps: ModelSteps

    def parts(self, phase: MeshPhase, cell: Cell) -> dict[SSAValue, Box]:
        """What a cluster computes of each result of a phase; empty if nothing is left for it."""
        found: dict[SSAValue, Box] = {}
        for value in self.steps.wanted(phase.first, phase.last):
            shape = t.shape_of(value)
            rows, columns = self._units(phase, value)
            box = [range(length) for length in shape]
            box[0] = _share(shape[0], rows, phase.grid.rows, cell[0])
            if len(shape) > 1:
                box[-1] = _share(shape[-1], columns, phase.grid.columns, cell[1])
            if all(box) and (len(shape) > 1 or not cell[1]):
                found[value] = tuple(box)
        return found

    def different(self, phase: MeshPhase) -> list[tuple[Cell, int]]:
        """A cell of every size of parts, and how many have that size; those without work are
        left out. The largest comes first."""
        found: dict[tuple[tuple[int, ...], ...], tuple[Cell, int]] = {}
        for cell in phase.grid.cells:
            parts = self.parts(phase, cell)
            if not parts:
                continue
            sizes = tuple(size_of(box) for box in parts.values())
            first, count = found.get(sizes, (cell, 0))
            found[sizes] = (first, count + 1)
        return list(found.values())

    def _units(self, phase: MeshPhase, value: SSAValue) -> tuple[int, int]:
        """What rows and columns of a result are divided in whole multiples of."""
        unit = self.steps.machine.redmule
        operations = self.steps.operations[phase.first : phase.last]
        rows, columns = (1, t.INNER_UNIT) if unit is None else (unit.rows, unit.tile_columns)
        if not any(isinstance(op, PRODUCTS) for op in operations):
            rows = 1
        for op in operations:
            if isinstance(op, t.AttentionOp):
                if op.batch.value.data > 1:
                    rows = op.queries
                if op.result is value:
                    columns = op.value_size * (op.heads.value.data // op.heads_of_keys)
        return rows, columns


def _share(length: int, unit: int, parts: int, index: int) -> range:
    """One of so many parts of a length in whole units, as even as can be, the larger ones first."""
    units = -(-length // unit)
    each, more = divmod(units, parts)
    first = index * each + min(index, more)
    last = first + each + (index < more)
    return range(min(first * unit, length), min(last * unit, length))


def describe(steps: ModelSteps, phase: MeshPhase) -> str:
    """The layers of a phase, the first and the last of them."""
    names = name_layers(steps.model.module)
    layers = dict.fromkeys(map(layer_of, steps.operations[phase.first : phase.last]))
    titles = [names[layer].title if layer in names else layer for layer in layers if layer]
    if len(titles) < 2:
        return titles[0] if titles else "(no layer)"
    return f"{titles[0]} … {titles[-1]}"
