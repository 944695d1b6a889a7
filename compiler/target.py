"""Which machines the compiler has programs for.

The simulator runs programs for every machine description; the compiler's schedules ask for a little
more of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.softex_jobs import max_terms
from softex_mlir.isa_sim.units.softex_sums import BLOCK

PADDING = 32
"""Elements that inner dimensions and columns of matrix products are padded to a multiple of."""


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
        yield (
            f"a program's streams ({streams}) take a core each: expected {fewest} cores or more, "
            f"found cluster.cores = {machine.cluster.cores}"
        )
    if redmule is not None:
        width = redmule.tile_columns
        if PADDING % width:
            yield (
                f"matrices are padded to {PADDING}, which RedMulE's tile has to divide: "
                "redmule.columns x (pipeline_registers + 1) must be 4, 8, 16 or 32, "
                f"found {width}"
            )
        if redmule.min_inner > PADDING:
            yield (
                f"inner dimensions are padded to {PADDING}: redmule.min_inner must be at most "
                f"that, found {redmule.min_inner}"
            )
        if redmule.max_stored_rows < redmule.rows:
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
