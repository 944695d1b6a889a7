"""
Lowering of structured control flow to a graph of blocks.

Loops with a trip count known before they start and nothing but straight-line code inside become
hardware loops, two levels deep.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, riscv_cf, rv32, scf
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Block, Operation, SSAValue
from xdsl.transforms.canonicalization_patterns.utils import const_evaluate_operand

from softex_mlir.compiler.backend.addresses import LoopFrame
from softex_mlir.compiler.backend.emitter import FLOAT, INT, Linear, ScopeKind
from softex_mlir.compiler.backend.operands import UnsupportedOperation, is_float
from softex_mlir.compiler.backend.selection import Selection, lowers
from softex_mlir.dialects import xpulp
from softex_mlir.dialects.shared_attributes import words_attribute

STRAIGHT_LINE_MAXIMUM = 700
"""Operations in the body of a hardware loop: its length is encoded in 12 bits of words."""


def trip_count(lower: Linear, upper: Linear, step: Linear) -> int | None:
    """Iterations of a loop where they are known."""
    distance = upper.plus(lower, -1)
    if not (distance.is_constant and step.is_constant):
        return None
    if step.constant <= 0:
        raise UnsupportedOperation(f"a loop's step must be positive, found {step.constant}")
    return len(range(0, distance.constant, step.constant))


def branch(
    cls: type[Operation], x: SSAValue, y: SSAValue, target: Block, following: Block
) -> Operation:
    """A conditional branch without arguments."""
    return cls.create(
        operands=(x, y),
        attributes={"operandSegmentSizes": words_attribute((1, 1, 0, 0))},
        successors=(target, following),
    )


def jump(cls: type[Operation], passed: Sequence[SSAValue], target: Block) -> Operation:
    """A jump that passes arguments."""
    return cls.create(operands=passed, successors=(target,))


def branch_unless(s: Selection, condition: SSAValue, target: Block, following: Block) -> Operation:
    """A branch to `target` where the condition is false, not yet placed."""
    e = s.emitter
    compare = s.values.conditions.get(condition)
    if compare is None:
        return branch(riscv_cf.BeqOp, s.values.extend(condition, False), e.zero, target, following)
    predicate = arith.CMPI_COMPARISON_OPERATIONS[compare.predicate.value.data]
    signed = predicate[0] == "s"
    x = s.values.extend(compare.lhs, signed)
    y = s.values.extend(compare.rhs, signed)
    classes = {
        "eq": (riscv_cf.BneOp, False),
        "ne": (riscv_cf.BeqOp, False),
        "slt": (riscv_cf.BgeOp, False),
        "sge": (riscv_cf.BltOp, False),
        "sgt": (riscv_cf.BgeOp, True),
        "sle": (riscv_cf.BltOp, True),
        "ult": (riscv_cf.BgeuOp, False),
        "uge": (riscv_cf.BltuOp, False),
        "ugt": (riscv_cf.BgeuOp, True),
        "ule": (riscv_cf.BltuOp, True),
    }
    cls, swap = classes[predicate]
    x, y = (y, x) if swap else (x, y)
    return branch(cls, x, y, target, following)


def leave(s: Selection, value: SSAValue, register: SSAValue) -> None:
    """As bind, for a value that outlives the scope it was made in."""
    e = s.emitter
    level = len(e.scopes) - 1
    if e.depth[register] > level:
        e.depth[register] = level
    s.values.bind(value, register)


@lowers(scf.IfOp)
def if_op(op: scf.IfOp, s: Selection) -> None:
    """Two blocks and a merge; no else block where there is nothing in it."""
    e = s.emitter
    known = s.values.constant_of(op.cond) if op.cond not in s.values.conditions else None
    if known is not None:
        region = op.true_region if known & 1 else op.false_region
        if region.blocks:
            for result, value in zip(op.results, s.lower_block(region.block), strict=True):
                s.values.alias(result, value)
        return
    types = [FLOAT if is_float(result.type) else INT for result in op.results]
    then_block, _ = e.new_block()
    merge, merge_label = e.new_block(types)
    has_else = bool(op.false_region.blocks) and not (
        len(op.false_region.block.ops) == 1 and not op.results
    )
    else_block = e.new_block()[0] if has_else else merge
    terminator = branch_unless(s, op.cond, else_block, then_block)
    origin = e.scopes[-1]
    origin_block = origin.block
    e.push(ScopeKind.BRANCH, then_block)
    yielded = [s.values.passed(value) for value in s.lower_block(op.true_region.block)]
    then_end = e.pop()
    # Hoisted instructions went into the block that branches.
    origin_block.add_op(terminator)
    if has_else:
        then_end.add_op(jump(riscv_cf.JOp, yielded, merge))
        e.push(ScopeKind.BRANCH, else_block)
        yielded = [s.values.passed(value) for value in s.lower_block(op.false_region.block)]
        end = e.pop()
    else:
        end = then_end
    end.add_op(jump(riscv_cf.BranchOp, yielded, merge))
    e.place(merge)
    del merge_label
    for result, argument in zip(op.results, merge.args, strict=True):
        s.values.bind(result, argument)


@lowers(scf.WhileOp)
def while_op(op: scf.WhileOp, s: Selection) -> None:
    """Header with the condition, body, back."""
    e = s.emitter
    before, after = op.before_region.block, op.after_region.block
    initial = [s.values.passed(value) for value in op.arguments]
    header, _ = e.new_block([value.type for value in initial])
    body, _ = e.new_block()
    exit_block, _ = e.new_block()
    e.push(ScopeKind.LOOP, header)
    for argument, register in zip(before.args, header.args, strict=True):
        s.values.bind(argument, register)
    terminator = before.last_op
    assert isinstance(terminator, scf.ConditionOp)
    for inner in before.ops:
        if inner is not terminator:
            s.lower(inner)
    values = terminator.args
    registers = [s.values.reg(value) for value in values]
    e.block.add_op(branch_unless(s, terminator.condition, exit_block, body))
    e.place(body)
    for argument, value in zip(after.args, values, strict=True):
        s.values.alias(argument, value)
    yielded = [s.values.passed(value) for value in s.lower_block(after)]
    e.pop().add_op(jump(riscv_cf.JOp, yielded, header))
    e.block.add_op(jump(riscv_cf.BranchOp, initial, header))
    e.place(exit_block)
    for result, register in zip(op.results, registers, strict=True):
        leave(s, result, register)


@lowers(scf.ForOp)
def for_op(op: scf.ForOp, s: Selection) -> None:
    """A hardware loop where possible, else a loop with a test at its head."""
    lower, upper, step = s.values.lin(op.lb), s.values.lin(op.ub), s.values.lin(op.step)
    trips = trip_count(lower, upper, step)
    if trips == 0:
        for result, value in zip(op.results, op.iter_args, strict=True):
            s.values.alias(result, value)
        return
    if trips == 1:
        body = op.body.block
        s.values.linear[body.args[0]] = lower
        for argument, value in zip(body.args[1:], op.iter_args, strict=True):
            s.values.alias(argument, value)
        for result, value in zip(op.results, s.lower_block(body), strict=True):
            s.values.alias(result, value)
        return
    height = hardware_height(op)
    shift = step.constant.bit_length() - 1
    simple = step.is_constant and step.constant == 1 << shift
    if height is None or (trips is None and (not simple or bool(op.results))):
        software_loop(s, op, lower, upper, step)
    else:
        hardware_loop(s, op, lower, upper, step, trips, height)


def hardware_height(op: scf.ForOp) -> int | None:
    """
    0 for a loop without loops inside, 1 for one around such; None where the hardware can not.
    """
    found = _hardware_size(op)
    return None if found is None or found[1] > STRAIGHT_LINE_MAXIMUM else found[0]


def _hardware_size(op: scf.ForOp) -> tuple[int, int] | None:
    """Height, and how many operations there are in the loop."""
    height = count = 0
    for inner in op.body.block.ops:
        count += 1
        if not inner.regions:
            if inner.name == "func.call":
                return None
            continue
        if not isinstance(inner, scf.ForOp):
            return None
        bounds = [const_evaluate_operand(value) for value in (inner.lb, inner.ub, inner.step)]
        lower, upper, step = bounds
        if lower is None or upper is None or not step:
            return None
        nested = _hardware_size(inner)
        if nested is None:
            return None
        once = len(range(lower, upper, step)) <= 1
        height = max(height, nested[0] if once else nested[0] + 1)
        count += nested[1]
    return (height, count) if height <= 1 else None


def has_loops(block: Block) -> bool:
    """Whether there are loops in a block, also in its branches."""
    for op in block.ops:
        if op.regions and (
            isinstance(op, scf.ForOp | scf.WhileOp)
            or any(has_loops(inner) for region in op.regions for inner in region.blocks)
        ):
            return True
    return False


def open_loop(s: Selection, op: scf.ForOp, lower: Linear) -> tuple[LoopFrame, list[SSAValue]]:
    """The frame of a loop, its arguments bound, its block not yet placed."""
    e = s.emitter
    body = op.body.block
    start = s.values.lin(op.lb)
    first = e.value(start)
    if first.type != INT:
        first = e.fresh_zero()
    initial = [first, *(s.values.passed(value) for value in op.iter_args)]
    block, _ = e.new_block([value.type for value in initial])
    innermost = not has_loops(body)
    frame = LoopFrame(block, block.args[0], lower, len(e.scopes), innermost, initial)
    s.values.linear[body.args[0]] = Linear.of(block.args[0])
    for argument, register in zip(body.args[1:], block.args[1:], strict=True):
        s.values.bind(argument, register)
    return frame, initial


def close_loop(
    s: Selection, op: scf.ForOp, frame: LoopFrame, step: Linear
) -> tuple[list[SSAValue], list[SSAValue]]:
    """Lower the body; returns the values of the next iteration and those of the results."""
    e = s.emitter
    s.addresses.frames.append(frame)
    yielded = s.lower_block(op.body.block)
    s.addresses.frames.pop()
    registers = [s.values.passed(value) for value in yielded]
    # in the order of the block's arguments, which is not the order of the groups
    pointers = sorted(
        (pointer for group in frame.pointers.values() for pointer in group),
        key=lambda pointer: pointer.argument.index,
    )
    advanced = [s.addresses.advance(frame, pointer, step) for pointer in pointers]
    following = e.value(Linear.of(frame.induction).plus(step))
    return [following, *registers, *advanced], registers


def hardware_loop(
    s: Selection,
    op: scf.ForOp,
    lower: Linear,
    upper: Linear,
    step: Linear,
    trips: int | None,
    height: int,
) -> None:
    """Set up, body, no branch; a loop that may not run at all is jumped over."""
    e = s.emitter
    if trips is not None:
        count = e.li(trips)
    else:
        distance = upper.plus(lower, -1).plus_constant(step.constant - 1)
        count = e.shift(rv32.SraiOp, e.value(distance), step.constant.bit_length() - 1)
    frame, initial = open_loop(s, op, lower)
    setup_block, _ = e.new_block()
    exit_block, exit_label = e.new_block()
    origin = e.block
    if trips is None:
        e.place(setup_block)
        e.scopes[-1].block = origin
    e.push(ScopeKind.LOOP, frame.block)
    following, results = close_loop(s, op, frame, step)
    # The arguments change before the loop is left: results that are arguments need copies.
    results = [
        moved(s, value) if value.owner is frame.block and result.first_use else value
        for value, result in zip(results, op.results, strict=True)
    ]
    following[1 : 1 + len(results)] = results
    end = e.pop()
    if trips is None:
        origin.add_op(branch(riscv_cf.BgeOp, e.zero, count, exit_block, setup_block))
    else:
        setup_block = origin
    counting = following[0].owner
    if (
        following[0].first_use is None
        and frame.induction not in following
        and following[0] not in following[1:]
        and all(use.operation is counting for use in frame.induction.uses)
    ):
        del following[0], initial[0]
        drop_induction(s, frame)
    setup_block.add_op(xpulp.LoopSetupOp(count, height, exit_label))
    setup_block.add_op(jump(riscv_cf.BranchOp, initial, frame.block))
    end.add_op(xpulp.LoopEndOp(following, frame.block, exit_block))
    e.place(exit_block)
    for result, register in zip(op.results, results, strict=True):
        leave(s, result, register)


def moved(s: Selection, value: SSAValue) -> SSAValue:
    """A copy of a value."""
    cls = riscv.FMVOp if value.type == FLOAT else riscv.MVOp
    return s.emitter.effect(cls, (value,), (value.type,)).results[0]


def drop_induction(s: Selection, frame: LoopFrame) -> None:
    """Remove a loop's counter that only counts."""
    for use in tuple(frame.induction.uses):
        operation = use.operation
        operation.detach()
        s.emitter.pure.discard(operation)
        operation.erase(safe_erase=False)
    frame.block.erase_arg(frame.block.args[0])


def software_loop(s: Selection, op: scf.ForOp, lower: Linear, upper: Linear, step: Linear) -> None:
    """Compare at the head, jump back from the end."""
    e = s.emitter
    bound = e.value(upper)
    frame, initial = open_loop(s, op, lower)
    body, _ = e.new_block()
    exit_block, _ = e.new_block()
    iterated = frame.block.args[1 : 1 + len(op.results)]
    e.push(ScopeKind.LOOP, frame.block)
    frame.block.add_op(branch(riscv_cf.BgeOp, frame.induction, bound, exit_block, body))
    e.place(body)
    following, _ = close_loop(s, op, frame, step)
    e.pop().add_op(jump(riscv_cf.JOp, following, frame.block))
    e.block.add_op(jump(riscv_cf.BranchOp, initial, frame.block))
    e.place(exit_block)
    for result, register in zip(op.results, iterated, strict=True):
        leave(s, result, register)
