"""`transformer` operations on state: tensors in L2 that outlive a run, such as caches of keys.

A `transformer.state` belongs to the module, so that all its functions, the entries of a program,
work on the same memory. It begins as zeros.
"""

from __future__ import annotations

from xdsl.dialects.builtin import (
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, SymbolOpInterface

from softex_mlir.dialects.transformer_base import (
    BF16_TENSOR,
    ID_TENSOR,
    Bf16Tensor,
    TransformerOp,
    shape_of,
)


@irdl_op_definition
class StateOp(IRDLOperation):
    """A tensor that keeps its contents between runs."""

    name = "transformer.state"

    sym_name = prop_def(SymbolNameConstraint())
    type = prop_def(TensorType)

    traits = traits_def(SymbolOpInterface())
    assembly_format = "$sym_name attr-dict `:` $type"

    def __init__(self, name: str, kind: Bf16Tensor):
        super().__init__(properties={"sym_name": StringAttr(name), "type": kind})


@irdl_op_definition
class AppendOp(TransformerOp):
    """Store rows into a state, from a position known at run time on; the result is all of it.

    rows: [batch*n, K], position: [batch] i32, the state and the result: [batch*capacity, K]. Row r
    of batch element b becomes row ``position[b] + r`` of the element's part of the state. The
    result *is* the state: nothing else is copied. A function appends to a state once, before it
    reads it.
    """

    name = "transformer.append"

    rows = operand_def(BF16_TENSOR)
    position = operand_def(ID_TENSOR)
    state = prop_def(SymbolRefAttr)
    result = result_def(BF16_TENSOR)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$rows `,` $position `to` $state attr-dict `:` "
        "type($rows) `,` type($position) `->` type($result)"
    )

    def __init__(
        self,
        rows: SSAValue | Operation,
        position: SSAValue | Operation,
        state: StateOp,
        *,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[rows, position],
            properties={"state": SymbolRefAttr(state.sym_name.data), "layer": layer},
            result_types=[state.type],
        )

    @property
    def batch(self) -> int:
        """Sequences whose rows are stored."""
        return shape_of(self.position)[0]

    @property
    def count(self) -> int:
        """Rows stored for each of them."""
        return shape_of(self.rows)[0] // self.batch

    @property
    def capacity(self) -> int:
        """Rows of the state for each of them."""
        return shape_of(self.result)[0] // self.batch

    def verify_(self) -> None:
        rows, result, position = (shape_of(v) for v in (self.rows, self.result, self.position))
        shapes = f"rows {rows}, position {position}, state {result}"
        self.expect(
            len(rows) == len(result) == 2 and len(position) == 1 and position[0] > 0,
            f"expected rows and state of rank 2 and a position of rank 1, found {shapes}",
        )
        self.expect(rows[1] == result[1], f"rows and state must be equally wide, found {shapes}")
        self.expect(
            rows[0] % position[0] == 0 and result[0] % position[0] == 0,
            f"the batch does not divide the rows, found {shapes}",
        )
        self.expect(rows[0] <= result[0], f"the state has too few rows, found {shapes}")


@irdl_op_definition
class KeepOp(TransformerOp):
    """Store all rows of a state: what is computed once for all later runs.

    rows, the state and the result: [rows, K]. The result *is* the state.
    """

    name = "transformer.keep"

    rows = operand_def(BF16_TENSOR)
    state = prop_def(SymbolRefAttr)
    result = result_def(BF16_TENSOR)

    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$rows `in` $state attr-dict `:` type($rows) `->` type($result)"

    def __init__(
        self, rows: SSAValue | Operation, state: StateOp, *, layer: StringAttr | None = None
    ):
        super().__init__(
            operands=[rows],
            properties={"state": SymbolRefAttr(state.sym_name.data), "layer": layer},
            result_types=[state.type],
        )

    def verify_(self) -> None:
        rows, result = shape_of(self.rows), shape_of(self.result)
        self.expect(
            len(rows) == 2 and rows == result,
            f"expected rows and a state of one shape of rank 2, found {rows} and {result}",
        )


@irdl_op_definition
class RecallOp(TransformerOp):
    """All of a state, as an earlier run left it: what is computed once and read at every step.

    The result *is* the state [rows, K]: nothing is copied. A function that stores rows in it reads
    what `append` or `keep` gives instead.
    """

    name = "transformer.recall"

    state = prop_def(SymbolRefAttr)
    result = result_def(BF16_TENSOR)

    traits = traits_def(MemoryReadEffect())
    assembly_format = "$state attr-dict `:` type($result)"

    def __init__(self, state: StateOp, *, layer: StringAttr | None = None):
        super().__init__(
            properties={"state": SymbolRefAttr(state.sym_name.data), "layer": layer},
            result_types=[state.type],
        )

    def verify_(self) -> None:
        self.expect(
            len(shape_of(self.result)) == 2, f"expected rank 2, found {shape_of(self.result)}"
        )
