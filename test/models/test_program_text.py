"""Programs as text: decoded from their bytes, assembled to the same bytes, changed by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from sampling import matrix
from small_models import CASES, compiled
from typer.testing import CliRunner

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models import single_operation
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.text import gpt2
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.command_stream import Wanted, code_place, commands
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.program_text import ProgramText
from softex_mlir.tools.softex import app

HERE = Path(__file__).parent
SMALL = {"hidden": 32, "layers": 1, "mlp": 64, "vocabulary": 96}
FAMILIES: dict[str, Callable[..., Model]] = {
    "gpt2": partial(gpt2, "gpt2", **SMALL, heads=2),
    "llama": partial(llama, "llama", **SMALL, heads=4, key_heads=2),
}
GENERAL = ("segformer", "wav2vec2", "t5", "deberta_v2")
"""Exports with kernels of the general path."""


def made(name: str, kib: int, more: str) -> Program:
    """The program of a case."""
    if more == "generation":
        return Compilation.of(FAMILIES[name](max_length=64)).program()
    if more == "general":
        return Compilation.of(HERE / "families" / f"{name}.onnx").program()
    if more in ("balanced", "exact"):
        return Compilation.of(name, accuracy=more).program()
    return compiled(name, kib, more)


EVERYTHING: list[tuple[str, int, str]] = [
    *CASES,
    ("llama", 256, "generation"),
    ("gpt2", 256, "generation"),
    *((name, 256, "general") for name in GENERAL),
    ("demo-vit", 256, "balanced"),
    ("demo-bert", 256, "balanced"),
]


def assembled(path: Path) -> Program:
    """The program of a text."""
    return Compilation.of(path).program()


@matrix("name, kib, more", EVERYTHING, short=2)
def test_assembles_to_the_same_bytes(name: str, kib: int, more: str, tmp_path: Path):
    program = made(name, kib, more)
    program.save(tmp_path / "p.elf")
    text = tmp_path / "p.mlir"
    run("inspect", "--mlir", tmp_path / "p.elf", "-o", text)
    (tmp_path / "p.elf").unlink()
    assert assembled(text).elf == program.elf


def test_entries_assemble_to_the_same_bytes():
    program = made("gpt2", 256, "generation")
    text = ProgramText(program)
    assert len(program.entries) == 2
    functions = [function.name for function in text.functions]
    assert {"_start.prefill", "_start.decode"} <= set(functions)
    assert str(text.module).count("cluster.schedule entry") == 2


def run(*arguments: object, status: int = 0) -> str:
    """Output of a command."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and its text."""
    folder = tmp_path_factory.mktemp("text")
    product().save(folder / "p.elf")
    run("inspect", "--mlir", folder / "p.elf", "-o", folder / "p.mlir")
    return folder


@cache
def product() -> Program:
    return Compilation.of(single_operation("softmax", 45, 48)).program()


def edited(folder: Path, pattern: str, replacement: str, count: int = 1) -> Path:
    """The text with the first matches of a pattern replaced, or all of them (0)."""
    text = text_of(folder)
    changed, found = re.subn(pattern, replacement, text, count=count, flags=re.MULTILINE)
    assert found >= max(count, 1)
    path = folder / "edited.mlir"
    path.write_text(changed)
    return path


def test_printed_text_names_the_program_for_its_data(folder: Path):
    text = folder / "printed.mlir"
    text.write_text(run("inspect", "--mlir", folder / "p.elf"))
    assert assembled(text).elf == product().elf


def test_triggers_and_transfers_are_described():
    comments = set(ProgramText(product()).comments().values())
    assert any(re.match(r"softex\.TRIGGER: start softmax 48", comment) for comment in comments)
    assert any(comment.startswith("dma.NEXT_ID_0: start a transfer") for comment in comments)
    assert "launch record: argument 0" in comments


def test_an_instruction_changed_by_hand(folder: Path):
    path = edited(folder, r"riscv\.addi (%\w+), 1 :", r"riscv.addi \1, 2 :")
    before, after = ProgramText(product()).words, ProgramText(assembled(path)).words
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a.word != b.word]
    ((old, new),) = changed
    assert old.decoded is not None
    assert new.decoded is not None
    assert new.decoded.operands == {**old.decoded.operands, "imm": 2}


def test_a_command_changed_by_hand(folder: Path):
    """Softmax of rows of 32 elements instead of 48, in the constant that the comment shows."""
    (register,) = set(
        re.findall(r'sw %s0, %(\w+), \d+ {comment = "softex.TOT_LEN = 96"}', text_of(folder))
    )
    path = edited(folder, f"li 96 : !riscv.reg<{register}>", f"li 64 : !riscv.reg<{register}>", 0)
    before = session.run(product(), functional=False).run.jobs
    after = session.run(assembled(path), functional=False).run.jobs
    assert {int(job["registers"][2]) for job in before} == {96}
    assert {int(job["registers"][2]) for job in after} == {64}
    assert len(before) == len(after)


def text_of(folder: Path) -> str:
    return (folder / "p.mlir").read_text()


def test_a_launch_taken_out_by_hand(folder: Path):
    path = edited(folder, r"^ *cluster\.launch .*\n", "")
    program = assembled(path)
    assert len(program.metadata["launches"]) == len(product().metadata["launches"]) - 1
    assert session.run(program, functional=False).run.exit_code == 0


def test_an_instruction_put_in_by_hand(folder: Path):
    """What lies behind the code moves with it."""
    path = edited(folder, r"^( *)(riscv_func\.return)", r"\1riscv.nop\n\1\2")
    program = assembled(path)
    inputs = {"x": np.linspace(-2, 2, 45 * 48, dtype=np.float32).reshape(45, 48)}
    before, after = (session.run(p, inputs).outputs for p in (product(), program))
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"riscv\.addi (%\w+), 1 :", r"riscv.addi \1, 4096 :", "out of range"),
        (r'riscv\.j "[^"]*"', 'riscv.j "nowhere"', "cannot encode `jal zero, nowhere`"),
        (r'riscv\.label "(\.L\w+_2)"', r'riscv.label ".L_start_1"', "is there twice"),
        (r"cluster\.launch @\w+", "cluster.launch @nobody", "@nobody, which has no functions"),
        (
            r"riscv\.sw (%\w+), (%\w+), 0 ",
            r"riscv.sw \1, %nothing, 0 ",
            "%nothing is used but not defined",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(
    folder: Path, pattern: str, replacement: str, message: str
):
    path = edited(folder, pattern, replacement)
    line = next(
        n
        for n, (a, b) in enumerate(
            zip(
                text_of(folder).splitlines(),
                path.read_text().splitlines(),
                strict=True,
            ),
            1,
        )
        if a != b
    )
    with pytest.raises(UserError, match=message) as error:
        assembled(path)
    assert str(error.value).startswith(f"{path}:{line}:")


def test_a_file_that_note_and_bytes_contradict_is_refused():
    """The first launch's argument differs from the note's: text would lose one of the two."""
    program = product()
    address = program.metadata["launches"][0]["record_address"]
    segment = next(s for s in program.segments if s.address == address)
    place = program.elf.index(bytes(segment.data[:64]))
    broken = bytearray(program.elf)
    broken[place + 32] ^= 64
    with pytest.raises(UserError, match="cannot be written as text without loss"):
        _ = ProgramText(Program.from_bytes(bytes(broken))).module


def test_commands_and_instructions_name_each_other():
    """A store triggers a job, a load from the DMA launches a transfer."""
    program = product()
    everything = commands(program)
    for unit, instruction in (("softex", "sw"), ("dma_in", "lw"), ("dma_out", "lw")):
        first = next(command for command in everything if command["unit"] == unit)
        place = code_place(program, first["pc"])
        assert place["text"].startswith(instruction)
        assert place["function"] == first["by"]
        assert first["layer"] in place["layers"]
        mine = [command for command in everything if command["pc"] == first["pc"]]
        assert commands(program, Wanted(pc=first["pc"])) == mine
        function = first["by"].partition("+")[0]
        whole = commands(program, Wanted(pc=program.symbols[function]))
        assert mine[0] in whole
        assert all(command["by"].partition("+")[0] == function for command in whole)


def test_a_place_without_an_instruction_is_refused(folder: Path):
    result = CliRunner().invoke(app, ["inspect", str(folder / "p.elf"), "--pc", "0x1c000001"])
    assert isinstance(result.exception, UserError)
    assert "no instruction of the program" in str(result.exception)
