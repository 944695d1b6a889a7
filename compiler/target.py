"""Which machines the compiler has programs for.

The simulator runs programs for every machine description; the compiler's schedules ask for a little
more of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from xdsl.ir import Use

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.weights import BF16
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.transformer import INNER_UNIT
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.redmule import padded_inner_unit
from softex_mlir.isa_sim.units.softex_jobs import max_terms
from softex_mlir.isa_sim.units.softex_sums import BLOCK


def inner_unit(machine: Machine, inner: int) -> int:
    """What an inner dimension is padded to a multiple of on a machine."""
    unit = machine.redmule
    return INNER_UNIT if unit is None else padded_inner_unit(inner, INNER_UNIT, unit)


def padded_inner(machine: Machine, inner: int) -> int:
    """An inner dimension as products on a machine have it."""
    return round_up(inner, inner_unit(machine, inner))


class TargetError(UserError, ValueError):
    """A machine that the compiler has no program for; it runs in the simulator."""


def check_target(machine: Machine) -> None:
    """Find out before any work whether models compile for a machine.

    Raises:
        TargetError: they do not; the text has all reasons.
    """
    problems = list(_problems(machine))
    if problems:
        raise TargetError(f"machine {machine.name!r}: no model compiles: {'; '.join(problems)}")


def _problems(machine: Machine) -> Iterator[str]:
    redmule, softex = machine.redmule, machine.softex
    streams = "dma_in, dma_out, compute" if redmule is None else "dma_in, dma_out, redmule, compute"
    fewest = len(streams.split(", "))
    if machine.cluster.cores < fewest:
        less = "" if redmule is None else f", or {fewest - 1} with redmule.present=false"
        yield (
            f"a program's streams ({streams}) take a core each: expected {fewest} cores or more, "
            f"found cluster.cores = {machine.cluster.cores}: the nearest that works is "
            f"{fewest}{less}"
        )
    if redmule is not None and redmule.max_stored_rows < redmule.rows:
        yield (
            f"redmule.max_stored_rows must be at least redmule.rows = {redmule.rows}, "
            f"found {redmule.max_stored_rows}"
        )
    if softex is not None and softex.queue_depth < 2:
        yield (
            "rows of a softmax are queued while the one before runs: softex.queue_depth must be 2, "
            f"found {softex.queue_depth}"
        )
    if softex is not None and softex.terms > max_terms(softex):
        yield (
            f"a sum of softex.terms = {softex.terms} exponentials deadlocks with {softex.lanes} "
            f"lanes: expected at most {max_terms(softex)}"
        )
    elif softex is not None and softex.terms > BLOCK:
        yield (
            f"sums of more than {BLOCK} exponentials hang unless the unit is cleared before each, "
            f"which programs do not: softex.terms must be at most {BLOCK}, found {softex.terms}"
        )


def check_ports(model: Model, machine: Machine) -> None:
    """Refuse a model of which one input or output alone exceeds the L2, before it is evaluated.

    Raises:
        TargetError: one does.
    """
    room = machine.cluster.l2_bytes
    for port in (*model.inputs, *model.outputs):
        need = BF16.itemsize * math.prod(port.shape)
        if need > room:
            shape = "x".join(map(str, port.shape))
            raise TargetError(
                f"'{port.name}' ({shape}) needs {need} bytes of L2, the machine '{machine.name}' "
                f"has {room}: enlarge cluster.l2_bytes"
            )


def check_room(model: Model, machine: Machine) -> None:
    """Refuse a model whose products' weights alone exceed the L2, before any work on them.

    Raises:
        TargetError: they do.
    """
    weights: dict[str, int] = {}
    for op in model.module.walk():
        if isinstance(op, tf.GetWeightOp) and any(_multiplies(use) for use in op.result.uses):
            weights[op.weight.string_value()] = math.prod(tf.shape_of(op.result))
    need, room = BF16.itemsize * sum(weights.values()), machine.cluster.l2_bytes
    if need > room:
        raise TargetError(
            f"the weights of its matrix products need {need} bytes of L2, the machine "
            f"'{machine.name}' has {room}: enlarge cluster.l2_bytes"
        )


def _multiplies(use: Use) -> bool:
    """Whether a matrix product reads a value, or its transpose."""
    op = use.operation
    if isinstance(op, tf.TransposeOp):
        return any(_multiplies(further) for further in op.result.uses)
    return isinstance(op, tf.MatmulOp | tf.LinearOp)
