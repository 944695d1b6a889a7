"""
`convert-to-riscv`: functions on `scf`, `arith`, `math`, `memref`, `vector` and register accesses
become functions on `riscv`, `riscv_cf` and `xpulp`: a control-flow graph of blocks whose values
are registers not yet chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func, riscv_func
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from softex_mlir.compiler.backend.emitter import RiscvEmitter
from softex_mlir.compiler.backend.operands import UnsupportedOperation
from softex_mlir.compiler.backend.select import Selection


def lower_function(source: func.FuncOp) -> riscv_func.FuncOp:
    """
    A function in riscv ops.

    Raises:
        UnsupportedOperation: it takes arguments, or there are no instructions for an operation.
    """
    name = source.sym_name.data
    if source.function_type.inputs.data or source.function_type.outputs.data:
        raise UnsupportedOperation(
            f"@{name}: the backend takes functions without arguments and results; kernels read "
            "their arguments with cluster.launch_word",
            source,
        )
    if len(source.body.blocks) != 1:
        raise UnsupportedOperation(f"@{name}: expected structured control flow (one block)", source)
    selection = Selection.of(name)
    selection.lower_block(source.body.block)
    emitter = selection.emitter
    emitter.block.add_op(riscv_func.ReturnOp())
    remove_dead(emitter)
    return riscv_func.FuncOp(name, emitter.region, ((), ()))


def remove_dead(emitter: RiscvEmitter) -> None:
    """Erase pure instructions whose results nobody uses."""
    for block in reversed(tuple(emitter.region.blocks)):
        op = block.last_op
        while op is not None:
            before = op.prev_op
            if not any(result.first_use for result in op.results) and op in emitter.pure:
                op.detach()
                op.erase()
            op = before


@dataclass(frozen=True)
class ConvertToRiscvPass(ModulePass):
    """Replaces every func.func by a riscv_func.func whose registers are not yet allocated."""

    name = "convert-to-riscv"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Lower all functions of the module."""
        for function in tuple(op.body.block.ops):
            if isinstance(function, func.FuncOp):
                op.body.block.insert_op_before(lower_function(function), function)
                # Nobody else uses its values: there is no need to take it apart.
                function.detach()
