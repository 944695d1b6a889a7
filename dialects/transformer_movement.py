"""`transformer` operations that move data and compute nothing, and those on token ids and masks."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    BFloat16Type,
    IntegerAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    var_operand_def,
)

from softex_mlir.dialects.transformer_base import (
    ANY_TENSOR,
    BF16_TENSOR,
    ID_TENSOR,
    INT_ARRAY,
    TransformerOp,
    expect_same_elements,
    ints,
    shape_of,
)
from softex_mlir.dialects.transformer_state import AppendOp


@irdl_op_definition
class EmbeddingOp(TransformerOp):
    """Rows of a table by index: ids [..] i32, table [V, K] -> [.., K] (fused form: ids [M])."""

    name = "transformer.embedding"

    ids = operand_def(ID_TENSOR)
    table = operand_def(BF16_TENSOR)
    result = result_def(BF16_TENSOR)

    assembly_format = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `->` type($result)"

    def __init__(
        self,
        ids: SSAValue | Operation,
        table: SSAValue | Operation,
        *,
        layer: StringAttr | None = None,
    ):
        kind = TensorType(BFloat16Type(), [*shape_of(ids), shape_of(table)[1]])
        super().__init__(operands=[ids, table], properties={"layer": layer}, result_types=[kind])

    def verify_(self) -> None:
        table = shape_of(self.table)
        self.expect(len(table) == 2, f"table must have rank 2, found {table}")
        expected = (*shape_of(self.ids), table[1])
        self.expect(shape_of(self.result) == expected, f"result must be {expected}")


@irdl_op_definition
class WindowsOp(TransformerOp):
    """Windows of a vector by their first elements: ids [M] i32, vector [n] -> [M, K].

    A matrix whose rows are all windows, read by row, without that matrix: what depends on the
    distance between two positions, at a position known at run time. ids are in 0..n - K.
    """

    name = "transformer.windows"

    ids = operand_def(ID_TENSOR)
    vector = operand_def(BF16_TENSOR)
    result = result_def(BF16_TENSOR)

    assembly_format = (
        "$ids `,` $vector attr-dict `:` type($ids) `,` type($vector) `->` type($result)"
    )

    def __init__(
        self,
        ids: SSAValue | Operation,
        vector: SSAValue | Operation,
        columns: int,
        *,
        layer: StringAttr | None = None,
    ):
        kind = TensorType(BFloat16Type(), [*shape_of(ids), columns])
        super().__init__(operands=[ids, vector], properties={"layer": layer}, result_types=[kind])

    @property
    def windows(self) -> int:
        """How many there are to choose from."""
        return shape_of(self.vector)[0] - shape_of(self.result)[1] + 1

    def verify_(self) -> None:
        ids, vector, result = (shape_of(v) for v in (self.ids, self.vector, self.result))
        self.expect(
            len(ids) == len(vector) == 1 and len(result) == 2 and result[0] == ids[0],
            f"expected ids [M], a vector [n] and a result [M, K], found {ids}, {vector}, {result}",
        )
        self.expect(self.windows > 0, f"{vector[0]} elements hold no window of {result[1]}")


@irdl_op_definition
class MaskToBiasOp(TransformerOp):
    """An additive attention bias from a mask that is only known at run time.

    mask: [batch, keys] i32, base: [queries, columns] bf16 or absent,
    result: [batch, columns], with a base [batch*queries, columns]; columns >= keys.

    result[b(, q), j] = mask[b, j] != 0 ? base[q, j] (or 0) : lowest finite bf16, and -inf in the
    columns past the keys. With `inverted` the keys are hidden where the mask is not 0.
    """

    name = "transformer.mask_to_bias"

    mask = operand_def(ID_TENSOR)
    base = opt_operand_def(BF16_TENSOR)
    inverted = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = (
        "$mask (`base` $base^ `:` type($base))? attr-dict `:` type($mask) `->` type($result)"
    )

    def __init__(
        self,
        mask: SSAValue | Operation,
        columns: int,
        base: SSAValue | Operation | None = None,
        *,
        inverted: bool = False,
        layer: StringAttr | None = None,
    ):
        rows = shape_of(mask)[0] * (1 if base is None else shape_of(base)[0])
        super().__init__(
            operands=[mask, base],
            properties={"inverted": UnitAttr() if inverted else None, "layer": layer},
            result_types=[TensorType(BFloat16Type(), [rows, columns])],
        )

    def verify_(self) -> None:
        mask, result = shape_of(self.mask), shape_of(self.result)
        self.expect(len(mask) == 2, f"mask must be [batch, keys], found {mask}")
        self.expect(len(result) == 2, f"result must have rank 2, found {result}")
        rows = mask[0]
        if self.base is not None:
            base = shape_of(self.base)
            self.expect(
                len(base) == 2 and base[1] == result[1],
                f"base must be [queries, {result[1]}], found {base}",
            )
            rows *= base[0]
        self.expect(
            result[0] == rows and result[1] >= mask[1],
            f"result must be [{rows}, at least {mask[1]}], found {result}",
        )


@irdl_op_definition
class PositionIdsOp(TransformerOp):
    """Positions counted over the tokens that are no padding, as RoBERTa and OPT use them.

    ids: token ids or a mask [batch, tokens] i32, result: [batch, tokens] i32.

    result[b, j] = ids[b, j] != padding ? offset + (number of i <= j with ids[b, i] != padding)
                                        : fill.
    """

    name = "transformer.position_ids"

    ids = operand_def(ID_TENSOR)
    padding = prop_def(IntegerAttr)
    offset = prop_def(IntegerAttr)
    fill = prop_def(IntegerAttr)
    result = result_def(ID_TENSOR)

    assembly_format = "$ids attr-dict `:` type($ids) `->` type($result)"

    def __init__(
        self,
        ids: SSAValue | Operation,
        *,
        padding: int,
        offset: int,
        fill: int,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[ids],
            properties={
                "padding": IntegerAttr(padding, i64),
                "offset": IntegerAttr(offset, i64),
                "fill": IntegerAttr(fill, i64),
                "layer": layer,
            },
            result_types=[SSAValue.get(ids).type],
        )

    @property
    def limit(self) -> int:
        """No position reaches this number."""
        highest = self.offset.value.data + shape_of(self.ids)[1]
        return max(highest, self.fill.value.data) + 1

    def verify_(self) -> None:
        ids = shape_of(self.ids)
        self.expect(len(ids) == 2, f"ids must be [batch, tokens], found {ids}")
        self.expect(shape_of(self.result) == ids, f"result must be {ids}")
        lowest = min(self.offset.value.data + 1, self.fill.value.data)
        self.expect(lowest >= 0, f"positions must not be negative, the lowest is {lowest}")


@irdl_op_definition
class PatchifyOp(TransformerOp):
    """Cut images into patches, one row a patch: data movement only.

    image: [batch, C, H, W] -> [batch*(H/ph)*(W/pw), C*ph*pw]; patches in row-major order, the
    columns of a row ordered (channel, y, x) like the weights of the convolution this replaces.
    """

    name = "transformer.patchify"

    image = operand_def(BF16_TENSOR)
    patch = prop_def(INT_ARRAY)
    result = result_def(BF16_TENSOR)

    assembly_format = "$image attr-dict `:` type($image) `->` type($result)"

    def __init__(
        self,
        image: SSAValue | Operation,
        patch: tuple[int, int],
        *,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[image],
            properties={"patch": ints(patch), "layer": layer},
            result_types=[TensorType(BFloat16Type(), self.result_shape(shape_of(image), patch))],
        )

    @staticmethod
    def result_shape(image: tuple[int, ...], patch: tuple[int, ...]) -> tuple[int, int]:
        """[patches, values of a patch]."""
        batch, channels, height, width = image
        high, wide = patch
        return batch * (height // high) * (width // wide), channels * high * wide

    def verify_(self) -> None:
        image, patch = shape_of(self.image), tuple(self.patch.get_values())
        self.expect(len(image) == 4, f"image must be [batch, C, H, W], found {image}")
        self.expect(len(patch) == 2, f"patch must be two sizes, found {patch}")
        high, wide = int(patch[0]), int(patch[1])
        self.expect(
            image[2] % high == 0 and image[3] % wide == 0,
            f"patches of {high}x{wide} do not divide an image of {image[2]}x{image[3]}",
        )
        expected = self.result_shape(image, (high, wide))
        self.expect(shape_of(self.result) == expected, f"result must be {expected}")


@irdl_op_definition
class SliceOp(TransformerOp):
    """A strided part of a tensor, by start, size and step of every dimension.

    A slice of whole rows, or of columns of [M, K], is a view; the scheduler moves no data for it.
    """

    name = "transformer.slice"

    x = operand_def(ANY_TENSOR)
    offsets = prop_def(INT_ARRAY)
    sizes = prop_def(INT_ARRAY)
    strides = opt_prop_def(INT_ARRAY)
    result = result_def(ANY_TENSOR)

    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        offsets: Sequence[int],
        sizes: Sequence[int],
        strides: Sequence[int] | None = None,
        *,
        layer: StringAttr | None = None,
    ):
        kind = SSAValue.get(x, type=TensorType).type
        unit = strides is None or all(s == 1 for s in strides)
        super().__init__(
            operands=[x],
            properties={
                "offsets": ints(offsets),
                "sizes": ints(sizes),
                "strides": None if unit or strides is None else ints(strides),
                "layer": layer,
            },
            result_types=[TensorType(kind.get_element_type(), sizes)],
        )

    @property
    def steps(self) -> tuple[int, ...]:
        """Step of every dimension (1 unless `strides` says otherwise)."""
        if self.strides is None:
            return (1,) * len(shape_of(self.x))
        return tuple(int(s) for s in self.strides.get_values())

    def verify_(self) -> None:
        x = shape_of(self.x)
        offsets, sizes = self.offsets.get_values(), self.sizes.get_values()
        self.expect(
            len(x) == len(offsets) == len(sizes) == len(self.steps),
            f"offsets, sizes and strides must have {len(x)} entries like the operand {x}",
        )
        for size, offset, count, step in zip(x, offsets, sizes, self.steps, strict=True):
            last = int(offset) + (int(count) - 1) * step
            self.expect(0 <= offset < size and 0 <= last < size, f"slice leaves the operand {x}")
        expect_same_elements(self, self.result, self.x)
        self.expect(shape_of(self.result) == tuple(sizes), f"result must be {tuple(sizes)}")


@irdl_op_definition
class ConcatOp(TransformerOp):
    """Tensors joined along `axis`; the other dimensions agree."""

    name = "transformer.concat"

    xs = var_operand_def(ANY_TENSOR)
    axis = prop_def(IntegerAttr)
    result = result_def(ANY_TENSOR)

    assembly_format = "$xs attr-dict `:` type($xs) `->` type($result)"

    def __init__(
        self,
        xs: Sequence[SSAValue | Operation],
        axis: int,
        *,
        layer: StringAttr | None = None,
    ):
        kind = SSAValue.get(xs[0], type=TensorType).type
        shape = list(kind.get_shape())
        shape[axis] = sum(shape_of(x)[axis] for x in xs)
        super().__init__(
            operands=[xs],
            properties={"axis": IntegerAttr(axis, i64), "layer": layer},
            result_types=[TensorType(kind.get_element_type(), shape)],
        )

    def verify_(self) -> None:
        axis, shapes = self.axis.value.data, [shape_of(x) for x in self.xs]
        result = shape_of(self.result)
        expect_same_elements(self, self.result, *self.xs)
        self.expect(len(shapes) > 0 and 0 <= axis < len(result), "axis out of range")
        for shape in shapes:
            rest, wanted = shape[:axis] + shape[axis + 1 :], result[:axis] + result[axis + 1 :]
            self.expect(rest == wanted, f"operand {shape} does not fit result {result}")
        total = sum(shape[axis] for shape in shapes)
        self.expect(total == result[axis], f"operands have {total} along axis {axis}, not {result}")


@irdl_op_definition
class ReshapeOp(TransformerOp):
    """The same elements in row-major order with another shape."""

    name = "transformer.reshape"

    x = operand_def(ANY_TENSOR)
    result = result_def(ANY_TENSOR)

    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        shape: Sequence[int],
        *,
        layer: StringAttr | None = None,
    ):
        kind = SSAValue.get(x, type=TensorType).type
        super().__init__(
            operands=[x],
            properties={"layer": layer},
            result_types=[TensorType(kind.get_element_type(), shape)],
        )

    def verify_(self) -> None:
        before, after = shape_of(self.x), shape_of(self.result)
        expect_same_elements(self, self.result, self.x)
        sizes = [1, 1]
        for index, shape in enumerate((before, after)):
            for size in shape:
                sizes[index] *= size
        self.expect(
            sizes[0] == sizes[1], f"{before} and {after} differ in their number of elements"
        )


@irdl_op_definition
class TransposeOp(TransformerOp):
    """Dimensions in another order: result dimension i is operand dimension `permutation[i]`."""

    name = "transformer.transpose"

    x = operand_def(ANY_TENSOR)
    permutation = prop_def(INT_ARRAY)
    result = result_def(ANY_TENSOR)

    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        permutation: Sequence[int],
        *,
        layer: StringAttr | None = None,
    ):
        kind = SSAValue.get(x, type=TensorType).type
        shape = kind.get_shape()
        super().__init__(
            operands=[x],
            properties={"permutation": ints(permutation), "layer": layer},
            result_types=[TensorType(kind.get_element_type(), [shape[p] for p in permutation])],
        )

    def verify_(self) -> None:
        order = [int(p) for p in self.permutation.get_values()]
        x = shape_of(self.x)
        self.expect(sorted(order) == list(range(len(x))), f"{order} is no permutation of {len(x)}")
        expected = tuple(x[p] for p in order)
        expect_same_elements(self, self.result, self.x)
        self.expect(shape_of(self.result) == expected, f"result must be {expected}")


LIMIT = "transformer.limit"
"""Attribute of an integer argument: what its elements are below, if more than its uses say."""


def id_limit(ids: SSAValue) -> int | None:
    """What the model says of an argument, the rows of the smallest table that an integer tensor
    selects rows of, or the places of the state that it is a position in: the least of them; None
    if there is none."""
    limits: list[int] = []
    function = ids.block.parent_op() if isinstance(ids, BlockArgument) else None
    if isinstance(function, FuncOp) and function.arg_attrs and isinstance(ids, BlockArgument):
        given = function.arg_attrs.data[ids.index].data.get(LIMIT)
        limits += [given.value.data] if isinstance(given, IntegerAttr) else []
    for use in ids.uses:
        op = use.operation
        if isinstance(op, EmbeddingOp) and use.index == 0:
            limits.append(shape_of(op.table)[0])
        elif isinstance(op, AppendOp) and use.index == 1:
            limits.append(op.capacity - op.count + 1)
        elif isinstance(op, WindowsOp):
            limits.append(op.windows)
        elif isinstance(op, ReshapeOp | SliceOp | TransposeOp | ConcatOp):
            limit = id_limit(op.results[0])
            limits += [] if limit is None else [limit]
    return min(limits, default=None)
