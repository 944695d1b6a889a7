"""`convert-kernels-to-functions`: every stream of every kernel becomes a function.

Functions take no arguments. They read counter bases and launch arguments from the launch record
and know their buffers' addresses, which are constants.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint

from softex_mlir import abi
from softex_mlir.compiler.nested_operations import operations_in, operations_of
from softex_mlir.compiler.transforms.cluster.command_builder import (
    STREAM_ATTRIBUTE,
    CommandBuilder,
    fail,
)
from softex_mlir.dialects.cluster import (
    BufferOp,
    EntriesOp,
    GetGlobalOp,
    GlobalOp,
    KernelOp,
    LaunchWordOp,
    StreamAttr,
    StreamKind,
    StreamOp,
    ViewOp,
)
from softex_mlir.dialects.memory import memref_type
from softex_mlir.dialects.target import machine_of


def tcdm_offset(op: BufferOp | GlobalOp) -> int:
    """Where an object lies, in bytes from the start of the TCDM."""
    if not isinstance(op.offset, IntegerAttr):
        raise fail(op, f'"{op.sym_name.data}" has no place in the TCDM yet: plan the memory first')
    return op.offset.value.data


@dataclass
class StreamConverter:
    """Moves one stream into a function."""

    kernel: KernelOp
    globals: dict[str, GlobalOp]
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """What the kernel's values are in the function."""

    def convert(self, stream: StreamOp, name: str) -> func.FuncOp:
        """The function; takes the operations out of the stream."""
        entry = Block()
        body = stream.body.block
        outer = self.kernel.body.block
        operations = tuple(body.ops)
        for op in operations:
            op.detach()
        prologue = CommandBuilder(InsertPoint.at_end(entry))
        for top in operations:
            for op in (top, *operations_in(top)):
                for position, operand in enumerate(op.operands):
                    owner = operand.owner
                    if (owner if isinstance(owner, Block) else owner.parent) is outer:
                        op.operands[position] = self.materialise(operand, prologue)
        entry.add_ops(operations)
        entry.add_op(func.ReturnOp())
        function = func.FuncOp(name, ((), ()), Region(entry))
        function.attributes[STREAM_ATTRIBUTE] = StreamAttr(stream.kind.data)
        function.location = stream.location
        return function

    def materialise(self, value: SSAValue, to: CommandBuilder) -> SSAValue:
        """A value of the kernel, computed in the function."""
        if value in self.values:
            return self.values[value]
        cluster = machine_of(self.kernel).cluster
        if not isinstance(value, OpResult):
            position = tuple(self.kernel.body.block.args).index(value)  # pyright: ignore[reportArgumentType]
            word = to.insert(LaunchWordOp(abi.BASE_WORD + position)).word
            result = self.view(word, value, to)
        else:
            op = value.op
            if isinstance(op, BufferOp):
                result = self.view(to.constant(cluster.tcdm_base + tcdm_offset(op)), value, to)
            elif isinstance(op, GetGlobalOp):
                offset = tcdm_offset(self.constant_of(op))
                result = self.view(to.constant(cluster.tcdm_base + offset), value, to)
            else:
                operands = {v: self.materialise(v, to) for v in op.operands}
                result = to.insert(op.clone(operands)).results[value.index]
        self.values[value] = result
        return result

    def view(self, word: SSAValue, value: SSAValue, to: CommandBuilder) -> SSAValue:
        """A word as what the kernel takes it for: memory or an index."""
        if isinstance(value.type, IndexType):
            return to.index(word)
        return to.insert(ViewOp(word, memref_type(value))).memref

    def constant_of(self, op: GetGlobalOp) -> GlobalOp:
        """The constant an operation refers to."""
        name = op.symbol.root_reference.data
        if name not in self.globals:
            raise fail(op, f"no global @{name}")
        if self.globals[name].bits is None:
            raise fail(op, f"@{name} is in L2: kernels take L2 objects as arguments")
        return self.globals[name]


def function_name(kernel: str, stream: StreamKind) -> str:
    """Symbol of a stream's function."""
    return f"{kernel}_{stream.value}"


def inline_getters(kernel: KernelOp) -> None:
    """Put the memories of constants in front of the streams, whichever place they are used in."""
    first = kernel.body.block.first_op
    for op in operations_of(kernel, GetGlobalOp):
        if op.parent is not kernel.body.block:
            assert first is not None
            op.detach()
            kernel.body.block.insert_op_before(op, first)


def convert_kernel(kernel: KernelOp, globals_: dict[str, GlobalOp]) -> list[Operation]:
    """What replaces a kernel: its entry points and functions."""
    name = kernel.sym_name.data
    inline_getters(kernel)
    functions = [
        StreamConverter(kernel, globals_).convert(stream, function_name(name, kind))
        for kind, stream in kernel.streams().items()
    ]
    entries = EntriesOp(
        name,
        {kind: function_name(name, kind) for kind in kernel.streams()},
        {
            op.sym_name.data: (tcdm_offset(op), op.bytes)
            for op in kernel.body.block.ops
            if isinstance(op, BufferOp)
        },
        [argument.type for argument in kernel.arguments],
    )
    entries.attributes |= kernel.attributes
    return [entries, *functions]


@dataclass(frozen=True)
class ConvertKernelsToFunctionsPass(ModulePass):
    """Replaces every cluster.kernel by a func.func for each stream and a cluster.entries."""

    name = "convert-kernels-to-functions"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Convert all kernels of the module."""
        block = op.body.block
        globals_ = {g.sym_name.data: g for g in block.ops if isinstance(g, GlobalOp)}
        for kernel in tuple(block.ops):
            if isinstance(kernel, KernelOp):
                block.insert_ops_before(convert_kernel(kernel, globals_), kernel)
                kernel.detach()
                kernel.erase()
