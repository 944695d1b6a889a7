"""Custom instructions and timing of the core: packed BF16, hardware loops, post-increment."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.isa_sim.baremetal.elf import Image, Segment
from softex_mlir.isa_sim.baremetal.run import BareMetal
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.interpreter import complete_access, run_core
from softex_mlir.isa_sim.isa.encoding import encode

BASE = 0x80000000
DATA = 0x80001000
Word = tuple[str, dict[str, int]]
EBREAK: Word = ("ebreak", {})


def ins(name: str, **operands: int) -> Word:
    return name, operands


def load(*code: Word, data: bytes = b"", **registers: int) -> BareMetal:
    """A hart with the code, ``data`` at DATA, and x or f registers set by name (x5=..., f2=...)."""
    image = b"".join(encode(n, o).to_bytes(4, "little") for n, o in (*code, EBREAK))
    data = data or bytes(64)
    hart = BareMetal(
        "test",
        image=Image(BASE, [Segment(BASE, image, len(image)), Segment(DATA, data, len(data))]),
    )
    for name, value in registers.items():
        if name[0] == "x":
            hart.state.x[0, int(name[1:])] = np.uint32(value & 0xFFFFFFFF).astype(np.int32)
        else:
            hart.state.f[0, int(name[1:])] = value
    return hart


def run(*code: Word, data: bytes = b"", **registers: int) -> BareMetal:
    hart = load(*code, data=data, **registers)
    result = hart.run(100_000)
    assert "breakpoint" in result.reason, result.reason
    return hart


def x(hart: BareMetal, index: int) -> int:
    return int(hart.state.x[0, index])


def f(hart: BareMetal, index: int) -> int:
    return int(hart.state.f[0, index])


def cycles(*code: Word, data: bytes = b"", **registers: int) -> int:
    """Cycles from the first instruction to the ebreak."""
    hart = run(*code, data=data, **registers)
    return int(hart.state.s[0, st.CYCLE])


def bf16(bits: int) -> np.ndarray:
    return np.array([bits], np.uint16).view(ml_dtypes.bfloat16)


def pairs(count: int) -> list[tuple[int, int, int]]:
    """Register triples of two ordinary bfloat16 each."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(count, 3, 2)).astype(ml_dtypes.bfloat16).view(np.uint16)
    words = values[..., 0].astype(int) | values[..., 1].astype(int) << 16
    return [(a, b, c) for a, b, c in words.tolist()]


def lanes(register: int) -> np.ndarray:
    return np.array([register & 0xFFFF, register >> 16], np.uint16).view(ml_dtypes.bfloat16)


@pytest.mark.parametrize("replicated", [False, True])
@pytest.mark.parametrize(
    ("name", "function"),
    [("vfadd", np.add), ("vfsub", np.subtract), ("vfmul", np.multiply), ("vfdiv", np.divide),
     ("vfmin", np.minimum), ("vfmax", np.maximum), ("vfsgnj", np.copysign)],
)  # fmt: skip
def test_packed_arithmetic(name: str, function: np.ufunc, replicated: bool) -> None:
    """One rounding of the exact result a lane; float32 holds bfloat16 results closely enough."""
    suffix = ".r.ah" if replicated else ".ah"
    for a, b, _ in pairs(20):
        hart = run(ins(name + suffix, rd=3, rs1=1, rs2=2), f1=a, f2=b)
        right = lanes(b)[[0, 0]] if replicated else lanes(b)
        wide = function(lanes(a).astype(np.float64), right.astype(np.float64))
        assert np.array_equal(lanes(f(hart, 3)), wide.astype(ml_dtypes.bfloat16))


def test_packed_multiply_accumulate_rounds_once() -> None:
    for a, b, c in pairs(50):
        hart = run(ins("vfmac.ah", rd=3, rs1=1, rs2=2), f1=a, f2=b, f3=c)
        wide = lanes(a).astype(np.float64) * lanes(b).astype(np.float64)
        wide += lanes(c).astype(np.float64)
        assert np.array_equal(lanes(f(hart, 3)), wide.astype(ml_dtypes.bfloat16))
    hart = run(ins("vfmac.r.ah", rd=3, rs1=1, rs2=2), f1=0x40003F80, f2=0x7F804040, f3=0)
    assert lanes(f(hart, 3)).tolist() == [3.0, 6.0]


@pytest.mark.parametrize("replicated", [False, True])
@pytest.mark.parametrize(
    ("name", "function"),
    [("vfeq", np.equal), ("vfne", np.not_equal), ("vflt", np.less), ("vfle", np.less_equal),
     ("vfgt", np.greater), ("vfge", np.greater_equal)],
)  # fmt: skip
def test_packed_comparisons_set_a_bit_a_lane(
    name: str, function: np.ufunc, replicated: bool
) -> None:
    """Lanes that are equal, below and above those of the other operand, in every combination."""
    suffix = ".r.ah" if replicated else ".ah"
    for a, b in itertools.product((0x3F803F80, 0x40003F80, 0x3F804000, 0xBF804000), repeat=2):
        hart = run(ins(name + suffix, rd=5, rs1=1, rs2=2), f1=a, f2=b)
        low, high = function(lanes(a), lanes(b)[[0, 0]] if replicated else lanes(b))
        assert x(hart, 5) == int(low) + 2 * int(high)


@pytest.mark.parametrize("replicated", [False, True])
def test_packed_sign_injection(replicated: bool) -> None:
    suffix = ".r.ah" if replicated else ".ah"
    a, b = 0x3F80C000, 0xBF803F80  # 1, -2 and -1, 1
    assert f(run(ins("vfsgnjn" + suffix, rd=3, rs1=1, rs2=2), f1=a, f2=b), 3) == (
        0xBF80C000 if replicated else 0x3F80C000
    )
    assert f(run(ins("vfsgnjx" + suffix, rd=3, rs1=1, rs2=2), f1=a, f2=b), 3) == (
        0x3F80C000 if replicated else 0xBF80C000
    )


def test_packing_and_dot_product() -> None:
    one_third = int(np.float32(1 / 3).view(np.uint32))
    hart = run(ins("vfcpka.ah.s", rd=3, rs1=1, rs2=2), f1=one_third, f2=0xBF800000)
    assert f(hart, 3) == 0xBF803EAB
    a, b, _ = pairs(1)[0]
    hart = run(ins("vfdotpex.s.ah", rd=3, rs1=1, rs2=2), f1=a, f2=b, f3=0x3F800000)
    left, right = lanes(a).astype(np.float64), lanes(b).astype(np.float64)
    first = np.float32(1.0 + left[0] * right[0])
    assert f(hart, 3) == int(np.float32(first + left[1] * right[1]).view(np.uint32))
    hart = run(ins("vfdotpex.s.r.ah", rd=3, rs1=1, rs2=2), f1=a, f2=b, f3=0x3F800000)
    assert f(hart, 3) == int(np.float32(first + left[1] * right[0]).view(np.uint32))


def test_scalar_bfloat16_is_boxed() -> None:
    hart = run(ins("fadd.ah", rd=3, rs1=1, rs2=2), f1=0xFFFF3F80, f2=0xFFFF4000)
    assert f(hart, 3) == 0xFFFF4040
    hart = run(ins("fadd.ah", rd=3, rs1=1, rs2=2), f1=0x3F80, f2=0xFFFF4000)
    assert f(hart, 3) == 0xFFFF7FC0  # not boxed: reads as NaN
    hart = run(ins("fcvt.bf16.s", rd=3, rs1=1), f1=0x3F808000)
    assert f(hart, 3) == 0xFFFF3F80  # ties to even
    hart = run(ins("fcvt.s.bf16", rd=3, rs1=1), f1=0xFFFFC000)
    assert f(hart, 3) == 0xC0000000
    hart = run(ins("fcvt.w.ah", rd=5, rs1=1), f1=0xFFFFC040)
    assert x(hart, 5) == -3
    hart = run(ins("fmv.x.h", rd=5, rs1=1), f1=0xFFFFC040)
    assert x(hart, 5) == 0xC040 - 0x10000
    hart = run(ins("fmacex.s.ah", rd=3, rs1=1, rs2=2), f1=0xFFFF4000, f2=0xFFFF4040, f3=0x3F800000)
    assert f(hart, 3) == 0x40E00000
    hart = run(ins("flh", rd=3, rs1=5, imm=2), data=bytes.fromhex("00008040"), x5=DATA)
    assert f(hart, 3) == 0xFFFF4080


def test_moves_of_halves_and_extremes() -> None:
    hart = run(
        ins("fmv.h.x", rd=1, rs1=10),
        ins("fsh", rs2=1, rs1=31, imm=2),
        ins("fmv.x.h", rd=11, rs1=1),
        ins("fmv.x.w", rd=12, rs1=1),
        ins("fmin.s", rd=2, rs1=3, rs2=4),
        ins("fmax.s", rd=5, rs1=3, rs2=4),
        x10=0x12344321, x31=DATA, f3=0xBF800000, f4=0x40000000,
    )  # fmt: skip
    assert hart.read(DATA, 8) == bytes.fromhex("0000214300000000")
    assert x(hart, 11) == 0x4321
    assert x(hart, 12) & 0xFFFFFFFF == f(hart, 1) == 0xFFFF4321
    assert (f(hart, 2), f(hart, 5)) == (0xBF800000, 0x40000000)


def test_post_increment() -> None:
    data = np.arange(1, 9, dtype=np.int32).tobytes()
    hart = run(
        ins("cv.lw", rd=6, rs1=5, imm=8),
        ins("cv.lw.rr_inc", rd=7, rs1=5, rs2=10),
        ins("cv.lw.rr", rd=8, rs1=5, rs2=10),
        ins("cv.sw", rs2=6, rs1=5, imm=-4),
        ins("cv.sh.rr_inc", rs2=7, rs1=5, rs3=10),
        ins("cv.sb.rr", rs2=8, rs1=5, rs3=10),
        data=data, x5=DATA, x10=4,
    )  # fmt: skip
    assert [x(hart, i) for i in (6, 7, 8)] == [1, 3, 5]
    assert x(hart, 5) & 0xFFFFFFFF == DATA + 12
    memory = np.frombuffer(hart.read(DATA, 32), np.int32)
    assert memory.tolist() == [1, 2, 3, 1, 5, 6, 7, 8]


def test_hardware_loops_nest() -> None:
    hart = run(
        ins("cv.setupi", loop=1, count=5, imm=28),
        ins("addi", rd=5, rs1=5, imm=1),
        ins("cv.setup", loop=0, rs1=10, imm=16),
        ins("addi", rd=6, rs1=6, imm=1),
        ins("addi", rd=7, rs1=7, imm=2),
        ins("addi", rd=8, rs1=8, imm=3),
        ins("addi", rd=9, rs1=9, imm=4),
        x10=7,
    )  # fmt: skip
    assert [x(hart, i) for i in (5, 6, 7, 8, 9)] == [5, 35, 70, 105, 20]


@pytest.mark.parametrize("form", ["immediate", "register"])
def test_hardware_loop_registers_one_by_one(form: str) -> None:
    body = [ins("addi", rd=6, rs1=6, imm=1)] * 3
    if form == "immediate":
        setup = [ins("cv.starti", loop=0, imm=12), ins("cv.endi", loop=0, imm=20),
                 ins("cv.counti", loop=0, count=4)]  # fmt: skip
    else:
        setup = [ins("cv.start", loop=0, rs1=5), ins("cv.end", loop=0, rs1=7),
                 ins("cv.count", loop=0, rs1=8)]  # fmt: skip
    hart = run(*setup, *body, x5=BASE + 12, x7=BASE + 24, x8=4)
    assert x(hart, 6) == 12


def test_hardware_loop_costs_nothing() -> None:
    body = [ins("addi", rd=6, rs1=6, imm=1)] * 3
    once = cycles(ins("cv.setupi", loop=0, count=1, imm=16), *body)
    assert once == 4
    assert cycles(ins("cv.setupi", loop=0, count=100, imm=16), *body) == 1 + 300


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ([ins("addi", rd=5, rs1=5, imm=1)] * 4, 4),
        ([ins("lw", rd=6, rs1=31, imm=0), ins("addi", rd=7, rs1=7, imm=1)], 2),
        ([ins("lw", rd=6, rs1=31, imm=0), ins("addi", rd=7, rs1=6, imm=1)], 3),
        ([ins("lw", rd=6, rs1=31, imm=2)], 2),
        ([ins("lh", rd=6, rs1=31, imm=2)], 1),
        ([ins("beq", rs1=0, rs2=0, imm=4)], 3),
        ([ins("bne", rs1=0, rs2=0, imm=4)], 1),
        ([ins("jal", rd=1, imm=4)], 2),
        ([ins("mul", rd=6, rs1=5, rs2=5)], 1),
        ([ins("mulh", rd=6, rs1=5, rs2=5)], 5),
        ([ins("div", rd=6, rs1=5, rs2=0)], 35),
        ([ins("divu", rd=6, rs1=5, rs2=31)], 3),
        ([ins("fadd.s", rd=1, rs1=2, rs2=3), ins("fadd.s", rd=4, rs1=1, rs2=3)], 3),
        ([ins("fadd.s", rd=1, rs1=2, rs2=3), ins("fadd.s", rd=4, rs1=2, rs2=3)], 2),
        ([ins("feq.s", rd=5, rs1=2, rs2=3), ins("addi", rd=5, rs1=5, imm=1)], 3),
        ([ins("fdiv.s", rd=1, rs1=2, rs2=3)], 14),
        ([ins("csrrs", rd=5, csr=0x001, rs1=0)], 1),
        ([ins("csrrs", rd=5, csr=0x341, rs1=0)], 4),
        ([ins("auipc", rd=5, imm=0), ins("jalr", rd=1, rs1=5, imm=8)], 4),
        ([ins("auipc", rd=5, imm=0), ins("addi", rd=6, rs1=0, imm=0),
          ins("jalr", rd=1, rs1=5, imm=12)], 4),
    ],
)  # fmt: skip
def test_cycles(code: list[Word], expected: int) -> None:
    assert cycles(*code, x31=DATA) == expected


def test_integer_extensions() -> None:
    cases: list[tuple[str, dict[str, int], int]] = [
        ("cv.min", {"rs2": 11}, -5), ("cv.maxu", {"rs2": 11}, -5), ("cv.abs", {}, 5),
        ("cv.exthz", {}, 0xFFFB), ("cv.extbz", {}, 0xFB), ("cv.exths", {}, -5),
        ("cv.clip", {"imm": 3}, -4), ("cv.clipu", {"imm": 3}, 0), ("cv.sleu", {"rs2": 11}, 0),
        ("cv.cnt", {}, 31), ("cv.ff1", {}, 0), ("cv.fl1", {}, 31), ("cv.clb", {}, 28),
        ("cv.pack", {"rs2": 11}, -0x50000 + 3), ("cv.addn", {"rs2": 11, "imm": 1}, -1),
        ("cv.extractu", {"imm": 3, "count": 4}, 15), ("cv.ror", {"rs2": 11}, 0x7FFFFFFF),
    ]  # fmt: skip
    for name, operands, expected in cases:
        hart = run((name, {"rd": 6, "rs1": 10, **operands}), x10=-5, x11=3)
        assert x(hart, 6) == expected, name
    hart = run(ins("cv.mac", rd=6, rs1=10, rs2=11), x6=100, x10=-5, x11=3)
    assert x(hart, 6) == 85


def test_peripheral_accesses_wait_for_their_caller() -> None:
    """Outside the fast memories a load stops before it is performed, with pc already advanced."""
    hart = load(ins("lh", rd=6, rs1=5, imm=4), ins("cv.elw", rd=7, rs1=5, imm=8), x5=0x10200000)
    config = hart.state.config
    config[st.MACHINE_MODE] = 0
    row = hart.state.s[0]

    def step() -> int:
        while True:
            status = run_core(hart.state, hart.program, hart.tcdm, hart.memory, None, 0, 1 << 40)
            if status != st.DECODE:
                return status
            assert hart.program.decode_at(int(row[st.PC]), hart.memory)

    assert step() == st.ACCESS
    assert row[st.REQUEST_ADDRESS] == 0x10200004
    assert row[st.REQUEST_KIND] == st.KIND_LOAD
    assert row[st.PC] == BASE + 4
    assert row[st.CYCLE] == 0
    complete_access(hart.state, 0, 0xFFFF8001, 4)
    assert step() == st.ACCESS
    assert x(hart, 6) == 0x8001 - 0x10000
    assert (row[st.REQUEST_KIND], row[st.CYCLE]) == (st.KIND_EVENT, 4)
    complete_access(hart.state, 0, 5, 10)
    assert step() == st.STOPPED
    assert x(hart, 7) == 5


def test_a_full_access_log_costs_no_cycles() -> None:
    accesses = [ins("sw", rs2=6, rs1=31, imm=0), ins("lw", rd=6, rs1=31, imm=0)] * 5
    expected = cycles(*accesses, x31=DATA)
    hart = load(*accesses, x31=DATA)
    log = np.zeros((1, 3, 5), np.int64)
    row = hart.state.s[0]
    seen: list[int] = []
    while True:
        status = run_core(hart.state, hart.program, hart.tcdm, hart.memory, log, 0, 1 << 40)
        seen += log[0, : row[st.LOG_USED], 3].tolist()
        row[st.LOG_USED] = 0
        if status == st.DECODE:
            assert hart.program.decode_at(int(row[st.PC]), hart.memory)
        elif status != st.LOG_FULL:
            break
    assert status == st.STOPPED
    assert seen == [1, 0] * 5
    assert row[st.CYCLE] == expected
