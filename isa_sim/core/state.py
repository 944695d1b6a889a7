"""State of the cores as a few flat arrays, one row a core, and the names of its columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softex_mlir.abi import COUNTER_BYTES
from softex_mlir.isa_sim.machine import Machine

LIMIT, ACCESS, FAULT, STOPPED, LOG_FULL, DECODE, HOST = range(7)
"""Why :func:`softex_mlir.isa_sim.core.interpreter.run_core` returned.

``LIMIT``: the cycle or instruction limit was reached. ``ACCESS``: a load or store outside the fast
memories waits in ``REQUEST`` (complete it with ``complete_access``). ``FAULT``: see ``FAULT_*``.
``STOPPED``: ecall, ebreak, wfi or a jump to itself, see ``FAULT_CODE``. ``LOG_FULL``: the access
log has no room. ``DECODE``: the code at ``PC`` was never decoded. ``HOST``: a word was written to
the host interface address."""

COLUMNS = 64

(
    PC, CYCLE, INSTRUCTIONS, INSTRUCTION_LIMIT,
    TCDM_LOADS, TCDM_STORES, L2_ACCESSES, STALL_CYCLES, FETCH_STALLS, CONTENTION_STALLS,
    STALL_RATE, STALL_ACCUMULATOR, LOG_USED, PENDING, PENDING_UNTIL, PREVIOUS,
    LOOP_START0, LOOP_END0, LOOP_COUNT0, LOOP_START1, LOOP_END1, LOOP_COUNT1,
    FLAGS, ROUNDING, MSTATUS, MTVEC, MEPC, MCAUSE, MTVAL, MSCRATCH, MIE, MIP,
    CYCLE_OFFSET, INSTRET_OFFSET, COUNT_INHIBIT,
    FAULT_CODE, FAULT_ADDRESS, FAULT_PC, TRAPS, TRAP_CAUSE, TRAP_VALUE, TRAP_PC,
    NEXT_PC, RESULT, REQUEST, *_,
) = range(COLUMNS)  # fmt: skip
"""Columns of ``CoreState.s`` (int64). Times in cycles; ``STALL_RATE`` is extra cycles a TCDM access
in 1/65536; ``FETCH_STALLS``, ``CONTENTION_STALLS`` are parts of ``STALL_CYCLES``. Loop ends are -1
until a loop is programmed. ``NEXT_PC`` and ``RESULT`` are what a system instruction hands to the
interpreter. ``TRAP_*`` are of the last trap taken that was no environment call. ``REQUEST`` is
the first of seven columns."""
(
    REQUEST_ADDRESS, REQUEST_SIZE, REQUEST_KIND, REQUEST_VALUE, REQUEST_RD, REQUEST_SIGNED,
    REQUEST_FLOAT, *_,
) = range(REQUEST, COLUMNS)  # fmt: skip
KIND_LOAD, KIND_STORE, KIND_EVENT = range(3)

(
    TCDM_BASE, TCDM_FIRST, TCDM_BYTES, L2_BASE, L2_BYTES, L2_LATENCY, MACHINE_MODE, HOST_ADDRESS,
    FP_LATENCY, FDIV, FSQRT, MULH, DIV_BASE, DIV_MAX, BRANCH_TAKEN, BRANCH_NOT_TAKEN, JUMP, JALR,
    JALR_HAZARD, LOAD_USE, MISALIGNED, CSR, CSR_MACHINE, FENCE, LINE_SHIFT, REFILL, TRAP, *_,
) = range(COLUMNS)  # fmt: skip
"""Entries of ``CoreState.config`` (int64)."""

FLOAT_ON = 0x6000
"""The field FS of mstatus: zero turns floating point off."""

CAUSE_FETCH, CAUSE_ILLEGAL, CAUSE_BREAKPOINT, CAUSE_LOAD, CAUSE_STORE, CAUSE_ECALL = (
    1,
    2,
    3,
    5,
    7,
    11,
)
"""Trap causes (mcause) and fault codes."""
STOP_ECALL, STOP_EBREAK, STOP_WFI, STOP_LOOP, STOP_SEMIHOST = 32, 33, 34, 35, 36
"""``FAULT_CODE`` of status ``STOPPED``."""

FAULT_TEXT = {
    CAUSE_FETCH: "instruction fetch outside the program",
    CAUSE_ILLEGAL: "illegal instruction",
    CAUSE_BREAKPOINT: "breakpoint",
    CAUSE_LOAD: "load from an unmapped address",
    CAUSE_STORE: "store to an unmapped address",
    CAUSE_ECALL: "environment call",
    STOP_ECALL: "environment call",
    STOP_EBREAK: "breakpoint",
    STOP_WFI: "wait for an interrupt that cannot come",
    STOP_LOOP: "endless jump to itself",
}
"""What a fault or stop code means."""


class CoreState(NamedTuple):
    """All cores: ``x`` int32[cores, 64] and ``f`` uint32[cores, 32] registers, ``s`` int64[cores,
    COLUMNS] everything else, ``ready`` int64[cores, 64] the cycle each register is usable from
    (f0 is 32), ``config`` int64 the machine's map and timing. ``x[core, 32]`` takes the results
    that go to x0."""

    x: NDArray[np.int32]
    f: NDArray[np.uint32]
    s: NDArray[np.int64]
    ready: NDArray[np.int64]
    config: NDArray[np.int64]


def make_state(machine: Machine, cores: int, reserved_bytes: int = COUNTER_BYTES) -> CoreState:
    """Reset state. Accesses to the first ``reserved_bytes`` of TCDM return as ``ACCESS``."""
    cluster, core = machine.cluster, machine.core
    config = np.zeros(32, np.int64)
    config[TCDM_BASE] = cluster.tcdm_base
    config[TCDM_FIRST] = reserved_bytes
    config[TCDM_BYTES] = cluster.tcdm_bytes
    config[L2_BASE] = cluster.l2_base
    config[L2_BYTES] = cluster.l2_bytes
    config[L2_LATENCY] = cluster.l2_latency_cycles
    config[HOST_ADDRESS] = -1
    config[FP_LATENCY : TRAP + 1] = (
        core.fp_latency, core.fdiv_latency, core.fsqrt_latency, core.mulh_cycles,
        core.div_base_cycles, core.div_max_cycles, core.branch_taken_cycles,
        core.branch_not_taken_cycles, core.jump_cycles, core.jump_register_cycles,
        core.jump_register_hazard_cycles, core.load_use_cycles, core.misaligned_cycles,
        core.csr_cycles, core.csr_machine_cycles, core.fence_cycles,
        cluster.icache_line_bytes.bit_length() - 1, cluster.icache_refill_cycles, 4,
    )  # fmt: skip
    state = CoreState(
        x=np.zeros((cores, 64), np.int32),
        f=np.zeros((cores, 32), np.uint32),
        s=np.zeros((cores, COLUMNS), np.int64),
        ready=np.zeros((cores, 64), np.int64),
        config=config,
    )
    state.s[:, INSTRUCTION_LIMIT] = 1 << 62
    state.s[:, LOOP_END0] = state.s[:, LOOP_END1] = -1
    state.s[:, MSTATUS] = 0x80007800  # machine mode, floating point on (dirty)
    return state
