"""The core's interpreter: timing-accurate to the instruction, over pre-decoded rows.

:func:`run_core` executes one core until a limit or an event that needs its caller. Memories are
uint8 arrays: ``tcdm`` and ``memory`` (L2, or for bare-metal programs all memory). Timing follows
the CV32E40P manual as the machine description configures it; results of loads and floating-point
operations that are used too early stall (``ready``, with the ``PENDING`` registers as a bit mask).

The loop is written for speed: the chain of comparisons with ``operation``, all for equality,
becomes one jump table, and what it seldom needs lives in the core's row ``s`` or in functions,
so that the few values every instruction changes stay in host registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.alu import divide, division_cycles, execute_alu
from softex_mlir.isa_sim.core.decode import DecodedCode
from softex_mlir.isa_sim.core.floats import execute_float
from softex_mlir.isa_sim.core.host_floats import execute_host
from softex_mlir.isa_sim.core.memory import (
    complete_access,
    contention_stall,
    effective_address,
    faulting_portion,
    fetch_cold,
    find_window,
    forget_code,
    holds_code,
    note_access,
    region_offset,
    request,
    write,
)
from softex_mlir.isa_sim.core.state import CoreState, make_state
from softex_mlir.isa_sim.core.system import enter_trap, execute_system
from softex_mlir.isa_sim.intrinsics import (
    data_address,
    leading_zeros,
    load8,
    load16,
    load32,
    unlikely,
)
from softex_mlir.isa_sim.jit import njit

__all__ = ["CoreState", "DecodedCode", "complete_access", "make_state", "run_core"]

_WORD = 0xFFFFFFFF


@njit(cache=True)
def _resume(s: Any, ready: Any, sources: int, cycle: int) -> int:
    """The cycle at which all registers of the mask are usable."""
    start = cycle
    while sources != 0:
        register = 63 - leading_zeros(sources & -sources)
        cycle = max(cycle, ready[register])
        sources &= sources - 1
    s[st.STALL_CYCLES] += cycle - start
    return cycle


@njit(cache=True)
def run_core(
    state: CoreState, program: DecodedCode, tcdm: Any, memory: Any, log: Any, core: int, limit: int
) -> int:
    """Run a core until its clock reaches ``limit``; returns a status of :mod:`.core_state`.

    ``tcdm`` and ``memory`` are uint8 arrays whose length is a multiple of 4. ``log`` is None or
    int64[cores, n, 6], filled with (pc, address, bytes, is store, cycle) of every data access.
    """
    # taking an array out of a tuple costs a reference count: once here, not in the loop
    s = state.s[core]
    x = state.x[core]
    f = state.f[core]
    ready = state.ready[core]
    config = state.config
    code = program.code
    regions = program.regions
    touched = program.touched
    pages = program.pages
    code_first = program.window[0]
    code_bytes = program.window[1]

    pc = s[st.PC]
    cycle: Any = s[st.CYCLE]
    retired = s[st.INSTRUCTIONS]
    pending = s[st.PENDING]
    pending_until = s[st.PENDING_UNTIL]
    previous = s[st.PREVIOUS]
    end0 = s[st.LOOP_END0] if s[st.LOOP_COUNT0] > 0 else np.int64(-1)
    end1 = s[st.LOOP_END1] if s[st.LOOP_COUNT1] > 0 else np.int64(-1)
    tcdm_base = config[st.TCDM_BASE]
    tcdm_first = config[st.TCDM_FIRST]
    tcdm_bytes = config[st.TCDM_BYTES]
    l2_base = config[st.L2_BASE]
    l2_bytes = config[st.L2_BYTES]
    tcdm_data = data_address(tcdm)
    memory_data = data_address(memory)
    # the part of the code that holds pc: its first address, its bytes, its first row
    window_base = 0
    window_bytes = 0
    window_row = 0
    check: Any = cycle
    status = -1
    while True:
        if unlikely(cycle >= check):
            if cycle >= limit or retired >= s[st.INSTRUCTION_LIMIT]:
                status = st.LIMIT
                break
            # an instruction takes a cycle or more: until then neither limit can be passed
            check = min(limit, cycle + s[st.INSTRUCTION_LIMIT] - retired)
        inside = pc - window_base
        if unlikely(np.uint64(inside) >= np.uint64(window_bytes)):
            window_base, window_bytes, window_row = find_window(program, pc)
            inside = pc - window_base
        row = np.uint64(window_row + (op.ROW >> 1) * inside)
        w0 = code[row]
        if unlikely(w0 <= 0):
            if w0 == 0:
                status = st.DECODE
                break
            w0 &= ~op.COLD
            code[row] = w0
            at = np.int64(row) // (op.ROW >> 1)
            cycle += fetch_cold(s, config, touched, at, (w0 >> op.LENGTH_SHIFT) & 7)
        w1 = code[row + np.uint64(1)]
        if pending != 0:
            if cycle >= pending_until:
                pending = 0
            else:
                used = pending & code[row + np.uint64(2)]
                if unlikely(used != 0):
                    cycle = _resume(s, ready, used, cycle)
        operation = w0 & op.OPERATION
        rd = (w0 >> op.RD_SHIFT) & 63
        rs1 = (w0 >> op.RS1_SHIFT) & 31
        rs2 = (w0 >> op.RS2_SHIFT) & 31
        cycle += 1
        # a branch, not a selection: the next fetch need not wait for this row
        next_pc = pc + 4
        if unlikely((w0 >> op.LENGTH_SHIFT) & 7 == 2):
            next_pc = pc + 2
        cause = -1
        value = 0

        if operation == op.ADDI:
            x[rd] = x[rs1] + w1
        elif operation == op.LOAD:
            if log is not None:  # noqa: SIM102 - numba prunes this branch at compile time
                if s[st.LOG_USED] >= log.shape[1]:
                    cycle -= 1
                    status = st.LOG_FULL
                    break
            size = (w0 >> op.SIZE_SHIFT) & 7
            mode = (w0 >> op.MODE_SHIFT) & 3
            address, following = effective_address(x, mode, w0, w1)
            latency = config[st.LOAD_USE]
            at = 0
            offset = address - tcdm_base
            if unlikely(w0 & op.FLAG_FLOAT != 0 and s[st.MSTATUS] & st.FLOAT_ON == 0):
                cause = st.CAUSE_ILLEGAL
            elif offset >= tcdm_first and offset <= tcdm_bytes - size:
                at = tcdm_data + offset
                s[st.TCDM_LOADS] += 1
                cycle += contention_stall(s)
            else:
                offset = address - l2_base
                if unlikely(offset < 0 or offset > l2_bytes - size):
                    offset = region_offset(regions, address, size)
                if offset >= 0:
                    at = memory_data + offset
                    s[st.L2_ACCESSES] += 1
                    if config[st.L2_LATENCY] > 1:
                        cycle += config[st.L2_LATENCY] - 1
                        s[st.STALL_CYCLES] += config[st.L2_LATENCY] - 1
                        latency = 0
                elif config[st.MACHINE_MODE] != 0:
                    cause = st.CAUSE_LOAD
                    value = faulting_portion(regions, address)
                else:
                    request(s, w0, pc, address, st.KIND_LOAD, 0)
                    status = st.ACCESS
            if cause < 0:
                if mode == op.MODE_POST_IMMEDIATE or mode == op.MODE_POST_REGISTER:
                    x[rs1] = following
                if status < 0:
                    if unlikely((address & 3) + size > 4):
                        cycle += config[st.MISALIGNED] - 1
                    if log is not None:
                        note_access(s, log, core, pc, address, size, 0, cycle - 1)
                    if size == 4:
                        value = load32(at)
                    elif size == 2:
                        value = load16(at)
                        if w0 & op.FLAG_SIGNED != 0:
                            value = (value ^ 0x8000) - 0x8000
                    else:
                        value = load8(at)
                        if w0 & op.FLAG_SIGNED != 0:
                            value = (value ^ 0x80) - 0x80
                    if w0 & op.FLAG_FLOAT != 0:
                        f[rd & 31] = value if size == 4 else value | 0xFFFF0000
                        rd += 32
                    else:
                        x[rd] = value
                    if latency > 0 and (rd != op.DISCARD or w0 & op.FLAG_FLOAT != 0):
                        ready[rd] = cycle + latency
                        pending |= np.int64(1) << rd
                        pending_until = max(pending_until, cycle + latency)
        elif operation == op.STORE:
            if log is not None:  # noqa: SIM102 - numba prunes this branch at compile time
                if s[st.LOG_USED] >= log.shape[1]:
                    cycle -= 1
                    status = st.LOG_FULL
                    break
            size = (w0 >> op.SIZE_SHIFT) & 7
            mode = (w0 >> op.MODE_SHIFT) & 3
            address, following = effective_address(x, mode, w0, w1)
            value = np.int64(x[rs2]) & _WORD
            if w0 & op.FLAG_FLOAT != 0:
                value = np.int64(f[rs2])
            offset = address - tcdm_base
            if unlikely(w0 & op.FLAG_FLOAT != 0 and s[st.MSTATUS] & st.FLOAT_ON == 0):
                cause = st.CAUSE_ILLEGAL
            elif offset >= tcdm_first and offset <= tcdm_bytes - size:
                write(tcdm_data + offset, size, value)
                s[st.TCDM_STORES] += 1
                cycle += contention_stall(s)
            else:
                offset = address - l2_base
                if unlikely(offset < 0 or offset > l2_bytes - size):
                    offset = region_offset(regions, address, size)
                if offset >= 0:
                    write(memory_data + offset, size, value)
                    s[st.L2_ACCESSES] += 1
                    if config[st.L2_LATENCY] > 1:
                        cycle += config[st.L2_LATENCY] - 1
                        s[st.STALL_CYCLES] += config[st.L2_LATENCY] - 1
                    if unlikely(holds_code(pages, offset - code_first, code_bytes, size)):
                        forget_code(program, offset, size)
                    if address == config[st.HOST_ADDRESS] and value != 0:
                        status = st.HOST
                elif config[st.MACHINE_MODE] != 0:
                    cause = st.CAUSE_STORE
                    value = faulting_portion(regions, address)
                else:
                    request(s, w0, pc, address, st.KIND_STORE, value)
                    status = st.ACCESS
            if cause < 0:
                if mode == op.MODE_POST_IMMEDIATE or mode == op.MODE_POST_REGISTER:
                    x[rs1] = following
                if status != st.ACCESS:
                    if unlikely((address & 3) + size > 4):
                        cycle += config[st.MISALIGNED] - 1
                    if log is not None:
                        note_access(s, log, core, pc, address, size, 1, cycle - 1)
        elif operation == op.BEQ:
            if x[rs1] == x[rs2]:
                next_pc = (pc + w1) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.BNE:
            if x[rs1] != x[rs2]:
                next_pc = (pc + w1) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.BLT:
            if x[rs1] < x[rs2]:
                next_pc = (pc + w1) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.BGE:
            if x[rs1] >= x[rs2]:
                next_pc = (pc + w1) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.BLTU:
            if np.uint32(x[rs1]) < np.uint32(x[rs2]):
                next_pc = (pc + w1) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.BGEU:
            if np.uint32(x[rs1]) >= np.uint32(x[rs2]):
                next_pc = (pc + w1) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.ADD:
            x[rd] = x[rs1] + x[rs2]
        elif operation == op.SUB:
            x[rd] = x[rs1] - x[rs2]
        elif operation == op.SLLI:
            x[rd] = x[rs1] << w1
        elif operation == op.SRLI:
            x[rd] = (np.int64(x[rs1]) & _WORD) >> w1
        elif operation == op.SRAI:
            x[rd] = x[rs1] >> w1
        elif operation == op.ANDI:
            x[rd] = x[rs1] & w1
        elif operation == op.ORI:
            x[rd] = x[rs1] | w1
        elif operation == op.XORI:
            x[rd] = x[rs1] ^ w1
        elif operation == op.AND:
            x[rd] = x[rs1] & x[rs2]
        elif operation == op.OR:
            x[rd] = x[rs1] | x[rs2]
        elif operation == op.XOR:
            x[rd] = x[rs1] ^ x[rs2]
        elif operation == op.LUI:
            x[rd] = w1
        elif operation == op.AUIPC:
            x[rd] = pc + w1
        elif operation == op.SLT:
            x[rd] = 1 if x[rs1] < x[rs2] else 0
        elif operation == op.SLTU:
            x[rd] = 1 if np.uint32(x[rs1]) < np.uint32(x[rs2]) else 0
        elif operation == op.SLTI:
            x[rd] = 1 if x[rs1] < w1 else 0
        elif operation == op.SLTIU:
            x[rd] = 1 if np.uint32(x[rs1]) < np.uint32(w1) else 0
        elif operation == op.SLL:
            x[rd] = np.int64(x[rs1]) << (x[rs2] & 31)
        elif operation == op.SRL:
            x[rd] = (np.int64(x[rs1]) & _WORD) >> (x[rs2] & 31)
        elif operation == op.SRA:
            x[rd] = np.int64(x[rs1]) >> (x[rs2] & 31)
        elif operation == op.MUL:
            x[rd] = np.int64(x[rs1]) * np.int64(x[rs2])
        elif operation == op.MAC:
            x[rd] = x[(w0 >> op.RS3_SHIFT) & 31] + np.int64(x[rs1]) * np.int64(x[rs2])
        elif operation == op.MSU:
            x[rd] = x[(w0 >> op.RS3_SHIFT) & 31] - np.int64(x[rs1]) * np.int64(x[rs2])
        elif operation == op.MULH:
            x[rd] = (np.int64(x[rs1]) * np.int64(x[rs2])) >> 32
            cycle += config[st.MULH] - 1
        elif operation == op.MULHSU:
            x[rd] = (np.int64(x[rs1]) * (np.int64(x[rs2]) & _WORD)) >> 32
            cycle += config[st.MULH] - 1
        elif operation == op.MULHU:
            x[rd] = (np.uint64(np.uint32(x[rs1])) * np.uint64(np.uint32(x[rs2]))) >> np.uint64(32)
            cycle += config[st.MULH] - 1
        elif operation == op.JAL:
            if w1 == 0 and config[st.MACHINE_MODE] != 0 and rd == op.DISCARD:
                s[st.FAULT_CODE] = st.STOP_LOOP
                s[st.FAULT_PC] = pc
                status = st.STOPPED
            x[rd] = next_pc
            next_pc = (pc + w1) & _WORD
            cycle += config[st.JUMP] - 1
        elif operation == op.JALR:
            target = (x[rs1] + w1) & 0xFFFFFFFE
            cycle += config[st.JALR] - 1
            if previous & op.FLAG_WRITES_X != 0 and (previous >> op.RD_SHIFT) & 63 == rs1:
                cycle += config[st.JALR_HAZARD]
                s[st.STALL_CYCLES] += config[st.JALR_HAZARD]
            x[rd] = next_pc
            next_pc = target
        elif operation == op.FENCE:
            pass
        elif operation >= op.FLOAT_FIRST:
            mode = (w0 >> op.RM_SHIFT) & 7
            if mode == 7:
                mode = s[st.ROUNDING]
            if unlikely(mode > 4 or s[st.MSTATUS] & st.FLOAT_ON == 0):
                cause = st.CAUSE_ILLEGAL
            else:
                a = np.int64(f[rs1])
                if w0 & op.FLAG_SIGNED != 0:
                    a = np.int64(x[rs1]) & _WORD
                b = np.int64(f[rs2])
                if w0 & op.FLAG_REPLICATE != 0:
                    b = (b & 0xFFFF) * 0x10001
                c = np.int64(f[(w0 >> op.RS3_SHIFT) & 31])
                value = -1
                if mode == 0:
                    value = execute_host(operation, a, b, c)
                if unlikely(value < 0):
                    value = execute_float(operation, a, b, c, mode)
                s[st.FLAGS] |= value >> 32
                iterations = (w0 >> op.SIZE_SHIFT) & 7
                if iterations != 0:
                    cycle += config[st.FDIV if iterations == 1 else st.FSQRT] - 1
                if w0 & op.FLAG_FLOAT != 0:
                    f[rd & 31] = value & _WORD
                    rd += 32
                else:
                    x[rd] = value & _WORD
                latency = config[st.FP_LATENCY]
                if latency > 0 and (rd != op.DISCARD or w0 & op.FLAG_FLOAT != 0):
                    ready[rd] = cycle + latency
                    pending |= np.int64(1) << rd
                    pending_until = max(pending_until, cycle + latency)
        elif operation >= op.DIV and operation <= op.REMU:
            divisor = np.int64(x[rs2])
            x[rd] = divide(operation, np.int64(x[rs1]), divisor)
            longest = config[st.DIV_MAX]
            cycle += division_cycles(operation, divisor, config[st.DIV_BASE], longest) - 1
        elif operation >= op.ALU_FIRST:
            second = 0
            if operation >= op.EXTRACT and operation <= op.BSET:
                second = w1 >> 32
                w1 &= _WORD
            d = np.int64(x[(w0 >> op.RS3_SHIFT) & 31])
            x[rd] = execute_alu(operation, np.int64(x[rs1]), np.int64(x[rs2]), d, w1, second)
        elif operation == op.BEQIMM or operation == op.BNEIMM:
            if (x[rs1] == w1 >> 32) == (operation == op.BEQIMM):
                next_pc = (pc + ((w1 & _WORD) ^ 0x80000000) - 0x80000000) & _WORD
                cycle += config[st.BRANCH_TAKEN] - 1
            else:
                cycle += config[st.BRANCH_NOT_TAKEN] - 1
        elif operation == op.EVENT_LOAD:
            address = (x[rs1] + w1) & _WORD
            request(s, w0, pc, address, st.KIND_EVENT, 0)
            status = st.ACCESS
        else:
            s[st.CYCLE] = cycle
            s[st.INSTRUCTIONS] = retired
            cause = execute_system(s, config, core, w0, w1, x[rs1], pc, next_pc)
            if cause >= st.STOP_ECALL:
                s[st.FAULT_CODE] = cause
                s[st.FAULT_PC] = pc
                status = st.STOPPED
                cause = -1
            if cause < 0:
                x[rd] = s[st.RESULT]
                cycle = s[st.CYCLE]
                next_pc = s[st.NEXT_PC]
                end0 = s[st.LOOP_END0] if s[st.LOOP_COUNT0] > 0 else np.int64(-1)
                end1 = s[st.LOOP_END1] if s[st.LOOP_COUNT1] > 0 else np.int64(-1)
            elif cause != st.CAUSE_ECALL:
                value = pc

        if unlikely(cause >= 0):
            cycle -= 1
            if cause == st.CAUSE_ILLEGAL:
                value = code[row + np.uint64(3)] & _WORD
            target = enter_trap(s, config, cause, value, pc)
            if target < 0:
                status = st.FAULT
                if s[st.FAULT_CODE] >= st.STOP_ECALL:
                    status = st.STOPPED
                break
            pc = target
            cycle += config[st.TRAP]
            previous = np.int64(0)
            continue
        retired += 1
        previous = w0
        pc = next_pc
        if unlikely(pc == end0):
            s[st.LOOP_COUNT0] -= 1
            if s[st.LOOP_COUNT0] > 0:
                pc = s[st.LOOP_START0]
            else:
                end0 = np.int64(-1)
        elif unlikely(pc == end1):
            s[st.LOOP_COUNT1] -= 1
            if s[st.LOOP_COUNT1] > 0:
                pc = s[st.LOOP_START1]
            else:
                end1 = np.int64(-1)
        if unlikely(status >= 0):
            if status == st.ACCESS:
                cycle -= 1  # the access itself is to come
            break

    s[st.PC] = pc
    s[st.CYCLE] = cycle
    s[st.INSTRUCTIONS] = retired
    s[st.PENDING] = pending
    s[st.PENDING_UNTIL] = pending_until
    s[st.PREVIOUS] = previous
    return status
