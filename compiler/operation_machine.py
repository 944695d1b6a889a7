"""The machine as operations see it that do without a unit: products or functions on the cores."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from xdsl.ir import Operation

from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine


def machine_for(op: Operation, machine: Machine) -> Machine:
    """A machine with the units that an operation of the fused form works on: without RedMulE and
    SoftEx where its sums are in f32, without SoftEx where its softmax or GELU is the cores'."""
    wide = isinstance(op, t.CAN_BE_WIDE) and op.wide is not None
    software = isinstance(op, t.LinearOp | t.AttentionOp) and op.software is not None
    return without_units(machine, wide=wide, software=software)


@cache
def without_units(machine: Machine, *, wide: bool, software: bool) -> Machine:
    """`machine_for` for an operation with such sums and functions.

    Where RedMulE is there, a core drives it whatever the operation: the others are one fewer.
    """
    if not wide:
        return machine.without_softex() if software else machine
    if machine.redmule is None:
        return machine.without_softex()
    others = replace(machine.cluster, cores=machine.cluster.cores - 1)
    return replace(machine.cores_alone(), cluster=others)
