"""Compiles functions with the backend and runs them on one simulated core. Only for tests."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from softex_mlir.compiler.backend.allocate_registers import AllocateRegistersPass
from softex_mlir.compiler.backend.assembler import assemble
from softex_mlir.compiler.backend.convert_to_riscv import ConvertToRiscvPass
from softex_mlir.compiler.backend.pad_hardware_loops import PadHardwareLoopsPass
from softex_mlir.compiler.backend.print_assembly import assembly
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.interpreter import DecodedCode, make_state, run_core
from softex_mlir.isa_sim.machine import Machine

BF16 = ml_dtypes.bfloat16
MACHINE = Machine.load("paper")
TCDM = MACHINE.cluster.tcdm_base
L2 = MACHINE.cluster.l2_base
DATA = TCDM + 0x2000
L2_BYTES = 1 << 16
RECORD = L2 + 0x8000


def run_assembly(text: str, memory: dict[int, np.ndarray], record=()) -> tuple[np.ndarray, object]:
    """Run `_start` of assembly text to its ebreak; returns the TCDM and the core's state."""
    code = assemble(text, L2).code
    tcdm = np.zeros(MACHINE.cluster.tcdm_bytes, np.uint8)
    l2 = np.zeros(L2_BYTES, np.uint8)
    l2[: len(code)] = np.frombuffer(code, np.uint8)
    words = np.array(record, np.int64).astype(np.uint32).view(np.uint8)
    l2[RECORD - L2 : RECORD - L2 + len(words)] = words
    for address, data in memory.items():
        raw = np.ascontiguousarray(data).view(np.uint8).ravel()
        tcdm[address - TCDM : address - TCDM + len(raw)] = raw
    state = make_state(MACHINE, 1)
    program = DecodedCode.create([(L2, L2_BYTES, 0)], first=0, size=4096 * -(-len(code) // 4096))
    state.s[0, st.PC] = L2
    while True:
        status = run_core(state, program, tcdm, l2, None, 0, 10_000_000)
        if status == st.DECODE:
            program.decode_at(int(state.s[0, st.PC]), l2)
            continue
        break
    fault = hex(int(state.s[0, st.FAULT_PC]))
    assert status == st.STOPPED, f"status {status}, fault pc {fault}\n{text}"
    return tcdm, state


def run_function(
    module: ModuleOp, name: str, memory: dict[int, np.ndarray], record=(), integers=27, floats=32
):
    """Compile a module, call one of its functions; returns TCDM, state and the assembly."""
    ConvertToRiscvPass().apply(Context(), module)
    AllocateRegistersPass(integers, floats).apply(Context(), module)
    PadHardwareLoopsPass().apply(Context(), module)
    module.verify()
    start = [
        ".text",
        "_start:",
        f"li sp, {TCDM + 0x1000}",
        f"li tp, {RECORD}",
        f"jal ra, {name}",
        "ebreak",
        "",
    ]
    text = "\n".join(start) + assembly(module)
    tcdm, state = run_assembly(text, memory, record)
    return tcdm, state, text


def read(tcdm: np.ndarray, address: int, shape, dtype=BF16) -> np.ndarray:
    """An array in the TCDM."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return tcdm[address - TCDM : address - TCDM + size].view(dtype).reshape(shape)
