"""What a dialect's verifier lets through the unit computes, on any machine."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from xdsl.utils.exceptions import VerifyException

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import single_operation
from softex_mlir.dialects.redmule import check_sizes
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import redmule
from softex_mlir.runtime.session import run

PAPER = Machine.load()
assert PAPER.redmule is not None
UNITS = {
    "paper": PAPER.redmule,
    "masked rows": replace(PAPER.redmule, masked_rows=True),
    "short inner sizes": replace(
        PAPER.redmule, masked_rows=True, min_inner=1, exact_leftovers=True
    ),
    "12 rows of 4": replace(PAPER.redmule, rows=12, columns=4),
    "wide": replace(PAPER.redmule, rows=48, pipeline_registers=6),
    "long steps": replace(PAPER.redmule, rows=16, columns=16, pipeline_registers=1),
}
ROWS, INNER, COLUMNS = (
    (1, 3, 5, 24, 25, 48, 97, 577),
    (1, 8, 16, 17, 20, 24, 33, 40, 64),
    (1, 16, 32, 33),
)


@pytest.mark.parametrize("name", UNITS)
def test_jobs_that_verify_do_not_fault(name: str):
    unit = UNITS[name]
    verified = 0
    for m, n, k in product(ROWS, INNER, COLUMNS):
        try:
            check_sizes(unit, m, n, k)
        except VerifyException:
            continue
        verified += 1
        assert redmule.is_computed(m, n, k, unit)
    assert verified > 30


@pytest.mark.parametrize("name", UNITS)
def test_padded_inner_sizes_are_computed(name: str):
    """Whatever the rows and columns of a job: by tiles of one column tile, or as they are."""
    unit = UNITS[name]
    for inner in range(1, 300):
        step = redmule.padded_inner_unit(inner, 32, unit)
        padded = round_up(inner, step)
        assert padded % unit.columns == 0
        for m, k in product(ROWS[:-1], COLUMNS):
            assert redmule.is_computed(m, padded, k, unit)


@pytest.mark.parametrize("kind", ["softmax", "gelu", "layer_norm"])
def test_kernels_are_asked_for_their_bytes(kind: str):
    """8 KiB of TCDM leave 4,032 bytes behind counters and stacks; a block of rows takes less."""
    machine = PAPER.with_tcdm_bytes(8192)
    program = Compilation.of(single_operation(kind, 4, 64), machine).program()
    run(program)
