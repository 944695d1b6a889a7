"""The assembler agrees with the instruction table, and says what is wrong with what."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from random import Random

import pytest
from xdsl.dialects.builtin import ModuleOp

from softex_mlir.compiler.backend.assembler import AssemblyError, assemble
from softex_mlir.compiler.backend.disassembler import Extent, disassemble, words_of
from softex_mlir.compiler.backend.print_assembly import assembly
from softex_mlir.dialects.text import read_module
from softex_mlir.isa_sim.isa import encoding as isa

BASE = 0x1C000000

SAMPLES = """
add a0, a1, a2
addi sp, sp, -16
lui t0, 0x10200
lw a0, -4(sp)
sw s11, 2047(t6)
flw fa0, 8(a0)
fsw ft11, -8(a0)
flh fa0, 2(a0)
fmadd.s fa0, fa1, fa2, fa3
fcvt.w.s a0, fa0, rtz
fadd.ah fa0, fa1, fa2
vfmac.ah fa0, fa1, fa2
vfcpka.ah.s fa0, fa1, fa2
cv.lw a0, (a1), 4
cv.sh a0, (a1), -2
cv.elw a0, 60(a1)
cv.pack a0, a1, a2
"""


def words(text):
    code = assemble(text, BASE).code
    return [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)]


def operands(word: int) -> Mapping[str, int]:
    decoded = isa.decode(word)
    assert decoded is not None
    return decoded.operands


@pytest.mark.parametrize("line", SAMPLES.strip().splitlines())
def test_disassembles_to_itself(line):
    (word,) = words(line)
    assert words(isa.disassemble(word)) == [word]


@pytest.mark.parametrize("value", [0, 1, -1, 2047, 2048, -2048, -2049, 0x10204000, -0x80000000])
def test_load_immediate(value):
    register = 0
    for word in words(f"li a0, {value}"):
        decoded = isa.decode(word)
        assert decoded is not None
        immediate = decoded.operands["imm"]
        if decoded.instruction.name == "lui":
            register = immediate << 12
        else:
            register = (register if decoded.operands["rs1"] else 0) + immediate
    assert (register - value) % (1 << 32) == 0


def test_labels_are_relative():
    text = "start:\nbeqz a0, end\nj start\ncv.setup 0, a1, end\nnop\nnop\nnop\nend:\nret\n"
    immediates = [operands(word).get("imm") for word in words(text)]
    assert immediates[:3] == [24, -4, 16]


def test_far_branch_goes_around_a_jump():
    text = "start:\n" + "nop\n" * 1100 + "bne a0, a1, start\nret\n"
    around, jump, end = words(text)[-3:]
    assert isa.disassemble(around, 0).startswith("beq a0, a1")
    assert operands(around)["imm"] == 8
    assert operands(jump)["imm"] == -1101 * 4
    assert isa.disassemble(end) in ("ret", "jalr zero, 0(ra)")


def test_symbols():
    text = ".type f, @function\nf:\nnop\n.Llocal:\nnop\ng:\nret\n"
    symbols = assemble(text, BASE).symbols
    assert [(s.name, s.address - BASE, s.size, s.is_function) for s in symbols] == [
        ("f", 0, 8, True),
        ("g", 8, 4, False),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nop\nfrobnicate a0", "assembly line 2.*frobnicate"),
        ("addi a0, a0, 5000", "assembly line 1.*5000"),
        ("add a0, a1", "assembly line 1"),
        ("add a0, a1, q9", "q9"),
        ("j nowhere", "nowhere"),
        (".weird", "directive"),
    ],
)
def test_errors_name_the_line(text, message):
    with pytest.raises(AssemblyError, match=message):
        assemble(text, BASE)


@pytest.mark.skipif(
    shutil.which("riscv64-unknown-elf-objdump") is None, reason="no RISC-V binutils installed"
)
def test_binutils_reads_the_same(tmp_path):
    text = "\n".join(line for line in SAMPLES.strip().splitlines()[:10] if "flh" not in line)
    path = tmp_path / "code.bin"
    path.write_bytes(assemble(text, BASE).code)
    command = ["riscv64-unknown-elf-objdump", "-D", "-b", "binary", "-m", "riscv:rv32"]
    command += ["-M", "no-aliases,numeric"]
    listing = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    found = [line.split("\t")[2:] for line in listing.stdout.splitlines() if line.count("\t") > 2]
    names = [parts[0].split()[0] for parts in found]
    expected = [line.split()[0] for line in text.splitlines()]
    # GNU tools call the I-type form by the same name without the i in some versions.
    assert [n.rstrip("i") for n in names] == [n.rstrip("i") for n in expected]


def test_every_instruction_is_decoded_into_text_and_assembled_again():
    """Random operands; what no operation says is a word."""
    random, code = Random(1), bytearray()
    for row in isa.INSTRUCTIONS.values():
        if row.length == 4 and not row.is_alias:
            for _ in range(4):
                code += random_word(row, random).to_bytes(4, "little")
    decoded = disassemble(
        words_of(bytes(code), BASE), [Extent("f", BASE, BASE + len(code))], {}, {}
    )
    module = read_module(str(ModuleOp([*decoded])), "decoded.mlir")
    assert assemble(assembly(module), BASE).code == code


def random_word(row: isa.Instruction, random: Random) -> int:
    """An encoding of an instruction; jumps stay near."""
    operands: dict[str, int] = {}
    for key, field in row.layout.fields.items():
        value = random.randint(field.minimum, field.maximum) >> field.scale << field.scale
        if key == "imm" and row.format in ("B", "BIMM", "J", "HLI", "HLS", "HLSI"):
            value = random.choice([4, 8, 16])
        operands[key] = random.choice([0, 1, 2, 3, 4, 7]) if field.kind == "rm" else value
    try:
        return isa.encode(row.name, operands)
    except ValueError:  # reserved
        return random_word(row, random)
