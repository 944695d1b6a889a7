"""`softex machine`: descriptions resolved, compared and checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softex_mlir.errors import UserError
from softex_mlir.tools.forms import checked_form, emit
from softex_mlir.tools.options import CsvOption, JsonOption, SetOption, TableFileOption

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.isa_sim.machine_basis import DescribedValue

machine_app = typer.Typer(
    name="machine",
    help="Machine descriptions: what there is, what a file says, what calibration covers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MachineArgument = Annotated[str, typer.Argument(help="A shipped name or a TOML file.")]


@machine_app.command("list")
def list_machines(
    output: TableFileOption = None, json: JsonOption = False, csv: CsvOption = False
) -> None:
    """The shipped descriptions, with what they change of `paper`."""
    from softex_mlir.isa_sim.machine import Machine, shipped_machines
    from softex_mlir.isa_sim.machine_basis import differences

    rows: dict[str, list[str]] = {}
    for name in shipped_machines():
        rows[name] = [f"{f.section}.{f.key}" for f in differences(Machine.load(name))]
    emit(
        checked_form(output, [], as_json=json, as_csv=csv),
        output,
        text=lambda: "".join(f"{line}\n" for line in _listed(rows)),
        data=lambda: rows,
        rows=lambda: [
            {"name": name, "says": _first_comment(name), "differs_in": changed}
            for name, changed in rows.items()
        ],
    )


def _listed(rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    width = max(map(len, rows))
    for name, changed in rows.items():
        yield f"{name:{width}}  {_first_comment(name)}"
        if changed:
            yield f"{'':{width}}  differs in {', '.join(changed)}"


@machine_app.command()
def show(
    machine: MachineArgument = "paper",
    settings: SetOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """The resolved description: every value, what it rests on, what calibration does not cover."""
    from softex_mlir.isa_sim.machine_basis import compared_with, fields_of, uncovered

    found = _loaded(machine, settings)
    fields, gaps, valid = list(fields_of(found)), uncovered(found), compared_with(found)
    rows: list[dict[str, Any]] = [
        {
            "section": f.section,
            "key": f.key,
            "value": f.value,
            "basis": str(f.basis),
            **({"paper": f.other} if f.differs else {}),
        }
        for f in fields
    ]
    head = {"name": found.name, "hash": found.hash}
    basis = {"valid_on_rtl": list(valid), "not_covered": list(gaps)}
    emit(
        checked_form(output, [machine], as_json=json, as_csv=csv),
        output,
        text=lambda: _description(found, fields, gaps, valid),
        data=lambda: {**head, "fields": rows, **basis},
        rows=lambda: rows,
    )


def _description(
    found: Machine, fields: Sequence[DescribedValue], gaps: Sequence[str], valid: Sequence[str]
) -> str:
    """A description as TOML, what each value rests on behind it."""
    lines = [f"name = {_spelt(found.name)}  # {found.hash[:12]}"]
    section = ""
    for f in fields:
        if f.section != section:
            section = f.section
            lines += ["", f"[{section}]"]
        note = f"{f.basis}; paper: {_spelt(f.other)}" if f.differs else str(f.basis)
        lines.append(f"{f'{f.key} = {_spelt(f.value)}':<42}  # {note}")
    for number, point in enumerate(found.operating_points):
        lines += ["", "[[operating_points]]", f'name = "{point.name}"']
        basis = "sourced" if number == 0 else "assumed"
        lines.append(f"{f'voltage = {point.voltage}':<42}  # sourced")
        lines.append(f"{f'frequency_hz = {point.frequency_hz}':<42}  # {basis}")
    lines += ["", *(f"# programs are valid on the published RTL of {rtl}" for rtl in valid)]
    lines += [*(f"# not covered by calibration: {gap}" for gap in gaps)]
    return "\n".join(lines).rstrip() + "\n"


@machine_app.command()
def diff(
    machine: MachineArgument,
    other: Annotated[str, typer.Argument(help="What to compare it with.")] = "paper",
    settings: SetOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """What differs from `paper` or another description, and what calibration does not cover.

    `--set` changes the first one.
    """
    from softex_mlir.isa_sim.machine_basis import differences, uncovered

    found, against = _loaded(machine, settings), _loaded(other, None)
    fields, gaps = differences(found, against), uncovered(found)
    rows = [
        {"section": f.section, "key": f.key, "value": f.value, "other": f.other} for f in fields
    ]
    lines = [
        f"{f.section}.{f.key}: {_spelt(f.value)}, {against.name} has {_spelt(f.other)}"
        for f in fields
    ]
    lines = lines or [f"{found.name} is {against.name}"]
    lines += [f"not covered by calibration: {gap}" for gap in gaps]
    emit(
        checked_form(output, [machine, other], as_json=json, as_csv=csv),
        output,
        text=lambda: "".join(f"{line}\n" for line in lines),
        data=lambda: {"differences": rows, "not_covered": list(gaps)},
        rows=lambda: rows,
    )


@machine_app.command()
def validate(
    machines: Annotated[list[str], typer.Argument(help="Shipped names or TOML files.")],
    settings: SetOption = None,
) -> None:
    """Whether descriptions are in order, and whether models compile for them; status 1 if not."""
    from softex_mlir.compiler.target import check_target
    from softex_mlir.isa_sim.machine_basis import uncovered

    failed = False
    for name in machines:
        try:
            found = _loaded(name, settings)
            check_target(found)
        except UserError as error:
            sys.stderr.write(f"error: {error}\n")
            failed = True
            continue
        sys.stdout.write(f"{name}: in order, {found.hash[:12]}\n")
        for gap in uncovered(found):
            sys.stdout.write(f"{name}: not covered by calibration: {gap}\n")
    if failed:
        raise SystemExit(1)


def _loaded(name: str, settings: Sequence[str] | None) -> Machine:
    from softex_mlir.isa_sim.machine import Machine

    return Machine.load(name).with_settings(settings or ())


def _spelt(value: Any) -> str:
    from softex_mlir.isa_sim.machine import toml_value

    return "nothing" if value is None else toml_value(value)


def _first_comment(name: str) -> str:
    """The first sentence of a shipped description."""
    from softex_mlir.isa_sim.machine import MACHINES_DIRECTORY

    text = (MACHINES_DIRECTORY / f"{name}.toml").read_text()
    return text.splitlines()[0].removeprefix("# ")
