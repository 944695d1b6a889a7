"""
The code around the kernels: each core finds its stream and walks the table of launches.

Which registers have a role while kernels run says :mod:`softex_mlir.abi`; kernels may use all
others.
"""

from __future__ import annotations

from softex_mlir import abi
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import event_unit

START = "_start"
"""Symbol of the program's start."""


def team_of(machine: Machine) -> range:
    """The cores of the compute team; the others drive the stream of their own number."""
    team = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)[abi.COMPUTE]
    if not team:
        raise UserError(
            f"machine '{machine.name}': {team.start} cores drive the DMA and the accelerators, so "
            f"programs need at least {team.start + 1}; cluster.cores is {machine.cluster.cores}"
        )
    return team


def boot_assembly(
    machine: Machine, table: int, record_bytes: int, launches: int, start: str = START
) -> str:
    """
    Assembly of the program's start, or of an entry's, at the symbol `start`.

    `table` is the address of the first launch record, of `launches` records of `record_bytes` each.
    """
    cluster = machine.cluster
    members = team_of(machine)
    compute = abi.STREAMS.index(abi.COMPUTE)
    events = cluster.peripheral_base + event_unit.ALIAS_OFFSET
    team = event_unit.BARRIER + abi.TEAM_BARRIER * event_unit.BARRIER_STRIDE
    everybody = event_unit.BARRIER + abi.PROGRAM_BARRIER * event_unit.BARRIER_STRIDE
    trigger, target = event_unit.BARRIER_TRIGGER_MASK, event_unit.BARRIER_TARGET_MASK
    arrive = event_unit.BARRIER_TRIGGER_WAIT_CLEAR
    stacks = cluster.tcdm_base + abi.COUNTER_BYTES + abi.STACK_BYTES
    end = table + launches * record_bytes
    advance = (
        [f"    addi tp, tp, {record_bytes}"]
        if record_bytes < 2048
        else [f"    li t0, {record_bytes}", "    add tp, tp, t0"]
    )
    return "\n".join(
        [
            ".text",
            f".globl {start}",
            f".type {start}, @function",
            f"{start}:",
            "    csrr t0, mhartid",
            f"    li sp, {stacks}",
            f"    slli t1, t0, {abi.STACK_BYTES.bit_length() - 1}",
            "    add sp, sp, t1",
            "    # all members write the same masks, each before it arrives anywhere",
            f"    li t2, {events}",
            f"    li t3, {sum(1 << core for core in members)}",
            f"    sw t3, {team + trigger}(t2)",
            f"    sw t3, {team + target}(t2)",
            f"    li t3, {(1 << cluster.cores) - 1}",
            f"    sw t3, {everybody + trigger}(t2)",
            f"    sw t3, {everybody + target}(t2)",
            "    # cores before the team drive the stream of their own number",
            "    slli gp, t0, 2",
            f"    li t1, {members.start}",
            "    blt t0, t1, .Lboot_walk",
            f"    li gp, {4 * compute}",
            ".Lboot_walk:",
            f"    la tp, {table}",
            ".Lboot_next:",
            f"    la t0, {end}",
            "    beq tp, t0, .Lboot_done",
            "    add t0, tp, gp",
            "    lw t1, 0(t0)",
            "    beqz t1, .Lboot_skip",
            "    jalr ra, 0(t1)",
            ".Lboot_skip:",
            *advance,
            "    j .Lboot_next",
            ".Lboot_done:",
            f"    li t2, {events}",
            f"    cv.elw zero, {everybody + arrive}(t2)",
            "    csrr t0, mhartid",
            "    bnez t0, .Lboot_halt",
            f"    li t1, {cluster.peripheral_base}",
            "    sw zero, 0(t1)",
            ".Lboot_halt:",
            "    j .Lboot_halt",
            f".size {start}, . - {start}",
            "",
        ]
    )
