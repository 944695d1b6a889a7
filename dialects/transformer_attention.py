"""`transformer.attention`: multi-head attention, over whole rows of scores or chunks of keys."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import (
    BFloat16Type,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    f64,
    i64,
)
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)

from softex_mlir.arithmetic import round_up
from softex_mlir.dialects.transformer_base import (
    BF16_TENSOR,
    ID_TENSOR,
    TransformerOp,
    expect_unit,
    inner_step,
    padded_keys,
    shape_of,
)

KEY_UNIT = 32
"""Chunks of keys are whole lines of RedMulE, and whole beats of SoftEx."""

KEY_BLOCK = 64
"""Attention to a cache looks at whole blocks of so many keys, as many as there are tokens for."""


@irdl_op_definition
class AttentionOp(TransformerOp):
    """Multi-head attention ``softmax(q @ k^T + bias) @ v``, heads side by side in the columns.

    q: [batch*queries, heads*d], k: [batch*keys, heads*d], v: [batch*keys, heads*e],
    bias: [1 | queries | batch | batch*queries, padded], result: [batch*queries, heads*e],
    where ``padded = padded_keys(keys)``: keys rounded up to a multiple of 32.

    `bias_rows` says what a bias row belongs to: ``all`` queries (1 row), each ``query`` (of any
    batch), each ``batch`` element, or ``batch_query``. Its columns past the keys hold -inf.
    A bias with rows for each query may have columns of each head, side by side: heads*padded.

    Numerics, for each batch element and head: scores [queries, padded] = `numerics.gemm` over d,
    zero-padded to a multiple of `inner_unit` (32 unless `pad-inner` says otherwise), starting from
    the bias, k padded with rows of zeros;
    p = `numerics.softmax` of each padded row; result = `numerics.gemm` of p and v over the padded
    keys (rows of zeros in v), starting from +0. 1/sqrt(d) is part of the weights behind q
    unless `scale` is present (graph form only: `fold-scale` removes it).

    `key_chunk` (set by `chunk-keys`, a multiple of 32) divides the keys into chunks for memories
    that do not hold a whole head. Scores are then padded with -inf to a multiple of it, k and v
    with zeros, and p is `numerics.softmax(scores, chunk=key_chunk)`: the same maximum, but a
    denominator that is summed chunk by chunk. Without SoftEx, p does not depend on the chunks.

    `value_chunk` (set by `split-values` and `chunk-keys`, a multiple of 32) divides the padded keys
    into chunks for the last product. By whole rows of scores: one chain for each, over all padded
    keys with zeros for the rows of v that are not the chunk's, and the partial sums are added in
    the order of the chunks, with one bf16 rounding each. With `key_chunk`, which it then divides:
    one chain for each, over its own keys; those of a key chunk are added in their order, and then
    to the sum of the chunks before, which begins with +0, with one bf16 rounding each. Machines
    with RedMulE and without SoftEx add each to the sum: their softmax knows no chunks.

    `wide` (set by `widen-sums`): both products accumulate with one f32 rounding a step
    (`numerics.rowwise.gemm_wide`) and are rounded to bf16 at their ends, the second one at the end
    of every chunk of keys; softmax is that of the cores. All of it is the cores'.

    `software`: softmax is the cores', as on machines without SoftEx.

    With `key_heads`, k and v have fewer heads: head h of q reads the one of number
    ``h // (heads / key_heads)``.

    With a `position` ([batch] i32: that of the first query), k and v are caches of which only the
    first keys are looked at: position + queries, rounded up to whole blocks of `KEY_BLOCK`. The
    operation is then the same as on k, v and bias cut to so many keys, and up to `whole_keys` of
    them (a chunk if it is left out) without chunks: what it computes, and its cost, depend on the
    position and not on the size of the cache.
    """

    name = "transformer.attention"

    q = operand_def(BF16_TENSOR)
    k = operand_def(BF16_TENSOR)
    v = operand_def(BF16_TENSOR)
    bias = operand_def(BF16_TENSOR)
    position = opt_operand_def(ID_TENSOR)
    heads = prop_def(IntegerAttr)
    key_heads = opt_prop_def(IntegerAttr)
    batch = prop_def(IntegerAttr)
    bias_rows = prop_def(StringAttr, default_value=StringAttr("all"))
    scale = opt_prop_def(FloatAttr)
    key_chunk = opt_prop_def(IntegerAttr)
    value_chunk = opt_prop_def(IntegerAttr)
    whole_keys = opt_prop_def(IntegerAttr)
    inner_unit = opt_prop_def(IntegerAttr)
    wide = opt_prop_def(UnitAttr)
    software = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = (
        "$q `,` $k `,` $v `,` $bias (`position` $position^ `:` type($position))? attr-dict `:` "
        "type($q) `,` type($k) `,` type($v) `,` type($bias) `->` type($result)"
    )

    BIAS_ROWS: ClassVar[tuple[str, ...]] = ("all", "query", "batch", "batch_query")

    def __init__(
        self,
        q: SSAValue | Operation,
        k: SSAValue | Operation,
        v: SSAValue | Operation,
        bias: SSAValue | Operation,
        *,
        heads: int,
        batch: int = 1,
        bias_rows: str = "all",
        scale: float | None = None,
        position: SSAValue | Operation | None = None,
        key_heads: int | None = None,
        layer: StringAttr | None = None,
    ):
        width = shape_of(v)[1] * (1 if key_heads is None else heads // key_heads)
        super().__init__(
            operands=[q, k, v, bias, position],
            properties={
                "heads": IntegerAttr(heads, i64),
                "key_heads": None if key_heads is None else IntegerAttr(key_heads, i64),
                "batch": IntegerAttr(batch, i64),
                "bias_rows": StringAttr(bias_rows),
                "scale": None if scale is None else FloatAttr(scale, f64),
                "layer": layer,
            },
            result_types=[TensorType(BFloat16Type(), [shape_of(q)[0], width])],
        )

    @property
    def queries(self) -> int:
        """Query tokens of one batch element."""
        return shape_of(self.q)[0] // self.batch.value.data

    @property
    def keys(self) -> int:
        """Key tokens of one batch element, without padding."""
        return shape_of(self.k)[0] // self.batch.value.data

    @property
    def chunk(self) -> int | None:
        """Keys of a chunk; None for whole rows."""
        return None if self.key_chunk is None else self.key_chunk.value.data

    @property
    def whole(self) -> int | None:
        """The most visible keys of a cache that go by whole rows; None if all do."""
        return self.chunk if self.whole_keys is None else self.whole_keys.value.data

    @property
    def summed(self) -> int | None:
        """Keys of a partial sum of the values; None for sums over all of them."""
        return None if self.value_chunk is None else self.value_chunk.value.data

    @property
    def columns(self) -> int:
        """Keys with their padding: columns of the scores."""
        return round_up(self.keys, self.chunk or KEY_UNIT)

    @property
    def heads_of_keys(self) -> int:
        """Heads of k and v."""
        return (self.heads if self.key_heads is None else self.key_heads).value.data

    @property
    def bias_by_head(self) -> bool:
        """Whether each head has columns of the bias of its own."""
        return shape_of(self.bias)[1] != padded_keys(self.keys)

    def visible_keys(self, position: int) -> int:
        """Keys that the queries from a position on look at."""
        return min(self.keys, round_up(position + self.queries, KEY_BLOCK))

    @property
    def head_size(self) -> int:
        """Columns of q and k that belong to one head (d)."""
        return shape_of(self.q)[1] // self.heads.value.data

    @property
    def inner(self) -> int:
        """Columns of q and k that belong to one head, padded as RedMulE reads them."""
        return round_up(self.head_size, self.step)

    @property
    def step(self) -> int:
        """What a head's columns of q and k are padded to a multiple of."""
        return inner_step(self.inner_unit)

    @property
    def value_size(self) -> int:
        """Columns of v that belong to one head (e)."""
        return shape_of(self.v)[1] // self.heads_of_keys

    def verify_(self) -> None:
        q, k, v = shape_of(self.q), shape_of(self.k), shape_of(self.v)
        bias, result = shape_of(self.bias), shape_of(self.result)
        heads, batch = self.heads.value.data, self.batch.value.data
        shapes = f"q {q}, k {k}, v {v}, bias {bias}"
        self.expect(
            all(len(s) == 2 for s in (q, k, v, bias)), f"operands must have rank 2, found {shapes}"
        )
        key_heads = self.heads_of_keys
        self.expect(heads > 0 and batch > 0 and key_heads > 0, "heads and batch must be positive")
        self.expect(heads % key_heads == 0, f"{key_heads} heads of keys do not divide {heads}")
        self.expect(
            q[1] % heads == 0 and k[1] % key_heads == 0 and v[1] % key_heads == 0,
            f"{heads} heads do not divide the columns",
        )
        self.expect(
            q[1] // heads == k[1] // key_heads, f"heads of q and k must be equally wide: {shapes}"
        )
        self.expect(k[0] == v[0], f"k and v must have the same number of rows, found {shapes}")
        self.expect(
            q[0] % batch == 0 and k[0] % batch == 0, f"batch {batch} does not divide the rows"
        )
        expected = (q[0], heads * self.value_size)
        self.expect(result == expected, f"result must be {expected}, found {result} for {shapes}")
        if self.position is not None:
            found = shape_of(self.position)
            self.expect(found == (batch,), f"position must be ({batch},), found {found}")
            self.expect(
                k[0] // batch % KEY_BLOCK == 0,
                f"a cache holds whole blocks of {KEY_BLOCK} keys, found {k[0] // batch}",
            )
        kind = self.bias_rows.data
        self.expect(kind in self.BIAS_ROWS, f"bias_rows must be one of {', '.join(self.BIAS_ROWS)}")
        rows = {"all": 1, "query": q[0] // batch, "batch": batch, "batch_query": q[0]}[kind]
        expected = (rows, padded_keys(k[0] // batch))
        by_head = (rows, heads * expected[1])
        self.expect(
            bias == expected or (bias == by_head and "query" in kind),
            f"bias must be {expected} ({kind}), with rows of queries or {by_head}, found {bias}",
        )
        chunk = self.chunk
        expect_unit(self, self.inner_unit)
        self.expect(
            chunk is None or (chunk > 0 and chunk % KEY_UNIT == 0),
            f"key_chunk must be a positive multiple of {KEY_UNIT}, found {chunk}",
        )
        summed = self.summed
        self.expect(
            summed is None or (summed > 0 and summed % KEY_UNIT == 0),
            f"value_chunk must be a positive multiple of {KEY_UNIT}, found {summed}",
        )
        self.expect(
            summed is None or chunk is None or chunk % summed == 0,
            f"value_chunk must divide key_chunk, found {summed} and {chunk}",
        )
        self.expect(
            summed is None or chunk is not None or self.position is None,
            "value_chunk needs whole rows of scores: a key_chunk, or no position",
        )
        self.expect(
            self.whole_keys is None or (self.position is not None and chunk is not None),
            "whole_keys is for a cache that goes by chunks: a position, and a key_chunk",
        )
        self.expect(
            summed is None or self.wide is None,
            "value_chunk is for sums in bf16, found wide ones, in f32",
        )
