"""Constants of the functions that the cores compute in software (f32 unless said otherwise).

They are stated once here: :mod:`softex_mlir.isa_sim.numerics.rowwise` evaluates them and
``compiler.kernels`` emits them. (Loops compiled by njit hold copies; an edit of this file makes
:mod:`softex_mlir.isa_sim.jit` compile them anew.) All were fitted by Lawson's algorithm
(iteratively reweighted least squares, which converges to the minimax solution) and rounded to f32.
"""

from __future__ import annotations

from typing import Final

LOG2_E: Final = 1.4426950216293335
"""log2(e) rounded to f32."""

EXP2: Final = (1.0004431009292603, 0.7034484148025513, 0.23842912912368774)
"""2^f = EXP2[0] + f·(EXP2[1] + f·EXP2[2]) on [-0.5, 0.5]; relative error at most 1.73e-3, i.e. less
than half of the 3.9e-3 that rounding the result to BF16 can cost."""

EXPONENT_MAGIC: Final = 12582912.0 + 127.0
"""1.5·2^23 + the exponent bias: the sum of it and t in [-127, 127] is rounded to an integer n (RNE)
and has n + 127 in its low bits, ready to be shifted into an exponent field."""

EXP_MIN: Final = -88.02969360351562
"""-127·ln 2: arguments of exp are raised to this; there the exponent field is 0, and so is
the result."""

EXPONENT_MAX: Final = EXPONENT_MAGIC + 127.0
"""The largest exponent field of a number. Of arguments beyond it only the integer is held there:
the polynomial then grows, to 0.9 % below e^88.5, the last one that is finite in BF16, and from 89
on its product with 2^127 is infinite as it should be."""

LOGISTIC_MAX: Final = 87.3365478515625
"""126·ln 2: sigmoid's exponential is bounded by 2^126, whose reciprocal is the last normal one."""

PHI: Final = (
    0.39411333203315735,
    -0.05963742360472679,
    0.006659510545432568,
    -0.00040893605910241604,
    1.0307968295819592e-05,
)
"""Φ(x) = clamp(0.5 + x·P(x²), 0, 1), P by ascending powers; |x·(Φ(x) - exact)| ≤ 1.07e-3 for all x
(BF16 rounds a result near 3 by up to 7.8e-3). The clamp needs no range check of x, because the
leading coefficient is positive: beyond |x| = 3.4 the polynomial runs away in the right
direction."""

PHI_TANH: Final = (
    0.3940490484237671,
    -0.05973963439464569,
    0.006714961491525173,
    -0.0004166002618148923,
    1.0630290489643812e-05,
)
"""The same for GELU's tanh form; |x·(Φ(x) - exact)| ≤ 1.07e-3 for all x."""

TANH_NUMERATOR: Final = (135135.0, 17325.0, 378.0, 1.0)
TANH_DENOMINATOR: Final = (135135.0, 62370.0, 3150.0, 28.0)
"""tanh(x) = x·N(x²)/D(x²), Lambert's continued fraction, for |x| ≤ TANH_LIMIT."""

TANH_LIMIT: Final = 4.9700002670288086
"""|x| is clamped here; the fraction reaches 1 there and would leave [-1, 1] after it."""

RECIPROCAL_SEED: Final = 0x7EF311C7
"""1/d ≈ the float whose bits are RECIPROCAL_SEED - bits(d); relative error at most 0.12, and after
two Newton steps at most 2.2e-4, for d in [2^-126, 2^126]."""

LOGISTIC_MIN: Final = 1.1748489127496195e-38
"""What the reciprocal is at LOGISTIC_MAX, to the bit: taken off every sigmoid, so that it is 0 for
all arguments below."""

LARGEST_LOW: Final = 2.0**120
"""No f32 sum is farther from its rounding to BF16, unless that is infinite: what is left of a sum
then must not be."""

LARGEST_SHIFT: Final = 0.125
"""Rows whose mean is below this many standard deviations are normalised in BF16: rounding
mean/deviation then costs less than an eighth of what rounding the normalised values does."""
