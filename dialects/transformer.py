"""The `transformer` dialect: a neural network as whole-layer operations on bf16 tensors (level L1).

The dialect has two vocabularies.

The *graph form* is what an importer writes: operations of any rank with numpy's broadcasting
(the ones of :mod:`softex_mlir.dialects.transformer_graph` and the shared ones below).

The *fused form* is what the scheduler reads: the operations of this file only, on tensors in which
all leading dimensions are flattened into *rows*, so that nearly every operation is
``[rows, features] -> [rows, features]``. An operation of the fused form has exactly one meaning,
down to the bit; its docstring says which, in terms of :mod:`softex_mlir.isa_sim.numerics`.

Types: activations and parameters are ``tensor<..xbf16>``, token ids and masks ``tensor<..xi32>``.
Every operation may carry `layer` (the path of the module it came from, for reports) and `unit`
(where it executes, written by the `place` pass).
"""

from __future__ import annotations

from xdsl.dialects.builtin import (
    BFloat16Type,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    f64,
)
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)

from softex_mlir.arithmetic import round_up
from softex_mlir.dialects.transformer_attention import AttentionOp
from softex_mlir.dialects.transformer_base import (
    ANY_TENSOR,
    BF16_TENSOR,
    ID_TENSOR,
    INNER_UNIT,
    MASKED,
    AnyTensor,
    Bf16Tensor,
    GetWeightOp,
    IdTensor,
    TransformerOp,
    WeightOp,
    expect_unit,
    inner_step,
    ints,
    padded_keys,
    shape_of,
)
from softex_mlir.dialects.transformer_elementwise import (
    FUNCTIONS,
    AddOp,
    BinaryOp,
    ExpOp,
    GeluOp,
    GeluTanhOp,
    MulOp,
    ReluOp,
    SigmoidOp,
    SiluOp,
    SoftmaxOp,
    SubOp,
    TanhOp,
    UnaryOp,
    broadcast,
)
from softex_mlir.dialects.transformer_graph import (
    GRAPH_FUNCTIONS,
    DivOp,
    ErfOp,
    ExpandOp,
    MaskFillOp,
    NanToZeroOp,
    PowOp,
    ReduceMeanOp,
    SplatOp,
    SqrtOp,
)
from softex_mlir.dialects.transformer_movement import (
    LIMIT,
    ConcatOp,
    EmbeddingOp,
    MaskToBiasOp,
    PatchifyOp,
    PositionIdsOp,
    ReshapeOp,
    SliceOp,
    TransposeOp,
    WindowsOp,
    id_limit,
)
from softex_mlir.dialects.transformer_rotary import RotaryOp
from softex_mlir.dialects.transformer_state import AppendOp, KeepOp, RecallOp, StateOp

ACTIVATIONS = ("none", *(op.name.removeprefix("transformer.") for op in FUNCTIONS))
"""Functions `transformer.linear` can apply to its result before the residual is added."""


def expect_chunk(op: LinearOp | MatmulOp) -> None:
    """Fail verification unless partial sums of an operation are of equal lengths."""
    op.expect(
        op.chunk > 0 and op.chunk % op.step == 0 and op.inner % op.chunk == 0,
        f"sum_chunk must be a multiple of {op.step} that divides {op.inner}, found {op.chunk}",
    )


@irdl_op_definition
class LinearOp(TransformerOp):
    """``activation(x @ w + bias) + residual``, a RedMulE matrix product with its epilogue.

    x: [M, N], w: [N, K], bias: [K], residual and result: [M, K].

    Numerics: every result starts from its bias (or +0) and accumulates x[m, n]*w[n, k] for rising n
    with one bf16 rounding each (`numerics.gemm`). If N is no multiple of `inner_unit` (32 unless
    `pad-inner` says otherwise), x and w continue with zeros up to the next one. The activation is
    the one of the unary operation of the same name; the residual is added by one bf16 addition.

    `sum_chunk` (set by `split-sums`, a multiple of `inner_unit`) divides the padded N into chunks.
    The first one is accumulated as above, every other one from +0, and the partial sums are added
    in the order of the chunks, with one bf16 rounding each: short sums lose less to rounding.

    `wide` (set by `widen-sums`): sums accumulate with one f32 rounding a step and are kept as two
    bf16 numbers between the chunks (`numerics.rowwise.gemm_in_parts`); activation and residual
    follow in f32 before the only rounding (`row_operations.finish`). All of it is the cores'.

    `software`: the activation is the cores', as on machines without SoftEx.
    """

    name = "transformer.linear"

    x = operand_def(BF16_TENSOR)
    w = operand_def(BF16_TENSOR)
    bias = opt_operand_def(BF16_TENSOR)
    residual = opt_operand_def(BF16_TENSOR)
    activation = prop_def(StringAttr, default_value=StringAttr("none"))
    sum_chunk = opt_prop_def(IntegerAttr)
    inner_unit = opt_prop_def(IntegerAttr)
    wide = opt_prop_def(UnitAttr)
    software = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())
    assembly_format = (
        "$x `,` $w (`bias` $bias^ `:` type($bias))? (`residual` $residual^ `:` type($residual))? "
        "attr-dict `:` type($x) `,` type($w) `->` type($result)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        w: SSAValue | Operation,
        bias: SSAValue | Operation | None = None,
        residual: SSAValue | Operation | None = None,
        *,
        activation: str = "none",
        layer: StringAttr | None = None,
    ):
        kind = TensorType(BFloat16Type(), [shape_of(x)[0], shape_of(w)[1]])
        super().__init__(
            operands=[x, w, bias, residual],
            properties={"activation": StringAttr(activation), "layer": layer},
            result_types=[kind],
        )

    @property
    def inner(self) -> int:
        """N, padded as RedMulE reads it."""
        return round_up(shape_of(self.x)[1], self.step)

    @property
    def step(self) -> int:
        """What N is padded to a multiple of."""
        return inner_step(self.inner_unit)

    @property
    def chunk(self) -> int:
        """Inner values of a partial sum; all of them if the sums are not split."""
        return self.inner if self.sum_chunk is None else self.sum_chunk.value.data

    def verify_(self) -> None:
        x, w, result = shape_of(self.x), shape_of(self.w), shape_of(self.result)
        self.expect(len(x) == 2 and len(w) == 2, f"x and w must have rank 2, found {x} and {w}")
        self.expect(x[1] == w[0], f"inner dimensions differ: x is {x}, w is {w}")
        expected = (x[0], w[1])
        self.expect(result == expected, f"result must be {expected}, found {result}")
        if self.bias is not None:
            found = shape_of(self.bias)
            self.expect(found == (w[1],), f"bias must be ({w[1]},), found {found}")
        if self.residual is not None:
            found = shape_of(self.residual)
            self.expect(found == expected, f"residual must be {expected}, found {found}")
        self.expect(
            self.activation.data in ACTIVATIONS,
            f"activation must be one of {', '.join(ACTIVATIONS)}, found '{self.activation.data}'",
        )
        expect_unit(self, self.inner_unit)
        expect_chunk(self)


@irdl_op_definition
class LayerNormOp(TransformerOp):
    """``(x - mean) / sqrt(variance + eps) * gamma + beta`` over each row (last dimension).

    x: [.., K], gamma and beta: [K], result: [.., K]. Numerics: `numerics.rowwise.layer_norm`, with
    moments in f32 and two roundings to bf16: of the normalised row, and of the result. `wide` (set
    by `widen-sums`): `numerics.rowwise.layer_norm_wide`, with one rounding at the end.
    """

    name = "transformer.layer_norm"

    x = operand_def(BF16_TENSOR)
    gamma = operand_def(BF16_TENSOR)
    beta = operand_def(BF16_TENSOR)
    eps = prop_def(FloatAttr)
    wide = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = (
        "$x `,` $gamma `,` $beta attr-dict `:` "
        "type($x) `,` type($gamma) `,` type($beta) `->` type($result)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        gamma: SSAValue | Operation,
        beta: SSAValue | Operation,
        eps: float,
        *,
        wide: UnitAttr | None = None,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[x, gamma, beta],
            properties={"eps": FloatAttr(eps, f64), "wide": wide, "layer": layer},
            result_types=[SSAValue.get(x).type],
        )

    def verify_(self) -> None:
        x, expected = shape_of(self.x), shape_of(self.x)[-1:]
        for label, value in (("gamma", self.gamma), ("beta", self.beta)):
            found = shape_of(value)
            self.expect(found == expected, f"{label} must be {expected}, found {found}")
        self.expect(shape_of(self.result) == x, f"result must be {x}")


@irdl_op_definition
class RMSNormOp(TransformerOp):
    """``x / sqrt(mean(x^2) + eps) * gamma`` over each row; x: [.., K], gamma: [K].

    Numerics: `numerics.rowwise.rms_norm`, with two roundings to bf16; `wide` as of
    `transformer.layer_norm`: `numerics.rowwise.rms_norm_wide`, with one.
    """

    name = "transformer.rms_norm"

    x = operand_def(BF16_TENSOR)
    gamma = operand_def(BF16_TENSOR)
    eps = prop_def(FloatAttr)
    wide = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = "$x `,` $gamma attr-dict `:` type($x) `,` type($gamma) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        gamma: SSAValue | Operation,
        eps: float,
        *,
        wide: UnitAttr | None = None,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[x, gamma],
            properties={"eps": FloatAttr(eps, f64), "wide": wide, "layer": layer},
            result_types=[SSAValue.get(x).type],
        )

    def verify_(self) -> None:
        x, gamma = shape_of(self.x), shape_of(self.gamma)
        self.expect(gamma == x[-1:], f"gamma must be {x[-1:]}, found {gamma}")
        self.expect(shape_of(self.result) == x, f"result must be {x}")


@irdl_op_definition
class MatmulOp(TransformerOp):
    """Product of two activations: a [.., M, N] @ b [.., N, K], leading dimensions broadcast.

    Fused form: both of rank 2, or both of rank 3 with equal batch. Numerics of `transformer.linear`
    without bias, `sum_chunk` and `wide` as there. The fallback for products that are no linear
    layer and no attention.
    """

    name = "transformer.matmul"

    a = operand_def(BF16_TENSOR)
    b = operand_def(BF16_TENSOR)
    sum_chunk = opt_prop_def(IntegerAttr)
    inner_unit = opt_prop_def(IntegerAttr)
    wide = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($result)"

    def __init__(
        self,
        a: SSAValue | Operation,
        b: SSAValue | Operation,
        *,
        layer: StringAttr | None = None,
    ):
        shape = self.result_shape(shape_of(a), shape_of(b))
        if shape is None:
            raise ValueError(f"{self.name}: cannot multiply {shape_of(a)} by {shape_of(b)}")
        super().__init__(
            operands=[a, b],
            properties={"layer": layer},
            result_types=[TensorType(BFloat16Type(), shape)],
        )

    @property
    def inner(self) -> int:
        """N, padded as RedMulE reads it."""
        return round_up(shape_of(self.a)[-1], self.step)

    @property
    def step(self) -> int:
        """What N is padded to a multiple of."""
        return inner_step(self.inner_unit)

    @property
    def chunk(self) -> int:
        """Inner values of a partial sum; all of them if the sums are not split."""
        return self.inner if self.sum_chunk is None else self.sum_chunk.value.data

    @property
    def is_fused(self) -> bool:
        """Whether the operands have the shapes of the fused form."""
        a, b = shape_of(self.a), shape_of(self.b)
        return len(a) == len(b) and len(a) in (2, 3) and a[:-2] == b[:-2]

    @staticmethod
    def result_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
        """Shape of the product, None if the operands do not fit."""
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            return None
        rank = max(len(a), len(b)) - 2
        left = (1,) * (rank + 2 - len(a)) + a[:-2]
        right = (1,) * (rank + 2 - len(b)) + b[:-2]
        if any(x != y and 1 not in (x, y) for x, y in zip(left, right, strict=True)):
            return None
        lead = tuple(max(x, y) for x, y in zip(left, right, strict=True))
        return (*lead, a[-2], b[-1])

    def verify_(self) -> None:
        expected = self.result_shape(shape_of(self.a), shape_of(self.b))
        expect_unit(self, self.inner_unit)
        self.expect(
            expected == shape_of(self.result),
            f"{shape_of(self.a)} by {shape_of(self.b)} gives {expected}, "
            f"found {shape_of(self.result)}",
        )
        expect_chunk(self)


FOR_CORES = "transformer.cores"
"""Attribute of a module that is the cores' as a whole, on whatever machine."""

CAN_BE_WIDE = (LinearOp, AttentionOp, MatmulOp, LayerNormOp, RMSNormOp)
"""Operations that `widen-sums` makes compute in f32."""

FUSED_OPS: tuple[type[TransformerOp], ...] = (
    LinearOp,
    AttentionOp,
    MatmulOp,
    LayerNormOp,
    RMSNormOp,
    SoftmaxOp,
    RotaryOp,
    AddOp,
    SubOp,
    MulOp,
    *FUNCTIONS,
    EmbeddingOp,
    WindowsOp,
    MaskToBiasOp,
    PositionIdsOp,
    PatchifyOp,
    SliceOp,
    ConcatOp,
    ReshapeOp,
    TransposeOp,
    AppendOp,
    KeepOp,
    RecallOp,
)
"""Operations of the fused form: what the scheduler accepts."""

GRAPH_OPS: tuple[type[TransformerOp], ...] = (
    SplatOp,
    DivOp,
    PowOp,
    *GRAPH_FUNCTIONS,
    ReduceMeanOp,
    MaskFillOp,
    ExpandOp,
)
"""Operations of the graph form only: fusion removes them."""

Transformer = Dialect("transformer", [WeightOp, GetWeightOp, StateOp, *FUSED_OPS, *GRAPH_OPS])

__all__ = [
    "ACTIVATIONS",
    "ANY_TENSOR",
    "BF16_TENSOR",
    "CAN_BE_WIDE",
    "FUSED_OPS",
    "GRAPH_OPS",
    "ID_TENSOR",
    "INNER_UNIT",
    "LIMIT",
    "MASKED",
    "AddOp",
    "AnyTensor",
    "AppendOp",
    "AttentionOp",
    "Bf16Tensor",
    "BinaryOp",
    "ConcatOp",
    "DivOp",
    "EmbeddingOp",
    "ErfOp",
    "ExpOp",
    "ExpandOp",
    "GeluOp",
    "GeluTanhOp",
    "GetWeightOp",
    "IdTensor",
    "KeepOp",
    "LayerNormOp",
    "LinearOp",
    "MaskFillOp",
    "MaskToBiasOp",
    "MatmulOp",
    "MulOp",
    "NanToZeroOp",
    "PatchifyOp",
    "PositionIdsOp",
    "PowOp",
    "RMSNormOp",
    "RecallOp",
    "ReduceMeanOp",
    "ReluOp",
    "ReshapeOp",
    "RotaryOp",
    "SigmoidOp",
    "SiluOp",
    "SliceOp",
    "SoftmaxOp",
    "SplatOp",
    "SqrtOp",
    "StateOp",
    "SubOp",
    "TanhOp",
    "Transformer",
    "TransformerOp",
    "TransposeOp",
    "UnaryOp",
    "WeightOp",
    "WindowsOp",
    "broadcast",
    "id_limit",
    "ints",
    "padded_keys",
    "shape_of",
]
