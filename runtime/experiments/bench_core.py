"""How fast the simulated cores run on the host, with timing on, and qemu-riscv32 beside them.

The programs are built with our own encoder, so no toolchain is needed; qemu is used if present.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from softex_mlir.isa_sim.isa.encoding import encode
from softex_mlir.isa_sim.machine import Machine

_BASE = 0x10000
_DATA_OFFSET = 0x1000
_WINDOW_CYCLES = 10_000


@dataclass(frozen=True)
class CoreSpeed:
    """Speed of one program: millions of simulated instructions a host second (CPU time).

    ``one_core`` as a bare core, ``eight_cores`` the total of eight cores taking turns of 10,000
    cycles, ``qemu`` the same program in qemu-riscv32 without timing; None if not installed or if
    the program uses instructions qemu does not know.
    """

    program: str
    instructions: int
    one_core: float
    eight_cores: float
    qemu: float | None


def _encode(*code: tuple[str, Mapping[str, int]]) -> bytes:
    return b"".join(encode(name, operands).to_bytes(4, "little") for name, operands in code)


def _loop(body: list[tuple[str, Mapping[str, int]]], iterations: int) -> tuple[bytes, int]:
    """``body`` repeated with a counting branch, then exit by ecall 93; code and instructions."""
    start: list[tuple[str, Mapping[str, int]]] = [
        ("lui", {"rd": 5, "imm": iterations + 0x800 >> 12}),
        ("addi", {"rd": 5, "rs1": 5, "imm": (iterations & 0xFFF ^ 0x800) - 0x800}),
        ("auipc", {"rd": 6, "imm": 1}),
    ]
    back = -4 * (len(body) + 1)
    end: list[tuple[str, Mapping[str, int]]] = [
        ("addi", {"rd": 5, "rs1": 5, "imm": -1}),
        ("bne", {"rs1": 5, "rs2": 0, "imm": back}),
        ("addi", {"rd": 10, "rs1": 0, "imm": 0}),
        ("addi", {"rd": 17, "rs1": 0, "imm": 93}),
        ("ecall", {}),
    ]
    return _encode(*start, *body, *end), 3 + iterations * (len(body) + 2) + 3


def _programs() -> dict[str, tuple[list[tuple[str, Mapping[str, int]]], bool]]:
    """Loop bodies by name, and whether qemu can run them."""
    integer: list[tuple[str, Mapping[str, int]]] = [
        ("lw", {"rd": 7, "rs1": 6, "imm": 0}),
        ("add", {"rd": 8, "rs1": 8, "rs2": 5}),
        ("xor", {"rd": 9, "rs1": 8, "rs2": 7}),
        ("slli", {"rd": 9, "rs1": 9, "imm": 3}),
        ("sw", {"rs2": 9, "rs1": 6, "imm": 4}),
        ("mul", {"rd": 12, "rs1": 9, "rs2": 8}),
    ]
    single: list[tuple[str, Mapping[str, int]]] = [
        ("fcvt.s.w", {"rd": 1, "rs1": 5}),
        ("fmadd.s", {"rd": 2, "rs1": 1, "rs2": 1, "rs3": 2}),
        ("fadd.s", {"rd": 3, "rs1": 3, "rs2": 1}),
        ("fmul.s", {"rd": 4, "rs1": 3, "rs2": 1}),
    ]
    packed: list[tuple[str, Mapping[str, int]]] = [
        ("flw", {"rd": 1, "rs1": 6, "imm": 0}),
        ("vfmac.ah", {"rd": 2, "rs1": 1, "rs2": 1}),
        ("vfadd.ah", {"rd": 3, "rs1": 2, "rs2": 1}),
        ("fsw", {"rs2": 3, "rs1": 6, "imm": 4}),
    ]
    return {
        "integer, loads and stores": (integer, True),
        "binary32": (single, True),
        "packed BF16": (packed, False),
    }


def measure_core_speed(
    machine: Machine | None = None, instructions: int = 30_000_000
) -> list[CoreSpeed]:
    """Run each program with about ``instructions`` instructions in every configuration."""
    machine = machine or Machine.load()
    speeds: list[CoreSpeed] = []
    for name, (body, for_qemu) in _programs().items():
        count = instructions // (len(body) + 2)
        _simulated(machine, _loop(body, 10)[0], 1)  # compile
        code, executed = _loop(body, count)
        one = executed / _simulated(machine, code, 1) / 1e6
        shorter, part = _loop(body, count // 8)
        eight = 8 * part / _simulated(machine, shorter, 8) / 1e6
        qemu = _qemu(body, 10 * count) if for_qemu else None
        speeds.append(CoreSpeed(name, executed, one, eight, qemu))
    return speeds


def _simulated(machine: Machine, code: bytes, cores: int) -> float:
    """Host CPU seconds to run ``code`` on ``cores`` cores with private data in the TCDM."""
    from softex_mlir.isa_sim.core import state as st
    from softex_mlir.isa_sim.core.interpreter import DecodedCode, make_state, run_core

    cluster = machine.cluster
    state = make_state(machine, cores)
    memory = np.zeros(0x4000, np.uint8)
    memory[: len(code)] = np.frombuffer(code, np.uint8)
    tcdm = np.zeros(cluster.tcdm_bytes, np.uint8)
    state.config[st.L2_BYTES] = memory.size
    program = DecodedCode.create([(cluster.l2_base, memory.size, 0)], 0, 0x1000)
    program.decode_all(memory)
    run = run_core.bind(state, program, tcdm, memory, None)
    start = 12  # the data pointer of the preamble is replaced by one into the TCDM
    for core in range(cores):
        row = state.s[core]
        row[st.PC] = cluster.l2_base
        row[st.CYCLE] = 0
        run(core, 1)
        while row[st.PC] != cluster.l2_base + start:
            run(core, int(row[st.CYCLE]) + 1)
        state.x[core, 6] = cluster.tcdm_base + 0x1000 + 64 * core
    began = time.process_time()
    running = set(range(cores))
    end = _WINDOW_CYCLES if cores > 1 else 1 << 60
    while running:
        for core in tuple(running):
            if run(core, end) != st.LIMIT:
                running.discard(core)
        end += _WINDOW_CYCLES
    return time.process_time() - began


def _qemu(body: list[tuple[str, Mapping[str, int]]], iterations: int) -> float | None:
    """Millions of instructions a second in qemu-riscv32, start-up subtracted."""
    qemu = shutil.which("qemu-riscv32")
    if qemu is None:
        return None
    times: list[float] = []
    counts: list[int] = []
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "program"
        for repeats in (1, iterations):
            code, executed = _loop(body, repeats)
            path.write_bytes(_elf(code))
            path.chmod(0o755)
            best = float("inf")
            for _ in range(2):  # the first run also loads qemu
                began = time.perf_counter()
                done = subprocess.run([qemu, str(path)], capture_output=True)
                best = min(best, time.perf_counter() - began)
                if done.returncode != 0:
                    return None
            times.append(best)
            counts.append(executed)
    if times[1] < 2 * times[0]:
        return None  # too short to tell from the start-up
    return (counts[1] - counts[0]) / (times[1] - times[0]) / 1e6


def _elf(code: bytes) -> bytes:
    """A Linux executable of one segment, writable and executable."""
    image = code.ljust(_DATA_OFFSET + 0x100, b"\0")
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01".ljust(16, b"\0"), 2, 243, 1, _BASE + 0x1000,
        52, 0, 2, 52, 32, 1, 0, 0, 0,
    )  # fmt: skip
    size = 0x1000 + len(image)
    segment = struct.pack("<IIIIIIII", 1, 0, _BASE, _BASE, size, size, 7, 0x1000)
    return (header + segment).ljust(0x1000, b"\0") + image
