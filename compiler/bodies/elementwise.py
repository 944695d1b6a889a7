"""Elementwise kernels of one row.

They are emitted as scalar loops, which is all a reader has to understand; the pass
`vectorize-packed-bf16` makes them process two elements an instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.builder import Builder
from xdsl.dialects import arith
from xdsl.dialects.builtin import bf16
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies import functions
from softex_mlir.compiler.bodies.emit import Emitter, RowRef
from softex_mlir.compiler.bodies.reduce import is_finite
from softex_mlir.compiler.bodies.tables import SILU_LINES, CoreTable

LOWEST_BF16 = -3.3895313892515355e38
"""The most negative finite BF16 (0xFF7F)."""

_BINARY: dict[str, type[arith.AddfOp | arith.SubfOp | arith.MulfOp]] = {
    "add": arith.AddfOp,
    "sub": arith.SubfOp,
    "mul": arith.MulfOp,
}


def emit_binary(
    builder: Builder, operation: str, x: RowRef, y: RowRef, out: RowRef, columns: int
) -> None:
    """``out[j] = bf16(x[j] op y[j])``, op one of ``add``, ``sub``, ``mul``."""
    if operation not in _BINARY:
        raise ValueError(f"expected add, sub or mul, found '{operation}'")

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        e.store(e.insert(_BINARY[operation](e.load(x, j), e.load(y, j))), out, j)

    Emitter(builder).loop(0, columns, 1, body)


def emit_accumulate(
    builder: Builder,
    total: RowRef,
    part: RowRef,
    columns: int,
    others: Sequence[RowRef] = (),
    square: RowRef | None = None,
) -> None:
    """``total[j] = bf16(total[j] + part[j]); part[j] = +0``, and the square of the total.

    Others are added to the part first, in their order, each sum rounded, and are +0 afterwards.
    """

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        found = e.load(part, j)
        for other in others:
            found = e.add(found, e.load(other, j))
        found = e.add(e.load(total, j), found)
        e.store(found, total, j)
        for cleared in (part, *others):
            e.store(e.number(0.0, bf16), cleared, j)
        if square is not None:
            e.store(e.mul(found, found), square, j)

    Emitter(builder).loop(0, columns, 1, body)


def emit_mul_add(
    builder: Builder, x: RowRef, factor: RowRef, addend: RowRef, out: RowRef, columns: int
) -> None:
    """``out[j] = bf16(bf16(x[j] * factor[j]) + addend[j])``: a product and a sum, each rounded."""

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        product = e.mul(e.load(x, j), e.load(factor, j))
        e.store(e.add(product, e.load(addend, j)), out, j)

    Emitter(builder).loop(0, columns, 1, body)


def emit_rotary(
    builder: Builder, x: RowRef, table: RowRef, out: RowRef, size: int, columns: int
) -> None:
    """Heads of `size` columns times a table's cosines, plus their exchanged halves times its sines:
    two products and a sum, each rounded. `out` may be `x`."""
    half = size // 2
    before = Emitter(builder)

    def at(e: Emitter, row: RowRef, start: SSAValue, offset: int) -> RowRef:
        return RowRef(row.memref, row.indices, e.add_index(start, offset))

    starts = [before.index(offset) for offset in range(0, 2 * size, half)]
    factors = [RowRef(table.memref, table.indices, start) for start in starts]

    def head(e: Emitter, start: SSAValue, _: tuple[SSAValue, ...]) -> None:
        read = [at(e, x, start, offset) for offset in (0, half)]
        written = [at(e, out, start, offset) for offset in (0, half)]

        def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
            halves = [e.load(row, j) for row in read]
            for index in range(2):
                kept = e.mul(halves[index], e.load(factors[index], j))
                turned = e.mul(halves[1 - index], e.load(factors[2 + index], j))
                e.store(e.add(kept, turned), written[index], j)

        e.loop(0, half, 1, body)

    before.loop(0, columns, size, head)


def _relu(e: Emitter, x: SSAValue) -> SSAValue:
    return e.maximum(x, e.number(0.0, bf16))


def _square(e: Emitter, x: SSAValue) -> SSAValue:
    return e.mul(x, x)


def _in_f32(function: Callable[[Emitter, SSAValue], SSAValue]):
    def emit(e: Emitter, x: SSAValue) -> SSAValue:
        return e.narrow(function(e, e.widen(x)))

    return emit


@dataclass(frozen=True)
class CoreFunction:
    """Code of the cores for one element, bf16 in and out.

    `loses_nan`: it clamps, and a minimum or maximum of NaN and a number is the number. `table`:
    what it looks things up in.
    """

    name: str
    emit: Callable[[Emitter, SSAValue], SSAValue]
    loses_nan: bool = False
    table: CoreTable | None = None


GELU_SQUARE = CoreFunction("gelu_square", _square)
RELU = CoreFunction("relu", _relu, loses_nan=True)
EXP = CoreFunction("exp", _in_f32(functions.exp), loses_nan=True)
SIGMOID = CoreFunction("sigmoid", _in_f32(functions.sigmoid), loses_nan=True)
SILU = CoreFunction("silu", _in_f32(functions.silu), table=SILU_LINES)
TANH = CoreFunction("tanh", _in_f32(functions.tanh), loses_nan=True)
GELU = CoreFunction("gelu_software", _in_f32(functions.gelu_software))
GELU_TANH = CoreFunction("gelu_tanh_software", _in_f32(functions.gelu_tanh_software))


def emit_unary(
    builder: Builder, function: CoreFunction, x: RowRef, out: RowRef, columns: int
) -> None:
    """``out[j] = function(x[j])``; NaN stays NaN.

    A row that holds NaN or infinite elements takes a slower loop where the function by itself would
    lose NaN.
    """
    value = function.emit

    def plain(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        e.store(value(e, e.load(x, j)), out, j)

    def keeping_nan(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        element = e.load(x, j)
        nan = e.insert(arith.CmpfOp(element, element, "uno"))
        result = arith.SelectOp(nan, e.add(element, element), value(e, element))
        e.store(e.insert(result), out, j)

    def loop(body: Callable[[Emitter, SSAValue, tuple[SSAValue, ...]], None]):
        def emit(e: Emitter) -> None:
            e.loop(0, columns, 1, body)

        return emit

    e = Emitter(builder)
    if function.loses_nan:
        e.if_else(is_finite(e, x, columns), loop(plain), loop(keeping_nan))
    else:
        loop(plain)(e)


def emit_gelu_finish(builder: Builder, v: RowRef, q: RowRef, out: RowRef, columns: int) -> None:
    """``out[j] = bf16(v·Φ)``, Φ = (v > 0) ? bf16(1 - q) : q, with q ≤ 1/2 from SoftEx.

    Without a comparison: 1 - q is not below q, so that Φ is the larger one of q and 1 - q with
    v's sign.
    """

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        value, tail = e.load(v, j), e.load(q, j)
        body = e.sub(e.number(1.0, bf16), tail)
        phi = e.maximum(e.copysign(body, value), tail)
        e.store(e.mul(value, phi), out, j)

    Emitter(builder).loop(0, columns, 1, body)


def emit_copy(builder: Builder, x: RowRef, out: RowRef, columns: int) -> None:
    """``out[j] = x[j]``."""

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        e.store(e.load(x, j), out, j)

    Emitter(builder).loop(0, columns, 1, body)


def emit_fill(builder: Builder, out: RowRef, value: float, columns: int, start: int = 0) -> None:
    """``out[j] = value`` for start ≤ j < columns; the value must be a BF16 value."""

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        e.store(e.number(value, bf16), out, j)

    Emitter(builder).loop(start, columns, 1, body)


def emit_mask_to_bias(
    builder: Builder,
    mask: RowRef,
    out: RowRef,
    keys: int,
    columns: int,
    masked: float = LOWEST_BF16,
    base: RowRef | None = None,
    inverted: bool = False,
) -> None:
    """A row of an attention mask (i32, non-zero = attend) to a row of additive BF16 bias.

    0, or the element of ``base``, where attended, ``masked`` where not, -inf in the columns from
    ``keys`` on. ``base`` may be ``out``. ``inverted``: zero = attend.
    """

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        comparison = "eq" if inverted else "ne"
        attend = e.insert(arith.CmpiOp(e.load(mask, j), e.integer(0), comparison))
        visible = e.number(0.0, bf16) if base is None else e.load(base, j)
        bias = arith.SelectOp(attend, visible, e.number(masked, bf16))
        e.store(e.insert(bias), out, j)

    Emitter(builder).loop(0, keys, 1, body)
    emit_fill(builder, out, float("-inf"), columns, start=keys)


def emit_position_ids(
    builder: Builder, ids: RowRef, out: RowRef, tokens: int, padding: int, offset: int, fill: int
) -> None:
    """A row of token ids (i32) to positions (i32) counted over what is not ``padding``.

    ``out[j] = ids[j] != padding ? offset + |{i <= j: ids[i] != padding}| : fill``.
    """

    def body(e: Emitter, j: SSAValue, carried: tuple[SSAValue, ...]) -> tuple[SSAValue, ...]:
        (last,) = carried
        visible = e.insert(arith.CmpiOp(e.load(ids, j), e.integer(padding), "ne"))
        following = e.insert(arith.AddiOp(last, e.integer(1)))
        e.store(e.insert(arith.SelectOp(visible, following, e.integer(fill))), out, j)
        return (e.insert(arith.SelectOp(visible, following, last)),)

    e = Emitter(builder)
    e.loop(0, tokens, 1, body, (e.integer(offset),))
