"""What commands print as text, they also print as JSON and CSV, or write to a file."""

import csv
import io
import json

import pytest
import typer.main
from typer.testing import CliRunner

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import single_operation
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.tools.softex import app

NO_TABLE = {"sim", "generate"}
"""Commands with --json that print no table."""
COMMANDS = (
    "inspect ELF",
    "inspect ELF --commands --unit softex",
    "inspect ELF --asm",
    "inspect ELF --memory",
    "inspect ELF --schedule",
    "diff ELF OTHER",
    "operators",
    "machine list",
    "machine show ideal",
    "machine diff ideal",
    "coefficients 1 --no-tune",
    "estimate demo-vit",
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    for name, columns in (("ELF", 64), ("OTHER", 96)):
        model = single_operation("softmax", 64, columns)
        Compilation.of(model, Machine.load("paper")).write("elf", folder / name)
    return folder


def softex(*arguments):
    found = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code in (0, 1), found.output
    return found.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_tables_are_printed_as_csv_and_json_and_written(command, programs, tmp_path, monkeypatch):
    monkeypatch.chdir(programs)
    words = command.split()
    rows = list(csv.DictReader(io.StringIO(softex(*words, "--csv"))))
    assert rows
    assert all(None not in row and None not in row.values() for row in rows)
    data = softex(*words, "--json")
    assert json.loads(data)
    for asked, name in ((("--csv",), "x.txt"), ((), "z.csv"), ((), "z.json")):
        assert softex(*words, *asked, "-o", str(tmp_path / name)) == ""
    assert (tmp_path / "z.json").read_text() == data
    assert (tmp_path / "x.txt").read_text() == (tmp_path / "z.csv").read_text()
    assert list(csv.DictReader((tmp_path / "x.txt").open())) == rows
    softex(*words, "-o", str(tmp_path / "plain"))
    text = (tmp_path / "plain").read_text()
    assert text.strip()
    assert "\x1b" not in text


def test_two_forms_at_once_are_a_usage_error():
    assert CliRunner().invoke(app, ["operators", "--json", "--csv"]).exit_code == 2


def commands(group, before=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


def test_every_command_with_one_spelling_has_all():
    for path, command in commands(typer.main.get_command(app)):
        options = {option for parameter in command.params for option in parameter.opts}
        if "--json" in options and path[-1] not in NO_TABLE:
            assert {"--csv", "-o"} <= options, path
