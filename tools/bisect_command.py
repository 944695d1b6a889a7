"""What `softex bisect` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from softex_mlir.errors import UserError
from softex_mlir.runtime.bisection import Step, bisect, first_operation
from softex_mlir.tools.forms import Form, emit, rendered
from softex_mlir.tools.progress import status_line

if TYPE_CHECKING:
    from xdsl.passes import ModulePass

    from softex_mlir.isa_sim.machine import Machine


def run_bisect(
    model: str,
    machine: Machine,
    pipeline: str | None,
    inputs: Path | None,
    tolerance: float,
    form: Form,
    output: Path | None,
) -> int:
    """Print what differs first; 0 if nothing does, else 1, as diff(1).

    Raises:
        typer.BadParameter: there is no such pass.
        UserError: model, program or inputs cannot be read.
    """
    from softex_mlir.runtime import array_files
    from softex_mlir.runtime.program import Program
    from softex_mlir.tools.run_command import is_program, read_arrays

    with status_line(quiet=form is not Form.text) as show:
        if is_program(Path(model)):
            program = Program.load(Path(model))
            arrays = None if inputs is None else read_arrays(inputs, program)[0]
            steps = first_operation(program, arrays)
        else:
            passes = _passes(pipeline)
            given = None if inputs is None else array_files.read(inputs, _any_array)
            if isinstance(given, np.ndarray):
                raise UserError(f"{inputs}: expected a .npz file, arrays by the inputs' names")
            steps = bisect(model, machine, passes, given, tolerance, show)
    first = next((step for step in steps if step.differs), None)
    emit(
        form,
        output,
        text=lambda: rendered([_table(steps), _conclusion(steps, first)], output),
        data=lambda: {"first": None if first is None else first.name, "steps": _rows(steps)},
        rows=lambda: _rows(steps),
    )
    return int(first is not None)


def _passes(pipeline: str | None) -> tuple[ModulePass, ...]:
    from xdsl.utils.arg_spec import parse_pipeline
    from xdsl.utils.exceptions import ArgSpecParseError

    from softex_mlir.compiler.transforms import get_all_passes
    from softex_mlir.tools.pass_options import unknown_pass

    known = get_all_passes()
    found: list[ModulePass] = []
    try:
        for spec in parse_pipeline(pipeline or ""):
            if spec.name not in known:
                raise ValueError(unknown_pass(spec.name, known))
            found.append(known[spec.name]().from_spec(spec))
    except (ValueError, ArgSpecParseError) as error:
        raise typer.BadParameter(" ".join(str(error).split()), param_hint="-p") from None
    return tuple(found)


def _any_array(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Take every array: those that are no inputs are references."""


def _rows(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [{**vars(step), "differs": step.differs} for step in steps]


def _table(steps: Sequence[Step]) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("step")
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("note")
    for step in steps:
        note = f"differs; {step.note}" if step.differs and step.note else step.note
        table.add_row(step.name, f"{step.error:.1e}" if step.error else "none", note)
    return table


def _conclusion(steps: Sequence[Step], first: Step | None) -> str:
    if first is None:
        return f"no difference in {len(steps)} steps"
    return f"results differ from {first.name} on"
