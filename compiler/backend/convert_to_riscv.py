"""
`convert-to-riscv`: functions on `scf`, `arith`, `math`, `memref`, `vector` and register accesses
become functions on `riscv`, `riscv_cf` and `xpulp`: a control-flow graph of blocks whose values
are registers not yet chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects import arith, func, riscv_func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from softex_mlir.compiler.backend.emitter import Linear, RiscvEmitter
from softex_mlir.compiler.backend.lower_control_flow import ControlFlowLowering
from softex_mlir.compiler.backend.operands import UnsupportedOperation, width_of
from softex_mlir.compiler.backend.select_floats import BINARY, SAME_OPERAND
from softex_mlir.compiler.backend.select_integers import INT_BINARY


class FunctionLowering(ControlFlowLowering):
    """Lowers one func.func."""

    def __init__(self, source: func.FuncOp) -> None:
        super().__init__()
        self.source = source
        self.emitter = RiscvEmitter(source.sym_name.data)

    def lower(self) -> riscv_func.FuncOp:
        """The function in riscv ops."""
        source = self.source
        name = source.sym_name.data
        if source.function_type.inputs.data or source.function_type.outputs.data:
            raise UnsupportedOperation(
                f"@{name}: the backend takes functions without arguments and results; kernels read "
                "their arguments with cluster.launch_word",
                source,
            )
        if len(source.body.blocks) != 1:
            raise UnsupportedOperation(
                f"@{name}: expected structured control flow (one block)", source
            )
        self.block(source.body.block)
        self.emitter.block.add_op(riscv_func.ReturnOp())
        remove_dead(self.emitter)
        return riscv_func.FuncOp(name, self.emitter.region, ((), ()))

    def block(self, block: Block) -> Sequence[SSAValue]:
        """Lower a block; returns its terminator's operands."""
        for op in block.ops:
            name = op.name
            if name in ("scf.yield", "func.return"):
                return op.operands
            self.op(op)
        return ()

    def op(self, op: Operation) -> None:
        """Lower one operation."""
        handler = HANDLERS.get(op.name)
        try:
            if handler is None:
                raise UnsupportedOperation(
                    f"@{self.source.sym_name.data}: no instructions for {op.name}; it should have "
                    "been lowered before the backend"
                )
            handler(self, op)
        except UnsupportedOperation as error:
            error.operation = error.operation or op
            raise


def remove_dead(emitter: RiscvEmitter) -> None:
    """Erase pure instructions whose results nobody uses."""
    for block in reversed(tuple(emitter.region.blocks)):
        for op in reversed(tuple(block.ops)):
            if op in emitter.pure and not any(result.first_use for result in op.results):
                op.detach()
                op.erase()


def only_branches(op: arith.CmpiOp) -> bool:
    """Whether a comparison is needed by branches only."""
    return all(use.operation.name in ("scf.if", "scf.condition") for use in op.result.uses)


def lower_cmpi(lowering: FunctionLowering, op: Any) -> None:
    """Comparisons for branches become part of the branch."""
    lhs, rhs = lowering.lin(op.lhs), lowering.lin(op.rhs)
    if lhs.is_constant and rhs.is_constant and width_of(op.lhs.type) == 32:
        lowering.linear[op.result] = Linear(compare_constants(op, lhs.constant, rhs.constant))
    elif only_branches(op):
        lowering.conditions[op.result] = op
    else:
        lowering.compare_int(op)


def compare_constants(op: arith.CmpiOp, a: int, b: int) -> int:
    """1 where the comparison of two constants holds."""
    predicate = arith.CMPI_COMPARISON_OPERATIONS[op.predicate.value.data]
    if predicate[0] == "u":
        a, b = a & 0xFFFFFFFF, b & 0xFFFFFFFF
    results = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}
    return int(results[predicate.removeprefix("s").removeprefix("u")])


Handler = Callable[[FunctionLowering, Any], None]
F = FunctionLowering
HANDLERS: dict[str, Handler] = {
    "arith.constant": F.constant,
    "arith.cmpi": lower_cmpi,
    "arith.cmpf": F.compare_float,
    "arith.select": F.select,
    "math.fma": F.fma,
    "vector.fma": F.fma,
    "math.sqrt": F.sqrt,
    "arith.maximumf": F.float_min_max,
    "arith.minimumf": F.float_min_max,
    "vector.broadcast": F.broadcast,
    "vector.splat": F.broadcast,
    "vector.extract": F.extract,
    "vector.from_elements": F.from_elements,
    "vector.insert": F.insert,
    "vector.shuffle": F.shuffle,
    "xpulp.dot": F.dot,
    "vector.load": F.load,
    "vector.store": F.store,
    "memref.load": F.load,
    "memref.store": F.store,
    "scf.for": F.for_op,
    "scf.if": F.if_op,
    "scf.while": F.while_op,
    "cluster.view": F.view,
    "cluster.launch_word": F.launch_word,
    "cluster.core_id": F.core_id,
    "hwpe.read": F.register_access,
    "hwpe.write": F.register_access,
    "hwpe.wait": F.register_access,
    "hwpe.delay": F.delay,
    "arith.addi": F.int_binary,
    "arith.subi": F.int_binary,
    **dict.fromkeys(INT_BINARY, F.int_binary),
    "arith.ceildivsi": F.int_binary,
    "arith.floordivsi": F.int_binary,
    **dict.fromkeys(BINARY, F.float_binary),
    **dict.fromkeys(SAME_OPERAND, F.float_same),
    **dict.fromkeys(
        (
            "arith.index_cast",
            "arith.index_castui",
            "arith.trunci",
            "arith.extsi",
            "arith.extui",
            "arith.extf",
            "arith.truncf",
            "arith.sitofp",
            "arith.uitofp",
            "arith.fptosi",
            "arith.fptoui",
            "arith.bitcast",
        ),
        F.conversion,
    ),
}
"""How to lower each operation, by its name."""


@dataclass(frozen=True)
class ConvertToRiscvPass(ModulePass):
    """Replaces every func.func by a riscv_func.func whose registers are not yet allocated."""

    name = "convert-to-riscv"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Lower all functions of the module."""
        for function in tuple(op.body.block.ops):
            if isinstance(function, func.FuncOp):
                op.body.block.insert_op_before(FunctionLowering(function).lower(), function)
                function.detach()
                function.erase()
