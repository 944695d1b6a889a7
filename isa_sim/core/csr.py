"""Control and status registers (CV32E40P user manual; RISC-V privileged manual, machine level)."""

from __future__ import annotations

from typing import Any

from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.jit import njit

_WORD = 0xFFFFFFFF
_MISA = 1 << 30 | 1 << 2 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 23
"""RV32, extensions C, F, I, M and X (non-standard)."""
_MSTATUS_WRITABLE = 0x88
_MSTATUS_MACHINE = 0x1800
"""The previous mode (MPP) is always machine mode."""
_MSTATUS_DIRTY = 1 << 31


@njit(cache=True)
def _cycles(s: Any) -> int:
    """mcycle: the offset itself while the counter is inhibited."""
    return s[st.CYCLE_OFFSET] + (0 if s[st.COUNT_INHIBIT] & 1 else s[st.CYCLE])


@njit(cache=True)
def _instructions(s: Any) -> int:
    """minstret, likewise."""
    return s[st.INSTRET_OFFSET] + (0 if s[st.COUNT_INHIBIT] & 4 else s[st.INSTRUCTIONS])


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
        return _cycles(s) & _WORD
    if number == 0xB80 or number == 0xC80:
        return _cycles(s) >> 32 & _WORD
    if number == 0xB02 or number == 0xC02:
        return _instructions(s) & _WORD
    if number == 0xB82 or number == 0xC82:
        return _instructions(s) >> 32 & _WORD
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
    """Registers that exist and read as zero: identification, mstatush, triggers, event counters."""
    if number == 0x310 or number == 0xF11 or number == 0xF12 or number == 0xF13 or number == 0xF15:
        return True
    if number >= 0x7A0 and number <= 0x7A4:
        return True
    counter = number & 0x1F
    bank = number & ~0x1F
    events = bank == 0x320 or bank == 0xB00 or bank == 0xB80 or bank == 0xC00 or bank == 0xC80
    return counter >= 3 and events


@njit(cache=True)
def _set_cycles(s: Any, value: int) -> None:
    s[st.CYCLE_OFFSET] = value - (0 if s[st.COUNT_INHIBIT] & 1 else s[st.CYCLE])


@njit(cache=True)
def _set_instructions(s: Any, value: int) -> None:
    s[st.INSTRET_OFFSET] = value - (0 if s[st.COUNT_INHIBIT] & 4 else s[st.INSTRUCTIONS])


@njit(cache=True)
def _uncount(s: Any) -> None:
    """The instruction that writes minstret is not counted."""
    if s[st.COUNT_INHIBIT] & 4 == 0:
        s[st.INSTRET_OFFSET] -= 1


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
        status = _MSTATUS_MACHINE | (value & _MSTATUS_WRITABLE)
        if value & st.FLOAT_ON != 0:  # floating point is off, or on and taken to be dirty
            status |= _MSTATUS_DIRTY | st.FLOAT_ON
        s[st.MSTATUS] = status
    elif number == 0x304:
        s[st.MIE] = value & 0xFFFF0888
    elif number == 0x305:
        s[st.MTVEC] = value & 0xFFFFFFFD
    elif number == 0x320:
        cycles, instructions = _cycles(s), _instructions(s)
        s[st.COUNT_INHIBIT] = value & 5
        _set_cycles(s, cycles)
        _set_instructions(s, instructions)
    elif number == 0x340:
        s[st.MSCRATCH] = value
    elif number == 0x341:
        s[st.MEPC] = value & 0xFFFFFFFE
    elif number == 0x342:
        s[st.MCAUSE] = value
    elif number == 0x343:
        s[st.MTVAL] = value
    elif number == 0xB00:
        _set_cycles(s, (_cycles(s) & ~_WORD) | value)
    elif number == 0xB80:
        _set_cycles(s, (_cycles(s) & _WORD) | value << 32)
    elif number == 0xB02:
        _set_instructions(s, (_instructions(s) & ~_WORD) | value)
        _uncount(s)
    elif number == 0xB82:
        _set_instructions(s, (_instructions(s) & _WORD) | value << 32)
        _uncount(s)


@njit(cache=True)
def access_csr(s: Any, core: int, number: int, value: int, kind: int, writes: bool) -> int:
    """Read, then write (kind 0), set (1) or clear (2) bits; the old value, -1 if not allowed."""
    if number <= 3 and s[st.MSTATUS] & st.FLOAT_ON == 0:
        return -1
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
