"""Every scalar bfloat16 instruction against binary64 arithmetic of its operands."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.isa_sim.baremetal.elf import Image, Segment
from softex_mlir.isa_sim.baremetal.run import BareMetal
from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, encode

BASE, BOX, WORD = 0x80000000, 0xFFFF0000, 0xFFFFFFFF


def execute(name: str, floats: list[int], source: int = 0) -> BareMetal:
    """rd is register 10; rs1, rs2, rs3 are f1, f2, f3 (or x5), and f10 is f3 as well."""
    operands = {"rd": 10, "rs1": 1, "rs2": 2, "rs3": 3}
    row = INSTRUCTIONS[name]
    used = {key: value for key, value in operands.items() if key in row.layout.fields}
    if "rs1" not in row.float_operands:
        used["rs1"] = 5
    words = encode(name, used), encode("ebreak", {})
    image = b"".join(word.to_bytes(4, "little") for word in words)
    hart = BareMetal("test", image=Image(BASE, [Segment(BASE, image, len(image))]))
    hart.state.f[0, 1:4] = floats
    hart.state.f[0, 10] = floats[2]
    hart.state.x[0, 5] = source
    assert "breakpoint" in hart.run(10).reason
    return hart


def values(bits: int) -> float:
    return float(np.uint32((bits & 0xFFFF) << 16).view(np.float32))


def half(value: float) -> int:
    return BOX | int(np.array(value).astype(ml_dtypes.bfloat16).view(np.uint16))


def single(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def operands() -> list[list[int]]:
    """Boxed operands of either sign and similar size, some equal."""
    rng = np.random.default_rng(5)
    table = rng.normal(scale=4, size=(40, 3)).astype(ml_dtypes.bfloat16)
    table[::8, 1] = table[::8, 0]
    return (table.view(np.uint16).astype(np.int64) | BOX).tolist()


ARITHMETIC: dict[str, Callable[[float, float, float], float]] = {
    "fadd.ah": lambda a, b, c: a + b,
    "fsub.ah": lambda a, b, c: a - b,
    "fmul.ah": lambda a, b, c: a * b,
    "fdiv.ah": lambda a, b, c: a / b,
    "fmin.ah": lambda a, b, c: min(a, b),
    "fmax.ah": lambda a, b, c: max(a, b),
    "fmadd.ah": lambda a, b, c: a * b + c,
    "fmsub.ah": lambda a, b, c: a * b - c,
    "fnmsub.ah": lambda a, b, c: -(a * b) + c,
    "fnmadd.ah": lambda a, b, c: -(a * b) - c,
    "fsgnj.ah": lambda a, b, c: float(np.copysign(a, b)),
    "fsgnjn.ah": lambda a, b, c: float(np.copysign(a, -b)),
    "fsgnjx.ah": lambda a, b, c: a * float(np.sign(b)),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic(name: str) -> None:
    for row in operands():
        result = int(execute(name, row).state.f[0, 10])
        assert result == half(ARITHMETIC[name](*map(values, row))), list(map(hex, row))


@pytest.mark.parametrize("name", ["fmulex.s.ah", "fmacex.s.ah"])
def test_widening_products(name: str) -> None:
    for row in operands():
        row[2] = single(values(row[2]) / 3)
        a, b, _ = map(values, row)
        c = float(np.uint32(row[2]).view(np.float32)) if "mac" in name else 0.0
        assert int(execute(name, row).state.f[0, 10]) == single(a * b + c)


def test_square_roots() -> None:
    for row in operands():
        row[0] &= ~0x8000
        assert int(execute("fsqrt.ah", row).state.f[0, 10]) == half(values(row[0]) ** 0.5)
        both = row[0] & 0xFFFF | row[0] << 16 & WORD
        packed = int(execute("vfsqrt.ah", [both, 0, 0]).state.f[0, 10])
        assert packed & 0xFFFF == packed >> 16 == half(values(row[0]) ** 0.5) & 0xFFFF


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("feq.ah", lambda a, b: a == b),
        ("flt.ah", lambda a, b: a < b),
        ("fle.ah", lambda a, b: a <= b),
    ],
)
def test_comparisons(name: str, holds: Callable[[float, float], bool]) -> None:
    for row in operands():
        assert int(execute(name, row).state.x[0, 10]) == holds(values(row[0]), values(row[1]))


def test_conversions_and_moves() -> None:
    for row in operands():
        a = values(row[0])
        assert int(execute("fcvt.w.ah", row).state.x[0, 10]) == round(a)
        assert int(execute("fcvt.wu.ah", row).state.x[0, 10]) == max(round(a), 0)
        moved = int(execute("fmv.x.ah", row).state.x[0, 10])
        assert moved & WORD == row[0] & 0xFFFF | (BOX if a < 0 else 0)
        narrowed = int(execute("fcvt.ah.s", [single(a / 3), 0, 0]).state.f[0, 10])
        assert narrowed == half(float(np.float32(a / 3)))
        assert int(execute("fcvt.s.bf16", row).state.f[0, 10]) == row[0] << 16 & WORD
    for integer in (0, 1, -1, 257, -(2**31), 2**31 - 1):
        assert int(execute("fcvt.ah.w", [0] * 3, integer).state.f[0, 10]) == half(integer)
        unsigned = execute("fcvt.ah.wu", [0] * 3, integer).state.f[0, 10]
        assert int(unsigned) == half(integer & WORD)
        assert int(execute("fmv.ah.x", [0] * 3, integer).state.f[0, 10]) == BOX | integer & 0xFFFF


@pytest.mark.parametrize(
    ("bits", "bit"),
    [(0xFF80, 0), (0xC000, 1), (0x8001, 2), (0x8000, 3), (0, 4), (1, 5), (0x4000, 6), (0x7F80, 7),
     (0x7F81, 8), (0x7FC0, 9)],
)  # fmt: skip
def test_classes(bits: int, bit: int) -> None:
    assert int(execute("fclass.ah", [BOX | bits, 0, 0]).state.x[0, 10]) == 1 << bit
