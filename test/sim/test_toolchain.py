"""Programs compiled by gcc give the same hash here and on qemu-riscv32."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from softex_mlir.isa_sim.baremetal.run import run_elf

GCC = shutil.which("riscv64-unknown-elf-gcc")
QEMU = shutil.which("qemu-riscv32")
pytestmark = pytest.mark.skipif(
    GCC is None or QEMU is None,
    reason="riscv64-unknown-elf-gcc or qemu-riscv32 is not installed",
)
SOURCE = Path(__file__).with_name("programs.c")
SEED = 12345
BARE = f"""
.globl _start
_start:
  la sp, stack
  li a0, {SEED}
  call work
  la t0, begin_signature
  sw a0, 0(t0)
  li a0, 1
  la t0, tohost
1: sw a0, 0(t0)
  sw zero, 4(t0)
  j 1b
.bss
.align 4
.space 8192
stack:
.data
.align 4
.globl begin_signature, end_signature, tohost
begin_signature: .word 0
end_signature: .word 0
.align 6
tohost: .dword 0
"""
LINUX = f"""
.globl _start
_start:
  li a0, {SEED}
  call work
  addi sp, sp, -16
  sw a0, 0(sp)
  li a0, 1
  mv a1, sp
  li a2, 4
  li a7, 64
  ecall
  li a0, 0
  li a7, 93
  ecall
"""


def build(directory: Path, start: str, *options: str) -> Path:
    source = directory / "start.S"
    source.write_text(start, encoding="utf-8")
    program = directory / "program.elf"
    assert GCC is not None
    flags = ["-mabi=ilp32f", "-nostdlib", "-static", "-ffreestanding", "-fno-math-errno"]
    files = [str(source), str(SOURCE), "-o", str(program)]
    command = [GCC, *options, *flags, "-Wl,--no-relax", *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
@pytest.mark.parametrize("architecture", ["rv32imfc_zicsr", "rv32imf_zicsr"])
def test_same_hash(tmp_path: Path, level: str, architecture: str) -> None:
    options = (f"-march={architecture}", level)
    assert QEMU is not None
    linux = build(tmp_path, LINUX, *options)
    expected = subprocess.run([QEMU, str(linux)], capture_output=True, check=True).stdout
    bare = build(tmp_path, BARE, *options, "-Wl,-Ttext=0x80000000")
    result = run_elf(bare, max_instructions=10_000_000)
    assert result.reason == "passed"
    assert result.signature[0].to_bytes(4, "little") == expected
