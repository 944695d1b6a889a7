"""Which layer sums how: every layer's options, and the cheapest choice that promises enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp

from softex_mlir.compiler.layer_names import launch_layer, name_layers
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.transforms.transformer.split_sums import divisor, split_sums
from softex_mlir.compiler.transforms.transformer.split_values import split_values, value_chunk
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine

SUM_LIMITS = (384, 192, 96, 64, 32)
VALUE_LIMITS = (128, 64, 32)
"""Most values of a sum to try."""

Key = tuple[str, str]
"""A table of the accuracy file, and a layer in it."""


@dataclass(frozen=True)
class Layer:
    """A layer whose sums can be split.

    Attributes:
        table: "sums" or "values", as in `compiler.accuracy`.
        kind: layers of one kind are alike.
        options: chunks, from whole sums (0) to the shortest.
    """

    table: str
    name: str
    kind: str
    options: tuple[int, ...]

    @property
    def key(self) -> Key:
        """What tells it from other layers."""
        return self.table, self.name


Choice = Mapping[Key, int]
"""The chunk of every layer."""


def layers_of(module: ModuleOp, machine: Machine) -> list[Layer]:
    """The layers of a fused module that have more than one option on a machine."""
    titles = name_layers(module)
    found: dict[Key, Layer] = {}
    for op in module.walk():
        if isinstance(op, t.LinearOp):
            table, options = "sums", _sums(op)
        elif isinstance(op, t.AttentionOp):
            table, options = "values", _values(op, machine)
        else:
            continue
        name = layer_of(op)
        title = titles.get(launch_layer(op))
        kind = f"{op.name.split('.')[-1]} {name if title is None else title.kind}"
        before = found.get((table, name))
        if before is not None:
            options = tuple(option for option in options if option in before.options)
        found[table, name] = Layer(table, name, kind, options)
    return [layer for layer in found.values() if len(layer.options) > 1]


def _sums(op: t.LinearOp) -> tuple[int, ...]:
    chunks = (divisor(op.inner, op.step, limit) for limit in SUM_LIMITS)
    return (0, *dict.fromkeys(chunk for chunk in chunks if chunk < op.inner))


def _values(op: t.AttentionOp, machine: Machine) -> tuple[int, ...]:
    chunks = (value_chunk(op, machine, limit) for limit in VALUE_LIMITS)
    return (0, *dict.fromkeys(chunk for chunk in chunks if chunk is not None))


def tables(choice: Choice) -> tuple[dict[str, int], dict[str, int]]:
    """A choice as the tables of an accuracy file: sums, values."""
    found: dict[str, dict[str, int]] = {"sums": {}, "values": {}}
    for (table, name), chunk in choice.items():
        found[table][name] = chunk
    return found["sums"], found["values"]


def apply(choice: Choice, module: ModuleOp, machine: Machine) -> None:
    """Write a choice on a fused module; layers that it does not name keep whole sums."""
    sums, values = tables(choice)
    split_sums(module, 0, sums)
    split_values(module, machine, 0, values)


@dataclass(frozen=True)
class Price:
    """What an option of a layer is expected to do to the distance from FP32, and to cycles."""

    loss: float
    cycles: float


Prices = Mapping[Key, Mapping[int, Price]]


def cheapest(layers: Sequence[Layer], prices: Prices, target: float) -> dict[Key, int]:
    """About the cheapest choice whose losses add up to at most `target`; the finest one if none do.

    Greedy along the convex hull: the step that takes most loss for its cycles comes first, so
    it is off the best by less than its last step.
    """
    choice = {layer.key: 0 for layer in layers}

    def price(key: Key, option: int) -> Price:
        return prices[key][option]

    total = sum(price(key, 0).loss for key in choice)
    while total > target:
        best: tuple[float, Key, int] | None = None
        for layer in layers:
            now = price(layer.key, choice[layer.key])
            for option in layer.options:
                then = price(layer.key, option)
                gain, cost = now.loss - then.loss, then.cycles - now.cycles
                if gain > 0:
                    worth = gain / max(cost, 1.0)
                    if best is None or worth > best[0]:
                        best = worth, layer.key, option
        if best is None:
            break
        _, key, option = best
        total += price(key, option).loss - price(key, choice[key]).loss
        choice[key] = option
    return choice
