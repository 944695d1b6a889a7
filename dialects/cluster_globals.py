"""Named objects in memory, in the `cluster` dialect."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import (
    I16,
    I32,
    I64,
    DenseArrayBase,
    FlatSymbolRefAttr,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i16,
    i32,
    i64,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from softex_mlir.dialects.cluster_attributes import (
    GlobalKind,
    GlobalKindAttr,
)
from softex_mlir.dialects.memory import (
    AnyMemRef,
    footprint_bytes,
    in_l2,
    in_tcdm,
)


def words_attribute(bits: Sequence[int]) -> DenseArrayBase[I16]:
    """16-bit patterns, 0..65535, as an attribute (which packs signed numbers)."""
    return DenseArrayBase.from_list(i16, [(b ^ 0x8000) - 0x8000 for b in bits])


@irdl_op_definition
class GlobalOp(IRDLOperation):
    """A named object in memory.

    In `#cluster.l2`: inputs, outputs, weights (their bytes lie in the weight store), activations,
    tables. In `#cluster.tcdm`: small constants whose bit patterns are given by `bits` and which
    the program loader places at `offset`.

    Rows of the tensor in an input, output or weight begin every pitch elements, which is the last
    size of the type; weights in `tiles` lie as RedMulE's jobs read them.
    """

    name = "cluster.global"

    kind = prop_def(GlobalKindAttr)
    """What the object holds."""

    sym_name = prop_def(SymbolNameConstraint())
    """The object's name."""

    offset = opt_prop_def(IntegerAttr[I32])
    """TCDM constants: place in bytes from the start of the TCDM."""

    bits = opt_prop_def(DenseArrayBase[I16])
    """TCDM constants: contents, as 16-bit words in memory order."""

    tensor = opt_prop_def(StringAttr)
    """Inputs and outputs: the model's name. Weights: the name of their data, none for zeros."""

    shape = opt_prop_def(DenseArrayBase[I64])
    """Sizes of the tensor in an input, output or weight; without it, those of the type."""

    limit = opt_prop_def(IntegerAttr[I64])
    """Inputs of ids: these must be below."""

    values = opt_prop_def(DenseArrayBase[I64])
    """Inputs of integers: the smallest and the largest."""

    tiles = opt_prop_def(DenseArrayBase[I64])
    """Weights: inner size and columns of a tile."""

    type = prop_def(MemRefType)
    """Shape, element type and memory space."""

    traits = traits_def(SymbolOpInterface())

    assembly_format = (
        "$kind $sym_name (`at` $offset^)? (`bits` $bits^)? (`tensor` $tensor^)? (`shape` $shape^)? "
        "(`limit` $limit^)? (`values` $values^)? (`tiles` $tiles^)? attr-dict `:` $type"
    )

    def __init__(
        self,
        name: str,
        type_: AnyMemRef,
        kind: GlobalKind | str,
        *,
        offset: int | None = None,
        bits: Sequence[int] | None = None,
        tensor: str | None = None,
        shape: Sequence[int] | None = None,
        limit: int | None = None,
        values: tuple[int, int] | None = None,
        tiles: tuple[int, int] | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "kind": GlobalKindAttr(GlobalKind(kind)),
                "tensor": None if tensor is None else StringAttr(tensor),
                "shape": None if shape is None else DenseArrayBase.from_list(i64, shape),
                "limit": None if limit is None else IntegerAttr(limit, i64),
                "values": None if values is None else DenseArrayBase.from_list(i64, values),
                "tiles": None if tiles is None else DenseArrayBase.from_list(i64, tiles),
                "type": type_,
                "offset": None if offset is None else IntegerAttr(offset, i32),
                "bits": None if bits is None else words_attribute(bits),
            }
        )

    def bit_patterns(self) -> tuple[int, ...]:
        """The 16-bit words of a constant, each 0..65535."""
        return () if self.bits is None else tuple(b & 0xFFFF for b in self.bits.get_values())

    @property
    def smallest_and_largest(self) -> tuple[int, int] | None:
        """`values` as numbers."""
        if self.values is None:
            return None
        low, high = self.values.get_values()
        return int(low), int(high)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Sizes of the tensor that lies in the object."""
        sizes = self.type.get_shape() if self.shape is None else self.shape.get_values()
        return tuple(int(size) for size in sizes)

    def verify_(self) -> None:
        self._verify_tensor()
        constant = self.kind.data is GlobalKind.CONSTANT
        if constant != in_tcdm(self.type) or not (constant or in_l2(self.type)):
            raise VerifyException(
                "constants lie in #cluster.tcdm and all other globals in #cluster.l2, found "
                f"{self.kind.data.value} of type {self.type}"
            )
        size = footprint_bytes(self.type)
        if constant != (self.bits is not None):
            raise VerifyException("exactly the constants carry their contents in `bits`")
        if self.bits is not None and 2 * len(self.bits) != size:
            raise VerifyException(
                f"{self.type} has {size} bytes, but `bits` gives {2 * len(self.bits)}"
            )

    def _verify_tensor(self) -> None:
        kind, shape = self.kind.data, self.tensor_shape
        if kind not in (GlobalKind.INPUT, GlobalKind.OUTPUT, GlobalKind.WEIGHT):
            if self.tensor or self.shape or self.limit or self.values or self.tiles:
                raise VerifyException("only inputs, outputs and weights hold a tensor of the model")
            return
        pitch = self.type.get_shape()[-1] if self.type.get_shape() else 1
        if self.tiles is not None:
            inner, columns, *rest = (*self.tiles.get_values(), 0, 0)
            if kind is not GlobalKind.WEIGHT or len(shape) != 2 or len(rest) != 2:
                raise VerifyException("tiles are the inner size and columns of a weight matrix")
            if min(inner, columns) < 1:
                raise VerifyException(f"expected positive tiles, found {inner} x {columns}")
        elif shape[-1:] > (pitch,) or min(shape, default=1) < 1:
            raise VerifyException(f"rows of the tensor {shape} do not fit {self.type}")
        elif prod(shape[:-1]) * pitch > prod(self.type.get_shape()):
            raise VerifyException(f"the tensor {shape} does not fit {self.type}")
        if self.limit is not None and kind is not GlobalKind.INPUT:
            raise VerifyException("only inputs have a limit")
        if self.values is not None:
            given = self.values.get_values()
            if kind is not GlobalKind.INPUT or len(given) != 2 or given[0] > given[1]:
                raise VerifyException("values are the smallest and the largest of an input")


@irdl_op_definition
class GetGlobalOp(IRDLOperation):
    """The memory of a global, in a kernel. Meant for TCDM constants: kernels get L2 objects as
    arguments, so that layers of equal shape share their code."""

    name = "cluster.get_global"

    symbol = prop_def(FlatSymbolRefAttr)
    """The global."""

    memref = result_def(MemRefType)
    """Its memory; the type is the global's."""

    traits = traits_def(Pure())

    assembly_format = "$symbol attr-dict `:` type($memref)"

    def __init__(self, symbol: str | FlatSymbolRefAttr, type_: AnyMemRef):
        symbol = SymbolRefAttr(symbol) if isinstance(symbol, str) else symbol
        super().__init__(properties={"symbol": symbol}, result_types=[type_])
