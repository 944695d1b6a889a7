"""Every CORE-V instruction on integers against the formula of the CV32E40P user manual."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from softex_mlir.isa_sim.baremetal.elf import Image, Segment
from softex_mlir.isa_sim.baremetal.run import BareMetal
from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, encode

BASE, DATA, WORD = 0x80000000, 0x80002000, 0xFFFFFFFF
EDGES = (0, 1, 5, 0x7FFF, 0x8000, 0xFFFF8000, 0x12348765, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFB, WORD)


def execute(
    name: str, operands: dict[str, int], registers: dict[int, int], data: bytes = b""
) -> BareMetal:
    words = encode(name, operands), encode("ebreak", {})
    image = b"".join(word.to_bytes(4, "little") for word in words)
    segments = [Segment(BASE, image, len(image)), Segment(DATA, data, 64)]
    hart = BareMetal("test", image=Image(BASE, segments))
    for index, value in registers.items():
        hart.state.x[0, index] = signed(value)
    assert "breakpoint" in hart.run(10).reason
    return hart


def register(hart: BareMetal, index: int) -> int:
    return int(hart.state.x[0, index]) & WORD


def signed(value: int, bits: int = 32) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def low(value: int) -> int:
    return signed(value, 16)


def high(value: int) -> int:
    return signed(value >> 16, 16)


def clip(a: int, least: int, most: int) -> int:
    return least if a <= least else min(a, most)


def half(shift: int) -> int:
    return 1 << shift >> 1


def top(bits: int) -> int:
    """Upper bound of clip to so many bits."""
    return (1 << bits >> 1) - 1 if bits else 0


def leading(a: int) -> int:
    """Bits below the sign bit that equal it."""
    text = f"{a:032b}"
    return len(text) - len(text.lstrip(text[0])) - 1


# a, b, d: rs1, rs2, old rd as patterns; i, j: the immediates in assembly order
Model = Callable[[int, int, int, int, int], int]
MODELS: dict[str, Model] = {
    "cv.abs": lambda a, b, d, i, j: abs(signed(a)),
    "cv.sle": lambda a, b, d, i, j: signed(a) <= signed(b),
    "cv.sleu": lambda a, b, d, i, j: a <= b,
    "cv.min": lambda a, b, d, i, j: min(signed(a), signed(b)),
    "cv.minu": lambda a, b, d, i, j: min(a, b),
    "cv.max": lambda a, b, d, i, j: max(signed(a), signed(b)),
    "cv.maxu": lambda a, b, d, i, j: max(a, b),
    "cv.exths": lambda a, b, d, i, j: low(a),
    "cv.exthz": lambda a, b, d, i, j: a & 0xFFFF,
    "cv.extbs": lambda a, b, d, i, j: signed(a, 8),
    "cv.extbz": lambda a, b, d, i, j: a & 0xFF,
    "cv.clip": lambda a, b, d, i, j: clip(signed(a), -top(i) - 1, top(i)),
    "cv.clipu": lambda a, b, d, i, j: clip(signed(a), 0, top(i)),
    "cv.clipr": lambda a, b, d, i, j: clip(signed(a), -signed(b) - 1, signed(b)),
    "cv.clipur": lambda a, b, d, i, j: clip(signed(a), 0, signed(b)),
    "cv.addn": lambda a, b, d, i, j: signed(a + b) >> i,
    "cv.addun": lambda a, b, d, i, j: (a + b & WORD) >> i,
    "cv.addrn": lambda a, b, d, i, j: signed(a + b + half(i)) >> i,
    "cv.addurn": lambda a, b, d, i, j: (a + b + half(i) & WORD) >> i,
    "cv.subn": lambda a, b, d, i, j: signed(a - b) >> i,
    "cv.subun": lambda a, b, d, i, j: (a - b & WORD) >> i,
    "cv.subrn": lambda a, b, d, i, j: signed(a - b + half(i)) >> i,
    "cv.suburn": lambda a, b, d, i, j: (a - b + half(i) & WORD) >> i,
    "cv.mac": lambda a, b, d, i, j: d + a * b,
    "cv.msu": lambda a, b, d, i, j: d - a * b,
    "cv.mulsn": lambda a, b, d, i, j: low(a) * low(b) >> i,
    "cv.mulun": lambda a, b, d, i, j: (a & 0xFFFF) * (b & 0xFFFF) >> i,
    "cv.mulhhsn": lambda a, b, d, i, j: high(a) * high(b) >> i,
    "cv.mulhhun": lambda a, b, d, i, j: (a >> 16) * (b >> 16) >> i,
    "cv.macsn": lambda a, b, d, i, j: signed(low(a) * low(b) + d) >> i,
    "cv.macun": lambda a, b, d, i, j: ((a & 0xFFFF) * (b & 0xFFFF) + d & WORD) >> i,
    "cv.machhsn": lambda a, b, d, i, j: signed(high(a) * high(b) + d) >> i,
    "cv.machhun": lambda a, b, d, i, j: ((a >> 16) * (b >> 16) + d & WORD) >> i,
    "cv.extract": lambda a, b, d, i, j: signed(a >> j, i + 1),
    "cv.extractu": lambda a, b, d, i, j: a >> j & (2 << i) - 1,
    "cv.insert": lambda a, b, d, i, j: d & ~((2 << i) - 1 << j) | (a & (2 << i) - 1) << j,
    "cv.bclr": lambda a, b, d, i, j: a & ~((2 << i) - 1 << j),
    "cv.bset": lambda a, b, d, i, j: a | (2 << i) - 1 << j,
    "cv.ror": lambda a, b, d, i, j: a >> (b & 31) | a << 32 - (b & 31),
    "cv.ff1": lambda a, b, d, i, j: (a & -a).bit_length() - 1 if a else 32,
    "cv.fl1": lambda a, b, d, i, j: a.bit_length() - 1 if a else 32,
    "cv.clb": lambda a, b, d, i, j: leading(a) if a else 0,
    "cv.cnt": lambda a, b, d, i, j: a.bit_count(),
    "cv.add.h": lambda a, b, d, i, j: (a + b & 0xFFFF) | (a >> 16) + (b >> 16) << 16,
    "cv.sub.h": lambda a, b, d, i, j: (a - b & 0xFFFF) | (a >> 16) - (b >> 16) << 16,
    "cv.pack": lambda a, b, d, i, j: a << 16 | b & 0xFFFF,
    "cv.pack.h": lambda a, b, d, i, j: a >> 16 << 16 | b >> 16,
    "cv.extract.h": lambda a, b, d, i, j: high(a) if i else low(a),
    "cv.extractu.h": lambda a, b, d, i, j: a >> 16 if i else a & 0xFFFF,
    "cv.insert.h": lambda a, b, d, i, j: (
        d & 0xFFFF | a << 16 if i else d & ~0xFFFF | a & 0xFFFF
    ),
}  # fmt: skip


def test_the_table_is_complete() -> None:
    extensions = {"Xcvalu", "Xcvmac", "Xcvbitmanip", "Xcvsimd"}
    assert {n for n, row in INSTRUCTIONS.items() if row.extension in extensions} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_against_the_manual(name: str) -> None:
    rng = random.Random(name)
    fields = INSTRUCTIONS[name].layout.fields
    for _ in range(25):
        a, b, d = (rng.choice((*EDGES, rng.getrandbits(32))) for _ in range(3))
        operands = {"rd": 10, "rs1": 11, "rs2": 12, "imm": rng.randint(0, 31), "count": 0}
        if name.startswith("cv.extract") or "count" in fields:
            operands["count"] = rng.randint(0, 31 - operands["imm"])
        if name.endswith(".h"):
            operands["imm"] = rng.randint(0, 1)
        used = {key: value for key, value in operands.items() if key in fields}
        hart = execute(name, used, {10: d, 11: a, 12: b})
        expected = int(MODELS[name](a, b, d, operands["imm"], operands["count"])) & WORD
        assert register(hart, 10) == expected, [hex(v) for v in (a, b, d)]


MEMORY = [name for name, row in INSTRUCTIONS.items() if row.extension == "Xcvmem"]


@pytest.mark.parametrize("step", [-4, 3])
@pytest.mark.parametrize("name", MEMORY)
def test_memory_accesses(name: str, step: int) -> None:
    """Post-increment forms access the old address; register-indexed ones leave the base alone."""
    row = INSTRUCTIONS[name]
    kind = row.mnemonic.removeprefix("cv.")
    size = {"b": 1, "h": 2, "w": 4}[kind[1]]
    indexed = name.endswith(".rr")
    address = DATA + 16 + (step if indexed else 0)
    data = bytes(range(0x71, 0xB1))
    operands = {"rd": 10, "rs1": 5, "rs2": 10, "rs3": 6, "imm": step}
    if row.klass == "load" and "imm" not in row.layout.fields:
        operands["rs2"] = 6
    used = {key: value for key, value in operands.items() if key in row.layout.fields}
    hart = execute(name, used, {5: DATA + 16, 6: step, 10: 0x9A8B7C6D}, data)
    assert register(hart, 5) == DATA + 16 + (0 if indexed else step)
    if row.klass == "load":
        bits = int.from_bytes(data[address - DATA :][:size], "little")
        expected = bits if kind.endswith("u") else signed(bits, 8 * size) & WORD
        assert register(hart, 10) == expected
    else:
        stored = (0x9A8B7C6D).to_bytes(4, "little")[:size]
        at = address - DATA
        assert hart.read(DATA, 64) == data[:at] + stored + data[at + size :]
