"""`--accuracy 0.9998 --calibrate inputs.npz`: the cheapest arithmetic so close to FP32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
from xdsl.ir import Operation

from softex_mlir.compiler.accuracy import (
    ACCURACIES,
    CORES,
    SOFTEX,
    SUMS_IN_F32,
    Accuracy,
    AccuracyLevel,
    accuracy_of,
    model_hash,
)
from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.outline import outline
from softex_mlir.compiler.outputs import ALL_OUTPUTS, OutputChoice
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.transforms.transformer.compute_on_cores import has_function
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
    Prices,
    accuracy_of_choice,
    apply,
    cheapest,
    layers_of,
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
TRIALS = 8
"""Settings of a choice that are tried without, at most."""
CLOSE = 0.1
"""Promises of losses that are not worth telling apart, relative."""


@dataclass(frozen=True)
class Decision:
    """An accuracy, and what it rests on.

    Attributes:
        notes: by table and layer, what the choice there loses and costs.
    """

    accuracy: Accuracy
    evidence: Mapping[str, Any]
    notes: Mapping[Key, str]


@dataclass(frozen=True)
class _Found:
    """A choice that meets the bound, with its losses on calibration and held-out inputs."""

    choice: Choice
    seen: float
    unseen: float
    predicted: float


class _OutOfReachError(Exception):
    """What loses least of what single layers can do loses more than the bound allows."""

    def __init__(self, loss: float):
        super().__init__(loss)
        self.loss = loss


@dataclass
class Dial:
    """A subject with whole, ordered sums, and what layers of it lose and cost by how they do it."""

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
        model = replace(self.subject.model, module=self.subject.module.clone())
        apply(choice, model, self.subject.machine)
        return replace(self.subject, model=model)

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
        layers as whole sums lose; cycles as forecast, shared evenly. What does not fit the TCDM is
        left out."""
        kinds: dict[str, list[Layer]] = {}
        for layer in self.layers:
            kinds.setdefault(layer.kind, []).append(layer)
        some = self.calibration[:PRICED]
        wanted = [self.subject.outputs(one, "float32") for one in some]
        tasks = [(kinds[kind], option) for kind in kinds for option in kinds[kind][0].options]
        by_layer = [([layer], 0) for layer in self.layers if layer.table != "functions"]

        def lost(task: tuple[list[Layer], int]) -> float:
            layers, option = task
            keys = {layer.key for layer in layers}
            variant = self._variant(dict.fromkeys(keys, option))

            def arithmetic(op: Operation) -> Kind:
                return "float32" if keys.isdisjoint(_keys(op)) else "exact"

            return mean(
                self.bound.loss_of(variant.outputs(one, arithmetic), right, one)
                for one, right in zip(some, wanted, strict=True)
            )

        def spent(task: tuple[list[Layer], int]) -> int | None:
            try:
                return self.cycles({layer.key: task[1] for layer in task[0]})
            except CapacityError:
                return None

        self.show("forecasting cycles")
        forecasts = list(parallel(spent, tasks, self.workers))
        fitting = zip(tasks, forecasts, strict=True)
        by_kind = [(*task, cycles) for task, cycles in fitting if cycles is not None]
        self.show("measuring layers")
        measured = [(layers, option) for layers, option, _ in by_kind]
        losses = list(parallel(lost, [*measured, *by_layer], self.workers))
        own = {
            layer.key: loss
            for (layer,), loss in zip(
                (task[0] for task in by_layer), losses[len(by_kind) :], strict=True
            )
        }
        found: dict[Key, dict[int, Price]] = {layer.key: {} for layer in self.layers}
        whole: dict[str, tuple[float, int]] = {}
        for (layers, option, spend), loss in zip(by_kind, losses, strict=False):
            before, cycles = whole.setdefault(layers[0].kind, (loss, spend))
            if layers[0].table == "functions":
                loss -= before  # what the sums around it lose is theirs
            total = sum(own.get(layer.key, 0.0) for layer in layers)
            for layer in layers:
                share = own[layer.key] / total if total > 0 else 1 / len(layers)
                found[layer.key][option] = Price(loss * share, (spend - cycles) / len(layers))
        return found

    def cycles(self, choice: Choice) -> int:
        """Of a run, by the cost model."""
        return _cycles_of(self._variant(choice))

    def turn(self) -> tuple[Choice, dict[str, Any], dict[Key, str]]:
        """The choice, what it rests on, and what is said of each layer.

        Raises:
            _OutOfReachError: the bound cannot be met.
        """
        finest = {layer.key: layer.options[-1] for layer in self.layers}
        self.show("running what loses least")
        reached = self.measured(self._variant(finest))
        if not max(reached) <= self.bound.loss:
            raise _OutOfReachError(max(reached))
        prices = self.prices()
        fitting = {key: list(options)[-1] for key, options in prices.items()}
        if fitting != finest:
            finest, reached = fitting, self.measured(self._variant(fitting))
            if not max(reached) <= self.bound.loss:
                raise _OutOfReachError(max(reached))
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
        found, more = self._trimmed(found, prices)
        looks += more
        notes = {
            key: f"loses {prices[key][option].loss:.2g}, {prices[key][option].cycles:+,.0f} cycles"
            for key, option in found.choice.items()
        }
        return found.choice, self._evidence(found, looks, self.cycles(found.choice)), notes

    def _trimmed(self, found: _Found, prices: Prices) -> tuple[_Found, int]:
        """A choice without what it does not need after all, the dearest first, and how many others
        were run for it: promises of single layers are noisier than those of all. What layers of a
        kind have in common is tried at once, too."""
        trials = sorted(self._cheaper(found.choice, prices), key=lambda each: -each[0])[:TRIALS]
        for number, (_, changes) in enumerate(trials, 1):
            self.show(f"trying to save cycles, {number} of {len(trials)}")
            choice = {**found.choice, **changes}
            if _spent(prices, choice) >= _spent(prices, found.choice):
                continue  # saved with its kind
            seen, unseen = self.measured(self._variant(choice))
            if max(seen, unseen) <= self.bound.loss:
                more = _total(prices, choice) - _total(prices, found.choice)
                found = _Found(choice, seen, unseen, found.predicted + more)
        return found, len(trials)

    def _cheaper(self, choice: Choice, prices: Prices) -> Iterator[tuple[float, Choice]]:
        """Changes of a choice that save cycles, and how many: of a layer, and of all layers of a
        kind that have the same option."""
        alike: dict[tuple[str, int], dict[Key, int]] = {}
        for layer in self.layers:
            own, option = prices[layer.key], choice[layer.key]
            cheaper = [o for o, price in own.items() if price.cycles < own[option].cycles]
            if cheaper:
                least = min(cheaper, key=lambda o: own[o].loss)
                yield own[option].cycles - own[least].cycles, {layer.key: least}
                alike.setdefault((layer.kind, option), {})[layer.key] = least
        for changes in alike.values():
            if len(changes) > 1:
                saved = _spent(prices, {key: choice[key] for key in changes})
                yield saved - _spent(prices, changes), changes

    def instead(self, cores: Subject) -> tuple[float, dict[str, Any]]:
        """What a program for the cores alone loses, and what it rests on."""
        self.show("running all on the cores")
        reached = self.measured(cores)
        found = _Found({}, *reached, max(reached))
        return found.predicted, self._evidence(found, 2, _cycles_of(cores))

    def refusal(self, least: float) -> UserError:
        """That the bound is out of reach; the text says what can be reached."""
        return UserError(
            f"accuracy: a {self.bound.title} cannot be met on {self.subject.machine.name}: "
            f"all products in f32 on the cores, norms rounded once, reach "
            f"{self.bound.figure(least):.6g}: ask for less, or see where the rest comes from with "
            "softex quality --contributions"
        )

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


def _spent(prices: Mapping[Key, Mapping[int, Price]], choice: Choice) -> float:
    return sum(prices[key][option].cycles for key, option in choice.items())


def _total(prices: Mapping[Key, Mapping[int, Price]], choice: Choice) -> float:
    return sum(prices[key][option].loss for key, option in choice.items())


def _common(layers: Sequence[Layer]) -> tuple[int, ...]:
    shared = set(layers[0].options).intersection(*(layer.options for layer in layers))
    return tuple(option for option in layers[0].options if option in shared)


def _keys(op: Operation) -> tuple[Key, ...]:
    """Where an operation's layer is in the tables."""
    if not isinstance(op, t.LinearOp | t.AttentionOp):
        return ()
    name = layer_of(op)
    return ("sums" if isinstance(op, t.LinearOp) else "values", name), ("functions", name)


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
    outputs: OutputChoice = ALL_OUTPUTS,
    workers: int | None = None,
    show: Callable[[str], None] = lambda text: None,
) -> Decision:
    """The accuracy that meets a bound at about the fewest cycles.

    Args:
        model: gives the model, or its name or file.
        inputs: at least two; every fourth is held out, and the figure reported is theirs.
        outputs: those to compute.
        show: called with what is done now.

    Raises:
        UserError: the bound cannot be met, or something cannot be read or does not fit.
    """
    loaded = _read(model, shapes)
    names = outputs.names or tuple(port.name for port in loaded.outputs)
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
    whole_sums = Accuracy(0, 0, order=True)
    subject = subject_of(loaded, machine, accuracy=whole_sums, outputs=outputs)
    dial = Dial(subject, bound, calibration, held_out, workers, show)
    exact = ACCURACIES[AccuracyLevel.exact]

    def on_cores() -> Subject:
        return subject_of(_read(model, shapes), machine, accuracy=exact, outputs=outputs)

    def all_exact(evidence: Mapping[str, Any]) -> Decision:
        kept = bound.record(evidence["held_out"])
        return Decision(replace(exact, model=identity, bound=kept), evidence, {})

    try:
        choice, evidence, notes = dial.turn()
    except _OutOfReachError as error:
        lost, evidence = dial.instead(on_cores())
        if not lost <= bound.loss:
            raise dial.refusal(min(lost, error.loss)) from None
        return all_exact(evidence)
    if SUMS_IN_F32 in choice.values():
        # where nothing is left to the units, their drivers' core is one more for the others
        cores = on_cores()
        if _cycles_of(cores) < evidence["forecast_cycles"]:
            lost, other = dial.instead(cores)
            if lost <= bound.loss:
                return all_exact(other)
    kept = bound.record(evidence["held_out"])
    return Decision(
        replace(accuracy_of_choice(choice), model=identity, bound=kept), evidence, notes
    )


def described(
    model: Source,
    accuracy: str,
    *,
    machine: Machine | str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    outputs: OutputChoice = ALL_OUTPUTS,
) -> Decision:
    """A level, layer by layer, as a file can say it."""
    loaded = _read(model, shapes)
    identity = model_hash(loaded)
    level = accuracy_of(accuracy)
    subject = subject_of(loaded, machine, accuracy=level, outputs=outputs)
    choice: dict[Key, int] = {}
    for op in subject.module.walk():
        if isinstance(op, t.LinearOp):
            chunk = 0 if op.sum_chunk is None else op.chunk
        elif isinstance(op, t.AttentionOp):
            chunk = op.summed or 0 if op.chunk is None else 0
        else:
            continue
        sums, function = _keys(op)
        choice[sums] = chunk if op.wide is None else SUMS_IN_F32
        if has_function(op, subject.machine):
            choice[function] = SOFTEX if op.software is None else CORES
    # where all is the cores', chunks follow from the machine
    found = Accuracy(0, 0, False, cores=True) if level.cores else accuracy_of_choice(choice)
    evidence = {
        "level": accuracy,
        "machine": subject.machine.name,
        "forecast_cycles": _cycles_of(subject),
    }
    found = replace(found, order=level.order, model=identity, bound=level.bound)
    return Decision(found, evidence, {})
