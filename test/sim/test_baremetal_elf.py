"""Bare-metal executables made here byte by byte: endings, signature, memory, broken files."""

from __future__ import annotations

import contextlib
import json
import random
import struct
from pathlib import Path

import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import single_operation
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.baremetal import run as baremetal
from softex_mlir.isa_sim.baremetal.elf import BareMetalError
from softex_mlir.isa_sim.baremetal.run import BareMetal, BareMetalResult, run_elf
from softex_mlir.isa_sim.isa.encoding import encode
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.tools.sim_command import run_bare_metal

BASE = 0x80000000
TOHOST = BASE + 0x1000
Word = tuple[str, dict[str, int]]


def ins(name: str, **operands: int) -> Word:
    return name, operands


def code(*words: Word) -> bytes:
    return b"".join(encode(name, operands).to_bytes(4, "little") for name, operands in words)


def elf(
    segments: list[tuple[int, int, bytes, int]],
    symbols: dict[str, int] | None = None,
    sections: dict[str, int] | None = None,
    machine: int = 243,
    kind: int = 2,
) -> bytes:
    """An ELF32: segments (virtual, physical address, data, bytes in memory), symbols, sections."""
    names, strings, table = b"\0", b"\0", bytes(16)
    for name, value in (symbols or {}).items():
        table += struct.pack("<IIIBBH", len(strings), value, 0, 0x10, 0, 1)
        strings += name.encode() + b"\0"
    headers: list[tuple[str, int, int, bytes, int, int]] = [
        (".symtab", 2, 0, table, 2, 16), (".strtab", 3, 0, strings, 0, 0),
    ]  # fmt: skip
    headers += [(name, 1, address, b"", 0, 0) for name, address in (sections or {}).items()]
    at = 52 + 32 * len(segments)
    body = programs = b""
    for virtual, physical, data, size in segments:
        programs += struct.pack(
            "<8I", 1, at + len(body), virtual, physical, len(data), size, 7, 0x1000
        )
        body += data
    rows = bytes(40)
    headers.append((".shstrtab", 3, 0, b"", 0, 0))
    for name, section, address, data, link, entry in headers:
        if name == ".shstrtab":
            names += b".shstrtab\0"
            data = names
            offset = len(names) - len(b".shstrtab\0")
        else:
            offset = len(names)
            names += name.encode() + b"\0"
        size = len(data)
        rows += struct.pack(
            "<10I", offset, section, 0, address, at + len(body), size, link, 1, 4, entry
        )
        body += data
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = ident + struct.pack(
        "<HHIIIIIHHHHHH", kind, machine, 1, segments[0][0] if segments else 0, 52, at + len(body),
        0, 52, 32, len(segments), 40, len(headers) + 1, len(headers),
    )  # fmt: skip
    return header + programs + body + rows


def tell(value: int) -> bytes:
    """Code at BASE that writes a value to tohost for ever, high word too, as test suites do."""
    return code(
        ins("auipc", rd=5, imm=1),
        ins("addi", rd=6, rs1=0, imm=value),
        ins("sw", rs2=6, rs1=5, imm=0),
        ins("sw", rs2=0, rs1=5, imm=4),
        ins("jal", rd=0, imm=-8),
    )


def run(tmp_path: Path, data: bytes, **options: Path | int) -> BareMetalResult:
    path = tmp_path / "program.elf"
    path.write_bytes(data)
    return run_elf(path, max_instructions=int(options.pop("limit", 10_000)), **options)  # type: ignore[arg-type]


def segment(
    data: bytes, address: int = BASE, size: int | None = None
) -> tuple[int, int, bytes, int]:
    return address, address, data, len(data) if size is None else size


@pytest.mark.parametrize(
    ("value", "exit_code", "reason"),
    [
        (1, 0, "passed"), (11, 5, "failed: tohost reports 5"),
        (16, None, "tohost holds 0x00000010, neither an exit code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stripped", [False, True])
def test_tohost(
    tmp_path: Path, value: int, exit_code: int | None, reason: str, stripped: bool
) -> None:
    names = {"sections": {".tohost": TOHOST}} if stripped else {"symbols": {"tohost": TOHOST}}
    result = run(tmp_path, elf([segment(tell(value)), segment(bytes(8), TOHOST)], **names))  # type: ignore[arg-type]
    assert result.exit_code == exit_code
    assert reason in result.reason


@pytest.mark.parametrize("name", ["ebreak", "wfi", "jal"])
def test_a_program_with_tohost_passes_by_writing_it_only(tmp_path: Path, name: str) -> None:
    stop = code(ins(name, rd=0, imm=0) if name == "jal" else ins(name))
    without, told = elf([segment(stop)]), elf([segment(stop)], {"tohost": TOHOST})
    assert run(tmp_path, without).exit_code == 0
    result = run(tmp_path, told)
    assert result.exit_code is None
    assert "without a write to tohost" in result.reason


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def load_immediate(rd: int, value: int) -> tuple[Word, Word]:
    low = (value & 0xFFF ^ 0x800) - 0x800
    return ins("lui", rd=rd, imm=(value - low) >> 12 & 0xFFFFF), ins("addi", rd=rd, rs1=rd, imm=low)


def semihost(operation: int, parameter: int) -> bytes:
    return code(
        *load_immediate(10, operation),
        *load_immediate(11, parameter),
        ins("slli", rd=0, rs1=0, imm=31),
        ins("ebreak"),
        ins("srai", rd=0, rs1=0, imm=7),
    )


def test_semihosting_writes_and_ends(tmp_path: Path) -> None:
    data = BASE + 0x1000
    block = words(data + 12, 4, 3) + b":tt\0" + words(1, data + 32, 3, data + 36)
    text = block + b"abc\0line\n\0"
    program = (
        semihost(0x01, data)  # open
        + code(ins("addi", rd=20, rs1=10, imm=0))
        + semihost(0x05, data + 16)  # write
        + semihost(0x04, data + 36)  # write0
        + semihost(0x99, 0)
        + code(ins("addi", rd=21, rs1=10, imm=0))
        + semihost(0x20, data + 48)  # exit_extended
    )
    text = text.ljust(48, b"\0") + words(0x20026, 7)
    result = run(tmp_path, elf([segment(program), segment(text, data)]))
    assert result.output == "abcline\n"
    assert (result.registers[20], result.registers[21]) == (1, 0xFFFFFFFF)
    assert result.exit_code == 7


def test_a_system_call_writes_and_the_program_goes_on(tmp_path: Path) -> None:
    program = code(
        *load_immediate(11, BASE + 0x1000),
        ins("addi", rd=10, rs1=0, imm=1),
        ins("addi", rd=12, rs1=0, imm=3),
        ins("addi", rd=17, rs1=0, imm=64),
        ins("ecall"),
        ins("addi", rd=10, rs1=10, imm=-3),
        ins("addi", rd=17, rs1=0, imm=93),
        ins("ecall"),
    )
    result = run(tmp_path, elf([segment(program), segment(b"hi\n", BASE + 0x1000)]))
    assert (result.exit_code, result.output) == (0, "hi\n")


def test_a_program_does_not_fill_the_hosts_memory(tmp_path: Path) -> None:
    """It writes 8 MiB again and again."""
    words = [
        ins("lui", rd=11, imm=BASE >> 12), ins("lui", rd=12, imm=0x800),
        ins("addi", rd=10, rs1=0, imm=1), ins("addi", rd=17, rs1=0, imm=64), ins("ecall"),
        ins("jal", rd=0, imm=-12),
    ]  # fmt: skip
    result = run(tmp_path, elf([segment(code(*words), size=16 << 20)]))
    assert result.exit_code is None
    assert result.reason.startswith("the program writes more than 16 MiB, at 0x80000010")


def test_a_request_about_memory_that_is_not_there_ends_the_program(tmp_path: Path) -> None:
    words = [
        ins("addi", rd=12, rs1=0, imm=-1), ins("addi", rd=10, rs1=0, imm=1),
        ins("addi", rd=17, rs1=0, imm=64), ins("ecall"),
    ]  # fmt: skip
    result = run(tmp_path, elf([segment(code(*words))]))
    assert result.exit_code is None
    assert result.reason.startswith("4294967295 bytes at 0x00000000 are outside the program's")


def test_the_last_trap_is_named_when_a_program_fails(tmp_path: Path) -> None:
    handler = BASE + 0x40
    program = code(
        *load_immediate(5, handler), ins("csrrw", rd=0, rs1=5, csr=0x305),
        ins("lw", rd=1, rs1=0, imm=0x10),
    ).ljust(0x40, b"\0") + code(
        ins("addi", rd=10, rs1=0, imm=3), ins("csrrw", rd=0, rs1=0, csr=0x305),
        ins("addi", rd=17, rs1=0, imm=93), ins("ecall"),
    )  # fmt: skip
    result = run(tmp_path, elf([segment(program)]))
    assert result.exit_code == 3
    assert f"its last trap: load from an unmapped address at 0x{BASE + 12:08x}" in result.reason
    assert result.reason.endswith("value 0x00000010")


@pytest.mark.parametrize(("name", "size"), [("lw", 4), ("sw", 4), ("lh", 2)])
def test_a_straddling_access_faults_at_its_missing_portion(
    tmp_path: Path, name: str, size: int
) -> None:
    operands = {"rs2": 6} if name == "sw" else {"rd": 6}
    program = code(*load_immediate(5, BASE + 0x2000 - 1), ins(name, rs1=5, imm=0, **operands))
    path = tmp_path / "program.elf"
    path.write_bytes(elf([segment(program)]))
    result = run_elf(path, memory=[(BASE, 0x2000)])
    assert result.reason.endswith(f"value 0x{BASE + 0x2000:08x}")


def test_memory_is_what_the_caller_says_and_code_runs_from_all_of_it(tmp_path: Path) -> None:
    far = BASE + (100 << 20)
    program = code(
        *load_immediate(5, far),
        *load_immediate(6, int.from_bytes(code(ins("ebreak")), "little")),
        ins("sw", rs2=6, rs1=5, imm=0),
        ins("addi", rd=10, rs1=0, imm=0),
        ins("jalr", rd=0, rs1=5, imm=0),
    )
    assert run(tmp_path, elf([segment(program)])).exit_code == 0
    result = run_elf(tmp_path / "program.elf", memory=[(BASE, 1 << 20)])
    assert "store to an unmapped address" in result.reason
    result = run_elf(tmp_path / "program.elf", memory=[(far & ~0xFFF, 4096)])
    assert result.exit_code == 0


@pytest.mark.parametrize("base", [0, 0x10000000, 0x1C000000, 0x20000000, 0xFFFF0000])
def test_linked_anywhere(tmp_path: Path, base: int) -> None:
    """The program's own memory is all there is: no unit lies in its way."""
    program = code(
        ins("auipc", rd=5, imm=4),
        ins("sw", rs2=5, rs1=5, imm=0),
        ins("lw", rd=10, rs1=5, imm=0),
        ins("sub", rd=10, rs1=10, rs2=5),
        ins("addi", rd=17, rs1=0, imm=93),
        ins("ecall"),
    )
    result = run(tmp_path, elf([segment(program, base, 0x8000)]))
    assert (result.exit_code, result.reason) == (0, "passed")


def test_memory_behind_the_data_of_a_segment_is_zero_and_its_load_address_holds_a_copy(
    tmp_path: Path,
) -> None:
    program = code(
        ins("auipc", rd=5, imm=0x1000),
        ins("lw", rd=10, rs1=5, imm=0),
        ins("lui", rd=6, imm=0x20000),
        ins("lw", rd=11, rs1=6, imm=0),
        ins("lw", rd=12, rs1=5, imm=64),
        ins("ebreak"),
    )
    moved = (BASE + 0x1000000, 0x20000000, (42).to_bytes(4, "little"), 128)
    result = run(tmp_path, elf([segment(program), moved]))
    assert result.registers[10:13] == (42, 42, 0)


def test_signature_is_written_however_the_program_ends(tmp_path: Path) -> None:
    words = struct.pack("<3I", 0xDEADBEEF, 1, 2)
    spin = code(ins("addi", rd=5, rs1=5, imm=1), ins("jal", rd=0, imm=-4))
    symbols = {"begin_signature": BASE + 0x2000, "end_signature": BASE + 0x200C}
    path = tmp_path / "signature"
    data = elf([segment(spin), segment(words, BASE + 0x2000)], symbols)
    result = run(tmp_path, data, signature=path, limit=100)
    assert result.exit_code is None
    assert "still running after 100 instructions" in result.reason
    assert path.read_text() == "deadbeef\n00000001\n00000002\n"
    for broken in ({}, {**symbols, "end_signature": 0xFFFFFFFF}, {**symbols, "begin_signature": 0}):
        with pytest.raises(BareMetalError, match="a signature was asked for"):
            run(tmp_path, elf([segment(spin)], broken), signature=path)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (code(ins("lw", rd=10, rs1=0, imm=0)), "load from an unmapped address without a trap "
         "handler at 0x80000000 (start): lw a0, 0(zero), value 0x00000000"),
        (bytes(4), "illegal instruction without a trap handler at 0x80000000 (start): .half"),
        (code(ins("jalr", rd=0, rs1=0, imm=64)), "instruction fetch outside the program"),
        # a handler whose first instruction traps would trap for ever
        (code(ins("addi", rd=5, rs1=0, imm=64), ins("csrrw", rd=0, csr=0x305, rs1=5)),
         "instruction fetch outside the program in the trap handler at 0x00000040"),
    ],
)  # fmt: skip
def test_reasons_say_where(tmp_path: Path, program: bytes, reason: str) -> None:
    result = run(tmp_path, elf([segment(program.ljust(16, b"\0"))], {"start": BASE}))
    assert result.exit_code is None
    assert reason in result.reason


def test_interruption_keeps_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baremetal, "SLICE_INSTRUCTIONS", 100)
    path = tmp_path / "spin.elf"
    spin = code(ins("addi", rd=5, rs1=5, imm=1), ins("jal", rd=0, imm=-4))
    path.write_bytes(elf([segment(spin)], {"spin": BASE}))

    def interrupt(instructions: int) -> None:
        if instructions >= 300:
            raise KeyboardInterrupt

    result = BareMetal(path).run(progress=interrupt)
    assert result.interrupted
    assert result.instructions == 300
    assert result.registers[5] == 150
    assert "interrupted at 0x80000000 (spin): addi" in result.reason


@pytest.mark.parametrize(("value", "status"), [(1, 0), (11, 1)])
def test_exit_status_and_report_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: int, status: int
) -> None:
    path = tmp_path / "program.elf"
    path.write_bytes(elf([segment(tell(value)), segment(bytes(8), TOHOST)], {"tohost": TOHOST}))
    assert run_bare_metal(path, Machine.load(), as_json=True) == status
    report = json.loads(capsys.readouterr().out)
    assert report["exit_code"] == value >> 1
    assert run_bare_metal(path, Machine.load(), as_json=False) == status
    assert f": {report['reason']}: 3 instructions, " in capsys.readouterr().out


def test_the_command_refuses_programs_for_the_cluster(tmp_path: Path) -> None:
    path = tmp_path / "program.elf"
    Compilation.of(single_operation("gelu", 4, 32)).program().save(path)
    with pytest.raises(UserError, match="use `softex run`"):
        run_bare_metal(path, Machine.load(), as_json=False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello", "not an ELF file"),
        (b"\x7fELF\x02\x01\x01" + bytes(60), "expected a little-endian ELF32 RISC-V executable"),
        (elf([segment(bytes(4))], machine=40), "found little-endian ELF32 EM_ARM"),
        (elf([segment(bytes(4))], kind=1), "found ET_REL; link it"),
        (elf([segment(bytes(4))], kind=3), "found ET_DYN"),
        (elf([]), "no loadable segment"),
        (elf([segment(bytes(4), size=1 << 31)]), "at most 1024 MiB"),
        (elf([segment(bytes(4), 0xFFFFFFF0, 32)]), "exceed the 32-bit address space"),
        (elf([segment(bytes(4096))])[:200], "does not fit the file"),
    ],
)  # fmt: skip
def test_files_that_are_no_programs(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(BareMetalError, match=message):
        run(tmp_path, data)


def test_broken_files_never_break_the_reader(tmp_path: Path) -> None:
    rng = random.Random(7)
    whole = elf([segment(tell(1)), segment(bytes(8), TOHOST)], {"tohost": TOHOST})
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        with contextlib.suppress(BareMetalError):
            run(tmp_path, bytes(data), limit=100)
