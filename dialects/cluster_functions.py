"""What kernels of the `cluster` dialect become: functions that read the launch record."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    I32,
    ArrayAttr,
    DictionaryAttr,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i32,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure, SymbolOpInterface

from softex_mlir.dialects.cluster_attributes import StreamKind
from softex_mlir.dialects.memory import AnyMemRef


@irdl_op_definition
class EntriesOp(IRDLOperation):
    """A kernel whose streams have become functions; launches refer to it by the kernel's name."""

    name = "cluster.entries"

    sym_name = prop_def(SymbolNameConstraint())
    """The kernel's name."""

    functions = prop_def(DictionaryAttr)
    """Symbol of the function of each stream, by the stream's name."""

    buffers = prop_def(DictionaryAttr)
    """The kernel's buffers for memory maps: name to [offset in the TCDM, bytes]."""

    arguments = prop_def(ArrayAttr)
    """Types of the launch arguments, words 8 and up of the launch record."""

    traits = traits_def(SymbolOpInterface())

    assembly_format = (
        "$sym_name `functions` $functions `buffers` $buffers `arguments` $arguments attr-dict"
    )

    def __init__(
        self,
        name: str,
        functions: dict[StreamKind, str],
        buffers: dict[str, tuple[int, int]],
        arguments: Sequence[Attribute],
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "functions": DictionaryAttr(
                    {kind.value: SymbolRefAttr(symbol) for kind, symbol in functions.items()}
                ),
                "buffers": DictionaryAttr(
                    {
                        buffer: ArrayAttr(IntegerAttr(value, i32) for value in place)
                        for buffer, place in buffers.items()
                    }
                ),
                "arguments": ArrayAttr(arguments),
            }
        )


@irdl_op_definition
class CoreIdOp(IRDLOperation):
    """Number of this core (hart) in the cluster."""

    name = "cluster.core_id"

    core = result_def(I32)
    """0 .. cores - 1, from CSR mhartid."""

    traits = traits_def(Pure())

    assembly_format = "attr-dict `:` type($core)"

    def __init__(self) -> None:
        super().__init__(result_types=[i32])


@irdl_op_definition
class LaunchWordOp(IRDLOperation):
    """A word of the running launch's record: 4..7 counter bases, 8.. arguments.

    A load relative to register `tp`, which holds the record's address while a kernel runs.
    """

    name = "cluster.launch_word"

    index = prop_def(IntegerAttr[I32])
    """Position in the record, in words."""

    word = result_def(I32)
    """Its value: an address or a counter value."""

    traits = traits_def(Pure())

    assembly_format = "$index attr-dict `:` type($word)"

    def __init__(self, index: int):
        super().__init__(properties={"index": IntegerAttr(index, i32)}, result_types=[i32])


@irdl_op_definition
class ViewOp(IRDLOperation):
    """Memory at an address. The type gives shape, strides and element type."""

    name = "cluster.view"

    address = operand_def(I32)
    """Byte address of the element with all indices 0."""

    memref = result_def(MemRefType)
    """The memory."""

    traits = traits_def(Pure())

    assembly_format = "$address attr-dict `:` type($memref)"

    def __init__(self, address: SSAValue | Operation, type_: AnyMemRef):
        super().__init__(operands=[address], result_types=[type_])
