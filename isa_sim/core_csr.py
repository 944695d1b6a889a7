"""Control and status registers (CV32E40P user manual; RISC-V privileged manual, machine level)."""

from __future__ import annotations

from typing import Any

from softex_mlir.isa_sim import core_state as st
from softex_mlir.isa_sim.jit import njit

_WORD = 0xFFFFFFFF
_MISA = 1 << 30 | 1 << 2 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 23
"""RV32, extensions C, F, I, M and X (non-standard)."""
_MSTATUS_WRITABLE = 0x88
_MSTATUS_FIXED = 0x80007800


@njit(cache=True)
def _read(s: Any, core: int, number: int) -> int:
    """Value of a register of core's row ``s``; -1 if it does not exist."""
    if number == 0x001:
        return s[st.FLAGS]
    if number == 0x002:
        return s[st.ROUNDING]
    if number == 0x003:
        return s[st.ROUNDING] << 5 | s[st.FLAGS]
    if number == 0x300:
        return s[st.MSTATUS]
    if number == 0x301:
        return _MISA
    if number == 0x304:
        return s[st.MIE]
    if number == 0x305:
        return s[st.MTVEC]
    if number == 0x320:
        return s[st.COUNT_INHIBIT]
    if number == 0x340:
        return s[st.MSCRATCH]
    if number == 0x341:
        return s[st.MEPC]
    if number == 0x342:
        return s[st.MCAUSE]
    if number == 0x343:
        return s[st.MTVAL]
    if number == 0x344:
        return s[st.MIP]
    if number == 0xB00 or number == 0xC00:
        return (s[st.CYCLE] + s[st.CYCLE_OFFSET]) & _WORD
    if number == 0xB80 or number == 0xC80:
        return ((s[st.CYCLE] + s[st.CYCLE_OFFSET]) >> 32) & _WORD
    if number == 0xB02 or number == 0xC02:
        return (s[st.INSTRUCTIONS] + s[st.INSTRET_OFFSET]) & _WORD
    if number == 0xB82 or number == 0xC82:
        return ((s[st.INSTRUCTIONS] + s[st.INSTRET_OFFSET]) >> 32) & _WORD
    if number == 0xF14 or number == 0xCD0:  # mhartid and its user-level copy
        return core
    if number == 0xCC0:
        return s[st.LOOP_START0]
    if number == 0xCC1:
        return s[st.LOOP_END0] if s[st.LOOP_END0] >= 0 else 0
    if number == 0xCC2:
        return s[st.LOOP_COUNT0]
    if number == 0xCC4:
        return s[st.LOOP_START1]
    if number == 0xCC5:
        return s[st.LOOP_END1] if s[st.LOOP_END1] >= 0 else 0
    if number == 0xCC6:
        return s[st.LOOP_COUNT1]
    return 0 if _is_zero(number) else -1


@njit(cache=True)
def _is_zero(number: int) -> bool:
    """Registers that exist and read as zero: identification, mstatush, event counters."""
    if number == 0x310 or number == 0xF11 or number == 0xF12 or number == 0xF13 or number == 0xF15:
        return True
    counter = number & 0x1F
    bank = number & ~0x1F
    return counter >= 3 and (bank == 0x320 or bank == 0xB00 or bank == 0xB80)


@njit(cache=True)
def _write(s: Any, number: int, value: int) -> None:
    if number == 0x001:
        s[st.FLAGS] = value & 31
    elif number == 0x002:
        s[st.ROUNDING] = value & 7
    elif number == 0x003:
        s[st.FLAGS] = value & 31
        s[st.ROUNDING] = (value >> 5) & 7
    elif number == 0x300:
        s[st.MSTATUS] = _MSTATUS_FIXED | (value & _MSTATUS_WRITABLE)
    elif number == 0x304:
        s[st.MIE] = value & 0xFFFF0888
    elif number == 0x305:
        s[st.MTVEC] = value & 0xFFFFFFFD
    elif number == 0x320:
        s[st.COUNT_INHIBIT] = value & 5
    elif number == 0x340:
        s[st.MSCRATCH] = value
    elif number == 0x341:
        s[st.MEPC] = value & 0xFFFFFFFE
    elif number == 0x342:
        s[st.MCAUSE] = value
    elif number == 0x343:
        s[st.MTVAL] = value
    elif number == 0xB00 or number == 0xB80:
        old = s[st.CYCLE] + s[st.CYCLE_OFFSET]
        new = (old & ~_WORD) | value if number == 0xB00 else (old & _WORD) | value << 32
        s[st.CYCLE_OFFSET] = new - s[st.CYCLE]
    elif number == 0xB02 or number == 0xB82:
        old = s[st.INSTRUCTIONS] + s[st.INSTRET_OFFSET]
        new = (old & ~_WORD) | value if number == 0xB02 else (old & _WORD) | value << 32
        s[st.INSTRET_OFFSET] = new - s[st.INSTRUCTIONS] - 1  # this instruction does not count


@njit(cache=True)
def access_csr(s: Any, core: int, number: int, value: int, kind: int, writes: bool) -> int:
    """Read, then write (kind 0), set (1) or clear (2) bits; the old value, -1 if not allowed."""
    old = _read(s, core, number)
    if old < 0 or (writes and (number >> 10) == 3):
        return -1
    if writes:
        value &= _WORD
        if kind == 1:
            value |= old
        elif kind == 2:
            value = old & ~value
        _write(s, number, value)
    return old


@njit(cache=True)
def is_slow(number: int) -> bool:
    """Whether an access flushes the pipeline (four cycles instead of one)."""
    trap = number == 0x300 or number == 0x305 or number == 0x341 or number == 0x342
    return trap or number == 0xB00 or number == 0xB02 or number == 0xB80 or number == 0xB82
