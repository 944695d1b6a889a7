"""Which layers the distance from FP32 comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation

from softex_mlir.compiler.layer_names import launch_layer, name_layers
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.runtime.quality.metrics import cosine_of
from softex_mlir.runtime.quality.study import Inputs, Workers, mean, parallel
from softex_mlir.runtime.quality.subject import Subject
from softex_mlir.runtime.reference import Kind

Array = npt.NDArray[Any]

ALL = "all of them"
"""Title of the contribution of all layers."""


@dataclass(frozen=True)
class Contribution:
    """What a layer, or all layers of a kind, adds to the distance from FP32.

    Attributes:
        alone: 1 - cosine of the output if only these layers have the hardware's arithmetic.
        without: the same if all others have it.
    """

    layer: str
    alone: float
    without: float


def contributions(
    subject: Subject,
    inputs: Sequence[Inputs],
    *,
    output: str | None = None,
    every_layer: bool = False,
    workers: Workers = None,
) -> list[Contribution]:
    """Contributions to one output (the first one by default), the largest first; behind them that
    of all layers, to see how far they add up.

    Args:
        every_layer: each layer by itself instead of by kind.

    Raises:
        UserError: there is no such output.
    """
    names = [port.name for port in subject.model.outputs]
    if output is not None and output not in names:
        raise UserError(f"expected one of the outputs {', '.join(names)}, found '{output}'")
    chosen = output or names[0]
    groups = _groups(subject, every_layer)
    wanted = [subject.outputs(one, "float32")[chosen] for one in inputs]

    def distance(task: tuple[str, Kind]) -> float:
        group, kind = task
        other: Kind = "float32" if kind == "exact" else "exact"

        def arithmetic(op: Operation) -> Kind:
            return kind if group in (ALL, groups.get(op)) else other

        found = [subject.outputs(one, arithmetic)[chosen] for one in inputs]
        return mean(
            max(0.0, 1 - cosine_of(a.astype(np.float64), b.astype(np.float64)))
            for a, b in zip(found, wanted, strict=True)
        )

    titles = [*dict.fromkeys(groups.values()), ALL]
    kinds: tuple[Kind, ...] = ("exact", "float32")
    tasks = [(title, kind) for title in titles for kind in kinds]
    values = list(parallel(distance, tasks, workers))
    found = [
        Contribution(title, alone, without)
        for title, alone, without in zip(titles, values[::2], values[1::2], strict=True)
    ]
    return [*sorted(found[:-1], key=lambda one: -one.alone), found[-1]]


def _groups(subject: Subject, every_layer: bool) -> Mapping[Operation, str]:
    """The layer or kind of every operation that belongs to one and computes something."""
    titles = name_layers(subject.module)
    found: dict[Operation, str] = {}
    for op in subject.model.main.body.block.ops:
        name = titles.get(launch_layer(op))
        if name is not None:
            found[op] = name.title if every_layer else name.kind
    computing = {group for op, group in found.items() if not _moves(op)}
    return {op: group for op, group in found.items() if group in computing}


def _moves(op: Operation) -> bool:
    return isinstance(op, t.GetWeightOp | t.ReshapeOp | t.SliceOp | t.ConcatOp | t.TransposeOp)
