"""Random programs on this core and on Unicorn (QEMU) must leave the same state."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from softex_mlir.isa_sim.baremetal.elf import Image, Segment
from softex_mlir.isa_sim.baremetal.run import BareMetal
from softex_mlir.isa_sim.core import state as st

unicorn = pytest.importorskip("unicorn")
riscv = pytest.importorskip("unicorn.riscv_const")

_SPEC = importlib.util.spec_from_file_location(
    "random_programs", Path(__file__).with_name("random_programs.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
programs = importlib.util.module_from_spec(_SPEC)
sys.modules["random_programs"] = programs
_SPEC.loader.exec_module(programs)


def _ours(code: bytes, seed: int) -> tuple[list[int], list[int], int, bytes]:
    x, f, data = programs.random_state(seed)
    image = Image(
        programs.BASE,
        [
            Segment(programs.BASE, code + (0x00100073).to_bytes(4, "little"), len(code) + 4),
            Segment(programs.DATA, data, len(data)),
        ],
    )
    hart = BareMetal("random program", image=image)
    hart.state.x[0, :32] = [v - (1 << 32) if v >> 31 else v for v in x]
    hart.state.f[0] = f
    hart.state.s[0, st.ROUNDING] = seed % 5
    result = hart.run(10_000)
    assert "breakpoint" in result.reason, result.reason
    memory = hart.read(programs.DATA, programs.DATA_BYTES)
    floats = [int(v) for v in hart.state.f[0]]
    return list(result.registers), floats, int(hart.state.s[0, st.FLAGS]), memory


def _theirs(code: bytes, seed: int) -> tuple[list[int], list[int], int, bytes]:
    x, f, data = programs.random_state(seed)
    machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
    machine.mem_map(programs.BASE, 0x20000)
    enable = bytes.fromhex("b762000073a00230")  # lui t0, 6; csrs mstatus, t0
    machine.mem_write(programs.BASE, enable)
    machine.emu_start(programs.BASE, programs.BASE + len(enable))
    machine.mem_write(programs.BASE, code)
    machine.mem_write(programs.DATA, data)
    machine.reg_write(riscv.UC_RISCV_REG_FRM, seed % 5)
    for index in range(32):
        machine.reg_write(riscv.UC_RISCV_REG_F0 + index, f[index] | 0xFFFFFFFF << 32)
        if index:
            machine.reg_write(riscv.UC_RISCV_REG_X0 + index, x[index])
    machine.emu_start(programs.BASE, programs.BASE + len(code))
    return (
        [machine.reg_read(riscv.UC_RISCV_REG_X0 + i) & 0xFFFFFFFF for i in range(32)],
        [machine.reg_read(riscv.UC_RISCV_REG_F0 + i) & 0xFFFFFFFF for i in range(32)],
        machine.reg_read(riscv.UC_RISCV_REG_FFLAGS),
        bytes(machine.mem_read(programs.DATA, programs.DATA_BYTES)),
    )


@pytest.mark.parametrize("extensions", [("I", "M"), ("F",), ("I", "M", "F", "C")])
@pytest.mark.parametrize("seed", range(20))
def test_same_state(extensions: tuple[str, ...], seed: int) -> None:
    code = programs.random_code(seed, 40, extensions)
    ours, theirs = _ours(code, seed), _theirs(code, seed)
    for name, mine, other in zip(("x", "f", "fflags", "memory"), ours, theirs, strict=True):
        assert mine == other, name
