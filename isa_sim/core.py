"""The core's interpreter: timing-accurate to the instruction, over pre-decoded rows.

:func:`run_core` executes one core until a limit or an event that needs its caller. Memories are
uint8 arrays: ``tcdm`` and ``memory`` (L2, or for bare-metal programs all memory). Timing follows
the CV32E40P manual as the machine description configures it; results of loads and floating-point
operations that are used too early stall (``ready``, with the ``PENDING`` registers as a bit mask).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softex_mlir.isa_sim import core_ops as op
from softex_mlir.isa_sim import core_state as st
from softex_mlir.isa_sim.core_alu import execute_alu
from softex_mlir.isa_sim.core_csr import access_csr, is_slow
from softex_mlir.isa_sim.core_decode import PAGE_SHIFT, Program
from softex_mlir.isa_sim.core_float import execute_float
from softex_mlir.isa_sim.core_state import CoreState, make_state
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.jit_intrinsics import (
    leading_zeros,
    load8,
    load16,
    load32,
    store8,
    store16,
    store32,
)  # fmt: skip

__all__ = ["CoreState", "Program", "complete_access", "make_state", "run_core"]

_WORD = 0xFFFFFFFF


@njit(cache=True)
def _region_offset(regions: Any, address: int, size: int) -> int:
    """Memory offset of an access, -1 if no region holds all of it."""
    for index in range(regions.shape[0]):
        inside = address - regions[index, 0]
        if inside >= 0 and inside + size <= regions[index, 1]:
            return regions[index, 2] + inside
    return -1


@njit(cache=True)
def _invalidate(program: Program, offset: int, size: int) -> None:
    """Forget decoded rows that a store to the memory offset changed."""
    inside = offset - program.window[0]
    if inside < 0 or inside >= program.window[1]:
        return
    last = (inside + size - 1) >> 1
    for row in range(max((inside >> 1) - 1, 0), last + 1):
        if program.pages[(2 * row) >> PAGE_SHIFT] != 0:
            program.code[op.ROW * row] = op.UNDECODED


@njit(cache=True)
def _stall(ready: Any, sources: int, cycle: int) -> int:
    """The cycle at which all registers of the mask are usable."""
    while sources != 0:
        register = 63 - leading_zeros(sources & -sources)
        cycle = max(cycle, ready[register])
        sources &= sources - 1
    return cycle


@njit(cache=True)
def _divide(operation: int, a: int, b: int) -> int:
    """div, divu, rem, remu of sign-extended operands, truncating; division by zero as specified."""
    if operation == op.DIVU or operation == op.REMU:
        a &= _WORD
        b &= _WORD
    if b == 0:
        return -1 if operation <= op.DIVU else a
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    return quotient if operation <= op.DIVU else a - quotient * b


@njit(cache=True)
def _division_cycles(operation: int, b: int, base: int, longest: int) -> int:
    """Base cycles plus the leading zeros of the divisor (its sign bits if negative)."""
    if operation == op.DIVU or operation == op.REMU:
        b &= _WORD
    elif b < 0:
        b = ~b
    zeros = 32
    while b != 0:
        b >>= 1
        zeros -= 1
    return min(base + zeros, longest)


@njit(cache=True)
def complete_access(state: CoreState, core: int, value: int, cycles: int) -> None:
    """Finish the request of a core: write a load's result, advance its clock by ``cycles``."""
    row = state.s[core]
    row[st.CYCLE] += cycles
    if row[st.REQUEST_KIND] == st.KIND_STORE:
        return
    if row[st.REQUEST_SIZE] == 1:
        value &= 0xFF
        if row[st.REQUEST_SIGNED]:
            value = (value ^ 0x80) - 0x80
    elif row[st.REQUEST_SIZE] == 2:
        value &= 0xFFFF
        if row[st.REQUEST_FLOAT]:
            value |= 0xFFFF0000
        elif row[st.REQUEST_SIGNED]:
            value = (value ^ 0x8000) - 0x8000
    if row[st.REQUEST_FLOAT]:
        state.f[core, row[st.REQUEST_RD]] = value & _WORD
    else:
        state.x[core, row[st.REQUEST_RD]] = value


@njit(cache=True)
def run_core(
    core: int, limit: int, state: CoreState, program: Program, tcdm: Any, memory: Any, log: Any
) -> int:
    """Run a core until its clock reaches ``limit``; returns a status of :mod:`.core_state`.

    ``tcdm`` and ``memory`` are uint8 arrays whose length is a multiple of 4. ``log`` is None or
    int64[cores, n, 5], filled with (pc, address, bytes, is store, cycle) of every data access.
    """
    s = state.s[core]
    x = state.x[core]
    f = state.f[core]
    ready = state.ready[core]
    config = state.config
    code = program.code

    # taking an array out of a tuple costs a reference count: once here, not in the loop
    regions = program.regions
    pages = program.pages
    touched = program.touched
    window_first = program.window[0]
    window_size = program.window[1]

    pc = s[st.PC]
    cycle: Any = s[st.CYCLE]
    retired = s[st.INSTRUCTIONS]
    retire_limit = s[st.INSTRUCTION_LIMIT]
    pending = s[st.PENDING]
    pending_until = s[st.PENDING_UNTIL]
    previous = s[st.PREVIOUS]
    start0, count0 = s[st.LOOP_START0], s[st.LOOP_COUNT0]
    start1, count1 = s[st.LOOP_START1], s[st.LOOP_COUNT1]
    end0 = s[st.LOOP_END0] if count0 > 0 else np.int64(-1)
    end1 = s[st.LOOP_END1] if count1 > 0 else np.int64(-1)
    flags = s[st.FLAGS]
    rounding = s[st.ROUNDING]
    tcdm_loads = 0
    tcdm_stores = 0
    l2_accesses = 0
    stalls: Any = 0
    stall_rate = s[st.STALL_RATE]
    stall_accumulator = s[st.STALL_ACCUMULATOR]

    tcdm_base = config[st.TCDM_BASE]
    tcdm_first = config[st.TCDM_FIRST]
    tcdm_bytes = config[st.TCDM_BYTES]
    l2_base = config[st.L2_BASE]
    l2_bytes = config[st.L2_BYTES]
    l2_latency = config[st.L2_LATENCY]
    machine_mode = config[st.MACHINE_MODE] != 0
    host_address = config[st.HOST_ADDRESS]
    fp_latency = config[st.FP_LATENCY]
    load_use = config[st.LOAD_USE]
    branch_taken = config[st.BRANCH_TAKEN] - 1
    branch_not_taken = config[st.BRANCH_NOT_TAKEN] - 1
    jump_cycles = config[st.JUMP] - 1
    misaligned = config[st.MISALIGNED] - 1
    # the region that holds the pc: rows of the code at window_base start at row window_row
    window_base = 0
    window_bytes = 0
    window_row = 0

    check: Any = cycle
    status = -1
    while status < 0:
        if cycle >= check:
            if cycle >= limit or retired >= retire_limit:
                status = st.LIMIT
                break
            # an instruction takes a cycle or more: until then neither limit can be passed
            check = min(limit, cycle + retire_limit - retired)
        inside = pc - window_base
        cause = -1
        value = 0
        if np.uint64(inside) >= np.uint64(window_bytes):
            offset = _region_offset(regions, pc, 2) - window_first
            if offset >= 0 and offset < window_size:
                for index in range(regions.shape[0]):
                    inside = pc - regions[index, 0]
                    if inside >= 0 and inside < regions[index, 1]:
                        first = window_first - regions[index, 2]
                        window_base = regions[index, 0]
                        window_bytes = regions[index, 1]
                        if first > 0:
                            window_base += first
                            window_bytes -= first
                            first = 0
                        window_row = -first >> 1
                        window_bytes = min(window_bytes, window_size + first)
                inside = pc - window_base
            else:
                cause = st.CAUSE_FETCH
                value = pc
        w0 = np.int64(0)
        w1 = np.int64(0)
        row = np.int64(0)
        operation = op.ILLEGAL
        if cause < 0:
            row = op.ROW * (window_row + (inside >> 1)) & 0x7FFFFFFFFFFF
            w0 = code[row]
            if w0 <= 0:
                if w0 == 0:
                    status = st.DECODE
                    break
                # first execution of this row: its cache line may have to be fetched
                w0 &= 0x7FFFFFFFFFFFFFFF
                code[row] = w0
                line = (inside + 2 * window_row) >> config[st.LINE_SHIFT]
                length = (w0 >> op.LENGTH_SHIFT) & 7
                last_line = (inside + 2 * window_row + length - 1) >> config[st.LINE_SHIFT]
                for index in range(line, last_line + 1):
                    if touched[index] == 0:
                        touched[index] = 1
                        cycle += config[st.REFILL]
                        stalls += config[st.REFILL]
                        s[st.FETCH_STALLS] += config[st.REFILL]
            w1 = code[row + 1]
            operation = w0 & 0x1FF
            if pending != 0:
                if cycle >= pending_until:
                    pending = 0
                else:
                    used = pending & code[row + 2]
                    if used != 0:
                        resume = _stall(ready, used, cycle)
                        stalls += resume - cycle
                        cycle = resume
        rd = (w0 >> op.RD_SHIFT) & 63
        rs1 = (w0 >> op.RS1_SHIFT) & 31
        rs2 = (w0 >> op.RS2_SHIFT) & 31
        next_pc = pc + ((w0 >> op.LENGTH_SHIFT) & 7)

        if cause >= 0:
            pass
        elif operation == op.ADDI:
            x[rd] = x[rs1] + w1
            cycle += 1
        elif operation == op.LOAD or operation == op.EVENT_LOAD:
            if log is not None:  # noqa: SIM102 - numba prunes this branch at compile time
                if s[st.LOG_USED] >= log.shape[1]:
                    status = st.LOG_FULL
                    break
            address = np.int64(x[rs1]) & _WORD
            mode = (w0 >> op.MODE_SHIFT) & 3
            size = (w0 >> op.SIZE_SHIFT) & 7
            following = address
            post_increment = rs1 != 0
            post_increment &= mode == op.MODE_POST_IMMEDIATE or mode == op.MODE_POST_REGISTER
            if mode == op.MODE_OFFSET:
                address = (address + w1) & _WORD
            elif mode == op.MODE_POST_IMMEDIATE:
                following = address + w1
            else:
                index = x[(w0 >> op.RS3_SHIFT) & 31]
                if mode == op.MODE_REGISTER:
                    address = (address + index) & _WORD
                else:
                    following = address + index
            offset = address - tcdm_base
            done = False
            latency = load_use
            if operation == op.EVENT_LOAD:
                pass
            elif offset >= tcdm_first and offset <= tcdm_bytes - size:
                if size == 4:
                    value = load32(tcdm, offset)
                elif size == 2:
                    value = load16(tcdm, offset)
                else:
                    value = load8(tcdm, offset)
                tcdm_loads += 1
                if stall_rate != 0:
                    stall_accumulator += stall_rate
                    extra = stall_accumulator >> 16
                    stall_accumulator &= 0xFFFF
                    cycle += extra
                    stalls += extra
                    s[st.CONTENTION_STALLS] += extra
                done = True
            else:
                offset = address - l2_base
                if offset < 0 or offset > l2_bytes - size:
                    offset = _region_offset(regions, address, size)
                if offset >= 0:
                    if size == 4:
                        value = load32(memory, offset)
                    elif size == 2:
                        value = load16(memory, offset)
                    else:
                        value = load8(memory, offset)
                    l2_accesses += 1
                    if l2_latency > 1:
                        cycle += l2_latency - 1
                        stalls += l2_latency - 1
                        latency = 0
                    done = True
                elif machine_mode:
                    cause = st.CAUSE_LOAD
                    value = address
            if done:
                if (address & 3) + size > 4:
                    cycle += misaligned
                if log is not None:
                    used = s[st.LOG_USED]
                    log[core, used, 0] = pc
                    log[core, used, 1] = address
                    log[core, used, 2] = size
                    log[core, used, 3] = 0
                    log[core, used, 4] = cycle
                    s[st.LOG_USED] = used + 1
                cycle += 1
                if post_increment:
                    x[rs1] = following
                if w0 & op.FLAG_FLOAT != 0:
                    f[rd & 31] = value if size == 4 else value | 0xFFFF0000
                    rd += 32
                elif w0 & op.FLAG_SIGNED != 0 and size != 4:
                    if size == 1:
                        x[rd] = (value ^ 0x80) - 0x80
                    else:
                        x[rd] = (value ^ 0x8000) - 0x8000
                else:
                    x[rd] = value
                if latency > 0 and (w0 & op.FLAG_FLOAT != 0 or rd != op.DISCARD):
                    ready[rd] = cycle + latency
                    pending |= np.int64(1) << rd
                    pending_until = max(pending_until, cycle + latency)
            elif cause < 0:
                if post_increment:
                    x[rs1] = following
                s[st.REQUEST_ADDRESS] = address
                s[st.REQUEST_SIZE] = size
                s[st.REQUEST_KIND] = st.KIND_EVENT if operation == op.EVENT_LOAD else st.KIND_LOAD
                s[st.REQUEST_VALUE] = 0
                s[st.REQUEST_RD] = rd
                s[st.REQUEST_SIGNED] = 1 if w0 & op.FLAG_SIGNED != 0 else 0
                s[st.REQUEST_FLOAT] = 1 if w0 & op.FLAG_FLOAT != 0 else 0
                s[st.FAULT_PC] = pc
                status = st.ACCESS
        elif operation == op.STORE:
            if log is not None:  # noqa: SIM102 - numba prunes this branch at compile time
                if s[st.LOG_USED] >= log.shape[1]:
                    status = st.LOG_FULL
                    break
            address = np.int64(x[rs1]) & _WORD
            mode = (w0 >> op.MODE_SHIFT) & 3
            size = (w0 >> op.SIZE_SHIFT) & 7
            following = address
            post_increment = rs1 != 0
            post_increment &= mode == op.MODE_POST_IMMEDIATE or mode == op.MODE_POST_REGISTER
            if mode == op.MODE_OFFSET:
                address = (address + w1) & _WORD
            elif mode == op.MODE_POST_IMMEDIATE:
                following = address + w1
            else:
                index = x[(w0 >> op.RS3_SHIFT) & 31]
                if mode == op.MODE_REGISTER:
                    address = (address + index) & _WORD
                else:
                    following = address + index
            value = np.int64(x[rs2]) & _WORD
            if w0 & op.FLAG_FLOAT != 0:
                value = np.int64(f[rs2])
            offset = address - tcdm_base
            done = False
            if offset >= tcdm_first and offset <= tcdm_bytes - size:
                if size == 4:
                    store32(tcdm, offset, value)
                elif size == 2:
                    store16(tcdm, offset, value)
                else:
                    store8(tcdm, offset, value)
                tcdm_stores += 1
                if stall_rate != 0:
                    stall_accumulator += stall_rate
                    extra = stall_accumulator >> 16
                    stall_accumulator &= 0xFFFF
                    cycle += extra
                    stalls += extra
                    s[st.CONTENTION_STALLS] += extra
                done = True
            else:
                offset = address - l2_base
                if offset < 0 or offset > l2_bytes - size:
                    offset = _region_offset(regions, address, size)
                if offset >= 0:
                    if size == 4:
                        store32(memory, offset, value)
                    elif size == 2:
                        store16(memory, offset, value)
                    else:
                        store8(memory, offset, value)
                    l2_accesses += 1
                    if l2_latency > 1:
                        cycle += l2_latency - 1
                        stalls += l2_latency - 1
                    inside = offset - window_first
                    if inside >= 0 and inside < window_size:
                        page = max(inside - 2, 0) >> PAGE_SHIFT
                        if pages[page] != 0 or pages[(inside + size - 1) >> PAGE_SHIFT] != 0:
                            _invalidate(program, offset, size)
                    if address == host_address and value != 0:
                        status = st.HOST
                    done = True
                elif machine_mode:
                    cause = st.CAUSE_STORE
                    value = address
            if done:
                if (address & 3) + size > 4:
                    cycle += misaligned
                if log is not None:
                    used = s[st.LOG_USED]
                    log[core, used, 0] = pc
                    log[core, used, 1] = address
                    log[core, used, 2] = size
                    log[core, used, 3] = 1
                    log[core, used, 4] = cycle
                    s[st.LOG_USED] = used + 1
                cycle += 1
            elif cause < 0:
                s[st.REQUEST_ADDRESS] = address
                s[st.REQUEST_SIZE] = size
                s[st.REQUEST_KIND] = st.KIND_STORE
                s[st.REQUEST_VALUE] = value
                s[st.REQUEST_RD] = op.DISCARD
                s[st.FAULT_PC] = pc
                status = st.ACCESS
            if cause < 0 and post_increment:
                x[rs1] = following
        elif operation >= op.FLOAT_FIRST:
            mode = (w0 >> op.RM_SHIFT) & 7
            if mode == 7:
                mode = rounding
            if mode > 4:
                cause = st.CAUSE_ILLEGAL
            else:
                a = np.int64(f[rs1])
                if w0 & op.FLAG_SIGNED != 0:
                    a = np.int64(x[rs1]) & _WORD
                b = np.int64(f[rs2])
                if w0 & op.FLAG_REPLICATE != 0:
                    b = (b & 0xFFFF) * 0x10001
                c = np.int64(f[(w0 >> op.RS3_SHIFT) & 31])
                value = execute_float(operation, a, b, c, mode)
                flags |= value >> 32
                if operation == op.FDIV or operation == op.HDIV or operation == op.VDIV:
                    cycle += config[st.FDIV]
                elif operation == op.FSQRT or operation == op.HSQRT or operation == op.VSQRT:
                    cycle += config[st.FSQRT]
                else:
                    cycle += 1
                if w0 & op.FLAG_FLOAT != 0:
                    f[rd & 31] = value & _WORD
                    rd += 32
                else:
                    x[rd] = value & _WORD
                if fp_latency > 0 and (w0 & op.FLAG_FLOAT != 0 or rd != op.DISCARD):
                    ready[rd] = cycle + fp_latency
                    pending |= np.int64(1) << rd
                    pending_until = max(pending_until, cycle + fp_latency)
        elif operation == op.BNE or operation == op.BEQ:
            if (x[rs1] == x[rs2]) == (operation == op.BEQ):
                next_pc = (pc + w1) & _WORD
                cycle += branch_taken
            else:
                cycle += branch_not_taken
            cycle += 1
        elif operation == op.BLT or operation == op.BGE:
            if (x[rs1] < x[rs2]) == (operation == op.BLT):
                next_pc = (pc + w1) & _WORD
                cycle += branch_taken
            else:
                cycle += branch_not_taken
            cycle += 1
        elif operation == op.BLTU or operation == op.BGEU:
            less = (np.int64(x[rs1]) & _WORD) < (np.int64(x[rs2]) & _WORD)
            if less == (operation == op.BLTU):
                next_pc = (pc + w1) & _WORD
                cycle += branch_taken
            else:
                cycle += branch_not_taken
            cycle += 1
        elif operation == op.BEQIMM or operation == op.BNEIMM:
            if (x[rs1] == w1 >> 32) == (operation == op.BEQIMM):
                next_pc = (pc + ((w1 & _WORD) ^ 0x80000000) - 0x80000000) & _WORD
                cycle += branch_taken
            else:
                cycle += branch_not_taken
            cycle += 1
        elif operation == op.ADD:
            x[rd] = x[rs1] + x[rs2]
            cycle += 1
        elif operation == op.SUB:
            x[rd] = x[rs1] - x[rs2]
            cycle += 1
        elif operation == op.SLLI:
            x[rd] = x[rs1] << w1
            cycle += 1
        elif operation == op.SRLI:
            x[rd] = (np.int64(x[rs1]) & _WORD) >> w1
            cycle += 1
        elif operation == op.SRAI:
            x[rd] = x[rs1] >> w1
            cycle += 1
        elif operation == op.ANDI:
            x[rd] = x[rs1] & w1
            cycle += 1
        elif operation == op.ORI:
            x[rd] = x[rs1] | w1
            cycle += 1
        elif operation == op.XORI:
            x[rd] = x[rs1] ^ w1
            cycle += 1
        elif operation == op.AND:
            x[rd] = x[rs1] & x[rs2]
            cycle += 1
        elif operation == op.OR:
            x[rd] = x[rs1] | x[rs2]
            cycle += 1
        elif operation == op.XOR:
            x[rd] = x[rs1] ^ x[rs2]
            cycle += 1
        elif operation == op.LUI:
            x[rd] = w1
            cycle += 1
        elif operation == op.AUIPC:
            x[rd] = pc + w1
            cycle += 1
        elif operation == op.SLT:
            x[rd] = 1 if x[rs1] < x[rs2] else 0
            cycle += 1
        elif operation == op.SLTU:
            x[rd] = 1 if (np.int64(x[rs1]) & _WORD) < (np.int64(x[rs2]) & _WORD) else 0
            cycle += 1
        elif operation == op.SLTI:
            x[rd] = 1 if x[rs1] < w1 else 0
            cycle += 1
        elif operation == op.SLTIU:
            x[rd] = 1 if (np.int64(x[rs1]) & _WORD) < (w1 & _WORD) else 0
            cycle += 1
        elif operation == op.SLL:
            x[rd] = np.int64(x[rs1]) << (x[rs2] & 31)
            cycle += 1
        elif operation == op.SRL:
            x[rd] = (np.int64(x[rs1]) & _WORD) >> (x[rs2] & 31)
            cycle += 1
        elif operation == op.SRA:
            x[rd] = np.int64(x[rs1]) >> (x[rs2] & 31)
            cycle += 1
        elif operation == op.JAL:
            if w1 == 0 and machine_mode and rd == op.DISCARD:
                s[st.FAULT_CODE] = st.STOP_LOOP
                s[st.FAULT_PC] = pc
                status = st.STOPPED
            x[rd] = next_pc
            next_pc = (pc + w1) & _WORD
            cycle += jump_cycles + 1
        elif operation == op.JALR:
            target = (x[rs1] + w1) & 0xFFFFFFFE
            cycle += config[st.JALR]
            if previous & op.FLAG_WRITES_X != 0 and (previous >> op.RD_SHIFT) & 63 == rs1:
                cycle += config[st.JALR_HAZARD]
                stalls += config[st.JALR_HAZARD]
            x[rd] = next_pc
            next_pc = target
        elif operation == op.MUL:
            x[rd] = np.int64(x[rs1]) * np.int64(x[rs2])
            cycle += 1
        elif operation == op.MAC:
            x[rd] = x[(w0 >> op.RS3_SHIFT) & 31] + np.int64(x[rs1]) * np.int64(x[rs2])
            cycle += 1
        elif operation == op.MSU:
            x[rd] = x[(w0 >> op.RS3_SHIFT) & 31] - np.int64(x[rs1]) * np.int64(x[rs2])
            cycle += 1
        elif operation == op.MULH:
            x[rd] = (np.int64(x[rs1]) * np.int64(x[rs2])) >> 32
            cycle += config[st.MULH]
        elif operation == op.MULHSU:
            x[rd] = (np.int64(x[rs1]) * (np.int64(x[rs2]) & _WORD)) >> 32
            cycle += config[st.MULH]
        elif operation == op.MULHU:
            product = (np.uint64(x[rs1]) & np.uint64(_WORD)) * (
                np.uint64(x[rs2]) & np.uint64(_WORD)
            )
            x[rd] = product >> np.uint64(32)
            cycle += config[st.MULH]
        elif operation >= op.DIV and operation <= op.REMU:
            a = np.int64(x[rs1])
            b = np.int64(x[rs2])
            x[rd] = _divide(operation, a, b)
            cycle += _division_cycles(operation, b, config[st.DIV_BASE], config[st.DIV_MAX])
        elif operation >= op.ALU_FIRST:
            second = 0
            if operation >= op.EXTRACT and operation <= op.BSET:
                second = w1 >> 32
                w1 &= _WORD
            d = np.int64(x[(w0 >> op.RS3_SHIFT) & 31])
            value = execute_alu(operation, np.int64(x[rs1]), np.int64(x[rs2]), d, w1, second)
            x[rd] = value
            cycle += 1
        elif operation >= op.LOOP_STARTI and operation <= op.LOOP_SETUP:
            target = pc + (w1 & _WORD)
            count = w1 >> 32
            if operation != op.LOOP_COUNTI and operation != op.LOOP_SETUPI:
                count = np.int64(x[rs1]) & _WORD
            kind = operation
            first = start0
            last = s[st.LOOP_END0]
            number = count0
            second_loop = (w0 >> op.RS3_SHIFT) & 31 == 1
            if second_loop:
                first = start1
                last = s[st.LOOP_END1]
                number = count1
            if kind == op.LOOP_STARTI:
                first = target
            elif kind == op.LOOP_START:
                first = count
            elif kind == op.LOOP_ENDI:
                last = target
            elif kind == op.LOOP_END:
                last = count
            else:
                number = count
                if kind >= op.LOOP_SETUPI:
                    first = next_pc
                    last = target
            # the programmed end stays in s; the local one is -1 while the loop is inactive
            if second_loop:
                start1, count1 = first, number
                s[st.LOOP_END1] = last
                end1 = last if number > 0 else -1
            else:
                start0, count0 = first, number
                s[st.LOOP_END0] = last
                end0 = last if number > 0 else -1
            cycle += 1
        elif operation >= op.CSRRW and operation <= op.CSRRCI:
            number = w1 & 0xFFF
            if operation >= op.CSRRWI:
                operand = w1 >> 32
                kind = operation - op.CSRRWI
                writes = kind == 0 or operand != 0
            else:
                operand = np.int64(x[rs1])
                kind = operation - op.CSRRW
                writes = kind == 0 or rs1 != 0
            s[st.CYCLE] = cycle
            s[st.INSTRUCTIONS] = retired
            s[st.FLAGS] = flags
            s[st.LOOP_START0], s[st.LOOP_COUNT0] = start0, count0
            s[st.LOOP_START1], s[st.LOOP_COUNT1] = start1, count1
            value = access_csr(s, core, number, operand, kind, writes)
            if value < 0:
                cause = st.CAUSE_ILLEGAL
            else:
                x[rd] = value
                flags = s[st.FLAGS]
                rounding = s[st.ROUNDING]
                cycle += config[st.CSR_MACHINE] if is_slow(number) else config[st.CSR]
        elif operation == op.FENCE:
            cycle += 1
        elif operation == op.FENCE_I:
            cycle += config[st.FENCE]
        elif operation == op.MRET:
            next_pc = s[st.MEPC]
            mstatus = s[st.MSTATUS]
            s[st.MSTATUS] = (mstatus & ~8) | ((mstatus >> 4) & 8) | 0x80
            cycle += config[st.TRAP]
        elif operation == op.ECALL:
            cause = st.CAUSE_ECALL
        elif operation == op.EBREAK:
            cause = st.CAUSE_BREAKPOINT
            value = pc
        elif operation == op.WFI:
            cycle += 1
            if not machine_mode or s[st.MIE] == 0:
                s[st.FAULT_CODE] = st.STOP_WFI
                s[st.FAULT_PC] = pc
                status = st.STOPPED
        else:
            cause = st.CAUSE_ILLEGAL

        if cause >= 0:
            if cause == st.CAUSE_ILLEGAL:
                value = code[row + 3] & _WORD
            stops = cause == st.CAUSE_ECALL or cause == st.CAUSE_BREAKPOINT
            s[st.FAULT_PC] = pc
            s[st.FAULT_ADDRESS] = value
            s[st.FAULT_CODE] = cause
            if not machine_mode or s[st.MTVEC] < 4:
                status = st.FAULT
                if stops:
                    status = st.STOPPED
                    s[st.FAULT_CODE] = st.STOP_ECALL
                    if cause == st.CAUSE_BREAKPOINT:
                        s[st.FAULT_CODE] = st.STOP_EBREAK
                break
            s[st.TRAPS] += 1
            s[st.MEPC] = pc
            s[st.MCAUSE] = cause
            s[st.MTVAL] = value
            mstatus = s[st.MSTATUS]
            s[st.MSTATUS] = (mstatus & ~0x88) | ((mstatus & 8) << 4)
            pc = s[st.MTVEC] & 0xFFFFFFFC
            cycle += config[st.TRAP]
            previous = np.int64(0)
            continue
        retired += 1
        previous = w0
        pc = next_pc
        if pc == end0:
            count0 -= 1
            if count0 > 0:
                pc = start0
            else:
                end0 = np.int64(-1)
        elif pc == end1:
            count1 -= 1
            if count1 > 0:
                pc = start1
            else:
                end1 = np.int64(-1)

    s[st.PC] = pc
    s[st.CYCLE] = cycle
    s[st.INSTRUCTIONS] = retired
    s[st.PENDING] = pending
    s[st.PENDING_UNTIL] = pending_until
    s[st.PREVIOUS] = previous
    s[st.LOOP_START0], s[st.LOOP_COUNT0] = start0, count0
    s[st.LOOP_START1], s[st.LOOP_COUNT1] = start1, count1
    s[st.FLAGS] = flags
    s[st.STALL_ACCUMULATOR] = stall_accumulator
    s[st.TCDM_LOADS] += tcdm_loads
    s[st.TCDM_STORES] += tcdm_stores
    s[st.L2_ACCESSES] += l2_accesses
    s[st.STALL_CYCLES] += stalls
    return status
