"""Results by host arithmetic are those of the exact integer arithmetic, flags included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core.floats import execute_float
from softex_mlir.isa_sim.core.host_floats import execute_host, truncate

SINGLE = [
    "FADD", "FSUB", "FMUL", "FDIV", "FSQRT", "FMIN", "FMAX", "FSGNJ", "FSGNJN", "FSGNJX",
    "FMADD", "FMSUB", "FNMSUB", "FNMADD", "FEQ", "FLT", "FLE",
    "FCVT_F_W", "FCVT_F_WU", "FCVT_BF16_S", "FCVT_S_BF16",
]  # fmt: skip
PACKED = ["VADD", "VSUB", "VMUL", "VMAC", "VMIN", "VMAX", "VCPKA", "VDOTPEX"]

exponents = st.one_of(
    st.integers(0, 255), st.integers(120, 135), st.integers(0, 3), st.integers(252, 255)
)
fractions = st.one_of(
    st.integers(0, 0x7FFFFF), st.sampled_from([0, 1, 0x400000, 0x7FFFFE, 0x7FFFFF])
)
singles = st.builds(
    lambda sign, exponent, fraction: sign << 31 | exponent << 23 | fraction,
    st.integers(0, 1), exponents, fractions,
)  # fmt: skip
pairs = st.builds(lambda low, high: low >> 16 | high & 0xFFFF0000, singles, singles)


def agrees(name: str, a: int, b: int, c: int) -> None:
    operation = getattr(op, name)
    result = execute_host(operation, a, b, c)
    assert result in (-1, execute_float(operation, a, b, c, 0)), name


@sample(400)
@given(singles, singles, singles)
@example(0x7F7FFFFF, 0x72FFFFFF, 0xF2FFFFFF)  # sums and products beside the largest number
@example(0x00800001, 0x3F7FFFFF, 0x00000001)  # and around the smallest normal one
@example(0x3F800001, 0x3F7FFFFE, 0xBF800000)
def test_binary32(a: int, b: int, c: int) -> None:
    for name in SINGLE:
        agrees(name, a, b, c)
        agrees(name, a, a ^ 0x80000000, b)


@sample(400)
@given(pairs, pairs, pairs)
def test_packed(a: int, b: int, c: int) -> None:
    for name in PACKED:
        agrees(name, a, b, c)
        agrees(name, a, b, a ^ 0x80008000)


@sample(300)
@given(singles, st.booleans())
def test_truncation(a: int, unsigned: bool) -> None:
    exact = execute_float(op.FCVT_WU if unsigned else op.FCVT_W, a, 0, 0, 1)
    assert truncate(a, unsigned) in (-1, exact)


@pytest.mark.parametrize("name", [*SINGLE, *PACKED])
def test_usual_operands_never_take_the_slow_path(name: str) -> None:
    rng = np.random.default_rng(3)
    for a, b, c in rng.uniform(0.1, 10, (100, 3)).astype(np.float32).view(np.uint32).tolist():
        if name in PACKED and name != "VCPKA":
            a, b, c = (v >> 16 | v & 0xFFFF0000 for v in (a, b, c))
        if name == "FCVT_S_BF16":
            a |= 0xFFFF0000
        if name == "FCVT_S_BF16" and a & 0x7F80 == 0x7F80:
            continue
        assert execute_host(getattr(op, name), a, b, c) >= 0
    for value in (0.5, 1.0, 1e6, 2e9):
        assert truncate(int(np.float32(value).view(np.uint32)), False) >= 0
