"""A block of RedMulE's chains in vector registers, for `njit` code, as LLVM's IR.

One step of a chain is ``z = bf16(x * w + z)`` with a single rounding, all held in binary32. The
exact sum is rounded to binary32 first. Rounding that once more to BF16 is right unless it
lies exactly half way between two BF16 values, where what the first rounding lost decides:

* nothing lost: to even, ``bits + 0x7FFF + last bit``;
* something away from zero lost: ``bits + 0x8000``, the half goes up;
* something towards zero lost: ``bits + 0x7FFF``, the half goes down.

Infinities and NaN are not half way between two. Where products are exact in binary32, the sum takes
a multiplication and an addition; others take a fused multiply-add, which is slow on a host without
the instruction, with the same results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]

from softex_mlir.isa_sim.jit import intrinsic
from softex_mlir.isa_sim.jit import numba as nb

ROWS: Final = 4
"""Rows of a block: they share what is loaded of W."""
LANES: Final = 16
VECTORS: Final = 2
COLUMNS: Final = LANES * VECTORS
"""Columns of a block."""

_I32: Any = ir.IntType(32)
_I64: Any = ir.IntType(64)
_FLOATS: Any = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES: Any = ir.VectorType(ir.DoubleType(), LANES)
_BITS: Any = ir.VectorType(_I32, LANES)
_WIDE_BITS: Any = ir.VectorType(_I64, LANES)
_WIDE_32: Any = ir.Constant(_WIDE_BITS, [32] * LANES)


def _all(value: int) -> Any:
    return ir.Constant(_BITS, [value] * LANES)


def _pointer(builder: Any, kind: Any, address: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _at(builder: Any, address: Any, pitch: Any, row: int) -> Any:
    """The address of a row."""
    return builder.add(address, builder.mul(pitch, ir.Constant(_I64, row)))


def _fused(module: Any) -> Any:
    """LLVM's fused multiply-add of vectors."""
    name = f"llvm.fma.v{LANES}f32"
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    return module.globals.get(name) or ir.Function(module, kind, name)


def _broadcast(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_FLOATS, [0.0] * LANES)
    first = builder.insert_element(nothing, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, first, ir.Constant(_BITS, [0] * LANES))


def _total_narrow(builder: Any, x: Any, w: Any, z: Any) -> Any:
    """The sum rounded once to binary32: the product is exact."""
    return builder.fadd(builder.fmul(x, w), z)


def _total_wide(builder: Any, x: Any, w: Any, z: Any) -> Any:
    """The sum rounded once to binary32, for all operands."""
    return builder.call(_fused(builder.module), [x, w, z])


def _lost_narrow(builder: Any, x: Any, w: Any, z: Any, total: Any) -> Any:
    """A number with the sign of what rounding a half-way sum lost, 0 if nothing, in binary32.

    A half-way sum has 9 significant bits, z 8, the product 16. Their difference sum - z is exact
    if z is above 2^-17 of the sum; then so is what is left of the product, of which no bit is
    below 2^-149. A smaller z leaves the product equal to the sum: z itself is lost.
    """
    rest = builder.fsub(total, z)
    left = builder.fsub(builder.fmul(x, w), rest)
    return builder.select(builder.fcmp_ordered("==", rest, total), z, left)


def _lost_wide(builder: Any, x: Any, w: Any, z: Any, total: Any) -> Any:
    """As :func:`_lost_narrow` in binary64, for all operands: TwoSum gives the sum's own error,
    smaller than any difference of binary64 numbers near it."""
    wide_x, wide_w, addend, near = (builder.fpext(v, _DOUBLES) for v in (x, w, z, total))
    product = builder.fmul(wide_x, wide_w)
    exact = builder.fadd(product, addend)
    part = builder.fsub(exact, product)
    error = builder.fadd(
        builder.fsub(product, builder.fsub(exact, part)), builder.fsub(addend, part)
    )
    lost = builder.fsub(exact, near)
    nothing = builder.fcmp_ordered("==", lost, ir.Constant(_DOUBLES, [0.0] * LANES))
    return builder.select(nothing, error, lost)


def _rounded(builder: Any, total: Any, lost: Any) -> Any:
    """BF16, held in binary32, of a binary32 sum that `lost` was lost of."""
    bits = builder.bitcast(total, _BITS)
    if lost.type == _DOUBLES:
        signs = builder.trunc(builder.lshr(builder.bitcast(lost, _WIDE_BITS), _WIDE_32), _BITS)
    else:
        signs = builder.bitcast(lost, _BITS)
    nothing = builder.fcmp_ordered("==", lost, ir.Constant(lost.type, [0.0] * LANES))
    towards_zero = builder.lshr(builder.xor(signs, bits), _all(31))
    even = builder.and_(builder.xor(builder.lshr(bits, _all(16)), _all(-1)), _all(1))
    less = builder.select(nothing, even, towards_zero)
    up = builder.add(bits, builder.sub(_all(0x8000), less))
    return builder.bitcast(builder.and_(up, _all(-65536)), _FLOATS)


def _block(
    context: Any, builder: Any, args: Any, total_of: Callable[..., Any], lost: Callable[..., Any]
) -> Any:
    x, x_pitch, w, w_pitch, z, z_pitch, inner = args
    places = [
        _pointer(
            builder,
            _FLOATS,
            builder.add(_at(builder, z, z_pitch, row), ir.Constant(_I64, 4 * LANES * vector)),
        )
        for row in range(ROWS)
        for vector in range(VECTORS)
    ]
    start = [builder.load(place, align=4) for place in places]
    before = builder.block
    step, behind = (builder.append_basic_block(name) for name in ("step", "behind"))
    builder.cbranch(builder.icmp_signed(">", inner, ir.Constant(_I64, 0)), step, behind)

    builder.position_at_end(step)
    n = builder.phi(_I64)
    sums = [builder.phi(_FLOATS) for _ in places]
    row_of_w = builder.add(w, builder.mul(n, w_pitch))
    ws = [
        builder.load(
            _pointer(
                builder, _FLOATS, builder.add(row_of_w, ir.Constant(_I64, 4 * LANES * vector))
            ),
            align=4,
        )
        for vector in range(VECTORS)
    ]
    column_of_x = builder.add(x, builder.shl(n, ir.Constant(_I64, 2)))
    xs = [
        _broadcast(
            builder,
            builder.load(
                _pointer(builder, ir.FloatType(), _at(builder, column_of_x, x_pitch, row)), align=4
            ),
        )
        for row in range(ROWS)
    ]
    operands = [
        (xs[index // VECTORS], ws[index % VECTORS], addend) for index, addend in enumerate(sums)
    ]
    totals = [total_of(builder, *each) for each in operands]
    results = [
        _rounded(builder, total, lost(builder, *operand, total))
        for operand, total in zip(operands, totals, strict=True)
    ]
    following = builder.add(n, ir.Constant(_I64, 1))
    builder.cbranch(builder.icmp_signed("<", following, inner), step, behind)
    n.add_incoming(ir.Constant(_I64, 0), before)
    n.add_incoming(following, step)
    for each, first, result in zip(sums, start, results, strict=True):
        each.add_incoming(first, before)
        each.add_incoming(result, step)

    builder.position_at_end(behind)
    finals = [builder.phi(_FLOATS) for _ in places]
    for place, final, first, result in zip(places, finals, start, results, strict=True):
        final.add_incoming(first, before)
        final.add_incoming(result, step)
        builder.store(final, place, align=4)
    return context.get_dummy_value()


@intrinsic
def chain_block(
    _typing: Any, x: Any, x_pitch: Any, w: Any, w_pitch: Any, z: Any, z_pitch: Any, inner: Any
) -> Any:
    """``ROWS`` x ``COLUMNS`` chains of `inner` steps, in place in z: host addresses of the first
    elements of x, w and z (binary32), and bytes from a row to the next. No product has a bit below
    2^-149 or leaves binary32."""

    def code(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _block(context, builder, args, _total_narrow, _lost_narrow)

    return nb.void(*(nb.int64,) * 7), code


@intrinsic
def wide_chain_block(
    _typing: Any, x: Any, x_pitch: Any, w: Any, w_pitch: Any, z: Any, z_pitch: Any, inner: Any
) -> Any:
    """As :func:`chain_block`, for any operands."""

    def code(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _block(context, builder, args, _total_wide, _lost_wide)

    return nb.void(*(nb.int64,) * 7), code
