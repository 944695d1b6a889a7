"""Many inputs through a model, on all host cores: how close each output comes to FP32."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.files import read_text
from softex_mlir.isa_sim.numerics.gemm import host_cores
from softex_mlir.runtime.quality.fp32 import fitted, widened
from softex_mlir.runtime.quality.metrics import (
    compare,
    cosine_of,
    divergence,
    surprise,
    top_agreement,
)
from softex_mlir.runtime.quality.subject import Subject
from softex_mlir.runtime.remote import Remote
from softex_mlir.runtime.workers import born_deaf, follow_parent

Array = npt.NDArray[Any]
Inputs = Mapping[str, Array]
Record = dict[str, dict[str, dict[str, Any]]]
"""For each output, of the hardware, plain bf16 and FP32: figures by name, and its `vector`."""
ResultT = TypeVar("ResultT")
Workers: TypeAlias = "int | Remote | None"
"""Processes of this host, None for one a core; or those of a Dask scheduler."""

ARITHMETICS = ("hardware", "bf16")
MOST_COLUMNS = 4096
"""Rows up to which the mean over an output's rows is kept, to compare inputs with each other."""


@dataclass(frozen=True)
class Study:
    """A subject and the inputs it is looked at with.

    Attributes:
        logits: names of outputs that are logits: divergence, and perplexity where they are
            [batch, tokens, vocabulary] of an input of token ids.
    """

    subject: Subject
    inputs: Sequence[Inputs]
    logits: frozenset[str] = field(default_factory=frozenset[str])

    def measure(self, index: int) -> Record:
        """Figures of one input.

        Raises:
            UserError: the reference has other outputs.
        """
        inputs = self.inputs[index]
        ports = self.subject.model.outputs
        reference = fitted(self.subject.reference.outputs(index, inputs), ports)
        found = {
            "hardware": widened(self.subject.outputs(inputs, "exact")),
            "bf16": widened(self.subject.outputs(inputs, "bf16")),
        }
        record: Record = {}
        for port in ports:
            name = port.name
            wanted = reference.get(name)
            if wanted is None:
                continue
            if tuple(wanted.shape) != tuple(port.shape):
                raise UserError(
                    f"{self.subject.reference.title}: output {name!r}: expected shape "
                    f"{tuple(port.shape)}, found {wanted.shape}"
                )
            ids = self._ids(wanted, inputs) if name in self.logits else None
            right = pooled(wanted, inputs)
            record[name] = {"fp32": {"vector": _kept(right)}}
            if ids is not None:
                record[name]["fp32"]["surprise"] = surprise(wanted, ids)
            for kind in ARITHMETICS:
                array = found[kind][name]
                figures = self._figures(array, wanted, name)
                own = pooled(array, inputs)
                if right.size < wanted.size:
                    figures["pooled_cosine"] = cosine_of(
                        own.astype(np.float64), right.astype(np.float64)
                    )
                if ids is not None:
                    figures["surprise"] = surprise(array, ids)
                record[name][kind] = {**figures, "vector": _kept(own)}
        if not record:
            names = ", ".join(port.name for port in self.subject.model.outputs)
            raise UserError(
                f"{self.subject.reference.title}: expected outputs {names}, found "
                f"{', '.join(reference) or 'none'}"
            )
        return record

    def _figures(self, found: Array, wanted: Array, name: str) -> dict[str, float]:
        figures = asdict(compare(found, wanted))
        if wanted.ndim and wanted.shape[-1] > 5:
            figures["top5_agreement"] = top_agreement(found, wanted, 5)
        if name in self.logits:
            figures["divergence"] = divergence(found, wanted)
        return figures

    def _ids(self, logits: Array, inputs: Inputs) -> Array | None:
        """Token ids that logits predict the next of."""
        if logits.ndim != 3 or logits.shape[1] < 2:
            return None
        for array in inputs.values():
            fits = array.shape == logits.shape[:2] and array.dtype.kind in "iu"
            if fits and 1 < array.max() < logits.shape[2]:
                return array
        return None

    def run(
        self,
        *,
        workers: Workers = None,
        state: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Record]:
        """Figures of all inputs.

        Args:
            workers: processes, None for one a host core; or a Dask scheduler.
            state: file that finished inputs are noted in, and read from: an interrupted study goes
                on where it was.
            progress: called with how many inputs are done, and of how many.
        """
        done = {} if state is None else _read_state(state, self.key)
        missing = [index for index in range(len(self.inputs)) if index not in done]
        if progress is not None:
            progress(len(done), len(self.inputs))
        log = None if state is None else state.open("a", encoding="utf-8")
        try:
            for index, record in zip(
                missing, parallel(self.measure, missing, workers), strict=True
            ):
                done[index] = record
                if log is not None:
                    if log.tell() == 0:
                        log.write(json.dumps({"key": self.key}) + "\n")
                    log.write(json.dumps({"index": index, "record": record}) + "\n")
                    log.flush()
                if progress is not None:
                    progress(len(done), len(self.inputs))
        finally:
            if log is not None:
                log.close()
        return [done[index] for index in range(len(self.inputs))]

    @property
    def key(self) -> str:
        """What the figures depend on, as a hash."""
        from hashlib import sha256

        found = sha256(f"{self.subject.module}".encode())
        found.update(self.subject.machine.hash.encode())
        found.update(self.subject.reference.title.encode())
        found.update(" ".join(sorted(self.logits)).encode())
        for arrays in (self.subject.weights, *self.inputs):
            for name in sorted(arrays):
                found.update(name.encode())
                found.update(np.ascontiguousarray(arrays[name]).tobytes())
        return found.hexdigest()


def _read_state(path: Path, key: str) -> dict[int, Record]:
    """What a study of the same key noted; a file of another one is begun anew."""
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from error
    done: dict[int, Record] = {}
    try:
        if lines and json.loads(lines[0]).get("key") == key:
            for line in lines[1:]:
                entry = json.loads(line)
                done[entry["index"]] = entry["record"]
            return done
    except (ValueError, KeyError, AttributeError):
        # the last line of an interrupted study may be half of one
        if done:
            return done
    path.unlink()
    return {}


def pooled(array: Array, inputs: Inputs) -> Array:
    """The mean over an output's rows, of real tokens only where an input says which these are."""
    if array.ndim < 2:
        return array
    rows = array.reshape(-1, array.shape[-1])
    for name, mask in inputs.items():
        if "mask" in name and mask.shape == array.shape[:-1]:
            kept = mask.reshape(-1) != 0
            if kept.any():
                return rows[kept].mean(axis=0)
    return rows.mean(axis=0)


def _kept(vector: Array) -> list[float] | None:
    return vector.astype(float).tolist() if vector.ndim and vector.size <= MOST_COLUMNS else None


_TASK: list[Callable[[Any], Any]] = []


def _call(item: Any) -> Any:
    return _TASK[0](item)


def parallel(
    task: Callable[[Any], ResultT], items: Sequence[Any], workers: Workers
) -> Iterator[ResultT]:
    """Results of a task in the order of its items, computed by several processes at once.

    Processes are forked, so nothing but items and results has to be pickled; where the system
    cannot fork, one process does it all.
    """
    if isinstance(workers, Remote):
        yield from workers.map(task, items)
        return
    count = min(len(items), workers if workers is not None else host_cores())
    if count <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(task, items)
        return
    _TASK[:] = [task]
    try:
        with born_deaf():
            workers_of_host = multiprocessing.get_context("fork").Pool(count, follow_parent)
        with workers_of_host as pool:
            yield from pool.imap(_call, items)
    finally:
        _TASK.clear()


def mean(values: Iterable[float]) -> float:
    """The mean; NaN of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else float("nan")
