"""What a core does with memory: finding an address, fetching code, loads, stores, requests.

Helpers of :func:`softex_mlir.isa_sim.core.interpreter.run_core`. ``s`` is the core's row of
``CoreState.s``, ``memory`` the uint8 array of all memory that is not TCDM, ``regions`` its map
(:class:`softex_mlir.isa_sim.core.decode.DecodedCode`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.decode import PAGE_SHIFT, DecodedCode
from softex_mlir.isa_sim.core.state import CoreState
from softex_mlir.isa_sim.intrinsics import store8, store16, store32
from softex_mlir.isa_sim.jit import njit

_WORD = 0xFFFFFFFF


@njit(cache=True)
def region_offset(regions: Any, address: int, size: int) -> int:
    """Memory offset of an access, -1 if no region holds all of it."""
    for index in range(regions.shape[0]):
        inside = address - regions[index, 0]
        if inside >= 0 and inside + size <= regions[index, 1]:
            return regions[index, 2] + inside
    return -1


@njit(cache=True)
def faulting_portion(regions: Any, address: int) -> int:
    """First address of the part of an access that no region holds: the core splits at words."""
    return (address & ~3) + 4 if region_offset(regions, address, 1) >= 0 else address


@njit(cache=True)
def find_window(program: DecodedCode, pc: int) -> tuple[int, int, int]:
    """Base address and bytes of the code around ``pc``, and the index of its first row.

    Outside all code: an empty window at ``pc`` whose row is the fetch fault.
    """
    first, size = program.window[0], program.window[1]
    for index in range(program.regions.shape[0]):
        base = program.regions[index, 0]
        offset = program.regions[index, 2]
        # the part of the region that the code window covers
        start = max(offset, first)
        end = min(offset + program.regions[index, 1], first + size)
        inside = pc - (base + start - offset)
        if inside >= 0 and inside < end - start - 1:
            return base + start - offset, end - start, op.ROW * ((start - first) >> 1)
    return pc, 0, program.code.size - op.ROW


@njit(cache=True)
def fetch_cold(s: Any, config: Any, touched: Any, at: int, length: int) -> int:
    """Cycles to fetch an instruction at byte ``at`` of the code for the first time."""
    cycles = 0
    first = at >> config[st.LINE_SHIFT]
    last = (at + length - 1) >> config[st.LINE_SHIFT]
    for line in range(first, last + 1):
        if touched[line] == 0:
            touched[line] = 1
            cycles += config[st.REFILL]
    s[st.STALL_CYCLES] += cycles
    s[st.FETCH_STALLS] += cycles
    return cycles


@njit(cache=True, forceinline=True)
def holds_code(pages: Any, at: int, code_bytes: int, size: int) -> bool:
    """Whether bytes ``at`` of the code window were decoded, or the instruction across them."""
    if at < 0 or at >= code_bytes:
        return False
    return pages[max(at - 2, 0) >> PAGE_SHIFT] != 0 or pages[(at + size - 1) >> PAGE_SHIFT] != 0


@njit(cache=True)
def forget_code(program: DecodedCode, offset: int, size: int) -> None:
    """Undecode the rows that a store to the memory offset changed."""
    inside = offset - program.window[0]
    last = min((inside + size - 1) >> 1, program.code.size // op.ROW - 2)
    for row in range(max((inside >> 1) - 1, 0), last + 1):
        if program.pages[(2 * row) >> PAGE_SHIFT] != 0:
            program.code[op.ROW * row] = op.UNDECODED


@njit(cache=True, forceinline=True)
def effective_address(x: Any, mode: int, w0: int, w1: int) -> tuple[int, int]:
    """Address of a load or store, and what the post-increment modes leave in rs1."""
    base: Any = np.int64(x[(w0 >> op.RS1_SHIFT) & 31]) & _WORD
    if mode == op.MODE_OFFSET:
        return (base + w1) & _WORD, base
    if mode == op.MODE_POST_IMMEDIATE:
        return base, base + w1
    index: Any = np.int64(x[(w0 >> op.RS3_SHIFT) & 31])
    if mode == op.MODE_REGISTER:
        return (base + index) & _WORD, base
    return base, base + index


@njit(cache=True, forceinline=True)
def write(address: int, size: int, value: int) -> None:
    """Store the low 1, 2 or 4 bytes of a value at a host address."""
    if size == 4:
        store32(address, value)
    elif size == 2:
        store16(address, value)
    else:
        store8(address, value)


@njit(cache=True, forceinline=True)
def contention_stall(s: Any) -> int:
    """Cycles this TCDM access waits for its bank, at the rate the cluster has set."""
    if s[st.STALL_RATE] == 0:
        return 0
    total = s[st.STALL_ACCUMULATOR] + s[st.STALL_RATE]
    s[st.STALL_ACCUMULATOR] = total & 0xFFFF
    s[st.STALL_CYCLES] += total >> 16
    s[st.CONTENTION_STALLS] += total >> 16
    return total >> 16


@njit(cache=True)
def note_access(
    s: Any, log: Any, core: int, pc: int, address: int, size: int, store: int, cycle: int
) -> None:
    """Append to the access log, which has room."""
    used = s[st.LOG_USED]
    for column, value in enumerate((pc, address, size, store, cycle)):
        log[core, used, column] = value
    s[st.LOG_USED] = used + 1


@njit(cache=True)
def request(s: Any, w0: int, pc: int, address: int, kind: int, value: int) -> None:
    """Leave an access outside the fast memories for the caller of the interpreter."""
    s[st.REQUEST_ADDRESS] = address
    s[st.REQUEST_SIZE] = (w0 >> op.SIZE_SHIFT) & 7
    s[st.REQUEST_KIND] = kind
    s[st.REQUEST_VALUE] = value
    s[st.REQUEST_RD] = (w0 >> op.RD_SHIFT) & 63
    s[st.REQUEST_SIGNED] = 1 if w0 & op.FLAG_SIGNED != 0 else 0
    s[st.REQUEST_FLOAT] = 1 if w0 & op.FLAG_FLOAT != 0 else 0
    s[st.FAULT_PC] = pc


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
        state.f[core, row[st.REQUEST_RD]] = np.uint32(value & _WORD)
    else:
        state.x[core, row[st.REQUEST_RD]] = value
