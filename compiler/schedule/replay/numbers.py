"""Arithmetic on the numbers that decide what code does: variables of loops, conditions on them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from xdsl.dialects import arith, scf
from xdsl.ir import Operation, SSAValue
from xdsl.transforms.canonicalization_patterns.utils import const_evaluate_operand

ARITHMETIC: dict[str, Callable[..., int]] = {
    "arith.addi": operator.add,
    "arith.subi": operator.sub,
    "arith.muli": operator.mul,
    "arith.andi": int.__and__,
    "arith.minsi": min,
    "arith.maxsi": max,
}
DIVISIONS: dict[str, Callable[[int, int], int]] = {
    "arith.divui": int.__floordiv__,
    "arith.remui": int.__mod__,
}
_SIGNED = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
"""Of `arith.cmpi`, by predicate; unsigned ones follow, of which indices make the same."""
_BOUNDS = 3
"""Operands of a loop: begin, end and step come first."""


def computation(op: Operation) -> Callable[..., int] | None:
    """What an operation's result is of its operands' numbers; None if it is no such operation, or
    a division, which takes time of its own."""
    if isinstance(op, arith.CmpiOp):
        number = op.predicate.value.data
        return _SIGNED[number if number < len(_SIGNED) else number - 4]
    return ARITHMETIC.get(op.name)


def number_of(value: SSAValue, known: Mapping[SSAValue, int]) -> int | None:
    """A value's number; None if it does not follow from constants and what is known."""
    if value in known:
        return known[value]
    if (constant := const_evaluate_operand(value)) is not None:
        return constant
    op = value.owner
    if not isinstance(op, Operation) or (compute := _any_computation(op)) is None:
        return None
    numbers = [number_of(operand, known) for operand in op.operands]
    return None if None in numbers else compute(*numbers)


def steers(value: SSAValue) -> bool:
    """Whether a number decides which code is executed, or how often."""
    for use in value.uses:
        op = use.operation
        if isinstance(op, scf.IfOp) or (isinstance(op, scf.ForOp) and use.index < _BOUNDS):
            return True
        if _any_computation(op) and any(map(steers, op.results)):
            return True
    return False


def _any_computation(op: Operation) -> Callable[..., int] | None:
    return DIVISIONS.get(op.name) or computation(op)
