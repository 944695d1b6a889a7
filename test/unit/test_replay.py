"""The replay behind estimates: numbers that decide what code does, and the fetch of code."""

from __future__ import annotations

import pytest
from xdsl.builder import Builder
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Block, Region
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler.schedule.replay.fetches import first_execution
from softex_mlir.compiler.schedule.replay.numbers import number_of, steers
from softex_mlir.isa_sim.machine import Machine


def test_numbers_follow_from_constants_and_what_is_known():
    block = Block(arg_types=(IndexType(), IndexType()))
    builder = Builder(InsertPoint.at_end(block))
    known, unknown = block.args
    eight = builder.insert(arith.ConstantOp(IntegerAttr(8, IndexType())))
    row = builder.insert(arith.DivUIOp(known, eight))
    rest = builder.insert(arith.RemUIOp(known, eight))
    inside = builder.insert(arith.CmpiOp(rest, eight, "ult"))
    other = builder.insert(arith.AddiOp(row, unknown))
    builder.insert(scf.IfOp(inside, (), Region(Block((scf.YieldOp(),)))))
    assert [number_of(op.result, {known: 19}) for op in (row, rest, inside)] == [2, 3, 1]
    assert number_of(other.result, {known: 19}) is None
    assert steers(known)
    assert not steers(unknown)


@pytest.mark.parametrize("instructions", [40, 400, 4000])
def test_cores_share_the_fetch_of_code(instructions: int):
    cluster = Machine.load().cluster
    alone = first_execution(instructions, 1, 0, cluster)
    assert alone == instructions * 4 / cluster.icache_line_bytes * cluster.icache_refill_cycles
    together = [first_execution(instructions, cores, 0, cluster) for cores in (2, 4, 8)]
    assert together == sorted(together, reverse=True)
    assert alone / 8 <= together[-1] <= together[0] <= alone
