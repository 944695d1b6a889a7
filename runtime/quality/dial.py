"""`--accuracy 0.9998 --calibrate inputs.npz`: the cheapest sums that come so close to FP32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
from xdsl.ir import Operation

from softex_mlir.compiler.accuracy import (
    ACCURACIES,
    Accuracy,
    AccuracyLevel,
    accuracy_of,
    model_hash,
)
from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.outline import outline
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.costs.forecast import forecast_cycles
from softex_mlir.runtime.quality.bound import Bound
from softex_mlir.runtime.quality.choice import (
    Choice,
    Key,
    Layer,
    Price,
    apply,
    cheapest,
    layers_of,
    tables,
)
from softex_mlir.runtime.quality.data import input_sets, load_arrays
from softex_mlir.runtime.quality.fp32 import fitted, widened
from softex_mlir.runtime.quality.study import Inputs, mean, parallel
from softex_mlir.runtime.quality.subject import Subject, subject_of
from softex_mlir.runtime.reference import Kind

Array = npt.NDArray[Any]

Source = Callable[[], Model | str | Path]

HELD_OUT = 4
"""Every fourth input is held out."""
PRICED = 2
"""Inputs that single layers are measured on."""
LOOKS = 8
"""Choices that are run at most."""
CLOSE = 0.1
"""Promises of losses that are not worth telling apart, relative."""


@dataclass(frozen=True)
class _Found:
    """A choice that meets the bound, with its losses on calibration and held-out inputs."""

    choice: Choice
    seen: float
    unseen: float
    predicted: float


class _OutOfReachError(Exception):
    """The shortest sums lose more than the bound allows."""

    def __init__(self, loss: float):
        super().__init__(loss)
        self.loss = loss


@dataclass
class Dial:
    """A subject with whole, ordered sums, and what layers of it lose and cost by how they sum."""

    subject: Subject
    bound: Bound
    calibration: Sequence[Inputs]
    held_out: Sequence[Inputs]
    workers: int | None = None
    show: Callable[[str], None] = field(default=lambda text: None)

    @cached_property
    def layers(self) -> list[Layer]:
        """What can be chosen; layers of a kind have the same options."""
        found = layers_of(self.subject.module, self.subject.machine)
        kinds: dict[str, list[Layer]] = {}
        for layer in found:
            kinds.setdefault(layer.kind, []).append(layer)
        options = {kind: _common(layers) for kind, layers in kinds.items()}
        return [replace(layer, options=options[layer.kind]) for layer in found]

    def _variant(self, choice: Choice) -> Subject:
        module = self.subject.module.clone()
        apply(choice, module, self.subject.machine)
        return replace(self.subject, model=replace(self.subject.model, module=module))

    @cached_property
    def _wanted(self) -> list[Mapping[str, Array]]:
        ports = self.subject.model.outputs
        inputs = [*self.calibration, *self.held_out]

        def outputs(index: int) -> Mapping[str, Array]:
            return fitted(self.subject.reference.outputs(index, inputs[index]), ports)

        return list(parallel(outputs, range(len(inputs)), self.workers))

    def measured(self, variant: Subject) -> tuple[float, float]:
        """Mean losses on the calibration inputs and on those held out; NaN of none."""
        inputs = [*self.calibration, *self.held_out]
        wanted = self._wanted

        def of(index: int) -> float:
            found = widened(variant.outputs(inputs[index], "exact"))
            return self.bound.loss_of(found, wanted[index], inputs[index])

        losses = list(parallel(of, range(len(inputs)), self.workers))
        count = len(self.calibration)
        return mean(losses[:count]), mean(losses[count:])

    def prices(self) -> dict[Key, dict[int, Price]]:
        """By layer and option: losses measured in an FP32 model, kind by kind, and shared out among
        layers as whole sums lose; cycles as forecast, shared evenly."""
        kinds: dict[str, list[Layer]] = {}
        for layer in self.layers:
            kinds.setdefault(layer.kind, []).append(layer)
        some = self.calibration[:PRICED]
        wanted = [self.subject.outputs(one, "float32") for one in some]
        by_kind = [(kinds[kind], option) for kind in kinds for option in kinds[kind][0].options]
        by_layer = [([layer], 0) for layer in self.layers]

        def lost(task: tuple[list[Layer], int]) -> float:
            layers, option = task
            keys = {layer.key for layer in layers}
            variant = self._variant(dict.fromkeys(keys, option))

            def arithmetic(op: Operation) -> Kind:
                return "exact" if _key(op) in keys else "float32"

            return mean(
                self.bound.loss_of(variant.outputs(one, arithmetic), right, one)
                for one, right in zip(some, wanted, strict=True)
            )

        def spent(task: tuple[list[Layer], int]) -> int:
            return self.cycles({layer.key: task[1] for layer in task[0]})

        self.show("measuring layers")
        losses = list(parallel(lost, [*by_kind, *by_layer], self.workers))
        own = {
            layer.key: loss
            for (layer,), loss in zip(
                (task[0] for task in by_layer), losses[len(by_kind) :], strict=True
            )
        }
        self.show("forecasting cycles")
        cycles = list(parallel(spent, by_kind, self.workers))
        found: dict[Key, dict[int, Price]] = {layer.key: {} for layer in self.layers}
        whole: dict[str, int] = {}
        for (layers, option), loss, spend in zip(by_kind, losses, cycles, strict=False):
            before = whole.setdefault(layers[0].kind, spend)
            total = sum(own[layer.key] for layer in layers)
            for layer in layers:
                share = own[layer.key] / total if total > 0 else 1 / len(layers)
                found[layer.key][option] = Price(loss * share, (spend - before) / len(layers))
        return found

    def cycles(self, choice: Choice) -> int:
        """Of a run, by the cost model."""
        return _cycles_of(self._variant(choice))

    def turn(self) -> tuple[Choice, dict[str, Any]]:
        """The choice, and what it rests on.

        Raises:
            _OutOfReachError: the bound cannot be met.
        """
        finest = {layer.key: layer.options[-1] for layer in self.layers}
        self.show("running the shortest sums")
        reached = self.measured(self._variant(finest))
        if not max(reached) <= self.bound.loss:
            raise _OutOfReachError(max(reached))
        prices = self.prices()
        found = _Found(finest, *reached, max(reached))
        # what comes from elsewhere leaves less for these layers; losses do not quite add up, so
        # between a promise that was kept and one that was not the next is in the middle
        met, broken = _total(prices, finest), float("inf")
        rest = max(0.0, max(reached) - met)
        target, looks = self.bound.loss - rest, 1
        while looks < LOOKS and target > met:
            choice = cheapest(self.layers, prices, target)
            if choice == found.choice:
                break
            looks += 1
            self.show(f"running choice {looks}")
            seen, unseen = self.measured(self._variant(choice))
            if max(seen, unseen) <= self.bound.loss:
                found, met = _Found(choice, seen, unseen, _total(prices, choice) + rest), target
            else:
                broken = target
            if broken - met <= CLOSE * met or broken == float("inf"):
                break
            target = (met + broken) / 2
        return found.choice, self._evidence(found, looks, self.cycles(found.choice))

    def fallback(self, cores: Subject, shortest: float) -> dict[str, Any]:
        """What products in software rest on, where the shortest sums of RedMulE lose too much.

        Raises:
            UserError: they lose too much as well; the text says what can be reached.
        """
        self.show("running products on the cores")
        reached = self.measured(cores)
        if not max(reached) <= self.bound.loss:
            best = self.bound.figure(min(shortest, max(reached)))
            raise UserError(
                f"accuracy: a {self.bound.title} cannot be met on {self.subject.machine.name}: "
                f"the shortest sums everywhere, and f32 sums on the cores, reach {best:.6g}: ask "
                "for less, or see where the rest comes from with softex quality --contributions"
            )
        found = _Found({}, *reached, max(reached))
        return self._evidence(found, 2, _cycles_of(cores))

    def _evidence(self, found: _Found, looks: int, cycles: int) -> dict[str, Any]:
        figure = self.bound.figure
        return {
            "metric": self.bound.metric,
            "output": self.bound.output or "all",
            "asked": self.bound.value,
            "predicted": figure(found.predicted),
            "calibration": figure(found.seen),
            "calibration_inputs": len(self.calibration),
            "held_out": figure(found.unseen),
            "held_out_inputs": len(self.held_out),
            "choices_run": looks,
            "machine": self.subject.machine.name,
            "forecast_cycles": cycles,
            "forecast_cycles_of_whole_sums": self.cycles(
                dict.fromkeys((layer.key for layer in self.layers), 0)
            ),
            "reference": self.subject.reference.title,
        }


def _cycles_of(subject: Subject) -> int:
    """Of a run, by the cost model."""
    return forecast_cycles(outline(subject.model, subject.machine, {})["launches"])


def _total(prices: Mapping[Key, Mapping[int, Price]], choice: Choice) -> float:
    return sum(prices[key][option].loss for key, option in choice.items())


def _common(layers: Sequence[Layer]) -> tuple[int, ...]:
    shared = set(layers[0].options).intersection(*(layer.options for layer in layers))
    return tuple(option for option in layers[0].options if option in shared)


def _key(op: Operation) -> Key | None:
    if isinstance(op, t.LinearOp):
        return "sums", layer_of(op)
    return ("values", layer_of(op)) if isinstance(op, t.AttentionOp) else None


def _read(model: Source, shapes: Mapping[str, tuple[int, ...]] | None) -> Model:
    """A model of its own, as it comes before fusion."""
    found = model()
    if not isinstance(found, Model):
        return load_model(found, shapes or {})
    return replace(found, module=found.module.clone(), weights=found.weights.copy())


def choose(
    model: Source,
    bound: Bound,
    inputs: Path | str | Mapping[str, Array],
    *,
    machine: Machine | str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    workers: int | None = None,
    show: Callable[[str], None] = lambda text: None,
) -> tuple[Accuracy, dict[str, Any]]:
    """The accuracy that meets a bound at about the fewest cycles, and what it rests on.

    Args:
        model: gives the model, or its name or file.
        inputs: at least two; every fourth is held out, and the figure reported is theirs.
        show: called with what is done now.

    Raises:
        UserError: the bound cannot be met, or something cannot be read or does not fit.
    """
    loaded = _read(model, shapes)
    names = [port.name for port in loaded.outputs]
    if bound.output not in (None, *names):
        raise UserError(f"metric: expected an output ({', '.join(names)}), found '{bound.output}'")
    where = "calibration inputs" if isinstance(inputs, Mapping) else str(inputs)
    arrays = inputs if isinstance(inputs, Mapping) else load_arrays(Path(inputs))
    sets = input_sets(arrays, loaded.inputs, where)
    if len(sets) < 2:
        raise UserError(
            f"{where}: expected at least two inputs, one to choose by and one to hold out, found "
            f"{len(sets)}"
        )
    identity = model_hash(loaded)
    held_out = sets[1::HELD_OUT]
    calibration = [one for index, one in enumerate(sets) if index % HELD_OUT != 1]
    subject = subject_of(loaded, machine, accuracy=Accuracy(0, 0, order=True))
    dial = Dial(subject, bound, calibration, held_out, workers, show)
    try:
        choice, evidence = dial.turn()
    except _OutOfReachError as error:
        exact = ACCURACIES[AccuracyLevel.exact]
        cores = subject_of(_read(model, shapes), machine, accuracy=exact)
        evidence = dial.fallback(cores, error.loss)
        kept = bound.record(evidence["held_out"])
        return replace(exact, model=identity, bound=kept), evidence
    sums, values = tables(choice)
    kept = bound.record(evidence["held_out"])
    return Accuracy(0, 0, True, sums, values, identity, kept), evidence


def described(
    model: Source,
    accuracy: str,
    *,
    machine: Machine | str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> tuple[Accuracy, dict[str, Any]]:
    """A level, layer by layer, as a file can say it."""
    loaded = _read(model, shapes)
    identity = model_hash(loaded)
    level = accuracy_of(accuracy)
    subject = subject_of(loaded, machine, accuracy=level)
    choice: dict[Key, int] = {}
    for op in subject.module.walk():
        if isinstance(op, t.LinearOp):
            chunk = 0 if op.sum_chunk is None else op.chunk
        elif isinstance(op, t.AttentionOp):
            chunk = op.summed or 0 if op.chunk is None else 0
        else:
            continue
        key = _key(op)
        assert key is not None
        choice[key] = chunk
    # with sums in f32 chunks follow from the machine
    sums, values = ({}, {}) if level.cores else tables(choice)
    evidence = {
        "level": accuracy,
        "machine": subject.machine.name,
        "forecast_cycles": _cycles_of(subject),
    }
    return Accuracy(0, 0, level.order, sums, values, identity, level.bound, level.cores), evidence
