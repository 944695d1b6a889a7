"""Sum of exponentials, GELU, SiLU: errors, wraps, coefficient fits, expp."""

import numpy as np
import pytest

from softex_mlir.isa_sim.numerics import bf16, gelu
from softex_mlir.isa_sim.numerics.expp import expp
from softex_mlir.runtime.experiments import accuracy, coefficient_fit

EVERY = bf16.from_bits(np.arange(65536, dtype=np.uint16))


def test_errors_of_the_shipped_sets():
    # Measured on the unit; BF16 alone costs 7.8e-3 and 5.9e-4.
    assert coefficient_fit.gelu_errors(gelu.GELU_SLOPES, gelu.GELU_WEIGHTS) == pytest.approx(
        (1.01e-2, 8.5e-4), rel=0.01
    )
    published = gelu.COEFFICIENT_SETS["tanash-riihonen"]
    assert coefficient_fit.gelu_errors(*published) == pytest.approx((1.01e-2, 1.2e-3), rel=0.02)


def test_default_set_meets_no_wrapping_sum():
    assert len(gelu.wrapping_sums()) == 63
    assert len(coefficient_fit.wrapping_inputs(gelu.GELU_SLOPES, gelu.GELU_WEIGHTS)) == 0
    published = gelu.COEFFICIENT_SETS["tanash-riihonen"]
    assert len(coefficient_fit.wrapping_inputs(*published)) > 0


def test_rounding_carry_repairs_the_wraps():
    slopes, weights = gelu.COEFFICIENT_SETS["tanash-riihonen"]
    as_is = gelu.sum_of_exponentials(EVERY, slopes, weights).astype(np.float64)
    repaired = gelu.sum_of_exponentials(EVERY, slopes, weights, rounding_carry=True)
    different = as_is != repaired.astype(np.float64)
    assert different.any()
    np.testing.assert_array_equal(repaired[different].astype(np.float64), 2 * as_is[different])


@pytest.mark.parametrize("bits", [8, 14, 20])
def test_accumulator_width_sets_the_resolution(bits: int):
    s = np.linspace(0, 8, 200).astype(bf16.BF16)
    found = gelu.sum_of_exponentials(s, [-0.5], [0.5], accumulator_bits=bits, rounding_carry=True)
    exact = 0.5 * np.exp(-0.5 * s.astype(np.float64))
    assert np.abs(found.astype(np.float64) - exact).max() < 2.0**-bits + 2.0**-8


@pytest.mark.parametrize("terms", [1, 2, 7, 16, 32])
def test_any_number_of_terms(terms: int):
    s = np.linspace(0, 4, 50).astype(bf16.BF16)
    weight = bf16.from_float(0.9 / terms)
    found = gelu.sum_of_exponentials(s, np.full(terms, -1.0), np.full(terms, weight))
    exact = terms * float(weight) * np.exp(-s.astype(np.float64))
    assert np.abs(found.astype(np.float64) - exact).max() < 0.01
    with pytest.raises(ValueError, match=r"expected 1\.\.32 slopes"):
        gelu.sum_of_exponentials(s, np.ones(33), np.ones(33))


def test_special_inputs():
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30], np.float32).astype(bf16.BF16)
    found = bf16.to_bits(gelu.gelu(x)).tolist()
    assert found == [0, 0x8000, 0x7F80, 0x7FC0, 0x7FC0, int(bf16.to_bits(x[5:6])[0]), 0x8000]


def test_every_form_is_served():
    errors = accuracy.activation_errors()
    for found in errors:
        print(found)
        assert found.largest < 2.1 * found.floor_largest
        assert found.mean < 2.1 * found.floor_mean
    assert {(e.function, e.reference) for e in errors} == {
        ("gelu", "erf form"),
        ("gelu", "tanh form"),
        ("silu", "x*sigmoid"),
    }


def test_silu_is_defined_for_any_shape():
    x = np.linspace(-4, 4, 24).astype(bf16.BF16).reshape(2, 3, 4)
    found = gelu.silu(x)
    assert found.shape == x.shape
    exact = accuracy.silu(x.astype(np.float64))
    assert np.abs(found.astype(np.float64) - exact).max() < 0.016


@pytest.mark.parametrize(
    ("terms", "error"), [(2, 2.36e-3), (3, 6.3e-4), (4, 2.0e-4), (5, 7.4e-5), (6, 3.0e-5)]
)
def test_minimax_fits(terms: int, error: float):
    a, b, found = coefficient_fit.minimax(terms)
    assert found == pytest.approx(error, rel=0.03)
    assert len(a) == len(b) == terms
    if terms == 4:
        assert a == pytest.approx((0.219991889, 0.14102077, 0.0790608426, 0.0434200779), rel=1e-3)
        assert b == pytest.approx((0.571698329, 1.41091731, 5.71637403, 39.0427418), rel=1e-3)


@pytest.mark.parametrize("terms", [2, 3])
def test_tuned_sets_never_wrap(terms: int):
    found = coefficient_fit.fit(terms)
    assert found.wraps == ()
    plain = coefficient_fit.fit(terms, tune=False)
    assert found.mean_error + found.largest_error <= plain.mean_error + plain.largest_error
    assert found.largest_error < 1.05e-2


def test_expp_errors_are_the_published_ones():
    errors = {(e.constants, e.low, e.high, e.reference): e for e in accuracy.expp_errors()}
    rounded = errors["rtl", -88, 88, "exp rounded to BF16"]
    assert round(100 * rounded.mean, 2) == 0.14
    assert round(100 * rounded.largest, 2) == 0.78
    exact = errors["rtl", -88, 88, "exact exp"]
    assert round(100 * exact.mean, 2) == 0.20
    assert exact.largest == pytest.approx(0.00875, abs=1e-5)
    values = expp(np.array([0.0, -0.0, -100.0, 100.0, np.nan], np.float32).astype(bf16.BF16))
    assert values.astype(np.float64).tolist() == [1.0, 1.0, 0.0, np.inf, np.inf]
    with pytest.raises(ValueError, match="'rtl' or 'paper'"):
        expp(values, "mine")
