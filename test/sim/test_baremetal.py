"""Bare-metal programs from a RISC-V toolchain: traps, CSRs, host interface, signatures."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from softex_mlir.isa_sim.baremetal.run import BareMetalError, BareMetalResult, run_elf

GCC = shutil.which("riscv64-unknown-elf-gcc")
pytestmark = pytest.mark.skipif(GCC is None, reason="riscv64-unknown-elf-gcc is not installed")
HEADER = Path(__file__).with_name("bare_metal.h").read_text(encoding="utf-8")


def build(tmp_path: Path, source: str, *options: str, header: str = HEADER) -> Path:
    """Assemble and link at 0x80000000."""
    path = tmp_path / "program.S"
    path.write_text(header + source + "\n", encoding="utf-8")
    elf = tmp_path / "program.elf"
    assert GCC is not None
    command = [GCC, "-march=rv32imfc_zicsr_zifencei", "-mabi=ilp32f", "-nostdlib", "-static",
               "-Wl,-Ttext=0x80000000", *options, str(path), "-o", str(elf)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return elf


def run(tmp_path: Path, source: str, **options: str) -> BareMetalResult:
    return run_elf(build(tmp_path, source, **options), max_instructions=1_000_000)


def test_pass_and_fail_are_reported_through_tohost(tmp_path: Path) -> None:
    result = run(tmp_path, "j pass")
    assert (result.exit_code, result.reason) == (0, "passed")
    result = run(tmp_path, "li gp, 5\nj fail")
    assert result.exit_code == 5
    assert result.reason.startswith("failed: tohost reports 5; its last trap: illegal instruction")


def test_arithmetic_and_memory(tmp_path: Path) -> None:
    source = """
      li a0, -7
      li a1, 2
      div a2, a0, a1
      check 2, a2, -3
      rem a2, a0, a1
      check 3, a2, -1
      div a2, a0, zero
      check 4, a2, -1
      remu a2, a0, zero
      check 5, a2, -7
      lui a0, 0x80000
      li a1, -1
      div a2, a0, a1
      check 6, a2, 0x80000000
      mulhsu a2, a1, a0
      check 7, a2, -1
      la a3, data
      lw a2, 1(a3)
      check 8, a2, 0x88fedcba
      lh a2, 3(a3)
      check 9, a2, 0xffff88fe-0x100000000
      sw a0, 5(a3)
      lbu a2, 8(a3)
      check 10, a2, 0x80
      li a0, -8
      srai a2, a0, 1
      check 11, a2, -4
      sltiu a2, a0, -1
      check 12, a2, 1
      j pass
    data: .word 0xfedcba98, 0x11223388, 0
    """
    assert run(tmp_path, source, header=HEADER).exit_code == 0


def test_precise_traps(tmp_path: Path) -> None:
    """Each trap reports cause, address and value, and the program goes on behind it."""
    source = """
      la t0, handler
      csrw mtvec, t0
      li s0, 2
      li s1, 0xffffffff
    illegal: .word 0xffffffff
      li s0, 2
      li s1, 0xc0102573       # rdtime: not implemented
      .word 0xc0102573
      li s0, 2
      li s1, 0xf1429073       # write to the read-only mhartid
      csrw mhartid, t0
      li s0, 5
      li s1, 0x40000000
      lw a0, 0(s1)
      li s0, 7
      sw a0, 0(s1)
      li s0, 3
      la s1, 1f
    1: ebreak
      csrw frm, 5             # reserved rounding mode
      li s0, 2
      li s1, 0x0020f053
      fadd.s f0, f1, f2
      csrw frm, 0
      check 9, s2, 8
      la t0, trap_vector
      csrw mtvec, t0
      j pass
      .align 2
    handler:
      csrr t0, mcause
      bne t0, s0, 2f
      csrr t0, mtval
      bne t0, s1, 2f
      csrr t0, mepc
      addi t0, t0, 4
      csrw mepc, t0
      addi s2, s2, 1
      mret
    2: la t0, trap_vector
      csrw mtvec, t0
      mv gp, s2
      addi gp, gp, 20
      j fail
    """
    result = run(tmp_path, source.replace("check 9, s2, 8", "check 9, s2, 7"))
    assert (result.exit_code, result.reason) == (0, "passed")


def test_fetch_fault(tmp_path: Path) -> None:
    source = """
      la t0, handler
      csrw mtvec, t0
      li t1, 0x1000
      jr t1
      .align 2
    handler:
      csrr a0, mcause
      check 2, a0, 1
      csrr a0, mepc
      check 3, a0, 0x1000
      csrr a0, mtval
      check 4, a0, 0x1000
      la t0, trap_vector
      csrw mtvec, t0
      j pass
    """
    assert run(tmp_path, source).exit_code == 0


def test_csrs(tmp_path: Path) -> None:
    source = """
      csrr a0, misa
      check 2, a0, 0x40801124
      li t0, 0x12345678
      csrw mscratch, t0
      csrrwi a0, mscratch, 5
      check 3, a0, 0x12345678
      csrrs a0, mscratch, t0
      check 4, a0, 5
      csrrc a0, mscratch, t0
      check 5, a0, 0x1234567d
      csrr a0, mscratch
      check 6, a0, 5
      li t0, 0xff
      csrw fcsr, t0
      csrr a0, frm
      check 7, a0, 7
      csrr a0, fflags
      check 8, a0, 31
      csrw fcsr, 0
      csrr a0, minstret
      nop
      csrr a1, instret
      sub a0, a1, a0
      check 9, a0, 2
      csrr a0, mcycle
      csrr a1, mcycle
      sltu a0, a0, a1
      check 10, a0, 1
      csrw minstreth, 3
      csrr a0, minstreth
      check 11, a0, 3
      csrr a0, mstatus
      li a1, 0x1800
      and a0, a0, a1
      check 12, a0, 0x1800
      j pass
    """
    assert run(tmp_path, source).exit_code == 0


def test_self_modifying_code(tmp_path: Path) -> None:
    source = """
      li a0, 0
      la t0, target
      lw t1, replacement
    target:
      addi a0, a0, 1
      bnez a1, 1f
      sw t1, 0(t0)
      fence.i
      li a1, 1
      j target
    1: check 2, a0, 101
      j pass
    replacement: addi a0, a0, 100
    """
    assert run(tmp_path, source).exit_code == 0


def test_compressed_code_across_words(tmp_path: Path) -> None:
    source = """
      .option rvc
      li a0, 0
      li a1, 10
      c.nop
    1: c.addi a0, 3
      addi a1, a1, -1
      c.bnez a1, 1b
      .option norvc
      check 2, a0, 30
      j pass
    """
    assert run(tmp_path, source).exit_code == 0


def test_single_precision_program_from_c(tmp_path: Path) -> None:
    """A C program without any environment: it ends by ecall 93."""
    source = tmp_path / "main.c"
    source.write_text(
        """
        static float table[64];
        static int work(void) {
          float sum = 0;
          for (int i = 0; i < 64; i++) table[i] = 1.0f / (i + 1);
          for (int i = 0; i < 64; i++) sum += table[i] * table[i];
          return (int)(sum * 1000.0f);
        }
        void _start(void) {
          asm volatile("la sp, stack_end");
          register int code asm("a0") = work();
          register int call asm("a7") = 93;
          asm volatile("ecall" : : "r"(code), "r"(call));
          __builtin_unreachable();
        }
        asm(".bss\\n .align 4\\n .space 4096\\n stack_end: .text");
        """,
        encoding="utf-8",
    )
    elf = tmp_path / "main.elf"
    assert GCC is not None
    subprocess.run(
        [GCC, "-O2", "-march=rv32imfc", "-mabi=ilp32f", "-nostdlib", "-ffreestanding",
         "-Wl,--no-relax", "-Wl,-Ttext=0x10000", str(source), "-o", str(elf)], check=True,
    )  # fmt: skip
    assert run_elf(elf).exit_code == 1629


def test_signature_follows_the_arch_test_convention(tmp_path: Path) -> None:
    source = """
      la a0, begin_signature
      li a1, 0xDEADBEEF
      sw a1, 0(a0)
      j pass
    .data
    .align 4
    .globl begin_signature, end_signature
    begin_signature: .word 1, 2
    end_signature:
    """
    elf = build(tmp_path, source)
    path = tmp_path / "signature"
    result = run_elf(elf, signature=path)
    assert result.signature == (0xDEADBEEF, 2)
    assert path.read_text() == "deadbeef\n00000002\n"


def test_a_program_that_does_not_end(tmp_path: Path) -> None:
    result = run_elf(build(tmp_path, "1: addi a0, a0, 1\nj 1b"), max_instructions=10_000)
    assert result.exit_code is None
    assert "still running after 10,000" in result.reason
    result = run(tmp_path, "li a0, 0\n1: j 1b")
    assert result.exit_code is None
    assert "endless jump" in result.reason


def test_error_messages(tmp_path: Path) -> None:
    with pytest.raises(BareMetalError, match="no such file"):
        run_elf(tmp_path / "missing.elf")
    text = tmp_path / "text.elf"
    text.write_text("hello")
    with pytest.raises(BareMetalError, match="not an ELF file"):
        run_elf(text)
    with pytest.raises(BareMetalError, match="expected a little-endian ELF32 RISC-V"):
        run_elf(Path("/bin/sh"))
