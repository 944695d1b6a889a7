"""Assembly text of a module on `riscv` with all registers allocated, in the syntax of GNU as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
from xdsl.ir import Operation
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


class NoRegisterError(UserError):
    """An instruction can not be printed because a value has no register yet."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(
            f"{operation.name}: its values have no registers yet: run allocate-registers first"
        )
        self.operation = operation


def instruction_text(op: Operation) -> str | None:
    """The instruction of an op; None where it has none."""
    if isinstance(op, rv32.GetRegisterOp | riscv.GetFloatRegisterOp | riscv.LabelOp):
        return None
    if not isinstance(op, RISCVInstruction):
        return None
    name = op.assembly_instruction_name()
    arguments = [assembly_arg_str(a) for a in op.assembly_line_args() if a is not None]
    if "" in arguments or "()" in arguments:
        raise NoRegisterError(op)
    if isinstance(op, LOADS):
        target, base, offset = arguments
        arguments = [target, f"{offset}({base})"]
    elif isinstance(op, STORES):
        base, source, offset = arguments
        arguments = [source, f"{offset}({base})"]
    elif isinstance(op, TRUNCATING):
        arguments.append("rtz")
    return f"{name} {', '.join(arguments)}" if arguments else name


def lines(module: ModuleOp) -> Iterator[str]:
    """The lines of the module's functions."""
    for function in module.body.block.ops:
        if not isinstance(function, riscv_func.FuncOp):
            continue
        name = function.sym_name.data
        yield f".globl {name}"
        yield f".type {name}, @function"
        yield f"{name}:"
        for block in function.body.blocks:
            for op in block.ops:
                if isinstance(op, riscv.LabelOp):
                    yield f"{op.label.data}:"
                elif (text := instruction_text(op)) is not None:
                    yield f"    {text}"
        yield f".size {name}, . - {name}"


def assembly(module: ModuleOp) -> str:
    """The assembly text of the module's functions."""
    return "\n".join([".text", *lines(module), ""])


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
