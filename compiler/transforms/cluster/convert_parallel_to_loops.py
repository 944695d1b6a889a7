"""`convert-parallel-to-loops`: the compute team's operations become code of one core.

`cluster.parallel` becomes a loop from the core's position in the team in steps of the team's
size, `cluster.leader` a branch on the position.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from softex_mlir.compiler.nested_operations import operations_of
from softex_mlir.compiler.transforms.cluster.command_builder import (
    CommandBuilder,
    stream_functions,
)
from softex_mlir.dialects.cluster import (
    WITHOUT_LEADER,
    CoreIdOp,
    LeaderOp,
    ParallelOp,
    StreamKind,
    TeamIndexOp,
    TeamSizeOp,
)
from softex_mlir.dialects.shared_attributes import index_attribute
from softex_mlir.dialects.target import machine_of, team_cores


def constant_index(to: CommandBuilder, value: int) -> SSAValue:
    """An index constant."""
    return to.insert(arith.ConstantOp(index_attribute(value))).result


def team_index(to: CommandBuilder, team: range) -> SSAValue:
    """Position of this core in the team, as a word."""
    core = to.insert(CoreIdOp()).core
    return to.add(core, -team.start)


def convert_parallel(op: ParallelOp, team: range) -> None:
    """Iterations lower + index, lower + index + size, … of those who take part."""
    to = CommandBuilder.before(op)
    others = team[1:] if WITHOUT_LEADER in op.attributes else ()
    if others:
        block = Block()
        leads = to.compare(to.insert(CoreIdOp()).core, "ne", team.start)
        to.insert(scf.IfOp(leads, (), Region(block)))
        op.detach()
        del op.attributes[WITHOUT_LEADER]
        block.add_ops((op, scf.YieldOp()))
        convert_parallel(op, others)
        return
    if len(team) == 1:
        first = op.lower
    else:
        index = to.index(team_index(to, team))
        first = to.insert(arith.AddiOp(op.lower, index)).result
    body = op.detach_region(op.body)
    body.block.add_op(scf.YieldOp())
    loop = scf.ForOp(first, op.upper, constant_index(to, len(team)), (), body)
    loop.location = op.location
    Rewriter.replace_op(op, loop)


def convert_leader(op: LeaderOp, team: range) -> None:
    """Executed where the position is 0."""
    to = CommandBuilder.before(op)
    body = op.detach_region(op.body)
    body.block.add_op(scf.YieldOp())
    core = to.insert(CoreIdOp()).core
    condition = to.compare(core, "eq", team.start)
    branch = scf.IfOp(condition, (), body)
    branch.location = op.location
    Rewriter.replace_op(op, branch)


def convert_function(function: func.FuncOp, team: range) -> None:
    """Convert what a compute function contains."""
    for op in operations_of(function, ParallelOp, LeaderOp, TeamIndexOp, TeamSizeOp):
        if isinstance(op, ParallelOp):
            convert_parallel(op, team)
        elif isinstance(op, LeaderOp):
            convert_leader(op, team)
        elif isinstance(op, TeamIndexOp):
            to = CommandBuilder.before(op)
            Rewriter.replace_op(op, (), (to.index(team_index(to, team)),))
        else:
            to = CommandBuilder.before(op)
            Rewriter.replace_op(op, (), (constant_index(to, len(team)),))


@dataclass(frozen=True)
class ConvertParallelToLoopsPass(ModulePass):
    """Lowers cluster.parallel, leader, team_index and team_size."""

    name = "convert-parallel-to-loops"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Convert all compute functions of the module."""
        team = team_cores(machine_of(op))
        for function, stream in stream_functions(op):
            if stream is StreamKind.COMPUTE:
                convert_function(function, team)
