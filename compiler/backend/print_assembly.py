"""Assembly text of a module on `riscv` with all registers allocated, in the syntax of GNU as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import IO

from xdsl.context import Context
from xdsl.dialects import riscv_func, rv32
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.abstract_ops import (
    RdRsImmFloatOperation,
    RISCVInstruction,
    RsRsImmFloatOperation,
    RsRsImmIntegerOperation,
    assembly_arg_str,
)
from xdsl.ir import Operation, Region
from xdsl.utils.target import Target

from softex_mlir.dialects import xpulp
from softex_mlir.errors import UserError

LOADS = (
    riscv.LbOp,
    riscv.LbuOp,
    riscv.LhOp,
    riscv.LhuOp,
    riscv.LwOp,
    xpulp.EventLoadWordOp,
    RdRsImmFloatOperation,
)
STORES = (RsRsImmIntegerOperation, RsRsImmFloatOperation)
TRUNCATING = (riscv.FCvtWSOp, riscv.FCvtWuSOp)


class Spelling(Enum):
    """How the instructions of a class are written."""

    NOTHING = "not at all"
    DIRECTIVE = "name and value"
    PLAIN = "operands in order"
    LOAD = "target, offset(base)"
    STORE = "source, offset(base)"
    JUMP = "as a load if there is an offset"
    TRUNCATING = "with the rounding mode"


@cache
def spelling_of(kind: type[Operation]) -> Spelling:
    """How operations of a class are written: asked of every instruction."""
    if issubclass(kind, rv32.GetRegisterOp | riscv.GetFloatRegisterOp | riscv.LabelOp):
        return Spelling.NOTHING
    if issubclass(kind, riscv.DirectiveOp):
        return Spelling.DIRECTIVE
    if issubclass(kind, LOADS):
        return Spelling.LOAD
    if issubclass(kind, STORES):
        return Spelling.STORE
    if issubclass(kind, riscv.JalrOp):
        return Spelling.JUMP
    if issubclass(kind, TRUNCATING):
        return Spelling.TRUNCATING
    return Spelling.PLAIN if issubclass(kind, RISCVInstruction) else Spelling.NOTHING


class NoRegisterError(UserError):
    """An instruction can not be printed because a value has no register yet."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(
            f"{operation.name}: its values have no registers yet: run allocate-registers first"
        )
        self.operation = operation


def instruction_text(op: Operation) -> str | None:
    """The instruction of an op; None where it has none."""
    spelling = spelling_of(type(op))
    if spelling is Spelling.NOTHING:
        return None
    if spelling is Spelling.DIRECTIVE:
        assert isinstance(op, riscv.DirectiveOp)
        return f"{op.directive.data} {'' if op.value is None else op.value.data}"
    assert isinstance(op, RISCVInstruction)
    name = op.assembly_instruction_name()
    arguments = [assembly_arg_str(a) for a in op.assembly_line_args() if a is not None]
    if "" in arguments or "()" in arguments:
        raise NoRegisterError(op)
    if spelling is Spelling.LOAD or (spelling is Spelling.JUMP and len(arguments) == 3):
        target, base, offset = arguments
        arguments = [target, f"{offset}({base})"]
    elif spelling is Spelling.STORE:
        base, source, offset = arguments
        arguments = [source, f"{offset}({base})"]
    elif spelling is Spelling.TRUNCATING:
        arguments.append("rtz")
    return f"{name} {', '.join(arguments)}" if arguments else name


def lines(module: ModuleOp) -> Iterator[tuple[str, Operation]]:
    """The lines of the module's functions, each with the operation it is of."""
    for piece in module.body.block.ops:
        if isinstance(piece, riscv.AssemblySectionOp):
            yield from _instructions(piece.data)
        elif isinstance(piece, riscv_func.FuncOp):
            name = piece.sym_name.data
            yield f".globl {name}", piece
            yield f".type {name}, @function", piece
            yield f"{name}:", piece
            yield from _instructions(piece.body)
            yield f".size {name}, . - {name}", piece


def _instructions(region: Region) -> Iterator[tuple[str, Operation]]:
    for block in region.blocks:
        for op in block.ops:
            if type(op) is riscv.LabelOp:
                yield f"{op.label.data}:", op
            elif (text := instruction_text(op)) is not None:
                yield f"    {text}", op


def operation_at(module: ModuleOp, line: int) -> Operation | None:
    """The operation of a line, counted from 1, of the module's `assembly`."""
    return next((op for n, (_, op) in enumerate(lines(module), 2) if n == line), None)


def assembly(module: ModuleOp) -> str:
    """The assembly text of the module's functions."""
    return "\n".join([".text", *(text for text, _ in lines(module)), ""])


@dataclass(frozen=True)
class AssemblyTarget(Target):
    """Prints a module as assembly (`softex-opt -t asm`)."""

    name = "asm"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        """Print the functions of the module.

        Raises:
            UserError: it has none.
        """
        if not any(isinstance(op, riscv_func.FuncOp) for op in module.body.block.ops):
            raise UserError(
                "no code: expected riscv_func.func in the module; the passes up to "
                "allocate-registers make it"
            )
        output.write(assembly(module))
