"""Control flow, control registers and traps, one instruction at a time, with our own encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from softex_mlir.isa_sim.baremetal.elf import Image, Segment
from softex_mlir.isa_sim.baremetal.run import BareMetal
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, encode

BASE = 0x80000000
DATA = 0x80002000
SIGNATURE = 0x80003000
WORD = 0xFFFFFFFF
EDGES = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF)
Word = tuple[str, dict[str, int]]


def ins(name: str, **operands: int) -> Word:
    return name, operands


def run(*code: Word, data: bytes = bytes(64), **registers: int) -> BareMetal:
    """Run to the ebreak that is put behind the code; x registers by name."""
    image = b"".join(
        encode(name, operands).to_bytes(INSTRUCTIONS[name].length, "little")
        for name, operands in (*code, ins("ebreak"))
    )
    segments = [
        Segment(BASE, image, len(image)),
        Segment(DATA, data, len(data)),
        Segment(SIGNATURE, b"", 256),
    ]
    hart = BareMetal("test", image=Image(BASE, segments))
    for name, value in registers.items():
        hart.state.x[0, int(name[1:])] = (value & WORD ^ 1 << 31) - (1 << 31)
    result = hart.run(10_000)
    assert "breakpoint at" in result.reason, result.reason
    return hart


def x(hart: BareMetal, index: int) -> int:
    return int(hart.state.x[0, index]) & WORD


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


BRANCHES: dict[str, Callable[[int, int], bool]] = {
    "beq": lambda a, b: a == b,
    "bne": lambda a, b: a != b,
    "blt": lambda a, b: signed(a) < signed(b),
    "bge": lambda a, b: signed(a) >= signed(b),
    "bltu": lambda a, b: a < b,
    "bgeu": lambda a, b: a >= b,
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches(name: str) -> None:
    body = [ins(name, rs1=11, rs2=12, imm=8), ins("addi", rd=10, rs1=0, imm=1)]
    for a in EDGES:
        for b in EDGES:
            assert (x(run(*body, x11=a, x12=b), 10) == 0) == BRANCHES[name](a, b), (a, b)


@pytest.mark.parametrize(("name", "taken"), [("cv.beqimm", 3), ("cv.bneimm", -3)])
def test_branches_on_immediates(name: str, taken: int) -> None:
    body = [ins(name, rs1=11, count=3, imm=8), ins("addi", rd=10, rs1=0, imm=1)]
    for value in (3, -3):
        assert (x(run(*body, x11=value), 10) == 0) == (value == taken)


def test_branches_backwards() -> None:
    hart = run(
        ins("addi", rd=10, rs1=10, imm=1),
        ins("addi", rd=11, rs1=11, imm=-1),
        ins("bne", rs1=11, rs2=0, imm=-8),
        x11=5,
    )
    assert x(hart, 10) == 5


@pytest.mark.parametrize(
    ("jump", "link"),
    [
        (ins("jal", rd=1, imm=8), BASE + 4),
        (ins("jalr", rd=1, rs1=5, imm=-4), BASE + 4),
        (ins("c.jal", imm=6), BASE + 2),
        (ins("c.j", imm=6), 0),
        (ins("c.jalr", rs1=5), BASE + 2),
        (ins("c.jr", rs1=5), 0),
    ],
)
def test_jumps(jump: Word, link: int) -> None:
    """Over one instruction; jalr clears the lowest bit of its target."""
    length = INSTRUCTIONS[jump[0]].length
    target = BASE + length + 4 + (4 if jump[0] == "jalr" else 0)
    hart = run(jump, ins("addi", rd=10, rs1=0, imm=1), x5=target | 1)
    assert x(hart, 10) == 0
    assert x(hart, 1) == link


@pytest.mark.parametrize(("name", "taken"), [("c.beqz", 0), ("c.bnez", 7)])
def test_compressed_branches(name: str, taken: int) -> None:
    body = [ins(name, rs1=9, imm=4), ins("c.li", rd=10, imm=1)]
    for value in (0, 7):
        assert (x(run(*body, x9=value), 10) == 0) == (value == taken)


def test_compressed_accesses() -> None:
    data = bytes(range(1, 65))
    hart = run(
        ins("c.lwsp", rd=10, imm=8),
        ins("c.swsp", rs2=10, imm=16),
        ins("c.lw", rd=11, imm=16, rs1=9),
        ins("c.sw", rs2=11, imm=20, rs1=9),
        ins("c.flw", rd=8, imm=20, rs1=9),
        ins("c.fsw", rs2=8, imm=24, rs1=9),
        ins("c.flwsp", rd=2, imm=24),
        ins("c.fswsp", rs2=2, imm=28),
        ins("c.addi16sp", imm=-64),
        ins("c.addi4spn", rd=12, imm=12),
        data=data, x2=DATA, x9=DATA,
    )  # fmt: skip
    assert hart.read(DATA + 16, 16) == data[8:12] * 4
    assert x(hart, 2) == DATA - 64
    assert x(hart, 12) == DATA - 52


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lb", 0xFFFFFF80), ("lbu", 0x80), ("lh", 0xFFFF8180), ("lhu", 0x8180), ("lw", 0x83828180)],
)
def test_loads_at_every_alignment(name: str, expected: int) -> None:
    for shift in range(4):
        data = bytes(shift) + bytes(range(0x80, 0x90))
        assert x(run(ins(name, rd=10, rs1=5, imm=shift), data=data, x5=DATA), 10) == expected


@pytest.mark.parametrize(("name", "size"), [("sb", 1), ("sh", 2), ("sw", 4)])
def test_stores_at_every_alignment(name: str, size: int) -> None:
    for shift in range(4):
        hart = run(ins(name, rs2=6, rs1=5, imm=shift), x5=DATA, x6=0x83828180)
        stored = bytes(range(0x80, 0x80 + size))
        assert hart.read(DATA, 8) == (bytes(shift) + stored).ljust(8, b"\0")


def test_compressed_breakpoint() -> None:
    assert int(run(ins("c.nop", imm=0), ins("c.ebreak")).state.s[0, st.FAULT_PC]) == BASE + 2


def test_upper_immediates() -> None:
    hart = run(
        ins("lui", rd=10, imm=0x80001),
        ins("auipc", rd=11, imm=0xFFFFF),
        ins("c.lui", rd=12, imm=-1),
    )
    assert [x(hart, i) for i in (10, 11, 12)] == [0x80001000, BASE + 4 - 0x1000, 0xFFFFF000]


@pytest.mark.parametrize(
    ("name", "operands", "after"),
    [
        ("csrrw", {"rs1": 11}, 0b0110), ("csrrs", {"rs1": 11}, 0b1110), ("csrrc", {"rs1": 11}, 8),
        ("csrrwi", {"imm": 6}, 0b0110), ("csrrsi", {"imm": 6}, 0b1110), ("csrrci", {"imm": 6}, 8),
    ],
)  # fmt: skip
def test_access_to_control_registers(name: str, operands: dict[str, int], after: int) -> None:
    hart = run(
        ins("csrrwi", rd=0, csr=0x340, imm=0b1100),
        (name, {"rd": 10, "csr": 0x340, **operands}),
        ins("csrrs", rd=12, csr=0x340, rs1=0),
        x11=0b0110,
    )
    assert (x(hart, 10), x(hart, 12)) == (0b1100, after)


def traps(*code: Word, **registers: Any) -> list[tuple[int, int, int]]:
    """(cause, pc - first instruction's address, value) of every trap of 4-byte instructions."""
    handler = (
        ins("csrrs", rd=29, csr=0x342, rs1=0), ins("sw", rs2=29, rs1=31, imm=0),
        ins("csrrs", rd=29, csr=0x343, rs1=0), ins("sw", rs2=29, rs1=31, imm=8),
        ins("csrrs", rd=29, csr=0x341, rs1=0), ins("sw", rs2=29, rs1=31, imm=4),
        ins("addi", rd=29, rs1=29, imm=4), ins("csrrw", rd=0, csr=0x341, rs1=29),
        ins("addi", rd=31, rs1=31, imm=12), ins("mret"),
    )  # fmt: skip
    start = 4 * (len(handler) + 2)
    hart = run(
        ins("jal", rd=0, imm=start - 4),
        *handler,
        ins("auipc", rd=30, imm=0),
        ins("addi", rd=30, rs1=30, imm=8 - start),
        ins("csrrw", rd=0, csr=0x305, rs1=30),
        *code,
        ins("csrrw", rd=0, csr=0x305, rs1=0),
        x31=SIGNATURE,
        **registers,
    )
    first = BASE + start + 8
    count = (x(hart, 31) - SIGNATURE) // 12
    words = [int.from_bytes(hart.read(SIGNATURE + 4 * i, 4), "little") for i in range(3 * count)]
    return [(words[i], words[i + 1] - first, words[i + 2]) for i in range(0, 3 * count, 3)]


def test_causes_addresses_and_values_of_traps() -> None:
    read_only = ins("csrrw", rd=0, csr=0xC00, rs1=0)
    absent = ins("csrrs", rd=10, csr=0x3A0, rs1=0)
    assert traps(
        ins("ecall"), ins("ebreak"), read_only, absent,
        ins("lw", rd=10, rs1=5, imm=4), ins("sh", rs2=10, rs1=5, imm=8),
        x5=0x40000000,
    ) == [
        (11, 0, 0), (3, 4, BASE + 60), (2, 8, encode(*read_only)), (2, 12, encode(*absent)),
        (5, 16, 0x40000004), (7, 20, 0x40000008),
    ]  # fmt: skip


def test_floating_point_can_be_turned_off() -> None:
    add, load = ins("fadd.s", rd=1, rs1=1, rs2=1, rm=0), ins("flw", rd=1, rs1=5, imm=0)
    store, flags = ins("fsw", rs2=1, rs1=5, imm=0), ins("csrrs", rd=10, csr=0x001, rs1=0)
    off, on = ins("csrrw", rd=0, csr=0x300, rs1=0), ins("csrrs", rd=0, csr=0x300, rs1=6)
    everything = (add, load, store, flags)
    assert traps(off, *everything, on, *everything, x5=DATA, x6=0x2000) == [
        (2, 4 * index, encode(*instruction)) for index, instruction in enumerate(everything, 1)
    ]


def test_a_faulting_access_changes_nothing() -> None:
    hart_traps = traps(
        ins("cv.lw", rd=10, rs1=5, imm=4), ins("sw", rs2=5, rs1=6, imm=0),
        ins("sw", rs2=10, rs1=6, imm=4), x5=0x40000000, x6=DATA, x10=7,
    )  # fmt: skip
    assert hart_traps == [(5, 0, 0x40000000)]


def test_status_through_a_trap_and_back() -> None:
    """Interrupts enabled before are disabled in the handler and enabled again after it."""
    hart = run(
        ins("csrrsi", rd=0, csr=0x300, imm=8),
        ins("auipc", rd=5, imm=0),
        ins("addi", rd=5, rs1=5, imm=24),
        ins("csrrw", rd=0, csr=0x305, rs1=5),
        ins("ecall"),
        ins("csrrs", rd=11, csr=0x300, rs1=0),
        ins("jal", rd=0, imm=24),
        ins("csrrs", rd=10, csr=0x300, rs1=0),  # the handler
        ins("csrrs", rd=6, csr=0x341, rs1=0),
        ins("addi", rd=6, rs1=6, imm=4),
        ins("csrrw", rd=0, csr=0x341, rs1=6),
        ins("mret"),
        ins("csrrw", rd=0, csr=0x305, rs1=0),
    )
    assert x(hart, 10) & 0x1888 == 0x1880
    assert x(hart, 11) & 0x1888 == 0x1888


def test_counters_can_be_inhibited() -> None:
    hart = run(
        ins("csrrwi", rd=0, csr=0x320, imm=5),
        ins("csrrs", rd=10, csr=0xB00, rs1=0),
        ins("csrrs", rd=11, csr=0xB02, rs1=0),
        ins("csrrs", rd=12, csr=0xB00, rs1=0),
        ins("csrrs", rd=13, csr=0xB02, rs1=0),
        ins("csrrwi", rd=0, csr=0x320, imm=0),
        ins("csrrs", rd=14, csr=0xB02, rs1=0),
    )
    assert x(hart, 10) == x(hart, 12)
    assert x(hart, 11) == x(hart, 13)
    assert 0 < x(hart, 14) - x(hart, 13) <= 2


def test_fence_i_makes_stored_code_visible() -> None:
    replacement = encode("addi", {"rd": 10, "rs1": 10, "imm": 100})
    hart = run(
        ins("addi", rd=10, rs1=10, imm=1),  # replaced after its first execution
        ins("bne", rs1=11, rs2=0, imm=20),
        ins("sw", rs2=6, rs1=5, imm=0),
        ins("fence.i"),
        ins("addi", rd=11, rs1=0, imm=1),
        ins("jal", rd=0, imm=-20),
        ins("fence", pred=15, succ=15),
        x5=BASE, x6=replacement,
    )  # fmt: skip
    assert x(hart, 10) == 101


def test_wait_for_interrupt() -> None:
    """Goes on while an interrupt is enabled, and ends the program while none can come."""
    hart = run(ins("csrrwi", rd=0, csr=0x304, imm=8), ins("wfi"), ins("addi", rd=10, rs1=0, imm=7))
    assert x(hart, 10) == 7
    image = encode("wfi", {}).to_bytes(4, "little")
    result = BareMetal("test", image=Image(BASE, [Segment(BASE, image, 4)])).run(10)
    assert "wait for an interrupt that cannot come" in result.reason
