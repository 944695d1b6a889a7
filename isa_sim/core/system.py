"""Rare instructions of a core: control registers, hardware loops, traps and their return.

:func:`execute_system` works on the core's row ``s``: the interpreter stores its clock there and
takes clock, next pc and result from there.
"""

from __future__ import annotations

from typing import Any

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.csr import access_csr, is_slow
from softex_mlir.isa_sim.jit import njit

_WORD = 0xFFFFFFFF


@njit(cache=True)
def _set_loop(s: Any, operation: int, loop: int, target: int, value: int, following: int) -> None:
    """Program a hardware loop; ``value`` is a count, or an address in a register."""
    at = st.LOOP_START1 if loop == 1 else st.LOOP_START0
    if operation == op.LOOP_START or operation == op.LOOP_END:
        value &= ~1  # no instruction is at an odd address
    if operation == op.LOOP_STARTI or operation == op.LOOP_START:
        s[at] = target if operation == op.LOOP_STARTI else value
    elif operation == op.LOOP_ENDI or operation == op.LOOP_END:
        s[at + 1] = target if operation == op.LOOP_ENDI else value
    else:
        s[at + 2] = value
        if operation >= op.LOOP_SETUPI:
            s[at] = following
            s[at + 1] = target


@njit(cache=True)
def execute_system(
    s: Any, config: Any, core: int, w0: int, w1: int, source: int, pc: int, next_pc: int
) -> int:
    """Execute; -1, the cause of a trap, or a ``STOP`` code.

    ``source`` is the value of rs1. The instruction's own cycle is in ``s[CYCLE]`` already.
    """
    operation = w0 & op.OPERATION
    s[st.NEXT_PC] = next_pc
    s[st.RESULT] = 0
    if operation >= op.CSRRW and operation <= op.CSRRCI:
        number = w1 & 0xFFF
        kind = operation - op.CSRRW
        operand = source
        writes = kind == 0 or (w0 >> op.RS1_SHIFT) & 31 != 0
        if operation >= op.CSRRWI:
            kind -= op.CSRRWI - op.CSRRW
            operand = w1 >> 32
            writes = kind == 0 or operand != 0
        value = access_csr(s, core, number, operand, kind, writes)
        if value < 0:
            return st.CAUSE_ILLEGAL
        s[st.RESULT] = value
        s[st.CYCLE] += (config[st.CSR_MACHINE] if is_slow(number) else config[st.CSR]) - 1
        return -1
    if operation >= op.LOOP_STARTI and operation <= op.LOOP_SETUP:
        value = source & _WORD
        if operation == op.LOOP_COUNTI or operation == op.LOOP_SETUPI:
            value = w1 >> 32
        loop = (w0 >> op.RS3_SHIFT) & 31
        _set_loop(s, operation, loop, pc + (w1 & _WORD), value, next_pc)
        return -1
    if operation == op.FENCE_I:
        s[st.CYCLE] += config[st.FENCE] - 1
        return -1
    if operation == op.MRET:
        s[st.NEXT_PC] = s[st.MEPC]
        status = s[st.MSTATUS]
        s[st.MSTATUS] = (status & ~8) | ((status >> 4) & 8) | 0x80
        s[st.CYCLE] += config[st.TRAP] - 1
        return -1
    if operation == op.ECALL:
        return st.CAUSE_ECALL
    if operation == op.SEMIHOST and config[st.MACHINE_MODE] != 0:
        return st.STOP_SEMIHOST
    if operation == op.EBREAK or operation == op.SEMIHOST:
        return st.CAUSE_BREAKPOINT
    if operation == op.WFI:
        return st.STOP_WFI if config[st.MACHINE_MODE] == 0 or s[st.MIE] == 0 else -1
    return st.CAUSE_FETCH if operation == op.FETCH_FAULT else st.CAUSE_ILLEGAL


@njit(cache=True)
def enter_trap(s: Any, config: Any, cause: int, value: int, pc: int) -> int:
    """Take a trap; the handler's address, or -1 with the fault noted if there is no handler.

    A handler whose first instruction traps would do so for ever: none either.
    """
    s[st.FAULT_PC] = pc
    s[st.FAULT_ADDRESS] = value
    s[st.FAULT_CODE] = cause
    handler = s[st.MTVEC] & 0xFFFFFFFC
    if config[st.MACHINE_MODE] == 0 or handler == 0 or handler == pc:
        if cause == st.CAUSE_ECALL:
            s[st.FAULT_CODE] = st.STOP_ECALL
        elif cause == st.CAUSE_BREAKPOINT:
            s[st.FAULT_CODE] = st.STOP_EBREAK
        return -1
    s[st.TRAPS] += 1
    if cause != st.CAUSE_ECALL:
        s[st.TRAP_CAUSE] = cause
        s[st.TRAP_VALUE] = value
        s[st.TRAP_PC] = pc
    s[st.MEPC] = pc
    s[st.MCAUSE] = cause
    s[st.MTVAL] = value
    status = s[st.MSTATUS]
    s[st.MSTATUS] = (status & ~0x88) | ((status & 8) << 4)
    return handler
