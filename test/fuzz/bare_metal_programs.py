"""Bare-metal programs of random instructions that mostly run for a while."""

from __future__ import annotations

import random
import struct

from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, encode

_ALL = list(INSTRUCTIONS.values())
_HOST_NUMBERS = (64, 93, 214, 57, 0, 1 << 31)
_SEMIHOSTING = (0x01F01013, 0x00100073, 0x40705013)


def instruction_words(rng: random.Random, base: int, count: int) -> list[int]:
    """Instructions: registers that hold addresses first, then anything."""
    places = (base, base + 0x100, base + 0xFFE, base + 0x1000, 0, 0xFFFFFFFF, 0x90000FFF, 1 << 31)
    words: list[int] = []
    handler = rng.randrange(5)
    if handler:  # traps go on behind the instruction
        words += [
            encode("jal", {"rd": 0, "imm": 20}),
            encode("csrrs", {"rd": 31, "csr": 0x341, "rs1": 0}),
            encode("addi", {"rd": 31, "rs1": 31, "imm": rng.choice((2, 4, 4, 4))}),
            encode("csrrw", {"rd": 0, "csr": 0x341, "rs1": 31}),
            encode("mret", {}),
            *_load(31, base + 4),
            encode("csrrw", {"rd": 0, "csr": 0x305, "rs1": 31}),
        ]
    for register in range(5, 16):
        words += _load(register, rng.choice(places))
    if handler == 1:  # to somewhere in the program
        words.append(encode("csrrw", {"rd": 0, "csr": 0x305, "rs1": rng.randrange(5, 16)}))
    first = len(words)
    while len(words) < first + count:
        words += rng.choice((_any, _any, _any, _memory, _memory, _jump, _ask))(rng, places)
    return words


def _load(register: int, value: int) -> list[int]:
    upper = value + 0x800 >> 12 & 0xFFFFF
    lower = (value + 0x800 & 0xFFF) - 0x800
    return [
        encode("lui", {"rd": register, "imm": upper}),
        encode("addi", {"rd": register, "rs1": register, "imm": lower}),
    ]


def _any(rng: random.Random, places: tuple[int, ...]) -> list[int]:
    del places
    row = rng.choice(_ALL)
    return [rng.getrandbits(8 * row.length) & ~row.mask | row.match]


def _memory(rng: random.Random, places: tuple[int, ...]) -> list[int]:
    del places
    row = rng.choice([row for row in _ALL if row.klass in ("load", "store") and row.length == 4])
    word = rng.getrandbits(32) & ~row.mask | row.match
    return [word & ~(31 << 15) | rng.randrange(5, 16) << 15]


def _jump(rng: random.Random, places: tuple[int, ...]) -> list[int]:
    del places
    far = 2 * rng.randrange(-20, 60)
    names = ("beq", "bne", "bltu", "bge")
    return [encode(rng.choice(names), {"rs1": rng.randrange(32), "rs2": 5, "imm": far})]


def _ask(rng: random.Random, places: tuple[int, ...]) -> list[int]:
    """A request to the host, with any arguments."""
    arguments = [
        word
        for register in (10, 11, 12)
        for word in _load(register, rng.choice((*places, 0, 1, 2, 100, 1 << 27)))
    ]
    if rng.random() < 0.5:
        return [*arguments, *_load(17, rng.choice(_HOST_NUMBERS)), encode("ecall", {})]
    return [*arguments, *_load(10, rng.randrange(0x35)), *_SEMIHOSTING]


def executable(base: int, code: bytes, symbols: dict[str, int]) -> bytes:
    """An ELF32 of one segment of 4 KiB, with symbols."""
    names, table = b"\0", bytes(16)
    for name, value in symbols.items():
        table += struct.pack("<IIIBBH", len(names), value, 0, 0x10, 0, 1)
        names += name.encode() + b"\0"
    at = 52 + 32
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = struct.pack(
        "<HHIIIIIHHHHHH", 2, 243, 1, base, 52, at + len(code) + len(table) + len(names), 0, 52, 32,
        1, 40, 3, 0,
    )  # fmt: skip
    segment = struct.pack("<8I", 1, at, base, base, len(code), 0x1000, 7, 0x1000)
    sections = bytes(40)
    sections += struct.pack("<10I", 0, 2, 0, 0, at + len(code), len(table), 2, 1, 4, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, at + len(code) + len(table), len(names), 0, 0, 1, 0)
    return ident + header + segment + code + table + names + sections
