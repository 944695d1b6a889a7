"""What `softex run` does around the simulation: reading inputs, checking, writing, printing."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from softex_mlir.errors import UserError
from softex_mlir.files import json_text, write_atomically
from softex_mlir.runtime import array_files, elf_reader

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.check import CheckReport
    from softex_mlir.runtime.job_vectors import JobVectorWriter
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.quality.operations import OperationCheck
    from softex_mlir.runtime.session import Result
    from softex_mlir.tools.forms import Form

Reference: TypeAlias = tuple[dict[str, np.ndarray], str]
"""FP32 outputs by name, and what they are."""

_REFERENCE_KEY = re.compile(r"out_\d+")


def is_program(path: Path) -> bool:
    """Whether a file is an ELF file."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def is_model(path: Path) -> bool:
    """Whether a model is meant: a file of one, or a built-in one's name."""
    from softex_mlir.compiler.models import BUILTIN

    return path.suffix in (".onnx", ".mlir") or (str(path) in BUILTIN and not path.exists())


def is_bare_metal(path: Path) -> bool:
    """Whether a file is a 32-bit RISC-V executable without this project's note."""
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return elf_reader.is_bare_metal(data)
    except (OSError, ValueError):
        return False  # unreadable, or no file of some length


def read_arrays(
    path: Path, program: Program
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs and reference outputs of a .npz file.

    Arrays named as the program's outputs, or `out_0`, `out_1`, …, are reference outputs. A .npy
    file holds the input of a program that has only one.

    Raises:
        UserError: the file cannot be read or holds anything but arrays of numbers, or references
            do not have the shape of the outputs.
    """
    outputs = {f"out_{index}": port for index, port in enumerate(program.outputs)}
    outputs |= {port.name: port for port in program.outputs}
    inputs = {port.name: port for port in program.inputs}

    def judge(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Refuse what no later check would take: it would be read for nothing."""
        wanted = inputs.get(name) if name or len(inputs) != 1 else next(iter(inputs.values()))
        if wanted is not None and shape != wanted.shape:
            raise UserError(f"input {wanted.name!r}: expected shape {wanted.shape}, found {shape}")
        if wanted is not None or not name:
            return
        port = outputs.get(name)
        if port is None and _REFERENCE_KEY.fullmatch(name):
            raise UserError(f"{name}: the program has {len(program.outputs)} outputs")
        if port is None:
            expected = ", ".join(inputs)
            raise UserError(f"unknown input {name!r} (the program takes {expected})")
        if shape != port.shape or dtype.kind not in "fiub":
            raise UserError(
                f"{name}, the reference of output {port.name!r}: expected numbers "
                f"{port.shape}, found {dtype} {shape}"
            )

    found = array_files.read(path, judge)
    if isinstance(found, np.ndarray):
        names = list(inputs)
        if len(names) != 1:
            raise UserError(
                f"{path}: a .npy file holds one array, the program takes {', '.join(names)}: "
                "save them under these names with numpy.savez"
            )
        return {names[0]: found}, {}
    reference = {name: array for name, array in found.items() if name not in inputs}
    return {name: array for name, array in found.items() if name in inputs}, reference


def finish_run(
    program: Program,
    result: Result,
    output: Path | None,
    profile: Path | None,
    trace: Path | None,
    trace_window: str | None,
    *,
    fp32: Callable[[Result], Reference] | None,
    operations: bool,
    save_operations: Path | None,
    form: Form,
    per_layer: bool,
    energy: bool,
    report_file: Path | None,
) -> None:
    """Write what was asked for, check, print the summary; exit status 1 if a check fails.

    Args:
        fp32: gives the FP32 outputs to compare with; None if nothing is checked.
        operations: check every operation's value, too; `save_operations`: a file to write them to.

    Raises:
        UserError: the outputs hold nothing but NaN, and no check says that they should.
    """
    if output is not None:
        buffer = io.BytesIO()
        # .npz knows no bfloat16; float32 holds every one of its values.
        arrays: dict[str, Any] = {
            name: np.asarray(array, np.float32) if array.dtype.kind == "V" else array
            for name, array in result.outputs.items()
        }
        np.savez(buffer, **arrays)
        write_atomically(output, buffer.getvalue())
    if profile is not None:
        write_atomically(profile, json_text(result.profile.to_json()))
    if trace is not None:
        from softex_mlir.runtime.timeline import timeline_text

        write_atomically(trace, timeline_text(program, result.run, result.profile, trace_window))
    found, bound = None, ""
    if fp32 is not None:
        from softex_mlir.runtime.check import check as run_check

        wanted, title = fp32(result)
        found = run_check(program, result, wanted, title=title)
        bound = _bound_kept(program, result, wanted)
    from softex_mlir.runtime.costs.summary import Summary
    from softex_mlir.tools.forms import Form
    from softex_mlir.tools.summary_report import report

    summary = Summary.of(
        result.profile, program.metadata, simulated=True, quality=quality_lines(program, found)
    )
    more: dict[str, Any] = {"notices": list(result.notices)}
    if found is not None:
        more["check"] = found.to_json() | ({"bound": bound} if bound else {})
    checks = _operations(program, result, save_operations) if operations else ()
    if operations:
        more["operations"] = [asdict(check) for check in checks]
    if form is Form.text:
        for notice in result.notices:
            sys.stdout.write(f"note: {notice}\n")
        if found is not None:
            lines = [*found.lines(), *([f"  {bound}"] if bound else [])]
            sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.write("".join(f"{check}\n" for check in checks))
    report(summary, form, per_layer=per_layer, energy=energy, output=report_file, more=more)
    if (found is not None and not found.identical) or any(check.different for check in checks):
        raise SystemExit(1)
    if result.outputs and not any(_has_number(array) for array in result.outputs.values()):
        nan = "every element of every output is NaN"
        if found is None:
            raise UserError(f"{nan} (--check compares them with the reference evaluator's)")
        sys.stderr.write(f"warning: {nan}, as the reference evaluator's\n")


def fp32_outputs(
    program: Program,
    beside: dict[str, np.ndarray],
    source: Path | None,
    inputs: dict[str, np.ndarray] | None,
    result: Result,
) -> Reference:
    """FP32 outputs by name, and what they are: of `source`, those beside the inputs, or those of
    the model's own source for the inputs as they were given."""
    if beside and source is None:
        return beside, "FP32"
    from softex_mlir.runtime.quality.fp32 import fitted, widened
    from softex_mlir.runtime.quality.source import reference_of

    try:
        found = reference_of(program, source)
        outputs = found.outputs(0, widened(result.inputs if inputs is None else inputs))
        return fitted(outputs, program.outputs), found.title
    except UserError as error:
        if source is not None:
            raise
        sys.stderr.write(f"note: not compared with FP32: {error}\n")
        return {}, ""


def _bound_kept(program: Program, result: Result, wanted: dict[str, np.ndarray]) -> str:
    """How far the bound is kept that the program was compiled for; empty if there is none."""
    text = program.metadata.get("source", {}).get("bound")
    if not text or not wanted:
        return ""
    import json

    from softex_mlir.runtime.quality.bound import kept

    return kept(json.loads(text), result.outputs, wanted, result.inputs)


def _operations(program: Program, result: Result, path: Path | None) -> tuple[OperationCheck, ...]:
    from softex_mlir.runtime.quality.operations import check_operations

    saved: dict[str, np.ndarray] | None = None if path is None else {}
    checks = check_operations(program, result.inputs, saved)
    if path is not None and saved is not None:
        buffer = io.BytesIO()
        # a slash would be a folder in the archive
        named: dict[str, Any] = {name.replace("/", "|"): array for name, array in saved.items()}
        np.savez(buffer, **named)
        write_atomically(path, buffer.getvalue())
    return checks


def _has_number(array: np.ndarray) -> bool:
    """Whether an output holds anything but NaN."""
    return not array.size or not np.isnan(array.astype(np.float32)).all()


def quality_lines(program: Program, found: CheckReport | None) -> tuple[str, ...]:
    """How close the outputs are to FP32, or how to find out."""
    lines = [
        f"{output.name}: {output.quality}; {found.reference}"
        if found is not None and found.reference != "FP32"
        else f"{output.name}: {output.quality}"
        for output in (found.outputs if found is not None else ())
        if output.quality is not None
    ]
    if lines:
        return tuple(lines)
    if not program.outputs:
        return ()
    source = program.metadata.get("source", {}).get("path") or program.metadata.get("model", "")
    return (f"not compared: --check does, with {source or 'the model'} or --reference FILE",)


@contextmanager
def vector_writer(folder: Path | None, machine: Machine) -> Generator[JobVectorWriter | None]:
    """Writes the jobs of a run into a folder, if there is one."""
    if folder is None:
        yield None
        return
    from softex_mlir.runtime.job_vectors import JobVectorWriter

    try:
        writer = JobVectorWriter(folder, machine)
    except OSError as error:
        raise UserError(f"{folder}: cannot write job vectors: {error.strerror}") from error
    try:
        yield writer
    finally:
        writer.close()
    sys.stderr.write(f"note: {writer.jobs} jobs written to {folder}\n")
