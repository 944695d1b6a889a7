"""Functions of the `math` dialect on f32, written in what the cores have an instruction for.

A body of `linalg.generic` may hold any of :data:`EXPANSIONS`. Both the kernels and the reference
evaluator replace them by what these functions emit, so that both compute the same bits. Errors are
largest relative ones against the exact function (absolute where it says so), measured by
`test/numerics/test_f32_functions.py`. Coefficients were fitted by iteratively reweighted least
squares for this project and rounded to f32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan, pi

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.emit import Emitter
from softex_mlir.compiler.bodies.functions import horner

LOG2_E = 1.4426950408889634
LN2 = 0.6931471805599453
LN2_HIGH, LN2_LOW = 0.693145751953125, 1.428606765330187e-06
"""ln 2 = LN2_HIGH + LN2_LOW; the first has 15 bits, so that its small multiples are exact."""

ROUNDING = 12582912.0
"""1.5 · 2^23: adding it rounds to an integer, which the low bits then hold."""

LARGEST_FRACTION = 8388608.0
"""2^23: from here on every f32 is an integer."""

EXP = (
    1.0,
    1.0,
    0.499992311000824,
    0.16667115688323975,
    0.041890330612659454,
    0.008312498219311237,
)
LOG = (
    0.33333414793014526,
    -0.2500078082084656,
    0.19984501600265503,
    -0.16599194705486298,
    0.14694789052009583,
    -0.1406223028898239,
    0.09125937521457672,
)
SIN = (-0.166666641831398, 0.008332720957696438, -0.00019582237291615456)
COS = (0.0416666641831398, -0.001388827688060701, 2.4542523533455096e-05)
ERF = (
    1.1283791065216064,
    -0.3761262595653534,
    0.1128358542919159,
    -0.026853810995817184,
    0.005188327748328447,
    -0.0008010192541405559,
    7.853857823647559e-05,
)
ERFC = (
    0.28210365772247314,
    0.28191807866096497,
    0.2481059432029724,
    0.1731056571006775,
    0.07714330404996872,
    0.05609430745244026,
    -0.20327316224575043,
    0.08520762622356415,
)
TANH_NUMERATOR = (
    1.0,
    0.1344451606273651,
    0.003571618814021349,
    2.189500446547754e-05,
    1.5230899208518167e-08,
)
TANH_DENOMINATOR = (
    1.0,
    0.46777841448783875,
    0.026164522394537926,
    0.0003411326033528894,
    8.522641792296781e-07,
)
TANH_LIMIT = 8.0
"""From here on tanh is 1 - 2^-24, which the quotient gives."""

ATAN = (
    -0.3333333134651184,
    0.19999511539936066,
    -0.14262939989566803,
    0.10732574015855789,
    -0.06414610147476196,
)
HALF_PI_PARTS = (1.5703125, 4.837512969970703e-04, 7.549789948768648e-08)
"""pi/2 as a sum whose first two have few bits (Cody and Waite's reduction)."""

SQRT_HALF_BITS = 0x3F3504F3
SMALLEST_NORMAL = 1.1754943508222875e-38


class F32(Emitter):
    """Short names beyond those of kernels."""

    def select(self, condition: SSAValue, a: SSAValue, b: SSAValue) -> SSAValue:
        """a where the condition holds, else b."""
        return self.insert(arith.SelectOp(condition, a, b))

    def compare(self, predicate: str, a: SSAValue, b: SSAValue | float) -> SSAValue:
        """An f32 comparison, a predicate of `arith.cmpf`."""
        other = b if isinstance(b, SSAValue) else self.number(b)
        return self.insert(arith.CmpfOp(a, other, predicate))

    def times(self, a: SSAValue, b: float) -> SSAValue:
        """a * b."""
        return self.mul(a, self.number(b))

    def plus(self, a: SSAValue, b: float) -> SSAValue:
        """a + b."""
        return self.add(a, self.number(b))

    def to_int(self, a: SSAValue) -> SSAValue:
        """Rounded towards zero."""
        return self.insert(arith.FPToSIOp(a, i32))

    def to_float(self, a: SSAValue) -> SSAValue:
        """An i32 as f32."""
        return self.insert(arith.SIToFPOp(a, f32))

    def int_add(self, a: SSAValue, b: SSAValue | int) -> SSAValue:
        """a + b of i32."""
        other = b if isinstance(b, SSAValue) else self.integer(b & 0xFFFFFFFF)
        return self.insert(arith.AddiOp(a, other))

    def int_sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a - b of i32."""
        return self.insert(arith.SubiOp(a, b))

    def shift_left(self, a: SSAValue, bits: int) -> SSAValue:
        """a << bits."""
        return self.insert(arith.ShLIOp(a, self.integer(bits)))

    def shift_right(self, a: SSAValue, bits: int) -> SSAValue:
        """a >> bits, of a signed i32."""
        return self.insert(arith.ShRSIOp(a, self.integer(bits)))

    def bit_and(self, a: SSAValue, mask: int) -> SSAValue:
        """a & mask."""
        return self.insert(arith.AndIOp(a, self.integer(mask)))

    def nonzero(self, a: SSAValue) -> SSAValue:
        """a != 0 of i32."""
        return self.insert(arith.CmpiOp(a, self.integer(0), "ne"))


def _unless_nan(e: F32, x: SSAValue, bits: SSAValue) -> SSAValue:
    """The i32 bits of a number as f32; NaN where x is NaN."""
    ordered = e.insert(arith.ExtUIOp(e.compare("oeq", x, x), i32))
    return e.from_bits(e.insert(arith.OrIOp(bits, e.int_add(ordered, -1))))


def exp(e: F32, x: SSAValue) -> SSAValue:
    """e^x; 4e-7, of |x| up to 20 2.2e-7. Results below 2^-125 are 0."""
    within = e.minimum(e.maximum(x, e.number(-87.5)), e.number(89.0))
    # the low bits hold the biased exponent of half the power, finite where the power is not
    shift = ROUNDING + 126
    magic = e.fma(within, e.number(LOG2_E), e.number(shift))
    r = e.fma(e.neg(e.plus(magic, -shift)), e.number(LN2), within)
    power = _unless_nan(e, x, e.shift_left(e.bits(magic), 23))
    half = e.mul(horner(e, r, EXP), power)
    return e.add(half, half)


def log(e: F32, x: SSAValue) -> SSAValue:
    """ln x; 2.4e-7. -inf of 0, NaN of negative numbers."""
    small = e.compare("olt", x, SMALLEST_NORMAL)
    scaled = e.select(small, e.times(x, LARGEST_FRACTION), x)
    bits = e.bits(scaled)
    exponent = e.shift_right(e.int_add(bits, -SQRT_HALF_BITS), 23)
    f = e.plus(e.from_bits(e.int_sub(bits, e.shift_left(exponent, 23))), -1.0)
    n = e.to_float(exponent)
    n = e.select(small, e.plus(n, -23.0), n)
    square = e.mul(f, f)
    tail = e.fma(n, e.number(LN2_LOW), e.mul(e.mul(square, f), horner(e, f, LOG)))
    tail = e.fma(square, e.number(-0.5), tail)
    result = e.fma(n, e.number(LN2_HIGH), e.add(f, tail))
    # of +inf and NaN the bits above say nothing
    result = e.select(e.compare("olt", x, inf), result, x)
    result = e.select(e.compare("oeq", x, 0.0), e.number(-inf), result)
    return e.select(e.compare("olt", x, 0.0), e.number(nan), result)


FARTHEST = 2.0**22
"""Where angles of float32 lie so far apart, a quarter and more, that the quadrant is unknown."""


def _reduced(e: F32, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """The quadrant and x minus that many right angles; NaN beyond `FARTHEST`."""
    magic = e.fma(x, e.number(2 / pi), e.number(ROUNDING))
    minus_k = e.neg(e.plus(magic, -ROUNDING))
    r = x
    for part in HALF_PI_PARTS:
        r = e.fma(minus_k, e.number(part), r)
    near = e.compare("olt", e.magnitude(x), FARTHEST)
    return e.bits(magic), e.select(near, r, e.number(nan))


def _sine(e: F32, r: SSAValue) -> SSAValue:
    square = e.mul(r, r)
    return e.fma(e.mul(square, r), horner(e, square, SIN), r)


def _cosine(e: F32, r: SSAValue) -> SSAValue:
    square = e.mul(r, r)
    body = e.fma(square, e.number(-0.5), e.number(1.0))
    return e.fma(e.mul(square, square), horner(e, square, COS), body)


def _signed(e: F32, value: SSAValue, quadrant: SSAValue) -> SSAValue:
    """The value, negated in the second half of a turn."""
    return e.select(e.nonzero(e.bit_and(quadrant, 2)), e.neg(value), value)


def sin(e: F32, x: SSAValue) -> SSAValue:
    """sin x; 2e-7 absolute for |x| up to 1e5, NaN from 4,194,304 on."""
    quadrant, r = _reduced(e, x)
    odd = e.nonzero(e.bit_and(quadrant, 1))
    return _signed(e, e.select(odd, _cosine(e, r), _sine(e, r)), quadrant)


def cos(e: F32, x: SSAValue) -> SSAValue:
    """cos x; 2e-7 absolute for |x| up to 1e5, NaN from 4,194,304 on."""
    quadrant, r = _reduced(e, x)
    odd = e.nonzero(e.bit_and(quadrant, 1))
    return _signed(e, e.select(odd, _sine(e, r), _cosine(e, r)), e.int_add(quadrant, 1))


def tan(e: F32, x: SSAValue) -> SSAValue:
    """tan x = sin x / cos x."""
    quadrant, r = _reduced(e, x)
    odd = e.nonzero(e.bit_and(quadrant, 1))
    s, c = _sine(e, r), _cosine(e, r)
    return e.div(e.select(odd, e.neg(c), s), e.select(odd, s, c))


def erf(e: F32, x: SSAValue) -> SSAValue:
    """The error function; 3e-7."""
    size = e.magnitude(x)
    near = e.mul(x, horner(e, e.mul(x, x), ERF))
    bounded = e.minimum(size, e.number(10.0))
    t = e.div(e.number(1.0), e.fma(bounded, e.number(0.5), e.number(1.0)))
    tail = e.mul(e.mul(t, horner(e, t, ERFC)), exp(e, e.neg(e.mul(bounded, bounded))))
    far = e.copysign(e.sub(e.number(1.0), tail), x)
    # NaN is not below 1: near passes it on
    return e.select(e.compare("oge", size, 1.0), far, near)


def tanh(e: F32, x: SSAValue) -> SSAValue:
    """The hyperbolic tangent; 2.7e-7, at most 1."""
    z = e.minimum(e.maximum(x, e.number(-TANH_LIMIT)), e.number(TANH_LIMIT))
    square = e.mul(z, z)
    numerator = e.mul(z, horner(e, square, TANH_NUMERATOR))
    denominator = horner(e, square, TANH_DENOMINATOR)
    return e.div(numerator, _unless_nan(e, x, e.bits(denominator)))


def atan(e: F32, x: SSAValue) -> SSAValue:
    """The arc tangent; 2e-7."""
    size = e.magnitude(x)
    steep, slanted = e.compare("ogt", size, 2.414213562), e.compare("ogt", size, 0.4142135624)
    inverse = e.div(e.number(-1.0), size)
    turned = e.div(e.plus(size, -1.0), e.plus(size, 1.0))
    u = e.select(steep, inverse, e.select(slanted, turned, size))
    start = e.select(steep, e.number(pi / 2), e.select(slanted, e.number(pi / 4), e.number(0.0)))
    square = e.mul(u, u)
    angle = e.add(start, e.fma(e.mul(square, u), horner(e, square, ATAN), u))
    return e.copysign(angle, x)


def asin(e: F32, x: SSAValue) -> SSAValue:
    """The arc sine; NaN beyond 1."""
    cosine = e.sqrt(e.mul(e.sub(e.number(1.0), x), e.plus(x, 1.0)))
    return atan(e, e.div(x, cosine))


def acos(e: F32, x: SSAValue) -> SSAValue:
    """The arc cosine; 4e-7 absolute, NaN beyond 1."""
    ratio = e.sqrt(e.div(e.sub(e.number(1.0), x), e.plus(x, 1.0)))
    return e.times(atan(e, ratio), 2.0)


def sinh(e: F32, x: SSAValue) -> SSAValue:
    """(e^x - e^-x) / 2; a series near 0."""
    square = e.mul(x, x)
    near = e.fma(e.mul(square, x), e.fma(square, e.number(1 / 120), e.number(1 / 6)), x)
    half = e.times(exp(e, e.times(e.magnitude(x), 0.5)), 1.0)
    # e^|x| / 2 as a product that overflows where the result does
    large = e.mul(e.times(half, 0.5), half)
    far = e.copysign(e.sub(large, e.div(e.number(0.25), large)), x)
    return e.select(e.compare("ogt", e.magnitude(x), 0.3), far, near)


def cosh(e: F32, x: SSAValue) -> SSAValue:
    """(e^x + e^-x) / 2."""
    half = exp(e, e.times(e.magnitude(x), 0.5))
    large = e.mul(e.times(half, 0.5), half)
    return e.add(large, e.div(e.number(0.25), large))


def log1p(e: F32, x: SSAValue) -> SSAValue:
    """ln(1 + x); what rounding 1 + x loses is added."""
    total = e.plus(x, 1.0)
    lost = e.sub(x, e.plus(total, -1.0))
    corrected = e.add(log(e, total), e.div(lost, total))
    finite = e.select(e.compare("olt", total, inf), corrected, log(e, total))
    tiny = e.compare("olt", e.magnitude(x), 1e-8)
    finite = e.select(e.compare("oeq", total, 0.0), e.number(-inf), finite)
    return e.select(tiny, x, finite)


def expm1(e: F32, x: SSAValue) -> SSAValue:
    """e^x - 1; a series near 0."""
    series = horner(e, x, (1.0, 0.5, 1 / 6, 1 / 24, 1 / 120))
    near = e.mul(x, series)
    far = e.plus(exp(e, x), -1.0)
    return e.select(e.compare("ogt", e.magnitude(x), 0.25), far, near)


def asinh(e: F32, x: SSAValue) -> SSAValue:
    """ln(|x| + sqrt(x² + 1)) with x's sign."""
    size = e.magnitude(x)
    square = e.mul(x, x)
    root = e.sqrt(e.plus(square, 1.0))
    near = log1p(e, e.add(size, e.div(square, e.plus(root, 1.0))))
    far = e.plus(log(e, size), LN2)
    return e.copysign(e.select(e.compare("ogt", size, 1e4), far, near), x)


def acosh(e: F32, x: SSAValue) -> SSAValue:
    """ln(x + sqrt(x² - 1)); NaN below 1."""
    below = e.plus(x, -1.0)
    root = e.mul(e.sqrt(below), e.sqrt(e.plus(x, 1.0)))
    near = log1p(e, e.add(below, root))
    far = e.plus(log(e, x), LN2)
    return e.select(e.compare("ogt", x, 1e4), far, near)


def atanh(e: F32, x: SSAValue) -> SSAValue:
    """ln((1 + x) / (1 - x)) / 2."""
    size = e.magnitude(x)
    ratio = e.div(e.add(size, size), e.sub(e.number(1.0), size))
    return e.copysign(e.times(log1p(e, ratio), 0.5), x)


def pow_(e: F32, x: SSAValue, y: SSAValue) -> SSAValue:
    """|x|^y by logarithms with C's signs and special cases; 1e-5 where the result is largest."""
    size = e.magnitude(x)
    power = exp(e, e.mul(y, log(e, size)))
    whole = e.compare("oeq", floor(e, y), y)
    halved = e.times(y, 0.5)
    odd = e.compare("one", floor(e, halved), halved)
    fraction = e.select(e.compare("oeq", size, inf), power, e.number(nan))
    negative = e.select(whole, e.select(odd, e.neg(power), power), fraction)
    signed = e.select(e.compare("olt", x, 0.0), negative, power)
    one = e.number(1.0)
    steady = e.select(e.compare("oeq", e.magnitude(y), inf), size, x)
    signed = e.select(e.compare("oeq", steady, 1.0), one, signed)
    return e.select(e.compare("oeq", y, 0.0), one, signed)


def trunc(e: F32, x: SSAValue) -> SSAValue:
    """Rounded towards zero."""
    whole = e.copysign(e.to_float(e.to_int(x)), x)
    return e.select(e.compare("olt", e.magnitude(x), LARGEST_FRACTION), whole, x)


def floor(e: F32, x: SSAValue) -> SSAValue:
    """Rounded down."""
    whole = trunc(e, x)
    lower = e.select(e.compare("ogt", whole, x), e.plus(whole, -1.0), whole)
    return e.copysign(lower, x)


def ceil(e: F32, x: SSAValue) -> SSAValue:
    """Rounded up."""
    whole = trunc(e, x)
    upper = e.select(e.compare("olt", whole, x), e.plus(whole, 1.0), whole)
    return e.copysign(upper, x)


def round_even(e: F32, x: SSAValue) -> SSAValue:
    """Rounded to the nearest integer, ties to even."""
    size = e.magnitude(x)
    whole = e.plus(e.plus(size, LARGEST_FRACTION), -LARGEST_FRACTION)
    return e.copysign(e.select(e.compare("olt", size, LARGEST_FRACTION), whole, size), x)


def fmod(e: F32, x: SSAValue, y: SSAValue) -> SSAValue:
    """The remainder of x / y, of the sign of x: exact, NaN where x / y lies beyond float32.

    A rounded quotient leaves a remainder that float32 holds (a fused operation computes it), 2^24
    times smaller: six take the largest quotient there is.
    """
    size = e.magnitude(y)
    rest = x
    for _ in range(6):
        quotient = trunc(e, e.div(rest, y))
        rest = e.fma(e.neg(quotient), y, rest)
    # A quotient rounded up left a remainder on the other side of 0.
    other = e.compare("olt", e.mul(e.copysign(e.number(1.0), x), rest), 0.0)
    rest = e.select(other, e.add(rest, e.copysign(size, x)), rest)
    inside = e.select(e.compare("oeq", rest, 0.0), e.copysign(e.number(0.0), x), rest)
    smaller = e.insert(arith.CmpfOp(e.magnitude(x), size, "olt"))
    return e.select(smaller, x, inside)


def rsqrt(e: F32, x: SSAValue) -> SSAValue:
    """1 / sqrt(x), each rounded."""
    return e.div(e.number(1.0), e.sqrt(x))


def exp2(e: F32, x: SSAValue) -> SSAValue:
    """2^x."""
    return exp(e, e.times(x, LN2))


def log2(e: F32, x: SSAValue) -> SSAValue:
    """The logarithm to base 2."""
    return e.times(log(e, x), LOG2_E)


def log10(e: F32, x: SSAValue) -> SSAValue:
    """The logarithm to base 10."""
    return e.times(log(e, x), 0.4342944819032518)


Expansion = Callable[..., SSAValue]

EXPANSIONS: dict[str, Expansion] = {
    "math.exp": exp,
    "math.exp2": exp2,
    "math.expm1": expm1,
    "math.log": log,
    "math.log2": log2,
    "math.log10": log10,
    "math.log1p": log1p,
    "math.sin": sin,
    "math.cos": cos,
    "math.tan": tan,
    "math.asin": asin,
    "math.acos": acos,
    "math.atan": atan,
    "math.sinh": sinh,
    "math.cosh": cosh,
    "math.asinh": asinh,
    "math.acosh": acosh,
    "math.atanh": atanh,
    "math.erf": erf,
    "math.tanh": tanh,
    "math.powf": pow_,
    "math.floor": floor,
    "math.ceil": ceil,
    "math.trunc": trunc,
    "math.roundeven": round_even,
    "math.rsqrt": rsqrt,
}
"""What `expand` replaces, by the operation's name."""


def expand(e: Emitter, name: str, operands: Sequence[SSAValue]) -> SSAValue:
    """Emit an operation of the `math` dialect on f32 in primitives."""
    return EXPANSIONS[name](F32(e.builder), *operands)
