"""The matrix product against chains of exactly rounded multiply-adds, special values included."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sampling import sample

from softex_mlir.isa_sim.numerics import bf16
from softex_mlir.isa_sim.numerics.gemm import gemm

SIGNS = np.array([0, 0x8000], np.uint16)
PLAIN_HOST = """
import sys
import numpy as np
from numba import njit
from softex_mlir.isa_sim.numerics.gemm_block import chain_block
from softex_mlir.isa_sim.numerics.gemm_kernels import gemm_serial

@njit("void(int64, int64)")
def narrow(at, inner):
    chain_block(at, 4, at, 4, at, 4, inner)

(code,) = narrow.inspect_asm().values()
assert "fma" not in code, "products that are exact take no fused multiply-add"
files = np.load(sys.argv[1])
for kind in ("narrow", "wide"):
    z = files[kind + "_y"].copy()
    gemm_serial(files[kind + "_x"], files[kind + "_w"], z)
    np.testing.assert_array_equal(z, files[kind + "_z"])
"""


def chain(x: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
    for n in range(-(-x.shape[1] // 8) * 8):
        inside = n < x.shape[1]
        column = x[:, n, None] if inside else np.zeros((x.shape[0], 1), np.uint16)
        row = w[n] if inside else np.zeros(w.shape[1], np.uint16)
        z = bf16.fma_bits(column, row, z)
    return z


def check(x: np.ndarray, w: np.ndarray, y: np.ndarray):
    found = gemm(bf16.from_bits(x), bf16.from_bits(w), bf16.from_bits(y))
    np.testing.assert_array_equal(bf16.to_bits(found), chain(x, w, y))


@sample(100)
@given(st.data(), st.integers(1, 6), st.integers(1, 20), st.integers(1, 9))
def test_any_bits(data: st.DataObject, m: int, n: int, k: int):
    bits = st.one_of(
        st.integers(0, 0xFFFF),
        st.sampled_from([0, 0x8000, 1, 0x8001, 0x7F80, 0xFF80, 0x7FC1, 0x7F7F, 0x0080, 0x3F80]),
        st.integers(0x3F00, 0x4080),
    )
    x, w, y = (
        data.draw(hnp.arrays(np.uint16, shape, elements=bits)) for shape in ((m, n), (n, k), (m, k))
    )
    check(x, w, y)


@pytest.mark.parametrize("exponents", [(120, 132), (1, 30), (60, 75), (190, 200), (0, 254)])
def test_exponent_ranges(exponents: tuple[int, int]):
    rng = np.random.default_rng(1)

    def draw(shape: tuple[int, int]) -> np.ndarray:
        mantissa = rng.integers(0, 128, shape)
        exponent = rng.integers(*exponents, shape, endpoint=True)
        return (rng.integers(0, 2, shape) << 15 | exponent << 7 | mantissa).astype(np.uint16)

    check(draw((9, 40)), draw((40, 150)), draw((9, 150)))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="code for x86 without extensions")
def test_hosts_without_fused_multiply_adds_have_the_same_bits(tmp_path: Path):
    rng = np.random.default_rng(3)
    bits: dict[str, np.ndarray] = {}
    for kind, (low, high) in {"narrow": (0x3F00, 0x4080), "wide": (0, 0x10000)}.items():
        x, w, y = (
            rng.integers(low, high, shape).astype(np.uint16) | rng.choice(SIGNS, shape)
            for shape in ((9, 40), (40, 70), (9, 70))
        )
        bits |= {f"{kind}_x": x, f"{kind}_w": w, f"{kind}_y": y, f"{kind}_z": chain(x, w, y)}
    np.savez(tmp_path / "bits.npz", allow_pickle=False, **bits)
    plain = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", PLAIN_HOST, str(tmp_path / "bits.npz")]
    done = subprocess.run(
        command, env={**os.environ, **plain}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_large_products_share_the_host_cores():
    rng = np.random.default_rng(2)
    x, w, y = (
        rng.standard_normal(shape).astype(bf16.BF16) for shape in ((130, 96), (96, 300), (130, 300))
    )
    whole = gemm(x, w, y)
    np.testing.assert_array_equal(whole[77:80], gemm(x[77:80], w, y[77:80]))
    batched = gemm(np.stack([x, x[::-1]]), w)
    assert batched.shape == (2, 130, 300)
    np.testing.assert_array_equal(batched[0], gemm(x, w))


def test_chain_stagnates_at_256():
    ones = np.ones((1, 512), bf16.BF16)
    assert float(gemm(ones, ones.T)[0, 0]) == 256.0


def test_shapes_are_checked():
    x = np.zeros((2, 3), bf16.BF16)
    with pytest.raises(ValueError, match=r"expected x \[..., M, N\] and w \[N, K\]"):
        gemm(x, x)
