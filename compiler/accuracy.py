"""`--accuracy`: what the arithmetic gives up for speed, as a level or layer by layer in a file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from softex_mlir.errors import UserError
from softex_mlir.files import read_text, toml_table

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model

SUMS_IN_F32 = -1
"""In the place of a chunk: the layer's sums are in f32, on the cores."""

Chunks = Mapping[str, int]
"""By layer, the values of a sum without a break; 0 for all of them, `SUMS_IN_F32`."""

SOFTEX, CORES = 0, 1
"""Who computes a layer's softmax or GELU, where the machine has a SoftEx."""

VERSION = 1
"""Of the file."""

TABLES = ("sums", "values", "functions")

_WORDS: Mapping[str, Mapping[str, int]] = {
    "sums": {"f32": SUMS_IN_F32},
    "values": {"f32": SUMS_IN_F32},
    "functions": {"softex": SOFTEX, "cores": CORES},
}
"""What files say for some numbers of a table."""

HELD_OUT = "held_out"
"""Key of a bound: the metric's value on inputs that nothing was chosen by."""
EDITED = "edited"
"""Key of a bound: choices are others than those that were measured."""


@dataclass(frozen=True)
class Accuracy:
    """What is asked of the transformer-level passes.

    Attributes:
        sum_chunk: the most inner values a linear layer accumulates in bf16 without a break; 0 for
            all of them.
        value_chunk: the most keys that attention sums values over without a break; 0 for all.
        order: whether small terms of sums come first.
        cores: whether products are the cores', with sums in f32; nothing is split then.
        sums, values: the same chunks for layers by name, exactly.
        functions: who computes softmax and GELU, for layers by name: `SOFTEX`, `CORES`; SoftEx that
            of all others.
        model: hash of the model that layers are named of; empty for every model.
        bound: what was asked of the distance from FP32, and what it is on held-out inputs, for the
            program's note (`runtime.quality.bound`); empty for nothing.
    """

    sum_chunk: int
    value_chunk: int
    order: bool
    sums: Chunks = field(default_factory=dict[str, int])
    values: Chunks = field(default_factory=dict[str, int])
    model: str = ""
    bound: Mapping[str, str | float] = field(default_factory=dict[str, str | float])
    cores: bool = False
    functions: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def in_f32(self) -> list[str]:
        """Layers whose sums are in f32 while those of others are RedMulE's."""
        tables = (self.sums, self.values)
        return [layer for table in tables for layer, chunk in table.items() if chunk == SUMS_IN_F32]

    @property
    def functions_on_cores(self) -> list[str]:
        """Layers whose softmax or GELU is the cores'."""
        return [layer for layer, place in self.functions.items() if place == CORES]


class AccuracyLevel(StrEnum):
    """Names of the levels."""

    fast = "fast"
    balanced = "balanced"
    high = "high"
    exact = "exact"


ACCURACIES: dict[str, Accuracy] = {
    AccuracyLevel.fast: Accuracy(sum_chunk=0, value_chunk=0, order=False),
    AccuracyLevel.balanced: Accuracy(sum_chunk=192, value_chunk=0, order=True),
    AccuracyLevel.high: Accuracy(sum_chunk=128, value_chunk=64, order=True),
    AccuracyLevel.exact: Accuracy(sum_chunk=0, value_chunk=0, order=False, cores=True),
}


def accuracy_of(text: str) -> Accuracy:
    """The accuracy that a level or a TOML file is.

    Raises:
        UserError: it is neither, or a bound, which takes inputs to be met.
    """
    if text in ACCURACIES:
        return ACCURACIES[text]
    if Path(text).suffix == ".toml":
        return read_accuracy(Path(text))
    levels = ", ".join(ACCURACIES)
    if bound_of(text) is not None:
        raise UserError(
            f"accuracy: {text} is a bound on the distance from FP32, which depends on inputs: "
            f"expected some to calibrate with (--calibrate inputs.npz), or one of {levels}"
        )
    raise UserError(
        f"accuracy: expected one of {levels}, a bound (0.9998) or a file (choice.toml), "
        f"found '{text}'"
    )


def bound_of(text: str) -> float | None:
    """The number that an accuracy is; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def read_accuracy(path: Path) -> Accuracy:
    """What a file of `accuracy_text` asks for; whoever edits it may leave layers out.

    Raises:
        UserError: it cannot be read, or holds anything else.
    """
    try:
        data = toml_table(read_text(path))
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not TOML: {error}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    known = ("version", "model", "order", "cores", "bound", *TABLES, "evidence")
    if unknown := [key for key in data if key not in known]:
        raise UserError(f"{path}: expected {', '.join(known)}, found {', '.join(unknown)}")
    if data.get("version") != VERSION:
        raise UserError(f"{path}: expected version = {VERSION}, found {data.get('version')!r}")
    for key, kind, title in (
        ("model", str, "a hash"),
        ("order", bool, "true or false"),
        ("cores", bool, "true or false"),
        ("bound", dict, "a table"),
    ):
        if not isinstance(data.get(key, kind()), kind):
            raise UserError(f"{path}: {key}: expected {title}, found {data[key]!r}")
    tables = [_table(path, data, name) for name in TABLES]
    order, model, bound = data.get("order", True), data.get("model", ""), data.get("bound", {})
    cores = data.get("cores", False)
    if cores and any(any(table.values()) for table in tables):
        raise UserError(
            f"{path}: cores = true sums every product in f32: expected no layers with chunks "
            f"beside it, found some in {' or '.join(TABLES)}"
        )
    sums, values, functions = tables
    found = Accuracy(0, 0, order, sums, values, model, bound, cores, functions)
    return replace(found, bound=_bound_of_choice(found))


def _bound_of_choice(accuracy: Accuracy) -> Mapping[str, str | float]:
    """What a file says of its bound, without the figure if it was measured for other choices."""
    measured = dict(accuracy.bound)
    if measured.pop("choice", None) == _choice_hash(accuracy) or HELD_OUT not in measured:
        return measured
    del measured[HELD_OUT]
    return {**measured, EDITED: "since it was measured"}


def _choice_hash(accuracy: Accuracy) -> str:
    choice = (accuracy.order, accuracy.cores, *_tables_of(accuracy))
    return sha256(json.dumps(choice, sort_keys=True).encode()).hexdigest()[:16]


def _table(path: Path, data: Mapping[str, Any], name: str) -> Chunks:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise UserError(f"{path}: {name}: expected a table of layers, found {table!r}")
    found: dict[str, int] = {}
    words = _WORDS[name]
    for layer, value in cast("dict[str, Any]", table).items():
        if isinstance(value, str) and value in words:
            found[layer] = words[value]
        elif name == "functions" or type(value) is not int or value < 0:
            listed = " or ".join(f'"{word}"' for word in words)
            numbers = "how many values are summed without a break, 0 for all, or "
            raise UserError(
                f"{path}: {name}: layer '{layer}': expected "
                f"{'' if name == 'functions' else numbers}{listed}, found {value!r}"
            )
        else:
            found[layer] = value
    return found


def _tables_of(accuracy: Accuracy) -> tuple[Chunks, ...]:
    return accuracy.sums, accuracy.values, accuracy.functions


def accuracy_text(
    accuracy: Accuracy,
    model: str,
    evidence: Mapping[str, Any],
    notes: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> str:
    """A file for `read_accuracy`.

    Args:
        model: its name, for people.
        notes: what is said behind a layer of a table, by both.
        evidence: texts and numbers that say what the choice rests on; not read again.
    """
    # JSON's strings and numbers are TOML's
    lines = [
        f"# How close {model} comes to FP32: for softex compile --accuracy FILE.",
        "# sums: inner values that a linear layer accumulates in bf16 without a break, 0 for all;",
        "# values: keys that an attention sums values over without a break;",
        '# "f32" for either: all of the layer in software on the cores, with sums in f32;',
        '# functions: who computes softmax and GELU, "softex" or "cores";',
        "# cores = true: every layer so.",
        f"version = {VERSION}",
        f"model = {json.dumps(accuracy.model)}",
        f"order = {json.dumps(accuracy.order)}",
        f"cores = {json.dumps(accuracy.cores)}",
    ]
    if accuracy.bound:
        bound = dict(accuracy.bound)
        if HELD_OUT in bound:
            bound["choice"] = _choice_hash(accuracy)
        lines += ["", "[bound]", *(f"{key} = {json.dumps(v)}" for key, v in bound.items())]
    for name, table in zip(TABLES, _tables_of(accuracy), strict=True):
        lines += ["", f"[{name}]"]
        for layer, value in table.items():
            note = notes.get((name, layer))
            text = f"{json.dumps(layer)} = {_spelt(name, value)}"
            lines.append(text if note is None else f"{text}  # {note}")
    lines += ["", "[evidence]", *(f"{key} = {json.dumps(v)}" for key, v in evidence.items())]
    return "\n".join(lines) + "\n"


def _spelt(table: str, value: int) -> str:
    words = {number: word for word, number in _WORDS[table].items()}
    return json.dumps(words.get(value, value))


def chunks_text(chunks: Chunks) -> str:
    """The lines of a table; `read_chunks` reads them."""
    return "".join(f"{json.dumps(layer)} = {chunk}\n" for layer, chunk in chunks.items())


def read_chunks(text: str) -> Chunks:
    """A table from its lines."""
    return tomllib.loads(text)


def model_hash(model: Model) -> str:
    """Of a model as it was read: its operations and its weights, not where it came from."""
    from softex_mlir.compiler.origin import ATTRIBUTE

    module = model.module.clone()
    module.attributes.pop(ATTRIBUTE, None)
    found = sha256(f"{module}".encode())
    for name in sorted(model.weights):
        found.update(name.encode())
        found.update(np.ascontiguousarray(model.weights[name]).tobytes())
    return found.hexdigest()
