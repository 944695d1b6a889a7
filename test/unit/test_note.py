"""The note of a program: typed, consistent in itself and with the machine; else one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_fuzz_readers import elf

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import demo_vit
from softex_mlir.errors import UserError
from softex_mlir.note import NoteError, decode
from softex_mlir.runtime.elf_reader import read_elf
from softex_mlir.runtime.embedded import embedded_model
from softex_mlir.runtime.program import Program


@pytest.fixture(scope="module")
def program() -> Program:
    return Compilation.of(demo_vit()).program()


def text_of(program: Program) -> bytes:
    """The note as it is in the file."""
    note = read_elf(program.elf, "program").note
    assert note is not None
    return note


def test_round_trip(program: Program):
    note = decode(text_of(program))
    assert note.as_dict() == program.metadata
    assert json.loads(text_of(program)) == json.loads(json.dumps(program.metadata))
    assert note.model == "demo-vit"


def test_keys_of_later_versions_are_ignored(program: Program):
    data = json.loads(text_of(program))
    data["of later"] = {"model": "x"}
    assert decode(json.dumps(data).encode()) == decode(text_of(program))


def edit(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        for key in path[:-1]:
            tree = tree[key]
        tree[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit("format", to=2), "program format 2, this version reads 1; compile the model again"),
        (edit("format", to="1"), "Expected `int`, got `str` - at `$.format`"),
        (edit("inputs", 0, "rows", to=0), "Expected `int` >= 1 - at `$.inputs[0].rows`"),
        (edit("inputs", 0, "rows", to=1.5), "Expected `int`, got `float` - at `$.inputs[0].rows`"),
        (edit("inputs", 0, "rows", to=7), "is stored as 7 rows of"),
        (edit("inputs", 0, "pitch_elements", to=1), "elements are 1 apart"),
        (edit("inputs", 0, "dtype", to="f64"), "Invalid enum value 'f64' - at `$.inputs[0].dtype`"),
        (edit("inputs", 0, "limit", to=5), "only integers have a limit"),
        (edit("outputs", 0, "address", to=0x1C000001), "no multiple of its elements' 2 bytes"),
        (edit("weights", 0, "bytes", to=3), "takes 3 bytes, its layout"),
        (edit("weights", 0, "layout", "kind", to="no"), "Invalid value 'no' - at `$.weights"),
        (edit("launches", 0, "kernel", to="no"), "launch 0 is of 'no', which is no kernel"),
        (edit("launches", 1, "record_address", to=0), "the record of launch 1 is not"),
        (edit("buffers", 0, "kernel", to="no"), "is of 'no', which is no kernel"),
        (edit("kernels", 0, "name", to=""), "Expected `str` of length >= 1"),
        (edit("machine", to={}), "Object missing required field `name` - at `$.machine`"),
    ],
)
def test_contradictions(program: Program, change: Callable[[Any], None], message: str):
    data = json.loads(text_of(program))
    change(data)
    with pytest.raises(NoteError) as caught:
        decode(json.dumps(data).encode())
    assert message in str(caught.value)


@pytest.mark.parametrize("number", [0, -1])
def test_weights_that_the_text_does_not_know(program: Program, number: int):
    _, weights = embedded_model(program)
    records = [dict(record) for record in program.metadata["weights"]]
    assert {record["name"] for record in records} >= weights.keys()
    records[number]["name"] = "other"
    damaged = replace(program, metadata={**program.metadata, "weights": records})
    with pytest.raises(UserError, match="has no place in its note"):
        embedded_model(damaged)


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b'{"format": 1' + b"0" * 5000 + b"}"])
def test_texts_that_are_no_json(text: bytes):
    with pytest.raises(NoteError):
        decode(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit("machine", "hash", to="0"), "its machine description is of 'paper'"),
        (edit("machine", "toml", to='extends = "/dev/zero"'), "'extends' must be one of ideal"),
        (edit("inputs", 0, "address", to=0x3C00_0000), "is neither in TCDM"),
        (edit("outputs", 0, "address", to=0), "is neither in TCDM"),
        (edit("buffers", 0, "bytes", to=0xFFFF_FFFF), "is not in L2"),
    ],
)
def test_what_does_not_fit_the_machine(
    program: Program, change: Callable[[Any], None], message: str
):
    data = json.loads(text_of(program))
    data["weights"] = []
    Program.from_bytes(elf(json.dumps(data).encode()))
    change(data)
    with pytest.raises(UserError) as caught:
        Program.from_bytes(elf(json.dumps(data).encode()))
    assert message in str(caught.value)
