"""`softex_mlir.quality`: a model, inputs and a reference in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from softex_mlir.compiler.model import Model
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.machine_basis import validity
from softex_mlir.runtime.quality.data import input_sets, load_arrays, output_sets
from softex_mlir.runtime.quality.fp32 import ArrayReference, OnnxReference, Reference
from softex_mlir.runtime.quality.layers import contributions
from softex_mlir.runtime.quality.report import QualityReport, summarise
from softex_mlir.runtime.quality.study import Inputs, Study, Workers
from softex_mlir.runtime.quality.subject import Subject, subject_of
from softex_mlir.runtime.quality.sweep import Sweep
from softex_mlir.runtime.self_check import sample_inputs

Array = npt.NDArray[Any]
RANDOM_INPUTS = 4
"""Drawn where nobody gives any."""
LAYER_INPUTS = 2
"""Inputs that contributions of layers are measured on."""


def quality(
    model: Model | str | Path,
    inputs: Path | str | Mapping[str, Array] | None = None,
    *,
    reference: Path | str | Mapping[str, Array] | None = None,
    target: Machine | str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    accuracy: str | None = None,
    entry: str | None = None,
    logits: Sequence[str] = (),
    layers: str | None = None,
    sweeps: Sequence[str] = (),
    workers: Workers = None,
    state: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QualityReport:
    """How close a model on the cluster comes to FP32, over many inputs; nothing is simulated.

    Args:
        model: what `softex_mlir.compile` takes, or a program that it wrote.
        inputs: a .npz file or arrays by name, each for one input or with a dimension for many in
            front; those named as outputs (or `out_0`, …) are reference outputs. Without any, four
            are drawn from a seed.
        reference: FP32 outputs (.npz file or arrays), or an ONNX file that is evaluated in
            float32; by default the model's own source.
        target: the machine; default: a program's own, else ``paper``.
        accuracy: a level, as for `compile`.
        entry: of a program with several: "prefill".
        logits: outputs of which divergence and perplexity are wanted, too.
        layers: "kinds" or "all": the contribution of every kind of layer, or of every layer.
        sweeps: settings to vary: "sums=0,192,96", "values=0,64", "terms=2,4",
            "softex.accumulator_bits=12,14".
        workers: processes, None for one a host core; or a Dask scheduler.
        state: a file in which an interrupted study goes on where it was.
        progress: called with how many inputs are done, and of how many.

    Raises:
        UserError: something cannot be read, or does not fit the model.
    """
    subject = subject_of(model, target, shapes=shapes, accuracy=accuracy, entry=entry)
    outputs = [port.name for port in subject.model.outputs]
    for name in logits:
        if name not in outputs:
            raise UserError(f"logits: expected outputs {', '.join(outputs)}, found '{name}'")
    parsed = [Sweep.parse(text) for text in sweeps]
    given, notes = _inputs(subject, inputs)
    subject = replace(subject, reference=_reference(subject, inputs, reference, len(given)))
    study = Study(subject, given, frozenset(logits))
    records = study.run(workers=workers, state=state, progress=progress)
    rows: list[Mapping[str, Any]] = []
    for sweep in parsed:
        for label, variant in sweep.variants(subject):
            found = summarise(Study(variant, given, study.logits).run(workers=workers))
            rows.append(_sweep_row(label, QualityReport("", "", "", len(given), found)))
    table: list[Mapping[str, Any]] = []
    if layers is not None:
        some = given[:LAYER_INPUTS]
        every = layers == "all"
        table += map(asdict, contributions(subject, some, every_layer=every, workers=workers))
    return QualityReport(
        model=subject.name,
        machine=subject.machine.name,
        reference=subject.reference.title,
        inputs=len(given),
        outputs=summarise(records),
        layers=tuple(table),
        sweeps=tuple(rows),
        notes=(*notes, *validity(subject.machine)),
    )


def _sweep_row(label: str, report: QualityReport) -> dict[str, Any]:
    found = report.to_json()["outputs"]
    return {
        "setting": label,
        **{name: {"cosine": figures["hardware"]["cosine"]} for name, figures in found.items()},
    }


def _inputs(
    subject: Subject, inputs: Path | str | Mapping[str, Array] | None
) -> tuple[list[Inputs], tuple[str, ...]]:
    if inputs is None:
        drawn = [sample_inputs(subject.model, seed) for seed in range(RANDOM_INPUTS)]
        return [*drawn], (f"no inputs given: {RANDOM_INPUTS} random ones, seeds from 0",)
    arrays, where = _arrays(inputs)
    names = [port.name for port in (*subject.model.inputs, *subject.model.outputs)]
    unknown = [n for n in arrays if n not in names and not n.startswith("out_")]
    if unknown:
        raise UserError(f"{where}: unknown {', '.join(unknown)}: the model has {', '.join(names)}")
    return [*input_sets(arrays, subject.model.inputs, where)], ()


def _arrays(given: Path | str | Mapping[str, Array]) -> tuple[Mapping[str, Array], str]:
    if isinstance(given, Mapping):
        return {name: np.asarray(array) for name, array in given.items()}, "inputs"
    return load_arrays(Path(given)), str(given)


def _reference(
    subject: Subject,
    inputs: Path | str | Mapping[str, Array] | None,
    reference: Path | str | Mapping[str, Array] | None,
    count: int,
) -> Reference:
    if isinstance(reference, str | Path) and Path(reference).suffix == ".onnx":
        names = tuple(port.name for port in subject.model.outputs)
        return OnnxReference(Path(reference), names)
    if reference is None and inputs is None:
        return subject.reference
    arrays, where = _arrays(inputs if reference is None else reference)  # pyright: ignore
    found = output_sets(arrays, subject.model.outputs, where)
    if not found and reference is None:
        return subject.reference
    wrong = {name: len(array) for name, array in found.items() if len(array) != count}
    if wrong or not found:
        listed = ", ".join(f"{n} of {name}" for name, n in wrong.items()) or ", ".join(arrays)
        raise UserError(f"{where}: expected {count} outputs for {count} inputs, found {listed}")
    return ArrayReference(f"FP32 outputs of {where}", found)
