"""What functions that select instructions work on, and which function lowers which operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from xdsl.dialects import func, scf
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.compiler.backend.addresses import Addresses
from softex_mlir.compiler.backend.emitter import RiscvEmitter
from softex_mlir.compiler.backend.operands import Operands, UnsupportedOperation


@dataclass(frozen=True)
class Selection:
    """The state of the walk over one function."""

    function: str
    emitter: RiscvEmitter
    values: Operands
    addresses: Addresses
    registers: dict[tuple[str, str], int]
    """Addresses of registers by unit and name."""

    @classmethod
    def of(cls, function: str) -> Selection:
        """Before the first operation of a function."""
        emitter = RiscvEmitter(function)
        values = Operands(emitter)
        return cls(function, emitter, values, Addresses(values), {})

    def lower_block(self, block: Block) -> Sequence[SSAValue]:
        """Lower a block; returns its terminator's operands."""
        for op in block.ops:
            if type(op) in _ENDS:
                return op.operands
            self.lower(op)
        return ()

    def lower(self, op: Operation) -> None:
        """
        Lower one operation.

        Raises:
            UnsupportedOperation: there are no instructions for it.
        """
        lowering = _LOWERINGS.get(type(op))
        try:
            if lowering is None:
                raise UnsupportedOperation(
                    f"@{self.function}: no instructions for {op.name}; it should have been lowered "
                    "before the backend"
                )
            lowering(op, self)
        except UnsupportedOperation as error:
            error.operation = error.operation or op
            raise


_ENDS = frozenset({scf.YieldOp, func.ReturnOp})

OpT = TypeVar("OpT", bound=Operation)
Lowering: TypeAlias = Callable[[OpT, Selection], None]
"""Emits an operation's instructions and says where its results are."""

_LOWERINGS: dict[type[Operation], Lowering[Any]] = {}


def lowers(*kinds: type[OpT]) -> Callable[[Lowering[OpT]], Lowering[OpT]]:
    """Register a function for classes of operations."""

    def register(function: Lowering[OpT]) -> Lowering[OpT]:
        _LOWERINGS.update(dict.fromkeys(kinds, function))
        return function

    return register
