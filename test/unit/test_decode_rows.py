"""Rows of pre-decoded code hold what the decoder for people finds in the word."""

from __future__ import annotations

import numpy as np
import pytest

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core.decode import DecodedCode
from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, Decoded, Instruction, decode


def rows_of(words: list[int]) -> np.ndarray:
    """int64[n, 4]: the rows of words that lie one behind the other."""
    memory = np.frombuffer(np.array(words, "<u4").tobytes(), np.uint8).copy()
    code = DecodedCode.create([(0, len(memory), 0)], 0, len(memory))
    code.decode_all(memory)
    return code.code.reshape(-1, op.ROW)[:-1:2]


def words_of(row: Instruction, count: int) -> list[int]:
    """Words of an instruction, registers of number 0 among them, and what it excludes."""
    random = np.random.default_rng(row.match)
    free = random.integers(0, 1 << 8 * row.length, count)
    for field in (7, 15, 20):
        free = np.where(random.random(count) < 0.2, free & ~(31 << field), free)
    return (free & ~row.mask | row.match).tolist()


@pytest.mark.parametrize("row", INSTRUCTIONS.values(), ids=str)
def test_a_row_is_what_the_word_says(row: Instruction) -> None:
    words = words_of(row, 200)
    for word, (fields, immediate, sources, raw) in zip(words, rows_of(words).tolist(), strict=True):
        found = decode(word)
        assert (raw, fields >> op.LENGTH_SHIFT & 7) == (word, row.length)
        if found is None:
            assert fields & op.OPERATION == op.ILLEGAL, hex(word)
            continue
        assert fields & op.OPERATION == op.OPERATIONS[found.expanded.instruction.name], hex(word)
        assert_operands(fields, immediate, sources, found.expanded)


def assert_operands(fields: int, immediate: int, sources: int, found: Decoded) -> None:
    """Compare registers and immediate with the operands that the decoder for people gives."""
    row, operands = found.instruction, found.operands
    floats = row.float_operands
    places = {"rs1": op.RS1_SHIFT, "rs2": op.RS2_SHIFT, "rs3": op.RS3_SHIFT, "loop": op.RS3_SHIFT}
    read = 0
    for key, shift in places.items():
        if key in operands:
            assert fields >> shift & 63 == operands[key], (key, hex(found.word))
            read |= 1 << operands[key] + (32 if key in floats else 0) if key != "loop" else 0
    rd = operands.get("rd", 0)
    if row.reads_destination:
        assert fields >> op.RS3_SHIFT & 63 == rd
        read |= 1 << rd + (32 if "rd" in floats else 0)
    assert sources & (1 << 64) - 1 == read & ~1, hex(found.word)
    goes_nowhere = "rd" not in operands or ("rd" not in floats and rd == 0)
    assert fields >> op.RD_SHIFT & 63 == (op.DISCARD if goes_nowhere else rd), hex(found.word)
    assert bool(fields & op.FLAG_WRITES_X) == ("rd" not in floats and not goes_nowhere)
    if "rm" in operands:
        assert fields >> op.RM_SHIFT & 7 == operands["rm"]
    if row.format in ("PLOAD", "PSTORE", "PLOADR", "PSTORER") and operands["rs1"] == 0:
        assert fields >> op.MODE_SHIFT & 3 == op.MODE_OFFSET
        assert immediate == 0
        return
    value = operands.get("imm", 0)
    if "csr" in operands:
        assert immediate == operands["csr"] | value << 32
    elif row.name in ("lui", "auipc"):
        assert immediate == value << 12
    elif "count" in operands:
        assert immediate == value & 0xFFFFFFFF | operands["count"] << 32
    else:
        assert immediate & 0xFFFFFFFF == value & 0xFFFFFFFF
