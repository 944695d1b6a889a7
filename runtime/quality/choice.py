"""Which layer computes how: every layer's options, and the cheapest choice that promises enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import PassPipeline

from softex_mlir.compiler.accuracy import CORES, SOFTEX, SUMS_IN_F32, TABLES, Accuracy
from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.layer_names import launch_layer, name_layers
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.pipeline import arithmetic_passes
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.transforms.transformer.compute_on_cores import has_function
from softex_mlir.compiler.transforms.transformer.split_sums import divisor
from softex_mlir.compiler.transforms.transformer.split_values import value_chunk
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine

SUM_LIMITS = (384, 192, 96, 64, 32)
VALUE_LIMITS = (128, 64, 32)
"""Most values of a sum to try."""

Key = tuple[str, str]
"""A table of the accuracy file, and a layer in it."""


@dataclass(frozen=True)
class Layer:
    """A layer with a setting in a table.

    Attributes:
        table: "sums", "values" or "functions", as in `compiler.accuracy`.
        kind: layers of one kind are alike.
        options: numbers of the table, the one that costs least first: whole sums (0), then chunks
            from the longest to the shortest, then `SUMS_IN_F32`.
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
"""The setting of every layer."""


def layers_of(module: ModuleOp, machine: Machine) -> list[Layer]:
    """The settings of a fused module that have more than one option on a machine."""
    titles = name_layers(module)
    found: dict[Key, Layer] = {}
    for op in module.walk():
        if not isinstance(op, t.LinearOp | t.AttentionOp):
            continue
        name = layer_of(op)
        title = titles.get(launch_layer(op))
        kind = f"{op.name.split('.')[-1]} {name if title is None else title.kind}"
        for table, options in _options(op, machine).items():
            before = found.get((table, name))
            if before is not None:
                options = tuple(option for option in options if option in before.options)
            found[table, name] = Layer(table, name, f"{kind}, {table}", options)
    return [layer for layer in found.values() if len(layer.options) > 1]


def _options(op: t.LinearOp | t.AttentionOp, machine: Machine) -> dict[str, tuple[int, ...]]:
    """What can be chosen for an operation, by table."""
    if isinstance(op, t.LinearOp):
        chunks = (divisor(op.inner, op.step, limit) for limit in SUM_LIMITS)
        options = {"sums": (0, *dict.fromkeys(c for c in chunks if c < op.inner), SUMS_IN_F32)}
    else:
        parts = (value_chunk(op, machine, limit) for limit in VALUE_LIMITS)
        options = {"values": (0, *dict.fromkeys(c for c in parts if c is not None), SUMS_IN_F32)}
    if has_function(op, machine):
        options["functions"] = (SOFTEX, CORES)
    return options


def accuracy_of_choice(choice: Choice) -> Accuracy:
    """What a choice asks for: softmax and GELU of layers in f32 are the cores' anyway."""
    sums, values, functions = (
        {name: option for (table, name), option in choice.items() if table == each}
        for each in TABLES
    )
    found = Accuracy(0, 0, True, sums, values, functions=functions)
    wide = set(found.in_f32)
    kept = {name: place for name, place in functions.items() if name not in wide}
    return replace(found, functions=kept)


def apply(choice: Choice, model: Model, machine: Machine) -> None:
    """Write a choice on a fused model; layers that it does not name keep whole sums."""
    passes = arithmetic_passes(machine, accuracy_of_choice(choice))
    context = CompilationContext(weights=model.weights, model_name=model.name)
    PassPipeline(passes).apply(context, model.module)


@dataclass(frozen=True)
class Price:
    """What an option of a layer is expected to do to the distance from FP32, and to cycles."""

    loss: float
    cycles: float


Prices = Mapping[Key, Mapping[int, Price]]


def cheapest(layers: Sequence[Layer], prices: Prices, target: float) -> dict[Key, int]:
    """About the cheapest choice whose losses add up to at most `target`; the finest one if none do.
    Only options that have a price are taken.

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
            for option, then in prices[layer.key].items():
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
