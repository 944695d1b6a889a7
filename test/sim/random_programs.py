"""Random straight-line programs for comparing cores: every instruction class, any operands."""

from __future__ import annotations

import random

from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, encode

BASE = 0x80000000
DATA = 0x80010000
DATA_BYTES = 4096
EXTENSIONS = ("I", "M", "F", "C")
_POINTER = 31  # holds DATA + 2048 throughout


def random_word(rng: random.Random, names: list[str]) -> tuple[int, int]:
    """A random instruction that stays in line and in bounds, and its length."""
    while True:
        row = INSTRUCTIONS[rng.choice(names)]
        operands: dict[str, int] = {}
        for key, field in row.layout.fields.items():
            value = rng.randint(field.minimum >> field.scale, field.maximum >> field.scale)
            operands[key] = value << field.scale
            if key == "rm":
                operands[key] = rng.choice((0, 1, 2, 3, 4, 7))
            if field.kind == "x" and key == "rd" and operands[key] == _POINTER:
                operands[key] = 30
        if row.klass in ("load", "store"):
            operands["rs1"] = _POINTER
        if any(operands.get(key) == value for key, value in row.excluded):
            continue
        return encode(row.name, operands), row.length


def candidates(extensions: tuple[str, ...] = EXTENSIONS) -> list[str]:
    """Instructions without control flow or side effects beyond registers and data memory."""
    names: list[str] = []
    for name, row in INSTRUCTIONS.items():
        if row.extension not in extensions or row.klass in ("branch", "jump", "system", "csr"):
            continue
        if row.extension == "C" and row.klass in ("load", "store"):
            continue  # their base register is not free
        # fmin and fmax of a signaling NaN changed in F 2.2; QEMU of that age has the old rule
        if name not in ("c.addi16sp", "auipc", "fmin.s", "fmax.s"):
            names.append(name)
    return names


def random_code(seed: int, count: int, extensions: tuple[str, ...] = EXTENSIONS) -> bytes:
    """A program body of ``count`` instructions."""
    rng = random.Random(seed)
    names = candidates(extensions)
    return b"".join(
        word.to_bytes(length, "little")
        for word, length in (random_word(rng, names) for _ in range(count))
    )


def random_state(seed: int) -> tuple[list[int], list[int], bytes]:
    """Integer and floating-point registers and data with many special values."""
    rng = random.Random(seed + 1)
    special = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3F800000, 0x7F800000, 0x7FC00000,
               0x7F800001, 0x00000001, 0x807FFFFF, 0x00800000, 0x4F000000, 0xCF000000)  # fmt: skip

    def value() -> int:
        kind = rng.random()
        if kind < 0.3:
            return rng.choice(special)
        if kind < 0.7:
            return rng.randint(0, 1) << 31 | rng.randint(110, 145) << 23 | rng.getrandbits(23)
        return rng.getrandbits(32)

    x = [0] + [value() for _ in range(30)] + [DATA + 2048]
    return x, [value() for _ in range(32)], rng.randbytes(DATA_BYTES)
