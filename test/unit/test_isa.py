"""The instruction table: round trips, no ambiguous encodings, agreement with other tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, Instruction, decode, disassemble, encode

NAMES = sorted(name for name, row in INSTRUCTIONS.items() if not row.is_alias)
OBJDUMP = shutil.which("riscv64-unknown-elf-objdump")
STANDARD = {"I", "M", "F", "C", "Zicsr", "Zifencei", "Machine"}


@st.composite
def instances(draw: st.DrawFn, name: str) -> dict[str, int]:
    row = INSTRUCTIONS[name]
    operands: dict[str, int] = {}
    for key, field in row.layout.fields.items():
        value = st.integers(field.minimum >> field.scale, field.maximum >> field.scale)
        scaled = value.map(lambda v, f=field: v << f.scale)
        operands[key] = draw(scaled.filter(lambda v, k=key: (k, v) not in row.excluded))
    return operands


@given(st.data(), st.sampled_from(NAMES))
def test_every_encoding_decodes_to_itself(data: st.DataObject, name: str) -> None:
    operands = data.draw(instances(name))
    decoded = decode(encode(name, operands))
    assert decoded is not None
    assert decoded.instruction.name == name
    assert dict(decoded.operands) == operands
    assert decoded.expanded.length == 4 or decoded.expanded.instruction.extension != "C"


@given(st.integers(0, 2**32 - 1))
def test_decoding_then_encoding_gives_the_word_back(word: int) -> None:
    decoded = decode(word)
    if decoded is not None:
        row = decoded.instruction
        assert encode(row.name, decoded.operands) == decoded.word & ~row.layout.ignored


def test_no_two_instructions_share_an_encoding() -> None:
    rows = [row for row in INSTRUCTIONS.values() if not row.is_alias]
    for index, first in enumerate(rows):
        for second in rows[index + 1 :]:
            if first.length != second.length:
                continue
            if not (first.match ^ second.match) & first.mask & second.mask:
                # one must be the more specific, or exclude what the other means
                assert first.mask != second.mask or first.excluded != second.excluded


def test_published_encodings() -> None:
    """Words copied from the manuals and toolchains the table cites."""
    x = {"rd": 0, "rs1": 0, "rs2": 0}
    assert encode("vfadd.ah", x) == 0x82001033
    assert encode("vfadd.r.ah", x) == 0x82005033
    assert encode("vfcpka.ah.s", x) == 0xB0001033
    assert encode("vfdotpex.s.ah", x) == 0x96001033
    assert encode("fadd.ah", x) == 0x04005053
    assert encode("cv.mac", x) == 0x9000302B
    assert encode("cv.setup", {"loop": 1, "rs1": 5, "imm": 16}) == 0x0042C7AB
    assert encode("cv.setupi", {"loop": 0, "count": 9, "imm": 12}) == 0x0091C62B
    assert encode("cv.elw", {"rd": 10, "rs1": 11, "imm": 0x3C}) == 0x03C5B50B
    assert encode("fcvt.bf16.s", {"rd": 1, "rs1": 2}) == 0x448170D3
    assert encode("addi", {"rd": 0, "rs1": 0, "imm": 0}) == 0x00000013


@pytest.mark.parametrize(
    ("name", "operands", "message"),
    [
        ("addi", {"rd": 1, "rs1": 1, "imm": 2048}, "'imm' is 2048, expected -2048..2047"),
        ("beq", {"rs1": 1, "rs2": 2, "imm": 3}, "in steps of 2"),
        ("add", {"rd": 32, "rs1": 0, "rs2": 0}, "'rd' is 32, expected 0..31"),
        ("add", {"rd": 1, "rs1": 0}, "'rs2' is missing"),
        ("add", {"rd": 1, "rs1": 0, "rs2": 0, "imm": 3}, "no operand 'imm'"),
        ("vfad.ah", {}, "did you mean vfadd.ah"),
        ("c.addi", {"rd": 0, "imm": 1}, "reserved"),
    ],
)
def test_errors_say_what_is_wrong(name: str, operands: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        encode(name, operands)


def test_disassembly() -> None:
    assert disassemble(encode("cv.lw", {"rd": 10, "rs1": 11, "imm": 4})) == "cv.lw a0, (a1), 4"
    word = encode("cv.sw.rr_inc", {"rs2": 10, "rs1": 11, "rs3": 12})
    assert disassemble(word) == "cv.sw a0, (a1), a2"
    assert disassemble(encode("cv.setupi", {"loop": 0, "count": 9, "imm": 12}), 0x100) == (
        "cv.setupi 0, 9, 0x10c"
    )
    assert disassemble(encode("fadd.s", {"rd": 0, "rs1": 1, "rs2": 2})) == "fadd.s ft0, ft1, ft2"
    assert disassemble(0xFFFFFFFF) == ".word 0xffffffff"


def _sample(row: Instruction) -> int:
    """An instance with distinct registers and a small immediate."""
    operands: dict[str, int] = {}
    for index, (key, field) in enumerate(row.layout.fields.items()):
        value = field.base + 3 + index if field.kind in "xf" else 1 << field.scale + 1
        operands[key] = 7 if key == "rm" else min(value, field.maximum)
        if key == "csr":
            operands[key] = 0x300
    return encode(row.name, operands)


def _plain(text: str) -> str:
    """Assembly text with numbers in decimal and no blanks after commas."""
    text = re.sub(r"\b(?:0x)?[0-9a-f]+\b", _decimal, text.replace(", ", ","))
    return text


def _decimal(match: re.Match[str]) -> str:
    digits = match.group()
    if digits.startswith("0x"):
        return str(int(digits, 16))
    return digits


@pytest.mark.skipif(OBJDUMP is None, reason="riscv64-unknown-elf-objdump is not installed")
def test_objdump_agrees_on_the_standard_instructions(tmp_path: Path) -> None:
    rows = [row for row in INSTRUCTIONS.values() if row.extension in STANDARD]
    rows.remove(INSTRUCTIONS["c.nop"])  # objdump calls it c.addi zero
    image = b"".join(
        _sample(row).to_bytes(row.length, "little") + b"\x01\x00" * (row.length == 2)
        for row in rows
    )
    path = tmp_path / "code.bin"
    path.write_bytes(image)
    assert OBJDUMP is not None
    command = [OBJDUMP, "-D", "-b", "binary", "-m", "riscv:rv32", "-M", "no-aliases", str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    listing: dict[int, str] = {}
    for line in output.splitlines():
        parts = line.split("\t")
        if len(parts) >= 3:
            text = " ".join(parts[2:]).split("#")[0].split("<")[0].split()
            listing[int(parts[0].strip().rstrip(":"), 16)] = _plain(" ".join(text))
    for index, row in enumerate(rows):
        ours = disassemble(_sample(row), 4 * index)
        assert _plain(ours) == listing[4 * index], row.name
